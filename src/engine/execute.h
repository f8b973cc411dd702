/* Running an engine: its border, its session and its debug tensors. */
#ifndef PG_ENGINE_EXECUTE_H
#define PG_ENGINE_EXECUTE_H

#include "engine/engine.h"

typedef struct pg_execution pg_execution;

/* `options` may be NULL: see pg_engine_open. The engine is kept (counted). */
PG_MUST_USE pg_status pg_execution_new(pg_engine *engine, size_t profile, const pg_native_options *options,
                                       pg_execution **out);
void pg_execution_free(pg_execution *execution); /* NULL is fine */
pg_session *pg_execution_session(const pg_execution *execution);
/* Runs once: the engine's outputs in its order, then its debug tensors. `out_seconds` is the time of the engine
 * alone. PG_ERR_INVALID for inputs outside the profile. */
PG_MUST_USE pg_status pg_execution_run(pg_execution *execution, const pg_feed *feed, pg_feed *out,
                                       double *out_seconds);

#endif
