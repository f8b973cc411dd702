#include <string.h>

#include "compare/accuracy.h"
#include "log/log.h"
#include "tools/run/internal.h"

/* ---- Raw bytes of inputs ---- */

static pg_status save_blob(const char *folder, const pg_named_value *item, pg_arena *arena)
{
    if (item->value.kind != PG_VALUE_TENSOR || item->value.tensor.dtype == PG_STRING)
        return pg_err(PG_ERR_UNSUPPORTED, "input '%s' has no raw bytes: it is not a tensor of numbers",
                      item->name);
    pg_str rest = pg_str_c(item->name), part;
    while (pg_str_split(&rest, '/', &part))
        if (pg_str_is(part, ".."))
            return pg_err(PG_ERR_INVALID, "cannot save the raw input '%s': its name leads outside '%s'",
                          item->name, folder);
    const pg_tensor *tensor = &item->value.tensor;
    return pg_file_write(pg_arena_printf(arena, "%s/%s.bin", folder, item->name),
                         (pg_str){tensor->data, (size_t)pg_tensor_bytes(tensor)});
}

static pg_status save_blobs(const char *root, size_t index, const pg_feed *feed)
{
    pg_arena arena = {0};
    pg_status status = NULL;
    const char *folder = pg_arena_printf(&arena, "%s/%010zu", root, index);
    for (size_t i = 0; i < feed->count && status == NULL; i++)
        status = save_blob(folder, &feed->items[i], &arena);
    if (status == NULL)
        PG_LOG_VERBOSE("Saved raw inference input tensors to: %s", folder);
    pg_arena_deinit(&arena);
    return pg_status_context(status, "while saving the raw inputs");
}

/* ---- All savers ---- */

static bool is_folder(const char *path)
{
    return pg_path_extension(pg_str_c(path)).len == 0;
}

static void log_target(const char *what, const char *path)
{
    if (is_folder(path))
        PG_LOG_INFO("Saving %s to a directory of per-iteration files: %s", what, path);
    else
        PG_LOG_INFO("Saving %s to a single file: %s", what, path);
}

static void log_file(const char *what, const char *folder, size_t index)
{
    PG_LOG_INFO("Saving %s to %s/%010zu.json", what, folder, index);
}

/* What is saved after all iterations: a file, or a folder's files. */
static void log_saved(const char *what, const char *path, size_t n_files)
{
    if (!is_folder(path)) {
        PG_LOG_INFO("Saving %s to %s", what, path);
        return;
    }
    for (size_t i = 0; i < n_files; i++)
        log_file(what, path, i);
}

static pg_status check_folder_is_free(const char *what, const char *path)
{
    char **names;
    size_t count = 0;
    pg_arena arena = {0};
    pg_status status = NULL;
    if (is_folder(path) && pg_path_is_dir(path))
        status = pg_path_list(path, &arena, &names, &count);
    if (status == NULL && count > 0)
        status = pg_err(PG_ERR_INVALID,
                        "Cannot save %s to '%s': the directory is not empty. Per-iteration files require an "
                        "empty or new directory; use a different path, or remove its contents first",
                        what, path);
    pg_arena_deinit(&arena);
    return status;
}

pg_status run_savers_check(const run_args *args)
{
    const pg_args_inference *paths = &args->inference;
    if (paths->save_inputs != NULL)
        PG_TRY(check_folder_is_free("inference input data", paths->save_inputs));
    if (paths->save_outputs != NULL)
        PG_TRY(check_folder_is_free("inference results", paths->save_outputs));
    return NULL;
}

pg_status run_savers_open(run_savers *savers, const run_args *args)
{
    const pg_args_inference *paths = &args->inference;
    *savers = (run_savers){.args = args};
    savers->keep_outputs = paths->save_outputs != NULL || args->compare.save_report != NULL;
    savers->by_iteration = paths->save_outputs != NULL && is_folder(paths->save_outputs) &&
                           args->compare.save_report == NULL && !args->compare.sequential_runners;
    if (paths->save_inputs != NULL) {
        if (!args->compare.sequential_runners)
            log_target("inference input data", paths->save_inputs);
        PG_TRY(pg_inputs_create(paths->save_inputs, &savers->inputs));
    }
    if (paths->save_outputs != NULL && !args->compare.sequential_runners)
        log_target("inference results", paths->save_outputs);
    if (paths->save_input_blob.set) {
        PG_LOG_INFO("Saving raw inference input tensors to: %s", paths->save_input_blob.text);
        PG_TRY(pg_path_make_dirs(paths->save_input_blob.text));
    }
    return NULL;
}

pg_status run_savers_add_inputs(run_savers *savers, size_t index, const pg_feed *feed)
{
    const char *path = savers->args->inference.save_inputs;
    savers->n_inputs++;
    if (savers->inputs != NULL) {
        if (is_folder(path) && !savers->args->compare.sequential_runners)
            log_file("inference input data", path, index);
        PG_TRY(pg_inputs_add(savers->inputs, feed));
    }
    if (savers->args->inference.save_input_blob.set)
        PG_TRY(save_blobs(savers->args->inference.save_input_blob.text, index, feed));
    return NULL;
}

static pg_runner_results *results_of(pg_run_results *results, pg_str runner)
{
    for (size_t i = 0; i < results->count; i++)
        if (pg_str_is(runner, results->items[i].name))
            return &results->items[i];
    return pg_run_results_add(results, runner);
}

