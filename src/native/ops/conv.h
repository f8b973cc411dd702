/* Convolution as sums of matrix products over pixels, channels-last, without a copy of the input.
 *
 * Every result pixel is a row of the product; for each kernel position its row of A is the input pixel under
 * it, given by pointer (native/gemm.h). Few channels per group make such rows too short: then the pixels
 * under a window are gathered into one row first. Depthwise convolutions have loops of their own. */
#ifndef PG_NATIVE_OPS_CONV_H
#define PG_NATIVE_OPS_CONV_H

#include "native/gemm.h"
#include "native/ops/nn.h"

typedef enum conv_way { CONV_BY_TAPS, CONV_BY_GATHERING, CONV_DEPTHWISE } conv_way;

/* What follows from the weights alone. */
typedef struct conv_weights {
    pg_dtype dtype; /* of the product: PG_F32, PG_F64, PG_BF16 (x and weights), PG_U8 or PG_I8 (x) */
    conv_way way;
    size_t groups, out_channels, in_per_group, out_per_group, taps;
    int64_t kernel[NN_SPATIAL];
    uint64_t packed_bytes;       /* of all groups */
    uint64_t packed_group_bytes; /* from one group to the next */
} conv_weights;

/* `dtype` is the product's: the type of w, PG_BF16 for w of float32, or for 8-bit w that of x. */
PG_MUST_USE pg_status conv_weights_describe(const pg_op *op, const pg_tensor *w, int64_t groups,
                                            pg_dtype dtype, conv_weights *out);
/* Whether the weights can be used in a way, and describing them for it. Depthwise ones have one way. */
bool conv_weights_may(const conv_weights *weights, conv_way way);
PG_MUST_USE pg_status conv_weights_use(const pg_op *op, conv_weights *weights, conv_way way);
/* `scale` multiplies the (float32) weights of each output channel; NULL for 1. */
void conv_weights_pack(const conv_weights *weights, const pg_tensor *w, const float *scale, void *packed);
/* For 8-bit weights; sums has one element per output channel: see pg_gemm_pack_codes. */
void conv_weights_pack_codes(const conv_weights *weights, const pg_tensor *w, void *packed, int32_t *sums);

typedef struct conv_job {
    const conv_weights *weights;
    const void *packed;
    const pg_tensor *x; /* any layout for CONV_BY_GATHERING, else channels-last */
    nn_window window;
    int64_t in[NN_SPATIAL], out[NN_SPATIAL];
    const void *bias, *add; /* add: channels-last, of y's shape; both may be NULL */
    pg_act act;
    void *y;       /* channels-last */
    pg_dtype half; /* of y and add, as in pg_gemm; not for CONV_DEPTHWISE */
    /* Of 8-bit convolutions, whose arrays go over all output channels; and the code of padding. */
    const pg_i8_result *i8;
    uint8_t pad;
} conv_job;
/* May ask for scratch memory. */
PG_MUST_USE pg_status conv_run(pg_op *op, const conv_job *job);

/* Depthwise convolutions of 8-bit codes (conv_depthwise_codes.c); for the functions above. */
uint64_t conv_depthwise_codes_bytes(const conv_weights *weights);
void conv_pack_depthwise_codes(const conv_weights *weights, const pg_tensor *w, void *packed, int32_t *sums);
PG_MUST_USE pg_status conv_run_depthwise_codes(pg_op *op, const conv_job *job);

#endif
