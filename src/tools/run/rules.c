/* What the options of `run` must satisfy together, checked before the work starts. */
#include <string.h>

#include "cli/option.h"
#include "log/log.h"
#include "native/onednn/onednn.h"
#include "tools/run/internal.h"

/* Whether a path is a folder or a file, or lies in it. */
static bool lies_in(pg_arena *arena, const char *path, const char *folder)
{
    const char *named = strrchr(path, ':'); /* "input:path" */
    if (named != NULL && lies_in(arena, named + 1, folder))
        return true;
    char *a = pg_path_absolute(arena, pg_str_c(path)), *b = pg_path_absolute(arena, pg_str_c(folder));
    size_t length = strlen(b);
    return strncmp(a, b, length) == 0 && (a[length] == '\0' || a[length] == '/' || strcmp(b, "/") == 0);
}

static pg_status check_overlap(const run_args *args, pg_arena *arena)
{
    const char *saves[] = {
        args->inference.save_inputs, args->inference.save_outputs, args->inference.save_input_blob.text,
        args->compare.save_report,   args->compare.save_accuracy,  args->reports.html,
        args->reports.junit,         args->reports.sarif,          args->reports.json,
        args->native.save_profile,   args->trt.save.engine,        args->ranges.save};
    const pg_arg_list *loads[] = {&args->data.load_inputs, &args->compare.load_outputs};
    for (size_t s = 0; s < PG_COUNT(saves); s++) {
        if (saves[s] == NULL)
            continue;
        for (size_t o = 0; o < s; o++)
            if (saves[o] != NULL && lies_in(arena, saves[o], saves[s]) && lies_in(arena, saves[s], saves[o]))
                return pg_err(PG_ERR_INVALID, "two kinds of data would be saved to '%s'. Use distinct paths.",
                              saves[s]);
        for (size_t l = 0; l < PG_COUNT(loads); l++)
            for (size_t i = 0; i < loads[l]->count; i++)
                if (lies_in(arena, loads[l]->items[i], saves[s]))
                    return pg_err(
                        PG_ERR_INVALID,
                        "The load path '%s' overlaps the save path '%s'. Saving would overwrite or "
                        "conflict with the data being loaded. Use distinct paths for loading and saving.",
                        loads[l]->items[i], saves[s]);
    }
    return NULL;
}

/* `names` are options, separated by blanks. */
static bool has_runner(const run_args *args, const char *names)
{
    pg_str rest = pg_str_c(names), name;
    while (pg_str_split(&rest, ' ', &name))
        for (size_t i = 0; i < args->runners.names.count; i++)
            if (pg_str_is(pg_str_sub(name, 2, name.len), args->runners.names.items[i]))
                return true;
    return false;
}

/* Options of runners that do not run do nothing: say so. */
static void warn_idle(const run_args *args, const pg_group *group, const void *values, const char *names,
                      pg_arena *arena)
{
    if (!has_runner(args, names))
        pg_group_warn_idle(group, values,
                           pg_arena_printf(arena, "none of the runners it is for was selected (%s)", names));
}

static void warn_idle_trt(const run_args *args, pg_arena *arena)
{
    const pg_args_trt *trt = &args->trt;
    if (trt->engine.engine != NULL)
        return; /* a runner of its own */
    warn_idle(args, &pg_group_trt_library, &trt->library, "--trt", arena);
    warn_idle(args, &pg_group_trt_config, &trt->config, "--trt", arena);
    warn_idle(args, &pg_group_trt_plugins, &trt->plugins, "--trt", arena);
    warn_idle(args, &pg_group_trt_parser, &trt->parser, "--trt", arena);
    warn_idle(args, &pg_group_trt_network, &trt->network, "--trt", arena);
    warn_idle(args, &pg_group_trt_save_engine, &trt->save, "--trt", arena);
    warn_idle(args, &pg_group_trt_engine, &trt->engine, "--trt", arena);
    warn_idle(args, &pg_group_trt_inference, &trt->inference, "--trt", arena);
}

typedef struct target {
    const char *option, *path;
    bool folder; /* of several files; otherwise the extension decides */
} target;

