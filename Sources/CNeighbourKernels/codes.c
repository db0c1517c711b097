#include <math.h>

#include "neighbour_kernels.h"
#include "versions.h"

// From the squared length of what the codes leave out to the vector's margin.
static float margin(double squared_error, size_t dimension) {
    // The sum itself was rounded: each of its terms, and each addition, by less than 2^-52.
    double error = sqrt(squared_error) * (1 + 1e-9) + 1e-12;
    // 2^-24 for each rounding on the way to an exact score, and 26 more for the score from the codes: integer to
    // float, two products, sums with margins and thresholds, all of numbers below 2.
    double rounding = ((double)dimension / IMGREC_DOT_LANES + 7 + 26) * 0x1p-24 * IMGREC_LONGEST * IMGREC_LONGEST;
    return nextafterf((float)(IMGREC_LONGEST * error + error * error / 2 + rounding / 2), INFINITY);
}

// The range of the elements, zero included.
typedef struct {
    float low, high;
} range;

VERSIONS static range range_of(const float *vector, size_t dimension) {
    range all = {0, 0};
    for (size_t i = 0; i < dimension; i++) {
        all.low = vector[i] < all.low ? vector[i] : all.low;
        all.high = vector[i] > all.high ? vector[i] : all.high;
    }
    return all;
}

// The largest sum of the sizes of eight elements that a kernel may add up in 16 bits.
VERSIONS static float largest_group(const float *vector, size_t dimension) {
    float largest = 0;
    for (size_t block = 0; block < dimension; block += IMGREC_CODE_BLOCK) {
        float columns[32] = {0};
        for (int k = 0; k < 4; k++) {
            for (int i = 0; i < 32; i++) columns[i] += fabsf(vector[block + (size_t)(32 * k + i)]);
        }
        for (int i = 0; i < 32; i += 2) {
            float sum = columns[i] + columns[i + 1];
            largest = sum > largest ? sum : largest;
        }
    }
    return largest;
}

// Rounds vector / scale to integers; returns the squared length of what that leaves out.
VERSIONS static double quantize(const float *vector, size_t dimension, float scale, int8_t *codes, int *sum) {
    // A vector without length has codes of zero.
    float inverse = scale > 0 ? 1 / scale : 0;
    double error = 0;
    int total = 0;
    for (size_t i = 0; i < dimension; i++) {
        float code = rintf(vector[i] * inverse);
        double rest = (double)vector[i] - (double)scale * code;
        error += rest * rest;
        codes[i] = (int8_t)code;
        total += (int)code;
    }
    *sum = total;
    return error;
}

VERSIONS static double squared_length(const float *vector, size_t dimension) {
    double sum = 0;
    for (size_t i = 0; i < dimension; i++) sum += (double)vector[i] * vector[i];
    return sum;
}

static float length(const float *vector, size_t dimension) {
    return nextafterf((float)(sqrt(squared_length(vector, dimension)) * (1 + 1e-9)), INFINITY);
}

static imgrec_code encode(const float *vector, imgrec_parts parts, float scale, int8_t *head, int8_t *tail) {
    const float *middle = vector + parts.head, *end = middle + parts.middle;
    int head_sum, middle_sum, end_sum;
    double error = quantize(vector, parts.head, scale, head, &head_sum) +
                   quantize(middle, parts.middle, scale, tail, &middle_sum) +
                   quantize(end, parts.end, scale, tail + parts.middle, &end_sum);
    return (imgrec_code){
        .scale = scale,
        .margin = margin(error, parts.head + parts.middle + parts.end),
        .tail_length = length(middle, parts.middle + parts.end),
        .end_length = length(end, parts.end),
        .head_sum = head_sum,
        .middle_sum = middle_sum,
        .end_sum = end_sum,
    };
}

imgrec_code imgrec_encode_row(const float *vector, imgrec_parts parts, int8_t *head, int8_t *tail) {
    size_t dimension = parts.head + parts.middle + parts.end;
    range all = range_of(vector, dimension);
    float by_size = (-all.low > all.high ? -all.low : all.high) / 127;
    // Rounding adds at most a half to each of the eight.
    float by_group = largest_group(vector, dimension) / (IMGREC_GROUP_LIMIT - 4);
    return encode(vector, parts, by_size > by_group ? by_size : by_group, head, tail);
}

imgrec_code imgrec_encode_query(const float *vector, imgrec_parts parts, uint8_t *head, uint8_t *tail) {
    size_t tail_length = parts.middle + parts.end;
    range all = range_of(vector, parts.head + tail_length);
    // Rounding widens the range of the integers by at most one.
    float scale = (all.high - all.low) / 126;
    imgrec_code code = encode(vector, parts, scale, (int8_t *)head, (int8_t *)tail);
    code.offset = scale > 0 ? -(int32_t)rintf(all.low * (1 / scale)) : 0;
    for (size_t i = 0; i < parts.head; i++) head[i] = (uint8_t)((int8_t)head[i] + code.offset);
    for (size_t i = 0; i < tail_length; i++) tail[i] = (uint8_t)((int8_t)tail[i] + code.offset);
    return code;
}
