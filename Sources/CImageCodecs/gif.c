// GIF through giflib, record by record: the first frame, on its canvas. Later frames are counted, not decoded.

#include <gif_lib.h>

#include "codec.h"

typedef struct {
    imgrec_decoder base;
    GifFileType *gif;
    const uint8_t *bytes;
    size_t count, position;
} gif_decoder;

static int read_bytes(GifFileType *gif, GifByteType *target, int wanted) {
    gif_decoder *decoder = gif->UserData;
    size_t rest = decoder->count - decoder->position;
    size_t given = (size_t)wanted < rest ? (size_t)wanted : rest;
    memcpy(target, decoder->bytes + decoder->position, given);
    decoder->position += given;
    return (int)given;
}

static imgrec_status damaged(gif_decoder *decoder) {
    const char *message = decoder->gif ? GifErrorString(decoder->gif->Error) : NULL;
    return imgrec_fail(&decoder->base, IMGREC_DAMAGED, "%s", message ? message : "it ends too early");
}

// Steps over sub-blocks: a length and as many bytes, until a length of 0. 0 where the file ends first.
static size_t after_blocks(const gif_decoder *decoder, size_t position) {
    while (position < decoder->count) {
        size_t length = decoder->bytes[position];
        if (length == 0) return position + 1;
        position += length + 1;
    }
    return 0;
}

static uint32_t number(const uint8_t *bytes) { return bytes[0] | (uint32_t)bytes[1] << 8; }

static size_t table_bytes(uint8_t flags) { return flags & 0x80 ? (size_t)3 << ((flags & 7) + 1) : 0; }

// Counts frames and checks parts by their lengths alone (GIF89a, sections 18 to 27). A file that is cut off ends the
// walk; whether its first frame is whole is seen when it is decoded.
static imgrec_status check_blocks(gif_decoder *decoder, const imgrec_limits *limits) {
    const uint8_t *bytes = decoder->bytes;
    uint32_t *frames = &decoder->base.photo.frames;
    size_t position = 13 + table_bytes(bytes[10]);
    while (position != 0 && position < decoder->count) {
        if (bytes[position] == 0x21 && decoder->count - position > 2) {
            size_t end = after_blocks(decoder, position + 2);
            // A graphic control extension whose flags say that a colour is transparent.
            int is_control = bytes[position + 1] == 0xF9 && decoder->count - position > 4;
            if (*frames == 0 && is_control && (bytes[position + 3] & 1)) decoder->base.photo.has_alpha = 1;
            if (end != 0 && end - position > limits->chunk_bytes)
                return imgrec_exceed(&decoder->base, IMGREC_CHUNK_TOO_LARGE, end - position);
            position = end;
        } else if (bytes[position] == 0x2C && decoder->count - position > 11) {
            *frames += 1;
            if (*frames == 1) {
                // The first frame is decoded whole, also what of it lies beside the canvas.
                const uint8_t *frame = bytes + position;
                uint64_t left = number(frame + 1), top = number(frame + 3), width = number(frame + 5), height = number(frame + 7);
                if (width * height > limits->pixels) return imgrec_exceed(&decoder->base, IMGREC_TOO_MANY_PIXELS, width * height);
                imgrec_photo *photo = &decoder->base.photo;
                if (left > 0 || top > 0 || left + width < photo->width || top + height < photo->height) photo->has_alpha = 1;
            }
            if (*frames > limits->frames) return imgrec_exceed(&decoder->base, IMGREC_TOO_MANY_FRAMES, *frames);
            position = after_blocks(decoder, position + 10 + table_bytes(bytes[position + 9]) + 1);
        } else {
            break;
        }
    }
    return IMGREC_OK;
}

