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

VERSIONS void imgrec_composite(uint8_t *pixels, size_t count, uint8_t background) {
    for (size_t i = 0; i < count; i++, pixels += 4) {
        uint32_t alpha = pixels[3];
        for (int c = 0; c < 3; c++) {
            pixels[c] = (uint8_t)((pixels[c] * alpha + background * (255 - alpha) + 127) / 255);
        }
    }
}

VERSIONS void imgrec_inverted_cmyk_to_rgb(uint8_t *pixels, size_t count) {
    for (size_t i = 0; i < count; i++, pixels += 4) {
        uint32_t key = pixels[3];
        for (int c = 0; c < 3; c++) pixels[c] = (uint8_t)((pixels[c] * key + 127) / 255);
    }
}
