/* The 2:4 pattern: of every four elements along the axis that a product sums over, two are zero. Processors
 * with such matrix units run these weights at twice the speed. */
#ifndef PG_SURGERY_SPARSITY_H
#define PG_SURGERY_SPARSITY_H

#include "onnx/onnx.h"

/* An initializer that feeds the product of a Conv, MatMul or Gemm node of the main graph, directly or through
 * casts, quantization and transposes. */
typedef struct pg_sparse_candidate {
    const pg_weight *weight; /* the model's */
    size_t axis;             /* of the sum; its length is a multiple of 4 */
} pg_sparse_candidate;

/* All candidates of a model in the order of the nodes, in memory of the arena. A weight that several nodes
 * use counts once, with the last one's axis. Weights of other types than float32, float16 and bfloat16 are
 * left out with a warning, and so is what is computed by a node that cannot be looked through. */
void pg_sparsity_candidates(const pg_model *model, pg_arena *arena, pg_sparse_candidate **out,
                            size_t *out_count);

/* Whether a float32, float16 or bfloat16 tensor follows the pattern along an axis of a length that is a
 * multiple of 4. Both zeros are zero. */
bool pg_sparsity_holds(const pg_tensor *tensor, size_t axis);

#endif
