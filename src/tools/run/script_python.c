/* --gen-script FILE.py: a script that does with Polygraphy's Python package what the command does. */
#include <string.h>

#include "tools/run/script.h"

static const char expressible[] =
    "model_file --model-type --input-shapes -v -q --extra-verbose --verbosity --silent --log-format "
    "--log-file --onnxrt --trt "
    "--shape-inference --no-onnxruntime-shape-inference --external-data-dir --ignore-external-data "
    "--onnx-outputs "
    "--onnx-exclude-outputs --onnx-outputs-by-type --mark-all --exclude-outputs --fp-to-fp16 --save-onnx "
    "--save-external-data --external-data-size-threshold --no-save-all-tensors-to-one-file --providers "
    "--graph-optimization-level --seed --val-range --iterations --data-loader-backend-module --load-inputs "
    "--warm-up "
    "--save-inputs --save-outputs --save-input-blob --postprocess --no-shape-check --validate --fail-fast "
    "--check-average --sequential-runners --compare --load-outputs --save-accuracy-results --rtol --atol "
    "--check-error-stat --error-quantile --infinities-compare-equal --save-heatmaps --show-heatmaps "
    "--save-error-metrics-plot --show-error-metrics-plot --index-tolerance --l2-threshold "
    "--cosine-similarity-threshold --psnr-threshold --snr-threshold --gen-script";

/* The script's parts; what is imported is known once they are written. */
typedef struct python {
    const run_args *args;
    pg_arena *arena;
    pg_buf body;                          /* of main */
    const char *onnx[8], *comparator[12]; /* names imported */
    size_t n_onnx, n_comparator;
    bool constants, metadata, onnxrt_module, trt;
    bool by_path; /* the model is handed over as a path, because nothing changes it */
} python;

static void import(const char **names, size_t *count, const char *name)
{
    for (size_t i = 0; i < *count; i++)
        if (strcmp(names[i], name) == 0)
            return;
    names[(*count)++] = name;
}
#define FROM_ONNX(py, name) import((py)->onnx, &(py)->n_onnx, name)
#define FROM_COMPARATOR(py, name) import((py)->comparator, &(py)->n_comparator, name)

/* ---- Values ---- */

static void put_text(pg_buf *out, const char *text)
{
    run_script_text(out, pg_str_c(text));
}

static void put_texts(pg_buf *out, const char *const *items, size_t count)
{
    pg_buf_putc(out, '[');
    for (size_t i = 0; i < count; i++) {
        pg_buf_puts(out, i > 0 ? ", " : "");
        put_text(out, items[i]);
    }
    pg_buf_putc(out, ']');
}

static void put_number(pg_buf *out, double value, bool integer)
{
    run_script_number(out, value, integer, "float(\"inf\")", "float(\"nan\")");
}

/* ", name={"": 1e-05, "y": 0.1}"; nothing without entries. */
static void put_by_output(pg_buf *out, const char *keyword, pg_output_numbers numbers)
{
    if (numbers.count == 0)
        return;
    pg_buf_printf(out, ", %s={", keyword);
    for (size_t i = 0; i < numbers.count; i++) {
        pg_buf_puts(out, i > 0 ? ", " : "");
        run_script_text(out, numbers.items[i].output);
        pg_buf_puts(out, ": ");
        put_number(out, numbers.items[i].value, numbers.items[i].integer);
    }
    pg_buf_putc(out, '}');
}

static void put_keyword(pg_buf *out, const char *keyword, const char *text)
{
    if (text == NULL)
        return;
    pg_buf_printf(out, ", %s=", keyword);
    put_text(out, text);
}

static void put_true(pg_buf *out, const char *keyword, bool value)
{
    if (value)
        pg_buf_printf(out, ", %s=True", keyword);
}

/* "    name = Class(first, keywords...)": `arguments` begins with ", " or is empty. */
static void put_call(pg_buf *out, const char *target, const char *call, const pg_buf *arguments)
{
    const char *rest = pg_buf_cstr(arguments);
    pg_buf_printf(out, "    %s = %s(%s)\n", target, call, strncmp(rest, ", ", 2) == 0 ? rest + 2 : rest);
}

/* ---- Log ---- */

