/* The text of `simple`: tolerances met and missed, statistics of both differences, and the culprit. */
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "compare/internal.h"
#include "compare/plot/plot.h"
#include "log/log.h"
#include "tensor/number_text.h"
#include "tensor/text.h"

enum {
    SHOWN_ENDS = 501
}; /* of a long list of mismatches: more than 1000 in all, which arrays print shortened */

static void log_array(pg_severity severity, const char *what, const pg_tensor *tensor, int levels)
{
    pg_buf text = {0}, block = {0};
    pg_tensor_text(&text, tensor, NULL);
    pg_text_indent(&block, pg_buf_str(&text), levels);
    PG_LOG(severity, "%s\n%s", what, pg_buf_cstr(&block));
    pg_buf_deinit(&text);
    pg_buf_deinit(&block);
}

static void log_whole(const char *run, const char *name, const pg_tensor *tensor)
{
    pg_value value = {.kind = PG_VALUE_TENSOR, .tensor = *tensor};
    pg_buf what = {0};
    pg_buf_printf(&what, "%-*s | Output: %s ", PG_REPORT_NAME_WIDTH, run, name);
    pg_report_type(&what, &value);
    pg_buf_putc(&what, ':');
    log_array(PG_SUPER_VERBOSE, pg_buf_cstr(&what), tensor, 1);
    pg_buf_deinit(&what);
}

void pg_report_simple_values(const pg_simple_report *report)
{
    if (!PG_LOG_ENABLED(PG_SUPER_VERBOSE))
        return;
    log_whole(report->call->run0, report->item->name0, report->a);
    log_whole(report->call->run1, report->item->name1, report->b);
}

/* ---- Mismatches ---- */

static void log_mismatch_indices(const uint64_t *elements, size_t count, const pg_tensor *shape)
{
    pg_tensor indices;
    pg_status status =
        pg_tensor_alloc(&indices, PG_I64, 2, (int64_t[]){(int64_t)count, (int64_t)shape->rank});
    if (status == NULL) {
        int64_t *row = indices.data;
        for (size_t i = 0; i < count; i++, row += shape->rank) {
            uint64_t rest = elements[i];
            for (size_t axis = shape->rank; axis-- > 0;) {
                row[axis] = (int64_t)(rest % (uint64_t)shape->dims[axis]);
                rest /= (uint64_t)shape->dims[axis];
            }
        }
        log_array(PG_SUPER_VERBOSE, "Mismatched indices:", &indices, 0);
        pg_tensor_deinit(&indices);
    }
    pg_status_drop(status);
}

static void log_mismatch_values(const uint64_t *elements, size_t count, const char *run,
                                const pg_tensor *tensor)
{
    size_t size = pg_dtype_get(tensor->dtype)->bits / 8;
    pg_tensor values;
    if (size == 0)
        return;
    pg_status status = pg_tensor_alloc(&values, tensor->dtype, 1, (int64_t[]){(int64_t)count});
    if (status == NULL) {
        for (size_t i = 0; i < count; i++)
            memcpy((char *)values.data + i * size, (const char *)tensor->data + elements[i] * size, size);
        pg_buf what = {0};
        pg_buf_printf(&what, "%-*s | Mismatched values:", PG_REPORT_NAME_WIDTH, run);
        log_array(PG_EXTRA_VERBOSE, pg_buf_cstr(&what), &values, 0);
        pg_buf_deinit(&what);
        pg_tensor_deinit(&values);
    }
    pg_status_drop(status);
}

void pg_report_simple_mismatches(const pg_simple_report *report)
{
    if (!PG_LOG_ENABLED(PG_EXTRA_VERBOSE) || report->result->stat != PG_ERROR_ELEMWISE)
        return;
    uint64_t elements[2 * SHOWN_ENDS];
    size_t count = pg_diff_mismatches(report->diff, SHOWN_ENDS, elements);
    pg_log_indent(1);
    log_mismatch_indices(elements, count, report->a);
    log_mismatch_values(elements, count, report->call->run0, report->a);
    log_mismatch_values(elements, count, report->call->run1, report->b);
    pg_log_indent(-1);
}

/* ---- Metrics ---- */

