/* The readable report: arrays as nested lists, one line each. */
#include "base/alloc.h"
#include "data/internal.h"

static void put_element(pg_json_writer *w, const pg_tensor *tensor, uint64_t index)
{
    switch (pg_dtype_kind_of(tensor->dtype)) {
    case PG_KIND_FLOAT:
        if (tensor->dtype == PG_F64)
            pg_json_put_f64(w, ((const double *)tensor->data)[index]);
        else
            pg_json_put_f32(w, (float)pg_tensor_get_f64(tensor, index));
        break;
    case PG_KIND_INT:
    case PG_KIND_UINT:
        if (tensor->dtype == PG_U64)
            pg_json_put_u64(w, ((const uint64_t *)tensor->data)[index]);
        else
            pg_json_put_i64(w, pg_tensor_get_i64(tensor, index));
        break;
    case PG_KIND_BOOL:
        pg_json_put_bool(w, pg_tensor_get_i64(tensor, index) != 0);
        break;
    case PG_KIND_STRING:
        pg_json_put_str(w, ((const pg_str *)tensor->data)[index]);
        break;
    case PG_KIND_COMPLEX:
        pg_json_begin_array(w);
        for (uint64_t part = 0; part < 2; part++)
            if (tensor->dtype == PG_C64)
                pg_json_put_f32(w, ((const float *)tensor->data)[index * 2 + part]);
            else
                pg_json_put_f64(w, ((const double *)tensor->data)[index * 2 + part]);
        pg_json_end_array(w);
        break;
    case PG_KIND_NONE:
        pg_json_put_null(w);
        break;
    }
}

static void put_axis(pg_json_writer *w, const pg_tensor *tensor, unsigned axis, uint64_t *index)
{
    if (axis == tensor->rank) {
        put_element(w, tensor, (*index)++);
        return;
    }
    pg_json_begin_array(w);
    for (int64_t i = 0; i < tensor->dims[axis]; i++)
        put_axis(w, tensor, axis + 1, index);
    pg_json_end_array(w);
}

static void put_plain(pg_json_writer *w, const pg_value *value)
{
    uint64_t index = 0;
    switch (value->kind) {
    case PG_VALUE_NONE:
        pg_json_put_null(w);
        break;
    case PG_VALUE_TENSOR:
        put_axis(w, &value->tensor, 0, &index);
        break;
    case PG_VALUE_SEQUENCE:
        pg_json_begin_array(w);
        for (size_t i = 0; i < value->sequence.count; i++)
            put_plain(w, &value->sequence.items[i]);
        pg_json_end_array(w);
        break;
    case PG_VALUE_MAP:
        pg_json_begin_array(w);
        for (size_t i = 0; i < value->map.count; i++) {
            pg_json_begin_array(w);
            put_element(w, value->map.keys, i);
            put_plain(w, &value->map.items[i]);
            pg_json_end_array(w);
        }
        pg_json_end_array(w);
        break;
    }
}

/* The value of an output; a list of one value per iteration when there are several. */
static void put_output(pg_json_writer *w, const pg_runner_results *runner, const char *name)
{
    int indent = w->indent;
    w->indent = -1;
    if (runner->count > 1)
        pg_json_begin_array(w);
    for (size_t i = 0; i < runner->count; i++) {
        const pg_value *value = pg_feed_find(&runner->items[i].outputs, pg_str_c(name));
        if (value != NULL)
            put_plain(w, value);
        else
            pg_json_put_null(w);
    }
    if (runner->count > 1)
        pg_json_end_array(w);
    w->indent = indent;
}

static void put_runner(pg_json_writer *w, const pg_runner_results *runner)
{
    pg_json_key(w, runner->name);
    pg_json_begin_object(w);
    for (size_t k = 0; runner->count > 0 && k < runner->items[0].outputs.count; k++) {
        const char *name = runner->items[0].outputs.items[k].name;
        pg_json_key(w, name);
        put_output(w, runner, name);
    }
    pg_json_end_object(w);
}

static void put_row(pg_json_writer *w, const pg_report_row *row)
{
    pg_json_key_str(w, row->name);
    pg_json_begin_object(w);
    pg_json_field_f64(w, "max_error", row->max_error);
    pg_json_field_f64(w, "mean_error", row->mean_error);
    pg_json_field_bool(w, "passed", row->passed);
    pg_json_end_object(w);
}

pg_status pg_results_save_report(const char *path, const pg_run_results *results, const pg_report_row *rows,
                                 size_t n_rows)
{
    pg_writer file;
    pg_json_writer w;
    PG_TRY(pg_writer_open(&file, path));
    pg_json_to_file(&w, &file, 2);
    pg_json_begin_object(&w);
    pg_json_key(&w, "inference_results");
    pg_json_begin_object(&w);
    for (size_t r = 0; r < results->count; r++)
        put_runner(&w, &results->items[r]);
    pg_json_end_object(&w);
    pg_json_key(&w, "comparison_results");
    pg_json_begin_object(&w);
    for (size_t i = 0; i < n_rows; i++)
        put_row(&w, &rows[i]);
    pg_json_end_object(&w);
    pg_json_end_object(&w);
    return pg_writer_commit(&file);
}
