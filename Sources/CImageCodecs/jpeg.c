// JPEG through libjpeg-turbo's libjpeg interface: its TurboJPEG interface tells neither profiles nor Adobe's marker, and
// keeps only one of several warnings.

#include <setjmp.h>

#include "codec.h"
// libjpeg's header wants stdio.h before it.
#include <jerror.h>
#include <jpeglib.h>

// More scans than any camera or editor writes; each costs a pass over the whole picture (CVE-2017-9614 and its like).
enum { MOST_SCANS = 500 };

typedef struct {
    imgrec_decoder base;
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    JOCTET *profile;
    // The first complaint that costs pixels.
    char warning[JMSG_LENGTH_MAX];
} jpeg_decoder;

static void escape_error(j_common_ptr common) {
    jpeg_decoder *decoder = common->client_data;
    longjmp(decoder->escape, 1);
}

static void note_message(j_common_ptr common, int level) {
    jpeg_decoder *decoder = common->client_data;
    if (level >= 0 || decoder->warning[0]) return;
    // Stray bytes between segments, which some cameras and editors leave, cost no pixel.
    int code = common->err->msg_code;
    if (code == JWRN_EXTRANEOUS_DATA || code == JWRN_JFIF_MAJOR) return;
    common->err->format_message(common, decoder->warning);
}

static void count_scans(j_common_ptr common) {
    jpeg_decoder *decoder = common->client_data;
    if (decoder->jpeg.input_scan_number <= MOST_SCANS) return;
    common->err->msg_code = JERR_TOO_LITTLE_DATA;  // replaced by the sentence below
    snprintf(decoder->warning, sizeof decoder->warning, "it has more than %d scans", MOST_SCANS);
    longjmp(decoder->escape, 1);
}

static void ignore_output(j_common_ptr common) { (void)common; }

// The status of an error that libjpeg escaped with.
static imgrec_status escaped(jpeg_decoder *decoder) {
    switch (decoder->errors.msg_code) {
    case JERR_OUT_OF_MEMORY:
        return IMGREC_OUT_OF_MEMORY;
    case JERR_BAD_PRECISION:
        return imgrec_fail(&decoder->base, IMGREC_UNSUPPORTED, "JPEG with %d bits a sample", decoder->jpeg.data_precision);
    case JERR_SOF_UNSUPPORTED:
        return imgrec_fail(&decoder->base, IMGREC_UNSUPPORTED, "lossless or hierarchical JPEG");
    case JERR_ARITH_NOTIMPL:
        return imgrec_fail(&decoder->base, IMGREC_UNSUPPORTED, "JPEG with arithmetic coding");
    case JERR_CONVERSION_NOTIMPL:
        return imgrec_fail(&decoder->base, IMGREC_UNSUPPORTED, "JPEG with %d colour channels", decoder->jpeg.num_components);
    case JERR_CCIR601_NOTIMPL:
    case JERR_FRACT_SAMPLE_NOTIMPL:
        return imgrec_fail(&decoder->base, IMGREC_UNSUPPORTED, "JPEG with fractional chroma subsampling");
    }
    if (decoder->warning[0]) return imgrec_fail(&decoder->base, IMGREC_DAMAGED, "%s", decoder->warning);
    char message[JMSG_LENGTH_MAX];
    decoder->errors.format_message((j_common_ptr)&decoder->jpeg, message);
    return imgrec_fail(&decoder->base, IMGREC_DAMAGED, "%s", message);
}

