/* Shared by the passes: a model's messages opened for changes, and the model made from them. */
#ifndef PG_SURGERY_INTERNAL_H
#define PG_SURGERY_INTERNAL_H

#include "onnx/edit.h"
#include "onnx/proto.h"

/* Calls `see` for every read of a name: by nodes, by nodes of subgraphs, and as an output of the main graph. */
void pg_surgery_each_read(const pg_graph *graph, void (*see)(void *context, pg_str name), void *context);
/* The tensor of a Constant node, which is a weight as well; NULL for other nodes. */
const pg_weight *pg_surgery_constant(const pg_node *node);
/* The model of an edited tree; takes over the arena, on failure too. */
PG_MUST_USE pg_status pg_surgery_finish(pg_arena *arena, pg_wire_message *root, const pg_model *base,
                                        pg_model **out);

#endif
