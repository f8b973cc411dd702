/* --gen-script FILE.py: a script that does with Polygraphy's Python package what the command does. */
#include <string.h>

#include "tools/python.h"
#include "tools/run/script.h"

static const char expressible[] =
    "model_file --model-type --input-shapes -v -q --extra-verbose --verbosity --silent --log-format "
    "--log-file --onnxrt --trt "
    "--shape-inference --no-onnxruntime-shape-inference --external-data-dir --ignore-external-data "
    "--onnx-outputs "
    "--onnx-exclude-outputs --onnx-outputs-by-type --mark-all --exclude-outputs --fp-to-fp16 --save-onnx "
    "--save-external-data --external-data-size-threshold --no-save-all-tensors-to-one-file --providers "
    "--graph-optimization-level --seed --val-range --iterations --data-loader-backend-module --load-inputs "
    "--warm-up --use-subprocess "
    "--save-inputs --save-outputs --save-input-blob --postprocess --no-shape-check --validate --fail-fast "
    "--check-average --sequential-runners --compare --load-outputs --save-accuracy-results --rtol --atol "
    "--check-error-stat --error-quantile --infinities-compare-equal --save-heatmaps --show-heatmaps "
    "--save-error-metrics-plot --show-error-metrics-plot --index-tolerance --l2-threshold "
    "--cosine-similarity-threshold --psnr-threshold --snr-threshold --gen-script";

/* The script on its way. */
typedef struct script {
    const run_args *args;
    pg_python python;
    bool by_path; /* the model is handed over as a path, because nothing changes it */
} script;

#define TRT "polygraphy.backend.trt"
#define FROM_COMPARATOR(py, name) pg_python_need(&(py)->python, "polygraphy.comparator", name)

/* ---- Values ---- */

static void put_text(pg_buf *out, const char *text)
{
    pg_python_text(out, pg_str_c(text));
}

static void put_number(pg_buf *out, double value, bool integer)
{
    pg_python_number(out, value, integer, "float(\"inf\")", "float(\"nan\")");
}

/* ", name={"": 1e-05, "y": 0.1}"; nothing without entries. */
static void put_by_output(pg_buf *out, const char *keyword, pg_output_numbers numbers)
{
    if (numbers.count == 0)
        return;
    pg_buf_printf(out, ", %s={", keyword);
    for (size_t i = 0; i < numbers.count; i++) {
        pg_buf_puts(out, i > 0 ? ", " : "");
        pg_python_text(out, numbers.items[i].output);
        pg_buf_puts(out, ": ");
        put_number(out, numbers.items[i].value, numbers.items[i].integer);
    }
    pg_buf_putc(out, '}');
}

/* ---- Log ---- */

static pg_status write_log(script *py)
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
        pg_buf_printf(&py->python.body, "    G_LOGGER.module_severity = G_LOGGER.%s\n",
                      pg_severity_name(level));
    static const char *const formats[][2] = {{"timestamp", "timestamp = True"},
                                             {"line-info", "line_info = True"},
                                             {"no-colors", "colors = False"}};
    for (size_t i = 0; i < log->log_format.count; i++)
        for (size_t f = 0; f < PG_COUNT(formats); f++)
            if (strcmp(log->log_format.items[i], formats[f][0]) == 0)
                pg_buf_printf(&py->python.body, "    G_LOGGER.%s\n", formats[f][1]);
    if (log->log_file != NULL) {
        pg_buf_puts(&py->python.body, "    G_LOGGER.log_file = ");
        put_text(&py->python.body, log->log_file);
        pg_buf_putc(&py->python.body, '\n');
    }
    return NULL;
}

/* ---- Runners ---- */

static bool has_runner(const run_args *args, const char *name)
{
    for (size_t i = 0; i < args->runners.names.count; i++)
        if (strcmp(args->runners.names.items[i], name) == 0)
            return true;
    return false;
}

static void write_session(script *py)
{
    pg_python_need(&py->python, "polygraphy.backend.onnxrt", "OnnxrtRunner");
    pg_python_need(&py->python, "polygraphy.backend.onnxrt", "SessionFromOnnx");
    const pg_args_onnxrt *onnxrt = &py->args->onnxrt;
    if (!py->by_path)
        pg_python_need(&py->python, "polygraphy.backend.onnx", "BytesFromOnnx");
    pg_buf_printf(&py->python.body, "    session = SessionFromOnnx(%s",
                  py->by_path ? "model" : "BytesFromOnnx(model)");
    if (onnxrt->providers_text.count > 0) {
        pg_buf_puts(&py->python.body, ", providers=");
        pg_python_texts(&py->python.body, onnxrt->providers_text.items, onnxrt->providers_text.count);
    }
    if (onnxrt->optimization_level != NULL) {
        pg_python_need(&py->python, "onnxruntime", NULL);
        pg_buf_puts(&py->python.body, ", graph_optimization_level=onnxruntime.GraphOptimizationLevel.");
        for (const char *c = onnxrt->optimization_level; *c != '\0'; c++)
            pg_buf_putc(&py->python.body, *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c);
    }
    pg_buf_puts(&py->python.body, ")\n");
}