static void log_required(const pg_output_comparison *result)
{
    pg_buf text = {0};
    pg_buf_printf(&text, "Minimum Required Tolerance: %s error | [abs=", pg_error_stat_name(result->stat));
    pg_text_g(&text, result->required_abs, 5);
    pg_buf_puts(&text, "] OR [rel=");
    pg_text_g(&text, result->required_rel, 5);
    pg_buf_putc(&text, ']');
    if (result->stat == PG_ERROR_ELEMWISE) {
        pg_buf_puts(&text, " (requirements may be lower if both abs/rel tolerances are set)");
    } else if (result->stat == PG_ERROR_QUANTILE) {
        pg_buf_puts(&text, " (quantile=");
        pg_text_g(&text, result->error_quantile, 4);
        pg_buf_putc(&text, ')');
    }
    PG_LOG_INFO("%s", pg_buf_cstr(&text));
    pg_buf_deinit(&text);
}

static pg_status report_difference(const pg_simple_report *report, bool relative)
{
    pg_stat_source source = pg_diff_source(report->diff);
    pg_tensor small = {0};
    bool failed = !report->result->passed, few = source.count <= PG_REPORT_SMALL;
    if (few && PG_LOG_ENABLED(failed ? PG_INFO : PG_VERBOSE))
        PG_TRY(pg_diff_tensor(report->diff, relative, report->a, &small));
    pg_report_stats(&(pg_stats_report){
        .label = relative ? "Relative Difference" : "Absolute Difference",
        .source = &source,
        .stream = relative ? 1 : 0,
        .stats = relative ? &report->result->rel : &report->result->abs,
        .shape = report->a,
        .values = few ? &small : NULL,
        .failed = failed,
    });
    pg_tensor_deinit(&small);
    return NULL;
}

/* ---- Pictures ---- */

static bool wanted(const pg_plot_targets *targets)
{
    return targets->folder != NULL || targets->show;
}

static pg_status plot_errors(const pg_simple_report *report)
{
    const pg_plot_targets *targets = &report->call->options->error_plots;
    if (!wanted(targets))
        return NULL;
    report->diff->want_outputs = true;
    pg_stat_source source = pg_diff_source(report->diff);
    pg_log_indent(1);
    pg_status status = pg_plot_error_metrics(&(pg_plot_errors){.source = &source,
                                                               .run0 = report->call->run0,
                                                               .run1 = report->call->run1,
                                                               .name0 = report->item->name0,
                                                               .name1 = report->item->name1},
                                             targets);
    pg_log_indent(-1);
    report->diff->want_outputs = false;
    return status;
}

static pg_status plot_heatmaps(const pg_simple_report *report, bool relative)
{
    const pg_plot_targets *targets = &report->call->options->heatmaps;
    if (!wanted(targets))
        return NULL;
    pg_buf title = {0};
    pg_stat_source source = pg_diff_source(report->diff);
    pg_plot_field field = {&source, relative ? 1 : 0, report->a->rank, report->a->dims};
    pg_buf_printf(&title, "%s Error | %s", relative ? "Relative" : "Absolute", report->item->name0);
    pg_log_indent(1);
    pg_status status = pg_plot_heatmaps(&field, pg_buf_cstr(&title), relative, targets);
    pg_log_indent(-1);
    pg_buf_deinit(&title);
    return status;
}

static pg_status report_differences(const pg_simple_report *report)
{
    bool logged = PG_LOG_ENABLED(PG_INFO);
    if (logged)
        log_required(report->result);
    PG_TRY(plot_errors(report));
    for (int relative = 0; relative < 2; relative++) {
        if (logged)
            PG_TRY(report_difference(report, relative));
        PG_TRY(plot_heatmaps(report, relative));
    }
    return NULL;
}

