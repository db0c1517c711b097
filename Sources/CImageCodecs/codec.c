#include "codec.h"

imgrec_status imgrec_read(imgrec_decoder *decoder, unsigned eighths, uint8_t *pixels) {
    return decoder->read(decoder, eighths, pixels);
}

int imgrec_can_allocate(size_t bytes) {
    // Kept from being optimised away.
    void *volatile memory = malloc(bytes);
    free(memory);
    return memory != NULL;
}

void imgrec_free(uint8_t *bytes) { free(bytes); }

void imgrec_close(imgrec_decoder *decoder) { decoder->close(decoder); }