static pg_status write_log(python *py)
{
    const pg_args_logging *log = &py->args->logging;
    pg_severity level = pg_args_log_level(log);
    for (size_t i = 0; i < log->verbosity.count; i++) {
        pg_name_value part = pg_value_split(pg_str_c(log->verbosity.items[i]));
        if (part.name.len > 0)
            return pg_err(
                PG_ERR_UNSUPPORTED,
                "option '--verbosity': '%s' cannot be expressed in a Python script, where files have other "
                "paths; give one level for all",
                log->verbosity.items[i]);
        if (level == PG_INFO && !pg_severity_parse(pg_str_trim(part.value), &level))
            return pg_err(PG_ERR_INVALID, "option '--verbosity': '%s' is not a level",
                          log->verbosity.items[i]);
    }
    if (level != PG_INFO)
        pg_buf_printf(&py->body, "    G_LOGGER.module_severity = G_LOGGER.%s\n", pg_severity_name(level));
    static const char *const formats[][2] = {{"timestamp", "timestamp = True"},
                                             {"line-info", "line_info = True"},
                                             {"no-colors", "colors = False"}};
    for (size_t i = 0; i < log->log_format.count; i++)
        for (size_t f = 0; f < PG_COUNT(formats); f++)
            if (strcmp(log->log_format.items[i], formats[f][0]) == 0)
                pg_buf_printf(&py->body, "    G_LOGGER.%s\n", formats[f][1]);
    if (log->log_file != NULL) {
        pg_buf_puts(&py->body, "    G_LOGGER.log_file = ");
        put_text(&py->body, log->log_file);
        pg_buf_putc(&py->body, '\n');
    }
    return NULL;
}

/* ---- Model ---- */

static void put_external(pg_buf *out, const pg_args_onnx *onnx)
{
    put_keyword(out, "external_data_dir", onnx->external_data_dir);
    put_true(out, "ignore_external_data", onnx->ignore_external_data);
}

static bool selects(const pg_output_selection *selection)
{
    return selection->mark_all || selection->n_names + selection->n_op_types + selection->n_exclude > 0;
}

static void write_outputs(python *py)
{
    const pg_output_selection *selection = &py->args->onnx.selection;
    pg_buf arguments = {0};
    if (!selects(selection))
        return;
    FROM_ONNX(py, "ModifyOutputs");
    pg_buf_puts(&arguments, "model");
    if (selection->mark_all) {
        py->constants = true;
        pg_buf_puts(&arguments, ", outputs=constants.MARK_ALL");
    } else if (selection->n_names > 0) {
        pg_buf_puts(&arguments, ", outputs=");
        put_texts(&arguments, selection->names, selection->n_names);
    }
    if (selection->n_exclude > 0) {
        pg_buf_puts(&arguments, ", exclude_outputs=");
        put_texts(&arguments, selection->exclude, selection->n_exclude);
    }
    if (selection->n_op_types > 0) {
        pg_buf_puts(&arguments, ", mark_types=");
        put_texts(&arguments, selection->op_types, selection->n_op_types);
    }
    put_call(&py->body, "model", "ModifyOutputs", &arguments);
    pg_buf_deinit(&arguments);
}

static void write_save(python *py)
{
    const pg_args_onnx_save *save = &py->args->onnx_save;
    pg_buf arguments = {0};
    if (save->path == NULL)
        return;
    FROM_ONNX(py, "SaveOnnx");
    pg_buf_puts(&arguments, "model");
    put_keyword(&arguments, "path", save->path);
    if (save->external.set) /* an empty name is the package's default name */
        put_keyword(&arguments, "external_data_path", save->external.text != NULL ? save->external.text : "");
    if (save->options.has_threshold)
        pg_buf_printf(&arguments, ", size_threshold=%llu", (unsigned long long)save->options.size_threshold);
    if (save->per_tensor)
        pg_buf_puts(&arguments, ", all_tensors_to_one_file=False");
    put_call(&py->body, "model", "SaveOnnx", &arguments);
    pg_buf_deinit(&arguments);
}

static bool is_as_it_is(const run_args *args)
{
    const pg_args_onnx *onnx = &args->onnx;
    return onnx->external_data_dir == NULL && !onnx->ignore_external_data && !selects(&onnx->selection) &&
           !onnx->fp16 && !args->onnx_shapes.infer && args->onnx_save.path == NULL;
}

