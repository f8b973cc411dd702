/* Models made from other models. An edited model shares the mapped bytes of the one it was made from (its
 * `base`, which it keeps alive); only the changed messages are new. */
#ifndef PG_ONNX_EDIT_H
#define PG_ONNX_EDIT_H

#include "onnx/onnx.h"
#include "onnx/wire.h"

/* A model from a message tree whose texts lie in `arena`, in `base` or in memory that outlives it. Takes over
 * the arena, on failure too. `base` may be NULL; it gives path, data folder and mapped bytes. */
PG_MUST_USE pg_status pg_model_from_wire(pg_arena *arena, pg_wire_message *root, const pg_model *base,
                                         const char *name, pg_model **out);
/* Edited copies of the model's message and of its main graph's, which the first one holds. */
PG_MUST_USE pg_status pg_model_edit(pg_arena *arena, const pg_model *model, pg_wire_message **out_root,
                                    pg_wire_message **out_graph);
/* Puts a main graph in the place of the old one. */
void pg_model_edit_graph(pg_wire_message *root, pg_wire_message *graph);
/* False while the model is what its file holds. */
bool pg_model_is_modified(const pg_model *model);

/* States types in the main graph: declarations of outputs and inner tensors whose type differs are replaced,
 * tensors without one get one. Inputs and initializers stay as they are, and so does a declaration of
 * something else than a tensor. Types and names are copied; `wire` is not used. */
PG_MUST_USE pg_status pg_model_with_types(const pg_model *model, const pg_value_info *types, size_t count,
                                          pg_model **out);

/* Which tensors shall be the graph's outputs. The steps are taken in this order:
 *   1. names or mark_all replace the list. Names may hold the wildcards * ? [..]; such a name stands for the
 *      outputs of nodes that it matches, and one without a match is a warning.
 *   2. op_types (in any case) replace it by the outputs of such nodes; one without a node is logged.
 *   3. exclude removes names and wildcards from the list.
 * mark_all takes the outputs of every node of the main graph except Constant nodes. */
typedef struct pg_output_selection {
    const char *const *names;
    size_t n_names;
    bool mark_all;
    const char *const *op_types;
    size_t n_op_types;
    const char *const *exclude;
    size_t n_exclude;
} pg_output_selection;

/* PG_ERR_NOT_FOUND for a name that is no tensor of the main graph, with the names there are; PG_ERR_INVALID
 * when nothing is left. An empty selection gives the same model again. */
PG_MUST_USE pg_status pg_model_select_outputs(const pg_model *model, const pg_output_selection *selection,
                                              pg_model **out);

#endif