static void write_runners(script *py)
{
    const run_args *args = py->args;
    if (args->runners.names.count == 0) {
        pg_buf_puts(&py->python.body, "    runners = []\n");
        return;
    }
    if (has_runner(args, "onnxrt"))
        write_session(py);
    if (has_runner(args, "trt")) {
        pg_python_need(&py->python, TRT, "EngineFromNetwork");
        pg_python_need(&py->python, TRT, "TrtRunner");
        pg_python_need(&py->python, TRT, py->by_path ? "NetworkFromOnnxPath" : "NetworkFromOnnxBytes");
        if (!py->by_path)
            pg_python_need(&py->python, "polygraphy.backend.onnx", "BytesFromOnnx");
        pg_buf_printf(&py->python.body, "    engine = EngineFromNetwork(%s)\n",
                      py->by_path ? "NetworkFromOnnxPath(model)"
                                  : "NetworkFromOnnxBytes(BytesFromOnnx(model))");
    }
    pg_buf_puts(&py->python.body, "    runners = [");
    for (size_t i = 0; i < args->runners.names.count; i++)
        pg_buf_printf(&py->python.body, "%s%s", i > 0 ? ", " : "",
                      strcmp(args->runners.names.items[i], "trt") == 0 ? "TrtRunner(engine)"
                                                                       : "OnnxrtRunner(session)");
    pg_buf_puts(&py->python.body, "]\n");
}

/* ---- Runs ---- */

/* The package warms runners up, and gives them processes, only when they run one after the other; the answers are
 * the same. */
static bool sequential(const run_args *args)
{
    return args->compare.sequential_runners || args->inference.warm_up > 0 || args->inference.subprocess;
}

static pg_status write_live_runs(script *py)
{
    const pg_args_inference *inference = &py->args->inference;
    pg_buf arguments = {0};
    PG_TRY(pg_python_loader(&py->python, &py->args->data, &py->args->model));
    if (inference->save_inputs != NULL)
        PG_TRY(pg_python_check_json("--save-inputs", inference->save_inputs));
    if (inference->save_outputs != NULL)
        PG_TRY(pg_python_check_json("--save-outputs", inference->save_outputs));
    pg_buf_puts(&arguments, "runners, data_loader=data_loader");
    if (inference->warm_up > 0)
        pg_buf_printf(&arguments, ", warm_up=%zu", inference->warm_up);
    pg_python_true(&arguments, "use_subprocess", inference->subprocess);
    pg_python_keyword(&arguments, "save_inputs_path", inference->save_inputs);
    pg_python_keyword(&arguments, "save_outputs_path", inference->save_outputs);
    if (inference->save_input_blob.set)
        pg_python_keyword(&arguments, "save_input_blob_path", inference->save_input_blob.text);
    pg_python_true(&arguments, "streaming", !sequential(py->args));
    pg_buf_printf(&py->python.body, "    runs = [Comparator.run(%s)]\n", pg_buf_cstr(&arguments));
    pg_buf_deinit(&arguments);
    return NULL;
}

static pg_status write_runs(script *py)
{
    const run_args *args = py->args;
    const pg_arg_list *loads = &args->compare.load_outputs;
    if (args->runners.names.count > 0)
        PG_TRY(write_live_runs(py));
    else
        pg_buf_puts(&py->python.body, "    runs = []\n");
    if (loads->count > 0)
        FROM_COMPARATOR(py, "RunResults");
    for (size_t i = 0; i < loads->count; i++) {
        PG_TRY(pg_python_check_json("--load-outputs", loads->items[i]));
        pg_buf_printf(&py->python.body, "    runs.append(RunResults.%s(",
                      sequential(args) ? "load" : "load_streaming");
        put_text(&py->python.body, loads->items[i]);
        pg_buf_printf(&py->python.body, "%s))\n", sequential(args) ? "" : ", allow_dirs=True");
    }
    return NULL;
}

static void write_postprocess(script *py)
{
    const pg_args_postprocess *postprocess = &py->args->postprocess;
    if (postprocess->n_top_k == 0)
        return;
    FROM_COMPARATOR(py, "TopKPostprocessFunc");
    pg_buf_puts(&py->python.body, "    runs = Comparator.postprocess(runs, TopKPostprocessFunc({");
    for (size_t i = 0; i < postprocess->n_top_k; i++) {
        const pg_top_k *item = &postprocess->top_k[i];
        pg_buf_puts(&py->python.body, i > 0 ? ", " : "");
        pg_python_text(&py->python.body, item->output);
        pg_buf_printf(&py->python.body, ": (%lld, %lld)", (long long)item->k, (long long)item->axis);
    }
    pg_buf_puts(&py->python.body, "}))\n");
}

/* ---- Comparison ---- */

