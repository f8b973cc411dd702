/* `polygraphy diff`: what differs between two models, and a model as text for version control. */
#include "delta/delta.h"

#include <stdio.h>
#include <string.h>

#include "args/args.h"
#include "base/file.h"
#include "log/log.h"
#include "tools/tools.h"

typedef struct diff_own_args {
    pg_arg_list models;
    bool textconv;
    const char *json;
} diff_own_args;

static const pg_option own_rows[] = {
    {"models", PG_FIELD(diff_own_args, models), .flags = PG_OPTION_PATH, .metavar = "MODEL",
     .arity = PG_ARITY_SOME, .help = "the two models; one with --textconv"},
    {"--textconv", PG_FIELD(diff_own_args, textconv),
     .help = "print one model as stable text instead, for 'git diff'"},
    {"--json", PG_FIELD(diff_own_args, json), .metavar = "PATH", .flags = PG_OPTION_PATH,
     .help = "save the differences as JSON"},
};
static const pg_group group_own = {NULL, own_rows, PG_COUNT(own_rows)};

typedef struct diff_args {
    pg_args_logging logging;
    diff_own_args own;
    pg_args_onnx onnx;
    pg_args_runners runners;
    pg_args_model shapes; /* --input-shapes only */
    pg_args_data data;
    pg_args_compare compare;
    pg_args_simple simple;
    pg_args_indices indices;
    pg_args_thresholds thresholds;
    pg_args_onnxrt onnxrt;
    pg_args_native native;
} diff_args;

#define USE(group, member)                  \
    {                                       \
        &group, offsetof(diff_args, member) \
    }

static const pg_group_use groups[] = {
    USE(pg_group_logging, logging),
    USE(group_own, own),
    {&pg_group_onnx, offsetof(diff_args, onnx),
     .without = "--onnx-outputs --onnx-exclude-outputs --onnx-outputs-by-type --mark-all --exclude-outputs "
                "--fp-to-fp16"},
    {&pg_group_runners, offsetof(diff_args, runners), .without = "--tf --pluginref --trt"},
    {&pg_group_onnx_model, offsetof(diff_args, shapes), .without = "model_file"},
    {&pg_group_data, offsetof(diff_args, data), .without = "--iterations"},
    {&pg_group_compare, offsetof(diff_args, compare),
     .without = "--validate --sequential-runners --load-outputs --save-report --check-average "
                "--save-accuracy-results --compare-func-script"},
    {&pg_group_simple, offsetof(diff_args, simple), .without = "--tolerance"},
    USE(pg_group_indices, indices),
    USE(pg_group_l2, thresholds.l2),
    USE(pg_group_cosine, thresholds.cosine),
    USE(pg_group_psnr, thresholds.psnr),
    USE(pg_group_snr, thresholds.snr),
    USE(pg_group_perceptual, thresholds.perceptual),
    USE(pg_group_onnxrt, onnxrt),
    {&pg_group_native, offsetof(diff_args, native), .without = "--profile --save-profile"},
};

/* ---- Numbers ---- */

/* The names of inputs or outputs of one model in the other, where the graphs say so. */
static void rename_feed(const pg_delta *diff, pg_delta_section section, bool to_second, pg_feed *feed)
{
    for (size_t i = 0; i < diff->items.len; i++) {
        const pg_delta_item *item = &diff->items.items[i];
        if (item->section != section || item->change != PG_DELTA_RENAMED || item->where.len > 0)
            continue;
        pg_str second = pg_str_sub(item->detail, 1, item->detail.len - 1); /* without its quotes */
        pg_str from = to_second ? item->name : second, to = to_second ? second : item->name;
        for (size_t k = 0; k < feed->count; k++)
            if (pg_str_is(from, feed->items[k].name)) {
                free(feed->items[k].name);
                feed->items[k].name = pg_strndup(to.ptr, to.len);
                break;
            }
    }
}

