/* --gen-script FILE.c: a program against libpolygraphy that does what the command does. */
#include <string.h>

#include "tools/python.h"
#include "tools/run/script.h"

static const char expressible[] =
    "model_file --model-type --input-shapes -v -q --extra-verbose --verbosity --silent --onnxrt --native "
    "--onnx --threads "
    "--shape-inference --no-onnxruntime-shape-inference --external-data-dir --ignore-external-data "
    "--onnx-outputs "
    "--onnx-exclude-outputs --onnx-outputs-by-type --mark-all --exclude-outputs --fp-to-fp16 --save-onnx "
    "--save-external-data --external-data-size-threshold --no-save-all-tensors-to-one-file --providers "
    "--graph-optimization-level --ort-library --no-onednn --onednn-library --no-native-optimization "
    "--native-precision --native-loop-limit --native-time-limit "
    "--seed --val-range --iterations --data-loader-backend-module --load-inputs --warm-up --save-inputs "
    "--save-outputs "
    "--postprocess --no-shape-check --validate --fail-fast --check-average --sequential-runners --compare "
    "--load-outputs --save-accuracy-results --rtol --atol --check-error-stat --error-quantile "
    "--infinities-compare-equal --index-tolerance --l2-threshold --cosine-similarity-threshold "
    "--psnr-threshold "
    "--snr-threshold --gen-script";

/* ---- Values ---- */

/* A member of options: "    options.atol = ...". Names are the variable's. */
static void put_text(pg_buf *out, const char *text)
{
    pg_python_text(out, pg_str_c(text));
}

/* "name", or NULL for "all others". */
static void put_name(pg_buf *out, pg_str name)
{
    if (name.len == 0)
        pg_buf_puts(out, "NULL");
    else
        pg_python_text(out, name);
}

static void put_number(pg_buf *out, double value)
{
    pg_python_number(out, value, false, "INFINITY", "NAN");
}

/* variable.member = (const char *const[]){"a", "b"}; variable.n_member = 2; */
static void put_texts(pg_buf *out, const char *member, const char *const *items, size_t count)
{
    if (count == 0)
        return;
    pg_buf_printf(out, "    options.%s = (const char *const[]){", member);
    for (size_t i = 0; i < count; i++) {
        pg_buf_puts(out, i > 0 ? ", " : "");
        put_text(out, items[i]);
    }
    pg_buf_printf(out, "};\n    options.n_%s = %zu;\n", member, count);
}

static void put_text_member(pg_buf *out, const char *member, const char *text)
{
    if (text == NULL)
        return;
    pg_buf_printf(out, "    options.%s = ", member);
    put_text(out, text);
    pg_buf_puts(out, ";\n");
}

static void put_true(pg_buf *out, const char *member, bool value)
{
    if (value)
        pg_buf_printf(out, "    options.%s = true;\n", member);
}

static void put_by_output(pg_buf *out, const char *member, pg_output_numbers numbers)
{
    if (numbers.count == 0)
        return;
    pg_buf_printf(out, "    options.%s = (polygraphy_output_numbers){(polygraphy_output_number[]){", member);
    for (size_t i = 0; i < numbers.count; i++) {
        pg_buf_puts(out, i > 0 ? ", {" : "{");
        put_name(out, numbers.items[i].output);
        pg_buf_puts(out, ", ");
        put_number(out, numbers.items[i].value);
        pg_buf_putc(out, '}');
    }
    pg_buf_printf(out, "}, %zu};\n", numbers.count);
}

/* ---- Model ---- */

static void put_step(pg_buf *out, const char *call)
{
    pg_buf_printf(out, "    must(%s);\n    polygraphy_model_free(model);\n    model = changed;\n", call);
}

static void write_save(const run_args *args, pg_buf *out)
{
    const pg_args_onnx_save *save = &args->onnx_save;
    if (save->path == NULL)
        return;
    pg_buf_puts(out, "\n    polygraphy_save_options saving = POLYGRAPHY_SAVE_OPTIONS_INIT;\n");
    if (save->options.external)
        pg_buf_puts(out, "    saving.external_data = true;\n");
    if (save->options.external_name != NULL) {
        pg_buf_puts(out, "    saving.external_name = ");
        put_text(out, save->options.external_name);
        pg_buf_puts(out, ";\n");
    }
    if (save->options.per_tensor)
        pg_buf_puts(out, "    saving.file_per_weight = true;\n");
    if (save->options.has_threshold)
        pg_buf_printf(out, "    saving.has_size_threshold = true;\n    saving.size_threshold = %llu;\n",
                      (unsigned long long)save->options.size_threshold);
    pg_buf_puts(out, "    must(polygraphy_model_save(model, ");
    put_text(out, save->path);
    pg_buf_puts(out, ", &saving));\n");
}

