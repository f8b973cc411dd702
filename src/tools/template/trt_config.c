#include <string.h>

#include "log/log.h"
#include "tools/template/internal.h"
#include "tools/tools.h"

typedef struct config_args {
    pg_args_logging logging;
    pg_args_model model;
    pg_args_data data;
    const char *output;
} config_args;

static const pg_option output_rows[] = {
    {"-o --output", PG_FIELD(config_args, output), .flags = PG_OPTION_PATH | PG_OPTION_REQUIRED,
     .metavar = "FILE", .help = "where to write the script; '-' is the standard output"},
};
static const pg_group output_group = {NULL, output_rows, PG_COUNT(output_rows)};

static const pg_group_use groups[] = {
    {&pg_group_logging, offsetof(config_args, logging)},
    {&pg_group_model, offsetof(config_args, model)},
    {&pg_group_data, offsetof(config_args, data)},
    {&pg_group_trt_config, .as_words = true},
    {&output_group, 0},
};

/* ---- Arguments of CreateConfig ---- */

typedef enum value_kind {
    VALUE_TRUE,
    VALUE_TEXT,
    VALUE_NUMBER,
    VALUE_ENUM,
    VALUE_ENUMS,
    VALUE_OTHER
} value_kind;

/* How an option is written down. Those of VALUE_OTHER have code of their own below. */
static const struct {
    const char *option, *keyword;
    value_kind kind;
    const char *class_name; /* of an enum */
} arguments[] = {
    {"--tf32", "tf32", VALUE_TRUE, NULL},
    {"--fp16", "fp16", VALUE_TRUE, NULL},
    {"--bf16", "bf16", VALUE_TRUE, NULL},
    {"--fp8", "fp8", VALUE_TRUE, NULL},
    {"--int8", "int8", VALUE_TRUE, NULL},
    {"--precision-constraints", "precision_constraints", VALUE_OTHER, NULL},
    {"--sparse-weights", "sparse_weights", VALUE_TRUE, NULL},
    {"--version-compatible", "version_compatible", VALUE_TRUE, NULL},
    {"--exclude-lean-runtime", "exclude_lean_runtime", VALUE_TRUE, NULL},
    {"--load-timing-cache", "load_timing_cache", VALUE_TEXT, NULL},
    {"--timing-cache", "load_timing_cache", VALUE_TEXT, NULL},
    {"--error-on-timing-cache-miss", "error_on_timing_cache_miss", VALUE_TRUE, NULL},
    {"--disable-compilation-cache", "disable_compilation_cache", VALUE_TRUE, NULL},
    {"--tactic-sources", "tactic_sources", VALUE_ENUMS, "TacticSource"},
    {"--trt-safety-restricted", "restricted", VALUE_TRUE, NULL},
    {"--refittable", "refittable", VALUE_TRUE, NULL},
    {"--strip-plan", "strip_plan", VALUE_TRUE, NULL},
    {"--use-dla", "use_dla", VALUE_TRUE, NULL},
    {"--allow-gpu-fallback", "allow_gpu_fallback", VALUE_TRUE, NULL},
    {"--preview-features", "preview_features", VALUE_ENUMS, "PreviewFeature"},
    {"--builder-optimization-level", "builder_optimization_level", VALUE_NUMBER, NULL},
    {"--hardware-compatibility-level", "hardware_compatibility_level", VALUE_ENUM,
     "HardwareCompatibilityLevel"},
    {"--max-aux-streams", "max_aux_streams", VALUE_NUMBER, NULL},
    {"--quantization-flags", "quantization_flags", VALUE_ENUMS, "QuantizationFlag"},
    {"--profiling-verbosity", "profiling_verbosity", VALUE_ENUM, "ProfilingVerbosity"},
    {"--weight-streaming", "weight_streaming", VALUE_TRUE, NULL},
    {"--runtime-platform", "runtime_platform", VALUE_ENUM, "RuntimePlatform"},
    {"--direct-io", "direct_io", VALUE_TRUE, NULL},
    {"--tiling-optimization-level", "tiling_optimization_level", VALUE_ENUM, "TilingOptimizationLevel"},
    {"--calibration-cache", NULL, VALUE_OTHER, NULL},
    {"--calib-base-cls", NULL, VALUE_OTHER, NULL},
    {"--quantile", NULL, VALUE_OTHER, NULL},
    {"--regression-cutoff", NULL, VALUE_OTHER, NULL},
    {"--save-tactics", NULL, VALUE_OTHER, NULL},
    {"--load-tactics", NULL, VALUE_OTHER, NULL},
    {"--pool-limit", NULL, VALUE_OTHER, NULL},
    {"--workspace", NULL, VALUE_OTHER, NULL},
    {"--trt-min-shapes", NULL, VALUE_OTHER, NULL},
    {"--trt-opt-shapes", NULL, VALUE_OTHER, NULL},
    {"--trt-max-shapes", NULL, VALUE_OTHER, NULL},
    {"--trt-config-script", NULL, VALUE_OTHER, NULL},
    {"--trt-config-postprocess-script", NULL, VALUE_OTHER, NULL},
    {"--trt-config-func-name", NULL, VALUE_OTHER, NULL},
};