void run_savers_add_outputs(run_savers *savers, pg_str runner, const pg_iteration *iteration)
{
    if (!savers->keep_outputs)
        return;
    pg_iteration *kept = pg_runner_results_add(results_of(&savers->outputs, runner));
    kept->outputs = pg_feed_share(&iteration->outputs);
    kept->has_runtime = iteration->has_runtime;
    kept->runtime = iteration->runtime;
    if (iteration->runner_name != NULL)
        kept->runner_name = pg_strndup(iteration->runner_name, strlen(iteration->runner_name));
}

pg_status run_savers_end_iteration(run_savers *savers, size_t index)
{
    if (!savers->by_iteration)
        return NULL;
    pg_buf path = {0};
    pg_buf_printf(&path, "%s/%010zu.json", savers->args->inference.save_outputs, index);
    log_file("inference results", savers->args->inference.save_outputs, index);
    pg_status status = pg_results_save(pg_buf_cstr(&path), &savers->outputs);
    pg_buf_deinit(&path);
    pg_run_results_deinit(&savers->outputs);
    return status;
}

static pg_status finish_inputs(run_savers *savers)
{
    pg_inputs_writer *inputs = savers->inputs;
    savers->inputs = NULL;
    if (inputs == NULL)
        return NULL;
    const char *path = savers->args->inference.save_inputs;
    bool late = savers->args->compare.sequential_runners;
    if (late)
        log_target("inference input data", path);
    if (late || !is_folder(path))
        log_saved("inference input data", path, savers->n_inputs);
    return pg_inputs_finish(inputs);
}

pg_status run_savers_finish(run_savers *savers, bool failed)
{
    if (savers->args == NULL || savers->finished || (failed && savers->n_inputs == 0))
        return NULL;
    const char *path = savers->args->inference.save_outputs;
    savers->finished = true;
    PG_TRY(finish_inputs(savers));
    if (path == NULL || savers->by_iteration || (failed && savers->outputs.count == 0))
        return NULL;
    if (savers->args->compare.sequential_runners && is_folder(path))
        log_target("inference results", path);
    log_saved("inference results", path, savers->outputs.count > 0 ? savers->outputs.items[0].count : 0);
    return pg_results_save(path, &savers->outputs);
}

void run_savers_close(run_savers *savers)
{
    pg_inputs_abandon(savers->inputs);
    savers->inputs = NULL;
    pg_run_results_deinit(&savers->outputs);
}

pg_status run_save_accuracy(const run_args *args, const pg_comparison *comparison)
{
    pg_accuracy accuracy;
    if (args->compare.save_accuracy == NULL)
        return NULL;
    pg_accuracy_of_comparison(comparison, &accuracy);
    PG_LOG_INFO("Saving accuracy results to %s", args->compare.save_accuracy);
    pg_status status = pg_accuracy_save(args->compare.save_accuracy, &accuracy);
    pg_accuracy_deinit(&accuracy);
    return status;
}

/* ---- The readable report ---- */

/* The row of an output: its worst error and the mean of its mean errors over all iterations of a pair. */
static bool fill_row(const pg_pair_comparison *pair, const char *output, pg_report_row *row)
{
    double sum = 0;
    size_t count = 0;
    for (size_t i = 0; i < pair->count; i++)
        for (size_t f = 0; f < pair->iterations[i].n_functions; f++) {
            const pg_function_comparison *function = &pair->iterations[i].functions[f];
            for (size_t o = 0; o < function->count; o++) {
                const pg_output_comparison *result = &function->outputs[o];
                if (strcmp(result->name0, output) != 0)
                    continue;
                row->passed = row->passed && result->passed;
                if (result->function != PG_COMPARE_SIMPLE || result->problem != PG_COMPARED)
                    continue;
                if (count == 0 || !(result->abs.max <= row->max_error))
                    row->max_error = result->abs.max;
                sum += result->abs.mean;
                count++;
            }
        }
    row->mean_error = count > 0 ? sum / (double)count : 0;
    return count > 0;
}

pg_status run_save_report(const run_args *args, const pg_run_results *outputs,
                          const pg_comparison *comparison)
{
    size_t n_pairs = 0;
    if (args->compare.save_report == NULL)
        return NULL;
    pg_arena arena = {0};
    PG_VEC(pg_report_row) rows = {0};
    const pg_pair_comparison *pairs = pg_comparison_pairs(comparison, &n_pairs);
    for (size_t p = 0; p < n_pairs; p++) {
        if (pairs[p].count == 0 || pairs[p].iterations[0].n_functions == 0)
            continue;
        const pg_function_comparison *first = &pairs[p].iterations[0].functions[0];
        for (size_t o = 0; o < first->count; o++) {
            const char *output = first->outputs[o].name0;
            pg_report_row *row = PG_VEC_ADD(&rows);
            row->passed = true;
            row->name = pg_str_c(n_pairs == 1 ? output
                                              : pg_arena_printf(&arena, "%s (%s vs. %s)", output,
                                                                pairs[p].run0, pairs[p].run1));
            fill_row(&pairs[p], output, row);
        }
    }
    PG_LOG_INFO("Saving the report to %s", args->compare.save_report);
    pg_status status = pg_results_save_report(args->compare.save_report, outputs, rows.items, rows.len);
    PG_VEC_FREE(&rows);
    pg_arena_deinit(&arena);
    return status;
}
