/* Order of things: pairs of runs, iterations, functions, outputs, items of containers. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/vec.h"
#include "compare/internal.h"
#include "compare/metric.h"
#include "compare/plot/picture.h"
#include "log/log.h"
#include "tensor/text.h"

typedef struct function_row {
    pg_compare_function function;
    PG_MUST_USE pg_status (*compare)(const pg_compare_call *call, pg_compare_item *item,
                                     pg_output_comparison *out);
} function_row;

static const function_row function_rows[PG_COMPARE_FUNCTION_COUNT] = {
    [PG_COMPARE_SIMPLE] = {PG_COMPARE_SIMPLE, pg_compare_simple},
    [PG_COMPARE_INDICES] = {PG_COMPARE_INDICES, pg_compare_indices},
    [PG_COMPARE_L2] = {PG_COMPARE_L2, pg_compare_metric},
    [PG_COMPARE_COSINE] = {PG_COMPARE_COSINE, pg_compare_metric},
    [PG_COMPARE_PSNR] = {PG_COMPARE_PSNR, pg_compare_metric},
    [PG_COMPARE_SNR] = {PG_COMPARE_SNR, pg_compare_metric},
    [PG_COMPARE_PERCEPTUAL] = {PG_COMPARE_PERCEPTUAL, pg_compare_metric},
};

struct pg_comparison {
    const pg_compare_options *options;
    pg_pair_comparison *pairs;
    size_t n_pairs, iterations;
    size_t pictures_left;
    bool stopped, failed;
};

enum { MAX_PICTURES = 256 };

static const pg_compare_function default_functions[] = {PG_COMPARE_SIMPLE};

pg_comparison *pg_comparison_new(const pg_compare_options *options)
{
    pg_comparison *comparison = PG_NEW(pg_comparison);
    comparison->options = options;
    comparison->pictures_left = options->pictures ? MAX_PICTURES : 0;
    return comparison;
}

static void free_function(pg_function_comparison *function)
{
    for (size_t i = 0; i < function->count; i++) {
        free(function->outputs[i].name0);
        free(function->outputs[i].name1);
        pg_picture_free(function->outputs[i].picture);
    }
    free(function->outputs);
}

void pg_comparison_free(pg_comparison *comparison)
{
    if (comparison == NULL)
        return;
    for (size_t p = 0; p < comparison->n_pairs; p++) {
        pg_pair_comparison *pair = &comparison->pairs[p];
        for (size_t i = 0; i < pair->count; i++) {
            for (size_t f = 0; f < pair->iterations[i].n_functions; f++)
                free_function(&pair->iterations[i].functions[f]);
            free(pair->iterations[i].functions);
        }
        free(pair->iterations);
        free(pair->run0);
        free(pair->run1);
    }
    free(comparison->pairs);
    free(comparison);
}

pg_status pg_comparison_begin(pg_comparison *comparison, const pg_str *names, size_t n_runs)
{
    const pg_compare_options *options = comparison->options;
    for (size_t i = 0; i < options->n_functions; i++)
        if ((unsigned)options->functions[i] >= PG_COMPARE_FUNCTION_COUNT)
            return pg_err(PG_ERR_INVALID, "comparison function number %d is unknown",
                          (int)options->functions[i]);
    comparison->n_pairs = n_runs > 1 ? n_runs - 1 : 0;
    comparison->pairs = pg_calloc(PG_MAX(comparison->n_pairs, (size_t)1), sizeof *comparison->pairs);
    for (size_t p = 0; p < comparison->n_pairs; p++) {
        pg_pair_comparison *pair = &comparison->pairs[p];
        pair->run0 = pg_strndup(names[p].ptr, names[p].len);
        pair->run1 = pg_strndup(names[p + 1].ptr, names[p + 1].len);
        PG_LOG(PG_START, "Accuracy Comparison | %s vs. %s", pair->run0, pair->run1);
    }
    return NULL;
}

/* ---- One output ---- */