/* The model as a loader, changed and saved as asked. */
static void write_model(python *py)
{
    const run_args *args = py->args;
    pg_buf arguments = {0};
    put_text(&arguments, pg_path_absolute(py->arena, pg_str_c(args->model.path)));
    py->by_path = is_as_it_is(args);
    if (py->by_path) {
        pg_buf_printf(&py->body, "    model = %s\n", pg_buf_cstr(&arguments));
        pg_buf_deinit(&arguments);
        return;
    }
    put_external(&arguments, &args->onnx);
    FROM_ONNX(py, "OnnxFromPath");
    put_call(&py->body, "model", "OnnxFromPath", &arguments);
    if (args->onnx_shapes.infer) {
        FROM_ONNX(py, "InferShapes");
        pg_buf_printf(&py->body, "    model = InferShapes(model%s)\n",
                      args->onnx_shapes.no_onnxruntime ? ", allow_onnxruntime=False" : "");
    }
    write_outputs(py);
    if (args->onnx.fp16) {
        FROM_ONNX(py, "ConvertToFp16");
        pg_buf_puts(&py->body, "    model = ConvertToFp16(model)\n");
    }
    write_save(py);
    pg_buf_deinit(&arguments);
}

/* ---- Runners ---- */

static bool has_runner(const run_args *args, const char *name)
{
    for (size_t i = 0; i < args->runners.names.count; i++)
        if (strcmp(args->runners.names.items[i], name) == 0)
            return true;
    return false;
}

static void write_session(python *py)
{
    const pg_args_onnxrt *onnxrt = &py->args->onnxrt;
    if (!py->by_path)
        FROM_ONNX(py, "BytesFromOnnx");
    pg_buf_printf(&py->body, "    session = SessionFromOnnx(%s",
                  py->by_path ? "model" : "BytesFromOnnx(model)");
    if (onnxrt->providers_text.count > 0) {
        pg_buf_puts(&py->body, ", providers=");
        put_texts(&py->body, onnxrt->providers_text.items, onnxrt->providers_text.count);
    }
    if (onnxrt->optimization_level != NULL) {
        py->onnxrt_module = true;
        pg_buf_puts(&py->body, ", graph_optimization_level=onnxruntime.GraphOptimizationLevel.");
        for (const char *c = onnxrt->optimization_level; *c != '\0'; c++)
            pg_buf_putc(&py->body, *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c);
    }
    pg_buf_puts(&py->body, ")\n");
}

static void write_runners(python *py)
{
    const run_args *args = py->args;
    if (args->runners.names.count == 0) {
        pg_buf_puts(&py->body, "    runners = []\n");
        return;
    }
    if (has_runner(args, "onnxrt"))
        write_session(py);
    if (has_runner(args, "trt")) {
        py->trt = true;
        if (!py->by_path)
            FROM_ONNX(py, "BytesFromOnnx");
        pg_buf_printf(&py->body, "    engine = EngineFromNetwork(%s)\n",
                      py->by_path ? "NetworkFromOnnxPath(model)"
                                  : "NetworkFromOnnxBytes(BytesFromOnnx(model))");
    }
    pg_buf_puts(&py->body, "    runners = [");
    for (size_t i = 0; i < args->runners.names.count; i++)
        pg_buf_printf(&py->body, "%s%s", i > 0 ? ", " : "",
                      strcmp(args->runners.names.items[i], "trt") == 0 ? "TrtRunner(engine)"
                                                                       : "OnnxrtRunner(session)");
    pg_buf_puts(&py->body, "]\n");
}

/* ---- Inputs ---- */

/* Polygraphy reads its own JSON, and folders of it. */
static pg_status check_json(const char *option, const char *path)
{
    pg_str extension = pg_path_extension(pg_str_c(path));
    if (extension.len == 0 || pg_str_is(extension, ".json") || pg_path_is_dir(path))
        return NULL;
    return pg_err(PG_ERR_UNSUPPORTED,
                  "option '%s': '%s' cannot be expressed in a Python script: Polygraphy's package knows "
                  ".json files and "
                  "folders only",
                  option, path);
}

static void put_shapes(python *py, pg_buf *out)
{
    const pg_args_model *model = &py->args->model;
    if (model->n_input_shapes == 0)
        return;
    py->metadata = true;
    pg_buf_puts(out, ", input_metadata=TensorMetadata()");
    for (size_t i = 0; i < model->n_input_shapes; i++) {
        const pg_input_shape *shape = &model->input_shapes[i];
        pg_buf_puts(out, ".add(");
        run_script_text(out, shape->name);
        pg_buf_puts(out, ", None, [");
        for (size_t d = 0; d < shape->rank; d++)
            pg_buf_printf(out, "%s%lld", d > 0 ? ", " : "", (long long)shape->dims[d]);
        pg_buf_puts(out, "])");
    }
}

