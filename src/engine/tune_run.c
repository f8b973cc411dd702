#include "base/clock.h"
#include "engine/tune.h"
#include "log/log.h"

/* ---- Made-up inputs ---- */

static pg_status ones(const pg_value_info *info, pg_str input, size_t rank, const int64_t *dims,
                      pg_feed *feed)
{
    pg_tensor tensor;
    PG_TRY(pg_tensor_alloc(&tensor, info->type.elem, rank, dims));
    memset(tensor.data, 0, pg_tensor_bytes(&tensor));
    if (info->type.elem == PG_F32)
        for (uint64_t i = 0; i < pg_tensor_count(&tensor); i++)
            ((float *)tensor.data)[i] = 1;
    pg_feed_add(feed, input, pg_value_of_tensor(tensor));
    return NULL;
}

pg_status pg_engine_fill_ones(const pg_graph *graph, const pg_shape_profile *profile, bool largest,
                              pg_feed *feed)
{
    for (size_t i = 0; i < profile->count; i++) {
        const pg_shape_range *range = &profile->items[i];
        PG_TRY(ones(pg_engine_find_input(graph, range->input), range->input, range->rank,
                    largest ? range->max : range->opt, feed));
    }
    return NULL;
}

pg_status pg_engine_run_profile(const pg_graph *graph, pg_session *session, const pg_shape_profile *profile,
                                bool largest)
{
    pg_feed feed = {0}, outputs = {0};
    pg_status status = pg_engine_fill_ones(graph, profile, largest, &feed);
    if (status == NULL)
        status = pg_session_run(session, &feed, &outputs);
    pg_feed_deinit(&outputs);
    pg_feed_deinit(&feed);
    return status;
}

/* ---- Workspace ---- */

void tune_names(unsigned tactics, pg_buf *out)
{
    const size_t start = out->len;
    for (pg_tactic_id i = 0; i < PG_TACTICS; i++)
        if ((tactics & PG_TACTIC_BIT(i)) != 0)
            pg_buf_printf(out, "%s%s", out->len > start ? ", " : "", pg_tactic_name(i));
}

pg_status tune_use(tuner *t, tune_layer *layer, pg_tactic_id tactic)
{
    const size_t index = (size_t)(layer - t->layers);
    layer->now = tactic;
    /* For shapes that never change its rule takes this anyway, and has packed the weights. */
    if (layer->in_session == tactic ||
        (t->fixed && layer->in_session == PG_TACTIC_RULE && pg_session_tactic(t->session, index) == tactic))
        return NULL;
    layer->in_session = tactic;
    t->changed = true;
    return pg_session_choose(t->session, index, tactic);
}

static pg_status nothing_fits(const tuner *t, const tune_layer *layer, unsigned tried, pg_status cause)
{
    pg_buf names = {0};
    tune_names(tried, &names);
    pg_status status = pg_err(PG_ERR_NO_MEMORY,
                              "the workspace of %llu bytes has no room for layer '%" PG_STR_FMT
                              "' by any of its tactics (%s): %s; raise --pool-limit workspace:BYTES",
                              (unsigned long long)t->engine->workspace, PG_STR_ARG(layer->node->name),
                              pg_buf_cstr(&names), pg_status_message(cause));
    pg_buf_deinit(&names);
    pg_status_drop(cause);
    return status;
}

/* The layer that there was no memory for gets another tactic; the error when it has none. */
static pg_status drop_tactic(tuner *t, pg_status cause)
{
    const size_t failed = pg_session_failed_layer(t->session);
    if (failed == SIZE_MAX || t->engine->workspace == 0)
        return cause;
    tune_layer *layer = &t->layers[failed];
    const unsigned offers = pg_session_offers(t->session, failed);
    /* What failed may have failed before it could say what it is. */
    const pg_tactic_id used =
        layer->in_session != PG_TACTIC_RULE ? layer->in_session : pg_session_tactic(t->session, failed);
    if (offers == 0 || (offers & (offers - 1)) == 0)
        return cause;
    layer->dropped |= PG_TACTIC_BIT(used);
    const unsigned left = offers & ~layer->dropped;
    if (left == 0 || layer->fixed)
        return nothing_fits(t, layer, offers & layer->dropped, cause);
    pg_tactic_id next = PG_TACTIC_RULE;
    while ((left & PG_TACTIC_BIT(next)) == 0)
        next++;
    PG_LOG_VERBOSE("Layer '%" PG_STR_FMT "': tactic '%s' does not fit into the workspace; trying '%s'.",
                   PG_STR_ARG(layer->node->name), pg_tactic_name(used), pg_tactic_name(next));
    pg_status_drop(cause);
    return tune_use(t, layer, next);
}

/* ---- Runs ---- */

bool tune_is_fixed(const pg_shape_profile *profile)
{
    for (size_t i = 0; i < profile->count; i++)
        if (memcmp(profile->items[i].opt, profile->items[i].max, profile->items[i].rank * sizeof(int64_t)) !=
            0)
            return false;
    return true;
}

static bool is_fatal(pg_status status)
{
    pg_code code = pg_status_code(status);
    return code == PG_ERR_LIMIT || code == PG_ERR_NO_MEMORY || code == PG_ERR_UNSUPPORTED ||
           code == PG_ERR_INTERRUPTED;
}

static pg_status run_fitting(tuner *t, size_t profile, tune_shapes shapes, uint64_t *out_ns)
{
    const pg_graph *graph = t->engine->model->graph;
    for (;;) {
        const uint64_t start = pg_clock_ns();
        pg_status status =
            pg_engine_run_profile(graph, t->session, &t->engine->profiles[profile], shapes == TUNE_LARGEST);
        *out_ns = pg_clock_ns() - start;
        if (pg_status_code(status) != PG_ERR_NO_MEMORY)
            return status;
        PG_TRY(drop_tactic(t, status));
    }
}

/* Values that the model does not take (a stand-in for an index or a shape may be out of range) are no reason to
 * refuse the engine. */
static pg_status forgive(tuner *t, size_t profile, pg_status status)
{
    if (status == NULL || is_fatal(status))
        return status;
    if (!t->untried[profile])
        PG_LOG_WARNING("Profile %zu could not be tried with made-up inputs (%s); give its shapes with "
                       "--input-shapes or --trt-max-shapes.",
                       profile, pg_status_message(status));
    t->untried[profile] = true;
    pg_status_drop(status);
    return NULL;
}

static pg_status run(tuner *t, size_t profile, tune_shapes shapes, uint64_t *out_ns)
{
    t->profile = profile;
    pg_status status = run_fitting(t, profile, shapes, out_ns);
    return pg_status_context(
        forgive(t, profile, status), "with the %s shapes of profile %zu",
        shapes == TUNE_LARGEST || tune_is_fixed(&t->engine->profiles[profile]) ? "largest" : "optimal",
        profile);
}

pg_status tune_run(tuner *t, size_t profile, tune_shapes shapes)
{
    uint64_t ns;
    return run(t, profile, shapes, &ns);
}

pg_status tune_run_timed(tuner *t, size_t profile, uint64_t *out_ns)
{
    return run(t, profile, TUNE_OPTIMAL, out_ns);
}
