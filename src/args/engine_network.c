/* The network of an engine of the built-in engine: its outputs, and how it is shown. */
#include <string.h>

#include "args/engine.h"
#include "base/alloc.h"
#include "base/vec.h"
#include "engine/layer_types.h"
#include "log/log.h"
#include "onnx/edit.h"
#include "shapes/shapes.h"

typedef PG_VEC(const char *) name_list;

/* The outputs of the nodes that a layer type stands for. */
static pg_status add_outputs_of_type(const pg_graph *graph, const char *word, pg_arena *arena, name_list *out)
{
    size_t count, before = out->len;
    const char *const *names = pg_layer_type_names(&count), *type = NULL;
    for (size_t i = 0; i < count; i++)
        if (pg_str_eq_nocase(pg_str_c(word), pg_str_c(names[i])))
            type = names[i];
    if (type == NULL)
        return pg_value_not_one_of("--trt-outputs-by-type", pg_str_c(word), names, count);
    for (size_t n = 0; n < graph->n_nodes; n++) {
        const pg_node *node = &graph->nodes[n];
        const pg_layer_type *row = pg_layer_type_of(node);
        for (size_t i = 0; row != NULL && strcmp(row->type, type) == 0 && i < node->n_outputs; i++)
            if (node->outputs[i].len > 0)
                PG_VEC_PUSH(out, pg_arena_cstr(arena, node->outputs[i]));
    }
    if (out->len == before)
        PG_LOG_WARNING("Option: --trt-outputs-by-type: the network has no layer of type '%s'.", type);
    return NULL;
}

static pg_status choose_outputs(const pg_trt_options *options, const pg_graph *graph, pg_arena *arena,
                                name_list *names)
{
    for (size_t i = 0; i < options->outputs.count; i++)
        PG_VEC_PUSH(names, options->outputs.items[i]);
    for (size_t i = 0; i < options->outputs_by_type.count; i++)
        PG_TRY(add_outputs_of_type(graph, options->outputs_by_type.items[i], arena, names));
    return NULL;
}

/* Outputs whose type the model does not state get the one that follows from it. */
static pg_status state_output_types(pg_model **model)
{
    const pg_graph *graph = (*model)->graph;
    pg_arena arena = {0};
    pg_shapes *shapes = NULL;
    pg_model *typed = NULL;
    size_t count = 0;
    for (size_t i = 0; i < graph->n_outputs; i++)
        count += graph->outputs[i].type.kind == PG_TYPE_NONE;
    if (count == 0)
        return NULL;
    pg_value_info *infos = PG_ARENA_ARRAY(&arena, pg_value_info, count);
    pg_status status = pg_shapes_infer(*model, NULL, &shapes);
    count = 0;
    for (size_t i = 0; i < graph->n_outputs && status == NULL; i++) {
        const pg_type *type = pg_shapes_find(shapes, graph->outputs[i].name);
        if (graph->outputs[i].type.kind == PG_TYPE_NONE && type != NULL)
            infos[count++] = (pg_value_info){.name = graph->outputs[i].name, .type = *type};
    }
    if (status == NULL)
        status = pg_model_with_types(*model, infos, count, &typed);
    pg_shapes_free(shapes);
    pg_arena_deinit(&arena);
    if (status == NULL) {
        pg_model_unref(*model);
        *model = typed;
    }
    return status;
}

pg_status pg_args_engine_network(const pg_args_trt *trt, pg_model *model, pg_arena *arena, pg_model **out)
{
    const pg_trt_options *options = &trt->options;
    name_list names = {0};
    pg_build_config ignored = {0};
    PG_TRY(pg_args_engine_refuse(trt, arena));
    PG_TRY(pg_args_engine_notes(options, arena, &ignored));
    pg_status status = options->mark_all ? NULL : choose_outputs(options, model->graph, arena, &names);
    if (status == NULL) {
        pg_output_selection selection = {.mark_all = options->mark_all,
                                         .names = names.items,
                                         .n_names = names.len,
                                         .exclude = options->exclude_outputs.items,
                                         .n_exclude = options->exclude_outputs.count};
        status = pg_model_select_outputs(model, &selection, out);
        if (status == NULL)
            status = state_output_types(out);
    }
    PG_VEC_FREE(&names);
    return pg_status_context(status, "while choosing the outputs of '%s'",
                             model->path != NULL ? model->path : "the model");
}

