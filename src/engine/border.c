#include "engine/border.h"

#include "base/alloc.h"
#include "engine/internal.h"
#include "tensor/dtype_convert.h"

static const struct {
    const char *name;
    unsigned rank, multiple; /* of the tensor; what its channels are a multiple of */
} formats[PG_IO_FORMATS] = {
    [PG_IO_LINEAR] = {"LINEAR", 0, 1}, [PG_IO_HWC] = {"HWC", 4, 1},   [PG_IO_HWC8] = {"HWC8", 4, 8},
    [PG_IO_HWC16] = {"HWC16", 4, 16},  [PG_IO_DHWC] = {"DHWC", 5, 1}, [PG_IO_DHWC8] = {"DHWC8", 5, 8},
};

const char *pg_io_format_name(pg_io_format format)
{
    return formats[format].name;
}

bool pg_io_format_parse(pg_str name, pg_io_format *out)
{
    for (size_t i = 0; i < PG_IO_FORMATS; i++)
        if (pg_str_eq_nocase(name, pg_str_c(formats[i].name))) {
            *out = (pg_io_format)i;
            return true;
        }
    return false;
}

/* ---- Checks ---- */

static const pg_dtype float_types[] = {PG_F32, PG_F16, PG_BF16}, int_types[] = {PG_I32, PG_I64};

/* The types that arrays of a tensor of type `dtype` may have instead. */
static const pg_dtype *kin_of(pg_dtype dtype, size_t *out_count)
{
    for (size_t i = 0; i < PG_COUNT(float_types); i++)
        if (float_types[i] == dtype) {
            *out_count = PG_COUNT(float_types);
            return float_types;
        }
    for (size_t i = 0; i < PG_COUNT(int_types); i++)
        if (int_types[i] == dtype) {
            *out_count = PG_COUNT(int_types);
            return int_types;
        }
    *out_count = 0;
    return NULL;
}

static pg_status check_dtype(const pg_value_info *info, const char *what, pg_dtype wanted)
{
    size_t count;
    const pg_dtype *kin = kin_of(info->type.elem, &count);
    pg_buf list = {0};
    if (wanted == PG_UNDEFINED || wanted == info->type.elem)
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (kin[i] == wanted)
            return NULL;
    for (size_t i = 0; i < count; i++)
        pg_buf_printf(&list, "%s%s", i == 0 ? "" : i + 1 < count ? ", " : " or ", pg_dtype_name(kin[i]));
    if (count == 0)
        pg_buf_puts(&list, "nothing else");
    bool scaled = wanted == PG_I8 && kin == float_types;
    pg_status status = pg_err(
        PG_ERR_INVALID, "%s '%" PG_STR_FMT "' is %s in the network: its arrays can be %s, not %s%s", what,
        PG_STR_ARG(info->name), pg_dtype_name(info->type.elem), pg_buf_cstr(&list), pg_dtype_name(wanted),
        scaled ? " (that needs a scale: put a QuantizeLinear node into the model)" : "");
    pg_buf_deinit(&list);
    return status;
}

static pg_status check_format(const pg_value_info *info, const char *what, pg_io_format format)
{
    const pg_type *type = &info->type;
    if (format == PG_IO_LINEAR)
        return NULL;
    if (type->elem == PG_STRING || pg_dtype_get(type->elem)->bits < 8)
        return pg_err(PG_ERR_INVALID, "%s '%" PG_STR_FMT "': elements of type %s are LINEAR only", what,
                      PG_STR_ARG(info->name), pg_dtype_name(type->elem));
    if (!type->has_shape || type->rank != formats[format].rank)
        return pg_err(PG_ERR_INVALID, "%s '%" PG_STR_FMT "': the format %s is for tensors of %u dimensions",
                      what, PG_STR_ARG(info->name), formats[format].name, formats[format].rank);
    const pg_dim *channels = &type->dims[1];
    if (formats[format].multiple > 1 &&
        (!channels->has_value || channels->value <= 0 || channels->value % formats[format].multiple != 0))
        return pg_err(PG_ERR_INVALID,
                      "%s '%" PG_STR_FMT "': the format %s is for multiples of %u channels here (nothing is "
                      "padded); HWC or DHWC take any number",
                      what, PG_STR_ARG(info->name), formats[format].name, formats[format].multiple);
    return NULL;
}

