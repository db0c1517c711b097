// Four rows at a time with one load of the query, or four queries with one row.
// The order of additions differs between kernels; integers do not mind.

#if defined(__x86_64__)

#include <immintrin.h>

#include "kernels.h"
#include "scan.h"

#define AVX2 __attribute__((target("avx2")))
#define AVX512 __attribute__((target("avx512f,avx512bw")))
#define VNNI __attribute__((target("avx512f,avx512bw,avx512vnni")))

// MARK: AVX2

// 128 elements: four times 32 products, added in pairs to 16 bits, which the groups of the codes leave room for.
AVX2 INLINE __m256i block_avx2(__m256i sum, const __m256i query[4], const int8_t *row) {
    __m256i pairs = _mm256_maddubs_epi16(query[0], _mm256_loadu_si256((const __m256i *)row));
    for (int k = 1; k < 4; k++) {
        __m256i more = _mm256_maddubs_epi16(query[k], _mm256_loadu_si256((const __m256i *)(row + 32 * k)));
        pairs = _mm256_add_epi16(pairs, more);
    }
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

AVX2 INLINE void load_avx2(__m256i query[4], const uint8_t *from) {
    for (int k = 0; k < 4; k++) query[k] = _mm256_loadu_si256((const __m256i *)(from + 32 * k));
}

AVX2 INLINE __m128i totals_avx2(__m256i a, __m256i b, __m256i c, __m256i d) {
    __m256i sums = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
    return _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
}

AVX2 INLINE void dots_avx2(const uint8_t *query, const int8_t *rows, size_t row_count, size_t stride, size_t length,
                           int32_t *results) {
    const __m256i zero = _mm256_setzero_si256();
    size_t row = 0;
    for (; row + 4 <= row_count; row += 4) {
        const int8_t *a = rows + row * stride, *b = a + stride, *c = b + stride,
                     *d = c + stride;
        __m256i sums[4] = {zero, zero, zero, zero}, q[4];
        for (size_t i = 0; i < length; i += IMGREC_CODE_BLOCK) {
            load_avx2(q, query + i);
            sums[0] = block_avx2(sums[0], q, a + i);
            sums[1] = block_avx2(sums[1], q, b + i);
            sums[2] = block_avx2(sums[2], q, c + i);
            sums[3] = block_avx2(sums[3], q, d + i);
        }
        _mm_storeu_si128((__m128i *)(results + row), totals_avx2(sums[0], sums[1], sums[2], sums[3]));
    }
    for (; row < row_count; row++) {
        __m256i sum = zero, q[4];
        for (size_t i = 0; i < length; i += IMGREC_CODE_BLOCK) {
            load_avx2(q, query + i);
            sum = block_avx2(sum, q, rows + row * stride + i);
        }
        results[row] = _mm_cvtsi128_si32(totals_avx2(sum, zero, zero, zero));
    }
}

AVX2 INLINE void quad_avx2(const uint8_t *const queries[4], const int8_t *row, size_t length, int32_t results[4]) {
    __m256i sums[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256()};
    for (size_t i = 0; i < length; i += IMGREC_CODE_BLOCK) {
        for (int k = 0; k < 4; k++) {
            __m256i q[4];
            load_avx2(q, queries[k] + i);
            sums[k] = block_avx2(sums[k], q, row + i);
        }
    }
    _mm_storeu_si128((__m128i *)results, totals_avx2(sums[0], sums[1], sums[2], sums[3]));
}

// Products and sums in the same order as elsewhere, so that the bits are the same too.
AVX2 INLINE __m256 bounds_avx2(const int32_t *products, const tile_rows *rows, const tile_query *query,
                                int first) {
    __m256i sums = _mm256_loadu_si256((const __m256i *)(rows->head_sums + first));
    __m256i product = _mm256_sub_epi32(_mm256_loadu_si256((const __m256i *)(products + first)),
                                       _mm256_mullo_epi32(_mm256_set1_epi32(query->offset), sums));
    __m256 scale = _mm256_mul_ps(_mm256_set1_ps(query->scale), _mm256_loadu_ps(rows->scales + first));
    __m256 rest = _mm256_mul_ps(_mm256_set1_ps(query->tail_length), _mm256_loadu_ps(rows->tail_lengths + first));
    return _mm256_add_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(product), scale), rest);
}

AVX2 INLINE unsigned reaching_avx2(const int32_t *products, const tile_rows *rows, const tile_query *query) {
    unsigned bits = 0;
    for (int first = 0; first < TILE; first += 8) {
        __m256 bounds = bounds_avx2(products, rows, query, first);
        __m256 reaching = _mm256_cmp_ps(_mm256_add_ps(bounds, _mm256_loadu_ps(rows->margins + first)),
                                        _mm256_set1_ps(query->threshold), _CMP_GE_OQ);
        if (rows->thresholds) {
            __m256 for_rows = _mm256_cmp_ps(_mm256_add_ps(bounds, _mm256_set1_ps(query->margin)),
                                        _mm256_loadu_ps(rows->thresholds + first), _CMP_GE_OQ);
            reaching = _mm256_or_ps(reaching, for_rows);
        }
        bits |= (unsigned)_mm256_movemask_ps(reaching) << first;
    }
    return bits;
}

