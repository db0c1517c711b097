#ifndef IMGREC_NEIGHBOUR_KERNELS_H
#define IMGREC_NEIGHBOUR_KERNELS_H

#include <stddef.h>

// Dot products of one vector with each row of a matrix, float32.
//
// The numeric contract: element i is multiplied, rounded, and added to partial sum i mod 16; the sixteen
// partial sums are then added in a fixed tree. No fused multiply-add, no other order: every CPU and every
// row count gives the same bits, and dot(a, b) has the bits of dot(b, a). A table built in one go and one
// built row by row can therefore be compared for equality.
//
// dimension is a multiple of 16; shorter vectors are padded with zeros, which change no bit of a sum.
#define IMGREC_DOT_LANES 16

void imgrec_dot_rows(const float *vector, const float *rows, size_t row_count, size_t dimension, float *results);

#endif
