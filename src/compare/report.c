/* The text that all comparison functions share. */
#include "compare/internal.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "log/log.h"
#include "tensor/number_text.h"
#include "tensor/text.h"

enum { BINS = 10, BAR_WIDTH = 40, EDGE_WIDTH = 32 };

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
    if (pg_tensor_count(shape) == 0) {
        pg_buf_putc(out, '0');
        return;
    }
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

static void add_stat(pg_buf *out, const char *name, double value)
{
    pg_buf_puts(out, name);
    pg_text_g(out, value, 5);
}

static void stats_line(pg_buf *out, const pg_stats_report *report)
{
    const pg_value_stats *stats = report->stats;
    if (report->label != NULL)
        pg_buf_printf(out, "%s | Stats: ", report->label);
    add_stat(out, "mean=", stats->mean);
    add_stat(out, ", std-dev=", stats->std);
    add_stat(out, ", var=", stats->var);
    add_stat(out, ", median=", stats->median);
    add_stat(out, ", min=", stats->min);
    pg_buf_puts(out, " at ");
    pg_report_index(out, stats->argmin, report->shape);
    add_stat(out, ", max=", stats->max);
    pg_buf_puts(out, " at ");
    pg_report_index(out, stats->argmax, report->shape);
    add_stat(out, ", avg-magnitude=", stats->avg_magnitude);
    if (report->source->streams[report->stream].dtype == PG_BOOL)
        return;
    add_stat(out, ", p90=", stats->p90);
    add_stat(out, ", p95=", stats->p95);
    add_stat(out, ", p99=", stats->p99);
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
        pg_buf_printf(&text, "Too many bins for data range. Cannot create %d finite-sized bins.", BINS);
    }
    PG_LOG_VERBOSE("Could not generate histogram. Note: Error was: %s", pg_buf_cstr(&text));
    pg_buf_deinit(&text);
}

/* Ten rows: range, count and bar. */
static void histogram_rows(pg_buf *out, const uint64_t *counts, const double *edges, uint64_t most)
{
    pg_buf texts[BINS + 1] = {0};
    size_t width = 0, end_width = 0;
    for (size_t i = 0; i <= BINS; i++) {
        pg_text_g(&texts[i], edges[i], 3);
        width = PG_MAX(width, texts[i].len);
        end_width = i > 0 ? PG_MAX(end_width, texts[i].len) : 0;
    }
    pg_buf_puts(out, "---- Histogram ----\n");
    pg_buf_printf(out, "%-*s|  Num Elems | Visualization\n", (int)(width + end_width + 5), "Bin Range");
    for (size_t i = 0; i < BINS; i++) {
        pg_buf_printf(out, "(%-*s, %-*s) | %10llu | ", (int)width, pg_buf_cstr(&texts[i]), (int)end_width,
                      pg_buf_cstr(&texts[i + 1]), (unsigned long long)counts[i]);
        pg_buf_pad(out, '#', (size_t)(BAR_WIDTH * (double)counts[i] / (double)most));
        pg_buf_puts(out, i + 1 < BINS ? "\n" : "");
    }
    for (size_t i = 0; i <= BINS; i++)
        pg_buf_deinit(&texts[i]);
}

/* Empty text where there is nothing to show, as the peer logs it. */
static void histogram_text(pg_buf *out, const pg_stats_report *report)
{
    const pg_stat_stream *stream = &report->source->streams[report->stream];
    uint64_t counts[BINS], most = 0;
    double edges[BINS + 1], low = report->stats->min, high = report->stats->max;
    pg_dtype type = stream->origin;
    if (stream->dtype == PG_BOOL)
        return;
    bool single = stream->dtype == PG_F32;
    if (report->has_range) {
        low = report->low;
        high = report->high;
        type = report->range_type;
        single = single && type == PG_F32;
    }
    if (report->source->count == 0) {
        pg_buf_puts(out, "None");
        return;
    }
    if (!isfinite(low) || !isfinite(high) || low > high ||
        !pg_block_histogram(report->source, report->stream, low, high, single, BINS, counts, edges)) {
        explain_no_histogram(report, type, low, high);
        return;
    }
    for (size_t i = 0; i < BINS; i++)
        most = PG_MAX(most, counts[i]);
    if (most == 0)
        pg_buf_puts(out, "None");
    else
        histogram_rows(out, counts, edges, most);
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

static pg_status stats_of(const pg_values *values, pg_value_stats *out)
{
    pg_stat_source source = pg_values_source(values);
    return pg_block_stats(&source, PG_STAT_ALL, NAN, out);
}

/* True for what has statistics: numbers. */
static bool has_numbers(const pg_value *value)
{
    return value->kind == PG_VALUE_TENSOR && pg_cast_up(value->tensor.dtype) != PG_UNDEFINED;
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
    if (!PG_LOG_ENABLED(PG_INFO) || pg_cast_up(tensor->dtype) == PG_UNDEFINED)
        return NULL;
    PG_TRY(pg_values_init(&values, tensor));
    if (stats == NULL) {
        PG_TRY_GOTO(status, stats_of(&values, &own));
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
    report->has_range = true;
    report->low = stats_b->min < stats_a->min ? stats_b->min : stats_a->min;
    report->high = stats_b->max > stats_a->max ? stats_b->max : stats_a->max;
    report->range_type = a->type == b->type ? a->type : PG_F64;
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
        PG_TRY_GOTO(status, stats_of(&a, &item->stats0));
        PG_TRY_GOTO(status, stats_of(&b, &item->stats1));
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