/* ---- Inputs, outputs and debug tensors ---- */

static pg_status parse_type(const char *option, pg_str text, pg_dtype *out)
{
    static const struct {
        const char *name;
        pg_dtype dtype;
    } short_names[] = {
        {"fp32", PG_F32}, {"float", PG_F32}, {"fp16", PG_F16}, {"half", PG_F16}, {"bf16", PG_BF16}};
    *out = pg_dtype_parse(text);
    for (size_t i = 0; i < PG_COUNT(short_names); i++)
        if (pg_str_eq_nocase(text, pg_str_c(short_names[i].name)))
            *out = short_names[i].dtype;
    if (*out != PG_UNDEFINED)
        return NULL;
    return pg_err(PG_ERR_INVALID,
                  "option '%s': '%" PG_STR_FMT
                  "' is no element type: float32, float16, bfloat16, int32, int64",
                  option, PG_STR_ARG(text));
}

/* What a build shall do with the borders so far. */
typedef struct border_list {
    const pg_graph *graph;
    PG_VEC(pg_io_border) items;
} border_list;

static pg_io_border *border_of(border_list *list, pg_str name)
{
    for (size_t i = 0; i < list->items.len; i++)
        if (pg_str_eq(list->items.items[i].name, name))
            return &list->items.items[i];
    PG_VEC_PUSH(&list->items, ((pg_io_border){.name = name}));
    return &list->items.items[list->items.len - 1];
}

/* NULL for a name that is neither an input nor an output; the build then says so. */
static const pg_value_info *find_io(const pg_graph *graph, pg_str name, bool *out_input)
{
    *out_input = true;
    for (size_t i = 0; i < graph->n_inputs; i++)
        if (pg_str_eq(graph->inputs[i].name, name))
            return &graph->inputs[i];
    *out_input = false;
    for (size_t i = 0; i < graph->n_outputs; i++)
        if (pg_str_eq(graph->outputs[i].name, name))
            return &graph->outputs[i];
    return NULL;
}

static pg_status set_dtype(border_list *list, const char *option, pg_str name, pg_str text)
{
    return parse_type(option, text, &border_of(list, name)->dtype);
}

/* Formats of TensorRT that arrays on a CPU do not have. */
static pg_status no_such_format(const char *option, pg_str text)
{
    static const char *const packed[] = {"CHW2",   "CHW4",       "CHW16",   "CHW32",
                                         "CDHW32", "DLA_LINEAR", "DLA_HWC4"};
    const char *names[PG_IO_FORMATS];
    for (size_t i = 0; i < PG_IO_FORMATS; i++)
        names[i] = pg_io_format_name((pg_io_format)i);
    for (size_t i = 0; i < PG_COUNT(packed); i++)
        if (pg_str_eq_nocase(text, pg_str_c(packed[i])))
            return pg_err(
                PG_ERR_UNSUPPORTED,
                "option '%s': the built-in engine has no arrays of the format %s, which packs channels for "
                "a GPU or an accelerator; it has LINEAR, HWC, HWC8, HWC16, DHWC and DHWC8",
                option, packed[i]);
    return pg_value_not_one_of(option, text, names, PG_IO_FORMATS);
}

/* The first format of the list that the tensor can have. */
static pg_status set_format(border_list *list, const char *option, pg_str name, pg_str text)
{
    bool input;
    const pg_value_info *info = find_io(list->graph, name, &input);
    pg_io_border *border = border_of(list, name);
    pg_status first = NULL;
    if (text.len >= 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']')
        text = pg_str_sub(text, 1, text.len - 1);
    for (pg_str word; pg_str_split(&text, ',', &word);) {
        pg_io_border tried = {.name = name};
        word = pg_str_trim(word);
        if (word.len == 0)
            continue;
        pg_status status = pg_io_format_parse(word, &tried.format) ? NULL : no_such_format(option, word);
        if (status == NULL && info != NULL)
            status = pg_status_context(pg_border_check(info, input, &tried), "option '%s'", option);
        if (status == NULL) {
            border->format = tried.format;
            pg_status_drop(first);
            return NULL;
        }
        if (first == NULL)
            first = status;
        else
            pg_status_drop(status);
    }
    return first != NULL ? first : pg_err(PG_ERR_INVALID, "option '%s': no format is named", option);
}