static pg_status put_plain(const pg_parse_result *parsed, pg_buf *out)
{
    for (size_t i = 0; i < PG_COUNT(arguments); i++) {
        const char *option = arguments[i].option, *keyword = arguments[i].keyword;
        const pg_option_use *use = template_find(parsed, option);
        if (use == NULL || arguments[i].kind == VALUE_OTHER)
            continue;
        if (arguments[i].kind == VALUE_TRUE) {
            pg_python_true(out, keyword, true);
        } else if (arguments[i].kind == VALUE_TEXT) {
            pg_python_keyword(out, keyword, use->words[0]);
        } else if (arguments[i].kind == VALUE_NUMBER) {
            pg_buf_printf(out, ", %s=%s", keyword, use->words[0]);
        } else if (arguments[i].kind == VALUE_ENUMS) {
            PG_TRY(template_enums(out, use, option, keyword, arguments[i].class_name));
        } else {
            pg_buf_printf(out, ", %s=", keyword);
            PG_TRY(template_enum(out, option, arguments[i].class_name, pg_str_c(use->words[0])));
        }
    }
    return NULL;
}

static pg_status put_constraints(const pg_parse_result *parsed, pg_buf *out)
{
    const char *word = template_word(parsed, "--precision-constraints");
    if (word == NULL || strcmp(word, "none") == 0)
        return NULL;
    if (strchr(word, ':') != NULL)
        return pg_err(
            PG_ERR_UNSUPPORTED,
            "option '--precision-constraints': '%s' is about a layer, and a configuration knows none: use "
            "--layer-precisions of 'template trt-network'",
            word);
    pg_python_keyword(out, "precision_constraints", word);
    return NULL;
}

/* ---- Profiles ---- */

typedef struct bounds {
    pg_name_shape *items;
    size_t count;
} bounds;

static pg_status read_bounds(const char *option, const pg_option_use *use, pg_arena *arena, bounds *out)
{
    pg_arg_list list = {.set = true, .items = (const char **)use->words, .count = use->n_words};
    return pg_values_shapes(option, &list, arena, &out->items, &out->count);
}

static const pg_name_shape *find_shape(const bounds *list, pg_str name)
{
    for (size_t i = 0; i < list->count; i++)
        if (pg_str_eq(list->items[i].name, name))
            return &list->items[i];
    return NULL;
}

enum { MIN, OPT, MAX, N_BOUNDS, MOST_PROFILES = 64 };
static const char *const bound_options[N_BOUNDS] = {"--trt-min-shapes", "--trt-opt-shapes",
                                                    "--trt-max-shapes"};

typedef struct profiles {
    bounds items[MOST_PROFILES][N_BOUNDS];
    size_t count;
} profiles;