static imgrec_status read_jpeg(imgrec_decoder *base, unsigned eighths, uint8_t *pixels) {
    jpeg_decoder *decoder = (jpeg_decoder *)base;
    struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
    if (setjmp(decoder->escape)) return escaped(decoder);
    jpeg->scale_num = eighths;
    jpeg->scale_denom = 8;
    jpeg->dct_method = JDCT_ISLOW;
    jpeg->out_color_space = decoder->base.photo.layout == IMGREC_INVERTED_CMYK ? JCS_CMYK : JCS_EXT_RGBA;
    jpeg_start_decompress(jpeg);
    size_t row_bytes = (size_t)jpeg->output_width * 4;
    while (jpeg->output_scanline < jpeg->output_height) {
        JSAMPROW rows[16];
        JDIMENSION count = 0;
        for (; count < 16 && jpeg->output_scanline + count < jpeg->output_height; count++)
            rows[count] = pixels + (jpeg->output_scanline + count) * row_bytes;
        jpeg_read_scanlines(jpeg, rows, count);
    }
    jpeg_finish_decompress(jpeg);
    if (decoder->warning[0]) return imgrec_fail(base, IMGREC_DAMAGED, "%s", decoder->warning);
    return IMGREC_OK;
}

static void close_jpeg(imgrec_decoder *base) {
    jpeg_decoder *decoder = (jpeg_decoder *)base;
    jpeg_destroy_decompress(&decoder->jpeg);
    free(decoder->profile);
    free(decoder);
}

// Whether a marker holds a part of a colour profile (ICC.1:2010, annex B.4).
static int is_profile_part(jpeg_saved_marker_ptr marker) {
    return marker->marker == JPEG_APP0 + 2 && marker->data_length >= 14 && memcmp(marker->data, "ICC_PROFILE", 12) == 0;
}

imgrec_status imgrec_open_jpeg(const uint8_t *bytes, size_t count, const imgrec_limits *limits, imgrec_decoder **result) {
    jpeg_decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder) return IMGREC_OUT_OF_MEMORY;
    *result = &decoder->base;
    decoder->base.read = read_jpeg;
    decoder->base.close = close_jpeg;
    struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
    jpeg->err = jpeg_std_error(&decoder->errors);
    jpeg->client_data = decoder;
    decoder->errors.error_exit = escape_error;
    decoder->errors.emit_message = note_message;
    decoder->errors.output_message = ignore_output;
    if (setjmp(decoder->escape)) return escaped(decoder);
    jpeg_create_decompress(jpeg);
    decoder->progress.progress_monitor = count_scans;
    jpeg->progress = &decoder->progress;
    jpeg_mem_src(jpeg, bytes, count);
    jpeg_save_markers(jpeg, JPEG_APP0 + 2, 0xFFFF);
    jpeg_read_header(jpeg, TRUE);

    imgrec_photo *photo = &decoder->base.photo;
    photo->width = jpeg->image_width;
    photo->height = jpeg->image_height;
    photo->frames = 1;
    photo->variety = jpeg->arith_code ? "arithmetic coding" : jpeg->progressive_mode ? "progressive" : "baseline";
    switch (jpeg->jpeg_color_space) {
    case JCS_GRAYSCALE:
        photo->layout = IMGREC_GREY;
        break;
    case JCS_CMYK:
    case JCS_YCCK:
        photo->layout = IMGREC_INVERTED_CMYK;
        break;
    case JCS_YCbCr:
    case JCS_RGB:
        photo->layout = IMGREC_RGBA;
        break;
    default:
        return imgrec_fail(&decoder->base, IMGREC_UNSUPPORTED, "JPEG with %d colour channels", jpeg->num_components);
    }
    imgrec_status status = imgrec_check_size(&decoder->base, limits);
    if (status != IMGREC_OK) return status;

    size_t profile_bytes = 0;
    for (jpeg_saved_marker_ptr marker = jpeg->marker_list; marker; marker = marker->next)
        if (is_profile_part(marker)) profile_bytes += marker->data_length - 14;
    if (profile_bytes > limits->profile_bytes) return imgrec_exceed(&decoder->base, IMGREC_PROFILE_TOO_LARGE, profile_bytes);
    unsigned length = 0;
    if (profile_bytes > 0) {
        if (jpeg_read_icc_profile(jpeg, &decoder->profile, &length)) {
            photo->profile = decoder->profile;
            photo->profile_bytes = length;
        } else {
            // Parts are missing, or there are two of one; libjpeg warns of it, which costs no pixel.
            photo->has_broken_profile = 1;
        }
        decoder->warning[0] = 0;
    }
    return IMGREC_OK;
}
