/* Types where they follow from the model: options that choose types change the model before it is parsed, with the
 * passes of the built-in engine's builder. */
#include "runner/tensorrt/internal.h"

#include "log/log.h"

/* ---- Layers' precisions ---- */

static pg_status parse_type(pg_trt_pair text, pg_layer_precision *out)
{
    static const struct {
        const char *name;
        pg_dtype dtype;
    } types[] = {{"float32", PG_F32}, {"float", PG_F32},   {"fp32", PG_F32},      {"float16", PG_F16},
                 {"half", PG_F16},    {"fp16", PG_F16},    {"bfloat16", PG_BF16}, {"bf16", PG_BF16},
                 {"int8", PG_I8},     {"fp8", PG_F8E4M3FN}};
    for (size_t i = 0; i < PG_COUNT(types); i++)
        if (pg_str_is(text.value, types[i].name)) {
            *out = (pg_layer_precision){text.name, types[i].dtype};
            return NULL;
        }
    return pg_err(
        PG_ERR_INVALID,
        "option '--layer-precisions': layers compute in float32, float16, bfloat16, fp8 or int8, not in "
        "'%" PG_STR_FMT "'",
        PG_STR_ARG(text.value));
}

pg_status pg_trt_fill_precisions(const pg_trt_options *options, pg_arena *arena, pg_build_config *out)
{
    const char *constraints = options->precision_constraints;
    pg_layer_precision *items =
        PG_ARENA_ARRAY(arena, pg_layer_precision, options->layer_precisions.count + 1);
    for (size_t i = 0; i < options->layer_precisions.count; i++)
        PG_TRY(parse_type(options->layer_precisions.items[i], &items[i]));
    out->precisions = items;
    out->n_precisions = options->layer_precisions.count;
    out->constraints = constraints == NULL || strcmp(constraints, "none") == 0 ? PG_CONSTRAINTS_NONE
                       : strcmp(constraints, "prefer") == 0                    ? PG_CONSTRAINTS_PREFER
                                                                               : PG_CONSTRAINTS_OBEY;
    return NULL;
}

/* ---- Inputs to calibrate with ---- */

/* The last entry that fits wins, as in profiles. */
static const pg_trt_shape *shape_of(const pg_trt_shapes *shapes, pg_str input, size_t rank)
{
    const pg_trt_shape *found = NULL;
    for (size_t i = 0; i < shapes->count; i++) {
        const pg_trt_shape *one = &shapes->items[i];
        if (one->rank == rank && (one->name.len == 0 || pg_str_wildcard(one->name, input)))
            found = one;
    }
    return found;
}

static pg_type stated_type(const pg_trt_options *options, const pg_value_info *input, pg_arena *arena)
{
    pg_type type = input->type;
    const pg_trt_shape *shape = NULL;
    if (options->n_profiles > 0)
        shape = shape_of(&options->profiles[options->n_profiles - 1].opt, input->name, type.rank);
    if (shape == NULL)
        shape = shape_of(&options->input_shapes, input->name, type.rank);
    if (shape == NULL || !type.has_shape)
        return type;
    pg_dim *dims = PG_ARENA_ARRAY(arena, pg_dim, type.rank + 1u);
    for (size_t d = 0; d < type.rank; d++)
        dims[d] = (pg_dim){.has_value = true, .value = shape->dims[d]};
    type.dims = dims;
    return type;
}

static pg_io_list inputs_of(const pg_trt_options *options, const pg_graph *graph, pg_arena *arena)
{
    pg_io *items = PG_ARENA_ARRAY(arena, pg_io, graph->n_inputs + 1);
    size_t count = 0;
    for (size_t i = 0; i < graph->n_inputs; i++)
        if (!pg_graph_has_weight(graph, graph->inputs[i].name))
            items[count++] = (pg_io){graph->inputs[i].name, stated_type(options, &graph->inputs[i], arena)};
    return (pg_io_list){items, count};
}

/* ---- The model ---- */

static pg_status change(pg_trt_network *self, const pg_trt_options *options, pg_build_config *build,
                        pg_model **out)
{
    pg_str types;
    bool calibrates = (build->int8 || build->fp8) && options->feeds.open != NULL;
    if (calibrates) {
        PG_TRY(options->feeds.open(options->feeds.context,
                                   inputs_of(options, self->model->graph, &self->arena)));
        build->data = options->feeds.next;
        build->data_context = options->feeds.context;
    }
    pg_status status = pg_engine_set_precisions(self->model, build, &self->arena, out, &types, NULL);
    if (calibrates)
        options->feeds.close(options->feeds.context);
    if (status == NULL)
        PG_LOG_INFO(
            "The network is strongly typed, so the types are written into the model: %" PG_STR_FMT "%s",
            PG_STR_ARG(types),
            build->int8 && build->float_convolutions ? " (TensorRT-RTX has no convolutions in int8)" : "");
    return status;
}

pg_status pg_trt_retype(pg_trt_network *self, const pg_trt_options *options)
{
    pg_model *changed = NULL;
    pg_build_config build = {.fp16 = pg_trt_asks_for(options, "--fp16"),
                             .bf16 = pg_trt_asks_for(options, "--bf16"),
                             .fp8 = pg_trt_asks_for(options, "--fp8"),
                             .int8 = pg_trt_asks_for(options, "--int8"),
                             .float_convolutions =
                                 pg_trt_is_rtx(self->trt), /* it has no int8 kernels of them */
                             .calibration = options->calibration,
                             .calibration_cache = options->calibration_cache};
    if (!pg_trt_is_strongly_typed(self->trt) && !options->strongly_typed)
        return NULL;
    PG_TRY(pg_trt_fill_precisions(options, &self->arena, &build));
    if (build.fp8 && build.int8)
        return pg_err(PG_ERR_INVALID,
                      "--fp8 and --int8 exclude each other where the network is strongly typed: a "
                      "model is quantized to one of them");
    if (!build.fp16 && !build.bf16 && !build.fp8 && !build.int8 && build.n_precisions == 0)
        return NULL;
    PG_TRY_CTX(change(self, options, &build, &changed), "while writing types into the model");
    pg_model_unref(self->model);
    self->model = changed;
    return NULL;
}
