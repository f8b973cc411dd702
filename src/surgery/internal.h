/* Shared by the passes: a model's messages opened for changes, and the model made from them. */
#ifndef PG_SURGERY_INTERNAL_H
#define PG_SURGERY_INTERNAL_H

#include "onnx/edit.h"
#include "onnx/proto.h"

/* Edited copies of the model's message and of its main graph's, which the first one holds. */
PG_MUST_USE pg_status pg_surgery_edit_graph(pg_arena *arena, const pg_model *model,
                                            pg_wire_message **out_root, pg_wire_message **out_graph);
/* Puts an edited main graph in the place of the old one. */
void pg_surgery_set_graph(pg_wire_message *root, pg_wire_message *graph);
/* The model of an edited tree; takes over the arena, on failure too. */
PG_MUST_USE pg_status pg_surgery_finish(pg_arena *arena, pg_wire_message *root, const pg_model *base,
                                        pg_model **out);

#endif
