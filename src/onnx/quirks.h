/* Models that are right and that another runtime does not survive. */
#ifndef PG_ONNX_QUIRKS_H
#define PG_ONNX_QUIRKS_H

#include "onnx/onnx.h"

/* Whether ONNX Runtime (1.31 and before) writes to omitted outputs of the node, which ends the process: a Split. */
bool pg_node_crashes_onnxruntime(const pg_node *node);

#endif
