/* The builder's configuration. What an option asks for is set and read back: a library that does not take it
 * is an error that names the option. */
#include "runner/tensorrt/internal.h"

#include "base/file.h"
#include "log/log.h"

typedef struct configuration {
    pg_trt_network *network;
    pg_trt *trt;
    trt_object *config;
    const pg_trt_options *options;
} configuration;

/* ---- Builder flags ---- */

typedef struct flag_row {
    const char *option, *flag;
    const char
        *strong; /* where types follow from the model: "" for what is in it by now, or what is missing */
} flag_row;

static const flag_row flag_rows[] = {
    {"--tf32", "TF32", NULL},
    {"--fp16", "FP16", ""},
    {"--bf16", "BF16", ""},
    {"--fp8", "FP8", ""},
    {"--int8", "INT8", ""},
    {"--sparse-weights", "SPARSE_WEIGHTS", NULL},
    {"--version-compatible", "VERSION_COMPATIBLE", NULL},
    {"--exclude-lean-runtime", "EXCLUDE_LEAN_RUNTIME", NULL},
    {"--error-on-timing-cache-miss", "ERROR_ON_TIMING_CACHE_MISS", NULL},
    {"--disable-compilation-cache", "DISABLE_COMPILATION_CACHE", NULL},
    {"--trt-safety-restricted", "SAFETY_SCOPE", NULL},
    {"--refittable", "REFIT", NULL},
    {"--strip-plan", "STRIP_PLAN", NULL},
    {"--allow-gpu-fallback", "GPU_FALLBACK", NULL},
    {"--weight-streaming", "WEIGHT_STREAMING", NULL},
    {"--direct-io", "DIRECT_IO", NULL},
};

bool pg_trt_asks_for(const pg_trt_options *options, const char *option)
{
    for (size_t i = 0; i < options->n_flags; i++)
        if (strcmp(options->flags[i], option) == 0)
            return true;
    return false;
}

static pg_status refused(const configuration *self, const char *option)
{
    pg_buf text = {0};
    bool told = pg_trt_errors_take(&self->trt->errors, &text);
    pg_status status = pg_err(PG_ERR_UNSUPPORTED, "option '%s': %s %s does not take it%s%s", option,
                              self->trt->product, self->trt->version, told ? ": " : "", pg_buf_cstr(&text));
    pg_buf_deinit(&text);
    return status;
}

static pg_status set_flag(configuration *self, const char *option, const char *flag)
{
    int value = trt_enum_value(self->trt->family, TRT_BUILDER_FLAG, pg_str_c(flag));
    if (value < 0)
        return pg_trt_lacks(self->trt, option,
                            pg_arena_printf(&self->network->arena, "builder flag %s", flag));
    TRT_CALL(self->trt, config_set_flag, self->config, value);
    return TRT_CALL(self->trt, config_get_flag, self->config, value) ? NULL : refused(self, option);
}

static pg_status set_flags(configuration *self)
{
    pg_trt *trt = self->trt;
    bool typed = pg_trt_is_strongly_typed(trt) || self->options->strongly_typed;
    for (size_t i = 0; i < PG_COUNT(flag_rows); i++) {
        const flag_row *row = &flag_rows[i];
        if (!pg_trt_asks_for(self->options, row->option))
            continue;
        if (typed && row->strong != NULL && row->strong[0] == '\0')
            continue;
        if (typed && row->strong != NULL)
            return pg_trt_lacks(trt, row->option, row->strong);
        PG_TRY(set_flag(self, row->option, row->flag));
    }
    /* On by default, but only wanted when it is asked for. */
    int tf32 = trt_enum_value(trt->family, TRT_BUILDER_FLAG, PG_STR("TF32"));
    if (!pg_trt_asks_for(self->options, "--tf32"))
        TRT_CALL(trt, config_clear_flag, self->config, tf32);
    const char *constraints = self->options->precision_constraints;
    if (constraints == NULL || strcmp(constraints, "none") == 0 || typed)
        return NULL;
    return set_flag(self, "--precision-constraints",
                    strcmp(constraints, "obey") == 0 ? "OBEY_PRECISION_CONSTRAINTS"
                                                     : "PREFER_PRECISION_CONSTRAINTS");
}

/* ---- Values ---- */

/* Sets and reads back. */
#define SET_VALUE(self, option, set, get, value)                                    \
    (TRT_CALL((self)->trt, set, (self)->config, (value)),                           \
     (int64_t)TRT_CALL((self)->trt, get, (self)->config) == (int64_t)(value) ? NULL \
                                                                             : refused((self), (option)))

