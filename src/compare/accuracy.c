/* Accuracy results in memory: made from a comparison, judged, averaged, judged anew. */
#include "compare/accuracy.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "compare/internal.h"
#include "log/log.h"

const char *const pg_accuracy_diff_fields[PG_ACCURACY_DIFFS] = {
    "max_absdiff",    "max_reldiff",    "mean_absdiff",     "mean_reldiff",
    "median_absdiff", "median_reldiff", "quantile_absdiff", "quantile_reldiff"};

void pg_accuracy_deinit(pg_accuracy *accuracy)
{
    pg_arena_deinit(&accuracy->arena);
    *accuracy = (pg_accuracy){0};
}

/* ---- From a comparison ---- */

static void take_simple(const pg_output_comparison *from, pg_accuracy_output *to)
{
    bool quantile = from->stat == PG_ERROR_QUANTILE;
    to->kind = PG_ACCURACY_SIMPLE;
    to->stat = from->stat;
    to->atol = (pg_output_number){.value = from->atol, .integer = from->atol_integer};
    to->rtol = (pg_output_number){.value = from->rtol, .integer = from->rtol_integer};
    const double values[PG_ACCURACY_DIFFS] = {from->abs.max,      from->rel.max,     from->abs.mean,
                                              from->rel.mean,     from->abs.median,  from->rel.median,
                                              from->abs.quantile, from->rel.quantile};
    memcpy(to->values, values, sizeof values);
    for (size_t i = 0; i < PG_ACCURACY_DIFFS; i++)
        to->present[i] = quantile || i < PG_ACCURACY_DIFFS - 2;
    to->has_verdict = from->stat == PG_ERROR_ELEMWISE;
    to->verdict = from->passed;
}

static void take_output(pg_arena *arena, const pg_output_comparison *from, pg_accuracy_output *to)
{
    const pg_metric *metric = pg_metric_of(from->function);
    bool texts = from->dtype0 == PG_STRING;
    *to = (pg_accuracy_output){.name = pg_arena_cstr(arena, pg_str_c(from->name0))};
    if (from->problem == PG_COMPARED && from->function == PG_COMPARE_SIMPLE && !texts) {
        take_simple(from, to);
    } else if (from->problem == PG_COMPARED && metric != NULL) {
        to->kind = PG_ACCURACY_METRIC;
        to->metric = metric;
        to->values[0] = from->value;
        to->present[0] = from->has_value;
        to->threshold = from->threshold;
    } else {
        to->has_verdict = true;
        to->verdict = from->passed;
    }
}

static void take_iteration(pg_arena *arena, const pg_function_comparison *from, pg_accuracy_iteration *to)
{
    to->count = from->count;
    to->items = PG_ARENA_ARRAY(arena, pg_accuracy_output, from->count + 1);
    for (size_t i = 0; i < from->count; i++)
        take_output(arena, &from->outputs[i], &to->items[i]);
}

static bool same_runs(const pg_pair_comparison *a, const pg_pair_comparison *b)
{
    return strcmp(a->run0, b->run0) == 0 && strcmp(a->run1, b->run1) == 0;
}

/* The pairs called as pair `first`, iteration by iteration. */
static void take_pair(pg_arena *arena, const pg_pair_comparison *pairs, size_t n_pairs, size_t first,
                      size_t function, pg_accuracy_pair *to)
{
    size_t count = 0, longest = 0;
    for (size_t p = first; p < n_pairs; p++)
        if (same_runs(&pairs[p], &pairs[first])) {
            count += pairs[p].count;
            longest = PG_MAX(longest, pairs[p].count);
        }
    to->run0 = pg_arena_cstr(arena, pg_str_c(pairs[first].run0));
    to->run1 = pg_arena_cstr(arena, pg_str_c(pairs[first].run1));
    to->iterations = PG_ARENA_ARRAY(arena, pg_accuracy_iteration, count + 1);
    for (size_t i = 0; i < longest; i++)
        for (size_t p = first; p < n_pairs; p++)
            if (same_runs(&pairs[p], &pairs[first]) && i < pairs[p].count)
                take_iteration(arena, &pairs[p].iterations[i].functions[function],
                               &to->iterations[to->count++]);
}

