#include "base/alloc.h"
#include "engine/internal.h"
#include "log/log.h"

typedef struct build {
    const pg_build_config *config;
    pg_engine *engine;
    const pg_model *model; /* as it was given */
} build;

/* ---- Trying the result ---- */

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

pg_status pg_engine_run_profile(const pg_graph *graph, pg_session *session, const pg_shape_profile *profile,
                                bool largest)
{
    pg_feed feed = {0}, outputs = {0};
    pg_status status = NULL;
    for (size_t i = 0; i < profile->count && status == NULL; i++) {
        const pg_shape_range *range = &profile->items[i];
        status = ones(pg_engine_find_input(graph, range->input), range->input, range->rank,
                      largest ? range->max : range->opt, &feed);
    }
    if (status == NULL)
        status = pg_session_run(session, &feed, &outputs);
    pg_feed_deinit(&outputs);
    pg_feed_deinit(&feed);
    return status;
}

static bool is_one_shape(const pg_shape_profile *profile)
{
    bool same = true;
    for (size_t i = 0; i < profile->count; i++)
        same = same && memcmp(profile->items[i].opt, profile->items[i].max,
                              profile->items[i].rank * sizeof *profile->items[i].opt) == 0;
    return same;
}

/* The optimal shapes, for which weights are packed; then the largest. */
static pg_status try_profile(build *b, pg_session *session, const pg_shape_profile *profile)
{
    const pg_graph *graph = b->model->graph;
    PG_TRY(pg_engine_run_profile(graph, session, profile, false));
    return is_one_shape(profile) ? NULL : pg_engine_run_profile(graph, session, profile, true);
}

static bool is_fatal(pg_status status)
{
    pg_code code = pg_status_code(status);
    return code == PG_ERR_LIMIT || code == PG_ERR_NO_MEMORY || code == PG_ERR_UNSUPPORTED ||
           code == PG_ERR_INTERRUPTED;
}

/* Runs every profile's shapes; the session stays with the engine. Values that the model does not take (a stand-in for an index or a shape
 * may be out of range) are no reason to refuse the engine. */
static pg_status try_profiles(build *b)
{
    pg_engine *engine = b->engine;
    pg_native_options options =
        pg_engine_session_options(engine, &(pg_native_options){.threads = b->config->threads});
    PG_TRY(pg_session_new(engine->model, &options, &engine->session));
    pg_session *session = engine->session;
    pg_status status = NULL;
    for (size_t i = 0; i < engine->n_profiles && status == NULL; i++) {
        status = try_profile(b, session, &engine->profiles[i]);
        if (status != NULL && !is_fatal(status)) {
            PG_LOG_WARNING("Profile %zu could not be tried with made-up inputs (%s); give its shapes with "
                           "--input-shapes or --trt-max-shapes.",
                           i, pg_status_message(status));
            pg_status_drop(status);
            status = NULL;
        }
        status = pg_status_context(status, "with the largest shapes of profile %zu", i);
    }
    engine->peak_bytes = pg_session_peak_bytes(session);
    pg_engine_read_layers(engine, session);
    return status;
}

/* ---- The whole ---- */

static pg_status build_all(build *b)
{
    const pg_build_config *config = b->config;
    PG_TRY(pg_engine_take_profiles(b->engine, b->model->graph, config->profiles, config->n_profiles));
    PG_TRY(pg_engine_set_precisions(b->model, config, &b->engine->arena, &b->engine->model,
                                    &b->engine->precision));
    b->engine->name = pg_arena_str(&b->engine->arena, b->model->graph->name);
    PG_TRY(try_profiles(b));
    if (!config->portable)
        pg_engine_lower(b->engine);
    return NULL;
}

pg_status pg_engine_build(const pg_model *model, const pg_build_config *config, pg_engine **out)
{
    pg_engine *engine = PG_NEW(pg_engine);
    engine->refs = 1;
    engine->level = config->level;
    engine->workspace = config->workspace;
    engine->version_compatible = config->version_compatible;
    engine->weight_streaming = config->weight_streaming;
    build b = {.config = config, .engine = engine, .model = model};
    pg_status status = build_all(&b);
    if (status != NULL) {
        pg_engine_unref(engine);
        return pg_status_context(status, "while building the engine");
    }
    *out = engine;
    return NULL;
}