static pg_status set_levels(configuration *self)
{
    const pg_trt_options *options = self->options;
    pg_trt *trt = self->trt;
    int value;
    if (options->has_level)
        PG_TRY(SET_VALUE(self, "--builder-optimization-level", config_set_level, config_get_level,
                         (int32_t)options->level));
    if (options->has_aux_streams)
        PG_TRY(SET_VALUE(self, "--max-aux-streams", config_set_max_aux_streams, config_get_max_aux_streams,
                         (int32_t)options->aux_streams));
    if (options->engine_capability != NULL) {
        PG_TRY(pg_trt_option_enum(trt, "--engine-capability", TRT_ENGINE_CAPABILITY,
                                  pg_str_c(options->engine_capability), &value));
        PG_TRY(SET_VALUE(self, "--engine-capability", config_set_engine_capability,
                         config_get_engine_capability, value));
    }
    if (options->hardware_compatibility != NULL) {
        PG_TRY(pg_trt_option_enum(trt, "--hardware-compatibility-level", TRT_HARDWARE_COMPATIBILITY_LEVEL,
                                  pg_str_c(options->hardware_compatibility), &value));
        PG_TRY(SET_VALUE(self, "--hardware-compatibility-level", config_set_hardware_compatibility,
                         config_get_hardware_compatibility, value));
    }
    if (options->runtime_platform != NULL) {
        PG_TRY(pg_trt_option_enum(trt, "--runtime-platform", TRT_RUNTIME_PLATFORM,
                                  pg_str_c(options->runtime_platform), &value));
        PG_TRY(SET_VALUE(self, "--runtime-platform", config_set_runtime_platform, config_get_runtime_platform,
                         value));
    }
    if (options->tiling_level != NULL) {
        PG_TRY(pg_trt_option_enum(trt, "--tiling-optimization-level", TRT_TILING_OPTIMIZATION_LEVEL,
                                  pg_str_c(options->tiling_level), &value));
        PG_TRY(SET_VALUE(self, "--tiling-optimization-level", config_set_tiling_level,
                         config_get_tiling_level, value));
    }
    const char *verbosity = options->profiling_verbosity != NULL ? options->profiling_verbosity : "DETAILED";
    PG_TRY(pg_trt_option_enum(trt, "--profiling-verbosity", TRT_PROFILING_VERBOSITY, pg_str_c(verbosity),
                              &value));
    return SET_VALUE(self, "--profiling-verbosity", config_set_profiling_verbosity,
                     config_get_profiling_verbosity, value);
}

static pg_status set_pools(configuration *self)
{
    for (size_t i = 0; i < self->options->n_pools; i++) {
        const pg_trt_pool *limit = &self->options->pools[i];
        int pool;
        PG_TRY(pg_trt_option_enum(self->trt, "--pool-limit", TRT_MEMORY_POOL_TYPE, limit->name, &pool));
        TRT_CALL(self->trt, config_set_pool_limit, self->config, pool, (size_t)limit->bytes);
        if (TRT_CALL(self->trt, config_get_pool_limit, self->config, pool) != (size_t)limit->bytes)
            return refused(self, "--pool-limit");
    }
    return NULL;
}

/* An empty list switches every source off. */
static pg_status set_tactic_sources(configuration *self)
{
    const pg_trt_names *names = &self->options->tactic_sources;
    uint32_t sources = 0;
    for (size_t i = 0; i < names->count; i++) {
        int source;
        PG_TRY(pg_trt_option_enum(self->trt, "--tactic-sources", TRT_TACTIC_SOURCE, pg_str_c(names->items[i]),
                                  &source));
        sources |= 1u << source;
    }
    if (!names->set)
        return NULL;
    return TRT_CALL(self->trt, config_set_tactic_sources, self->config, sources)
               ? NULL
               : refused(self, "--tactic-sources");
}

/* Every feature: those named are on, the others off. */
static pg_status set_previews(configuration *self)
{
    const pg_trt_names *names = &self->options->preview_features;
    pg_trt *trt = self->trt;
    uint32_t wanted = 0;
    for (size_t i = 0; i < names->count; i++) {
        int feature;
        PG_TRY(pg_trt_option_enum(trt, "--preview-features", TRT_PREVIEW_FEATURE, pg_str_c(names->items[i]),
                                  &feature));
        wanted |= 1u << feature;
    }
    for (int f = 0; names->set && trt_enum_name(trt->family, TRT_PREVIEW_FEATURE, f) != NULL; f++) {
        bool on = (wanted >> f & 1) != 0;
        TRT_CALL(trt, config_set_preview, self->config, f, on);
        if (TRT_CALL(trt, config_get_preview, self->config, f) != on)
            return refused(self, "--preview-features");
    }
    return NULL;
}

