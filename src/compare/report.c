/* The text that all comparison functions share. */
#include "compare/internal.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "log/log.h"
#include "tensor/number_text.h"
#include "tensor/stats_text.h"
#include "tensor/text.h"

/* ---- Pieces ---- */

void pg_report_type(pg_buf *out, const pg_value *value)
{
    switch (value->kind) {
    case PG_VALUE_TENSOR:
        pg_buf_printf(out, "(dtype=%s, shape=", pg_dtype_name(value->tensor.dtype));
        pg_shape_text(out, value->tensor.rank, value->tensor.dims);
        pg_buf_putc(out, ')');
        break;
    case PG_VALUE_SEQUENCE:
        pg_buf_printf(out, "(sequence of %zu)", value->sequence.count);
        break;
    case PG_VALUE_MAP:
        pg_buf_printf(out, "(map of %zu)", value->map.count);
        break;
    case PG_VALUE_NONE:
        pg_buf_puts(out, "(absent)");
        break;
    }
}

void pg_report_index(pg_buf *out, uint64_t index, const pg_tensor *shape)
{
    int64_t at[PG_MAX_RANK];
    for (size_t axis = shape->rank; axis-- > 0;) {
        at[axis] = (int64_t)(index % (uint64_t)shape->dims[axis]);
        index /= (uint64_t)shape->dims[axis];
    }
    pg_shape_text(out, shape->rank, at);
}

void pg_report_names(pg_buf *out, const char *const *names, size_t count)
{
    pg_buf_putc(out, '[');
    for (size_t i = 0; i < count; i++) {
        pg_buf_puts(out, i > 0 ? ", " : "");
        pg_text_quote(out, pg_str_c(names[i]));
    }
    pg_buf_putc(out, ']');
}

void pg_report_number(pg_buf *out, pg_output_number number)
{
    if (number.integer)
        pg_buf_printf(out, "%.0f", number.value);
    else
        pg_text_repr(out, number.value);
}

/* ---- Statistics ---- */

static void stats_line(pg_buf *out, const pg_stats_report *report)
{
    if (report->label != NULL)
        pg_buf_printf(out, "%s | Stats: ", report->label);
    pg_stats_text(out, report->stats, report->source->streams[report->stream].dtype, report->shape->rank,
                  report->shape->dims);
}

/* A bound of the range as Python prints a number of this type. */
static void range_number(pg_buf *out, pg_dtype type, double value)
{
    if (pg_dtype_is_float(type))
        pg_text_float(out, type, value);
    else
        pg_buf_printf(out, "%.0f", value);
}

static void explain_no_histogram(const pg_stats_report *report, pg_dtype type, double low, double high)
{
    pg_buf text = {0};
    if (low > high) {
        pg_buf_puts(&text, "max must be larger than min in range parameter.");
    } else if (!isfinite(low) || !isfinite(high)) {
        pg_buf_puts(&text, report->has_range ? "supplied range of [" : "autodetected range of [");
        range_number(&text, type, low);
        pg_buf_puts(&text, ", ");
        range_number(&text, type, high);
        pg_buf_puts(&text, "] is not finite");
    } else {
        pg_buf_printf(&text, "Too many bins for data range. Cannot create %d finite-sized bins.",
                      PG_HISTOGRAM_BINS);
    }
    PG_LOG_VERBOSE("Could not generate histogram. Note: Error was: %s", pg_buf_cstr(&text));
    pg_buf_deinit(&text);
}

/* False when there is nothing to show, with the reason in a verbose line. */
static bool make_histogram(const pg_stats_report *report, pg_histogram *out)
{
    const pg_stat_stream *stream = &report->source->streams[report->stream];
    double low = report->has_range ? report->low : report->stats->min;
    double high = report->has_range ? report->high : report->stats->max;
    /* A given range is of Python's numbers, so the edges are computed in double and then rounded. */
    pg_dtype edges = pg_histogram_edge_type(stream->origin), compute = report->has_range ? PG_F64 : edges;
    if (isfinite(low) && isfinite(high) && low <= high)
        out->valid = pg_block_histogram_as(report->source, report->stream, low, high, compute, edges,
                                           PG_HISTOGRAM_BINS, out->counts, out->edges);
    if (!out->valid)
        explain_no_histogram(report, report->has_range ? report->range_type : stream->origin, low, high);
    return out->valid;
}

/* Empty where a histogram is not possible and "None" where it counts nothing, as the peer logs it. */
static void histogram_text(pg_buf *out, const pg_stats_report *report)
{
    pg_histogram histogram = {0};
    if (report->source->streams[report->stream].dtype == PG_BOOL)
        return;
    if (report->has_range && report->range_type == PG_BOOL)
        return; /* False and True span no range of numbers */
    if (report->source->count > 0 && !make_histogram(report, &histogram))
        return;
    pg_histogram_text(out, &histogram);
    if (out->len == 0)
        pg_buf_puts(out, "None");
    else
        out->ptr[--out->len] = '\0'; /* the last line feed */
}

