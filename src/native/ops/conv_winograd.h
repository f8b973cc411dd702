/* Winograd's way for convolutions of stride 1: a tile of results from sums of its input pixels, multiplied by
 * weights that were summed alike, takes fewer multiplications than the definition: a quarter for 3x3 windows
 * (4x4 results at once), a half for three in a line (4 results), two fifths for five in a line (4 results).
 *
 * The sums cost precision: the largest error is some 2e-6 of the largest result, where the direct sums have
 * 4e-7 (measured on random weights of 256 channels). A NaN or infinity in the input reaches the
 * whole tile. So it is used for float32 only, and not without optimisation. */
#ifndef PG_NATIVE_OPS_CONV_WINOGRAD_H
#define PG_NATIVE_OPS_CONV_WINOGRAD_H

#include "native/ops/conv.h"

typedef struct conv_winograd {
    size_t height, width; /* samples of a tile */
    uint64_t stride;      /* bytes from the packed weights of one sample to the next */
    const char *packed;
} conv_winograd;

/* True when a convolution of such weights and window may be done this way. */
bool conv_winograd_fits(const conv_weights *weights, const nn_window *window);
/* True when it can be done for these shapes and paddings; and when there are enough results for it to pay. */
bool conv_winograd_takes(const conv_job *job);
bool conv_winograd_pays(const conv_job *job);
/* Sizes for the weights of a convolution that fits; *bytes: of all its packed weights. */
void conv_winograd_describe(const conv_weights *weights, conv_winograd *out, uint64_t *bytes);
/* Transforms and packs the weights, at any address, each output channel times its scale (NULL: 1). */
PG_MUST_USE pg_status conv_winograd_pack(const pg_op *op, const conv_winograd *winograd,
                                         const conv_weights *weights, const pg_tensor *w, const float *scale,
                                         char *out);
/* The input is channels-last; `job->packed` is not looked at. Asks for scratch memory. */
PG_MUST_USE pg_status conv_winograd_run(pg_op *op, const conv_winograd *winograd, const conv_job *job);

#endif
