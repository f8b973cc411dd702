/* Optimization profiles: the shapes that an engine is for. */
#include "engine/internal.h"

const pg_value_info *pg_engine_find_input(const pg_graph *graph, pg_str name)
{
    for (size_t i = 0; i < graph->n_inputs; i++)
        if (pg_str_eq(graph->inputs[i].name, name) && !pg_graph_has_weight(graph, name))
            return &graph->inputs[i];
    return NULL;
}

/* ---- Checks ---- */

static void put_shape(pg_buf *out, size_t rank, const int64_t *dims)
{
    pg_buf_putc(out, '[');
    for (size_t d = 0; d < rank; d++)
        pg_buf_printf(out, "%s%lld", d > 0 ? ", " : "", (long long)dims[d]);
    pg_buf_putc(out, ']');
}

static pg_status bad_shapes(const pg_shape_range *range, size_t profile, const char *what)
{
    pg_buf text = {0};
    pg_buf_puts(&text, "min ");
    put_shape(&text, range->rank, range->min);
    pg_buf_puts(&text, ", opt ");
    put_shape(&text, range->rank, range->opt);
    pg_buf_puts(&text, ", max ");
    put_shape(&text, range->rank, range->max);
    pg_status status = pg_err(PG_ERR_INVALID, "profile %zu, input '%" PG_STR_FMT "': %s (%s)", profile,
                              PG_STR_ARG(range->input), what, pg_buf_cstr(&text));
    pg_buf_deinit(&text);
    return status;
}

static pg_status check_range(const pg_value_info *info, const pg_shape_range *range, size_t profile)
{
    if (info->type.has_shape && range->rank != info->type.rank)
        return bad_shapes(range, profile, "the model's input has another number of dimensions");
    for (size_t d = 0; d < range->rank; d++) {
        if (range->min[d] < 0 || range->min[d] > range->opt[d] || range->opt[d] > range->max[d])
            return bad_shapes(range, profile, "the shapes are not min <= opt <= max");
        const pg_dim *dim = info->type.has_shape ? &info->type.dims[d] : NULL;
        if (dim != NULL && dim->has_value && dim->value >= 0 &&
            (range->min[d] != dim->value || range->max[d] != dim->value))
            return bad_shapes(range, profile, "a dimension that the model fixes has another value");
    }
    return NULL;
}

/* ---- Taking them ---- */

static pg_status own_range(pg_engine *engine, const pg_value_info *info, pg_shape_range *out)
{
    if (info->type.kind != PG_TYPE_TENSOR || !info->type.has_shape)
        return pg_err(PG_ERR_INVALID,
                      "input '%" PG_STR_FMT "' has no shape in the model: give its shapes in a profile",
                      PG_STR_ARG(info->name));
    int64_t *dims = PG_ARENA_ARRAY(&engine->arena, int64_t, info->type.rank + 1);
    for (uint32_t d = 0; d < info->type.rank; d++)
        dims[d] =
            info->type.dims[d].has_value && info->type.dims[d].value >= 0 ? info->type.dims[d].value : 1;
    *out = (pg_shape_range){pg_arena_str(&engine->arena, info->name), info->type.rank, dims, dims, dims};
    return NULL;
}

static const int64_t *keep_dims(pg_engine *engine, const int64_t *dims, size_t rank)
{
    int64_t *kept = PG_ARENA_ARRAY(&engine->arena, int64_t, rank + 1);
    memcpy(kept, dims, rank * sizeof *kept);
    return kept;
}

static pg_status take_one(pg_engine *engine, const pg_graph *graph, const pg_shape_profile *stated,
                          size_t number, pg_shape_profile *out)
{
    pg_shape_range *items = PG_ARENA_ARRAY(&engine->arena, pg_shape_range, graph->n_inputs + 1);
    *out = (pg_shape_profile){items, 0};
    for (size_t s = 0; stated != NULL && s < stated->count; s++)
        if (pg_engine_find_input(graph, stated->items[s].input) == NULL)
            return pg_err(PG_ERR_NOT_FOUND, "profile %zu: the model has no input '%" PG_STR_FMT "'", number,
                          PG_STR_ARG(stated->items[s].input));
    for (size_t i = 0; i < graph->n_inputs; i++) {
        const pg_value_info *info = &graph->inputs[i];
        pg_shape_range *range = &items[out->count];
        const pg_shape_range *found = NULL;
        if (pg_graph_has_weight(graph, info->name))
            continue;
        for (size_t s = 0; stated != NULL && s < stated->count; s++)
            if (pg_str_eq(stated->items[s].input, info->name))
                found = &stated->items[s];
        if (found == NULL) {
            PG_TRY(own_range(engine, info, range));
        } else {
            PG_TRY(check_range(info, found, number));
            *range = (pg_shape_range){pg_arena_str(&engine->arena, info->name), found->rank,
                                      keep_dims(engine, found->min, found->rank),
                                      keep_dims(engine, found->opt, found->rank),
                                      keep_dims(engine, found->max, found->rank)};
        }
        out->count++;
    }
    return NULL;
}

pg_status pg_engine_take_profiles(pg_engine *engine, const pg_graph *graph, const pg_shape_profile *profiles,
                                  size_t n_profiles)
{
    engine->n_profiles = n_profiles > 0 ? n_profiles : 1;
    pg_shape_profile *taken = PG_ARENA_ARRAY(&engine->arena, pg_shape_profile, engine->n_profiles);
    engine->profiles = taken;
    for (size_t p = 0; p < engine->n_profiles; p++)
        PG_TRY(take_one(engine, graph, n_profiles > 0 ? &profiles[p] : NULL, p, &taken[p]));
    return NULL;
}

/* ---- At run time ---- */

static bool fits(const pg_shape_range *range, const pg_tensor *tensor)
{
    bool inside = tensor->rank == range->rank;
    for (size_t d = 0; inside && d < range->rank; d++)
        inside = tensor->dims[d] >= range->min[d] && tensor->dims[d] <= range->max[d];
    return inside;
}

pg_status pg_engine_check_feed(const pg_engine *engine, size_t profile, const pg_feed *feed)
{
    if (profile >= engine->n_profiles)
        return pg_err(PG_ERR_INVALID, "the engine has %zu optimization profiles; there is no profile %zu",
                      engine->n_profiles, profile);
    for (size_t i = 0; i < engine->profiles[profile].count; i++) {
        const pg_shape_range *range = &engine->profiles[profile].items[i];
        const pg_value *value = pg_feed_find(feed, range->input);
        if (value == NULL || value->kind != PG_VALUE_TENSOR || fits(range, &value->tensor))
            continue;
        pg_buf text = {0};
        pg_buf_puts(&text, "shape ");
        put_shape(&text, value->tensor.rank, value->tensor.dims);
        pg_buf_printf(&text, " is outside profile %zu of the engine, ", profile);
        put_shape(&text, range->rank, range->min);
        pg_buf_puts(&text, " to ");
        put_shape(&text, range->rank, range->max);
        pg_status status = pg_err(PG_ERR_INVALID, "input '%" PG_STR_FMT "': %s", PG_STR_ARG(range->input),
                                  pg_buf_cstr(&text));
        pg_buf_deinit(&text);
        return status;
    }
    return NULL;
}
