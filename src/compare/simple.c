/* Absolute and relative tolerances on each element, or on one statistic of the differences. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "compare/internal.h"
#include "log/log.h"
#include "tensor/number_text.h"

static const double DEFAULT_QUANTILE = 0.99;

static void log_tolerance(const pg_compare_call *call, const pg_output_comparison *out)
{
    pg_buf text = {0};
    pg_buf_puts(&text, "Tolerance: [abs=");
    pg_text_g(&text, out->atol, 5);
    pg_buf_puts(&text, ", rel=");
    pg_text_g(&text, out->rtol, 5);
    pg_buf_printf(&text, "] | Checking %s error", pg_error_stat_name(out->stat));
    PG_LOG_INFO("%s", pg_buf_cstr(&text));
    pg_buf_deinit(&text);
    PG_LOG(PG_EXTRA_VERBOSE, "Note: Comparing %s vs. %s", call->run0, call->run1);
}

/* ---- Numbers ---- */

static bool stat_fails(double value, double tolerance)
{
    return isnan(value) || value > tolerance;
}

static double checked_stat(pg_error_stat stat, const pg_value_stats *stats)
{
    switch (stat) {
    case PG_ERROR_MEAN:
        return stats->mean;
    case PG_ERROR_MEDIAN:
        return stats->median;
    case PG_ERROR_QUANTILE:
        return stats->quantile;
    default:
        return stats->max;
    }
}

static unsigned wanted_stats(const pg_compare_options *options, pg_error_stat stat)
{
    if (PG_LOG_ENABLED(PG_INFO) || options->all_statistics)
        return PG_STAT_ALL;
    if (stat == PG_ERROR_MEAN)
        return PG_STAT_RANGE | PG_STAT_MEAN;
    return stat == PG_ERROR_MEDIAN ? PG_STAT_RANGE | PG_STAT_QUANTILES : PG_STAT_RANGE;
}

/* The element to blame and the tolerances that would have passed. */
static void name_culprit(pg_diff *diff, pg_output_comparison *out)
{
    const pg_diff_tally *tally = &diff->tally;
    if (out->count == 0)
        return;
    out->has_elements = true;
    if (out->stat == PG_ERROR_ELEMWISE) {
        pg_diff_element(diff, tally->first, &out->first);
        pg_diff_element(diff, tally->worst, &out->worst);
        out->pass_atol = tally->has_nan ? NAN : tally->pass_atol;
        out->pass_rtol = tally->has_nan ? NAN : tally->pass_rtol;
        return;
    }
    pg_diff_element(diff, out->abs.argmax, &out->worst);
    out->first = out->worst;
    out->pass_atol = out->required_abs;
    out->pass_rtol = out->required_rel;
}

/* The two zeros are equal: show the one that stands there. */
static void show_zero_sign(const pg_tensor *tensor, pg_value_stats *stats)
{
    if (pg_tensor_count(tensor) == 0)
        return;
    if (stats->min == 0)
        stats->min = pg_tensor_get_f64(tensor, stats->argmin);
    if (stats->max == 0)
        stats->max = pg_tensor_get_f64(tensor, stats->argmax);
}

static pg_status measure(const pg_compare_call *call, pg_compare_item *item, pg_diff *diff, bool keep_stats,
                         pg_output_comparison *out)
{
    pg_value_stats stats[PG_STAT_STREAMS];
    diff->atol = out->atol;
    diff->rtol = out->rtol;
    diff->want_outputs = keep_stats && PG_LOG_ENABLED(PG_INFO) && !item->has_stats;
    pg_stat_source source = pg_diff_source(diff);
    double quantile = out->stat == PG_ERROR_QUANTILE ? out->error_quantile : NAN;
    PG_TRY(pg_block_stats(&source, wanted_stats(call->options, out->stat), quantile, stats));
    out->abs = stats[0];
    out->rel = stats[1];
    if (diff->want_outputs) {
        item->stats0 = stats[2];
        item->stats1 = stats[3];
        show_zero_sign(&item->value0->tensor, &item->stats0);
        show_zero_sign(&item->value1->tensor, &item->stats1);
        item->has_stats = true;
        diff->want_outputs = false; /* histograms read the differences alone */
    }
    out->mismatches = diff->tally.mismatches;
    out->required_abs = checked_stat(out->stat, &out->abs);
    out->required_rel = checked_stat(out->stat, &out->rel);
    out->passed = out->stat == PG_ERROR_ELEMWISE ? out->mismatches == 0
                                                 : !(stat_fails(out->required_abs, out->atol) &&
                                                     stat_fails(out->required_rel, out->rtol));
    if (!out->passed)
        name_culprit(diff, out);
    return NULL;
}