void pg_accuracy_of_comparison(const pg_comparison *comparison, pg_accuracy *out)
{
    size_t n_pairs;
    const pg_compare_options *options = pg_comparison_options(comparison);
    const pg_pair_comparison *pairs = pg_comparison_pairs(comparison, &n_pairs);
    *out = (pg_accuracy){.count = PG_MAX(options->n_functions, (size_t)1)};
    out->items = PG_ARENA_ARRAY(&out->arena, pg_accuracy_result, out->count);
    for (size_t f = 0; f < out->count; f++) {
        pg_accuracy_result *result = &out->items[f];
        result->average = options->check_average;
        result->pairs = PG_ARENA_ARRAY(&out->arena, pg_accuracy_pair, n_pairs + 1);
        for (size_t p = 0; p < n_pairs; p++) {
            bool seen = false;
            for (size_t k = 0; k < p; k++)
                seen = seen || same_runs(&pairs[k], &pairs[p]);
            if (!seen)
                take_pair(&out->arena, pairs, n_pairs, p, f, &result->pairs[result->count++]);
        }
    }
}

/* ---- Verdicts ---- */

static bool beyond(double value, double tolerance)
{
    return isnan(value) || value > tolerance;
}

static pg_status simple_passed(const pg_accuracy_output *output, bool *out)
{
    static const size_t first_field[] = {
        [PG_ERROR_MAX] = 0, [PG_ERROR_MEAN] = 2, [PG_ERROR_MEDIAN] = 4, [PG_ERROR_QUANTILE] = 6};
    if (output->stat == PG_ERROR_ELEMWISE)
        return pg_err(
            PG_ERR_INVALID,
            "Cannot re-threshold an 'elemwise' comparison: it is a per-element check with no scalar "
            "statistic to threshold.\nNote: Choose an explicit statistic (--check-error-stat max, "
            "mean, median, or quantile), or re-run the comparison from saved raw outputs (run "
            "--save-outputs / --load-outputs).");
    size_t field = first_field[output->stat];
    if (!output->present[field] || !output->present[field + 1])
        return pg_err(
            PG_ERR_INVALID,
            "The saved results do not contain a '%s' statistic, so they cannot be checked against it.\nNote: "
            "'quantile' statistics are only saved when the original comparison used --check-error-stat "
            "quantile. Choose max, mean, or median instead, or re-run the comparison from saved raw outputs.",
            pg_error_stat_name(output->stat));
    *out = !(beyond(output->values[field], output->atol.value) &&
             beyond(output->values[field + 1], output->rtol.value));
    return NULL;
}

pg_status pg_accuracy_output_passed(const pg_accuracy_output *output, bool *out)
{
    if (output->has_verdict)
        *out = output->verdict;
    else if (output->kind == PG_ACCURACY_METRIC)
        *out =
            pg_metric_passes(output->metric, output->present[0], output->values[0], output->threshold.value);
    else
        return simple_passed(output, out);
    return NULL;
}

pg_status pg_accuracy_iteration_passed(const pg_accuracy_iteration *iteration, bool *out)
{
    *out = true;
    for (size_t i = 0; i < iteration->count && *out; i++)
        PG_TRY(pg_accuracy_output_passed(&iteration->items[i], out));
    return NULL;
}

pg_status pg_accuracy_result_passed(const pg_accuracy_result *result, pg_arena *arena, bool *out)
{
    *out = true;
    for (size_t p = 0; p < result->count && *out; p++) {
        const pg_accuracy_pair *pair = &result->pairs[p];
        pg_accuracy_iteration averages;
        if (result->average) {
            PG_TRY(pg_accuracy_average(pair, arena, &averages));
            PG_TRY(pg_accuracy_iteration_passed(&averages, out));
            continue;
        }
        for (size_t i = 0; i < pair->count && *out; i++)
            PG_TRY(pg_accuracy_iteration_passed(&pair->iterations[i], out));
    }
    return NULL;
}

