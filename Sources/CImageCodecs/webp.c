// WebP through libwebp and its demultiplexer; of an animation the first frame, on its canvas.

#include <webp/decode.h>
#include <webp/demux.h>

#include "codec.h"

typedef struct {
    imgrec_decoder base;
    WebPData data;
    WebPDemuxer *demuxer;
    WebPChunkIterator profile;
} webp_decoder;

static imgrec_status read_animation(webp_decoder *decoder, uint8_t *pixels) {
    WebPAnimDecoderOptions options;
    if (!WebPAnimDecoderOptionsInit(&options)) return IMGREC_OUT_OF_MEMORY;
    options.color_mode = MODE_RGBA;
    options.use_threads = 0;
    WebPAnimDecoder *animation = WebPAnimDecoderNew(&decoder->data, &options);
    if (!animation) return IMGREC_OUT_OF_MEMORY;
    uint8_t *frame;
    int timestamp;
    int is_read = WebPAnimDecoderGetNext(animation, &frame, &timestamp);
    if (is_read) memcpy(pixels, frame, (size_t)decoder->base.photo.width * decoder->base.photo.height * 4);
    WebPAnimDecoderDelete(animation);
    return is_read ? IMGREC_OK : imgrec_fail(&decoder->base, IMGREC_DAMAGED, "its first frame cannot be decoded");
}

static imgrec_status read_webp(imgrec_decoder *base, unsigned eighths, uint8_t *pixels) {
    (void)eighths;
    webp_decoder *decoder = (webp_decoder *)base;
    imgrec_photo *photo = &base->photo;
    if (WebPDemuxGetI(decoder->demuxer, WEBP_FF_FORMAT_FLAGS) & ANIMATION_FLAG) return read_animation(decoder, pixels);
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config)) return IMGREC_OUT_OF_MEMORY;
    config.output.colorspace = MODE_RGBA;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = pixels;
    config.output.u.RGBA.stride = (int)(photo->width * 4);
    config.output.u.RGBA.size = (size_t)photo->width * photo->height * 4;
    switch (WebPDecode(decoder->data.bytes, decoder->data.size, &config)) {
    case VP8_STATUS_OK:
        return IMGREC_OK;
    case VP8_STATUS_OUT_OF_MEMORY:
        return IMGREC_OUT_OF_MEMORY;
    case VP8_STATUS_NOT_ENOUGH_DATA:
        return imgrec_fail(base, IMGREC_DAMAGED, "it ends too early");
    default:
        return imgrec_fail(base, IMGREC_DAMAGED, "its pixels cannot be decoded");
    }
}

static void close_webp(imgrec_decoder *base) {
    webp_decoder *decoder = (webp_decoder *)base;
    WebPDemuxReleaseChunkIterator(&decoder->profile);
    WebPDemuxDelete(decoder->demuxer);
    free(decoder);
}

imgrec_status imgrec_open_webp(const uint8_t *bytes, size_t count, const imgrec_limits *limits, imgrec_decoder **result) {
    webp_decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder) return IMGREC_OUT_OF_MEMORY;
    *result = &decoder->base;
    decoder->base.read = read_webp;
    decoder->base.close = close_webp;
    decoder->data = (WebPData){bytes, count};
    imgrec_photo *photo = &decoder->base.photo;

    // The size comes first: it is in the first bytes, whatever else is wrong.
    WebPBitstreamFeatures features;
    if (WebPGetFeatures(bytes, count, &features) != VP8_STATUS_OK)
        return imgrec_fail(&decoder->base, IMGREC_DAMAGED, "its header cannot be read");
    photo->width = (uint32_t)features.width;
    photo->height = (uint32_t)features.height;
    photo->has_alpha = features.has_alpha;
    photo->frames = 1;
    photo->variety = features.has_animation ? "animated" : features.format == 2 ? "lossless" : features.format == 1 ? "lossy" : "";
    imgrec_status status = imgrec_check_size(&decoder->base, limits);
    if (status != IMGREC_OK) return status;

    WebPDemuxState state;
    decoder->demuxer = WebPDemuxPartial(&decoder->data, &state);
    if (!decoder->demuxer || state != WEBP_DEMUX_DONE)
        return imgrec_fail(&decoder->base, IMGREC_DAMAGED, "it ends too early, or its parts do not fit together");
    photo->frames = WebPDemuxGetI(decoder->demuxer, WEBP_FF_FRAME_COUNT);
    status = imgrec_check_size(&decoder->base, limits);
    if (status != IMGREC_OK) return status;
    static const char metadata[2][5] = {"EXIF", "XMP "};
    for (int i = 0; i < 2; i++) {
        WebPChunkIterator chunk;
        uint64_t size = WebPDemuxGetChunk(decoder->demuxer, metadata[i], 1, &chunk) ? chunk.chunk.size : 0;
        WebPDemuxReleaseChunkIterator(&chunk);
        if (size > limits->chunk_bytes) return imgrec_exceed(&decoder->base, IMGREC_CHUNK_TOO_LARGE, size);
    }
    if (WebPDemuxGetChunk(decoder->demuxer, "ICCP", 1, &decoder->profile)) {
        photo->profile = decoder->profile.chunk.bytes;
        photo->profile_bytes = decoder->profile.chunk.size;
        if (photo->profile_bytes > limits->profile_bytes)
            return imgrec_exceed(&decoder->base, IMGREC_PROFILE_TOO_LARGE, photo->profile_bytes);
    }
    return IMGREC_OK;
}
