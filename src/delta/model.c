#include "delta/internal.h"

void pg_delta_deinit(pg_delta *diff)
{
    PG_VEC_FREE(&diff->items);
    pg_arena_deinit(&diff->arena);
    *diff = (pg_delta){0};
}

pg_delta_item *pg_delta_add(pg_delta *diff, pg_delta_section section, pg_delta_change change, bool counts,
                            pg_str where, pg_str name, const char *format, ...)
{
    pg_delta_item *item = PG_VEC_ADD(&diff->items);
    *item = (pg_delta_item){.section = section,
                            .change = change,
                            .counts = counts,
                            .where = pg_arena_str(&diff->arena, where),
                            .name = pg_arena_str(&diff->arena, name)};
    diff->n_differences += counts;
    if (format == NULL)
        return item;
    va_list args;
    va_start(args, format);
    pg_status text = pg_err_v(PG_ERR_INVALID, format, args);
    va_end(args);
    item->detail = pg_arena_str(&diff->arena, pg_str_c(pg_status_message(text)));
    pg_status_drop(text);
    return item;
}

static void add_field(pg_delta *diff, const char *name, const char *format, ...) PG_PRINTF(3, 4);
static void add_field(pg_delta *diff, const char *name, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    pg_status text = pg_err_v(PG_ERR_INVALID, format, args);
    va_end(args);
    pg_delta_add(diff, PG_DELTA_MODEL, PG_DELTA_CHANGED, true, PG_STR_EMPTY, pg_str_c(name), "%s",
                 pg_status_message(text));
    pg_status_drop(text);
}

static void compare_number(pg_delta *diff, const char *name, int64_t a, int64_t b)
{
    if (a != b)
        add_field(diff, name, "%lld -> %lld", (long long)a, (long long)b);
}

static void compare_text(pg_delta *diff, const char *name, pg_str a, pg_str b)
{
    if (!pg_str_eq(a, b))
        add_field(diff, name, "'%" PG_STR_FMT "' -> '%" PG_STR_FMT "'", PG_STR_ARG(a), PG_STR_ARG(b));
}

static void compare_head(pg_delta *diff, const pg_model *a, const pg_model *b)
{
    compare_number(diff, "IR version", a->ir_version, b->ir_version);
    compare_number(diff, "model version", a->model_version, b->model_version);
    compare_text(diff, "producer", a->producer_name, b->producer_name);
    compare_text(diff, "producer version", a->producer_version, b->producer_version);
    compare_text(diff, "domain", a->domain, b->domain);
    compare_text(diff, "description", a->doc, b->doc);
    compare_text(diff, "graph name", a->graph->name, b->graph->name);
}

/* ---- Lists with keys ---- */

static const pg_str *find_value(const pg_model *model, pg_str key)
{
    for (size_t i = 0; i < model->n_metadata; i++)
        if (pg_str_eq(model->metadata[i].key, key))
            return &model->metadata[i].value;
    return NULL;
}

static void add_entry(pg_delta *diff, pg_delta_change change, const char *what, pg_str key, pg_str detail)
{
    const char *name = pg_arena_printf(&diff->arena, "%s '%" PG_STR_FMT "'", what, PG_STR_ARG(key));
    pg_delta_add(diff, PG_DELTA_MODEL, change, true, PG_STR_EMPTY, pg_str_c(name), "%" PG_STR_FMT,
                 PG_STR_ARG(detail));
}

