/* Sizes that depend on data and have no upper bound: TensorRT cannot reserve memory for what follows. */
#ifndef PG_CHECK_UNBOUNDED_H
#define PG_CHECK_UNBOUNDED_H

#include "onnx/onnx.h"

typedef struct pg_unbounded {
    pg_str name; /* of the tensor that holds the size: the shape of an Expand, the limit of a Range, ... */
    const pg_type *type; /* as the model declares it; NULL when it does not */
} pg_unbounded;

/* The sizes in the order of the nodes that use them, each once; in the arena. A node counts when it computes
 * its output's size at run time and the output has a named dimension that neither the inputs nor an earlier
 * tensor has, or no declared shape; a size that a Min node makes is bounded. Meant for models with folded
 * constants and inferred shapes: without them more is listed than is so. */
void pg_unbounded_sizes(const pg_model *model, pg_arena *arena, pg_unbounded **out, size_t *out_count);

/* "[Variable (n): (shape=[1], dtype=int64)]", as the peer prints the list. */
void pg_unbounded_text(const pg_unbounded *items, size_t count, pg_buf *out);

#endif
