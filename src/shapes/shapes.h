/* Type and shape inference: what is known of every tensor before anything runs.
 *
 * Works on any model, with or without a runtime installed; weights are not read, except for small integer
 * ones that become dimensions. Integer values are followed through shape arithmetic (Shape, Gather, Concat,
 * Mul, ...), with the model's symbols, so a Reshape to [N, H*W] of a known H and W is known. An operator
 * without a rule leaves its outputs unknown; it is not an error. */
#ifndef PG_SHAPES_SHAPES_H
#define PG_SHAPES_SHAPES_H

#include "onnx/onnx.h"

typedef struct pg_shapes pg_shapes;

typedef struct pg_shape_override {
    pg_str name; /* of a graph input */
    size_t rank;
    const int64_t *dims; /* -1 leaves a dimension as the model states it */
} pg_shape_override;

typedef struct pg_shapes_options {
    const pg_shape_override *overrides;
    size_t n_overrides;
    bool name_dims; /* open dims of what nodes compute get names, "unk__0" and so on */
    bool strict;    /* a node whose inputs contradict each other is an error, not an unknown */
} pg_shapes_options;

/* Infers the main graph and, inside it, the bodies of control-flow nodes. The result refers to the model,
 * which must outlive it. `options` may be NULL. */
PG_MUST_USE pg_status pg_shapes_infer(const pg_model *model, const pg_shapes_options *options,
                                      pg_shapes **out);
void pg_shapes_free(pg_shapes *shapes);

/* Type of a tensor of the main graph, or NULL when nothing is known about it. */
const pg_type *pg_shapes_find(const pg_shapes *shapes, pg_str name);
/* All names with a type, in graph order. */
size_t pg_shapes_count(const pg_shapes *shapes);
pg_str pg_shapes_name(const pg_shapes *shapes, size_t i);
/* The model with everything that is inferred written into it; open dims have names. */
PG_MUST_USE pg_status pg_model_infer_types(const pg_model *model, const pg_shapes_options *options,
                                           pg_model **out);
/* Nodes of the main graph without a rule, and nodes whose inputs contradict each other (with the message of
 * the first one). */
size_t pg_shapes_unknown_nodes(const pg_shapes *shapes);
const char *pg_shapes_first_problem(const pg_shapes *shapes); /* NULL when there is none */

#endif
