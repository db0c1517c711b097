// What the decoders share.

#ifndef IMGREC_CODEC_H
#define IMGREC_CODEC_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image_codecs.h"

// Sets the sentence and hands the status on.
__attribute__((format(printf, 3, 4))) static inline imgrec_status imgrec_fail(imgrec_decoder *decoder, imgrec_status status,
                                                                              const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(decoder->message, sizeof decoder->message, format, arguments);
    va_end(arguments);
    return status;
}

static inline imgrec_status imgrec_exceed(imgrec_decoder *decoder, imgrec_status status, uint64_t excess) {
    decoder->photo.excess = excess;
    return status;
}

// Width and height have to be set.
static inline imgrec_status imgrec_check_size(imgrec_decoder *decoder, const imgrec_limits *limits) {
    imgrec_photo *photo = &decoder->photo;
    if (photo->width == 0 || photo->height == 0)
        return imgrec_fail(decoder, IMGREC_DAMAGED, "it claims %u x %u pixels", photo->width, photo->height);
    uint64_t pixels = (uint64_t)photo->width * photo->height;
    if (pixels > limits->pixels) return imgrec_exceed(decoder, IMGREC_TOO_MANY_PIXELS, pixels);
    if (photo->frames > limits->frames) return imgrec_exceed(decoder, IMGREC_TOO_MANY_FRAMES, photo->frames);
    return IMGREC_OK;
}

#endif
