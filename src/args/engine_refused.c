/* Options of TensorRT that the built-in engine cannot follow, each with its reason. What is not listed here is followed. */
#include "args/engine.h"

static const struct {
    const char *option, *reason;
} refused[] = {
    {"--sparse-weights", "it has no kernels for sparse weights"},
    {"--disable-compilation-cache", "it compiles no kernels while it builds"},
    {"--trt-safety-restricted", "it has no safety runtime"},
    {"--use-dla", "it runs on the processor"},
    {"--allow-gpu-fallback", "it runs on the processor"},
    {"--plugins", "libraries of plugins are made for TensorRT"},
    {"--plugin-instancenorm", "it has no plugins"},
    {"--enable-uint8-asymmetric-quantization-dla", "it runs on the processor"},
    {"--decomposable-attentions", "its networks have no attention layers"},
    {"--load-runtime", "its engines never carry a runtime"},
};

pg_status pg_args_engine_refuse(const pg_args_trt *trt, pg_arena *arena)
{
    pg_str rest = pg_str_c(pg_args_trt_set(trt, arena)), option;
    while (pg_str_split(&rest, ' ', &option))
        for (size_t i = 0; i < PG_COUNT(refused); i++)
            if (pg_str_is(option, refused[i].option))
                return pg_err(PG_ERR_UNSUPPORTED,
                              "option '%s': for TensorRT; the built-in engine cannot follow it: %s",
                              refused[i].option, refused[i].reason);
    return NULL;
}
