#ifndef IMGREC_NEIGHBOUR_KERNELS_H
#define IMGREC_NEIGHBOUR_KERNELS_H

#include <stddef.h>
#include <stdint.h>

// MARK: Exact scores (exact.c)
//
// Dot products in float32. The numeric contract: element i is multiplied, rounded, and added to partial sum
// i mod 16; the sixteen partial sums are then added in a fixed tree. No fused multiply-add, no other order: every
// CPU and every row count gives the same bits, and dot(a, b) has the bits of dot(b, a). A table built in one go
// and one built row by row can therefore be compared for equality.
//
// dimension is a multiple of 16; shorter vectors are padded with zeros, which change no bit of a sum.
#define IMGREC_DOT_LANES 16

// The same dot products in double precision, where those of float32 values are exact and only the additions round: for
// measures that compare a ranking with one that somebody else has computed. The order is the same, any dimension will do.
void imgrec_dot_rows_in_double(const float *vector, const float *rows, size_t row_count, size_t dimension,
                               double *results);

// One vector with each row of a matrix.
void imgrec_dot_rows(const float *vector, const float *rows, size_t row_count, size_t dimension, float *results);

// Pairs of vectors from anywhere.
void imgrec_dot_pairs(const float *const *left, const float *const *right, size_t pair_count, size_t dimension,
                      float *results);

// MARK: Codes (codes.c)
//
// A vector as small integers: v = scale * q + r, elementwise. It has two forms.
//
//   row:    q is int8 in [-127, 127], and the |q| of eight elements that a kernel may add up in 16 bits sum to at
//           most IMGREC_GROUP_LIMIT: elements 32k + 2l and 32k + 2l + 1 for k = 0...3 of each 128 elements, for
//           each l < 16. The scale is one that surely keeps both.
//   query:  uint8, q + offset in [0, 127], with an offset of the query's own: none where no element is negative, as
//           is usual in embeddings, whose codes are then twice as fine.
//
// So a sum of eight products stays within 127 * 258 = 32766 in size, and no kernel overflows or saturates: all give
// the very same integers.
//
// Why scores from codes can be trusted: with a = A + ra and b = B + rb (A, B: what the codes say),
//   |a.b - A.B| = |ra.b + A.rb| <= |ra| |b| + (|a| + |ra|) |rb|            (Cauchy and Schwarz)
//               <= N |ra| + |ra|^2 / 2  +  N |rb| + |rb|^2 / 2             (|a|, |b| <= N; 2xy <= x^2 + y^2)
// which is a sum of one margin for each vector. |r| is measured, not estimated, in double precision. What rounding
// adds to the exact score (dimension / 16 + 5 additions and one multiplication in a row, each of 2^-24, on sums of
// at most N^2) and to the comparison in float32 is in the margins too.
//
// Codes are in two parts, head and tail, each of whole blocks. Most pairs are told to be far apart by their heads
// alone, for |a.b - (head of a).(head of b)| <= |tail of a| |tail of b|, again by Cauchy and Schwarz. What the head
// leaves open may be decided when the first part of the tail, its middle, is added, by the length of what then is
// left, the end. Which elements go where is for the caller to choose; the more of the vectors' lengths the head has,
// the sooner it decides.
#define IMGREC_CODE_BLOCK 128
#define IMGREC_GROUP_LIMIT 258
// The longest vector that margins hold for.
#define IMGREC_LONGEST 1.0001

typedef struct {
    float scale;
    // Half of what a score may be off by; the other vector brings the other half.
    float margin;
    // The lengths of the tail and of its end, or a little more.
    float tail_length, end_length;
    // The sums of a row's codes: the offset of a query adds so many times itself to the dot products.
    int32_t head_sum, middle_sum, end_sum;
    // Of a query.
    int32_t offset;
} imgrec_code;

// How many elements the parts have: multiples of IMGREC_CODE_BLOCK. Middle and end are the tail.
typedef struct {
    size_t head, middle, end;
} imgrec_parts;

// vector has the elements of all parts.
imgrec_code imgrec_encode_row(const float *vector, imgrec_parts parts, int8_t *head, int8_t *tail);
imgrec_code imgrec_encode_query(const float *vector, imgrec_parts parts, uint8_t *head, uint8_t *tail);

// MARK: Scanning (scan.h)

typedef struct {
    const int8_t *heads, *tails;
    const int32_t *head_sums, *middle_sums, *end_sums;
    const float *scales;
    // Minus infinity for rows that nobody wants.
    const float *margins;
    const float *tail_lengths, *end_lengths;
    // What a score, with the query's margin added, has to reach to be reported for the row; NULL where no row asks.
    const float *thresholds;
} imgrec_rows;

typedef struct {
    const uint8_t *heads, *tails;
    const float *scales, *margins, *tail_lengths, *end_lengths;
    const int32_t *offsets;
    // What a score, with the row's margin added, has to reach to be reported for the query.
    const float *thresholds;
    size_t count;
} imgrec_queries;

// How many queries a scan takes at once: so few that their heads stay in the second-level cache.
#define IMGREC_MOST_QUERIES 128

enum { IMGREC_FOR_QUERY = 1, IMGREC_FOR_ROW = 2 };

typedef struct {
    float score;
    uint32_t row;
    uint16_t query;
    uint16_t whom;
} imgrec_hit;

// MARK: Kernels (kernels.c, kernels_x86.c, kernels_neon.c)

typedef struct {
    const char *name;
    // Whether this CPU, under this operating system, runs it.
    int is_supported;
    // The dot products of a query's codes with those of some rows, the query's offset included.
    // length is a multiple of IMGREC_CODE_BLOCK; rows begin every stride elements.
    void (*dots)(const uint8_t *query, const int8_t *rows, size_t row_count, size_t stride, size_t length,
                 int32_t *results);
    // The pairs that reach a threshold, in the order of their rows.
    // queries->count is at most IMGREC_MOST_QUERIES. hits has room for all pairs; returns how many there are.
    size_t (*scan)(const imgrec_queries *queries, const imgrec_rows *rows, size_t row_count, imgrec_parts parts,
                   imgrec_hit *hits);
} imgrec_kernel;

// All kernels of this architecture, the slowest first; the memory is the calling thread's own.
size_t imgrec_kernels(const imgrec_kernel **kernels);
// The fastest that is supported.
imgrec_kernel imgrec_best_kernel(void);

// The score of a query's codes with those of the first row.
float imgrec_score(const imgrec_kernel *kernel, const imgrec_queries *queries, size_t query, const imgrec_rows *rows,
                   imgrec_parts parts);

// MARK: Pools (pools.c)

// The rows of a table of slots, depth columns wide, that hold a slot whose bit is set. -1 stands for no slot.
// found has room for row_count; returns how many there are.
size_t imgrec_rows_holding(const int32_t *slots, size_t row_count, size_t depth, const uint64_t *bits,
                           uint32_t *found);
// The same for a single slot.
size_t imgrec_rows_holding_one(const int32_t *slots, size_t row_count, size_t depth, int32_t slot,
                               uint32_t *found);

#endif
