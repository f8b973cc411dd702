/* Scalings and shifts per channel after a product: BatchNormalization with known statistics, and Mul, Div, Add
 * and Sub with a constant per channel or for all. What they are and what they make of weights and bias is stated
 * here once, for the pass over models (pg_surgery_fold_affine) and for the engine's. */
#ifndef PG_SURGERY_AFFINE_H
#define PG_SURGERY_AFFINE_H

#include "onnx/onnx.h"

/* y = x * scale[c] + shift[c]; both arrays are the caller's. */
typedef struct pg_affine {
    size_t channels;
    double *scale, *shift;
} pg_affine;

/* The constants behind names: float32 or float64 in row-major order, NULL for anything else. */
typedef struct pg_constants {
    const pg_tensor *(*find)(void *context, pg_str name);
    void *context;
} pg_constants;

/* What `node` makes of its input `x`, a tensor of `rank` dims whose second one has a->channels positions. False
 * when it does something else. */
bool pg_affine_read(const pg_node *node, pg_str x, size_t rank, pg_constants constants, pg_affine *a);

/* How output channels lie in weights: along dim 0, or along dim 1 within each group of dim 0. */
typedef struct pg_weight_channels {
    size_t axis; /* 0 or 1 */
    size_t groups;
} pg_weight_channels;
/* Those of a Conv, ConvTranspose or Gemm; false for other nodes, and for a Gemm with alpha or beta. */
bool pg_affine_channels(const pg_node *node, pg_weight_channels *out);
/* How many output channels weights of these dims have; 0 when the dims do not fit. */
size_t pg_affine_count(pg_weight_channels channels, const pg_tensor *weights);

/* Multiplies the weights (float32 or float64) of each channel. */
void pg_affine_scale(const pg_affine *a, pg_weight_channels channels, pg_tensor *weights);
/* Channel c of a new bias; `old` may be NULL. */
double pg_affine_bias(const pg_affine *a, const pg_tensor *old, size_t c);

typedef struct pg_fold_affine_options {
    /* Optional: false where `reader` must stay beside the product. */
    bool (*wanted)(void *context, const pg_node *product, const pg_node *reader);
    void *context;
} pg_fold_affine_options;

/* Nodes that scale or shift what a Conv, ConvTranspose or Gemm made become part of its weights and bias, as long
 * as weights are float32 constants and nobody else reads what is between. The product takes the name of the last
 * result. `options` may be NULL; *folded (may be NULL) counts the nodes that went. */
PG_MUST_USE pg_status pg_surgery_fold_affine(const pg_model *model, const pg_fold_affine_options *options,
                                             size_t *folded, pg_model **out);

#endif