static pg_status check_target(const target *to, pg_arena *arena)
{
    const char *path = to->path;
    if (path == NULL)
        return NULL;
    if (to->folder)
        path = pg_arena_printf(arena, "%s/file", path);
    PG_TRY_CTX(pg_file_check_writable(path), "option '%s' with '%s'", to->option, to->path);
    return NULL;
}

static bool is_folder(const char *path)
{
    return path != NULL && pg_path_extension(pg_str_c(path)).len == 0;
}

/* What could not be written at the end is said at the start. */
static pg_status check_targets(const run_args *args, pg_arena *arena)
{
    const pg_args_inference *inference = &args->inference;
    const target targets[] = {
        {"--save-onnx", args->onnx_save.path, false},
        {"--save-inputs", inference->save_inputs, is_folder(inference->save_inputs)},
        {"--save-outputs", inference->save_outputs, is_folder(inference->save_outputs)},
        {"--save-input-blob", inference->save_input_blob.text, true},
        {"--save-heatmaps", args->simple.save_heatmaps, true},
        {"--save-error-metrics-plot", args->simple.save_error_plot, true},
        {"--save-accuracy-results", args->compare.save_accuracy, false},
        {"--save-report", args->compare.save_report, false},
        {"--save-profile", args->native.save_profile, false},
        {"--save-engine", args->trt.save.engine, false},
        {"--save-range-report", args->ranges.save, false},
        {"--calibration-cache", args->trt.config.calibration_cache, false},
        {"--save-tactics", args->trt.config.save_tactics, false},
        {"--report", args->reports.html, false},
        {"--junit", args->reports.junit, false},
        {"--sarif", args->reports.sarif, false},
        {"--json", args->reports.json, false},
    };
    for (size_t i = 0; i < PG_COUNT(targets); i++)
        PG_TRY(check_target(&targets[i], arena));
    return run_savers_check(args);
}

pg_status run_check(const run_args *args, pg_arena *arena)
{
    const pg_args_inference *inference = &args->inference;
    if (args->model.path == NULL && args->runners.names.count > 0)
        return pg_err(
            PG_ERR_INVALID,
            "One or more runners was specified, but no model file was provided. Make sure you've specified "
            "the model path, and also that it's not being consumed as an argument for another parameter");
    if (args->model.path == NULL && args->ranges.wanted)
        return pg_err(PG_ERR_INVALID, "--range-report needs a model");
    if (args->model.path == NULL && args->simple.tolerance != NULL)
        return pg_err(PG_ERR_INVALID, "--tolerance auto needs the ONNX model, to measure with");
    if (inference->subprocess && args->native.profiles)
        return pg_err(PG_ERR_INVALID,
                      "option '%s': a profile cannot be taken of a runner in a process of its own: leave "
                      "out --use-subprocess",
                      args->native.profile.set ? "--profile" : "--save-profile");
    pg_args_warn_onnx_save(&args->onnx_save);
    warn_idle(args, &pg_group_onnxrt, &args->onnxrt, "--onnxrt", arena);
    warn_idle(args, &pg_group_native, &args->native, "--native --onnx --trt", arena);
    warn_idle_trt(args, arena);
    if (args->runners.names.count == 0 && args->trt.engine.engine == NULL) {
        PG_LOG_WARNING("No runners have been selected. Inference will not be run!");
        if (args->compare.load_outputs.set &&
            (args->data.load_inputs.set || inference->save_inputs != NULL || inference->save_input_blob.set))
            PG_LOG_WARNING(
                "No runners were specified, so inference will not be run and input-related options "
                "(e.g. --load-inputs/--save-inputs/--save-input-blob/--data-loader-script) will be "
                "ignored. Comparison will use only the loaded outputs.");
    }
    return NULL;
}

static pg_status check_data_paths(const char *option, const pg_arg_list *paths)
{
    for (size_t i = 0; i < paths->count; i++)
        PG_TRY_CTX(pg_data_check_path(paths->items[i]), "option '%s'", option);
    return NULL;
}

