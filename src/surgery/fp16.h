/* float32 models as float16 models. */
#ifndef PG_SURGERY_FP16_H
#define PG_SURGERY_FP16_H

#include "onnx/onnx.h"

typedef struct pg_fp16_report {
    size_t weights;           /* tensors converted */
    size_t casts;             /* Cast nodes added */
    size_t kept_nodes;        /* nodes that go on in float32 */
    uint64_t clamped, raised; /* elements beyond float16's range, and below its smallest value */
} pg_fp16_report;

/* Converts every float32 tensor inside the model: weights, constants, types that nodes state, subgraphs and
 * local functions. The model's inputs and outputs stay float32, with Cast nodes behind and before them. What
 * has no float16 form stays float32 between casts: certain inputs of operators (scales of Resize, thresholds
 * of NonMaxSuppression, Range, ...; by the opset) and nodes of other domains than ai.onnx and com.microsoft.
 * A weight that only such nodes read is not converted.
 *
 * Elements are rounded to the nearest; finite ones beyond the range become +-65504, and ones that would
 * vanish become the smallest float16 of their sign, so that neither infinities nor divisions by zero appear.
 *
 * Converted weights take half their size in memory. PG_ERR_UNSUPPORTED, naming tensor and node, for an opset
 * below 6, for inputs or outputs that are containers of float32, and where the type of a tensor that decides
 * about a cast cannot be inferred. `report` may be NULL. */
PG_MUST_USE pg_status pg_surgery_fp16(const pg_model *model, pg_fp16_report *report, pg_model **out);

#endif
