#include <math.h>

#include "delta/delta.h"

static const struct {
    const char *title, *key;
} sections[PG_DELTA_SECTION_COUNT] = {
    [PG_DELTA_MODEL] = {"Model", "model"},          [PG_DELTA_INPUT] = {"Inputs", "input"},
    [PG_DELTA_OUTPUT] = {"Outputs", "output"},      [PG_DELTA_NODE] = {"Nodes", "node"},
    [PG_DELTA_WEIGHT] = {"Weights", "weight"},      [PG_DELTA_TYPE] = {"Types of inner tensors", "type"},
    [PG_DELTA_FUNCTION] = {"Functions", "function"}};

static const struct {
    const char *mark, *key;
} changes[] = {[PG_DELTA_ADDED] = {"+", "added"},
               [PG_DELTA_REMOVED] = {"-", "removed"},
               [PG_DELTA_CHANGED] = {"~", "changed"},
               [PG_DELTA_RENAMED] = {"=", "renamed"}};

static void put_item(pg_buf *out, const pg_delta_item *item)
{
    bool quoted = item->section != PG_DELTA_MODEL && item->name.len > 0;
    pg_buf_printf(out, "\n%s ", changes[item->change].mark);
    if (item->where.len > 0)
        pg_buf_printf(out, "%" PG_STR_FMT "/", PG_STR_ARG(item->where));
    pg_buf_printf(out, quoted ? "'%" PG_STR_FMT "'" : "%" PG_STR_FMT, PG_STR_ARG(item->name));
    if (item->detail.len > 0)
        pg_buf_printf(out, "%s%" PG_STR_FMT,
                      item->change == PG_DELTA_RENAMED && item->name.len > 0 ? " is called "
                      : item->name.len > 0                                   ? ": "
                                                                             : "",
                      PG_STR_ARG(item->detail));
}

void pg_delta_text(const pg_delta *diff, pg_buf *out)
{
    for (int section = 0; section < PG_DELTA_SECTION_COUNT; section++) {
        bool any = false;
        for (size_t i = 0; i < diff->items.len; i++) {
            const pg_delta_item *item = &diff->items.items[i];
            if ((int)item->section != section)
                continue;
            if (!any)
                pg_buf_printf(out, "%s---- %s ----", out->len > 0 ? "\n\n" : "", sections[section].title);
            any = true;
            put_item(out, item);
        }
    }
}

static void put_number(pg_json_writer *json, const char *key, double value)
{
    pg_json_key(json, key);
    if (isnan(value))
        pg_json_put_null(json);
    else
        pg_json_put_f64(json, value);
}

void pg_delta_json(const pg_delta *diff, pg_json_writer *json)
{
    pg_json_begin_array(json);
    for (size_t i = 0; i < diff->items.len; i++) {
        const pg_delta_item *item = &diff->items.items[i];
        pg_json_begin_object(json);
        pg_json_field_str(json, "section", pg_str_c(sections[item->section].key));
        pg_json_field_str(json, "change", pg_str_c(changes[item->change].key));
        pg_json_field_bool(json, "counts", item->counts);
        pg_json_field_str(json, "where", item->where);
        pg_json_field_str(json, "name", item->name);
        pg_json_field_str(json, "detail", item->detail);
        if (item->has_numbers) {
            pg_json_key(json, "elements");
            pg_json_put_u64(json, item->numbers.count);
            pg_json_key(json, "differing");
            pg_json_put_u64(json, item->numbers.differing);
            put_number(json, "max_abs", item->numbers.max_abs);
            put_number(json, "max_rel", item->numbers.max_rel);
        }
        pg_json_end_object(json);
    }
    pg_json_end_array(json);
}