// One frame onto a canvas that is clear.
static imgrec_status read_frame(gif_decoder *decoder, int transparent, uint8_t *pixels) {
    GifFileType *gif = decoder->gif;
    if (DGifGetImageDesc(gif) == GIF_ERROR) return damaged(decoder);
    const GifImageDesc *frame = &gif->Image;
    const ColorMapObject *colours = frame->ColorMap ? frame->ColorMap : gif->SColorMap;
    if (!colours) return imgrec_fail(&decoder->base, IMGREC_DAMAGED, "it has no colours");
    uint32_t width = decoder->base.photo.width, height = decoder->base.photo.height;
    if (frame->Width <= 0 || frame->Height <= 0) return imgrec_fail(&decoder->base, IMGREC_DAMAGED, "its first frame is empty");
    GifPixelType *row = malloc((size_t)frame->Width);
    if (!row) return IMGREC_OUT_OF_MEMORY;
    static const int first[4] = {0, 4, 2, 1}, step[4] = {8, 8, 4, 2};
    for (int pass = 0; pass < (frame->Interlace ? 4 : 1); pass++) {
        int from = frame->Interlace ? first[pass] : 0, by = frame->Interlace ? step[pass] : 1;
        for (int y = from; y < frame->Height; y += by) {
            if (DGifGetLine(gif, row, frame->Width) == GIF_ERROR) {
                free(row);
                return damaged(decoder);
            }
            // What lies beside the canvas is not seen.
            if (frame->Top + y >= (int64_t)height) continue;
            for (int x = 0; x < frame->Width && frame->Left + x < (int64_t)width; x++) {
                if (row[x] == transparent) continue;
                uint8_t *pixel = pixels + ((size_t)(frame->Top + y) * width + (size_t)(frame->Left + x)) * 4;
                // An index beyond the table is black, as in browsers.
                GifColorType colour = row[x] < colours->ColorCount ? colours->Colors[row[x]] : (GifColorType){0, 0, 0};
                pixel[0] = colour.Red;
                pixel[1] = colour.Green;
                pixel[2] = colour.Blue;
                pixel[3] = 255;
            }
        }
    }
    free(row);
    return IMGREC_OK;
}

static imgrec_status read_gif(imgrec_decoder *base, unsigned eighths, uint8_t *pixels) {
    (void)eighths;
    gif_decoder *decoder = (gif_decoder *)base;
    memset(pixels, 0, (size_t)base->photo.width * base->photo.height * 4);
    int transparent = NO_TRANSPARENT_COLOR;
    for (;;) {
        GifRecordType type;
        if (DGifGetRecordType(decoder->gif, &type) == GIF_ERROR) return damaged(decoder);
        if (type == IMAGE_DESC_RECORD_TYPE) return read_frame(decoder, transparent, pixels);
        if (type != EXTENSION_RECORD_TYPE) return imgrec_fail(base, IMGREC_DAMAGED, "it has no frame");
        int code;
        GifByteType *block;
        if (DGifGetExtension(decoder->gif, &code, &block) == GIF_ERROR) return damaged(decoder);
        while (block) {
            GraphicsControlBlock control;
            if (code == GRAPHICS_EXT_FUNC_CODE && DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK)
                transparent = control.TransparentColor;
            if (DGifGetExtensionNext(decoder->gif, &block) == GIF_ERROR) return damaged(decoder);
        }
    }
}

static void close_gif(imgrec_decoder *base) {
    gif_decoder *decoder = (gif_decoder *)base;
    if (decoder->gif) DGifCloseFile(decoder->gif, NULL);
    free(decoder);
}

imgrec_status imgrec_open_gif(const uint8_t *bytes, size_t count, const imgrec_limits *limits, imgrec_decoder **result) {
    gif_decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder) return IMGREC_OUT_OF_MEMORY;
    *result = &decoder->base;
    decoder->base.read = read_gif;
    decoder->base.close = close_gif;
    decoder->bytes = bytes;
    decoder->count = count;
    if (count < 14) return imgrec_fail(&decoder->base, IMGREC_DAMAGED, "it ends too early");
    imgrec_photo *photo = &decoder->base.photo;
    photo->width = number(bytes + 6);
    photo->height = number(bytes + 8);
    imgrec_status status = imgrec_check_size(&decoder->base, limits);
    if (status == IMGREC_OK) status = check_blocks(decoder, limits);
    if (status != IMGREC_OK) return status;
    photo->variety = photo->frames > 1 ? "animated" : "";
    int error = 0;
    decoder->gif = DGifOpen(decoder, read_bytes, &error);
    if (!decoder->gif) return error == D_GIF_ERR_NOT_ENOUGH_MEM ? IMGREC_OUT_OF_MEMORY : damaged(decoder);
    return IMGREC_OK;
}
