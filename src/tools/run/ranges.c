/* What one float32 run tells about smaller types, and about where NaN and Inf come from. */
#include "json/json.h"
#include "log/log.h"
#include "tensor/number_text.h"
#include "tools/run/internal.h"

/* More elements lost to zero than this, and a tensor is listed. Small values that vanish beside large ones
 * are harmless in most tensors; a tenth of them is where results change. */
static const double MOST_LOST = 0.1;
enum { MOST_ROWS = 50 };

/* "Mul 'n12'", or "Mul" for a node without a name. */
static void add_node(pg_buf *out, const pg_watch_row *row)
{
    pg_buf_add_str(out, row->op_type);
    if (row->node.len > 0)
        pg_buf_printf(out, " '%" PG_STR_FMT "'", PG_STR_ARG(row->node));
}

/* ---- The table ---- */

static void add_number(pg_buf *out, double value)
{
    pg_buf text = {0};
    pg_text_g(&text, value, 4);
    pg_buf_printf(out, "  %11s", pg_buf_cstr(&text));
    pg_buf_deinit(&text);
}

/* "over 12", "zero 34%", both, or "-". */
static void add_risk(pg_buf *out, const pg_watch_row *row, pg_watch_type type)
{
    pg_buf text = {0};
    double lost = row->count > 0 ? (double)row->underflow[type] / (double)row->count : 0;
    if (row->overflow[type] > 0)
        pg_buf_printf(&text, "over %llu", (unsigned long long)row->overflow[type]);
    if (lost > MOST_LOST)
        pg_buf_printf(&text, "%szero %.0f%%", text.len > 0 ? " " : "", lost * 100);
    pg_buf_printf(out, "  %-18s", text.len > 0 ? pg_buf_cstr(&text) : "-");
    pg_buf_deinit(&text);
}

static void add_row(pg_buf *out, const pg_watch_row *row, unsigned types)
{
    pg_buf_puts(out, "\n");
    add_number(out, row->min);
    add_number(out, row->max);
    add_number(out, row->smallest);
    for (unsigned type = 0; type < PG_WATCH_TYPES; type++)
        if ((types & 1u << type) != 0)
            add_risk(out, row, (pg_watch_type)type);
    pg_buf_printf(out, "  %" PG_STR_FMT " (", PG_STR_ARG(row->tensor));
    if (row->op_type.len == 0)
        pg_buf_puts(out, "input or weight");
    else
        add_node(out, row);
    pg_buf_putc(out, ')');
    if (row->n_nan + row->n_inf > 0)
        pg_buf_printf(out, ", %llu NaN, %llu Inf", (unsigned long long)row->n_nan,
                      (unsigned long long)row->n_inf);
}

static void add_head(pg_buf *out, unsigned types)
{
    pg_buf_printf(out, "\n  %11s  %11s  %11s", "min", "max", "smallest");
    for (unsigned type = 0; type < PG_WATCH_TYPES; type++)
        if ((types & 1u << type) != 0)
            pg_buf_printf(out, "  %-18s", pg_watch_type_name((pg_watch_type)type));
    pg_buf_puts(out, "  tensor");
}

static void log_summary(const pg_watch *watch, unsigned types)
{
    pg_log_indent(1);
    for (unsigned type = 0; type < PG_WATCH_TYPES; type++) {
        size_t over = 0, lost = 0;
        if ((types & 1u << type) == 0)
            continue;
        for (size_t i = 0; i < pg_watch_count(watch); i++) {
            const pg_watch_row *row = pg_watch_row_at(watch, i);
            over += row->overflow[type] > 0;
            lost += (double)row->underflow[type] > MOST_LOST * (double)row->count;
        }
        PG_LOG_INFO("%s: %zu tensor(s) overflow, %zu lose more than %g%% of their elements to 0",
                    pg_watch_type_name((pg_watch_type)type), over, lost, MOST_LOST * 100);
    }
    pg_log_indent(-1);
}

static void log_report(const pg_watch *watch, unsigned types)
{
    pg_buf table = {0};
    size_t listed = 0;
    add_head(&table, types);
    for (size_t i = 0; i < pg_watch_count(watch); i++) {
        const pg_watch_row *row = pg_watch_row_at(watch, i);
        if (pg_watch_row_is_risky(row, types, MOST_LOST) && listed++ < MOST_ROWS)
            add_row(&table, row, types);
    }
    if (listed > MOST_ROWS)
        pg_buf_printf(&table, "\n    ... and %zu more: --save-range-report has them all", listed - MOST_ROWS);
    PG_LOG_INFO("Range Report | %zu floating-point tensors of a float32 run of the built-in engine",
                pg_watch_count(watch));
    log_summary(watch, types);
    if (listed > 0)
        PG_LOG_INFO("---- Tensors at risk, in order ----%s", pg_buf_cstr(&table));
    pg_buf_deinit(&table);
}

/* ---- The file ---- */