/* What is not there is said before runners start. */
static pg_status check_sources(const run_args *args)
{
    const char *weights = args->onnx.external_data_dir;
    PG_TRY(check_data_paths("--load-inputs", &args->data.load_inputs));
    PG_TRY(check_data_paths("--load-outputs", &args->compare.load_outputs));
    if (weights != NULL && !pg_path_is_dir(weights))
        return pg_err(PG_ERR_NOT_FOUND, "option '--external-data-dir': there is no folder '%s'", weights);
    if (args->native.onednn == NULL || !has_runner(args, "--native --onnx --trt"))
        return NULL;
    pg_onednn_configure(args->native.onednn, false);
    return pg_onednn_available()
               ? NULL
               : pg_err(PG_ERR_UNAVAILABLE, "option '--onednn-library': %s", pg_onednn_reason());
}

/* What every comparison must satisfy, with or without runners. */
pg_status run_check_comparison(const run_args *args, pg_arena *arena)
{
    PG_TRY(check_overlap(args, arena));
    for (size_t i = 0; i < args->compare.n_functions; i++)
        if (args->compare.functions[i] == PG_COMPARE_PERCEPTUAL)
            return pg_err(PG_ERR_UNAVAILABLE, "%s", pg_compare_perceptual_reason);
    PG_TRY(check_sources(args));
    PG_TRY(check_targets(args, arena));
    return pg_args_check_average(&args->compare, &args->simple);
}

/* ---- Names in options ---- */

static const char *nearest_input(const pg_graph *graph, pg_str name, pg_arena *arena)
{
    const char **names = PG_ARENA_ARRAY(arena, const char *, graph->n_inputs + 1);
    for (size_t i = 0; i < graph->n_inputs; i++)
        names[i] = pg_arena_cstr(arena, graph->inputs[i].name);
    return pg_suggest(name, names, graph->n_inputs);
}

static pg_status no_such_input(const pg_graph *graph, pg_str name)
{
    pg_arena arena = {0};
    pg_buf list = {0};
    const char *near = nearest_input(graph, name, &arena);
    for (size_t i = 0; i < graph->n_inputs; i++)
        pg_buf_printf(&list, "%s'%" PG_STR_FMT "'", i > 0 ? ", " : "", PG_STR_ARG(graph->inputs[i].name));
    pg_status status =
        pg_err(PG_ERR_INVALID,
               "option '--input-shapes': no input matches '%" PG_STR_FMT "'; the model's inputs "
               "are: %s%s%s%s",
               PG_STR_ARG(name), list.len > 0 ? pg_buf_cstr(&list) : "none",
               near != NULL ? "; did you mean '" : "", near != NULL ? near : "", near != NULL ? "'?" : "");
    pg_buf_deinit(&list);
    pg_arena_deinit(&arena);
    return status;
}

static bool has_input(const pg_graph *graph, pg_str name)
{
    bool found = name.len == 0;
    for (size_t i = 0; i < graph->n_inputs && !found; i++)
        found = pg_str_eq(name, graph->inputs[i].name) || pg_str_wildcard(name, graph->inputs[i].name);
    return found;
}

/* Outputs that only a loaded run has are not known here. */
static void warn_unknown_output(const run_args *args, const pg_graph *graph, pg_str name)
{
    bool found = name.len == 0 || args->compare.load_outputs.set;
    for (size_t i = 0; i < graph->n_outputs && !found; i++)
        found = pg_str_eq(name, graph->outputs[i].name);
    if (!found)
        PG_LOG_WARNING("Option: --postprocess names '%" PG_STR_FMT "', but the model has no such output.",
                       PG_STR_ARG(name));
}

pg_status run_check_names(const run_args *args, const pg_model *model)
{
    const pg_graph *graph = model->graph;
    for (size_t i = 0; i < args->model.n_input_shapes && args->runners.names.count > 0; i++)
        if (!has_input(graph, args->model.input_shapes[i].name))
            return no_such_input(graph, args->model.input_shapes[i].name);
    for (size_t i = 0; i < args->postprocess.n_top_k; i++)
        warn_unknown_output(args, graph, args->postprocess.top_k[i].output);
    return NULL;
}
