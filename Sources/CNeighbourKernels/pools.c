#include "neighbour_kernels.h"
#include "versions.h"

size_t imgrec_rows_holding(const int32_t *slots, size_t row_count, size_t depth, const uint64_t *bits,
                           uint32_t *found) {
    size_t count = 0;
    for (size_t row = 0; row < row_count; row++) {
        uint64_t any = 0;
        for (size_t i = 0; i < depth; i++) {
            int32_t slot = slots[row * depth + i];
            if (slot >= 0) any |= bits[slot / 64] >> (slot % 64);
        }
        found[count] = (uint32_t)row;
        count += any & 1;
    }
    return count;
}

VERSIONS size_t imgrec_rows_holding_one(const int32_t *slots, size_t row_count, size_t depth, int32_t slot,
                                        uint32_t *found) {
    size_t count = 0;
    for (size_t row = 0; row < row_count; row++) {
        int any = 0;
        for (size_t i = 0; i < depth; i++) any |= slots[row * depth + i] == slot;
        found[count] = (uint32_t)row;
        count += any != 0;
    }
    return count;
}