static pg_status set_quantization(configuration *self)
{
    const pg_trt_names *names = &self->options->quantization_flags;
    if (names->set && !TRT_HAS(self->trt, config_set_quantization_flag))
        return pg_trt_lacks(self->trt, "--quantization-flags", "flags of quantization");
    for (size_t i = 0; i < names->count; i++) {
        int flag;
        PG_TRY(pg_trt_option_enum(self->trt, "--quantization-flags", TRT_QUANTIZATION_FLAG,
                                  pg_str_c(names->items[i]), &flag));
        TRT_CALL(self->trt, config_set_quantization_flag, self->config, flag);
    }
    return NULL;
}

static pg_status set_dla(configuration *self)
{
    if (!self->options->use_dla)
        return NULL;
    if (TRT_CALL(self->trt, builder_n_dla_cores, self->network->builder) < 1)
        return pg_err(PG_ERR_UNAVAILABLE,
                      "option '--use-dla': %s %s finds no deep learning accelerator on this machine",
                      self->trt->product, self->trt->version);
    TRT_CALL(self->trt, config_set_default_device, self->config, TRT_DEVICE_DLA);
    TRT_CALL(self->trt, config_set_dla_core, self->config, 0);
    return NULL;
}

/* ---- Targets ---- */

/* "8.6" is SM86. */
static pg_status capability_of(configuration *self, const char *text, int *out)
{
    pg_buf name = {0};
    pg_str rest = pg_str_c(text), major, minor;
    int64_t number;
    bool split = pg_str_split(&rest, '.', &major) && pg_str_split(&rest, '.', &minor) && rest.len == 0;
    if (!split || !pg_str_to_i64(major, &number) || !pg_str_to_i64(minor, &number))
        return pg_err(PG_ERR_INVALID,
                      "option '--compute-capabilities': '%s' is not major.minor: for example 8.6", text);
    pg_buf_printf(&name, "SM%" PG_STR_FMT "%" PG_STR_FMT, PG_STR_ARG(major), PG_STR_ARG(minor));
    pg_status status = pg_trt_option_enum(self->trt, "--compute-capabilities", TRT_COMPUTE_CAPABILITY,
                                          pg_buf_str(&name), out);
    pg_buf_deinit(&name);
    return status;
}

static pg_status set_targets(configuration *self)
{
    const pg_trt_options *options = self->options;
    const pg_trt_names *names = &options->compute_capabilities;
    pg_trt *trt = self->trt;
    const char *option = options->use_gpu ? "--use-gpu" : "--compute-capabilities";
    size_t count = options->use_gpu ? 1 : names->count;
    if (count == 0)
        return NULL;
    if (!TRT_HAS(trt, config_set_capability))
        return pg_trt_lacks(trt, option,
                            "choice of compute capabilities: it builds for the GPU of this machine");
    if (!TRT_CALL(trt, config_set_n_capabilities, self->config, (int32_t)count))
        return refused(self, option);
    for (size_t i = 0; i < count; i++) {
        int capability = trt_enum_value(trt->family, TRT_COMPUTE_CAPABILITY, PG_STR("CURRENT"));
        if (!options->use_gpu)
            PG_TRY(capability_of(self, names->items[i], &capability));
        if (!TRT_CALL(trt, config_set_capability, self->config, capability, (int32_t)i) ||
            TRT_CALL(trt, config_get_capability, self->config, (int32_t)i) != capability)
            return refused(self, option);
    }
    return NULL;
}

/* ---- Timing cache ---- */

static pg_status set_timing_cache(configuration *self)
{
    const char *path = self->options->load_timing_cache;
    pg_buf bytes = {0};
    if (path == NULL && self->options->save_timing_cache == NULL)
        return NULL;
    const char *saved = self->options->save_timing_cache;
    bool absent = path != NULL && !pg_path_exists(path);
    if (absent && (saved == NULL || strcmp(path, saved) != 0))
        PG_LOG_WARNING("Timing cache: '%s' does not exist: starting with an empty one.", path);
    else if (path != NULL && !absent)
        PG_TRY(pg_file_read(path, (uint64_t)1 << 31, &bytes));
    trt_object *cache = TRT_CALL(self->trt, config_create_timing_cache, self->config, bytes.ptr, bytes.len);
    self->network->timing_cache = cache;
    pg_status status = NULL;
    if (cache == NULL || !TRT_CALL(self->trt, config_set_timing_cache, self->config, cache, false))
        status = pg_status_context(pg_trt_failed(self->trt, "use the timing cache"), "in '%s'",
                                   path != NULL ? path : "an empty cache");
    pg_buf_deinit(&bytes);
    return status;
}