static void log_values(pg_severity severity, const pg_tensor *values)
{
    pg_buf text = {0}, block = {0};
    pg_tensor_text(&text, values, NULL);
    pg_text_indent(&block, pg_buf_str(&text), 1);
    PG_LOG(severity, "---- Values ----\n%s", pg_buf_cstr(&block));
    pg_buf_deinit(&text);
    pg_buf_deinit(&block);
}

void pg_report_stats(const pg_stats_report *report)
{
    pg_severity severity = report->failed ? PG_INFO : PG_VERBOSE;
    pg_buf text = {0};
    if (PG_LOG_ENABLED(PG_INFO)) {
        stats_line(&text, report);
        PG_LOG_INFO("%s", pg_buf_cstr(&text));
    }
    pg_log_indent(1);
    if (PG_LOG_ENABLED(severity)) {
        if (report->values != NULL)
            log_values(severity, report->values);
        pg_buf_clear(&text);
        histogram_text(&text, report);
        PG_LOG(severity, "%s", pg_buf_cstr(&text));
    }
    pg_log_indent(-1);
    pg_buf_deinit(&text);
}

/* True for what has statistics: numbers. */
static bool has_numbers(const pg_value *value)
{
    return value->kind == PG_VALUE_TENSOR && pg_tensor_has_stats(value->tensor.dtype);
}

static void report_values(const char *label, const pg_tensor *tensor, const pg_values *values,
                          const pg_value_stats *stats, pg_stats_report report)
{
    pg_stat_source source = pg_values_source(values);
    report.label = label;
    report.source = &source;
    report.stats = stats;
    report.shape = tensor;
    report.values = source.count <= PG_REPORT_SMALL ? tensor : NULL;
    pg_report_stats(&report);
}

pg_status pg_report_tensor_stats(const char *label, const pg_tensor *tensor, const pg_value_stats *stats)
{
    pg_values values;
    pg_value_stats own;
    pg_status status = NULL;
    if (!PG_LOG_ENABLED(PG_INFO) || !pg_tensor_has_stats(tensor->dtype))
        return NULL;
    PG_TRY(pg_values_init(&values, tensor));
    if (stats == NULL) {
        PG_TRY_GOTO(status, pg_tensor_stats(tensor, PG_STAT_ALL, NAN, &own));
        stats = &own;
    }
    report_values(label, tensor, &values, stats, (pg_stats_report){0});
done:
    pg_values_deinit(&values);
    return status;
}

/* Python's min(a, b) and max(a, b): the first unless the second is smaller (larger), so a NaN in front stays.
 */
static void shared_range(pg_stats_report *report, const pg_values *a, const pg_value_stats *stats_a,
                         const pg_values *b, const pg_value_stats *stats_b)
{
    bool low_b = stats_b->min<stats_a->min, high_b = stats_b->max> stats_a->max;
    pg_dtype low_type = low_b ? b->type : a->type, high_type = high_b ? b->type : a->type;
    report->has_range = true;
    report->low = low_b ? stats_b->min : stats_a->min;
    report->high = high_b ? stats_b->max : stats_a->max;
    report->range_type = low_type == high_type && !pg_dtype_is_float(low_type) ? low_type : PG_F64;
}

pg_status pg_report_output_stats(const pg_compare_call *call, pg_compare_item *item, bool failed)
{
    pg_values a = {0}, b = {0};
    pg_buf label = {0};
    pg_status status = NULL;
    if (!PG_LOG_ENABLED(PG_INFO) || !has_numbers(item->value0) || !has_numbers(item->value1))
        return NULL;
    PG_TRY_GOTO(status, pg_values_init(&a, &item->value0->tensor));
    PG_TRY_GOTO(status, pg_values_init(&b, &item->value1->tensor));
    if (!item->has_stats) {
        PG_TRY_GOTO(status, pg_tensor_stats(&item->value0->tensor, PG_STAT_ALL, NAN, &item->stats0));
        PG_TRY_GOTO(status, pg_tensor_stats(&item->value1->tensor, PG_STAT_ALL, NAN, &item->stats1));
        item->has_stats = true;
    }
    pg_stats_report report = {.failed = failed};
    shared_range(&report, &a, &item->stats0, &b, &item->stats1);
    pg_buf_printf(&label, "%s: %s", call->pair0, item->name0);
    report_values(pg_buf_cstr(&label), &item->value0->tensor, &a, &item->stats0, report);
    pg_buf_clear(&label);
    pg_buf_printf(&label, "%s: %s", call->pair1, item->name1);
    report_values(pg_buf_cstr(&label), &item->value1->tensor, &b, &item->stats1, report);
done:
    pg_values_deinit(&a);
    pg_values_deinit(&b);
    pg_buf_deinit(&label);
    return status;
}
