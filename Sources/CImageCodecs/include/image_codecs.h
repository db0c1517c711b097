// Photo formats, each behind the same three steps: open (headers only, limits checked), read (pixels), close.
//
// libjpeg-turbo, libpng, libwebp, giflib, libheif and Little CMS are met here alone. Errors that these libraries report
// by longjmp or by codes of their own become an `imgrec_status` and a sentence; no call here exits, prints or waits.
// The bytes of the photo have to stay where they are until the decoder is closed.

#ifndef IMGREC_IMAGE_CODECS_H
#define IMGREC_IMAGE_CODECS_H

#include <stddef.h>
#include <stdint.h>

typedef enum {
    IMGREC_OK = 0,
    IMGREC_DAMAGED,
    // The format is one that is read, this variety of it is not; the message names it.
    IMGREC_UNSUPPORTED,
    IMGREC_OUT_OF_MEMORY,
    // A limit is exceeded; `photo.excess` says by what.
    IMGREC_TOO_MANY_PIXELS,
    IMGREC_TOO_MANY_FRAMES,
    IMGREC_PROFILE_TOO_LARGE,
    IMGREC_CHUNK_TOO_LARGE,
} imgrec_status;

// What the four bytes of a pixel are after `imgrec_read`.
typedef enum {
    IMGREC_RGBA = 0,
    // Grey, three times.
    IMGREC_GREY,
    // Inks as Adobe writes them: 255 for none. Photoshop and browsers take all four-colour JPEG for such.
    IMGREC_INVERTED_CMYK,
} imgrec_layout;

typedef struct {
    uint64_t pixels;
    uint32_t frames;
    // Of a colour profile, unpacked.
    uint32_t profile_bytes;
    // Of any other part of a file that is not pixels.
    uint32_t chunk_bytes;
} imgrec_limits;

// What says which colours the levels mean, where it is not a profile.
typedef enum {
    IMGREC_COLOUR_SRGB = 0,
    // PNG's gAMA and cHRM: `gamma` of the file or 0 for sRGB's curve, `chromaticities` x and y of white, red, green, blue.
    IMGREC_COLOUR_GAMMA,
    // The code points of ITU-T H.273.
    IMGREC_COLOUR_CODES,
} imgrec_colour_kind;

typedef struct {
    uint32_t width, height;
    imgrec_layout layout;
    int has_alpha;
    // Whether colours are multiplied by alpha already.
    int is_premultiplied;
    uint32_t frames;
    // 1 where the decoder turns the picture by itself and EXIF's orientation has to be passed over.
    int is_upright;
    // A variety of the format that a person may want to know of, such as "progressive"; static text.
    const char *variety;
    // Belongs to the decoder; NULL for none.
    const uint8_t *profile;
    size_t profile_bytes;
    // Whether the file says that it has a profile which could not be read.
    int has_broken_profile;
    imgrec_colour_kind colour_kind;
    double gamma;
    double chromaticities[8];
    uint16_t colour_primaries, transfer;
    // Of a limit: what the file has.
    uint64_t excess;
} imgrec_photo;

typedef struct imgrec_decoder {
    imgrec_photo photo;
    char message[200];
    imgrec_status (*read)(struct imgrec_decoder *decoder, unsigned eighths, uint8_t *pixels);
    void (*close)(struct imgrec_decoder *decoder);
} imgrec_decoder;

// Reads headers. `*decoder` is set, also on an error (then `photo` may be incomplete), unless memory runs out; it has to
// be closed.
imgrec_status imgrec_open_jpeg(const uint8_t *bytes, size_t count, const imgrec_limits *limits, imgrec_decoder **decoder);
imgrec_status imgrec_open_png(const uint8_t *bytes, size_t count, const imgrec_limits *limits, imgrec_decoder **decoder);
imgrec_status imgrec_open_webp(const uint8_t *bytes, size_t count, const imgrec_limits *limits, imgrec_decoder **decoder);
imgrec_status imgrec_open_gif(const uint8_t *bytes, size_t count, const imgrec_limits *limits, imgrec_decoder **decoder);
imgrec_status imgrec_open_heif(const uint8_t *bytes, size_t count, const imgrec_limits *limits, imgrec_decoder **decoder);

// Decodes to four bytes a pixel, rows without padding. Once for each decoder.
//
// `eighths`: 1 to 8. JPEG alone is decoded at less than 8; a side then has (side * eighths + 7) / 8 pixels.
imgrec_status imgrec_read(imgrec_decoder *decoder, unsigned eighths, uint8_t *pixels);

void imgrec_close(imgrec_decoder *decoder);

// Whatever the libraries load on their first use, loaded now: later there may be no file to load it from.
void imgrec_prepare_codecs(void);

// MARK: Colour

typedef enum {
    IMGREC_COLOUR_CONVERTED = 0,
    // The colours are sRGB's within a level, so nothing was changed.
    IMGREC_COLOUR_IS_SRGB,
    IMGREC_COLOUR_BROKEN,
} imgrec_colour_result;

// Pixels of four bytes, as `photo` describes them, to sRGB in place; alpha stays. `name`, of `name_bytes`, gets what the
// profile calls itself.
imgrec_colour_result imgrec_to_srgb(const imgrec_photo *photo, uint8_t *pixels, size_t count, char *name, size_t name_bytes);

// MARK: Writing

// An upright picture as PNG, to be freed with `imgrec_free`. 0 where memory runs out.
int imgrec_write_png(const uint8_t *pixels, uint32_t width, uint32_t height, uint8_t **bytes, size_t *count);

void imgrec_free(uint8_t *bytes);

// Whether so much memory is to be had now.
int imgrec_can_allocate(size_t bytes);

#endif