pg_status pg_compare_keep_picture(const pg_compare_call *call, pg_compare_item *item,
                                  const pg_tensor *aligned, pg_output_comparison *out)
{
    if (*call->pictures_left == 0 || item->has_picture || (call->index > 0 && out->passed))
        return NULL;
    PG_TRY(pg_picture_make(&item->value0->tensor, aligned, &out->picture));
    item->has_picture = true;
    --*call->pictures_left;
    return NULL;
}

static pg_status compare_values(const function_row *row, const pg_compare_call *call, pg_compare_item *item,
                                pg_output_comparison *out);

/* Larger for the item that is farther off. */
static double badness(const pg_output_comparison *item)
{
    const pg_metric *metric = pg_metric_of(item->function);
    if (metric == NULL)
        return item->required_abs;
    return metric->higher_is_better ? -item->value : item->value;
}

/* What a container's comparison says: the first problem, else the numbers of the worst item. */
static void take_item(pg_output_comparison *out, const pg_output_comparison *item)
{
    uint64_t mismatches = out->mismatches + item->mismatches, count = out->count + item->count;
    bool passed = out->passed && item->passed;
    bool worse = out->passed && !item->passed;
    if (out->passed == item->passed && out->problem == PG_COMPARED)
        worse = badness(item) > badness(out) || out->count == 0;
    pg_picture *other = worse ? out->picture : item->picture;
    if (worse)
        *out = *item;
    pg_picture_free(other);
    out->passed = passed;
    out->mismatches = mismatches;
    out->count = count;
}

static pg_status compare_item(const function_row *row, const pg_compare_call *call,
                              const pg_compare_item *whole, size_t index, const pg_value *value0,
                              const pg_value *value1, pg_output_comparison *out)
{
    pg_buf name0 = {0}, name1 = {0}, type0 = {0}, type1 = {0};
    pg_buf_printf(&name0, "%s[%zu]", whole->name0, index);
    pg_buf_printf(&name1, "%s[%zu]", whole->name1, index);
    pg_report_type(&type0, value0);
    pg_report_type(&type1, value1);
    PG_LOG(PG_START, "Comparing Item: '%s' %s with '%s' %s", pg_buf_cstr(&name0), pg_buf_cstr(&type0),
           pg_buf_cstr(&name1), pg_buf_cstr(&type1));
    pg_log_indent(1);
    pg_compare_item item = {.name0 = pg_buf_cstr(&name0),
                            .name1 = pg_buf_cstr(&name1),
                            .option_name = whole->option_name,
                            .value0 = value0,
                            .value1 = value1};
    pg_output_comparison result = {.function = row->function};
    pg_status status = compare_values(row, call, &item, &result);
    pg_log_indent(-1);
    if (status == NULL)
        take_item(out, &result);
    else
        pg_picture_free(result.picture);
    pg_buf_deinit(&name0);
    pg_buf_deinit(&name1);
    pg_buf_deinit(&type0);
    pg_buf_deinit(&type1);
    return status;
}

static void fail_output(const pg_compare_item *item, pg_compare_problem problem, const char *why,
                        pg_output_comparison *out)
{
    out->problem = problem;
    out->passed = false;
    PG_LOG_ERROR("FAILED | Output: '%s' | %s", item->name0, why);
}

static pg_status compare_items(const function_row *row, const pg_compare_call *call, pg_compare_item *item,
                               const pg_value *items0, size_t count0, const pg_value *items1, size_t count1,
                               pg_output_comparison *out)
{
    if (count0 != count1) {
        pg_buf why = {0};
        pg_buf_printf(&why, "%zu items cannot be compared with %zu", count0, count1);
        fail_output(item, PG_COMPARE_COUNTS, pg_buf_cstr(&why), out);
        pg_buf_deinit(&why);
        return NULL;
    }
    out->passed = true;
    for (size_t i = 0; i < count0; i++) {
        PG_TRY(compare_item(row, call, item, i, &items0[i], &items1[i], out));
        if (!out->passed && call->options->fail_fast)
            break;
    }
    return NULL;
}