typedef pg_status (*set_fn)(border_list *list, const char *option, pg_str name, pg_str text);

static pg_status set_all(border_list *list, const char *option, pg_str text, set_fn set)
{
    const pg_graph *graph = list->graph;
    for (size_t i = 0; i < graph->n_inputs; i++)
        if (!pg_graph_has_weight(graph, graph->inputs[i].name))
            PG_TRY(set(list, option, graph->inputs[i].name, text));
    for (size_t i = 0; i < graph->n_outputs; i++)
        PG_TRY(set(list, option, graph->outputs[i].name, text));
    return NULL;
}

/* A pair without a name stands for all inputs and outputs. */
static pg_status set_pairs(border_list *list, const char *option, const pg_trt_pairs *pairs, set_fn set)
{
    for (size_t i = 0; i < pairs->count; i++)
        if (pairs->items[i].name.len > 0)
            PG_TRY(set(list, option, pairs->items[i].name, pairs->items[i].value));
        else
            PG_TRY(set_all(list, option, pairs->items[i].value, set));
    return NULL;
}

/* What takes types from the model leaves none to the user. */
static pg_status check_strongly_typed(const pg_trt_options *options)
{
    const char *option = options->tensor_dtypes.count > 0      ? "--tensor-dtypes"
                         : options->all_tensor_dtypes != NULL  ? "--all-tensor-dtypes"
                         : options->layer_precisions.count > 0 ? "--layer-precisions"
                                                               : NULL;
    if (!options->strongly_typed || option == NULL)
        return NULL;
    return pg_err(PG_ERR_INVALID, "--strongly-typed takes the types from the model: it excludes %s", option);
}

static pg_status set_borders(const pg_trt_options *options, pg_arena *arena, border_list *list)
{
    PG_TRY(check_strongly_typed(options));
    if (options->all_tensor_dtypes != NULL)
        PG_TRY(set_all(list, "--all-tensor-dtypes", pg_str_c(options->all_tensor_dtypes), set_dtype));
    PG_TRY(set_pairs(list, "--tensor-dtypes", &options->tensor_dtypes, set_dtype));
    if (options->all_tensor_formats.count > 0) {
        pg_buf text = {0};
        for (size_t i = 0; i < options->all_tensor_formats.count; i++)
            pg_buf_printf(&text, "%s%s", i > 0 ? "," : "", options->all_tensor_formats.items[i]);
        pg_str formats = pg_arena_str(arena, pg_buf_str(&text));
        pg_buf_deinit(&text);
        PG_TRY(set_all(list, "--all-tensor-formats", formats, set_format));
    }
    return set_pairs(list, "--tensor-formats", &options->tensor_formats, set_format);
}

pg_status pg_args_engine_io(const pg_args_trt *trt, const pg_graph *graph, pg_arena *arena,
                            pg_build_config *build)
{
    const pg_trt_names *debug = &trt->options.debug_tensors;
    border_list list = {.graph = graph};
    pg_str *names = PG_ARENA_ARRAY(arena, pg_str, debug->count + 1);
    pg_status status = set_borders(&trt->options, arena, &list);
    pg_io_border *borders = PG_ARENA_ARRAY(arena, pg_io_border, list.items.len + 1);
    for (size_t i = 0; i < list.items.len; i++)
        borders[i] = list.items.items[i];
    for (size_t i = 0; i < debug->count; i++)
        names[i] = pg_str_c(debug->items[i]);
    build->borders = borders;
    build->n_borders = list.items.len;
    build->direct_io = trt->config.direct_io;
    build->debug_tensors = names;
    build->n_debug_tensors = debug->count;
    build->debug_unfused = trt->options.debug_unfused;
    PG_VEC_FREE(&list.items);
    return status;
}
