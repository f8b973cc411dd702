/* The network that the built-in engine builds from, shown as TensorRT's parser would show its own: a layer per node,
 * weights as CONSTANT layers before their first reader, kernels and biases as attributes of their layers. */
#ifndef PG_ENGINE_NETWORK_H
#define PG_ENGINE_NETWORK_H

#include "onnx/onnx.h"

typedef struct pg_network_show {
    bool layers, attrs, weights;
    bool strongly_typed;
} pg_network_show;

/* Text in the peer's layout, from "Name: ..." on, without a line feed at the end. */
void pg_network_text(const pg_model *model, const pg_network_show *show, pg_buf *out);
/* A model to look at, not to run: one node per layer, named after the layer's type. */
PG_MUST_USE pg_status pg_network_as_onnx(const pg_model *model, pg_model **out);

#endif