static void put_ranges(python *py, pg_buf *out)
{
    const pg_loader_options *options = &py->args->data.options;
    if (options->n_ranges == 0)
        return;
    pg_buf_puts(out, ", val_range={");
    for (size_t i = 0; i < options->n_ranges; i++) {
        const pg_input_range *range = &options->ranges[i];
        pg_buf_puts(out, i > 0 ? ", " : "");
        run_script_text(out, range->name);
        pg_buf_puts(out, ": (");
        put_number(out, range->low.real, range->low.is_integer);
        pg_buf_puts(out, ", ");
        put_number(out, range->high.real, range->high.is_integer);
        pg_buf_putc(out, ')');
    }
    pg_buf_putc(out, '}');
}

static pg_status write_loader(python *py)
{
    const pg_args_data *data = &py->args->data;
    pg_buf arguments = {0};
    if (data->load_inputs.set) {
        for (size_t i = 0; i < data->load_inputs.count; i++)
            PG_TRY(check_json("--load-inputs", data->load_inputs.items[i]));
        put_texts(&arguments, data->load_inputs.items, data->load_inputs.count);
        FROM_COMPARATOR(py, "StreamingDataLoader");
        put_call(&py->body, "data_loader", "StreamingDataLoader", &arguments);
    } else {
        if (data->seed.set)
            pg_buf_printf(&arguments, ", seed=%lld", (long long)data->seed.value);
        if (data->iterations.set)
            pg_buf_printf(&arguments, ", iterations=%lld", (long long)data->iterations.value);
        put_shapes(py, &arguments);
        put_ranges(py, &arguments);
        FROM_COMPARATOR(py, "DataLoader");
        put_call(&py->body, "data_loader", "DataLoader", &arguments);
    }
    pg_buf_deinit(&arguments);
    return NULL;
}

/* ---- Runs ---- */

/* The package warms runners up only when they run one after the other; the answers are the same. */
static bool sequential(const run_args *args)
{
    return args->compare.sequential_runners || args->inference.warm_up > 0;
}

static pg_status write_live_runs(python *py)
{
    const pg_args_inference *inference = &py->args->inference;
    pg_buf arguments = {0};
    PG_TRY(write_loader(py));
    if (inference->save_inputs != NULL)
        PG_TRY(check_json("--save-inputs", inference->save_inputs));
    if (inference->save_outputs != NULL)
        PG_TRY(check_json("--save-outputs", inference->save_outputs));
    pg_buf_puts(&arguments, "runners, data_loader=data_loader");
    if (inference->warm_up > 0)
        pg_buf_printf(&arguments, ", warm_up=%zu", inference->warm_up);
    put_keyword(&arguments, "save_inputs_path", inference->save_inputs);
    put_keyword(&arguments, "save_outputs_path", inference->save_outputs);
    if (inference->save_input_blob.set)
        put_keyword(&arguments, "save_input_blob_path", inference->save_input_blob.text);
    put_true(&arguments, "streaming", !sequential(py->args));
    pg_buf_printf(&py->body, "    runs = [Comparator.run(%s)]\n", pg_buf_cstr(&arguments));
    pg_buf_deinit(&arguments);
    return NULL;
}

static pg_status write_runs(python *py)
{
    const run_args *args = py->args;
    const pg_arg_list *loads = &args->compare.load_outputs;
    if (args->runners.names.count > 0)
        PG_TRY(write_live_runs(py));
    else
        pg_buf_puts(&py->body, "    runs = []\n");
    if (loads->count > 0)
        FROM_COMPARATOR(py, "RunResults");
    for (size_t i = 0; i < loads->count; i++) {
        PG_TRY(check_json("--load-outputs", loads->items[i]));
        pg_buf_printf(&py->body, "    runs.append(RunResults.%s(",
                      sequential(args) ? "load" : "load_streaming");
        put_text(&py->body, loads->items[i]);
        pg_buf_printf(&py->body, "%s))\n", sequential(args) ? "" : ", allow_dirs=True");
    }
    return NULL;
}

