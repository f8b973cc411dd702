/* Private to engine/. */
#ifndef PG_ENGINE_INTERNAL_H
#define PG_ENGINE_INTERNAL_H

#include "engine/engine.h"

/* Fills engine->profiles from what the user stated, or from the model's own shapes (open dims 1); checks names,
 * ranks, fixed dims and min <= opt <= max. */
PG_MUST_USE pg_status pg_engine_take_profiles(pg_engine *engine, const pg_graph *graph,
                                              const pg_shape_profile *profiles, size_t n_profiles);
/* An input that is fed, not an initializer; NULL when there is none of that name. */
const pg_value_info *pg_engine_find_input(const pg_graph *graph, pg_str name);
/* Copies the session's layers into the engine. */
void pg_engine_read_layers(pg_engine *engine, const pg_session *session);
/* "no layer is called ...", with the nearest names. */
PG_MUST_USE PG_NEVER_OK pg_status pg_engine_unknown_layer(const pg_model *model, pg_str name);

#endif