/* ---- Averages ---- */

static const pg_accuracy_output *find_output(const pg_accuracy_iteration *iteration, const char *name)
{
    for (size_t i = 0; i < iteration->count; i++)
        if (strcmp(iteration->items[i].name, name) == 0)
            return &iteration->items[i];
    return NULL;
}

static pg_status average_output(const pg_accuracy_pair *pair, const pg_accuracy_output *sample,
                                pg_accuracy_output *out)
{
    double sums[PG_ACCURACY_DIFFS] = {0};
    size_t counts[PG_ACCURACY_DIFFS] = {0};
    for (size_t i = 0; i < pair->count; i++) {
        const pg_accuracy_output *output = find_output(&pair->iterations[i], sample->name);
        if (output == NULL)
            continue;
        if (output->kind == PG_ACCURACY_VERDICT || output->kind != sample->kind ||
            output->metric != sample->metric)
            return pg_err(PG_ERR_INVALID,
                          "Output: %s | Cannot compute an averaged comparison because at least one iteration "
                          "produced no comparable metrics (e.g. a shape mismatch). Averaging over only the "
                          "comparable iterations would be misleading, so the comparison cannot be evaluated "
                          "with check_average=True. Re-run without check_average to see the per-iteration "
                          "results.",
                          sample->name);
        for (size_t k = 0; k < PG_ACCURACY_DIFFS; k++)
            if (output->present[k]) {
                sums[k] += output->values[k];
                counts[k]++;
            }
    }
    *out = *sample;
    out->has_verdict = false;
    for (size_t k = 0; k < PG_ACCURACY_DIFFS; k++) {
        out->present[k] = counts[k] > 0;
        out->values[k] = counts[k] > 0 ? sums[k] / (double)counts[k] : 0;
    }
    return NULL;
}

pg_status pg_accuracy_average(const pg_accuracy_pair *pair, pg_arena *arena, pg_accuracy_iteration *out)
{
    size_t most = 0;
    for (size_t i = 0; i < pair->count; i++)
        most += pair->iterations[i].count;
    *out = (pg_accuracy_iteration){.items = PG_ARENA_ARRAY(arena, pg_accuracy_output, most + 1)};
    for (size_t i = 0; i < pair->count; i++)
        for (size_t k = 0; k < pair->iterations[i].count; k++) {
            const pg_accuracy_output *sample = &pair->iterations[i].items[k];
            if (find_output(out, sample->name) == NULL)
                PG_TRY(average_output(pair, sample, &out->items[out->count++]));
        }
    return NULL;
}

/* ---- Other thresholds ---- */

bool pg_accuracy_numbers(const pg_accuracy_result *result, const pg_metric **out_metric)
{
    for (size_t p = 0; p < result->count; p++)
        for (size_t i = 0; i < result->pairs[p].count; i++)
            for (size_t k = 0; k < result->pairs[p].iterations[i].count; k++) {
                const pg_accuracy_output *output = &result->pairs[p].iterations[i].items[k];
                if (output->kind != PG_ACCURACY_VERDICT) {
                    *out_metric = output->metric;
                    return true;
                }
            }
    *out_metric = NULL;
    return false;
}

static void add_fields(pg_buf *out, bool any, const pg_metric *metric)
{
    if (!any)
        pg_report_names(out, NULL, 0);
    else if (metric != NULL)
        pg_report_names(out, &metric->field, 1);
    else
        pg_report_names(out, pg_accuracy_diff_fields, PG_ACCURACY_DIFFS);
}