static pg_status read_profiles(const pg_parse_result *parsed, const pg_args_model *model, pg_arena *arena,
                               profiles *out)
{
    for (int b = 0; b < N_BOUNDS; b++) {
        size_t n = 0;
        for (size_t i = 0; i < parsed->n_uses; i++) {
            if (!pg_str_is(parsed->uses[i].option->names[0], bound_options[b]))
                continue;
            if (n == MOST_PROFILES)
                return pg_err(PG_ERR_LIMIT, "option '%s': more than %d profiles", bound_options[b],
                              MOST_PROFILES);
            PG_TRY(read_bounds(bound_options[b], &parsed->uses[i], arena, &out->items[n++][b]));
        }
        out->count = PG_MAX(out->count, n);
    }
    if (out->count > 0 || model->n_input_shapes == 0)
        return NULL;
    out->count = 1; /* the shapes of the inputs are the only ones */
    bounds *only = &out->items[0][MIN];
    only->items = PG_ARENA_ARRAY(arena, pg_name_shape, model->n_input_shapes);
    for (size_t i = 0; i < model->n_input_shapes; i++)
        only->items[only->count++] = (pg_name_shape){model->input_shapes[i].name, model->input_shapes[i].rank,
                                                     model->input_shapes[i].dims};
    return NULL;
}

static void put_dims(pg_buf *out, const char *keyword, const pg_name_shape *shape)
{
    pg_buf_printf(out, ", %s=[", keyword);
    for (size_t d = 0; d < shape->rank; d++)
        pg_buf_printf(out, "%s%lld", d > 0 ? ", " : "", (long long)shape->dims[d]);
    pg_buf_putc(out, ']');
}

/* A bound that is not given is that of the others, the optimum first. */
static pg_status put_input(pg_buf *out, const bounds profile[N_BOUNDS], pg_str name)
{
    const pg_name_shape *found[N_BOUNDS];
    for (int b = 0; b < N_BOUNDS; b++)
        found[b] = find_shape(&profile[b], name);
    const pg_name_shape *any = found[OPT] != NULL ? found[OPT] : found[MIN] != NULL ? found[MIN] : found[MAX];
    pg_buf_puts(out, ".add(");
    pg_python_text(out, name);
    static const char *const keywords[N_BOUNDS] = {"min", "opt", "max"};
    for (int b = 0; b < N_BOUNDS; b++) {
        const pg_name_shape *shape = found[b] != NULL ? found[b] : any;
        if (shape->rank != any->rank)
            return pg_err(PG_ERR_INVALID,
                          "option '%s': input '%" PG_STR_FMT
                          "' has %zu dimensions here and %zu in another bound",
                          bound_options[b], PG_STR_ARG(name), shape->rank, any->rank);
        put_dims(out, keywords[b], shape);
    }
    pg_buf_putc(out, ')');
    return NULL;
}

/* Bounds that are given name the same inputs. */
static pg_status check_names(const bounds profile[N_BOUNDS])
{
    for (int a = 0; a < N_BOUNDS; a++)
        for (int b = 0; b < N_BOUNDS; b++)
            for (size_t i = 0; profile[b].count > 0 && i < profile[a].count; i++)
                if (find_shape(&profile[b], profile[a].items[i].name) == NULL)
                    return pg_err(PG_ERR_INVALID,
                                  "option '%s' has no shape for input '%" PG_STR_FMT "', which %s has",
                                  bound_options[b], PG_STR_ARG(profile[a].items[i].name), bound_options[a]);
    return NULL;
}

static pg_status put_profile(pg_buf *out, const bounds profile[N_BOUNDS])
{
    PG_TRY(check_names(profile));
    pg_buf_puts(out, "    Profile()");
    for (int b = 0; b < N_BOUNDS; b++)
        for (size_t i = 0; i < profile[b].count; i++) {
            pg_str name = profile[b].items[i].name;
            bool before = false;
            for (int other = 0; other < b; other++)
                before = before || find_shape(&profile[other], name) != NULL;
            if (!before)
                PG_TRY(put_input(out, profile, name));
        }
    pg_buf_puts(out, ",\n");
    return NULL;
}