static bool same_keys(const pg_value *a, const pg_value *b)
{
    const pg_tensor *x = a->map.keys, *y = b->map.keys;
    if (a->map.count != b->map.count || x->dtype != y->dtype)
        return false;
    for (size_t i = 0; i < a->map.count; i++) {
        if (x->dtype == PG_STRING ? !pg_str_eq(((const pg_str *)x->data)[i], ((const pg_str *)y->data)[i])
                                  : pg_tensor_get_i64(x, i) != pg_tensor_get_i64(y, i))
            return false;
    }
    return true;
}

static bool is_text(const pg_value *value)
{
    return value->kind == PG_VALUE_TENSOR && value->tensor.dtype == PG_STRING;
}

static pg_status compare_values(const function_row *row, const pg_compare_call *call, pg_compare_item *item,
                                pg_output_comparison *out)
{
    const pg_value *a = item->value0, *b = item->value1;
    if (a->kind != b->kind || is_text(a) != is_text(b)) {
        fail_output(item, PG_COMPARE_KINDS, "Values of these kinds cannot be compared with each other", out);
        return NULL;
    }
    switch (a->kind) {
    case PG_VALUE_TENSOR:
        return row->compare(call, item, out);
    case PG_VALUE_SEQUENCE:
        return compare_items(row, call, item, a->sequence.items, a->sequence.count, b->sequence.items,
                             b->sequence.count, out);
    case PG_VALUE_MAP:
        if (!same_keys(a, b)) {
            fail_output(item, PG_COMPARE_COUNTS, "The keys of the maps differ", out);
            return NULL;
        }
        return compare_items(row, call, item, a->map.items, a->map.count, b->map.items, b->map.count, out);
    case PG_VALUE_NONE:
        out->passed = true;
        PG_LOG(PG_FINISH, "PASSED | Output: '%s' | Both are absent", item->name0);
        return NULL;
    }
    return NULL;
}

static void log_comparing(const function_row *row, const pg_compare_item *item)
{
    pg_buf type0 = {0}, type1 = {0};
    pg_report_type(&type0, item->value0);
    pg_report_type(&type1, item->value1);
    PG_LOG(PG_START, "%s | Comparing Output: '%s' %s with '%s' %s", pg_compare_function_label(row->function),
           item->name0, pg_buf_cstr(&type0), item->name1, pg_buf_cstr(&type1));
    pg_buf_deinit(&type0);
    pg_buf_deinit(&type1);
}

static pg_output_comparison *add_output(pg_function_comparison *result, const pg_compare_item *item)
{
    if (result->count == result->cap) {
        result->cap = PG_MAX(result->cap * 2, (size_t)4);
        result->outputs = pg_realloc(result->outputs, result->cap, sizeof *result->outputs);
    }
    pg_output_comparison *output = &result->outputs[result->count++];
    memset(output, 0, sizeof *output);
    output->name0 = pg_strndup(item->name0, strlen(item->name0));
    output->name1 = pg_strndup(item->name1, strlen(item->name1));
    return output;
}

/* The names and types belong to the whole output, whatever item the numbers come from. */
static pg_status compare_output(const function_row *row, const pg_compare_call *call, pg_compare_item *item,
                                pg_function_comparison *result)
{
    log_comparing(row, item);
    pg_output_comparison numbers = {.function = row->function};
    pg_log_indent(1);
    pg_status status = compare_values(row, call, item, &numbers);
    pg_log_indent(-1);
    pg_output_comparison *output = add_output(result, item);
    numbers.name0 = output->name0;
    numbers.name1 = output->name1;
    numbers.function = row->function;
    numbers.dtype0 = item->value0->kind == PG_VALUE_TENSOR ? item->value0->tensor.dtype : PG_UNDEFINED;
    numbers.dtype1 = item->value1->kind == PG_VALUE_TENSOR ? item->value1->tensor.dtype : PG_UNDEFINED;
    *output = numbers;
    return status;
}

