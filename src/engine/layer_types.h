/* Operators by the layer types of TensorRT: how networks are shown, and what --trt-outputs-by-type means here. */
#ifndef PG_ENGINE_LAYER_TYPES_H
#define PG_ENGINE_LAYER_TYPES_H

#include "onnx/onnx.h"

/* What TensorRT's parser makes of a node: its main layer, where it makes several. */
typedef struct pg_layer_type {
    const char *op;   /* operator of ai.onnx */
    const char *type; /* of LayerType: "ELEMENTWISE" */
    const char *attr, *kind,
        *what; /* what the layer does: "op", "ElementWiseOperation", "SUM"; may be NULL */
} pg_layer_type;

/* NULL for an operator that no layer type stands for. */
const pg_layer_type *pg_layer_type_of(const pg_node *node);
/* "LayerType.CONVOLUTION"; activations and pooling say which: "ActivationType.RELU"; the operator where it has no
 * layer type. */
void pg_layer_type_text(const pg_node *node, pg_buf *out);
/* The names of the types that have operators, each once; *out_count of them, static. */
const char *const *pg_layer_type_names(size_t *out_count);

#endif
