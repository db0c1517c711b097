#ifndef IMGREC_SCAN_H
#define IMGREC_SCAN_H

#include "neighbour_kernels.h"

// The scan, once for each kernel: the compiler puts the kernel's own functions in the place of the parameters.
#define INLINE static inline __attribute__((always_inline))

enum { TILE = 16 };

typedef void (*dots_function)(const uint8_t *query, const int8_t *rows, size_t row_count, size_t stride,
                              size_t length, int32_t *results);
// Four queries with one row.
typedef void (*quad_function)(const uint8_t *const queries[4], const int8_t *row, size_t length, int32_t results[4]);

// What a tile's rows have of each, as arrays of TILE.
typedef struct {
    const int32_t *head_sums;
    const float *scales, *margins, *tail_lengths;
    // NULL where no row asks.
    const float *thresholds;
} tile_rows;

typedef struct {
    float scale, margin, tail_length, threshold;
    int32_t offset;
} tile_query;

INLINE tile_query query_at(const imgrec_queries *queries, size_t index) {
    return (tile_query){queries->scales[index], queries->margins[index], queries->tail_lengths[index],
                        queries->thresholds[index], queries->offsets[index]};
}

// Which rows of a tile may reach a threshold as far as their heads tell: a bit each.
typedef unsigned (*reaching_function)(const int32_t *products, const tile_rows *rows, const tile_query *query);

INLINE unsigned reaching_portable(const int32_t *products, const tile_rows *rows, const tile_query *query) {
    unsigned bits = 0;
    for (unsigned i = 0; i < TILE; i++) {
        float bound = (float)(products[i] - query->offset * rows->head_sums[i]) * (query->scale * rows->scales[i]) +
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

// A pair that is still open, and the dot product of its codes so far.
typedef struct {
    uint32_t query;
    int32_t product;
} open_pair;

// Adds a part of a row's codes to the products of its open pairs, four pairs at a time: the row is read once for them.
INLINE void add_products(dots_function dots, quad_function quad, open_pair *pairs, size_t pair_count,
                         const uint8_t *queries, const int32_t *offsets, size_t stride, const int8_t *row,
                         size_t length, int32_t sum) {
    size_t pair = 0;
    int32_t products[4];
    for (; pair + 4 <= pair_count; pair += 4) {
        const uint8_t *four[4];
        for (size_t k = 0; k < 4; k++) four[k] = queries + pairs[pair + k].query * stride;
        quad(four, row, length, products);
        for (size_t k = 0; k < 4; k++) pairs[pair + k].product += products[k] - offsets[pairs[pair + k].query] * sum;
    }
    for (; pair < pair_count; pair++) {
        dots(queries + pairs[pair].query * stride, row, 1, stride, length, products);
        pairs[pair].product += products[0] - offsets[pairs[pair].query] * sum;
    }
}

// A tile's heads stay in the first-level cache while all queries' heads come by from the second. What they leave open
// is gathered for each row, whose tail is then read once.
INLINE size_t scan(dots_function dots, quad_function quad, reaching_function reaching, const imgrec_queries *queries,
                   const imgrec_rows *rows, size_t row_count, imgrec_parts parts, imgrec_hit *hits) {
    if (queries->count > IMGREC_MOST_QUERIES) __builtin_trap();
    const size_t tail = parts.middle + parts.end;
    const uint8_t *ends = queries->tails + parts.middle;
    open_pair open[TILE][IMGREC_MOST_QUERIES];
    size_t hit_count = 0;
    for (size_t first = 0; first < row_count; first += TILE) {
        size_t width = row_count - first < TILE ? row_count - first : TILE;
        tile_rows tile = {rows->head_sums + first, rows->scales + first, rows->margins + first,
                          rows->tail_lengths + first, rows->thresholds ? rows->thresholds + first : NULL};
        size_t open_counts[TILE] = {0};
        for (uint32_t index = 0; index < queries->count; index++) {
            tile_query query = query_at(queries, index);
            int32_t heads[TILE];
            dots(queries->heads + index * parts.head, rows->heads + first * parts.head, width, parts.head,
                 parts.head, heads);
            unsigned bits = width == TILE ? reaching(heads, &tile, &query) : (1u << width) - 1;
            for (; bits; bits &= bits - 1) {
                unsigned i = (unsigned)__builtin_ctz(bits);
                open[i][open_counts[i]++] = (open_pair){index, heads[i] - query.offset * tile.head_sums[i]};
            }
        }
        for (unsigned i = 0; i < width; i++) {
            if (open_counts[i] == 0) continue;
            size_t row = first + i, still_open = 0;
            open_pair *pairs = open[i];
            const int8_t *codes = rows->tails + row * tail;
            add_products(dots, quad, pairs, open_counts[i], queries->tails, queries->offsets, tail, codes,
                         parts.middle, rows->middle_sums[row]);
            for (size_t pair = 0; pair < open_counts[i]; pair++) {
                tile_query query = query_at(queries, pairs[pair].query);
                float bound = (float)pairs[pair].product * (query.scale * rows->scales[row]) +
                              queries->end_lengths[pairs[pair].query] * rows->end_lengths[row];
                pairs[still_open] = pairs[pair];
                still_open += whom(bound, rows, row, &query) != 0;
            }
            add_products(dots, quad, pairs, still_open, ends, queries->offsets, tail, codes + parts.middle,
                         parts.end, rows->end_sums[row]);
            for (size_t pair = 0; pair < still_open; pair++) {
                tile_query query = query_at(queries, pairs[pair].query);
                float score = (float)pairs[pair].product * (query.scale * rows->scales[row]);
                unsigned hit = whom(score, rows, row, &query);
                hits[hit_count] = (imgrec_hit){score, (uint32_t)row, (uint16_t)pairs[pair].query, (uint16_t)hit};
                hit_count += hit != 0;
            }
        }
    }
    return hit_count;
}

#endif