/* ---- One function over an iteration ---- */

static void list_outputs(pg_buf *out, const pg_function_comparison *result, bool only_failed)
{
    PG_VEC(const char *) names = {0};
    for (size_t i = 0; i < result->count; i++)
        if (!only_failed || !result->outputs[i].passed)
            PG_VEC_PUSH(&names, result->outputs[i].name0);
    pg_report_names(out, names.items, names.len);
    PG_VEC_FREE(&names);
}

static void log_function(const pg_function_comparison *result)
{
    pg_buf names = {0};
    const char *label = pg_compare_function_label(result->function);
    list_outputs(&names, result, !result->passed);
    if (result->passed)
        PG_LOG(PG_FINISH, "PASSED | %s | All outputs matched | Outputs: %s", label, pg_buf_cstr(&names));
    else
        PG_LOG_ERROR("FAILED | %s | Mismatched outputs: %s", label, pg_buf_cstr(&names));
    pg_buf_deinit(&names);
}

static void add_output_names(pg_buf *out, const pg_iteration *iteration)
{
    PG_VEC(const char *) names = {0};
    for (size_t i = 0; i < iteration->outputs.count; i++)
        PG_VEC_PUSH(&names, iteration->outputs.items[i].name);
    pg_report_names(out, names.items, names.len);
    PG_VEC_FREE(&names);
}

static pg_status nothing_in_common(const pg_compare_call *call)
{
    pg_buf names0 = {0}, names1 = {0};
    add_output_names(&names0, call->iteration0);
    add_output_names(&names1, call->iteration1);
    pg_status status =
        pg_err(PG_ERR_INVALID,
               "All outputs were skipped, no common outputs found! Note:\n%s outputs: %s\n%s outputs: %s",
               call->run0, pg_buf_cstr(&names0), call->run1, pg_buf_cstr(&names1));
    pg_buf_deinit(&names0);
    pg_buf_deinit(&names1);
    return status;
}

/* Options for outputs that neither run has are pointed out. */
static bool has_output(const pg_compare_call *call, pg_str name)
{
    return name.len == 0 || pg_feed_find(&call->iteration0->outputs, name) != NULL ||
           pg_feed_find(&call->iteration1->outputs, name) != NULL;
}

static void add_quoted(pg_buf *out, pg_str name, bool *first)
{
    pg_buf_puts(out, *first ? "" : ", ");
    pg_text_quote(out, name);
    *first = false;
}

/* The names of an option, each once: all of them, or the unknown ones. */
static bool add_option_names(pg_buf *out, const pg_compare_call *call, const pg_str *names, size_t count,
                             bool unknown_only)
{
    bool first = true;
    pg_buf_putc(out, '{');
    for (size_t i = 0; i < count; i++) {
        bool repeated = false;
        for (size_t k = 0; k < i && !repeated; k++)
            repeated = pg_str_eq(names[i], names[k]);
        if (!repeated && !(unknown_only && has_output(call, names[i])))
            add_quoted(out, names[i], &first);
    }
    pg_buf_putc(out, '}');
    return !first;
}

static void add_known_names(pg_buf *out, const pg_compare_call *call)
{
    bool first = true;
    pg_buf_putc(out, '{');
    add_quoted(out, PG_STR_EMPTY, &first);
    for (size_t i = 0; i < call->iteration0->outputs.count; i++)
        add_quoted(out, pg_str_c(call->iteration0->outputs.items[i].name), &first);
    for (size_t i = 0; i < call->iteration1->outputs.count; i++) {
        pg_str name = pg_str_c(call->iteration1->outputs.items[i].name);
        if (pg_feed_find(&call->iteration0->outputs, name) == NULL)
            add_quoted(out, name, &first);
    }
    pg_buf_putc(out, '}');
}