static void compare_metadata(pg_delta *diff, const pg_model *a, const pg_model *b)
{
    for (size_t i = 0; i < a->n_metadata; i++) {
        const pg_str *other = find_value(b, a->metadata[i].key);
        if (other == NULL)
            add_entry(diff, PG_DELTA_REMOVED, "metadata", a->metadata[i].key, a->metadata[i].value);
        else if (!pg_str_eq(a->metadata[i].value, *other))
            add_entry(diff, PG_DELTA_CHANGED, "metadata", a->metadata[i].key,
                      pg_str_c(pg_arena_printf(&diff->arena, "'%" PG_STR_FMT "' -> '%" PG_STR_FMT "'",
                                               PG_STR_ARG(a->metadata[i].value), PG_STR_ARG(*other))));
    }
    for (size_t i = 0; i < b->n_metadata; i++)
        if (find_value(a, b->metadata[i].key) == NULL)
            add_entry(diff, PG_DELTA_ADDED, "metadata", b->metadata[i].key, b->metadata[i].value);
}

static void compare_opsets(pg_delta *diff, const pg_model *a, const pg_model *b)
{
    for (size_t i = 0; i < a->n_opsets; i++) {
        int64_t other = pg_model_opset(b, a->opsets[i].domain), own = a->opsets[i].version;
        char *change = pg_arena_printf(&diff->arena, other == 0 ? "%lld" : "%lld -> %lld", (long long)own,
                                       (long long)other);
        if (own != other)
            add_entry(diff, other == 0 ? PG_DELTA_REMOVED : PG_DELTA_CHANGED, "opset", a->opsets[i].domain,
                      pg_str_c(change));
    }
    for (size_t i = 0; i < b->n_opsets; i++)
        if (pg_model_opset(a, b->opsets[i].domain) == 0)
            add_entry(diff, PG_DELTA_ADDED, "opset", b->opsets[i].domain,
                      pg_str_c(pg_arena_printf(&diff->arena, "%lld", (long long)b->opsets[i].version)));
}

/* ---- Functions ---- */

static pg_str function_name(pg_delta *diff, const pg_function *function)
{
    const char *join = function->domain.len > 0 ? "::" : "";
    return pg_str_c(pg_arena_printf(&diff->arena, "%" PG_STR_FMT "%s%" PG_STR_FMT "%s%" PG_STR_FMT,
                                    PG_STR_ARG(function->domain), join, PG_STR_ARG(function->name),
                                    function->overload.len > 0 ? ":" : "", PG_STR_ARG(function->overload)));
}

static pg_status compare_functions(pg_delta *diff, const pg_model *a, const pg_model *b)
{
    for (size_t i = 0; i < a->n_functions; i++) {
        const pg_function *own = &a->functions[i];
        const pg_function *other = pg_model_find_function(b, own->domain, own->name, own->overload);
        if (other == NULL) {
            pg_delta_add(diff, PG_DELTA_FUNCTION, PG_DELTA_REMOVED, true, PG_STR_EMPTY,
                         function_name(diff, own), NULL);
            continue;
        }
        pg_side left, right;
        pg_side_of_function(a, own, &diff->arena, &left);
        pg_side_of_function(b, other, &diff->arena, &right);
        pg_status status = pg_delta_sides(diff, NULL, &left, &right, function_name(diff, own));
        pg_side_deinit(&left);
        pg_side_deinit(&right);
        PG_TRY(status);
    }
    for (size_t i = 0; i < b->n_functions; i++) {
        const pg_function *own = &b->functions[i];
        if (pg_model_find_function(a, own->domain, own->name, own->overload) == NULL)
            pg_delta_add(diff, PG_DELTA_FUNCTION, PG_DELTA_ADDED, true, PG_STR_EMPTY,
                         function_name(diff, own), NULL);
    }
    return NULL;
}

pg_status pg_delta_models(const pg_model *a, const pg_model *b, pg_delta *out)
{
    pg_side left, right;
    compare_head(out, a, b);
    compare_opsets(out, a, b);
    compare_metadata(out, a, b);
    pg_side_of_graph(a, a->graph, &out->arena, &left);
    pg_side_of_graph(b, b->graph, &out->arena, &right);
    pg_status status = pg_delta_sides(out, NULL, &left, &right, PG_STR_EMPTY);
    pg_side_deinit(&left);
    pg_side_deinit(&right);
    return status != NULL ? status : compare_functions(out, a, b);
}