static void write_selection(const run_args *args, pg_buf *out)
{
    const pg_output_selection *selection = &args->onnx.selection;
    if (!selection->mark_all && selection->n_names + selection->n_op_types + selection->n_exclude == 0)
        return;
    pg_buf body = {0};
    pg_buf_puts(&body, "\n    polygraphy_output_selection options = POLYGRAPHY_OUTPUT_SELECTION_INIT;\n");
    put_true(&body, "mark_all", selection->mark_all);
    put_texts(&body, "names", selection->names, selection->n_names);
    put_texts(&body, "op_types", selection->op_types, selection->n_op_types);
    put_texts(&body, "exclude", selection->exclude, selection->n_exclude);
    put_step(&body, "polygraphy_model_select_outputs(model, &options, &changed)");
    pg_buf_add_str(out, pg_buf_str(&body));
    pg_buf_deinit(&body);
}

static void write_load_model(const run_args *args, pg_arena *arena, pg_buf *out)
{
    bool changes =
        args->onnx_shapes.infer || args->onnx.fp16 || args->onnx.selection.mark_all ||
        args->onnx.selection.n_names + args->onnx.selection.n_op_types + args->onnx.selection.n_exclude > 0;
    pg_buf_puts(out, "static polygraphy_model *load_model(void)\n{\n    polygraphy_model *model;\n");
    if (changes)
        pg_buf_puts(out, "    polygraphy_model *changed;\n");
    pg_buf_puts(out, "    polygraphy_model_options loading = POLYGRAPHY_MODEL_OPTIONS_INIT;\n");
    if (args->onnx.external_data_dir != NULL) {
        pg_buf_puts(out, "    loading.external_data_dir = ");
        put_text(out, args->onnx.external_data_dir);
        pg_buf_puts(out, ";\n");
    }
    if (args->onnx.ignore_external_data)
        pg_buf_puts(out, "    loading.ignore_external_data = true;\n");
    pg_buf_puts(out, "    must(polygraphy_model_load(");
    put_text(out, pg_path_absolute(arena, pg_str_c(args->model.path)));
    pg_buf_puts(out, ", &loading, &model));\n");
    if (args->onnx_shapes.infer)
        put_step(out, "polygraphy_model_infer_shapes(model, &changed)");
    write_selection(args, out);
    if (args->onnx.fp16)
        put_step(out, "polygraphy_model_to_float16(model, &changed)");
    write_save(args, out);
    pg_buf_puts(out, "    return model;\n}\n\n");
}

/* ---- Runners and inputs ---- */

static void write_open_runner(const run_args *args, pg_buf *out)
{
    const pg_onnxrt_options *onnxrt = &args->onnxrt.options;
    const pg_native_options *native = &args->native.options;
    pg_buf_puts(
        out, "static polygraphy_runner *open_runner(const polygraphy_model *model, const char *runtime)\n{\n"
             "    polygraphy_runner *runner;\n"
             "    polygraphy_runner_options options = POLYGRAPHY_RUNNER_OPTIONS_INIT;\n");
    if (args->runners.threads > 0)
        pg_buf_printf(out, "    options.threads = %u;\n", args->runners.threads);
    put_texts(out, "providers", args->onnxrt.providers_text.items, args->onnxrt.providers_text.count);
    put_text_member(out, "optimization_level", args->onnxrt.optimization_level);
    put_text_member(out, "library", onnxrt->library);
    put_true(out, "float64", native->float64);
    put_true(out, "bfloat16", native->bfloat16);
    put_true(out, "no_optimization", native->no_optimization);
    put_true(out, "no_onednn", native->no_onednn);
    put_text_member(out, "onednn", native->onednn);
    if (native->max_loop_iterations > 0)
        pg_buf_printf(out, "    options.max_loop_iterations = %llu;\n",
                      (unsigned long long)native->max_loop_iterations);
    if (native->max_seconds > 0)
        pg_buf_printf(out, "    options.max_seconds = %.17g;\n", native->max_seconds);
    pg_buf_puts(
        out,
        "    must(polygraphy_runner_open(model, runtime, &options, &runner));\n    return runner;\n}\n\n");
}

