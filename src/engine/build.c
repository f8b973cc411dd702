#include "base/alloc.h"
#include "engine/internal.h"
#include "log/log.h"

typedef struct build {
    const pg_build_config *config;
    pg_engine *engine;
    const pg_model *model; /* as it was given */
} build;

/* ---- The whole ---- */

static pg_status build_all(build *b)
{
    const pg_build_config *config = b->config;
    PG_TRY(pg_engine_take_profiles(b->engine, b->model->graph, config->profiles, config->n_profiles));
    PG_TRY(pg_engine_take_io(b->engine, b->model->graph, config));
    PG_TRY(pg_engine_set_precisions(b->model, config, &b->engine->arena, &b->engine->model,
                                    &b->engine->precision, &b->engine->scales));
    b->engine->name = pg_arena_str(&b->engine->arena, b->model->graph->name);
    PG_TRY(pg_engine_tune(b->engine, config));
    PG_TRY(pg_engine_finish_io(b->engine, b->model->graph, config));
    if (config->refittable || config->strip_plan)
        PG_TRY(pg_engine_keep_recipe(b->engine, b->model, config));
    b->engine->stripped = config->strip_plan;
    if (!config->portable && !b->engine->needs_model)
        pg_engine_lower(b->engine);
    return NULL;
}

pg_status pg_engine_build(const pg_model *model, const pg_build_config *config, pg_engine **out)
{
    pg_engine *engine = pg_engine_new();
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
