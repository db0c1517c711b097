// Loops over pixels that Swift's optimiser does not vectorise. Each has one portable form in C; the
// compiler makes a version for newer CPUs from the same lines, chosen at load time, with the same bits.

#ifndef IMGREC_IMAGING_KERNELS_H
#define IMGREC_IMAGING_KERNELS_H

#include <stddef.h>
#include <stdint.h>

// One pass of a separable resampling, as Pillow does it (src/libImaging/Resample.c): coefficients are
// integers of IMGREC_COEFFICIENT_BITS fraction bits, the sum starts at one half, the result is clipped to a
// byte. Pixels are four bytes, rows have no padding.
//
// For output position i the taps first[i] ... first[i] + count[i] - 1 of the source are weighted with
// coefficients[i * taps + t]. Every position must lie inside the source.
#define IMGREC_COEFFICIENT_BITS 22

void imgrec_resample_rows(const uint8_t *source, size_t source_width, size_t height, uint8_t *result,
                          size_t result_width, const int32_t *first, const int32_t *count,
                          const int32_t *coefficients, size_t taps);

void imgrec_resample_columns(const uint8_t *source, size_t width, uint8_t *result, size_t result_height,
                             const int32_t *first, const int32_t *count, const int32_t *coefficients,
                             size_t taps);

// Pixels of four bytes to three planes of float32: (level - mean[c]) / scale[c], plane c taken from byte
// channel[c] of each pixel.
void imgrec_planes(const uint8_t *pixels, size_t count, const uint8_t channel[3], const float mean[3],
                   const float scale[3], float *planes);

// The same values, the three of a pixel after each other.
void imgrec_interleaved(const uint8_t *pixels, size_t count, const uint8_t channel[3], const float mean[3],
                        const float scale[3], float *values);

// Four bytes a pixel, the fourth alpha, onto an opaque background: each colour becomes
// round((colour * alpha + background * (255 - alpha)) / 255), in place.
void imgrec_composite(uint8_t *pixels, size_t count, const uint8_t background[3]);

// Colours that are multiplied by alpha become what they were, in place; of a clear pixel they stay.
void imgrec_unpremultiply(uint8_t *pixels, size_t count);

// CMYK with Adobe's inversion (255 is no ink) to red, green, blue without a profile, in place: colour * key / 255.
void imgrec_inverted_cmyk_to_rgb(uint8_t *pixels, size_t count);

typedef struct {
    uint8_t red, green, blue;
} imgrec_colour;

// Of all pixels at the edge of a picture the median of each channel.
imgrec_colour imgrec_border_colour(const uint8_t *pixels, size_t width, size_t height);

typedef struct {
    size_t left, top, width, height;
} imgrec_box;

// The smallest box that holds every pixel of which a channel differs by more than `tolerance` from the border's colour;
// empty where there is none.
imgrec_box imgrec_content_box(const uint8_t *pixels, size_t width, size_t height, int tolerance);

#endif
