/* What the tactics of an engine are chosen among: sources, timing caches, replays. */
#include "args/engine.h"
#include "data/tactics.h"
#include "log/log.h"
#include "native/onednn/onednn.h"

/* What TensorRT's names of sources mean here: the libraries are ONEDNN where there is one, its own convolutions those
 * that are own ones here. */
static bool stands_for(pg_str name, unsigned *out)
{
    static const struct {
        const char *name;
        unsigned sources;
    } names[] = {
        {"CUBLAS", PG_TACTIC_BIT(PG_SOURCE_ONEDNN)},
        {"CUBLAS_LT", PG_TACTIC_BIT(PG_SOURCE_ONEDNN)},
        {"CUDNN", PG_TACTIC_BIT(PG_SOURCE_ONEDNN) | PG_TACTIC_BIT(PG_SOURCE_WINOGRAD)},
        {"EDGE_MASK_CONVOLUTIONS", PG_TACTIC_BIT(PG_SOURCE_WINOGRAD)},
        {"JIT_CONVOLUTIONS", PG_TACTIC_BIT(PG_SOURCE_WINOGRAD)},
    };
    for (size_t i = 0; i < PG_COUNT(names); i++)
        if (pg_str_eq_nocase(name, pg_str_c(names[i].name))) {
            *out = names[i].sources;
            return true;
        }
    return false;
}

static void put_sources(unsigned sources, pg_buf *out)
{
    for (pg_tactic_source i = 0; i < PG_TACTIC_SOURCES; i++)
        if ((sources & PG_TACTIC_BIT(i)) != 0)
            pg_buf_printf(out, "%s%s", out->len > 0 ? " and " : "", pg_tactic_source_name(i));
}

static pg_status parse_source(const pg_args_build *args, const char *name, unsigned *out)
{
    pg_tactic_source source;
    if (stands_for(pg_str_c(name), out)) {
        pg_buf text = {0};
        put_sources(*out, &text);
        PG_LOG_INFO("Tactic source %s is TensorRT's: here it stands for %s.", name, pg_buf_cstr(&text));
        pg_buf_deinit(&text);
        return NULL;
    }
    if (!pg_tactic_source_find(pg_str_c(name), &source))
        return pg_err(
            PG_ERR_INVALID,
            "option '--tactic-sources': the built-in engine has no source '%s'; its own kernels (NATIVE) "
            "are always used, beside them there are WINOGRAD and ONEDNN",
            name);
    if (source == PG_SOURCE_ONEDNN && (args->no_onednn || !pg_onednn_available()))
        return pg_err(PG_ERR_UNAVAILABLE, "option '--tactic-sources': ONEDNN is not there: %s",
                      args->no_onednn ? "--no-onednn was given" : pg_onednn_reason());
    *out = PG_TACTIC_BIT(source);
    return NULL;
}

static pg_status parse_sources(const pg_args_build *args, unsigned *out)
{
    const pg_trt_names *names = &args->trt->options.tactic_sources;
    *out = names->set ? PG_TACTIC_BIT(PG_SOURCE_NATIVE) : 0;
    for (size_t i = 0; i < names->count; i++) {
        unsigned sources = 0;
        PG_TRY(parse_source(args, names->items[i], &sources));
        *out |= sources;
    }
    return NULL;
}

pg_status pg_args_engine_tactics(const pg_args_build *args, pg_arena *arena, pg_build_config *build)
{
    const pg_trt_options *options = &args->trt->options;
    const pg_args_trt_config *config = &args->trt->config;
    pg_tactic_config *tactics = &build->tactics;
    build->onednn = args->onednn;
    build->no_onednn = args->no_onednn;
    pg_onednn_configure(args->onednn, false);
    *tactics = (pg_tactic_config){.exclude = options->exclude_tactics,
                                  .load_path = config->load_tactics,
                                  .load_timing_cache = options->load_timing_cache,
                                  .save_timing_cache = options->save_timing_cache,
                                  .error_on_timing_cache_miss = config->error_on_timing_cache_miss};
    PG_TRY(parse_sources(args, &tactics->sources));
    if (config->load_tactics == NULL)
        return NULL;
    pg_tactic_replay *replay = PG_ARENA_NEW(arena, pg_tactic_replay);
    tactics->load = replay;
    PG_TRY_CTX(pg_tactics_load(config->load_tactics, arena, replay), "option '--load-tactics'");
    return NULL;
}

pg_status pg_args_engine_save_tactics(const pg_args_build *args, const pg_engine *engine)
{
    const char *path = args->trt->config.save_tactics;
    return path != NULL ? pg_tactics_save(&engine->replay, path) : NULL;
}
