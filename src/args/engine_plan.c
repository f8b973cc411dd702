/* What an engine's file holds, and how a session of it uses memory. */
#include <unistd.h>

#include "args/engine.h"

/* The level none is that of same_compute_capability: without an instruction set there is no packing weights. */
static pg_status read_compatibility(const char *level, bool *portable)
{
    static const struct {
        const char *name;
        bool portable;
    } levels[] = {{"none", false}, {"same_compute_capability", false}, {"ampere_plus", true}};
    *portable = false;
    for (size_t i = 0; level != NULL && i < PG_COUNT(levels); i++)
        if (pg_str_eq_nocase(pg_str_c(level), pg_str_c(levels[i].name))) {
            *portable = levels[i].portable;
            return NULL;
        }
    return level == NULL ? NULL
                         : pg_err(PG_ERR_INVALID,
                                  "option '--hardware-compatibility-level': '%s' is none of none, "
                                  "same_compute_capability and ampere_plus",
                                  level);
}

static pg_status check_platform(const char *platform)
{
    if (platform == NULL || pg_str_eq_nocase(pg_str_c(platform), PG_STR("same_as_build")))
        return NULL;
    if (pg_str_eq_nocase(pg_str_c(platform), PG_STR("windows_amd64")))
        return pg_err(
            PG_ERR_UNSUPPORTED,
            "option '--runtime-platform': the built-in engine does not run on windows_amd64, only where this "
            "program does (same_as_build)");
    return pg_err(PG_ERR_INVALID,
                  "option '--runtime-platform': '%s' is neither same_as_build nor windows_amd64", platform);
}

pg_status pg_args_engine_plan(const pg_args_trt_config *config, pg_build_config *build)
{
    PG_TRY(read_compatibility(config->hardware_compatibility, &build->portable));
    PG_TRY(check_platform(config->runtime_platform));
    build->version_compatible = config->version_compatible;
    build->weight_streaming = config->weight_streaming;
    build->refittable = config->refittable;
    build->strip_plan = config->strip_plan;
    if (build->portable && build->weight_streaming)
        return pg_err(PG_ERR_INVALID,
                      "--weight-streaming reads packed weights from the engine's file, and with "
                      "'--hardware-compatibility-level ampere_plus' it has none; use --version-compatible");
    return NULL;
}

/* Bytes of packed weights that may be in memory at once; UINT64_MAX for all. */
static uint64_t budget_of(const pg_args_trt_inference *args, uint64_t total)
{
    if (args->budget_text == NULL || args->budget == -2)
        return UINT64_MAX;
    if (args->percent)
        return args->budget >= 100 ? UINT64_MAX : (uint64_t)(args->budget / 100 * (double)total);
    if (args->budget >= 0)
        return (uint64_t)args->budget;
    return (uint64_t)sysconf(_SC_AVPHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 2;
}

bool pg_args_engine_streams(const pg_args_trt *trt)
{
    return budget_of(&trt->inference, 0) != UINT64_MAX;
}

pg_status pg_args_engine_use(const pg_args_trt *trt, pg_engine *engine)
{
    const pg_args_trt_inference *args = &trt->inference;
    if (trt->engine.load_runtime != NULL)
        return pg_err(
            PG_ERR_UNSUPPORTED,
            "option '--load-runtime': for TensorRT; engines of the built-in engine need no runtime library");
    engine->reserve = args->allocation == NULL || pg_str_is(pg_str_c(args->allocation), "runtime")
                          ? PG_RESERVE_NOTHING
                      : pg_str_is(pg_str_c(args->allocation), "static") ? PG_RESERVE_ALL
                                                                        : PG_RESERVE_PROFILE;
    if (!pg_args_engine_streams(trt))
        return NULL;
    return pg_status_context(pg_engine_stream(engine, budget_of(args, pg_engine_packed_bytes(engine))),
                             "option '--weight-streaming-budget'");
}

pg_status pg_args_engine_refit(const pg_args_trt *trt, unsigned threads, pg_engine **engine)
{
    pg_model *model;
    pg_engine *fitted = NULL;
    if (trt->engine.refit_from == NULL)
        return NULL;
    PG_TRY(pg_model_load(trt->engine.refit_from, NULL, &model));
    pg_status status = pg_engine_refit(*engine, model, threads, &fitted);
    pg_model_unref(model);
    PG_TRY_CTX(status, "while putting the weights of '%s' into the engine", trt->engine.refit_from);
    pg_engine_unref(*engine);
    *engine = fitted;
    return NULL;
}
