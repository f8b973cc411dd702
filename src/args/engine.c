/* Engines built from option values. */
#include <string.h>

#include "args/engine.h"
#include "log/log.h"

/* ---- Inputs to calibrate with, and to take shapes from ---- */

static pg_status open_data(const pg_args_build *args, const pg_graph *graph, pg_arena *arena,
                           pg_args_feeds *out)
{
    pg_io *items = PG_ARENA_ARRAY(arena, pg_io, graph->n_inputs + 1);
    pg_io_list inputs = {items, 0};
    for (size_t i = 0; i < graph->n_inputs; i++)
        if (!pg_graph_has_weight(graph, graph->inputs[i].name))
            items[inputs.count++] = (pg_io){graph->inputs[i].name, graph->inputs[i].type};
    out->data = args->data;
    out->shapes_of = args->model;
    return pg_args_feeds_open(out, inputs);
}

/* ---- Profiles ---- */

static const char *const shape_options[] = {"--trt-min-shapes", "--trt-opt-shapes", "--trt-max-shapes"};

/* The last entry whose name or wildcard fits; one without a name fits every input. */
static const pg_trt_shape *shape_of(const pg_trt_shapes *shapes, pg_str input)
{
    const pg_trt_shape *found = NULL;
    for (size_t i = 0; i < shapes->count; i++)
        if (shapes->items[i].name.len == 0 || pg_str_wildcard(shapes->items[i].name, input))
            found = &shapes->items[i];
    return found;
}

static pg_status check_shapes(const pg_trt_shapes *shapes, const pg_graph *graph, const char *option)
{
    for (size_t i = 0; i < shapes->count; i++) {
        const pg_trt_shape *shape = &shapes->items[i];
        bool known = shape->name.len == 0;
        for (size_t k = 0; k < graph->n_inputs && !known; k++)
            known = pg_str_wildcard(shape->name, graph->inputs[k].name);
        if (!known)
            return pg_err(PG_ERR_NOT_FOUND, "option '%s': the model has no input '%" PG_STR_FMT "'", option,
                          PG_STR_ARG(shape->name));
        for (size_t d = 0; d < shape->rank; d++)
            if (shape->dims[d] < 0)
                return pg_err(PG_ERR_INVALID,
                              "option '%s': dimension %zu of input '%" PG_STR_FMT
                              "' is open; a profile states numbers",
                              option, d, PG_STR_ARG(shape->name));
    }
    return NULL;
}

/* The shape that --input-shapes states for an input, its open dims taken from the model, or 1. */
static bool stated_shape(const pg_args_model *args, const pg_value_info *info, pg_arena *arena,
                         pg_trt_shape *out)
{
    const pg_input_shape *stated = NULL;
    for (size_t i = 0; i < args->n_input_shapes; i++)
        if (args->input_shapes[i].name.len == 0 || pg_str_wildcard(args->input_shapes[i].name, info->name))
            stated = &args->input_shapes[i];
    if (stated == NULL)
        return false;
    int64_t *dims = PG_ARENA_ARRAY(arena, int64_t, stated->rank + 1);
    for (size_t d = 0; d < stated->rank; d++) {
        const pg_dim *dim = info->type.has_shape && d < info->type.rank ? &info->type.dims[d] : NULL;
        bool fixed = dim != NULL && dim->has_value && dim->value >= 0;
        dims[d] = stated->dims[d] >= 0 ? stated->dims[d] : fixed ? dim->value : 1;
    }
    *out = (pg_trt_shape){info->name, stated->rank, dims};
    return true;
}

/* The shapes of one input in one profile, as the peer completes them: the smallest shape is the stated one, else
 * that of an earlier profile, else that of --input-shapes; the optimal one falls back to the smallest, the largest
 * to the optimal. `last_min` has rank SIZE_MAX while there is none. */
static pg_status complete(const pg_value_info *info, const pg_trt_shapes *const uses[3],
                          pg_trt_shape *last_min, pg_shape_range *out, bool *out_stated)
{
    pg_trt_shape found[3];
    for (size_t u = 0; u < 3; u++) {
        const pg_trt_shape *given = shape_of(uses[u], info->name);
        found[u] = given != NULL ? *given : u == 0 ? *last_min : found[u - 1];
        if (given != NULL && u > 0 && found[0].rank == SIZE_MAX)
            return pg_err(PG_ERR_INVALID,
                          "option '%s': the smallest shape of input '%" PG_STR_FMT
                          "' is not known; give it with --trt-min-shapes or --input-shapes",
                          shape_options[u], PG_STR_ARG(info->name));
        if (u > 0 && found[u].rank != found[0].rank)
            return pg_err(PG_ERR_INVALID,
                          "option '%s': input '%" PG_STR_FMT
                          "' has %zu dimensions here and %zu in its smallest "
                          "shape",
                          shape_options[u], PG_STR_ARG(info->name), found[u].rank, found[0].rank);
    }
    *out_stated = found[0].rank != SIZE_MAX;
    *out = (pg_shape_range){info->name, found[0].rank, found[0].dims, found[1].dims, found[2].dims};
    *last_min = found[0];
    return NULL;
}

