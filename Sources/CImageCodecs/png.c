// PNG through libpng's full interface: the simplified one applies gAMA by itself and passes over profiles.

#include <png.h>
#include <setjmp.h>
#include <zlib.h>

#include "codec.h"

typedef struct {
    imgrec_decoder base;
    png_structp png;
    png_infop info;
    const uint8_t *bytes;
    size_t count, position;
    int passes;
    int has_profile_chunk;
} png_decoder;

static void escape_error(png_structp png, png_const_charp message) {
    png_decoder *decoder = png_get_error_ptr(png);
    imgrec_fail(&decoder->base, IMGREC_DAMAGED, "%s", message);
    longjmp(png_jmpbuf(png), 1);
}

static void ignore_warning(png_structp png, png_const_charp message) {
    (void)png;
    (void)message;
}

static imgrec_status escaped(png_decoder *decoder) {
    return strstr(decoder->base.message, "ut of memory") ? IMGREC_OUT_OF_MEMORY : IMGREC_DAMAGED;
}

static void read_bytes(png_structp png, png_bytep target, png_size_t wanted) {
    png_decoder *decoder = png_get_io_ptr(png);
    if (wanted > decoder->count - decoder->position) png_error(png, "it ends too early");
    memcpy(target, decoder->bytes + decoder->position, wanted);
    decoder->position += wanted;
}