static pg_status write_profiles(pg_python *py, const pg_parse_result *parsed, const pg_args_model *model,
                                pg_buf *out)
{
    profiles *all = PG_ARENA_NEW(py->arena, profiles);
    PG_TRY(read_profiles(parsed, model, py->arena, all));
    if (all->count == 0)
        return NULL;
    pg_python_need(py, TEMPLATE_TRT, "Profile");
    pg_buf_puts(&py->body, "profiles = [\n");
    for (size_t i = 0; i < all->count; i++)
        PG_TRY(put_profile(&py->body, all->items[i]));
    pg_buf_puts(&py->body, "]\n");
    pg_buf_puts(out, ", profiles=profiles");
    return NULL;
}

/* ---- Calibration, tactics, memory ---- */

static pg_status put_calibrator(pg_python *py, const pg_parse_result *parsed, const config_args *args,
                                pg_buf *out)
{
    static const char *const of_calibration[] = {"--calibration-cache", "--calib-base-cls", "--quantile",
                                                 "--regression-cutoff"};
    const char *base = template_word(parsed, "--calib-base-cls");
    if (!template_given(parsed, "--int8")) {
        for (size_t i = 0; i < PG_COUNT(of_calibration); i++)
            if (template_given(parsed, of_calibration[i]))
                return pg_err(PG_ERR_INVALID, "option '%s' is about calibration, which only --int8 does",
                              of_calibration[i]);
        return NULL;
    }
    if (!args->data.load_inputs.set)
        PG_LOG_WARNING(
            "The script calibrates int8 with random inputs, which real data may not resemble: give some with "
            "--load-inputs.");
    PG_TRY(pg_python_loader(py, &args->data, &args->model));
    pg_python_need(py, TEMPLATE_TRT, "Calibrator");
    pg_buf_puts(out, ", calibrator=Calibrator(data_loader=data_loader");
    pg_python_keyword(out, "cache", template_word(parsed, "--calibration-cache"));
    if (base != NULL) {
        pg_buf_puts(out, ", BaseClass=");
        PG_TRY(template_enum(out, "--calib-base-cls", NULL, pg_str_c(base)));
    }
    if (template_given(parsed, "--quantile"))
        pg_buf_printf(out, ", quantile=%s", template_word(parsed, "--quantile"));
    if (template_given(parsed, "--regression-cutoff"))
        pg_buf_printf(out, ", regression_cutoff=%s", template_word(parsed, "--regression-cutoff"));
    pg_buf_putc(out, ')');
    return NULL;
}

static void put_tactics(pg_python *py, const pg_parse_result *parsed, pg_buf *out)
{
    const char *save = template_word(parsed, "--save-tactics"),
               *load = template_word(parsed, "--load-tactics");
    const char *path = save != NULL ? save : load;
    if (path == NULL)
        return;
    pg_python_need(py, TEMPLATE_TRT, save != NULL ? "TacticRecorder" : "TacticReplayer");
    pg_buf_printf(
        out, ", algorithm_selector=%s=", save != NULL ? "TacticRecorder(record" : "TacticReplayer(replay");
    pg_python_text(out, pg_str_c(path));
    pg_buf_putc(out, ')');
}

static pg_status put_pools(const pg_parse_result *parsed, pg_buf *out)
{
    const pg_option_use *use = template_find(parsed, "--pool-limit");
    const char *workspace = template_word(parsed, "--workspace");
    size_t count = use != NULL ? use->n_words : 0;
    if (count == 0 && workspace == NULL)
        return NULL;
    pg_buf_puts(out, ", memory_pool_limits={");
    for (size_t i = 0; i < count + (workspace != NULL); i++) {
        pg_name_value part = {PG_STR("workspace"), pg_str_c(workspace)};
        const char *option = i < count ? "--pool-limit" : "--workspace";
        int64_t bytes;
        if (i < count)
            part = pg_value_split(pg_str_c(use->words[i]));
        PG_TRY(pg_value_bytes(option, part.value, &bytes));
        pg_buf_puts(out, i > 0 ? ", " : "");
        PG_TRY(template_enum(out, option, "MemoryPoolType", part.name));
        pg_buf_printf(out, ": %lld", (long long)bytes);
    }
    pg_buf_putc(out, '}');
    return NULL;
}