static pg_status no_such_results(const pg_accuracy *accuracy, const pg_metric *metric)
{
    pg_buf wanted = {0}, found = {0};
    add_fields(&wanted, true, metric);
    for (size_t r = 0; r < accuracy->count; r++) {
        const pg_metric *own;
        bool any = pg_accuracy_numbers(&accuracy->items[r], &own);
        pg_buf_puts(&found, r > 0 ? ", " : "");
        add_fields(&found, any, own);
    }
    pg_status status =
        pg_err(PG_ERR_INVALID,
               "No saved comparison results match the requested threshold (metric fields: %s).\nNote: the "
               "saved results contain these metric fields: [%s]. If these results came from a custom "
               "comparison function, its threshold type is reachable via --compare-func-script.",
               pg_buf_cstr(&wanted), pg_buf_cstr(&found));
    pg_buf_deinit(&wanted);
    pg_buf_deinit(&found);
    return status;
}

static pg_status set_thresholds(pg_accuracy_output *output, const pg_compare_options *options,
                                pg_compare_function function)
{
    pg_str name = pg_str_c(output->name);
    const pg_metric *metric = pg_metric_of(function);
    if (output->kind == PG_ACCURACY_VERDICT)
        return pg_err(
            PG_ERR_INVALID,
            "Output: '%s' has no re-thresholdable metrics (e.g. it was a shape mismatch or an "
            "'indices' comparison), so it cannot be re-evaluated against new thresholds.\nNote: "
            "Re-run the comparison from saved raw outputs (run --save-outputs / --load-outputs) for "
            "such comparisons.",
            output->name);
    if (output->metric != metric)
        return pg_err(PG_ERR_INVALID, "output '%s' mixes numbers of several comparison functions",
                      output->name);
    output->has_verdict = false;
    if (metric != NULL) {
        output->threshold = pg_output_number_for(options->thresholds[function], name, metric->threshold);
        return NULL;
    }
    output->stat = pg_output_stat_for(options, name);
    output->atol = pg_output_number_for(options->atol, name, PG_COMPARE_TOLERANCE);
    output->rtol = pg_output_number_for(options->rtol, name, PG_COMPARE_TOLERANCE);
    return NULL;
}

static pg_status rethreshold(pg_accuracy_result *result, const pg_compare_options *options,
                             pg_compare_function function)
{
    result->average = options->check_average;
    for (size_t p = 0; p < result->count; p++)
        for (size_t i = 0; i < result->pairs[p].count; i++)
            for (size_t k = 0; k < result->pairs[p].iterations[i].count; k++)
                PG_TRY(set_thresholds(&result->pairs[p].iterations[i].items[k], options, function));
    return NULL;
}

static void log_ignored(const pg_accuracy_result *result)
{
    const pg_metric *metric;
    pg_buf fields = {0};
    bool any = pg_accuracy_numbers(result, &metric);
    add_fields(&fields, any, metric);
    PG_LOG_INFO("Ignoring saved comparison with metric fields %s: no matching threshold was requested.",
                pg_buf_cstr(&fields));
    pg_buf_deinit(&fields);
}

pg_status pg_accuracy_rethreshold(pg_accuracy *accuracy, const pg_compare_options *options,
                                  const pg_compare_function *functions, size_t n_functions)
{
    pg_accuracy_result *kept = PG_ARENA_ARRAY(&accuracy->arena, pg_accuracy_result, n_functions + 1);
    bool *taken = PG_ARENA_ARRAY(&accuracy->arena, bool, accuracy->count + 1);
    for (size_t f = 0; f < n_functions; f++) {
        const pg_metric *wanted = pg_metric_of(functions[f]), *own;
        size_t r = 0;
        while (r < accuracy->count &&
               (taken[r] || !pg_accuracy_numbers(&accuracy->items[r], &own) || own != wanted))
            r++;
        if (r == accuracy->count)
            return no_such_results(accuracy, wanted);
        taken[r] = true;
        PG_TRY(rethreshold(&accuracy->items[r], options, functions[f]));
        kept[f] = accuracy->items[r];
    }
    for (size_t r = 0; r < accuracy->count; r++)
        if (!taken[r])
            log_ignored(&accuracy->items[r]);
    accuracy->items = kept;
    accuracy->count = n_functions;
    return NULL;
}