static void write_postprocess(python *py)
{
    const pg_args_postprocess *postprocess = &py->args->postprocess;
    if (postprocess->n_top_k == 0)
        return;
    FROM_COMPARATOR(py, "TopKPostprocessFunc");
    pg_buf_puts(&py->body, "    runs = Comparator.postprocess(runs, TopKPostprocessFunc({");
    for (size_t i = 0; i < postprocess->n_top_k; i++) {
        const pg_top_k *item = &postprocess->top_k[i];
        pg_buf_puts(&py->body, i > 0 ? ", " : "");
        run_script_text(&py->body, item->output);
        pg_buf_printf(&py->body, ": (%lld, %lld)", (long long)item->k, (long long)item->axis);
    }
    pg_buf_puts(&py->body, "}))\n");
}

/* ---- Comparison ---- */

static void put_simple(python *py, pg_buf *out)
{
    const pg_args_simple *simple = &py->args->simple;
    put_by_output(out, "rtol", simple->rtol);
    put_by_output(out, "atol", simple->atol);
    if (simple->n_stats > 0)
        pg_buf_puts(out, ", check_error_stat={");
    for (size_t i = 0; i < simple->n_stats; i++) {
        pg_buf_puts(out, i > 0 ? ", " : "");
        run_script_text(out, simple->stats[i].output);
        pg_buf_puts(out, ": ");
        put_text(out, pg_error_stat_name(simple->stats[i].stat));
    }
    pg_buf_puts(out, simple->n_stats > 0 ? "}" : "");
    put_by_output(out, "error_quantile", simple->quantile);
    put_true(out, "infinities_compare_equal", simple->infinities_compare_equal);
    put_keyword(out, "save_heatmaps", simple->save_heatmaps);
    put_true(out, "show_heatmaps", simple->show_heatmaps);
    put_keyword(out, "save_error_metrics_plot", simple->save_error_plot);
    put_true(out, "show_error_metrics_plot", simple->show_error_plot);
}

static void write_function(python *py, pg_compare_function function)
{
    static const struct {
        const char *class_name, *keyword;
    } metrics[PG_COMPARE_FUNCTION_COUNT] = {
        [PG_COMPARE_SIMPLE] = {"SimpleCompareFunc", NULL},
        [PG_COMPARE_INDICES] = {"IndicesCompareFunc", "index_tolerance"},
        [PG_COMPARE_L2] = {"L2CompareFunc", "l2_threshold"},
        [PG_COMPARE_COSINE] = {"CosineSimilarityCompareFunc", "cosine_similarity_threshold"},
        [PG_COMPARE_PSNR] = {"PsnrCompareFunc", "psnr_threshold"},
        [PG_COMPARE_SNR] = {"SnrCompareFunc", "snr_threshold"},
        [PG_COMPARE_PERCEPTUAL] = {"PerceptualMetricsCompareFunc", "lpips_threshold"},
    };
    const run_args *args = py->args;
    pg_compare_options options =
        pg_args_compare_options(&args->compare, &args->simple, &args->indices, &args->thresholds);
    pg_buf arguments = {0};
    if (function == PG_COMPARE_SIMPLE)
        put_simple(py, &arguments);
    else if (function == PG_COMPARE_INDICES)
        put_by_output(&arguments, metrics[function].keyword, options.index_tolerance);
    else
        put_by_output(&arguments, metrics[function].keyword, options.thresholds[function]);
    if (function != PG_COMPARE_INDICES && args->compare.no_shape_check)
        pg_buf_puts(&arguments, ", check_shapes=False");
    put_true(&arguments, "fail_fast", args->compare.fail_fast);
    const char *rest = pg_buf_cstr(&arguments);
    FROM_COMPARATOR(py, metrics[function].class_name);
    pg_buf_printf(&py->body, "        %s(%s),\n", metrics[function].class_name,
                  rest + (*rest != '\0' ? 2 : 0));
    pg_buf_deinit(&arguments);
}