pg_status pg_border_check(const pg_value_info *info, bool input, const pg_io_border *border)
{
    const char *what = input ? "input" : "output";
    if (info->type.kind != PG_TYPE_TENSOR)
        return pg_err(PG_ERR_INVALID, "%s '%" PG_STR_FMT "' is no tensor", what, PG_STR_ARG(info->name));
    PG_TRY(check_dtype(info, what, border->dtype));
    return check_format(info, what, border->format);
}

const pg_io_border *pg_border_find(const pg_engine *engine, pg_str name)
{
    for (size_t i = 0; i < engine->n_borders; i++)
        if (pg_str_eq(engine->borders[i].name, name))
            return &engine->borders[i];
    return NULL;
}

static bool is_channels_last(const pg_io_border *border)
{
    return border != NULL && border->format != PG_IO_LINEAR;
}

/* ---- What callers see ---- */

/* N,C,H,W becomes N,H,W,C. */
static void to_outer(size_t rank, const int64_t *from, int64_t *to)
{
    for (size_t d = 0; d < rank; d++)
        to[d] = from[d == 0 ? 0 : d + 1 < rank ? d + 1 : 1];
}

static void to_inner(size_t rank, const int64_t *from, int64_t *to)
{
    for (size_t d = 0; d < rank; d++)
        to[d] = from[d == 0 ? 0 : d == 1 ? rank - 1 : d - 1];
}

static pg_value_info outer_info(pg_engine *engine, const pg_value_info *inner)
{
    const pg_io_border *border = pg_border_find(engine, inner->name);
    pg_value_info info = *inner;
    if (border == NULL)
        return info;
    if (border->dtype != PG_UNDEFINED) {
        info.type.elem = border->dtype;
        info.type.data_type = (int32_t)border->dtype;
    }
    if (is_channels_last(border)) {
        pg_dim *dims = PG_ARENA_ARRAY(&engine->arena, pg_dim, info.type.rank);
        for (uint32_t d = 0; d < info.type.rank; d++)
            dims[d] = inner->type.dims[d == 0 ? 0 : d + 1 < info.type.rank ? d + 1 : 1];
        info.type.dims = dims;
    }
    return info;
}

static const int64_t *outer_dims(pg_engine *engine, size_t rank, const int64_t *dims)
{
    int64_t *kept = PG_ARENA_ARRAY(&engine->arena, int64_t, rank + 1);
    to_outer(rank, dims, kept);
    return kept;
}

static void open_profile(pg_engine *engine, const pg_shape_profile *inner, pg_shape_profile *out)
{
    pg_shape_range *items = PG_ARENA_ARRAY(&engine->arena, pg_shape_range, inner->count + 1);
    for (size_t i = 0; i < inner->count; i++) {
        const pg_shape_range *range = &inner->items[i];
        items[i] = *range;
        if (!is_channels_last(pg_border_find(engine, range->input)) || range->rank < 3)
            continue;
        items[i].min = outer_dims(engine, range->rank, range->min);
        items[i].opt = outer_dims(engine, range->rank, range->opt);
        items[i].max = outer_dims(engine, range->rank, range->max);
    }
    *out = (pg_shape_profile){items, inner->count};
}

void pg_border_open(pg_engine *engine)
{
    const pg_graph *graph = engine->model->graph;
    pg_value_info *inputs = PG_ARENA_ARRAY(&engine->arena, pg_value_info, graph->n_inputs + 1);
    pg_value_info *outputs = PG_ARENA_ARRAY(&engine->arena, pg_value_info, graph->n_outputs + 1);
    pg_shape_profile *profiles = PG_ARENA_ARRAY(&engine->arena, pg_shape_profile, engine->n_profiles + 1);
    engine->n_inputs = 0;
    for (size_t i = 0; i < graph->n_inputs; i++)
        if (!pg_graph_has_weight(graph, graph->inputs[i].name))
            inputs[engine->n_inputs++] = outer_info(engine, &graph->inputs[i]);
    for (size_t i = 0; i < graph->n_outputs; i++)
        outputs[i] = outer_info(engine, &graph->outputs[i]);
    for (size_t p = 0; p < engine->n_profiles; p++)
        open_profile(engine, &engine->profiles[p], &profiles[p]);
    engine->outer_inputs = inputs;
    engine->outer_outputs = outputs;
    engine->n_outputs = graph->n_outputs;
    engine->outer_profiles = profiles;
}

