#include "args/args.h"

static const pg_option rows[] = {
    {"--providers --execution-providers", PG_FIELD(pg_args_onnxrt, providers_text), .metavar = "NAME",
     .default_text = "cpu",
     .help = "execution providers in order of preference, by exact name or a part of it in any case"},
    {"--graph-optimization-level", PG_FIELD(pg_args_onnxrt, optimization_level), .metavar = "LEVEL",
     .help = "ORT_DISABLE_ALL, ORT_ENABLE_BASIC, ORT_ENABLE_EXTENDED or ORT_ENABLE_ALL, in any case"},
    {"--ort-library", PG_FIELD(pg_args_onnxrt, library), .metavar = "PATH",
     .help =
         "the libonnxruntime to load (default: the one of the active Python environment, else the loader's)",
     .flags = PG_OPTION_OURS | PG_OPTION_PATH},
};

static pg_status check_level(pg_str level)
{
    static const char *const levels[] = {"ORT_DISABLE_ALL", "ORT_ENABLE_BASIC", "ORT_ENABLE_EXTENDED",
                                         "ORT_ENABLE_ALL"};
    for (size_t i = 0; i < PG_COUNT(levels); i++)
        if (pg_str_eq_nocase(level, pg_str_c(levels[i])))
            return NULL;
    return pg_value_not_one_of("--graph-optimization-level", level, levels, PG_COUNT(levels));
}

static pg_status finish(void *values, pg_arena *arena)
{
    pg_args_onnxrt *args = values;
    pg_str *providers = PG_ARENA_ARRAY(arena, pg_str, args->providers_text.count + 1);
    for (size_t i = 0; i < args->providers_text.count; i++)
        providers[i] = pg_str_c(args->providers_text.items[i]);
    args->options = (pg_onnxrt_options){.providers = providers,
                                        .n_providers = args->providers_text.count,
                                        .optimization_level = pg_str_c(args->optimization_level),
                                        .library = args->library};
    return args->optimization_level != NULL ? check_level(args->options.optimization_level) : NULL;
}

const pg_group pg_group_onnxrt = {"ONNX-Runtime Session Creation", rows, PG_COUNT(rows), .finish = finish};
