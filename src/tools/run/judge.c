#include <stdlib.h>

#include "log/log.h"
#include "tools/run/internal.h"

pg_status run_judge_init(run_judge *judge, const run_args *args, const pg_str *live_names, size_t n_live)
{
    *judge = (run_judge){.args = args, .live_names = live_names, .n_live = n_live};
    judge->options =
        pg_args_compare_options(&args->compare, &args->simple, &args->indices, &args->thresholds);
    judge->options.pictures = args->reports.html != NULL;
    judge->options.all_statistics |= run_reports_wanted(args);
    judge->comparison = pg_comparison_new(&judge->options);
    return NULL;
}

void run_judge_deinit(run_judge *judge)
{
    pg_comparison_free(judge->comparison);
    pg_run_results_deinit(&judge->loaded);
    PG_VEC_FREE(&judge->file_of);
}

/* ---- Loaded runs ---- */

/* Only once a live iteration is there to be compared: a bad model should not wait for big files. */
static pg_status read_loaded(run_judge *judge)
{
    const pg_arg_list *paths = &judge->args->compare.load_outputs;
    if (judge->loaded_read)
        return NULL;
    judge->loaded_read = true;
    for (size_t i = 0; i < paths->count; i++) {
        PG_LOG_INFO("Loading inference results from %s", paths->items[i]);
        PG_TRY(pg_results_load(paths->items[i], &judge->loaded));
        while (judge->file_of.len < judge->loaded.count)
            PG_VEC_PUSH(&judge->file_of, i);
    }
    return NULL;
}

static size_t run_count(const run_judge *judge)
{
    return judge->n_live + judge->loaded.count;
}

static pg_status begin(run_judge *judge)
{
    size_t n_runs = run_count(judge);
    pg_str *names = pg_calloc(n_runs + 1, sizeof *names);
    for (size_t i = 0; i < n_runs; i++)
        names[i] =
            i < judge->n_live ? judge->live_names[i] : pg_str_c(judge->loaded.items[i - judge->n_live].name);
    judge->begun = true;
    pg_status status = pg_comparison_begin(judge->comparison, names, n_runs);
    free(names);
    return status;
}

/* ---- One iteration ---- */

static pg_status prepare(run_judge *judge, pg_str run, pg_iteration *iteration)
{
    static const pg_validation_options options = {true, true, .fail_fast = true};
    const pg_args_postprocess *postprocess = &judge->args->postprocess;
    bool valid = true;
    if (postprocess->n_top_k > 0)
        PG_TRY_CTX(pg_postprocess_top_k(iteration, postprocess->top_k, postprocess->n_top_k),
                   "while post-processing the outputs of %" PG_STR_FMT, PG_STR_ARG(run));
    if (judge->args->compare.validate && !judge->args->compare.sequential_runners)
        PG_TRY(pg_validate_iteration(run, iteration, judge->index, &options, &valid));
    judge->invalid = !valid;
    if (!valid)
        return pg_err(
            PG_ERR_INVALID,
            "Output validation failed: iteration %zu contains invalid values (NaNs/Infs). See the errors "
            "above.",
            judge->index);
    return NULL;
}

/* Streams (all live runs are one, each loaded file is one) that have no iteration any more. */
static void warn_ragged(const run_judge *judge, bool live_ended)
{
    size_t first = judge->n_live > 0 ? 1 : 0;
    size_t n_streams = first + judge->args->compare.load_outputs.count;
    PG_VEC(size_t) ended = {0};
    bool some_left = first == 1 && !live_ended;
    if (first == 1 && live_ended)
        PG_VEC_PUSH(&ended, 0);
    for (size_t i = 0; i < judge->loaded.count; i++) {
        size_t stream = first + judge->file_of.items[i];
        if (judge->index < judge->loaded.items[i].count)
            some_left = true;
        else if (ended.len == 0 || ended.items[ended.len - 1] != stream)
            PG_VEC_PUSH(&ended, stream);
    }
    if (some_left && ended.len > 0)
        pg_comparison_ragged(judge->comparison, n_streams, ended.items, ended.len);
    PG_VEC_FREE(&ended);
}

static bool loaded_have_next(const run_judge *judge)
{
    for (size_t i = 0; i < judge->loaded.count; i++)
        if (judge->index >= judge->loaded.items[i].count)
            return false;
    return true;
}

static pg_status judge_runs(run_judge *judge, pg_iteration *live)
{
    size_t n_runs = run_count(judge);
    const pg_iteration **iterations = pg_calloc(n_runs + 1, sizeof(pg_iteration *));
    pg_status status = NULL;
    for (size_t i = 0; i < n_runs && status == NULL; i++) {
        pg_runner_results *loaded = i < judge->n_live ? NULL : &judge->loaded.items[i - judge->n_live];
        pg_iteration *iteration = loaded == NULL ? &live[i] : &loaded->items[judge->index];
        iterations[i] = iteration;
        if (loaded != NULL)
            status = prepare(judge, pg_str_c(loaded->name), iteration);
    }
    if (status == NULL && !judge->begun)
        status = begin(judge);
    if (status == NULL)
        status = pg_comparison_add(judge->comparison, iterations, n_runs);
    free(iterations);
    return status;
}

pg_status run_judge_next(run_judge *judge, pg_iteration *live, bool *out_more)
{
    *out_more = false;
    for (size_t i = 0; i < judge->n_live; i++)
        PG_TRY(prepare(judge, judge->live_names[i], &live[i]));
    PG_TRY(read_loaded(judge));
    if (!loaded_have_next(judge)) {
        warn_ragged(judge, false);
        return NULL;
    }
    PG_TRY(judge_runs(judge, live));
    judge->index++;
    *out_more = !pg_comparison_stopped(judge->comparison);
    return NULL;
}

pg_status run_judge_end(run_judge *judge)
{
    if (pg_comparison_stopped(judge->comparison))
        return NULL;
    PG_TRY(read_loaded(judge));
    if (judge->n_live > 0) {
        warn_ragged(judge, true);
        return NULL;
    }
    bool more = judge->loaded.count > 0;
    while (more && loaded_have_next(judge))
        PG_TRY(run_judge_next(judge, NULL, &more));
    if (more)
        warn_ragged(judge, false);
    return NULL;
}

pg_status run_judge_verdict(run_judge *judge)
{
    if (judge->begun)
        PG_TRY(pg_comparison_finish(judge->comparison));
    return pg_comparison_passed(judge->comparison) ? NULL : pg_err(PG_ERR_FAILED, "outputs did not match");
}
