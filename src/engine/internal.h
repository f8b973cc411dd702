/* Private to engine/. */
#ifndef PG_ENGINE_INTERNAL_H
#define PG_ENGINE_INTERNAL_H

#include "engine/engine.h"

/* Empty, with one reference. */
pg_engine *pg_engine_new(void);
/* Fills engine->profiles from what the user stated, or from the model's own shapes (open dims 1); checks names,
 * ranks, fixed dims and min <= opt <= max. */
PG_MUST_USE pg_status pg_engine_take_profiles(pg_engine *engine, const pg_graph *graph,
                                              const pg_shape_profile *profiles, size_t n_profiles);
/* An input that is fed, not an initializer; NULL when there is none of that name. */
const pg_value_info *pg_engine_find_input(const pg_graph *graph, pg_str name);
/* How its sessions are made. */
pg_native_options pg_engine_session_options(const pg_engine *engine, const pg_native_options *asked);
/* What refitting needs later. */
PG_MUST_USE pg_status pg_engine_keep_recipe(pg_engine *engine, const pg_model *model,
                                            const pg_build_config *config);
/* Where the weights of engine->bare are said to be. */
#define PG_STRIPPED_LOCATION "stripped"
/* The model without the elements of its floating-point weights. */
PG_MUST_USE pg_status pg_engine_strip(const pg_model *model, pg_model **out);
/* Runs the optimal or the largest shapes of a profile on made-up inputs. */
PG_MUST_USE pg_status pg_engine_run_profile(const pg_graph *graph, pg_session *session,
                                            const pg_shape_profile *profile, bool largest);
/* Sets engine->net from the session of a build, and freezes that, unless it would take too much room. */
void pg_engine_lower(pg_engine *engine);
/* Whether only packed forms stand for a weight of such a network. */
bool pg_engine_is_packed(const pg_weight *weight);
/* Runs the engine's profiles with data that is 1 everywhere, chooses the tactics of its layers and fills in its
 * layers, replay and peak. */
PG_MUST_USE pg_status pg_engine_tune(pg_engine *engine, const pg_build_config *config);
/* Copies the session's layers into the engine. */
void pg_engine_read_layers(pg_engine *engine, const pg_session *session);
/* Values that are 1 everywhere, in a profile's largest or optimal shapes. */
PG_MUST_USE pg_status pg_engine_fill_ones(const pg_graph *graph, const pg_shape_profile *profile,
                                          bool largest, pg_feed *feed);
/* Borders and debug tensors of the configuration, checked against the network. */
PG_MUST_USE pg_status pg_engine_take_io(pg_engine *engine, const pg_graph *graph,
                                        const pg_build_config *config);
/* When the engine is what will run: what callers see, and --direct-io. `network` is what it was built from. */
PG_MUST_USE pg_status pg_engine_finish_io(pg_engine *engine, const pg_graph *network,
                                          const pg_build_config *config);
/* "no layer is called ...", with the nearest names. */
PG_MUST_USE PG_NEVER_OK pg_status pg_engine_unknown_layer(const pg_model *model, pg_str name);
/* "WHAT 'name'", with the nearest name of a tensor. */
PG_MUST_USE PG_NEVER_OK pg_status pg_engine_unknown_tensor(const pg_graph *graph, pg_str name,
                                                           const char *what);

#endif