/* Nothing was said of an input's shape, but inputs are loaded: the profile spans their shapes. */
static pg_status span_of_data(pg_args_feeds *data, pg_str input, pg_arena *arena, pg_shape_range *out,
                              bool *out_found)
{
    int64_t *dims[3] = {NULL};
    size_t rank = SIZE_MAX;
    *out_found = false;
    for (size_t index = 0; data->files != NULL && index < data->count; index++) {
        pg_feed feed = {0};
        PG_TRY(pg_inputs_get(data->files, index, &feed));
        const pg_value *value = pg_feed_find(&feed, input);
        const pg_tensor *tensor = value != NULL && value->kind == PG_VALUE_TENSOR ? &value->tensor : NULL;
        for (size_t k = 0; k < 3 && tensor != NULL && rank == SIZE_MAX; k++) {
            dims[k] = PG_ARENA_ARRAY(arena, int64_t, tensor->rank + 1u);
            memcpy(dims[k], tensor->dims, tensor->rank * sizeof(int64_t));
        }
        if (tensor != NULL && rank == SIZE_MAX)
            rank = tensor->rank;
        for (size_t d = 0; tensor != NULL && tensor->rank == rank && d < rank; d++) {
            dims[0][d] = PG_MIN(dims[0][d], tensor->dims[d]);
            dims[2][d] = PG_MAX(dims[2][d], tensor->dims[d]);
        }
        pg_feed_deinit(&feed);
    }
    if (rank == SIZE_MAX)
        return NULL;
    *out = (pg_shape_range){input, rank, dims[0], dims[1], dims[2]};
    *out_found = true;
    return NULL;
}

static pg_status fill_profiles(const pg_args_build *args, pg_args_feeds *data, const pg_graph *graph,
                               pg_arena *arena, pg_build_config *build)
{
    static const pg_trt_profile nothing;
    size_t count = PG_MAX(args->trt->config.n_profiles, (size_t)1);
    pg_trt_shape *mins = PG_ARENA_ARRAY(arena, pg_trt_shape, graph->n_inputs + 1);
    pg_shape_profile *profiles = PG_ARENA_ARRAY(arena, pg_shape_profile, count);
    for (size_t i = 0; i < graph->n_inputs; i++)
        if (!stated_shape(args->model, &graph->inputs[i], arena, &mins[i]))
            mins[i].rank = SIZE_MAX;
    for (size_t p = 0; p < count; p++) {
        const pg_trt_profile *from =
            args->trt->config.n_profiles > 0 ? &args->trt->config.profiles[p] : &nothing;
        const pg_trt_shapes *uses[] = {&from->min, &from->opt, &from->max};
        pg_shape_range *items = PG_ARENA_ARRAY(arena, pg_shape_range, graph->n_inputs + 1);
        for (size_t u = 0; u < 3; u++)
            PG_TRY(check_shapes(uses[u], graph, shape_options[u]));
        profiles[p] = (pg_shape_profile){items, 0};
        for (size_t i = 0; i < graph->n_inputs; i++) {
            bool stated;
            PG_TRY(complete(&graph->inputs[i], uses, &mins[i], &items[profiles[p].count], &stated));
            if (!stated)
                PG_TRY(span_of_data(data, graph->inputs[i].name, arena, &items[profiles[p].count], &stated));
            profiles[p].count += stated;
        }
    }
    build->profiles = profiles;
    build->n_profiles = count;
    return NULL;
}

static pg_status fill_pools(const pg_trt_options *options, pg_build_config *build)
{
    for (size_t i = 0; i < options->n_pools; i++) {
        if (!pg_str_eq_nocase(options->pools[i].name, PG_STR("workspace")))
            return pg_err(PG_ERR_UNSUPPORTED,
                          "option '--pool-limit': the built-in engine has the pool 'workspace' only, not "
                          "'%" PG_STR_FMT "'",
                          PG_STR_ARG(options->pools[i].name));
        build->workspace = options->pools[i].bytes;
    }
    return NULL;
}

/* ---- The build ---- */

static pg_status save_replay(const pg_args_build *args, pg_engine **engine)
{
    pg_status status = pg_args_engine_save_tactics(args, *engine);
    if (status != NULL) {
        pg_engine_unref(*engine);
        *engine = NULL;
    }
    return status;
}

static pg_status build_with(const pg_args_build *args, const pg_model *model, pg_arena *arena,
                            pg_engine **out)
{
    enum { DEFAULT_LEVEL = 3 };
    const pg_args_trt_config *config = &args->trt->config;
    pg_args_feeds data = {0};
    pg_build_config build = {.version_compatible = config->version_compatible,
                             .calibration = config->calibration,
                             .calibration_cache = config->calibration_cache,
                             .level = config->level.set ? (unsigned)config->level.value : DEFAULT_LEVEL,
                             .threads = args->threads,
                             .data = pg_args_feeds_next,
                             .data_context = &data};
    build.calibration.threads = args->threads;
    PG_TRY(pg_args_engine_precisions(args->trt, arena, &build));
    PG_TRY(fill_pools(&args->trt->options, &build));
    PG_TRY(pg_args_engine_plan(config, &build));
    PG_TRY(pg_args_engine_tactics(args, arena, &build));
    PG_TRY(pg_args_engine_notes(&args->trt->options, arena, &build));
    PG_TRY(pg_args_engine_io(args->trt, model->graph, arena, &build));
    PG_TRY(open_data(args, model->graph, arena, &data));
    pg_status status = fill_profiles(args, &data, model->graph, arena, &build);
    if (status == NULL)
        status = pg_engine_build(model, &build, out);
    if (status == NULL)
        status = save_replay(args, out);
    pg_args_feeds_close(&data);
    return status;
}

pg_status pg_args_build_engine(const pg_args_build *args, pg_model *model, pg_arena *arena, pg_engine **out)
{
    pg_model *selected = NULL;
    PG_TRY(pg_args_engine_network(args->trt, model, arena, &selected));
    pg_status status = build_with(args, selected, arena, out);
    pg_model_unref(selected);
    return status;
}
