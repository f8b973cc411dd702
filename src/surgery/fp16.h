/* float32 models as float16 or bfloat16 models. */
#ifndef PG_SURGERY_FP16_H
#define PG_SURGERY_FP16_H

#include "onnx/onnx.h"

typedef struct pg_fp16_options {
    pg_dtype to; /* PG_F16 or PG_BF16 */
    /* Optional: true for a node whose float32 inputs and outputs stay what they are. */
    bool (*keeps)(void *context, const pg_node *node);
    void *context;
} pg_fp16_options;

typedef struct pg_fp16_report {
    size_t weights;           /* tensors converted */
    size_t casts;             /* Cast nodes added */
    size_t kept_nodes;        /* nodes that go on in float32 */
    uint64_t clamped, raised; /* elements beyond the type's range, and below its smallest value */
} pg_fp16_report;

/* Converts every float32 tensor inside the model: weights, constants, types that nodes state, subgraphs and
 * local functions. The model's inputs and outputs stay float32, with Cast nodes behind and before them. What
 * has no 16-bit form stays float32 between casts: certain inputs of operators (scales of Resize, thresholds
 * of NonMaxSuppression, Range, ...; by the opset) and nodes of other domains than ai.onnx and com.microsoft.
 * A weight that only such nodes read is not converted.
 *
 * Elements are rounded to the nearest; finite ones beyond the range become the largest finite number of their
 * sign, and ones that would vanish the smallest, so that neither infinities nor divisions by zero appear.
 *
 * Converted weights take half their size in memory. PG_ERR_UNSUPPORTED, naming tensor and node, for an opset
 * below 6, for inputs or outputs that are containers of float32, and where the type of a tensor that decides
 * about a cast cannot be inferred. `options` NULL: float16 everywhere. `report` may be NULL. */
PG_MUST_USE pg_status pg_surgery_fp16(const pg_model *model, const pg_fp16_options *options,
                                      pg_fp16_report *report, pg_model **out);

#endif
