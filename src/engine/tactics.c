#include "engine/tactics.h"

#include "base/file.h"
#include "json/json.h"
#include "tensor/text.h"

/* ---- Text ---- */

static void put_maybe(pg_buf *out, bool has, int64_t value)
{
    if (has)
        pg_buf_printf(out, "%lld", (long long)value);
    else
        pg_buf_puts(out, "None");
}

static void put_tensors(pg_buf *out, const pg_tactic_tensor *items, size_t count)
{
    pg_buf_putc(out, '(');
    for (size_t i = 0; i < count; i++) {
        pg_buf_printf(out, "%sTensorInfo(%" PG_STR_FMT ", ", i > 0 ? ", " : "", PG_STR_ARG(items[i].dtype));
        pg_shape_text(out, items[i].n_strides, items[i].strides);
        pg_buf_puts(out, ", ");
        put_maybe(out, items[i].has_vectorized_dim, items[i].vectorized_dim);
        pg_buf_puts(out, ", ");
        put_maybe(out, items[i].has_components, items[i].components_per_element);
        pg_buf_putc(out, ')');
    }
    pg_buf_puts(out, count == 1 ? ",)" : ")");
}

void pg_tactic_text(pg_buf *out, const pg_tactic *tactic)
{
    pg_buf_printf(out, "(Implementation: %lld, Tactic: %lld) | Inputs: ", (long long)tactic->implementation,
                  (long long)tactic->tactic);
    put_tensors(out, tactic->inputs, tactic->n_inputs);
    pg_buf_puts(out, " | Outputs: ");
    put_tensors(out, tactic->outputs, tactic->n_outputs);
}

/* ---- File ---- */

static void put_maybe_json(pg_json_writer *json, const char *key, bool has, int64_t value)
{
    pg_json_key(json, key);
    if (has)
        pg_json_put_i64(json, value);
    else
        pg_json_put_null(json);
}

static void put_class(pg_json_writer *json, const char *name)
{
    pg_json_field_str(json, "polygraphy_class", pg_str_c(name));
    pg_json_end_object(json);
}

static void save_tensors(pg_json_writer *json, const char *key, const pg_tactic_tensor *items, size_t count)
{
    pg_json_key(json, key);
    pg_json_begin_array(json);
    for (size_t i = 0; i < count; i++) {
        pg_json_begin_object(json);
        pg_json_field_str(json, "dtype", items[i].dtype);
        pg_json_key(json, "strides");
        pg_json_begin_array(json);
        for (size_t d = 0; d < items[i].n_strides; d++)
            pg_json_put_i64(json, items[i].strides[d]);
        pg_json_end_array(json);
        put_maybe_json(json, "vectorized_dim", items[i].has_vectorized_dim, items[i].vectorized_dim);
        put_maybe_json(json, "components_per_element", items[i].has_components,
                       items[i].components_per_element);
        put_class(json, "TensorInfo");
    }
    pg_json_end_array(json);
}

pg_status pg_tactics_save(const pg_tactic_replay *replay, const char *path)
{
    pg_writer file;
    pg_json_writer json;
    PG_TRY(pg_writer_open(&file, path));
    pg_json_to_file(&json, &file, 4);
    pg_json_begin_object(&json);
    pg_json_key(&json, "replay");
    pg_json_begin_object(&json);
    for (size_t i = 0; i < replay->count; i++) {
        const pg_tactic *tactic = &replay->items[i];
        pg_json_key_str(&json, tactic->layer);
        pg_json_begin_object(&json);
        pg_json_field_i64(&json, "implementation", tactic->implementation);
        pg_json_field_i64(&json, "tactic", tactic->tactic);
        save_tensors(&json, "inputs", tactic->inputs, tactic->n_inputs);
        save_tensors(&json, "outputs", tactic->outputs, tactic->n_outputs);
        put_class(&json, "Algorithm");
    }
    pg_json_end_object(&json);
    put_class(&json, "TacticReplayData");
    return pg_writer_commit(&file);
}