static void put_counts(pg_json_writer *json, const char *key, const uint64_t *counts, unsigned types)
{
    pg_json_key(json, key);
    pg_json_begin_object(json);
    for (unsigned type = 0; type < PG_WATCH_TYPES; type++)
        if ((types & 1u << type) != 0)
            pg_json_field_i64(json, pg_watch_type_name((pg_watch_type)type), (int64_t)counts[type]);
    pg_json_end_object(json);
}

static void put_row(pg_json_writer *json, const pg_watch_row *row, unsigned types)
{
    pg_json_begin_object(json);
    pg_json_field_str(json, "tensor", row->tensor);
    pg_json_field_str(json, "node", row->node);
    pg_json_field_str(json, "op_type", row->op_type);
    pg_json_field_str(json, "dtype", pg_str_c(pg_dtype_name(row->dtype)));
    pg_json_field_i64(json, "count", (int64_t)row->count);
    pg_json_field_i64(json, "nan", (int64_t)row->n_nan);
    pg_json_field_i64(json, "inf", (int64_t)row->n_inf);
    pg_json_field_f64(json, "min", row->min);
    pg_json_field_f64(json, "max", row->max);
    pg_json_field_f64(json, "smallest", row->smallest);
    put_counts(json, "overflow", row->overflow, types);
    put_counts(json, "underflow", row->underflow, types);
    pg_json_field_bool(json, "at_risk", pg_watch_row_is_risky(row, types, MOST_LOST));
    pg_json_end_object(json);
}

static pg_status save_report(const run_args *args, const pg_watch *watch)
{
    pg_writer file;
    pg_json_writer json;
    if (args->ranges.save == NULL)
        return NULL;
    PG_LOG_INFO("Saving the range report to %s", args->ranges.save);
    PG_TRY(pg_writer_open(&file, args->ranges.save));
    pg_json_to_file(&json, &file, 4);
    pg_json_begin_object(&json);
    pg_json_field_str(&json, "format", PG_STR("polygraphy-range-report"));
    pg_json_field_i64(&json, "version", 1);
    pg_json_field_str(&json, "model", pg_str_c(args->model.path));
    pg_json_key(&json, "tensors");
    pg_json_begin_array(&json);
    for (size_t i = 0; i < pg_watch_count(watch); i++)
        put_row(&json, pg_watch_row_at(watch, i), args->ranges.types);
    pg_json_end_array(&json);
    pg_json_end_object(&json);
    return pg_writer_commit(&file);
}

pg_status run_ranges(const run_args *args, pg_model *model)
{
    if (!args->ranges.wanted)
        return NULL;
    pg_watch *watch = pg_watch_new();
    pg_status status = pg_status_context(run_probe_watch(args, model, 0, watch), "for the range report");
    if (status == NULL) {
        if (args->ranges.types_text.set)
            log_report(watch, args->ranges.types);
        status = save_report(args, watch);
    }
    pg_watch_free(watch);
    return status;
}

/* ---- NaN and Inf ---- */

/* The first tensor with a NaN or Inf, or with a NaN. */
static const pg_watch_row *first_with(const pg_watch *watch, bool nan)
{
    for (size_t i = 0; i < pg_watch_count(watch); i++) {
        const pg_watch_row *row = pg_watch_row_at(watch, i);
        if (row->n_nan > 0 || (!nan && row->n_inf > 0))
            return row;
    }
    return NULL;
}

static void log_origin(const char *what, const pg_watch_row *row)
{
    pg_buf node = {0};
    add_node(&node, row);
    PG_LOG_ERROR("%s: %s, in tensor '%" PG_STR_FMT "' | %llu NaN and %llu Inf among %llu elements", what,
                 pg_buf_cstr(&node), PG_STR_ARG(row->tensor), (unsigned long long)row->n_nan,
                 (unsigned long long)row->n_inf, (unsigned long long)row->count);
    pg_buf_deinit(&node);
}

static void log_origins(const pg_watch *watch)
{
    const pg_watch_row *bad = pg_watch_first_bad(watch), *any = first_with(watch, false),
                       *nan = first_with(watch, true);
    if (any == NULL) {
        PG_LOG_WARNING("The built-in engine computes no NaN or Inf from these inputs: look at the runner.");
        return;
    }
    if (any->op_type.len == 0)
        PG_LOG_ERROR("The input or weight '%" PG_STR_FMT "' has %llu NaN and %llu Inf itself",
                     PG_STR_ARG(any->tensor), (unsigned long long)any->n_nan, (unsigned long long)any->n_inf);
    if (bad != NULL)
        log_origin("First NaN or Inf from finite inputs", bad);
    if (nan != NULL && nan != bad && nan->op_type.len > 0)
        log_origin("First NaN", nan);
}

void run_blame(const run_args *args, pg_model *model, size_t index)
{
    pg_watch *watch = pg_watch_new();
    pg_status status = run_probe_watch(args, model, index, watch);
    if (status == NULL)
        log_origins(watch);
    else
        PG_LOG_WARNING("Cannot tell which node produced the first NaN or Inf: %s", pg_status_message(status));
    pg_status_drop(status);
    pg_watch_free(watch);
}