static void write_comparison(python *py)
{
    const pg_args_compare *compare = &py->args->compare;
    pg_buf_puts(&py->body, "    functions = [\n");
    for (size_t i = 0; i < compare->n_functions; i++)
        write_function(py, compare->functions[i]);
    if (compare->n_functions == 0)
        write_function(py, PG_COMPARE_SIMPLE);
    pg_buf_puts(&py->body, "    ]\n");
    if (compare->validate && !sequential(py->args))
        pg_buf_puts(&py->body, "    runs = Comparator.validate(runs, check_inf=True, check_nan=True)\n");
    pg_buf_puts(&py->body, "    accuracy = Comparator.compare_accuracy(runs, compare_func=functions");
    put_true(&py->body, "fail_fast", compare->fail_fast);
    put_true(&py->body, "check_average", compare->check_average);
    pg_buf_puts(&py->body, ")\n");
    if (compare->save_accuracy != NULL) {
        pg_buf_puts(&py->body, "    accuracy.save(");
        put_text(&py->body, compare->save_accuracy);
        pg_buf_puts(&py->body, ")\n");
    }
    pg_buf_puts(&py->body, "    passed = bool(accuracy)\n");
    if (compare->validate && sequential(py->args))
        pg_buf_puts(
            &py->body,
            "    passed = all(Comparator.validate(runs, check_inf=True, check_nan=True)) and passed\n");
}

/* ---- The whole ---- */

static void put_import_line(pg_buf *out, const char *module, const char *const *names, size_t count)
{
    if (count == 0)
        return;
    pg_buf_printf(out, "from %s import ", module);
    for (size_t i = 0; i < count; i++)
        pg_buf_printf(out, "%s%s", i > 0 ? ", " : "", names[i]);
    pg_buf_putc(out, '\n');
}

static void put_head(const python *py, pg_buf *out)
{
    pg_buf_puts(out, "#!/usr/bin/env python3\n\"\"\"Does with Polygraphy's Python package what this command "
                     "does:\n\n    ");
    pg_buf command = {0};
    run_script_command(&command);
    for (size_t i = 0; i < command.len; i++) { /* nothing that ends the text or is an escape */
        if (command.ptr[i] == '\\' || command.ptr[i] == '"')
            pg_buf_putc(out, '\\');
        pg_buf_putc(out, command.ptr[i]);
    }
    pg_buf_deinit(&command);
    pg_buf_puts(out, "\n\"\"\"\n\nimport sys\n\n");
    if (py->onnxrt_module)
        pg_buf_puts(out, "import onnxruntime\n");
    if (py->constants)
        pg_buf_puts(out, "from polygraphy import constants\n");
    put_import_line(out, "polygraphy.backend.onnx", py->onnx, py->n_onnx);
    if (has_runner(py->args, "onnxrt"))
        pg_buf_puts(out, "from polygraphy.backend.onnxrt import OnnxrtRunner, SessionFromOnnx\n");
    if (py->trt)
        pg_buf_printf(out, "from polygraphy.backend.trt import EngineFromNetwork, %s, TrtRunner\n",
                      py->by_path ? "NetworkFromOnnxPath" : "NetworkFromOnnxBytes");
    if (py->metadata)
        pg_buf_puts(out, "from polygraphy.common import TensorMetadata\n");
    put_import_line(out, "polygraphy.comparator", py->comparator, py->n_comparator);
    pg_buf_puts(out, "from polygraphy.exception import PolygraphyException\n"
                     "from polygraphy.logger import G_LOGGER\n\n\n");
}

static pg_status write_body(python *py)
{
    PG_TRY(write_log(py));
    const run_args *args = py->args;
    bool runs = args->runners.names.count > 0;
    if (args->model.path != NULL && (runs || args->onnx_save.path != NULL))
        write_model(py);
    if (args->model.path != NULL && !runs && args->onnx_save.path != NULL)
        pg_buf_puts(&py->body, "    model()\n");
    write_runners(py);
    FROM_COMPARATOR(py, "Comparator");
    PG_TRY(write_runs(py));
    write_postprocess(py);
    write_comparison(py);
    return NULL;
}

static pg_status write_python(const run_args *args, pg_arena *arena, pg_buf *out)
{
    python py = {.args = args, .arena = arena};
    pg_status status = write_body(&py);
    put_head(&py, out);
    pg_buf_puts(out, "def main():\n");
    pg_buf_add_str(out, pg_buf_str(&py.body));
    pg_buf_puts(out, "    return 0 if passed else 1\n\n\n"
                     "if __name__ == \"__main__\":\n"
                     "    try:\n"
                     "        sys.exit(main())\n"
                     "    except PolygraphyException as error:\n"
                     "        G_LOGGER.error(f\"FAILED | {error}\")\n"
                     "        sys.exit(1)\n");
    pg_buf_deinit(&py.body);
    return status;
}

const run_language run_language_python = {"a Python script for Polygraphy's package", expressible,
                                          write_python};
