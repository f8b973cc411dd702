/* Shared by the passes: a model's messages opened for changes, and the model made from them. */
#ifndef PG_SURGERY_INTERNAL_H
#define PG_SURGERY_INTERNAL_H

#include "onnx/edit.h"
#include "onnx/proto.h"

/* The model of an edited tree; takes over the arena, on failure too. */
PG_MUST_USE pg_status pg_surgery_finish(pg_arena *arena, pg_wire_message *root, const pg_model *base,
                                        pg_model **out);

#endif
