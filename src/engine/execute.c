#include "engine/execute.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "engine/debug.h"
#include "engine/internal.h"

struct pg_execution {
    pg_engine *engine; /* counted */
    size_t profile;
    pg_session *session;
    pg_taps *taps; /* NULL without debug tensors */
};

pg_status pg_execution_new(pg_engine *engine, size_t profile, const pg_native_options *options,
                           pg_execution **out)
{
    pg_execution *self = PG_NEW(pg_execution);
    self->engine = pg_engine_ref(engine);
    self->profile = profile;
    pg_status status = pg_engine_open(engine, options, &self->session);
    if (status == NULL)
        status = pg_engine_reserve_room(engine, self->session, profile);
    if (status != NULL) {
        pg_execution_free(self);
        return status;
    }
    pg_border_prepare(engine, self->session);
    if (engine->n_debug_tensors > 0)
        self->taps = pg_taps_new(engine, self->session, options);
    *out = self;
    return NULL;
}

void pg_execution_free(pg_execution *self)
{
    if (self == NULL)
        return;
    pg_taps_free(self->taps);
    pg_engine_close(self->engine, self->session);
    pg_engine_unref(self->engine);
    free(self);
}

pg_session *pg_execution_session(const pg_execution *self)
{
    return self->session;
}

static pg_status run_inner(pg_execution *self, const pg_feed *inner, pg_feed *out, double *out_seconds)
{
    PG_TRY(pg_engine_check_feed(self->engine, self->profile, inner));
    uint64_t start = pg_clock_ns();
    PG_TRY(pg_session_run(self->session, inner, out));
    PG_TRY(pg_border_leave(self->engine, out));
    *out_seconds = pg_clock_seconds_since(start);
    return self->taps != NULL ? pg_taps_collect(self->taps, inner, out) : NULL;
}

pg_status pg_execution_run(pg_execution *self, const pg_feed *feed, pg_feed *out, double *out_seconds)
{
    pg_feed inner = {0};
    pg_status status = pg_border_enter(self->engine, feed, &inner);
    if (status == NULL)
        status = run_inner(self, &inner, out, out_seconds);
    pg_feed_deinit(&inner);
    if (status != NULL)
        pg_feed_deinit(out);
    return status;
}
