// AVIF and HEIC through libheif. It turns and mirrors by itself, as the file says.

#include <libheif/heif.h>

#include "codec.h"

typedef struct {
    imgrec_decoder base;
    struct heif_context *context;
    struct heif_image_handle *handle;
    uint8_t *profile;
} heif_decoder;

static imgrec_status failed(heif_decoder *decoder, struct heif_error error) {
    if (error.code == heif_error_Memory_allocation_error && error.subcode != heif_suberror_Security_limit_exceeded)
        return IMGREC_OUT_OF_MEMORY;
    if (error.code == heif_error_Unsupported_feature || error.code == heif_error_Unsupported_filetype)
        return imgrec_fail(&decoder->base, IMGREC_UNSUPPORTED, "this variety of HEIF (%s)", error.message);
    return imgrec_fail(&decoder->base, IMGREC_DAMAGED, "%s", error.message);
}

static imgrec_status read_heif(imgrec_decoder *base, unsigned eighths, uint8_t *pixels) {
    (void)eighths;
    heif_decoder *decoder = (heif_decoder *)base;
    imgrec_photo *photo = &base->photo;
    struct heif_decoding_options *options = heif_decoding_options_alloc();
    if (!options) return IMGREC_OUT_OF_MEMORY;
    options->convert_hdr_to_8bit = 1;
    struct heif_image *image = NULL;
    struct heif_error error =
        heif_decode_image(decoder->handle, &image, heif_colorspace_RGB, heif_chroma_interleaved_RGBA, options);
    heif_decoding_options_free(options);
    if (error.code != heif_error_Ok) return failed(decoder, error);
    int stride;
    const uint8_t *rows = heif_image_get_plane_readonly(image, heif_channel_interleaved, &stride);
    int width = heif_image_get_width(image, heif_channel_interleaved);
    int height = heif_image_get_height(image, heif_channel_interleaved);
    int is_whole = rows && width == (int)photo->width && height == (int)photo->height && stride >= width * 4;
    if (is_whole)
        for (int y = 0; y < height; y++) memcpy(pixels + (size_t)y * width * 4, rows + (size_t)y * stride, (size_t)width * 4);
    heif_image_release(image);
    return is_whole ? IMGREC_OK : imgrec_fail(base, IMGREC_DAMAGED, "its pixels are of another size than it claims");
}

static void close_heif(imgrec_decoder *base) {
    heif_decoder *decoder = (heif_decoder *)base;
    if (decoder->handle) heif_image_handle_release(decoder->handle);
    if (decoder->context) heif_context_free(decoder->context);
    free(decoder->profile);
    free(decoder);
}

static imgrec_status find_colour(heif_decoder *decoder, const imgrec_limits *limits) {
    imgrec_photo *photo = &decoder->base.photo;
    size_t size = heif_image_handle_get_raw_color_profile_size(decoder->handle);
    if (size > limits->profile_bytes) return imgrec_exceed(&decoder->base, IMGREC_PROFILE_TOO_LARGE, size);
    if (size > 0) {
        decoder->profile = malloc(size);
        if (!decoder->profile) return IMGREC_OUT_OF_MEMORY;
        if (heif_image_handle_get_raw_color_profile(decoder->handle, decoder->profile).code == heif_error_Ok) {
            photo->profile = decoder->profile;
            photo->profile_bytes = size;
        } else {
            photo->has_broken_profile = 1;
        }
        return IMGREC_OK;
    }
    struct heif_color_profile_nclx *codes = NULL;
    if (heif_image_handle_get_nclx_color_profile(decoder->handle, &codes).code == heif_error_Ok && codes) {
        photo->colour_kind = IMGREC_COLOUR_CODES;
        photo->colour_primaries = (uint16_t)codes->color_primaries;
        photo->transfer = (uint16_t)codes->transfer_characteristics;
        heif_nclx_color_profile_free(codes);
    }
    return IMGREC_OK;
}

imgrec_status imgrec_open_heif(const uint8_t *bytes, size_t count, const imgrec_limits *limits, imgrec_decoder **result) {
    heif_decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder) return IMGREC_OUT_OF_MEMORY;
    *result = &decoder->base;
    decoder->base.read = read_heif;
    decoder->base.close = close_heif;
    decoder->context = heif_context_alloc();
    if (!decoder->context) return IMGREC_OUT_OF_MEMORY;
    // More pixels than the limit are told as such, not as libheif's own limit.
    heif_context_set_maximum_image_size_limit(decoder->context, 65535);
    // One photo, one thread: there are as many workers as cores.
    heif_context_set_max_decoding_threads(decoder->context, 0);
    struct heif_error error = heif_context_read_from_memory_without_copy(decoder->context, bytes, count, NULL);
    if (error.code != heif_error_Ok) return failed(decoder, error);
    error = heif_context_get_primary_image_handle(decoder->context, &decoder->handle);
    if (error.code != heif_error_Ok) return failed(decoder, error);
    imgrec_photo *photo = &decoder->base.photo;
    int width = heif_image_handle_get_width(decoder->handle), height = heif_image_handle_get_height(decoder->handle);
    photo->width = width > 0 ? (uint32_t)width : 0;
    photo->height = height > 0 ? (uint32_t)height : 0;
    photo->frames = (uint32_t)heif_context_get_number_of_top_level_images(decoder->context);
    photo->has_alpha = heif_image_handle_has_alpha_channel(decoder->handle);
    photo->is_premultiplied = heif_image_handle_is_premultiplied_alpha(decoder->handle);
    photo->is_upright = 1;
    photo->variety = "";
    imgrec_status status = imgrec_check_size(&decoder->base, limits);
    if (status != IMGREC_OK) return status;
    // What it is before it is turned and cut, and what each sample takes, is decoded too.
    int64_t stored = (int64_t)heif_image_handle_get_ispe_width(decoder->handle) * heif_image_handle_get_ispe_height(decoder->handle);
    if (stored > 0 && (uint64_t)stored > limits->pixels) return imgrec_exceed(&decoder->base, IMGREC_TOO_MANY_PIXELS, (uint64_t)stored);
    return find_colour(decoder, limits);
}

void imgrec_prepare_codecs(void) { heif_init(NULL); }
