/* Which types an engine of the built-in engine may compute in. */
#include "args/engine.h"
#include "log/log.h"

static pg_status check_types(const pg_args_trt *trt)
{
    const pg_args_trt_config *config = &trt->config;
    if (config->tf32)
        PG_LOG_INFO("TF32 is allowed, and not needed: the built-in engine multiplies in float32.");
    if (trt->network.strongly_typed && (config->fp16 || config->bf16 || config->fp8 || config->int8))
        return pg_err(PG_ERR_INVALID,
                      "--strongly-typed takes the types from the model: it excludes --fp16, --bf16, "
                      "--fp8 and --int8");
    if (config->fp8 && config->int8)
        return pg_err(PG_ERR_INVALID,
                      "--fp8 and --int8 exclude each other here: the built-in engine quantizes a model "
                      "to one type of 8 bits");
    return NULL;
}

pg_status pg_args_engine_precisions(const pg_args_trt *trt, pg_arena *arena, pg_build_config *build)
{
    PG_TRY(check_types(trt));
    build->fp16 = trt->config.fp16;
    build->bf16 = trt->config.bf16;
    build->fp8 = trt->config.fp8;
    build->int8 = trt->config.int8;
    return pg_trt_fill_precisions(&trt->options, arena, build);
}