static void put_shapes(const pg_args_model *model, pg_buf *out)
{
    if (model->n_input_shapes == 0)
        return;
    for (size_t i = 0; i < model->n_input_shapes; i++) {
        const pg_input_shape *shape = &model->input_shapes[i];
        pg_buf_printf(out, "    static const int64_t dims%zu[] = {", i);
        for (size_t d = 0; d < shape->rank; d++)
            pg_buf_printf(out, "%s%lld", d > 0 ? ", " : "", (long long)shape->dims[d]);
        pg_buf_puts(out, shape->rank > 0 ? "};\n" : "0};\n");
    }
    pg_buf_puts(out, "    static const polygraphy_input_shape shapes[] = {\n");
    for (size_t i = 0; i < model->n_input_shapes; i++) {
        pg_buf_puts(out, "        {");
        put_name(out, model->input_shapes[i].name);
        pg_buf_printf(out, ", %zu, dims%zu},\n", model->input_shapes[i].rank, i);
    }
    pg_buf_printf(out, "    };\n    options.shapes = shapes;\n    options.n_shapes = %zu;\n",
                  model->n_input_shapes);
}

static void put_ranges(const pg_loader_options *data, pg_buf *out)
{
    if (data->n_ranges == 0)
        return;
    pg_buf_puts(out, "    static const polygraphy_input_range ranges[] = {\n");
    for (size_t i = 0; i < data->n_ranges; i++) {
        pg_buf_puts(out, "        {");
        put_name(out, data->ranges[i].name);
        pg_buf_puts(out, ", ");
        put_number(out, data->ranges[i].low.real);
        pg_buf_puts(out, ", ");
        put_number(out, data->ranges[i].high.real);
        pg_buf_puts(out, "},\n");
    }
    pg_buf_printf(out, "    };\n    options.ranges = ranges;\n    options.n_ranges = %zu;\n", data->n_ranges);
}

static void write_open_inputs(const run_args *args, pg_buf *out)
{
    const pg_args_data *data = &args->data;
    pg_buf_puts(out, "static polygraphy_inputs *open_inputs(const polygraphy_runner *runner)\n{\n"
                     "    polygraphy_inputs *inputs;\n");
    if (data->load_inputs.set) {
        pg_buf_puts(out, "    static const char *const paths[] = {");
        for (size_t i = 0; i < data->load_inputs.count; i++) {
            pg_buf_puts(out, i > 0 ? ", " : "");
            put_text(out, data->load_inputs.items[i]);
        }
        pg_buf_printf(out, "};\n    must(polygraphy_inputs_load(paths, %zu, runner, &inputs));\n",
                      data->load_inputs.count);
    } else {
        pg_buf_puts(out, "    polygraphy_random_options options = POLYGRAPHY_RANDOM_OPTIONS_INIT;\n");
        if (data->seed.set)
            pg_buf_printf(out, "    options.seed = %lld;\n", (long long)data->seed.value);
        if (data->iterations.set)
            pg_buf_printf(out, "    options.iterations = %lld;\n", (long long)data->iterations.value);
        put_shapes(&args->model, out);
        put_ranges(&data->options, out);
        pg_buf_puts(out, "    must(polygraphy_inputs_random(runner, &options, &inputs));\n");
    }
    pg_buf_puts(out, "    return inputs;\n}\n\n");
}

static void write_warm_up(const run_args *args, pg_buf *out)
{
    if (args->inference.warm_up == 0)
        return;
    pg_buf_printf(out,
                  "static void warm_up(polygraphy_runner *runner, polygraphy_inputs *inputs)\n{\n"
                  "    polygraphy_feed *feed, *outputs;\n"
                  "    must(polygraphy_inputs_get(inputs, 0, &feed));\n"
                  "    for (int i = 0; i < %zu; i++) {\n"
                  "        must(polygraphy_runner_infer(runner, feed, &outputs, NULL));\n"
                  "        polygraphy_feed_free(outputs);\n"
                  "    }\n"
                  "    polygraphy_feed_free(feed);\n}\n\n",
                  args->inference.warm_up);
}

static void write_run(const run_args *args, pg_buf *out)
{
    pg_buf_puts(out, "static void run(const polygraphy_model *model, const char *runtime, polygraphy_results "
                     "*results)\n{\n"
                     "    polygraphy_runner *runner = open_runner(model, runtime);\n"
                     "    polygraphy_inputs *inputs = open_inputs(runner);\n");
    if (args->inference.save_inputs != NULL) {
        pg_buf_puts(
            out,
            "    if (polygraphy_results_count(results) == 0)\n        must(polygraphy_inputs_save(inputs, ");
        put_text(out, args->inference.save_inputs);
        pg_buf_puts(out, "));\n");
    }
    if (args->inference.warm_up > 0)
        pg_buf_puts(out, "    warm_up(runner, inputs);\n");
    pg_buf_puts(out, "    must(polygraphy_results_run(results, runner, inputs));\n"
                     "    polygraphy_inputs_free(inputs);\n"
                     "    polygraphy_runner_close(runner);\n}\n\n");
}

