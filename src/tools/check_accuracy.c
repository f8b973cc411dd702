/* `polygraphy check accuracy`: saved accuracy results, judged by other thresholds. */
#include <string.h>

#include "args/args.h"
#include "base/file.h"
#include "compare/accuracy.h"
#include "log/log.h"
#include "tools/tools.h"

typedef struct path_args {
    const char *path;
} path_args;

static const pg_option path_rows[] = {
    {"path", PG_FIELD(path_args, path), .flags = PG_OPTION_PATH | PG_OPTION_REQUIRED,
     .help = "accuracy results, as 'run --save-accuracy-results' writes them"},
};
static const pg_group group_path = {NULL, path_rows, PG_COUNT(path_rows)};

typedef struct accuracy_args {
    pg_args_logging logging;
    pg_args_compare compare;
    pg_args_simple simple;
    pg_args_indices indices;
    pg_args_thresholds thresholds;
    path_args path;
} accuracy_args;

static const pg_group_use groups[] = {
    {&pg_group_logging, offsetof(accuracy_args, logging)},
    {&pg_group_compare, offsetof(accuracy_args, compare),
     .without = "--validate --sequential-runners --load-outputs --save-report"},
    {&pg_group_simple, offsetof(accuracy_args, simple)},
    {&pg_group_indices, offsetof(accuracy_args, indices)},
    {&pg_group_l2, offsetof(accuracy_args, thresholds.l2)},
    {&pg_group_cosine, offsetof(accuracy_args, thresholds.cosine)},
    {&pg_group_psnr, offsetof(accuracy_args, thresholds.psnr)},
    {&pg_group_snr, offsetof(accuracy_args, thresholds.snr)},
    {&pg_group_perceptual, offsetof(accuracy_args, thresholds.perceptual)},
    {&group_path, offsetof(accuracy_args, path)},
};

/* Rows that need tensors, which the file does not hold. */
static const char *const idle_rows[] = {
    "--infinities-compare-equal", "--save-heatmaps",  "--show-heatmaps",  "--save-error-metrics-plot",
    "--show-error-metrics-plot",  "--error-quantile", "--no-shape-check", "--fail-fast"};

static void warn_idle(const pg_group *group, const void *values)
{
    for (size_t i = 0; i < group->n_options; i++) {
        const pg_option *row = &group->options[i];
        for (size_t k = 0; k < PG_COUNT(idle_rows); k++)
            if (strcmp(row->names, idle_rows[k]) == 0 && pg_option_is_set(row, values))
                PG_LOG_WARNING("Option: %s does nothing here: saved accuracy results hold no tensors.",
                               idle_rows[k]);
    }
}

static void prepare(const void *values)
{
    const accuracy_args *args = values;
    pg_args_compare_warn(&args->compare, &args->simple, &args->indices, &args->thresholds);
    warn_idle(&pg_group_compare, &args->compare);
    for (size_t i = 0; i < args->compare.n_functions; i++)
        if (args->compare.functions[i] == PG_COMPARE_SIMPLE)
            warn_idle(&pg_group_simple, &args->simple);
}

/* `simple` is asked for once one of its options is given: by default it judges element by element, which
 * saved numbers cannot answer. */
static bool simple_is_asked(const accuracy_args *args)
{
    for (size_t i = 0; i < pg_group_simple.n_options; i++)
        if (pg_option_is_set(&pg_group_simple.options[i], &args->simple))
            return true;
    return args->compare.no_shape_check || args->compare.fail_fast;
}

static size_t choose_functions(const accuracy_args *args, pg_compare_function *out)
{
    size_t count = 0;
    for (size_t i = 0; i < args->compare.n_functions; i++) {
        pg_compare_function function = args->compare.functions[i];
        if (function == PG_COMPARE_INDICES || (function == PG_COMPARE_SIMPLE && !simple_is_asked(args)))
            continue;
        out[count++] = function;
    }
    return count;
}

/* ---- Summary ---- */

static pg_status summarize_averages(const pg_accuracy_pair *pair, const char *head, pg_arena *arena)
{
    pg_accuracy_iteration averages;
    size_t n_passed = 0;
    PG_TRY(pg_accuracy_average(pair, arena, &averages));
    for (size_t i = 0; i < averages.count; i++) {
        bool passed;
        PG_TRY(pg_accuracy_output_passed(&averages.items[i], &passed));
        n_passed += passed;
    }
    PG_LOG(n_passed == averages.count ? PG_FINISH : PG_ERROR, "%sPassed: %zu/%zu outputs", head, n_passed,
           averages.count);
    pg_log_indent(1);
    for (size_t i = 0; i < averages.count; i++) {
        const pg_accuracy_output *output = &averages.items[i];
        if (output->metric == NULL || !output->present[0])
            continue;
        pg_buf text = {0};
        bool passed = pg_metric_passes(output->metric, true, output->values[0], output->threshold.value);
        pg_metric_text(&text, output->metric, output->values[0], output->threshold.value);
        PG_LOG(passed ? PG_FINISH : PG_ERROR, "%s | %s", output->name, pg_buf_cstr(&text));
        pg_buf_deinit(&text);
    }
    pg_log_indent(-1);
    return NULL;
}