static void warn_of_zeros(const pg_compare_call *call, const pg_compare_item *item, const pg_diff *diff)
{
    if (diff->tally.zero_reference)
        PG_LOG_ONCE(PG_WARNING,
                    "%-*s | Output: %s: Some values are 0. Will add a small epsilon quantity to these when "
                    "computing relative difference. Note that this may cause some relative differences to be "
                    "extremely high. ",
                    PG_REPORT_NAME_WIDTH, call->run1, item->name1);
}

static pg_status compare_numbers(const pg_compare_call *call, pg_compare_item *item, const pg_tensor *aligned,
                                 bool permuted, pg_simple_report *report, pg_output_comparison *out)
{
    pg_diff diff;
    report->a = &item->value0->tensor;
    report->b = aligned;
    report->diff = &diff;
    pg_status status = pg_diff_init(&diff, report->a, aligned, call->options->infinities_compare_equal);
    if (status == NULL)
        status = measure(call, item, &diff, !permuted, out);
    if (status == NULL) {
        pg_report_simple_values(report);
        warn_of_zeros(call, item, &diff);
        pg_report_simple_mismatches(report);
        status = pg_report_simple_metrics(report);
    }
    if (status == NULL) {
        pg_report_simple_verdict(report);
        status = pg_compare_keep_picture(call, item, aligned, out);
    }
    pg_diff_deinit(&diff);
    return status;
}

/* ---- Texts ---- */

static void compare_texts(const pg_compare_item *item, const pg_tensor *aligned, pg_output_comparison *out)
{
    const pg_str *a = item->value0->tensor.data, *b = aligned->data;
    for (uint64_t i = 0; i < out->count; i++)
        if (!pg_str_eq(a[i], b[i]) && out->mismatches++ == 0)
            out->first = out->worst = (pg_element_diff){i, NAN, NAN, NAN, NAN};
    out->passed = out->mismatches == 0;
    out->has_elements = !out->passed;
    out->pass_atol = out->pass_rtol = out->required_abs = out->required_rel = NAN;
    if (out->passed) {
        PG_LOG(PG_FINISH, "PASSED | Output: '%s' | All texts are equal", item->name0);
        return;
    }
    pg_buf at = {0};
    pg_report_index(&at, out->first.index, &item->value0->tensor);
    PG_LOG_ERROR("FAILED | Output: '%s' | %llu of %llu texts differ, the first at %s: '%" PG_STR_FMT
                 "' and '%" PG_STR_FMT "'",
                 item->name0, (unsigned long long)out->mismatches, (unsigned long long)out->count,
                 pg_buf_cstr(&at), PG_STR_ARG(a[out->first.index]), PG_STR_ARG(b[out->first.index]));
    pg_buf_deinit(&at);
}

pg_status pg_compare_simple(const pg_compare_call *call, pg_compare_item *item, pg_output_comparison *out)
{
    const pg_compare_options *options = call->options;
    pg_simple_report report = {.call = call, .item = item, .result = out};
    report.atol = pg_output_number_for(options->atol, item->option_name, PG_COMPARE_TOLERANCE);
    report.rtol = pg_output_number_for(options->rtol, item->option_name, PG_COMPARE_TOLERANCE);
    out->atol = report.atol.value;
    out->rtol = report.rtol.value;
    out->atol_integer = report.atol.integer;
    out->rtol_integer = report.rtol.integer;
    out->stat = pg_output_stat_for(options, item->option_name);
    out->error_quantile = pg_output_number_for(options->quantile, item->option_name, DEFAULT_QUANTILE).value;
    log_tolerance(call, out);
    if (!(out->error_quantile >= 0 && out->error_quantile <= 1))
        return pg_err(PG_ERR_INVALID, "error quantile %g for output '%s' is not in the range 0 to 1",
                      out->error_quantile, item->name0);
    pg_tensor aligned = {0};
    bool permuted = false;
    PG_TRY(pg_compare_align(call, item, out, &aligned, &permuted));
    if (out->problem != PG_COMPARED)
        return NULL;
    pg_status status = NULL;
    if (item->value0->tensor.dtype == PG_STRING)
        compare_texts(item, &aligned, out);
    else
        status = compare_numbers(call, item, &aligned, permuted, &report, out);
    pg_tensor_deinit(&aligned);
    return pg_status_context(status, "while comparing output '%s'", item->name0);
}