/* ---- Comparison ---- */

static void put_stats(const pg_args_simple *simple, pg_buf *out)
{
    if (simple->n_stats == 0)
        return;
    pg_buf_puts(out, "    options.error_stats = (polygraphy_output_word[]){");
    for (size_t i = 0; i < simple->n_stats; i++) {
        pg_buf_puts(out, i > 0 ? ", {" : "{");
        put_name(out, simple->stats[i].output);
        pg_buf_puts(out, ", ");
        put_text(out, pg_error_stat_name(simple->stats[i].stat));
        pg_buf_putc(out, '}');
    }
    pg_buf_printf(out, "};\n    options.n_error_stats = %zu;\n", simple->n_stats);
}

static void write_compare(const run_args *args, pg_arena *arena, pg_buf *out)
{
    pg_compare_options options =
        pg_args_compare_options(&args->compare, &args->simple, &args->indices, &args->thresholds);
    const char **functions = PG_ARENA_ARRAY(arena, const char *, options.n_functions + 1);
    for (size_t i = 0; i < options.n_functions; i++)
        functions[i] = pg_compare_function_name(options.functions[i]);
    pg_buf_puts(out, "static bool compare(const polygraphy_results *results)\n{\n"
                     "    polygraphy_comparison *comparison;\n"
                     "    polygraphy_compare_options options = POLYGRAPHY_COMPARE_OPTIONS_INIT;\n");
    put_texts(out, "functions", functions, options.n_functions);
    put_true(out, "no_shape_check", options.no_shape_check);
    put_true(out, "fail_fast", options.fail_fast);
    put_true(out, "check_average", options.check_average);
    put_true(out, "infinities_compare_equal", options.infinities_compare_equal);
    put_by_output(out, "atol", options.atol);
    put_by_output(out, "rtol", options.rtol);
    put_by_output(out, "error_quantile", options.quantile);
    put_stats(&args->simple, out);
    put_by_output(out, "index_tolerance", options.index_tolerance);
    put_by_output(out, "l2", options.thresholds[PG_COMPARE_L2]);
    put_by_output(out, "cosine_similarity", options.thresholds[PG_COMPARE_COSINE]);
    put_by_output(out, "psnr", options.thresholds[PG_COMPARE_PSNR]);
    put_by_output(out, "snr", options.thresholds[PG_COMPARE_SNR]);
    pg_buf_puts(out, "    must(polygraphy_compare(results, &options, &comparison));\n");
    if (args->compare.save_accuracy != NULL) {
        pg_buf_puts(out, "    must(polygraphy_comparison_save(comparison, ");
        put_text(out, args->compare.save_accuracy);
        pg_buf_puts(out, "));\n");
    }
    pg_buf_puts(out, "    bool passed = polygraphy_comparison_passed(comparison);\n"
                     "    polygraphy_comparison_free(comparison);\n"
                     "    return passed;\n}\n\n");
}

/* ---- The whole ---- */

static pg_status level_name(const pg_args_logging *log, const char **out)
{
    pg_severity level = pg_args_log_level(log);
    for (size_t i = 0; i < log->verbosity.count; i++) {
        pg_name_value part = pg_value_split(pg_str_c(log->verbosity.items[i]));
        if (part.name.len > 0)
            return pg_err(
                PG_ERR_UNSUPPORTED,
                "option '--verbosity': '%s' cannot be expressed in a C program, which has one level for all",
                log->verbosity.items[i]);
        if (level == PG_INFO && !pg_severity_parse(pg_str_trim(part.value), &level))
            return pg_err(PG_ERR_INVALID, "option '--verbosity': '%s' is not a level",
                          log->verbosity.items[i]);
    }
    *out = level <= PG_EXTRA_VERBOSE ? "EXTRA_VERBOSE"
           : level <= PG_VERBOSE     ? "VERBOSE"
           : level <= PG_INFO        ? "INFO"
           : level <= PG_WARNING     ? "WARNING"
           : level <= PG_ERROR       ? "ERROR"
                                     : "SILENT";
    return NULL;
}

