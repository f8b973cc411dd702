#include <string.h>

#include "log/log.h"
#include "tools/run/internal.h"
#include "tools/tools.h"

/* ---- Options ---- */

#define USE(group, member)                 \
    {                                      \
        &group, offsetof(run_args, member) \
    }
#define MISSING_USE(group) \
    {                      \
        &group, 0          \
    }

static const pg_group_use groups[] = {
    USE(pg_group_logging, logging),
    USE(pg_group_runners, runners),
    USE(pg_group_model, model),
    MISSING_USE(pg_group_tftrt),
    MISSING_USE(pg_group_tf),
    MISSING_USE(pg_group_tf_session),
    MISSING_USE(pg_group_tf_inference),
    MISSING_USE(pg_group_tf_onnx),
    USE(pg_group_onnx_save, onnx_save),
    USE(pg_group_onnx_shapes, onnx_shapes),
    USE(pg_group_onnx, onnx),
    USE(pg_group_onnxrt, onnxrt),
    USE(pg_group_native, native),
    USE(pg_group_ranges, ranges),
    USE(pg_group_trt_library, trt.library),
    USE(pg_group_trt_config, trt.config),
    USE(pg_group_trt_plugins, trt.plugins),
    USE(pg_group_trt_parser, trt.parser),
    USE(pg_group_trt_network, trt.network),
    USE(pg_group_trt_save_engine, trt.save),
    USE(pg_group_trt_engine, trt.engine),
    USE(pg_group_trt_inference, trt.inference),
    USE(pg_group_data, data),
    USE(pg_group_inference, inference),
    USE(pg_group_postprocess, postprocess),
    USE(pg_group_compare, compare),
    USE(pg_group_simple, simple),
    USE(pg_group_indices, indices),
    USE(pg_group_l2, thresholds.l2),
    USE(pg_group_cosine, thresholds.cosine),
    USE(pg_group_psnr, thresholds.psnr),
    USE(pg_group_snr, thresholds.snr),
    USE(pg_group_perceptual, thresholds.perceptual),
    USE(pg_group_reports, reports),
    USE(pg_group_script, script),
};

static void prepare(const void *values)
{
    const run_args *args = values;
    pg_args_compare_warn(&args->compare, &args->simple, &args->indices, &args->thresholds);
}

/* ---- The work ---- */

typedef struct run_state {
    const run_args *args;
    pg_model *model;
    run_live live;
    run_source source;
    run_savers savers;
    run_judge judge;
    run_reports reports;
    pg_run_results sequential; /* all outputs, with --sequential-runners */
    pg_iteration *iterations;  /* one per live runner */
} run_state;

static void log_inputs(const char *head, const pg_feed *feed)
{
    pg_buf text = {0};
    if (!PG_LOG_ENABLED(PG_INFO))
        return;
    run_describe_feed(&text, feed);
    PG_LOG_ONCE(PG_INFO, "%s\n---- Inference Input(s) ----\n%s", head, pg_buf_cstr(&text));
    pg_buf_deinit(&text);
}

static void drop_iterations(run_state *state)
{
    for (size_t i = 0; i < state->live.count; i++) {
        pg_iteration_deinit(&state->iterations[i]);
        state->iterations[i] = (pg_iteration){0};
    }
}

/* All runners on one input, then the verdict on it. */
static pg_status stream_one(run_state *state, size_t index, const pg_feed *feed, bool *out_more)
{
    char head[64];
    run_live *live = &state->live;
    snprintf(head, sizeof head, "Streaming iteration %zu", index);
    log_inputs(head, feed);
    run_reports_add_inputs(&state->reports, feed);
    PG_TRY(run_savers_add_inputs(&state->savers, index, feed));
    for (size_t i = 0; i < live->count; i++) {
        if (index == 0)
            PG_TRY(run_live_warm_up(live->runners[i], state->args->inference.warm_up, feed));
        PG_TRY(run_live_infer(live, i, feed, &state->iterations[i]));
        run_savers_add_outputs(&state->savers, pg_str_c(live->runners[i]->name), &state->iterations[i]);
    }
    PG_TRY(run_savers_end_iteration(&state->savers, index));
    pg_status status = run_judge_next(&state->judge, state->iterations, out_more);
    if (state->judge.invalid && state->model != NULL)
        run_blame(state->args, state->model, index);
    return status;
}

static pg_status stream_all(run_state *state)
{
    bool more = true;
    for (size_t i = 0; i < state->live.count; i++)
        PG_TRY(run_live_activate(state->live.runners[i]));
    PG_TRY(run_savers_open(&state->savers, state->args));
    PG_TRY(run_source_open(&state->source, state->args, state->live.runners[0], state->live.engine));
    for (size_t i = 0; i < state->source.count && more; i++) {
        pg_feed feed = {0};
        pg_status status = run_source_get(&state->source, i, &feed);
        if (status == NULL)
            status = stream_one(state, i, &feed, &more);
        drop_iterations(state);
        pg_feed_deinit(&feed);
        PG_TRY(status);
    }
    for (size_t i = 0; i < state->live.count; i++)
        run_live_log_end(&state->live, i, state->args);
    return more ? run_judge_end(&state->judge) : NULL;
}

