#include "kernels.h"

#include "scan.h"

INLINE void dots_portable(const uint8_t *query, const int8_t *rows, size_t row_count, size_t stride, size_t length,
                          int32_t *results) {
    for (size_t row = 0; row < row_count; row++) {
        const int8_t *codes = rows + row * stride;
        int32_t sum = 0;
        for (size_t i = 0; i < length; i++) sum += query[i] * codes[i];
        results[row] = sum;
    }
}

INLINE void quad_portable(const uint8_t *const queries[4], const int8_t *row, size_t length, int32_t results[4]) {
    for (int k = 0; k < 4; k++) dots_portable(queries[k], row, 1, length, length, &results[k]);
}

#define PORTABLE static
DEFINE_KERNEL(portable, PORTABLE, dots_portable, quad_portable, reaching_portable)

size_t imgrec_kernels(const imgrec_kernel **kernels) {
#if defined(__x86_64__)
    static _Thread_local imgrec_kernel all[] = {
        {"portable", 1, imgrec_dots_portable, imgrec_scan_portable},
        {"avx2", 0, imgrec_dots_avx2, imgrec_scan_avx2},
        {"avx512", 0, imgrec_dots_avx512, imgrec_scan_avx512},
        {"avx512-vnni", 0, imgrec_dots_avx512_vnni, imgrec_scan_avx512_vnni},
    };
    all[1].is_supported = __builtin_cpu_supports("avx2") != 0;
    all[2].is_supported = __builtin_cpu_supports("avx512bw") != 0;
    all[3].is_supported = all[2].is_supported && __builtin_cpu_supports("avx512vnni") != 0;
#elif defined(__aarch64__)
    static imgrec_kernel all[] = {
        {"portable", 1, imgrec_dots_portable, imgrec_scan_portable},
        {"neon", 1, imgrec_dots_neon, imgrec_scan_neon},
    };
#else
    static imgrec_kernel all[] = {{"portable", 1, imgrec_dots_portable, imgrec_scan_portable}};
#endif
    *kernels = all;
    return sizeof all / sizeof all[0];
}

imgrec_kernel imgrec_best_kernel(void) {
    const imgrec_kernel *kernels;
    size_t best = imgrec_kernels(&kernels) - 1;
    while (!kernels[best].is_supported) best--;
    return kernels[best];
}

float imgrec_score(const imgrec_kernel *kernel, const imgrec_queries *queries, size_t query, const imgrec_rows *rows,
                   imgrec_parts parts) {
    size_t tail_length = parts.middle + parts.end;
    int32_t head, tail;
    kernel->dots(queries->heads + query * parts.head, rows->heads, 1, parts.head, parts.head, &head);
    kernel->dots(queries->tails + query * tail_length, rows->tails, 1, tail_length, tail_length, &tail);
    int32_t sum = rows->head_sums[0] + rows->middle_sums[0] + rows->end_sums[0];
    int32_t product = head + tail - queries->offsets[query] * sum;
    return (float)product * (queries->scales[query] * rows->scales[0]);
}