static uint32_t number(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

// How long the profile in an iCCP chunk is when it is unpacked, counted no further than beyond the limit.
static size_t profile_length(const uint8_t *data, size_t count, size_t limit) {
    const uint8_t *end = memchr(data, 0, count < 80 ? count : 80);
    if (!end || (size_t)(end + 2 - data) >= count) return 0;
    uint8_t piece[1 << 14];
    z_stream stream = {.next_in = (Bytef *)(end + 2), .avail_in = (uInt)(count - (size_t)(end + 2 - data))};
    if (inflateInit(&stream) != Z_OK) return 0;
    int status = Z_OK;
    while (status == Z_OK && stream.total_out <= limit) {
        stream.next_out = piece;
        stream.avail_out = sizeof piece;
        status = inflate(&stream, Z_NO_FLUSH);
    }
    size_t length = stream.total_out;
    inflateEnd(&stream);
    return length;
}

// Walks over the chunks before libpng does: how many frames an animation has, and whether a part is too large.
static imgrec_status check_chunks(png_decoder *decoder, const imgrec_limits *limits) {
    size_t position = 8;
    decoder->base.photo.frames = 1;
    while (decoder->count - position >= 12) {
        const uint8_t *chunk = decoder->bytes + position;
        uint32_t length = number(chunk);
        int is_ancillary = chunk[4] & 0x20;
        // What stands after the pixels is not looked at.
        if (memcmp(chunk + 4, "IDAT", 4) == 0) break;
        // What counts of a profile is how large it is when it is unpacked.
        int is_profile = memcmp(chunk + 4, "iCCP", 4) == 0;
        if (is_ancillary && !is_profile && length > limits->chunk_bytes)
            return imgrec_exceed(&decoder->base, IMGREC_CHUNK_TOO_LARGE, length);
        if (length > decoder->count - position - 12) break;
        if (is_profile) {
            decoder->has_profile_chunk = 1;
            size_t unpacked = profile_length(chunk + 8, length, limits->profile_bytes);
            if (unpacked > limits->profile_bytes) return imgrec_exceed(&decoder->base, IMGREC_PROFILE_TOO_LARGE, unpacked);
        }
        if (memcmp(chunk + 4, "acTL", 4) == 0 && length == 8) decoder->base.photo.frames = number(chunk + 8);
        position += (size_t)length + 12;
    }
    return IMGREC_OK;
}

static imgrec_status read_png(imgrec_decoder *base, unsigned eighths, uint8_t *pixels) {
    (void)eighths;
    png_decoder *decoder = (png_decoder *)base;
    if (setjmp(png_jmpbuf(decoder->png))) return escaped(decoder);
    // An interlaced picture comes in several passes, each of which fills in what it has.
    for (int pass = 0; pass < decoder->passes; pass++)
        for (uint32_t y = 0; y < base->photo.height; y++)
            png_read_row(decoder->png, pixels + (size_t)y * base->photo.width * 4, NULL);
    png_read_end(decoder->png, NULL);
    return IMGREC_OK;
}

static void close_png(imgrec_decoder *base) {
    png_decoder *decoder = (png_decoder *)base;
    png_destroy_read_struct(&decoder->png, &decoder->info, NULL);
    free(decoder);
}

// Which colours the levels mean. A profile goes before sRGB, which goes before gAMA and cHRM (PNG, third edition, 4.3).
static void find_colour(png_decoder *decoder) {
    imgrec_photo *photo = &decoder->base.photo;
    png_charp name;
    int compression, intent;
    png_bytep profile;
    png_uint_32 length;
    if (png_get_iCCP(decoder->png, decoder->info, &name, &compression, &profile, &length)) {
        photo->profile = profile;
        photo->profile_bytes = length;
        return;
    }
    // libpng only warns of one that it cannot read.
    photo->has_broken_profile = decoder->has_profile_chunk;
    if (png_get_sRGB(decoder->png, decoder->info, &intent)) return;
    double *xy = photo->chromaticities;
    int has_gamma = png_get_gAMA(decoder->png, decoder->info, &photo->gamma) && photo->gamma > 0;
    int has_primaries = png_get_cHRM(decoder->png, decoder->info, &xy[0], &xy[1], &xy[2], &xy[3], &xy[4], &xy[5], &xy[6], &xy[7]);
    // 0.45455 stands for sRGB's own curve, which no power is quite; so does none.
    if (!has_gamma || (photo->gamma > 0.445 && photo->gamma < 0.465)) photo->gamma = 0;
    if (photo->gamma == 0 && !has_primaries) return;
    photo->colour_kind = IMGREC_COLOUR_GAMMA;
    static const double srgb[8] = {0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06};
    if (!has_primaries) memcpy(xy, srgb, sizeof srgb);
}

// Chunks whose content is of no use here; libpng would unpack some of them.
static const png_byte unwanted[] = "tEXt\0zTXt\0iTXt\0sPLT\0hIST\0pCAL\0sCAL\0tIME\0eXIf\0bKGD\0oFFs\0pHYs";

imgrec_status imgrec_open_png(const uint8_t *bytes, size_t count, const imgrec_limits *limits, imgrec_decoder **result) {
    png_decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder) return IMGREC_OUT_OF_MEMORY;
    *result = &decoder->base;
    decoder->base.read = read_png;
    decoder->base.close = close_png;
    decoder->bytes = bytes;
    decoder->count = count;
    imgrec_status status = check_chunks(decoder, limits);
    if (status != IMGREC_OK) return status;
    png_structp png = decoder->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, decoder, escape_error, ignore_warning);
    if (!png) return IMGREC_OUT_OF_MEMORY;
    if (setjmp(png_jmpbuf(png))) return escaped(decoder);
    decoder->info = png_create_info_struct(png);
    if (!decoder->info) return IMGREC_OUT_OF_MEMORY;
    png_set_read_fn(png, decoder, read_bytes);
    // Whatever pixels the limit allows may be one long row.
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    // 0 would mean no limit.
    png_set_chunk_malloc_max(png, limits->profile_bytes > 0 ? limits->profile_bytes : 1);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, unwanted, sizeof unwanted / 5);
    png_read_info(png, decoder->info);

    imgrec_photo *photo = &decoder->base.photo;
    photo->width = png_get_image_width(png, decoder->info);
    photo->height = png_get_image_height(png, decoder->info);
    status = imgrec_check_size(&decoder->base, limits);
    if (status != IMGREC_OK) return status;
    int colour_type = png_get_color_type(png, decoder->info);
    int depth = png_get_bit_depth(png, decoder->info);
    photo->layout = colour_type & PNG_COLOR_MASK_COLOR ? IMGREC_RGBA : IMGREC_GREY;
    photo->has_alpha = (colour_type & PNG_COLOR_MASK_ALPHA) || png_get_valid(png, decoder->info, PNG_INFO_tRNS);
    photo->variety = png_get_interlace_type(png, decoder->info) == PNG_INTERLACE_NONE ? "" : "interlaced";
    find_colour(decoder);

    png_set_expand(png);
    if (depth == 16) png_set_scale_16(png);
    png_set_gray_to_rgb(png);
    png_set_add_alpha(png, 0xFF, PNG_FILLER_AFTER);
    decoder->passes = png_set_interlace_handling(png);
    png_read_update_info(png, decoder->info);
    if (png_get_rowbytes(png, decoder->info) != (size_t)photo->width * 4)
        return imgrec_fail(&decoder->base, IMGREC_DAMAGED, "its rows have an unknown shape");
    return IMGREC_OK;
}

int imgrec_write_png(const uint8_t *pixels, uint32_t width, uint32_t height, uint8_t **bytes, size_t *count) {
    png_image image = {.version = PNG_IMAGE_VERSION, .width = width, .height = height, .format = PNG_FORMAT_RGB};
    uint8_t *rows = malloc((size_t)width * height * 3);
    if (!rows) return 0;
    for (size_t i = 0; i < (size_t)width * height; i++) memcpy(rows + i * 3, pixels + i * 4, 3);
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
    *bytes = malloc(size);
    int is_written = *bytes && png_image_write_to_memory(&image, *bytes, &size, 0, rows, 0, NULL);
    free(rows);
    *count = size;
    if (!is_written) free(*bytes);
    return is_written;
}
