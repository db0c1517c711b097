#if defined(__aarch64__)

#include <arm_neon.h>

#include "kernels.h"
#include "scan.h"

// A query's codes are at most 127, so that they are int8 too: two products fit in 16 bits.
static inline __attribute__((always_inline)) int32x4_t step(int32x4_t sum, int8x16_t query, const int8_t *row) {
    int8x16_t codes = vld1q_s8(row);
    int16x8_t products = vmull_s8(vget_low_s8(query), vget_low_s8(codes));
    return vpadalq_s16(sum, vmlal_high_s8(products, query, codes));
}

INLINE void dots_neon(const uint8_t *query, const int8_t *rows, size_t row_count, size_t stride, size_t length,
                      int32_t *results) {
    size_t row = 0;
    for (; row + 4 <= row_count; row += 4) {
        int32x4_t sums[4] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
        const int8_t *first = rows + row * stride;
        for (size_t i = 0; i < length; i += 16) {
            int8x16_t q = vreinterpretq_s8_u8(vld1q_u8(query + i));
            for (int k = 0; k < 4; k++) sums[k] = step(sums[k], q, first + (size_t)k * stride + i);
        }
        for (int k = 0; k < 4; k++) results[row + (size_t)k] = vaddvq_s32(sums[k]);
    }
    for (; row < row_count; row++) {
        int32x4_t sum = vdupq_n_s32(0);
        for (size_t i = 0; i < length; i += 16) {
            sum = step(sum, vreinterpretq_s8_u8(vld1q_u8(query + i)), rows + row * stride + i);
        }
        results[row] = vaddvq_s32(sum);
    }
}

INLINE void quad_neon(const uint8_t *const queries[4], const int8_t *row, size_t length, int32_t results[4]) {
    int32x4_t sums[4] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
    for (size_t i = 0; i < length; i += 16) {
        for (int k = 0; k < 4; k++) sums[k] = step(sums[k], vreinterpretq_s8_u8(vld1q_u8(queries[k] + i)), row + i);
    }
    for (int k = 0; k < 4; k++) results[k] = vaddvq_s32(sums[k]);
}

#define NEON
DEFINE_KERNEL(neon, NEON, dots_neon, quad_neon, reaching_portable)

#endif