static void put_simple(script *py, pg_buf *out)
{
    const pg_args_simple *simple = &py->args->simple;
    put_by_output(out, "rtol", simple->rtol);
    put_by_output(out, "atol", simple->atol);
    if (simple->n_stats > 0)
        pg_buf_puts(out, ", check_error_stat={");
    for (size_t i = 0; i < simple->n_stats; i++) {
        pg_buf_puts(out, i > 0 ? ", " : "");
        pg_python_text(out, simple->stats[i].output);
        pg_buf_puts(out, ": ");
        put_text(out, pg_error_stat_name(simple->stats[i].stat));
    }
    pg_buf_puts(out, simple->n_stats > 0 ? "}" : "");
    put_by_output(out, "error_quantile", simple->quantile);
    pg_python_true(out, "infinities_compare_equal", simple->infinities_compare_equal);
    pg_python_keyword(out, "save_heatmaps", simple->save_heatmaps);
    pg_python_true(out, "show_heatmaps", simple->show_heatmaps);
    pg_python_keyword(out, "save_error_metrics_plot", simple->save_error_plot);
    pg_python_true(out, "show_error_metrics_plot", simple->show_error_plot);
}

static void write_function(script *py, pg_compare_function function)
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
    pg_python_true(&arguments, "fail_fast", args->compare.fail_fast);
    const char *rest = pg_buf_cstr(&arguments);
    FROM_COMPARATOR(py, metrics[function].class_name);
    pg_buf_printf(&py->python.body, "        %s(%s),\n", metrics[function].class_name,
                  rest + (*rest != '\0' ? 2 : 0));
    pg_buf_deinit(&arguments);
}

static void write_comparison(script *py)
{
    const pg_args_compare *compare = &py->args->compare;
    pg_buf_puts(&py->python.body, "    functions = [\n");
    for (size_t i = 0; i < compare->n_functions; i++)
        write_function(py, compare->functions[i]);
    if (compare->n_functions == 0)
        write_function(py, PG_COMPARE_SIMPLE);
    pg_buf_puts(&py->python.body, "    ]\n");
    if (compare->validate && !sequential(py->args))
        pg_buf_puts(&py->python.body,
                    "    runs = Comparator.validate(runs, check_inf=True, check_nan=True)\n");
    pg_buf_puts(&py->python.body, "    accuracy = Comparator.compare_accuracy(runs, compare_func=functions");
    pg_python_true(&py->python.body, "fail_fast", compare->fail_fast);
    pg_python_true(&py->python.body, "check_average", compare->check_average);
    pg_buf_puts(&py->python.body, ")\n");
    if (compare->save_accuracy != NULL) {
        pg_buf_puts(&py->python.body, "    accuracy.save(");
        put_text(&py->python.body, compare->save_accuracy);
        pg_buf_puts(&py->python.body, ")\n");
    }
    pg_buf_puts(&py->python.body, "    passed = bool(accuracy)\n");
    if (compare->validate && sequential(py->args))
        pg_buf_puts(
            &py->python.body,
            "    passed = all(Comparator.validate(runs, check_inf=True, check_nan=True)) and passed\n");
}

/* ---- The whole ---- */

static pg_status write_body(script *py)
{
    PG_TRY(write_log(py));
    const run_args *args = py->args;
    bool runs = args->runners.names.count > 0;
    if (args->model.path != NULL && (runs || args->onnx_save.path != NULL))
        py->by_path =
            pg_python_model(&py->python, &args->model, &args->onnx, &args->onnx_shapes, &args->onnx_save);
    if (args->model.path != NULL && !runs && args->onnx_save.path != NULL)
        pg_buf_puts(&py->python.body, "    model()\n");
    write_runners(py);
    FROM_COMPARATOR(py, "Comparator");
    PG_TRY(write_runs(py));
    write_postprocess(py);
    write_comparison(py);
    return NULL;
}

static pg_status write_python(const run_args *args, pg_arena *arena, pg_buf *out)
{
    script py = {.args = args, .python = {.arena = arena, .indent = "    "}};
    pg_python_need(&py.python, "sys", NULL);
    pg_python_need(&py.python, "polygraphy.exception", "PolygraphyException");
    pg_python_need(&py.python, "polygraphy.logger", "G_LOGGER");
    pg_status status = write_body(&py);
    pg_python_head(&py.python, "Does with Polygraphy's Python package what this command does:", out);
    pg_buf_puts(out, "\n\ndef main():\n");
    pg_buf_add_str(out, pg_buf_str(&py.python.body));
    pg_buf_puts(out, "    return 0 if passed else 1\n\n\n"
                     "if __name__ == \"__main__\":\n"
                     "    try:\n"
                     "        sys.exit(main())\n"
                     "    except PolygraphyException as error:\n"
                     "        G_LOGGER.error(f\"FAILED | {error}\")\n"
                     "        sys.exit(1)\n");
    pg_python_deinit(&py.python);
    return status;
}

const run_language run_language_python = {"a Python script for Polygraphy's package", expressible,
                                          write_python};
