#include "neighbour_kernels.h"
#include "versions.h"

// Sixteen floats as the compiler's own vector type: one register with AVX-512, two with AVX2, four without.
typedef float lanes __attribute__((vector_size(IMGREC_DOT_LANES * sizeof(float)), aligned(sizeof(float))));

static inline __attribute__((always_inline)) float tree_sum(const lanes *sums) {
    float partial[IMGREC_DOT_LANES];
    for (int i = 0; i < IMGREC_DOT_LANES; i++) partial[i] = (*sums)[i];
    for (int width = IMGREC_DOT_LANES / 2; width > 0; width /= 2) {
        for (int i = 0; i < width; i++) partial[i] += partial[i + width];
    }
    return partial[0];
}

VERSIONS void imgrec_dot_rows(const float *vector, const float *rows, size_t row_count, size_t dimension,
                              float *results) {
    // Four rows at a time: four independent chains of additions, and each load of the vector serves four.
    size_t row = 0;
    for (; row + 4 <= row_count; row += 4) {
        const float *a = rows + row * dimension, *b = a + dimension, *c = b + dimension, *d = c + dimension;
        lanes sums[4] = {{0}};
        for (size_t i = 0; i < dimension; i += IMGREC_DOT_LANES) {
            lanes v = *(const lanes *)(vector + i);
            sums[0] += v * *(const lanes *)(a + i);
            sums[1] += v * *(const lanes *)(b + i);
            sums[2] += v * *(const lanes *)(c + i);
            sums[3] += v * *(const lanes *)(d + i);
        }
        for (int k = 0; k < 4; k++) results[row + k] = tree_sum(&sums[k]);
    }
    for (; row < row_count; row++) {
        lanes sum = {0};
        for (size_t i = 0; i < dimension; i += IMGREC_DOT_LANES) {
            sum += *(const lanes *)(vector + i) * *(const lanes *)(rows + row * dimension + i);
        }
        results[row] = tree_sum(&sum);
    }
}

VERSIONS void imgrec_dot_pairs(const float *const *left, const float *const *right, size_t pair_count,
                               size_t dimension, float *results) {
    size_t pair = 0;
    for (; pair + 4 <= pair_count; pair += 4) {
        lanes sums[4] = {{0}};
        for (size_t i = 0; i < dimension; i += IMGREC_DOT_LANES) {
            for (int k = 0; k < 4; k++) {
                sums[k] += *(const lanes *)(left[pair + k] + i) * *(const lanes *)(right[pair + k] + i);
            }
        }
        for (int k = 0; k < 4; k++) results[pair + k] = tree_sum(&sums[k]);
    }
    for (; pair < pair_count; pair++) {
        lanes sum = {0};
        for (size_t i = 0; i < dimension; i += IMGREC_DOT_LANES) {
            sum += *(const lanes *)(left[pair] + i) * *(const lanes *)(right[pair] + i);
        }
        results[pair] = tree_sum(&sum);
    }
}

VERSIONS void imgrec_dot_rows_in_double(const float *vector, const float *rows, size_t row_count, size_t dimension,
                                        double *results) {
    for (size_t row = 0; row < row_count; row++) {
        const float *values = rows + row * dimension;
        double partial[IMGREC_DOT_LANES] = {0};
        size_t i = 0;
        for (; i + IMGREC_DOT_LANES <= dimension; i += IMGREC_DOT_LANES) {
            for (int k = 0; k < IMGREC_DOT_LANES; k++) partial[k] += (double)vector[i + k] * (double)values[i + k];
        }
        double sum = 0;
        for (; i < dimension; i++) sum += (double)vector[i] * (double)values[i];
        for (int k = 0; k < IMGREC_DOT_LANES; k++) sum += partial[k];
        results[row] = sum;
    }
}