static pg_status run_one(pg_runner *runner, const pg_feed *feed, pg_iteration *out)
{
    pg_feed fitted = {0};
    if (!runner->active)
        PG_TRY(pg_runner_activate(runner));
    pg_status status = pg_runner_fit(runner, feed, &fitted);
    if (status == NULL)
        status = pg_runner_infer(runner, &fitted, &out->outputs);
    out->has_runtime = true;
    out->runtime = runner->seconds;
    out->runner_name = pg_strndup(runner->name, strlen(runner->name));
    pg_feed_deinit(&fitted);
    return status;
}

static pg_status first_inputs(const diff_args *args, pg_runner *runner, pg_feed *out)
{
    PG_TRY(pg_runner_activate(runner));
    return pg_args_first_feed(&args->data, &args->shapes, runner->ops->inputs(runner), out);
}

typedef struct runs {
    pg_runner *runners[2];
    pg_iteration iterations[2];
    pg_comparison *comparison;
} runs;

static pg_status compare_runs(const diff_args *args, runs *both, bool *out_same)
{
    pg_compare_options options =
        pg_args_compare_options(&args->compare, &args->simple, &args->indices, &args->thresholds);
    const pg_str names[] = {pg_str_c(both->runners[0]->name), pg_str_c(both->runners[1]->name)};
    const pg_iteration *iterations[] = {&both->iterations[0], &both->iterations[1]};
    both->comparison = pg_comparison_new(&options);
    PG_TRY(pg_comparison_begin(both->comparison, names, 2));
    PG_TRY(pg_comparison_add(both->comparison, iterations, 2));
    PG_TRY(pg_comparison_finish(both->comparison));
    *out_same = pg_comparison_passed(both->comparison);
    return NULL;
}

static pg_status run_both(const diff_args *args, const char *name, pg_model **models, const pg_delta *diff,
                          runs *both, bool *out_same)
{
    pg_feed feed = {0};
    pg_status status = NULL;
    for (int i = 0; i < 2; i++)
        PG_TRY(pg_args_new_runner(name, &args->runners, &args->onnxrt, &args->native, NULL, models[i],
                                  &both->runners[i]));
    PG_TRY_GOTO(status, first_inputs(args, both->runners[0], &feed));
    PG_TRY_GOTO(status, run_one(both->runners[0], &feed, &both->iterations[0]));
    rename_feed(diff, PG_DELTA_INPUT, true, &feed);
    PG_TRY_GOTO(status, run_one(both->runners[1], &feed, &both->iterations[1]));
    rename_feed(diff, PG_DELTA_OUTPUT, false, &both->iterations[1].outputs);
    status = compare_runs(args, both, out_same);
done:
    pg_feed_deinit(&feed);
    return status;
}

static pg_status compare_numbers(const diff_args *args, pg_model **models, const pg_delta *diff,
                                 bool *out_same)
{
    *out_same = true;
    for (size_t i = 0; i < args->runners.names.count; i++) {
        runs both = {0};
        bool same = true;
        pg_status status = run_both(args, args->runners.names.items[i], models, diff, &both, &same);
        for (int k = 0; k < 2; k++) {
            pg_runner_free(both.runners[k]);
            pg_iteration_deinit(&both.iterations[k]);
        }
        pg_comparison_free(both.comparison);
        PG_TRY_CTX(status, "while running both models with '%s'", args->runners.names.items[i]);
        *out_same = *out_same && same;
    }
    return NULL;
}

/* ---- Results ---- */

static pg_status save_json(const diff_args *args, const pg_delta *diff, bool same_numbers)
{
    pg_writer writer;
    pg_json_writer json;
    PG_TRY(pg_writer_open(&writer, args->own.json));
    pg_json_to_file(&json, &writer, 4);
    pg_json_begin_object(&json);
    pg_json_field_i64(&json, "schema", 1);
    pg_json_field_str(&json, "a", pg_str_c(args->own.models.items[0]));
    pg_json_field_str(&json, "b", pg_str_c(args->own.models.items[1]));
    pg_json_field_bool(&json, "same", diff->n_differences == 0 && same_numbers);
    pg_json_key(&json, "same_numbers");
    if (args->runners.names.count > 0)
        pg_json_put_bool(&json, same_numbers);
    else
        pg_json_put_null(&json);
    pg_json_key(&json, "differences");
    pg_delta_json(diff, &json);
    pg_json_end_object(&json);
    return pg_writer_commit(&writer);
}