/* ---- What was set, as text ---- */

static void add_bits(const configuration *self, trt_enum kind, uint32_t bits, pg_buf *out)
{
    size_t start = out->len;
    for (int b = 0; b < 32; b++) {
        const char *name = trt_enum_name(self->trt->family, kind, b);
        if ((bits >> b & 1) != 0 && name != NULL)
            pg_buf_printf(out, "%s%s", out->len > start ? ", " : "", name);
    }
}

static void log_configuration(const configuration *self)
{
    pg_trt *trt = self->trt;
    trt_object *config = self->config;
    pg_buf text = {0};
    uint32_t flags = 0, previews = 0;
    int value = TRT_CALL(trt, config_get_engine_capability, config);
    for (int b = 0; b < 32; b++) {
        if (trt_enum_name(trt->family, TRT_BUILDER_FLAG, b) != NULL &&
            TRT_CALL(trt, config_get_flag, config, b))
            flags |= 1u << b;
        if (trt_enum_name(trt->family, TRT_PREVIEW_FEATURE, b) != NULL &&
            TRT_CALL(trt, config_get_preview, config, b))
            previews |= 1u << b;
    }
    pg_buf_puts(&text, "Flags                  | [");
    size_t start = text.len;
    add_bits(self, TRT_BUILDER_FLAG, flags, &text);
    if (pg_trt_is_strongly_typed(trt) || self->options->strongly_typed)
        pg_buf_printf(&text, "%sSTRONGLY_TYPED", text.len > start ? ", " : "");
    pg_buf_printf(&text, "]\nEngine Capability      | EngineCapability.%s\nMemory Pools           | [",
                  trt_enum_name(trt->family, TRT_ENGINE_CAPABILITY, value));
    start = text.len;
    for (int p = 0; trt_enum_name(trt->family, TRT_MEMORY_POOL_TYPE, p) != NULL; p++) {
        size_t bytes = TRT_CALL(trt, config_get_pool_limit, config, p);
        if (bytes > 0)
            pg_buf_printf(&text, "%s%s: %.2f MiB", text.len > start ? ", " : "",
                          trt_enum_name(trt->family, TRT_MEMORY_POOL_TYPE, p), (double)bytes / 0x1p20);
    }
    pg_buf_puts(&text, "]\nTactic Sources         | [");
    add_bits(self, TRT_TACTIC_SOURCE, TRT_CALL(trt, config_get_tactic_sources, config), &text);
    value = TRT_CALL(trt, config_get_profiling_verbosity, config);
    pg_buf_printf(&text, "]\nProfiling Verbosity    | ProfilingVerbosity.%s\nPreview Features       | [",
                  trt_enum_name(trt->family, TRT_PROFILING_VERBOSITY, value));
    add_bits(self, TRT_PREVIEW_FEATURE, previews, &text);
    PG_LOG(PG_START, "Building engine with configuration:\n%s]", pg_buf_cstr(&text));
    pg_buf_deinit(&text);
}

static pg_status configure(configuration *self)
{
    PG_TRY(set_flags(self));
    PG_TRY(set_levels(self));
    PG_TRY(set_pools(self));
    PG_TRY(set_tactic_sources(self));
    PG_TRY(set_previews(self));
    PG_TRY(set_quantization(self));
    PG_TRY(set_dla(self));
    PG_TRY(set_targets(self));
    trt_object *profile;
    PG_TRY(set_timing_cache(self));
    PG_TRY(pg_trt_set_selector(self->network, self->config, self->options));
    PG_TRY(pg_trt_add_profiles(self->network, self->config, self->options, &profile));
    return pg_trt_set_calibrator(self->network, self->config, self->options, profile);
}

pg_status pg_trt_config_new(pg_trt_network *network, const pg_trt_options *options, trt_object **out)
{
    pg_trt *trt = network->trt;
    *out = TRT_CALL(trt, builder_create_config, network->builder);
    configuration self = {network, trt, *out, options};
    if (self.config == NULL)
        return pg_trt_failed(trt, "create a configuration");
    PG_TRY(configure(&self));
    log_configuration(&self);
    return NULL;
}
