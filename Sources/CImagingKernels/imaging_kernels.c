#include "imaging_kernels.h"

#if defined(__x86_64__)
#define VERSIONS __attribute__((target_clones("default", "avx2")))
#else
#define VERSIONS
#endif

enum { HALF = 1 << (IMGREC_COEFFICIENT_BITS - 1) };

// An arithmetic shift of a negative sum rounds down, as in Pillow; then 0 ... 255.
static inline uint8_t clipped(int32_t sum) {
    int32_t level = sum >> IMGREC_COEFFICIENT_BITS;
    return (uint8_t)(level < 0 ? 0 : level > 255 ? 255 : level);
}

VERSIONS void imgrec_resample_rows(const uint8_t *source, size_t source_width, size_t height, uint8_t *result,
                                   size_t result_width, const int32_t *first, const int32_t *count,
                                   const int32_t *coefficients, size_t taps) {
    for (size_t y = 0; y < height; y++) {
        const uint8_t *row = source + y * source_width * 4;
        for (size_t x = 0; x < result_width; x++) {
            int32_t sums[4] = {HALF, HALF, HALF, HALF};
            const uint8_t *pixel = row + (size_t)first[x] * 4;
            const int32_t *weight = coefficients + x * taps;
            for (int32_t t = 0; t < count[x]; t++, pixel += 4) {
                for (int c = 0; c < 4; c++) sums[c] += pixel[c] * weight[t];
            }
            for (int c = 0; c < 4; c++) *result++ = clipped(sums[c]);
        }
    }
}

VERSIONS void imgrec_resample_columns(const uint8_t *source, size_t width, uint8_t *result, size_t result_height,
                                      const int32_t *first, const int32_t *count, const int32_t *coefficients,
                                      size_t taps) {
    // A strip of one row at a time, so that the sums stay in registers while the taps go by.
    enum { STRIP = 64 };
    size_t row_bytes = width * 4;
    for (size_t y = 0; y < result_height; y++) {
        const int32_t *weight = coefficients + y * taps;
        const uint8_t *top = source + (size_t)first[y] * row_bytes;
        size_t x = 0;
        for (; x + STRIP <= row_bytes; x += STRIP) {
            int32_t sums[STRIP];
            for (int i = 0; i < STRIP; i++) sums[i] = HALF;
            for (int32_t t = 0; t < count[y]; t++) {
                const uint8_t *row = top + (size_t)t * row_bytes + x;
                for (int i = 0; i < STRIP; i++) sums[i] += row[i] * weight[t];
            }
            for (int i = 0; i < STRIP; i++) result[y * row_bytes + x + i] = clipped(sums[i]);
        }
        for (; x < row_bytes; x++) {
            int32_t sum = HALF;
            for (int32_t t = 0; t < count[y]; t++) sum += top[(size_t)t * row_bytes + x] * weight[t];
            result[y * row_bytes + x] = clipped(sum);
        }
    }
}

VERSIONS void imgrec_planes(const uint8_t *pixels, size_t count, const uint8_t channel[3], const float mean[3],
                            const float scale[3], float *planes) {
    for (int c = 0; c < 3; c++) {
        const uint8_t *source = pixels + channel[c];
        float *plane = planes + (size_t)c * count;
        for (size_t i = 0; i < count; i++) plane[i] = ((float)source[i * 4] - mean[c]) / scale[c];
    }
}

VERSIONS void imgrec_interleaved(const uint8_t *pixels, size_t count, const uint8_t channel[3], const float mean[3],
                                 const float scale[3], float *values) {
    for (size_t i = 0; i < count; i++) {
        for (int c = 0; c < 3; c++) values[i * 3 + c] = ((float)pixels[i * 4 + channel[c]] - mean[c]) / scale[c];
    }
}

VERSIONS void imgrec_composite(uint8_t *pixels, size_t count, const uint8_t background[3]) {
    for (size_t i = 0; i < count; i++, pixels += 4) {
        uint32_t alpha = pixels[3];
        for (int c = 0; c < 3; c++) {
            pixels[c] = (uint8_t)((pixels[c] * alpha + background[c] * (255 - alpha) + 127) / 255);
        }
    }
}

void imgrec_unpremultiply(uint8_t *pixels, size_t count) {
    for (size_t i = 0; i < count; i++, pixels += 4) {
        uint32_t alpha = pixels[3];
        for (int c = 0; c < 3 && alpha > 0; c++) {
            uint32_t level = (pixels[c] * 255 + alpha / 2) / alpha;
            pixels[c] = (uint8_t)(level > 255 ? 255 : level);
        }
    }
}

VERSIONS void imgrec_inverted_cmyk_to_rgb(uint8_t *pixels, size_t count) {
    for (size_t i = 0; i < count; i++, pixels += 4) {
        uint32_t key = pixels[3];
        for (int c = 0; c < 3; c++) pixels[c] = (uint8_t)((pixels[c] * key + 127) / 255);
    }
}

imgrec_colour imgrec_border_colour(const uint8_t *pixels, size_t width, size_t height) {
    uint32_t counts[3][256] = {{0}};
    size_t total = 0;
    for (size_t y = 0; y < height; y++) {
        // All of the first and the last row, of the others both ends.
        size_t step = y == 0 || y == height - 1 || width == 1 ? 1 : width - 1;
        for (size_t x = 0; x < width; x += step, total++)
            for (int c = 0; c < 3; c++) counts[c][pixels[(y * width + x) * 4 + (size_t)c]]++;
    }
    uint8_t medians[3];
    for (int c = 0; c < 3; c++) {
        size_t below = 0;
        int level = 0;
        while (below + counts[c][level] <= total / 2 && level < 255) below += counts[c][level++];
        medians[c] = (uint8_t)level;
    }
    return (imgrec_colour){medians[0], medians[1], medians[2]};
}

static inline int differs(const uint8_t *pixel, imgrec_colour colour, int tolerance) {
    int r = pixel[0] - colour.red, g = pixel[1] - colour.green, b = pixel[2] - colour.blue;
    r = r < 0 ? -r : r;
    g = g < 0 ? -g : g;
    b = b < 0 ? -b : b;
    return r > tolerance || g > tolerance || b > tolerance;
}

imgrec_box imgrec_content_box(const uint8_t *pixels, size_t width, size_t height, int tolerance) {
    imgrec_colour border = imgrec_border_colour(pixels, width, height);
    // Columns that are known to have content, as a range that grows; rows from the first to the last that have any.
    size_t left = width, right = 0, top = height, bottom = 0;
    for (size_t y = 0; y < height; y++) {
        const uint8_t *row = pixels + y * width * 4;
        size_t from = 0;
        while (from < width && !differs(row + from * 4, border, tolerance)) from++;
        if (from == width) continue;
        if (top == height) top = y;
        bottom = y + 1;
        if (from < left) left = from;
        size_t to = width;
        while (to > right && !differs(row + (to - 1) * 4, border, tolerance)) to--;
        if (to > right) right = to;
    }
    if (top == height) return (imgrec_box){0, 0, 0, 0};
    return (imgrec_box){left, top, right - left, bottom - top};
}