static void warn_of_names(const pg_compare_call *call, const char *what, const pg_str *names, size_t count)
{
    pg_buf extra = {0}, known = {0}, all = {0};
    if (add_option_names(&extra, call, names, count, true)) {
        add_known_names(&known, call);
        add_option_names(&all, call, names, count, false);
        PG_LOG_WARNING("Extra items in the %s dictionary: %s.\n"
                       "Note: items requested were: %s, but all items are: %s",
                       what, pg_buf_cstr(&extra), pg_buf_cstr(&known), pg_buf_cstr(&all));
    }
    pg_buf_deinit(&extra);
    pg_buf_deinit(&known);
    pg_buf_deinit(&all);
}

static void warn_of_numbers(const pg_compare_call *call, const char *what, pg_output_numbers numbers)
{
    pg_str *names = pg_calloc(PG_MAX(numbers.count, (size_t)1), sizeof *names);
    for (size_t i = 0; i < numbers.count; i++)
        names[i] = numbers.items[i].output;
    warn_of_names(call, what, names, numbers.count);
    free(names);
}

static void begin_simple(const pg_compare_call *call)
{
    const pg_compare_options *options = call->options;
    warn_of_numbers(call, "rtol", options->rtol);
    warn_of_numbers(call, "atol", options->atol);
    pg_str *names = pg_calloc(PG_MAX(options->n_stats, (size_t)1), sizeof *names);
    for (size_t i = 0; i < options->n_stats; i++)
        names[i] = options->stats[i].output;
    warn_of_names(call, "check_error_stat", names, options->n_stats);
    free(names);
    warn_of_numbers(call, "quantile", options->quantile);
}

static void begin_function(const pg_compare_call *call, pg_compare_function function)
{
    const pg_metric *metric = pg_metric_of(function);
    if (function == PG_COMPARE_SIMPLE)
        begin_simple(call);
    if (metric != NULL)
        warn_of_numbers(call, metric->option, call->options->thresholds[function]);
    if (function != PG_COMPARE_INDICES && call->options->no_shape_check)
        PG_LOG_ONCE(PG_INFO, "Strict shape checking disabled. Will attempt to match output shapes before "
                             "comparisons");
}

static pg_compare_item item_of(const pg_named_value *output0, const pg_named_value *output1)
{
    return (pg_compare_item){.name0 = output0->name,
                             .name1 = output1->name,
                             .option_name = pg_str_c(output0->name),
                             .value0 = &output0->value,
                             .value1 = &output1->value};
}

/* The item of an output, so that its statistics are computed once for all functions. */
static pg_compare_item *find_item(pg_compare_item *items, size_t *count, const pg_named_value *output0,
                                  const pg_named_value *output1)
{
    for (size_t i = 0; i < *count; i++)
        if (items[i].value0 == &output0->value && items[i].value1 == &output1->value)
            return &items[i];
    items[*count] = item_of(output0, output1);
    return &items[(*count)++];
}

static pg_status compare_function(const function_row *row, const pg_compare_call *call,
                                  pg_compare_item *items, size_t *n_items, pg_function_comparison *result)
{
    result->function = row->function;
    result->passed = true;
    begin_function(call, row->function);
    for (size_t i = 0; i < call->iteration0->outputs.count; i++) {
        const pg_named_value *other = pg_match_output(call->iteration0, i, call->iteration1);
        if (other == NULL)
            continue;
        pg_compare_item *item = find_item(items, n_items, &call->iteration0->outputs.items[i], other);
        PG_TRY(compare_output(row, call, item, result));
        result->passed = result->passed && result->outputs[result->count - 1].passed;
        if (!result->passed && call->options->fail_fast)
            return NULL;
    }
    log_function(result);
    if (result->count == 0 && call->iteration0->outputs.count + call->iteration1->outputs.count > 0)
        return nothing_in_common(call);
    return NULL;
}