static pg_status alone_on(run_state *state, size_t which, size_t index, const pg_feed *feed, pg_arena *arena)
{
    pg_runner *runner = state->live.runners[which];
    run_reports_add_inputs(&state->reports, feed);
    if (which == 0)
        PG_TRY(run_savers_add_inputs(&state->savers, index, feed));
    if (index == 0)
        PG_TRY(run_live_warm_up(runner, state->args->inference.warm_up, feed));
    log_inputs(pg_arena_printf(arena, "%-35s", runner->name), feed);
    pg_iteration *iteration = pg_runner_results_add(&state->sequential.items[which]);
    PG_TRY(run_live_infer(&state->live, which, feed, iteration));
    run_savers_add_outputs(&state->savers, pg_str_c(runner->name), iteration);
    return NULL;
}

/* One runner over all inputs. */
static pg_status run_alone(run_state *state, size_t which, pg_arena *arena)
{
    run_live *live = &state->live;
    pg_runner *runner = live->runners[which];
    PG_TRY(run_live_activate(runner));
    PG_TRY(run_source_open(&state->source, state->args, runner, state->live.engine));
    for (size_t i = 0; i < state->source.count; i++) {
        pg_feed feed = {0};
        pg_status status = run_source_get(&state->source, i, &feed);
        if (status == NULL)
            status = alone_on(state, which, i, &feed, arena);
        pg_feed_deinit(&feed);
        PG_TRY(status);
    }
    run_live_log_completed(live, which);
    run_live_log_end(live, which, state->args);
    run_source_close(&state->source);
    pg_runner_deactivate(runner);
    return NULL;
}

static pg_status run_one_by_one(run_state *state, pg_arena *arena)
{
    run_live *live = &state->live;
    bool more = live->count > 0;
    for (size_t i = 0; i < live->count; i++)
        pg_run_results_add(&state->sequential, pg_str_c(live->runners[i]->name));
    PG_TRY(run_savers_open(&state->savers, state->args));
    for (size_t i = 0; i < live->count; i++)
        PG_TRY(run_alone(state, i, arena));
    PG_TRY(run_savers_finish(&state->savers, false));
    size_t count = live->count > 0 ? state->sequential.items[0].count : 0;
    for (size_t i = 0; more && i < count; i++) {
        for (size_t r = 0; r < live->count; r++) {
            state->iterations[r] = state->sequential.items[r].items[i];
            state->sequential.items[r].items[i] = (pg_iteration){0};
        }
        pg_status status = run_judge_next(&state->judge, state->iterations, &more);
        for (size_t r = 0; r < live->count; r++) {
            state->sequential.items[r].items[i] = state->iterations[r];
            state->iterations[r] = (pg_iteration){0};
        }
        PG_TRY(status);
    }
    return more || live->count == 0 ? run_judge_end(&state->judge) : NULL;
}

/* The first iteration with a NaN or Inf. */
static size_t first_invalid(const pg_run_results *results)
{
    size_t first = SIZE_MAX;
    for (size_t r = 0; r < results->count; r++)
        for (size_t i = 0; i < results->items[r].count && i < first; i++) {
            const pg_feed *outputs = &results->items[r].items[i].outputs;
            for (size_t k = 0; k < outputs->count; k++) {
                pg_validity found = pg_validity_scan(&outputs->items[k].value);
                if (found.n_nan + found.n_inf > 0)
                    first = i;
            }
        }
    return first;
}

/* Without streaming, validation is a pass of its own: over the live runs together, then over each file. */
static pg_status validate_all(run_state *state, bool *out_valid)
{
    const pg_args_compare *compare = &state->args->compare;
    pg_validation_options options = {true, true, compare->fail_fast};
    const run_judge *judge = &state->judge;
    bool valid = true;
    *out_valid = true;
    if (!compare->validate || !compare->sequential_runners)
        return NULL;
    if (judge->n_live > 0)
        PG_TRY(pg_validate_results(&state->sequential, &options, out_valid));
    if (!*out_valid && state->model != NULL)
        run_blame(state->args, state->model, first_invalid(&state->sequential));
    for (size_t begin = 0, end; begin < judge->loaded.count; begin = end) {
        for (end = begin + 1;
             end < judge->loaded.count && judge->file_of.items[end] == judge->file_of.items[begin];)
            end++;
        pg_run_results file = {.items = judge->loaded.items + begin, .count = end - begin};
        PG_TRY(pg_validate_results(&file, &options, &valid));
        *out_valid = *out_valid && valid;
    }
    return NULL;
}