static pg_status summarize_iterations(const pg_accuracy_pair *pair, const char *head)
{
    size_t n_passed = 0;
    for (size_t i = 0; i < pair->count; i++) {
        bool passed;
        PG_TRY(pg_accuracy_iteration_passed(&pair->iterations[i], &passed));
        n_passed += passed;
    }
    double rate = pair->count > 0 ? (double)n_passed / (double)pair->count : 1;
    PG_LOG(n_passed == pair->count ? PG_FINISH : PG_ERROR, "%sPassed: %zu/%zu iterations | Pass Rate: %.2f%%",
           head, n_passed, pair->count, rate * 100);
    return NULL;
}

static pg_status summarize(const pg_accuracy *accuracy, pg_arena *arena)
{
    for (size_t r = 0; r < accuracy->count; r++) {
        const pg_accuracy_result *result = &accuracy->items[r];
        for (size_t p = 0; p < result->count; p++) {
            const pg_accuracy_pair *pair = &result->pairs[p];
            const char *head =
                pg_arena_printf(arena, "Accuracy Summary | %s vs. %s | ", pair->run0, pair->run1);
            PG_TRY(result->average ? summarize_averages(pair, head, arena)
                                   : summarize_iterations(pair, head));
        }
    }
    return NULL;
}

/* ---- The command ---- */

static pg_status judge(const accuracy_args *args, pg_accuracy *accuracy, pg_arena *arena)
{
    pg_compare_options options =
        pg_args_compare_options(&args->compare, &args->simple, &args->indices, &args->thresholds);
    pg_compare_function functions[PG_COMPARE_FUNCTION_COUNT];
    size_t n_functions = choose_functions(args, functions);
    bool passed = true;
    PG_TRY(pg_accuracy_rethreshold(accuracy, &options, functions, n_functions));
    if (n_functions == 0)
        PG_LOG_WARNING(
            "Nothing was checked: none of the chosen comparison functions can judge saved numbers. "
            "Choose functions with --compare, or a statistic with --check-error-stat.");
    PG_TRY(summarize(accuracy, arena));
    for (size_t r = 0; r < accuracy->count && passed; r++)
        PG_TRY(pg_accuracy_result_passed(&accuracy->items[r], arena, &passed));
    if (args->compare.save_accuracy != NULL) {
        PG_LOG_INFO("Saving accuracy results to %s", args->compare.save_accuracy);
        PG_TRY(pg_accuracy_save(args->compare.save_accuracy, accuracy));
    }
    if (!passed) {
        PG_LOG_ERROR("FAILED | Accuracy results did not pass the requested thresholds.");
        return pg_err(PG_ERR_FAILED, "thresholds not met");
    }
    PG_LOG(PG_FINISH, "PASSED | Accuracy results passed the requested thresholds.");
    return NULL;
}

static pg_status run(void *values, pg_arena *arena)
{
    const accuracy_args *args = values;
    pg_accuracy accuracy;
    PG_LOG_INFO("Loading accuracy results from %s", args->path.path);
    PG_TRY(pg_accuracy_load(args->path.path, &accuracy));
    pg_status status = NULL;
    if (args->compare.save_accuracy != NULL)
        status = pg_file_check_writable(args->compare.save_accuracy);
    if (status == NULL)
        status = judge(args, &accuracy, arena);
    pg_accuracy_deinit(&accuracy);
    return status;
}

const pg_command pg_command_check_accuracy = {
    .name = "accuracy",
    .summary = "Judge saved accuracy results by other thresholds.",
    .description =
        "Takes the numbers that 'run --save-accuracy-results' saved and judges them by the thresholds given "
        "here, without running anything. Results of comparison functions that are not chosen are left out. "
        "For example:\n"
        "\n"
        "  polygraphy check accuracy results.json --compare psnr --psnr-threshold 40\n"
        "  polygraphy check accuracy results.json --check-error-stat max --atol 1e-3\n"
        "\n"
        "The default of 'simple', element by element, needs the tensors: save those with 'run "
        "--save-outputs' "
        "and compare again.",
    .examples = "polygraphy check accuracy acc.json --compare l2 --l2-threshold 0.5",
    .groups = groups,
    .n_groups = PG_COUNT(groups),
    .values_size = sizeof(accuracy_args),
    .prepare = prepare,
    .run = run,
    .brackets = true,
};