static void log_structure(const pg_delta *diff)
{
    pg_buf text = {0};
    pg_delta_text(diff, &text);
    if (text.len > 0)
        PG_LOG_INFO("%s", pg_buf_cstr(&text));
    pg_buf_deinit(&text);
    if (diff->n_differences > 0)
        PG_LOG_ERROR("The models differ in %zu place(s)", diff->n_differences);
    else
        PG_LOG_INFO("The models are the same%s",
                    diff->items.len > 0 ? ", but for names and the order of nodes" : "");
}

static pg_status diff_models(const diff_args *args, pg_model **models)
{
    pg_delta diff = {0};
    bool same_numbers = true;
    pg_status status = NULL;
    PG_TRY_GOTO(status, pg_delta_models(models[0], models[1], &diff));
    log_structure(&diff);
    PG_TRY_GOTO(status, compare_numbers(args, models, &diff, &same_numbers));
    if (args->own.json != NULL)
        PG_TRY_GOTO(status, save_json(args, &diff, same_numbers));
    if (diff.n_differences > 0 || !same_numbers)
        status = pg_err(PG_ERR_FAILED, "the models differ");
done:
    pg_delta_deinit(&diff);
    return status;
}

/* ---- The command ---- */

static pg_status print_text(const diff_args *args)
{
    pg_model *model;
    pg_buf text = {0};
    pg_log_set_severity(PG_STR(""), PG_CRITICAL); /* warnings would be differences */
    PG_TRY(pg_model_load(args->own.models.items[0], &args->onnx.options, &model));
    pg_delta_textconv(model, &text);
    fwrite(text.ptr, 1, text.len, stdout);
    pg_buf_deinit(&text);
    pg_model_unref(model);
    return NULL;
}

static pg_status run(void *values, pg_arena *arena)
{
    const diff_args *args = values;
    size_t wanted = args->own.textconv ? 1 : 2;
    pg_model *models[2] = {NULL, NULL};
    pg_status status = NULL;
    (void)arena;
    if (args->own.models.count != wanted)
        return pg_err(PG_ERR_USAGE, "%s, not %zu",
                      wanted == 1 ? "--textconv takes one model" : "two models are needed",
                      args->own.models.count);
    if (args->own.textconv)
        return print_text(args);
    if (args->own.json != NULL)
        PG_TRY_CTX(pg_file_check_writable(args->own.json), "option '--json'");
    for (int i = 0; i < 2; i++)
        PG_TRY_GOTO(status, pg_model_load(args->own.models.items[i], &args->onnx.options, &models[i]));
    status = diff_models(args, models);
done:
    pg_model_unref(models[0]);
    pg_model_unref(models[1]);
    return status;
}

pg_status pg_tools_diff_models(const char *a, const char *b)
{
    const char *paths[] = {a, b};
    diff_args args = {.own = {.models = {true, paths, 2}}};
    pg_arena arena = {0};
    pg_status status = run(&args, &arena);
    pg_arena_deinit(&arena);
    return status;
}

const pg_command pg_command_diff = {
    .name = "diff",
    .summary = "Compare two models.",
    .description =
        "Tells what differs between two ONNX models: versions, metadata, inputs, outputs, nodes, attributes "
        "and "
        "weights, these with the largest difference of their elements. Nodes are matched by name, then by "
        "what "
        "they read and who reads them, so that renamed or reordered parts are not taken for changes. With "
        "runners (--onnxrt, --native) both models also run on the same inputs and their outputs are "
        "compared.\n\n"
        "The status is 0 when nothing differs, else 1.",
    .examples = "polygraphy diff model.onnx model.onnx\n"
                "polygraphy diff model.onnx model.onnx --native --rtol 1e-3 --json diff.json\n"
                "polygraphy diff --textconv model.onnx",
    .groups = groups,
    .n_groups = PG_COUNT(groups),
    .values_size = sizeof(diff_args),
    .run = run,
};