DEFINE_KERNEL(avx2, AVX2, dots_avx2, quad_avx2, reaching_avx2)

// MARK: AVX-512

// Elements 2l and 2l + 1 of two halves of 64: a part of the groups that the codes keep small.
AVX512 INLINE __m512i block_avx512(__m512i sum, __m512i low, __m512i high, const int8_t *row) {
    __m512i pairs = _mm512_add_epi16(_mm512_maddubs_epi16(low, _mm512_loadu_si512(row)),
                                     _mm512_maddubs_epi16(high, _mm512_loadu_si512(row + 64)));
    return _mm512_add_epi32(sum, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
}

AVX512 INLINE void dots_avx512(const uint8_t *query, const int8_t *rows, size_t row_count, size_t stride, size_t length,
                               int32_t *results) {
    size_t row = 0;
    for (; row + 4 <= row_count; row += 4) {
        __m512i sums[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(),
                           _mm512_setzero_si512()};
        const int8_t *first = rows + row * stride;
        for (size_t i = 0; i < length; i += IMGREC_CODE_BLOCK) {
            __m512i low = _mm512_loadu_si512(query + i), high = _mm512_loadu_si512(query + i + 64);
            for (int k = 0; k < 4; k++) {
                sums[k] = block_avx512(sums[k], low, high, first + (size_t)k * stride + i);
            }
        }
        for (int k = 0; k < 4; k++) results[row + (size_t)k] = _mm512_reduce_add_epi32(sums[k]);
    }
    for (; row < row_count; row++) {
        __m512i sum = _mm512_setzero_si512();
        for (size_t i = 0; i < length; i += IMGREC_CODE_BLOCK) {
            sum = block_avx512(sum, _mm512_loadu_si512(query + i), _mm512_loadu_si512(query + i + 64),
                               rows + row * stride + i);
        }
        results[row] = _mm512_reduce_add_epi32(sum);
    }
}

AVX512 INLINE void quad_avx512(const uint8_t *const queries[4], const int8_t *row, size_t length, int32_t results[4]) {
    __m512i sums[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
    for (size_t i = 0; i < length; i += IMGREC_CODE_BLOCK) {
        for (int k = 0; k < 4; k++) {
            sums[k] = block_avx512(sums[k], _mm512_loadu_si512(queries[k] + i), _mm512_loadu_si512(queries[k] + i + 64),
                                   row + i);
        }
    }
    for (int k = 0; k < 4; k++) results[k] = _mm512_reduce_add_epi32(sums[k]);
}

DEFINE_KERNEL(avx512, AVX512, dots_avx512, quad_avx512, reaching_avx2)

// MARK: AVX-512 VNNI

VNNI INLINE void dots_avx512_vnni(const uint8_t *query, const int8_t *rows, size_t row_count, size_t stride,
                                  size_t length, int32_t *results) {
    size_t row = 0;
    for (; row + 4 <= row_count; row += 4) {
        __m512i sums[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(),
                           _mm512_setzero_si512()};
        const int8_t *first = rows + row * stride;
        for (size_t i = 0; i < length; i += 64) {
            __m512i q = _mm512_loadu_si512(query + i);
            for (int k = 0; k < 4; k++) {
                sums[k] = _mm512_dpbusd_epi32(sums[k], q, _mm512_loadu_si512(first + (size_t)k * stride + i));
            }
        }
        for (int k = 0; k < 4; k++) results[row + (size_t)k] = _mm512_reduce_add_epi32(sums[k]);
    }
    for (; row < row_count; row++) {
        __m512i sum = _mm512_setzero_si512();
        for (size_t i = 0; i < length; i += 64) {
            sum = _mm512_dpbusd_epi32(sum, _mm512_loadu_si512(query + i),
                                      _mm512_loadu_si512(rows + row * stride + i));
        }
        results[row] = _mm512_reduce_add_epi32(sum);
    }
}

VNNI INLINE void quad_avx512_vnni(const uint8_t *const queries[4], const int8_t *row, size_t length,
                                  int32_t results[4]) {
    __m512i sums[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
    for (size_t i = 0; i < length; i += 64) {
        __m512i codes = _mm512_loadu_si512(row + i);
        for (int k = 0; k < 4; k++) sums[k] = _mm512_dpbusd_epi32(sums[k], _mm512_loadu_si512(queries[k] + i), codes);
    }
    for (int k = 0; k < 4; k++) results[k] = _mm512_reduce_add_epi32(sums[k]);
}

DEFINE_KERNEL(avx512_vnni, VNNI, dots_avx512_vnni, quad_avx512_vnni, reaching_avx2)

#endif