/* ---- At run time ---- */

/* Takes over `tensor` whether it succeeds or not; on success `out` owns the result. */
static pg_status cast(pg_tensor tensor, pg_dtype to, pg_tensor *out)
{
    pg_status status = NULL;
    if (to == PG_UNDEFINED || to == tensor.dtype) {
        *out = tensor;
        return NULL;
    }
    status = pg_tensor_cast(&tensor, to, NULL, out);
    pg_tensor_deinit(&tensor);
    return status;
}

static pg_status enter_tensor(const pg_engine *engine, const pg_io_border *border, pg_str name,
                              pg_tensor *tensor)
{
    const pg_value_info *info = pg_engine_find_input(engine->model->graph, name);
    if (border->dtype != PG_UNDEFINED && tensor->dtype != border->dtype)
        return pg_err(PG_ERR_INVALID, "input '%" PG_STR_FMT "' is %s; the engine takes %s", PG_STR_ARG(name),
                      pg_dtype_name(tensor->dtype), pg_dtype_name(border->dtype));
    if (is_channels_last(border)) {
        int64_t dims[PG_MAX_RANK];
        if (tensor->rank != formats[border->format].rank)
            return pg_err(PG_ERR_INVALID, "input '%" PG_STR_FMT "' has %u dimensions; %s arrays have %u",
                          PG_STR_ARG(name), (unsigned)tensor->rank, formats[border->format].name,
                          formats[border->format].rank);
        to_inner(tensor->rank, tensor->dims, dims);
        memcpy(tensor->dims, dims, tensor->rank * sizeof *dims);
        tensor->layout = PG_CHANNELS_LAST;
    }
    pg_tensor inner = {0};
    pg_status status = cast(*tensor, info != NULL ? info->type.elem : PG_UNDEFINED, &inner);
    *tensor = inner;
    return status;
}

pg_status pg_border_enter(const pg_engine *engine, const pg_feed *feed, pg_feed *inner)
{
    for (size_t i = 0; i < feed->count; i++) {
        pg_str name = pg_str_c(feed->items[i].name);
        const pg_io_border *border = pg_border_find(engine, name);
        pg_value *value = pg_feed_add(inner, name, pg_value_share(&feed->items[i].value));
        if (border != NULL && value->kind == PG_VALUE_TENSOR)
            PG_TRY(enter_tensor(engine, border, name, &value->tensor));
    }
    return NULL;
}

void pg_border_prepare(const pg_engine *engine, pg_session *session)
{
    const pg_graph *graph = engine->model->graph;
    for (size_t i = 0; i < graph->n_outputs; i++)
        if (is_channels_last(pg_border_find(engine, graph->outputs[i].name)))
            pg_session_want_channels_last(session, i);
}

pg_status pg_border_leave(const pg_engine *engine, pg_feed *outputs)
{
    for (size_t i = 0; i < outputs->count; i++) {
        const pg_io_border *border = pg_border_find(engine, pg_str_c(outputs->items[i].name));
        pg_value *value = &outputs->items[i].value;
        if (border == NULL || value->kind != PG_VALUE_TENSOR)
            continue;
        if (value->tensor.layout == PG_CHANNELS_LAST) {
            int64_t dims[PG_MAX_RANK];
            to_outer(value->tensor.rank, value->tensor.dims, dims);
            memcpy(value->tensor.dims, dims, value->tensor.rank * sizeof *dims);
            value->tensor.layout = PG_ROW_MAJOR;
        }
        pg_tensor outer = {0};
        pg_status status = cast(value->tensor, border->dtype, &outer);
        value->tensor = outer;
        PG_TRY(status);
    }
    return NULL;
}