static void write_head(pg_buf *out)
{
    pg_buf command = {0};
    pg_python_command_line(&command);
    pg_buf_puts(out, "/* Does what this command does:\n *\n *     ");
    for (size_t i = 0; i < command.len; i++) { /* nothing that begins or ends a comment */
        pg_buf_putc(out, command.ptr[i]);
        bool ends = command.ptr[i] == '*' && i + 1 < command.len && command.ptr[i + 1] == '/';
        bool begins = command.ptr[i] == '/' && i + 1 < command.len && command.ptr[i + 1] == '*';
        if (ends || begins)
            pg_buf_putc(out, ' ');
    }
    pg_buf_deinit(&command);
    pg_buf_puts(out, "\n *\n"
                     " * Build it with: cc THIS.c $(pkg-config --cflags --libs polygraphy) */\n"
                     "#include <math.h>\n#include <polygraphy.h>\n#include <stdio.h>\n#include <stdlib.h>\n\n"
                     "static void must(polygraphy_code code)\n{\n"
                     "    if (code == POLYGRAPHY_OK)\n        return;\n"
                     "    fprintf(stderr, \"[!] %s\\n\", polygraphy_error_message());\n    exit(1);\n}\n\n");
}

static void put_top_k(const pg_args_postprocess *postprocess, pg_buf *out)
{
    if (postprocess->n_top_k == 0)
        return;
    pg_buf_puts(out, "    static const polygraphy_top_k top_k[] = {\n");
    for (size_t i = 0; i < postprocess->n_top_k; i++) {
        const pg_top_k *item = &postprocess->top_k[i];
        pg_buf_puts(out, "        {");
        put_name(out, item->output);
        pg_buf_printf(out, ", %lld, %lld},\n", (long long)item->k, (long long)item->axis);
    }
    pg_buf_printf(out, "    };\n    must(polygraphy_results_top_k(results, top_k, %zu));\n",
                  postprocess->n_top_k);
}

static void write_live(const run_args *args, pg_buf *out)
{
    if (args->model.path == NULL || (args->runners.names.count == 0 && args->onnx_save.path == NULL))
        return;
    pg_buf_puts(out, "    polygraphy_model *model = load_model();\n");
    for (size_t i = 0; i < args->runners.names.count; i++)
        pg_buf_printf(out, "    run(model, \"%s\", results);\n",
                      strcmp(args->runners.names.items[i], "onnxrt") == 0 ? "onnxrt" : "native");
    pg_buf_puts(out, "    polygraphy_model_free(model);\n");
    if (args->inference.save_outputs != NULL && args->runners.names.count > 0) {
        pg_buf_puts(out, "    must(polygraphy_results_save(results, ");
        put_text(out, args->inference.save_outputs);
        pg_buf_puts(out, "));\n");
    }
}

static void write_main(const run_args *args, const char *level, pg_buf *out)
{
    pg_buf_printf(out,
                  "int main(void)\n{\n    polygraphy_results *results;\n"
                  "    polygraphy_set_log_level(POLYGRAPHY_LOG_%s);\n"
                  "    must(polygraphy_results_new(&results));\n",
                  level);
    write_live(args, out);
    for (size_t i = 0; i < args->compare.load_outputs.count; i++) {
        pg_buf_puts(out, "    must(polygraphy_results_load(results, ");
        put_text(out, args->compare.load_outputs.items[i]);
        pg_buf_puts(out, "));\n");
    }
    put_top_k(&args->postprocess, out);
    if (args->compare.validate)
        pg_buf_puts(out, "    bool valid;\n    must(polygraphy_results_validate(results, &valid));\n");
    pg_buf_printf(out, "    bool passed = compare(results)%s;\n", args->compare.validate ? " && valid" : "");
    pg_buf_puts(out, "    polygraphy_results_free(results);\n"
                     "    puts(passed ? \"PASSED\" : \"FAILED\");\n"
                     "    return passed ? 0 : 1;\n}\n");
}

static pg_status write_c(const run_args *args, pg_arena *arena, pg_buf *out)
{
    const char *level = NULL;
    bool runs = args->runners.names.count > 0;
    PG_TRY(level_name(&args->logging, &level));
    if (args->data.iterations.set && args->data.iterations.value == 0)
        return pg_err(PG_ERR_UNSUPPORTED, "option '--iterations': 0 cannot be expressed in a C program");
    write_head(out);
    if (args->model.path != NULL && (runs || args->onnx_save.path != NULL))
        write_load_model(args, arena, out);
    if (runs) {
        write_open_runner(args, out);
        write_open_inputs(args, out);
        write_warm_up(args, out);
        write_run(args, out);
    }
    write_compare(args, arena, out);
    write_main(args, level, out);
    return NULL;
}

const run_language run_language_c = {"a C program against libpolygraphy (FILE.c)", expressible, write_c};