pg_status pg_report_simple_metrics(const pg_simple_report *report)
{
    PG_LOG_INFO("Error Metrics: %s", report->item->name0);
    pg_log_indent(1);
    pg_status status = report_differences(report);
    pg_log_indent(-1);
    if (status == NULL && PG_LOG_ENABLED(PG_EXTRA_VERBOSE)) {
        pg_value a = {.kind = PG_VALUE_TENSOR, .tensor = *report->a};
        pg_value b = {.kind = PG_VALUE_TENSOR, .tensor = *report->b};
        pg_buf left = {0}, right = {0};
        pg_report_type(&left, &a);
        pg_report_type(&right, &b);
        PG_LOG(PG_EXTRA_VERBOSE, "Finished comparing: '%s' %s [%s] and '%s' %s [%s]", report->item->name0,
               pg_buf_cstr(&left), report->call->run0, report->item->name1, pg_buf_cstr(&right),
               report->call->run1);
        pg_buf_deinit(&left);
        pg_buf_deinit(&right);
    }
    return status;
}

/* ---- Verdict and culprit ---- */

/* Five digits, rounded up: a tolerance that is typed as printed holds. */
static void add_tolerance(pg_buf *out, double value)
{
    pg_buf text = {0};
    double printed = 0;
    for (double step = value; isfinite(value); step *= 1 + 2e-5) {
        pg_buf_clear(&text);
        pg_text_g(&text, step, 5);
        if (pg_str_to_f64(pg_buf_str(&text), &printed) && printed >= value)
            break;
    }
    if (!isfinite(value))
        pg_text_g(&text, value, 5);
    pg_buf_add_str(out, pg_buf_str(&text));
    pg_buf_deinit(&text);
}

static void add_remedy(pg_buf *out, const pg_simple_report *report)
{
    const pg_output_comparison *result = report->result;
    const pg_element_diff *worst = &result->worst;
    if (isnan(result->pass_atol) && isinf(worst->a) && worst->a == worst->b) {
        pg_buf_puts(out, "no tolerance accepts equal infinities, --infinities-compare-equal does");
        return;
    }
    if (isnan(result->pass_atol) && isnan(result->pass_rtol)) {
        pg_buf_puts(out, "no tolerance accepts NaN");
        return;
    }
    pg_buf_puts(out, "would pass with --atol ");
    add_tolerance(out, result->pass_atol);
    if (isfinite(result->pass_rtol)) {
        pg_buf_puts(out, " or --rtol ");
        add_tolerance(out, result->pass_rtol);
    }
}

/* Which element, both values, and what would help. */
static void log_culprit(const pg_simple_report *report)
{
    const pg_output_comparison *result = report->result;
    pg_buf text = {0};
    if (!result->has_elements)
        return;
    pg_buf_puts(&text, "Worst Element: ");
    pg_report_index(&text, result->worst.index, report->a);
    pg_buf_printf(&text, " | %s: ", report->call->run0);
    pg_tensor_text_element(&text, report->a, result->worst.index);
    pg_buf_printf(&text, ", %s: ", report->call->run1);
    pg_tensor_text_element(&text, report->b, result->worst.index);
    pg_buf_puts(&text, " (abs=");
    pg_text_g(&text, result->worst.abs, 5);
    pg_buf_puts(&text, ", rel=");
    pg_text_g(&text, result->worst.rel, 5);
    pg_buf_puts(&text, ") | ");
    if (result->stat == PG_ERROR_ELEMWISE) {
        pg_buf_printf(&text, "%llu of %llu elements mismatch, the first at ",
                      (unsigned long long)result->mismatches, (unsigned long long)result->count);
        pg_report_index(&text, result->first.index, report->a);
        pg_buf_puts(&text, " | ");
    }
    add_remedy(&text, report);
    PG_LOG_INFO("%s", pg_buf_cstr(&text));
    pg_buf_deinit(&text);
}

void pg_report_simple_verdict(const pg_simple_report *report)
{
    pg_buf tolerances = {0};
    pg_buf_puts(&tolerances, "(rel=");
    pg_report_number(&tolerances, report->rtol);
    pg_buf_puts(&tolerances, ", abs=");
    pg_report_number(&tolerances, report->atol);
    pg_buf_putc(&tolerances, ')');
    if (report->result->passed) {
        PG_LOG(PG_FINISH, "PASSED | Output: '%s' | Difference is within tolerance %s", report->item->name0,
               pg_buf_cstr(&tolerances));
    } else {
        PG_LOG_ERROR("FAILED | Output: '%s' | Difference exceeds tolerance %s", report->item->name0,
                     pg_buf_cstr(&tolerances));
        log_culprit(report);
    }
    pg_buf_deinit(&tolerances);
}
