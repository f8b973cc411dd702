/* A model as people read it: what `inspect model` prints. */
#ifndef PG_ONNX_TEXT_H
#define PG_ONNX_TEXT_H

#include "onnx/onnx.h"

typedef struct pg_model_text_options {
    bool layers;  /* nodes with their inputs and outputs, names of initializers */
    bool attrs;   /* with layers: attributes and docstrings */
    bool weights; /* values of initializers and, with attrs, of tensor attributes */
} pg_model_text_options;

/* Appends lines in the peer's format, from "Name: ..." on, without a line feed at the end. Attributes and
 * types that have no text are named in warnings; a weight that cannot be read is logged and shown as an error
 * text. */
void pg_model_text(const pg_model *model, const pg_model_text_options *options, pg_buf *out);

/* One attribute's value in a line: numbers, quoted strings, type and shape of a tensor, size of a graph. */
void pg_attr_text(const pg_attr *attr, pg_buf *out);

/* The dims of a type, "1, N, ?" without brackets: a symbol as it is or in quotes as Python's repr, a dimension that
 * is not known as `unknown`. */
void pg_dims_text(const pg_type *type, bool quoted, const char *unknown, pg_buf *out);

/* Element type as the peer names it ("float32", "float8e4m3fn"); NULL for types it has no name for. */
const char *pg_onnx_type_name(int32_t data_type);

#endif