/* ---- One iteration of one pair ---- */

static pg_iteration_comparison *add_iteration(pg_pair_comparison *pair, size_t n_functions)
{
    if (pair->count == pair->cap) {
        pair->cap = PG_MAX(pair->cap * 2, (size_t)4);
        pair->iterations = pg_realloc(pair->iterations, pair->cap, sizeof *pair->iterations);
    }
    pg_iteration_comparison *iteration = &pair->iterations[pair->count++];
    *iteration = (pg_iteration_comparison){.passed = true, .n_functions = n_functions};
    iteration->functions = pg_calloc(n_functions, sizeof *iteration->functions);
    return iteration;
}

/* An output counts as failed for its statistics when any function failed it. */
static bool any_failed(const pg_iteration_comparison *iteration, const char *name)
{
    for (size_t f = 0; f < iteration->n_functions; f++)
        for (size_t i = 0; i < iteration->functions[f].count; i++)
            if (strcmp(iteration->functions[f].outputs[i].name0, name) == 0 &&
                !iteration->functions[f].outputs[i].passed)
                return true;
    return false;
}

static pg_status report_items(const pg_compare_call *call, const pg_iteration_comparison *iteration,
                              pg_compare_item *items, size_t n_items)
{
    for (size_t i = 0; i < n_items; i++)
        PG_TRY(pg_report_output_stats(call, &items[i], any_failed(iteration, items[i].name0)));
    return NULL;
}

static pg_status compare_pair(pg_comparison *comparison, pg_pair_comparison *pair,
                              const pg_iteration *iteration0, const pg_iteration *iteration1)
{
    const pg_compare_options *options = comparison->options;
    const pg_compare_function *functions = options->n_functions > 0 ? options->functions : default_functions;
    pg_iteration_comparison *result = add_iteration(pair, PG_MAX(options->n_functions, (size_t)1));
    pg_compare_call call = {
        .options = options,
        .iteration0 = iteration0,
        .iteration1 = iteration1,
        .run0 = iteration0->runner_name != NULL ? iteration0->runner_name : pair->run0,
        .run1 = iteration1->runner_name != NULL ? iteration1->runner_name : pair->run1,
        .pair0 = pair->run0,
        .pair1 = pair->run1,
        .index = pair->count - 1,
        .pictures_left = &comparison->pictures_left,
    };
    size_t n_items = 0, n_first = 0;
    pg_compare_item *items = pg_calloc(PG_MAX(iteration0->outputs.count, (size_t)1), sizeof *items);
    pg_status status = NULL;
    for (size_t f = 0; f < result->n_functions && status == NULL; f++) {
        status =
            compare_function(&function_rows[functions[f]], &call, items, &n_items, &result->functions[f]);
        result->passed = result->passed && result->functions[f].passed;
        n_first = f == 0 ? n_items : n_first;
    }
    if (status == NULL) /* what the first function did not reach, fail_fast leaves out */
        status = report_items(&call, result, items, n_first);
    free(items);
    if (status != NULL)
        result->passed = false;
    pair->passed += result->passed;
    return status;
}

pg_status pg_comparison_add(pg_comparison *comparison, const pg_iteration *const *iterations, size_t n_runs)
{
    PG_ASSERT(comparison->n_pairs == (n_runs > 1 ? n_runs - 1 : 0));
    PG_LOG_INFO("Iteration: %zu", comparison->iterations);
    comparison->iterations++;
    for (size_t p = 0; p < comparison->n_pairs && !comparison->stopped; p++) {
        pg_pair_comparison *pair = &comparison->pairs[p];
        pg_log_indent(1);
        pg_status status = compare_pair(comparison, pair, iterations[p], iterations[p + 1]);
        pg_log_indent(-1);
        bool passed = pair->iterations[pair->count - 1].passed;
        comparison->failed = comparison->failed || (!passed && !comparison->options->check_average);
        if (status != NULL)
            return status;
        comparison->stopped = !passed && comparison->options->fail_fast;
    }
    return NULL;
}