static pg_status infer_and_compare(run_state *state, pg_arena *arena)
{
    const run_args *args = state->args;
    bool needed = args->runners.names.count > 0 || args->onnx_save.path != NULL || args->ranges.wanted ||
                  args->simple.tolerance != NULL;
    if (args->model.path != NULL && needed && !args->model.is_engine) {
        PG_TRY(pg_args_load_onnx(&args->model, &args->onnx, &args->onnx_shapes, false, &state->model));
        PG_TRY(run_check_names(args, state->model));
        PG_TRY(pg_args_save_onnx(&args->onnx_save, state->model));
    }
    if (args->runners.names.count > 0 || args->trt.engine.engine != NULL)
        run_source_announce(args);
    PG_TRY(run_live_new(&state->live, args, state->model, arena));
    size_t count = state->live.count;
    state->iterations = PG_ARENA_ARRAY(arena, pg_iteration, count + 1);
    pg_str *names = PG_ARENA_ARRAY(arena, pg_str, count + 1);
    for (size_t i = 0; i < count; i++)
        names[i] = pg_str_c(state->live.runners[i]->name);
    PG_TRY(run_judge_init(&state->judge, args, names, count));
    PG_TRY(run_ranges(args, state->model));
    PG_TRY(run_tolerances(args, state->model, arena, &state->judge.options));
    if (args->compare.sequential_runners || count == 0)
        return run_one_by_one(state, arena);
    return stream_all(state);
}

static pg_status conclude(run_state *state)
{
    bool valid = true;
    pg_status verdict = run_judge_verdict(&state->judge);
    if (verdict != NULL && pg_status_code(verdict) != PG_ERR_FAILED)
        return verdict;
    pg_status status = run_save_accuracy(state->args, state->judge.comparison);
    if (status == NULL)
        status = run_save_report(state->args, &state->savers.outputs, state->judge.comparison);
    if (status == NULL)
        status = run_profile_save(state->args, &state->live);
    if (status == NULL)
        status = validate_all(state, &valid);
    if (status == NULL && verdict == NULL && !valid)
        verdict = pg_err(PG_ERR_FAILED, "outputs are not valid");
    return pg_status_first(status, verdict);
}

pg_status run_execute(const run_args *args, pg_arena *arena)
{
    run_state state = {.args = args};
    PG_TRY(run_check_comparison(args, arena));
    run_reports_begin(&state.reports, state.args);
    pg_status status = infer_and_compare(&state, arena);
    /* What was inferred so far is saved even when something went wrong later. */
    status = pg_status_first(status, run_savers_finish(&state.savers, status != NULL));
    if (status == NULL)
        status = conclude(&state);
    pg_status written = run_reports_write(&state.reports, &state.live, &state.judge, state.model, status);
    status = pg_status_first(written, status);
    run_reports_deinit(&state.reports);
    run_source_close(&state.source);
    run_savers_close(&state.savers);
    run_judge_deinit(&state.judge);
    run_live_free(&state.live);
    pg_run_results_deinit(&state.sequential);
    pg_model_unref(state.model);
    return status;
}

static bool writes_script(const void *values)
{
    return ((const run_args *)values)->script.path != NULL;
}

/* A saved engine that is the model cannot be changed any more. */
static pg_status prepare_trt(run_args *args, pg_arena *arena)
{
    pg_args_trt *trt = &args->trt;
    PG_TRY(pg_args_trt_options(trt, &args->model, arena, &trt->options));
    pg_args_trt_calibrate(trt, &args->data, arena, &trt->options);
    trt->options.profile_rows = args->native.profile_rows;
    if (!args->model.is_engine)
        return NULL;
    trt->engine_file = args->model.path;
    if (trt->save.engine != NULL)
        return pg_err(PG_ERR_INVALID, "option '--save-engine': '%s' is an engine already", args->model.path);
    if (args->onnx_save.path != NULL || args->ranges.wanted || args->simple.tolerance != NULL)
        return pg_err(PG_ERR_INVALID,
                      "'%s' is an engine: --save-onnx, --range-report and --tolerance auto need the "
                      "ONNX model",
                      args->model.path);
    return NULL;
}

static pg_status run(void *values, pg_arena *arena)
{
    run_args *args = values;
    PG_TRY(run_check(args, arena));
    PG_TRY(prepare_trt(args, arena));
    if (args->script.path != NULL)
        return run_script(&pg_command_run, args, arena);
    return run_execute(values, arena);
}

const pg_command pg_command_run = {
    .name = "run",
    .summary = "Run a model with one or more runners and compare their outputs.",
    .description =
        "Every input goes through all runners, in the order of the command line; the outputs of each are "
        "compared with those of the next, and with outputs loaded from files. For example:\n"
        "\n"
        "  polygraphy run model.onnx --onnxrt --native --atol 1e-4\n"
        "  polygraphy run model.onnx --onnxrt --save-outputs golden.json\n"
        "  polygraphy run model.onnx --native --load-outputs golden.json",
    .examples =
        "polygraphy run model.onnx --native --save-inputs in.json --save-outputs out.json\n"
        "polygraphy run model.onnx --onnxrt --native --atol 1e-4 --rtol 1e-4\n"
        "polygraphy run model.onnx --native --load-outputs out.json --report report.html\n"
        "polygraphy run model.onnx --onnxrt --native --onnx-outputs mark all --validate\n"
        "polygraphy run --load-outputs out.json out.json --compare l2 --save-accuracy-results acc.json",
    .groups = groups,
    .n_groups = PG_COUNT(groups),
    .values_size = sizeof(run_args),
    .prepare = prepare,
    .run = run,
    .brackets = true,
    .bare = writes_script,
};
