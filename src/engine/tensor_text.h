/* Tensors of networks and engines in a line: "name [dtype=float32, shape=(-1, 3)]". */
#ifndef PG_ENGINE_TENSOR_TEXT_H
#define PG_ENGINE_TENSOR_TEXT_H

#include "onnx/onnx.h"

/* "(1, 3)", "(4,)". */
void pg_engine_dims_text(size_t rank, const int64_t *dims, pg_buf *out);
/* The same of a type's shape; open dims are -1, as engines of TensorRT state them. */
void pg_engine_shape_text(const pg_type *type, pg_buf *out);
/* The bare name of a tensor of which nothing is known. `format` is added to what stands in the brackets: it may be
 * NULL. */
void pg_engine_tensor_text(pg_str name, const pg_type *type, const char *format, pg_buf *out);

#endif