/* ---- The end ---- */

bool pg_comparison_stopped(const pg_comparison *comparison)
{
    return comparison->stopped;
}

void pg_comparison_ragged(const pg_comparison *comparison, size_t n_streams, const size_t *ended,
                          size_t n_ended)
{
    pg_buf list = {0};
    for (size_t i = 0; i < n_ended; i++)
        pg_buf_printf(&list, "%s%zu", i > 0 ? ", " : "", ended[i]);
    PG_LOG_WARNING(
        "The provided streams have different numbers of iterations. Only the first %zu iteration(s) -- "
        "present in all %zu streams -- were compared; stream(s) at index [%s] ran out first.",
        comparison->iterations, n_streams, pg_buf_cstr(&list));
    pg_buf_deinit(&list);
}

pg_status pg_comparison_finish(pg_comparison *comparison)
{
    if (comparison->iterations == 0 || comparison->stopped)
        return NULL;
    if (comparison->options->check_average)
        return pg_comparison_summarize_averages(comparison, &comparison->failed);
    for (size_t p = 0; p < comparison->n_pairs; p++) {
        const pg_pair_comparison *pair = &comparison->pairs[p];
        double rate = pair->count > 0 ? (double)pair->passed / (double)pair->count : 1;
        PG_LOG(pair->passed == pair->count ? PG_FINISH : PG_ERROR,
               "Accuracy Summary | %s vs. %s | Passed: %zu/%zu iterations | Pass Rate: %.2f%%", pair->run0,
               pair->run1, pair->passed, pair->count, rate * 100);
    }
    return NULL;
}

bool pg_comparison_passed(const pg_comparison *comparison)
{
    return !comparison->failed;
}

const pg_compare_options *pg_comparison_options(const pg_comparison *comparison)
{
    return comparison->options;
}

const pg_pair_comparison *pg_comparison_pairs(const pg_comparison *comparison, size_t *out_count)
{
    *out_count = comparison->n_pairs;
    return comparison->pairs;
}

static pg_status add_common(pg_comparison *comparison, const pg_run_results *results, size_t common)
{
    const pg_iteration **iterations = pg_calloc(PG_MAX(results->count, (size_t)1), sizeof *iterations);
    pg_status status = NULL;
    for (size_t i = 0; i < common && status == NULL && !comparison->stopped; i++) {
        for (size_t r = 0; r < results->count; r++)
            iterations[r] = &results->items[r].items[i];
        status = pg_comparison_add(comparison, iterations, results->count);
    }
    free(iterations);
    return status;
}

static void note_ragged(const pg_comparison *comparison, const pg_run_results *results, size_t common)
{
    size_t *ended = pg_calloc(PG_MAX(results->count, (size_t)1), sizeof *ended), n_ended = 0;
    for (size_t r = 0; r < results->count; r++)
        if (results->items[r].count == common)
            ended[n_ended++] = r;
    if (n_ended < results->count)
        pg_comparison_ragged(comparison, results->count, ended, n_ended);
    free(ended);
}

pg_status pg_comparison_run(pg_comparison *comparison, const pg_run_results *results)
{
    size_t common = results->count > 0 ? SIZE_MAX : 0;
    pg_str *names = pg_calloc(PG_MAX(results->count, (size_t)1), sizeof *names);
    for (size_t r = 0; r < results->count; r++) {
        names[r] = pg_str_c(results->items[r].name);
        common = PG_MIN(common, results->items[r].count);
    }
    pg_status status = common > 0 ? pg_comparison_begin(comparison, names, results->count) : NULL;
    free(names);
    PG_TRY(status);
    PG_TRY(add_common(comparison, results, common));
    if (!comparison->stopped)
        note_ragged(comparison, results, common);
    return pg_comparison_finish(comparison);
}
