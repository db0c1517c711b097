#ifndef IMGREC_SCAN_H
#define IMGREC_SCAN_H

#include "neighbour_kernels.h"

// The scan, once for each kernel: the compiler puts the kernel's own functions in the place of the parameters.
#define INLINE static inline __attribute__((always_inline))

enum { TILE = 16, GROUP = 4 };

typedef void (*dots_function)(const uint8_t *query, const int8_t *rows, size_t row_count, size_t stride,
                              size_t length, int32_t *results);

// What a tile's rows have of each, as arrays of TILE.
typedef struct {
    const int32_t *head_offsets;
    const float *scales, *margins, *tail_lengths;
    // NULL where no row asks.
    const float *thresholds;
} tile_rows;

typedef struct {
    float scale, margin, tail_length, threshold;
} tile_query;

// Which rows of a tile may reach a threshold as far as their heads tell: a bit each.
typedef unsigned (*reaching_function)(const int32_t *products, const tile_rows *rows, const tile_query *query);

INLINE unsigned reaching_portable(const int32_t *products, const tile_rows *rows, const tile_query *query) {
    unsigned bits = 0;
    for (unsigned i = 0; i < TILE; i++) {
        float bound = (float)(products[i] - rows->head_offsets[i]) * (query->scale * rows->scales[i]) +
                      query->tail_length * rows->tail_lengths[i];
        unsigned reaches = bound + rows->margins[i] >= query->threshold;
        if (rows->thresholds) reaches |= bound + query->margin >= rows->thresholds[i];
        bits |= reaches << i;
    }
    return bits;
}

// Whether a score, or an upper bound of it, reaches a threshold.
INLINE unsigned whom(float score, const imgrec_rows *rows, size_t row, const tile_query *query) {
    unsigned whom = score + rows->margins[row] >= query->threshold ? IMGREC_FOR_QUERY : 0;
    if (rows->thresholds && score + query->margin >= rows->thresholds[row]) whom |= IMGREC_FOR_ROW;
    return whom;
}

// Of a group of rows, those whose bit is set are multiplied: together where they are several, which takes half the
// time for each.
INLINE void group_dots(dots_function dots, unsigned open, size_t width, const uint8_t *query, const int8_t *rows,
                       size_t stride, size_t length, int32_t *results) {
    if ((open & (open - 1)) != 0 && width >= GROUP) {
        dots(query, rows, GROUP, stride, length, results);
        return;
    }
    for (unsigned i = 0; i < GROUP; i++) {
        if (open >> i & 1) dots(query, rows + i * stride, 1, stride, length, &results[i]);
    }
}

// A tile's heads and those of 64 queries, at 384 elements, are 30 kB: they stay in the first-level cache.
INLINE size_t scan(dots_function dots, reaching_function reaching, const imgrec_queries *queries,
                   const imgrec_rows *rows, size_t row_count, imgrec_parts parts, imgrec_hit *hits) {
    const size_t tail = parts.middle + parts.end;
    size_t hit_count = 0;
    for (size_t first = 0; first < row_count; first += TILE) {
        size_t width = row_count - first < TILE ? row_count - first : TILE;
        tile_rows tile = {rows->head_offsets + first, rows->scales + first, rows->margins + first,
                          rows->tail_lengths + first, rows->thresholds ? rows->thresholds + first : NULL};
        for (size_t index = 0; index < queries->count; index++) {
            tile_query query = {queries->scales[index], queries->margins[index], queries->tail_lengths[index],
                                queries->thresholds[index]};
            int32_t heads[TILE];
            dots(queries->heads + index * parts.head, rows->heads + first * parts.head, width, parts.head,
                 parts.head, heads);
            unsigned bits = width == TILE ? reaching(heads, &tile, &query) : (1u << width) - 1;
            for (unsigned group = 0; bits; group += GROUP, bits >>= GROUP) {
                unsigned open = bits & ((1u << GROUP) - 1);
                if (!open) continue;
                const uint8_t *query_tail = queries->tails + index * tail;
                const int8_t *tails = rows->tails + (first + group) * tail;
                int32_t middles[GROUP], ends[GROUP];
                group_dots(dots, open, width - group, query_tail, tails, tail, parts.middle, middles);
                unsigned still_open = 0;
                for (unsigned left = open; left; left &= left - 1) {
                    unsigned i = (unsigned)__builtin_ctz(left);
                    size_t row = first + group + i;
                    middles[i] += heads[group + i] - rows->head_offsets[row] - rows->middle_offsets[row];
                    float bound = (float)middles[i] * (query.scale * rows->scales[row]) +
                                  queries->end_lengths[index] * rows->end_lengths[row];
                    if (whom(bound, rows, row, &query)) still_open |= 1u << i;
                }
                if (!still_open) continue;
                group_dots(dots, still_open, width - group, query_tail + parts.middle, tails + parts.middle, tail,
                           parts.end, ends);
                for (; still_open; still_open &= still_open - 1) {
                    unsigned i = (unsigned)__builtin_ctz(still_open);
                    size_t row = first + group + i;
                    int32_t product = middles[i] + ends[i] - rows->end_offsets[row];
                    float score = (float)product * (query.scale * rows->scales[row]);
                    unsigned hit = whom(score, rows, row, &query);
                    if (hit) hits[hit_count++] = (imgrec_hit){score, (uint32_t)row, (uint16_t)index, (uint16_t)hit};
                }
            }
        }
    }
    return hit_count;
}

#endif
