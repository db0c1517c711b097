#ifndef IMGREC_KERNELS_H
#define IMGREC_KERNELS_H

#include "neighbour_kernels.h"

#define KERNEL(NAME)                                                                                         \
    void imgrec_dots_##NAME(const uint8_t *query, const int8_t *rows, size_t row_count, size_t stride,       \
                            size_t length, int32_t *results);                                                \
    size_t imgrec_scan_##NAME(const imgrec_queries *queries, const imgrec_rows *rows, size_t row_count,      \
                              imgrec_parts parts, imgrec_hit *hits)

#if defined(__x86_64__)
KERNEL(avx2);
KERNEL(avx512);
KERNEL(avx512_vnni);
#elif defined(__aarch64__)
KERNEL(neon);
#endif

// Defines the two functions of a kernel from those that are inlined.
#define DEFINE_KERNEL(NAME, TARGET, DOTS, QUAD, REACHING)                                                    \
    TARGET void imgrec_dots_##NAME(const uint8_t *query, const int8_t *rows, size_t row_count,               \
                                   size_t stride, size_t length, int32_t *results) {                         \
        DOTS(query, rows, row_count, stride, length, results);                                               \
    }                                                                                                        \
    TARGET size_t imgrec_scan_##NAME(const imgrec_queries *queries, const imgrec_rows *rows,                 \
                                     size_t row_count, imgrec_parts parts, imgrec_hit *hits) {               \
        return scan(DOTS, QUAD, REACHING, queries, rows, row_count, parts, hits);                            \
    }

#endif