/* ---- The script ---- */

static pg_status write_config(pg_python *py, const pg_parse_result *parsed, const config_args *args)
{
    pg_buf call = {0};
    pg_status status = NULL;
    PG_TRY_GOTO(status, put_constraints(parsed, &call));
    PG_TRY_GOTO(status, write_profiles(py, parsed, &args->model, &call));
    PG_TRY_GOTO(status, put_plain(parsed, &call));
    put_tactics(py, parsed, &call);
    PG_TRY_GOTO(status, put_pools(parsed, &call));
    PG_TRY_GOTO(status, put_calibrator(py, parsed, args, &call));
    pg_python_need(py, TEMPLATE_TRT, "CreateConfig");
    pg_python_call(py, "config_loader", "CreateConfig", &call);
done:
    pg_buf_deinit(&call);
    return status;
}

/* A script takes the place of all other options. */
static pg_status write_script(pg_python *py, const pg_parse_result *parsed, const char *script)
{
    const char *function = template_word(parsed, "--trt-config-func-name");
    for (size_t i = 0; i < PG_COUNT(arguments); i++)
        if (template_given(parsed, arguments[i].option) &&
            strncmp(arguments[i].option, "--trt-config-", 13) != 0)
            return pg_err(PG_ERR_INVALID,
                          "option '%s': the configuration comes from --trt-config-script, which takes the "
                          "place of all other options",
                          arguments[i].option);
    pg_buf_puts(&py->body, "config_loader = ");
    template_invoke(py, &py->body, script, function != NULL ? function : "load_config");
    pg_buf_putc(&py->body, '\n');
    return NULL;
}

static pg_status write_body(pg_python *py, const pg_parse_result *parsed, const config_args *args)
{
    const char *script = template_word(parsed, "--trt-config-script");
    const char *after = template_word(parsed, "--trt-config-postprocess-script");
    if (script == NULL && template_given(parsed, "--trt-config-func-name"))
        return pg_err(PG_ERR_INVALID,
                      "option '--trt-config-func-name' names a function of --trt-config-script");
    if (script != NULL)
        PG_TRY(write_script(py, parsed, script));
    else
        PG_TRY(write_config(py, parsed, args));
    if (after == NULL)
        return NULL;
    pg_python_need(py, TEMPLATE_TRT, "PostprocessConfig");
    pg_buf_puts(&py->body, "config_loader = PostprocessConfig(config_loader, func=");
    template_invoke(py, &py->body, after, "postprocess_config");
    pg_buf_puts(&py->body, ")\n");
    return NULL;
}

static pg_status write(void *values, const pg_parse_result *parsed, pg_arena *arena)
{
    const config_args *args = values;
    pg_python py = {.arena = arena, .indent = ""};
    pg_buf text = {0};
    pg_status status = NULL;
    pg_python_need(&py, "polygraphy", "func");
    pg_python_need(&py, "polygraphy", "mod");
    PG_TRY_GOTO(status, write_body(&py, parsed, args));
    pg_python_head(&py, "The configuration of a TensorRT builder, begun by this command:", &text);
    pg_buf_puts(&text, "\ntrt = mod.lazy_import(\"tensorrt>=8.5\")\n\n");
    pg_buf_add_str(&text, pg_buf_str(&py.body));
    pg_buf_puts(&text, "\n\n@func.extend(config_loader)\n"
                       "def load_config(builder, network, config):\n"
                       "    # Change `config`, a trt.IBuilderConfig, here; it is handed on by itself.\n"
                       "    pass\n");
    status = pg_python_write(args->output, &text, true);
done:
    pg_buf_deinit(&text);
    pg_python_deinit(&py);
    return status;
}

const pg_command pg_command_template_trt_config = {
    .name = "trt-config",
    .summary = "Write a TensorRT configuration script.",
    .description = "The script's function load_config begins with what the options say.",
    .examples = "polygraphy template trt-config --fp16 --pool-limit workspace:1G -o config.py",
    .groups = groups,
    .n_groups = PG_COUNT(groups),
    .values_size = sizeof(config_args),
    .write = write,
};
