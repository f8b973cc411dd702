/* Debug tensors: tensors inside of an engine, told after its outputs. Fusion stays what it is: what survives it is
 * taken while the engine runs, and what was fused away is computed beside it, from the same inputs. */
#ifndef PG_ENGINE_DEBUG_H
#define PG_ENGINE_DEBUG_H

#include "engine/engine.h"

/* PG_ERR_NOT_FOUND with the nearest name for a debug tensor that the network does not have. */
PG_MUST_USE pg_status pg_taps_check(const pg_graph *graph, const pg_str *names, size_t count);

/* The engine's list of debug tensors, when its layers are known: the names that were asked for and, with `unfused`,
 * every tensor between layers. */
void pg_taps_choose(pg_engine *engine, const pg_str *names, size_t count, bool unfused);

typedef struct pg_taps pg_taps;
/* Watches the session from now on; both must outlive the taps. */
pg_taps *pg_taps_new(const pg_engine *engine, pg_session *session, const pg_native_options *asked);
void pg_taps_free(pg_taps *taps); /* NULL is fine */
/* After a run: adds the debug tensors to `out`. `inner` is what the session was fed. */
PG_MUST_USE pg_status pg_taps_collect(pg_taps *taps, const pg_feed *inner, pg_feed *out);

#endif
