/* Nodes cut out of a model: models that run one node alone, or a range of them. */
#ifndef PG_SURGERY_SINGLE_H
#define PG_SURGERY_SINGLE_H

#include "onnx/onnx.h"
#include "shapes/shapes.h"
#include "tensor/value.h"

/* What a node reads: its inputs, then the tensors of outer graphs that its bodies use; each name once, without
 * the omitted ones. The list lives in the arena. */
void pg_node_reads(const pg_node *node, pg_arena *arena, pg_str **out, size_t *out_count);

/* A tensor that the single node gets from outside. */
typedef struct pg_single_input {
    pg_str name;
    const pg_value *value; /* its type is the input's; NULL or an absent value: the next one decides */
    const pg_type *type;   /* NULL: the declared type, if any */
} pg_single_input;

/* Looks up the tensors of one model, which must outlive it. */
typedef struct pg_cutter pg_cutter;
pg_cutter *pg_cutter_new(const pg_model *model);
/* Outputs that the model does not declare get these types, which must outlive the cutter's use. */
void pg_cutter_set_types(pg_cutter *cutter, const pg_shapes *types);
void pg_cutter_free(pg_cutter *cutter); /* NULL is fine */

/* What the main graph declares about a tensor as an output, an inner tensor or an input; NULL when nothing. */
const pg_value_info *pg_cutter_declaration(const pg_cutter *cutter, pg_str name);
/* Whether the main graph has an initializer of that name. */
bool pg_cutter_has_constant(const pg_cutter *cutter, pg_str name);

/* The model of a node of the main graph. Of `inputs` those become graph inputs that the node reads and that
 * no initializer holds; initializers that it reads come along, and so do opsets and local functions. The graph
 * and the node are called `name`; outputs are the node's, as the model declares them. */
PG_MUST_USE pg_status pg_cutter_single(const pg_cutter *cutter, const pg_node *node, pg_str name,
                                       const pg_single_input *inputs, size_t n_inputs, pg_model **out);

/* The model of nodes begin to end - 1 of the main graph. What they read and do not make becomes an input, what
 * others or the model's outputs need of them, or nobody reads, an output; both as the model declares them. */
PG_MUST_USE pg_status pg_cutter_range(const pg_cutter *cutter, size_t begin, size_t end, pg_model **out);

#endif
