#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "onnx/edit.h"
#include "onnx/save.h"
#include "onnx/text.h"
#include "shapes/shapes.h"
#include "surgery/fp16.h"

/* ---- Views with texts that end in a zero byte ---- */

void pg_api_info_fill(pg_arena *arena, pg_str name, const pg_type *type, polygraphy_tensor_info *out)
{
    *out = (polygraphy_tensor_info){.name = pg_arena_cstr(arena, name),
                                    .is_tensor = type->kind == PG_TYPE_TENSOR};
    if (!out->is_tensor)
        return;
    out->dtype = (polygraphy_dtype)type->elem;
    out->has_shape = type->has_shape;
    out->rank = type->has_shape ? type->rank : 0;
    polygraphy_dim *dims = PG_ARENA_ARRAY(arena, polygraphy_dim, out->rank + 1);
    for (size_t i = 0; i < out->rank; i++) {
        const pg_dim *dim = &type->dims[i];
        bool fixed = dim->has_value && dim->value >= 0;
        dims[i].value = fixed ? dim->value : -1;
        dims[i].symbol = !fixed && dim->name.len > 0 ? pg_arena_cstr(arena, dim->name) : NULL;
    }
    out->dims = dims;
}

const polygraphy_tensor_info *pg_api_info_get(const pg_api_infos *infos, size_t index)
{
    return index < infos->count ? &infos->items[index] : NULL;
}

static pg_api_infos values_of(pg_arena *arena, const pg_value_info *values, size_t count)
{
    pg_api_infos infos = {PG_ARENA_ARRAY(arena, polygraphy_tensor_info, count + 1), count};
    for (size_t i = 0; i < count; i++)
        pg_api_info_fill(arena, values[i].name, &values[i].type, &infos.items[i]);
    return infos;
}

static pg_api_infos weights_of(pg_arena *arena, const pg_graph *graph)
{
    pg_api_infos infos = {PG_ARENA_ARRAY(arena, polygraphy_tensor_info, graph->n_weights + 1),
                          graph->n_weights};
    for (size_t i = 0; i < infos.count; i++) {
        const pg_weight *weight = &graph->weights[i];
        polygraphy_dim *dims = PG_ARENA_ARRAY(arena, polygraphy_dim, weight->rank + 1);
        for (size_t d = 0; d < weight->rank; d++)
            dims[d].value = weight->dims[d];
        infos.items[i] = (polygraphy_tensor_info){.name = pg_arena_cstr(arena, weight->name),
                                                  .is_tensor = true,
                                                  .dtype = (polygraphy_dtype)weight->dtype,
                                                  .has_shape = true,
                                                  .rank = weight->rank,
                                                  .dims = dims};
    }
    return infos;
}

/* Takes over the reference. */
static polygraphy_model *wrap(pg_model *model)
{
    polygraphy_model *own = PG_NEW(polygraphy_model);
    const pg_graph *graph = model->graph;
    own->model = model;
    own->inputs = values_of(&own->arena, graph->inputs, graph->n_inputs);
    own->outputs = values_of(&own->arena, graph->outputs, graph->n_outputs);
    own->weights = weights_of(&own->arena, graph);
    return own;
}

/* ---- Loading and saving ---- */

polygraphy_code polygraphy_model_load(const char *path, const polygraphy_model_options *options,
                                      polygraphy_model **out)
{
    polygraphy_model_options known = POLYGRAPHY_MODEL_OPTIONS_INIT;
    pg_model *model;
    *out = NULL;
    pg_api_begin();
    pg_api_options(&known, sizeof known, options);
    pg_model_options inner = {known.external_data_dir, known.ignore_external_data};
    pg_status status = pg_model_load(path, &inner, &model);
    if (status == NULL)
        *out = wrap(model);
    return pg_api_end(status);
}

polygraphy_code polygraphy_model_parse(const void *bytes, size_t size, polygraphy_model **out)
{
    pg_model *model;
    *out = NULL;
    pg_api_begin();
    pg_status status = pg_model_parse(bytes, size, "the model in memory", &model);
    if (status == NULL)
        *out = wrap(model);
    return pg_api_end(status);
}

void polygraphy_model_free(polygraphy_model *model)
{
    if (model == NULL)
        return;
    pg_model_unref(model->model);
    pg_arena_deinit(&model->arena);
    free(model);
}

polygraphy_code polygraphy_model_save(const polygraphy_model *model, const char *path,
                                      const polygraphy_save_options *options)
{
    polygraphy_save_options known = POLYGRAPHY_SAVE_OPTIONS_INIT;
    pg_api_begin();
    pg_api_options(&known, sizeof known, options);
    pg_model_save_options inner = {.external = known.external_data,
                                   .external_name = known.external_name,
                                   .per_tensor = known.file_per_weight,
                                   .has_threshold = known.has_size_threshold,
                                   .size_threshold = known.size_threshold};
    return pg_api_end(pg_model_save(model->model, path, &inner));
}

/* ---- What is in a model ---- */

size_t polygraphy_model_input_count(const polygraphy_model *model)
{
    return model->inputs.count;
}

const polygraphy_tensor_info *polygraphy_model_input(const polygraphy_model *model, size_t index)
{
    return pg_api_info_get(&model->inputs, index);
}

size_t polygraphy_model_output_count(const polygraphy_model *model)
{
    return model->outputs.count;
}

const polygraphy_tensor_info *polygraphy_model_output(const polygraphy_model *model, size_t index)
{
    return pg_api_info_get(&model->outputs, index);
}

size_t polygraphy_model_weight_count(const polygraphy_model *model)
{
    return model->weights.count;
}

const polygraphy_tensor_info *polygraphy_model_weight(const polygraphy_model *model, size_t index)
{
    return pg_api_info_get(&model->weights, index);
}

size_t polygraphy_model_node_count(const polygraphy_model *model)
{
    return model->model->graph->n_nodes;
}

static const char *const *names_of(pg_arena *arena, const pg_str *names, size_t count)
{
    const char **own = PG_ARENA_ARRAY(arena, const char *, count + 1);
    for (size_t i = 0; i < count; i++)
        own[i] = pg_arena_cstr(arena, names[i]);
    return own;
}

static void fill_node(pg_arena *arena, const pg_node *node, polygraphy_node *out)
{
    pg_str *attributes = PG_ARENA_ARRAY(arena, pg_str, node->n_attrs + 1);
    for (size_t i = 0; i < node->n_attrs; i++)
        attributes[i] = node->attrs[i].name;
    *out = (polygraphy_node){
        .name = pg_arena_cstr(arena, node->name),
        .op_type = pg_arena_cstr(arena, node->op_type),
        .domain = pg_arena_cstr(arena, node->domain),
        .n_inputs = node->n_inputs,
        .n_outputs = node->n_outputs,
        .n_attributes = node->n_attrs,
        .inputs = names_of(arena, node->inputs, node->n_inputs),
        .outputs = names_of(arena, node->outputs, node->n_outputs),
        .attributes = names_of(arena, attributes, node->n_attrs),
    };
}

const polygraphy_node *polygraphy_model_node(const polygraphy_model *model, size_t index)
{
    polygraphy_model *own = (polygraphy_model *)model; /* what is filled in here is not the caller's to see */
    const pg_graph *graph = own->model->graph;
    if (index >= graph->n_nodes)
        return NULL;
    if (own->nodes == NULL)
        own->nodes = PG_ARENA_ARRAY(&own->arena, polygraphy_node, graph->n_nodes);
    if (own->nodes[index].name == NULL)
        fill_node(&own->arena, &graph->nodes[index], &own->nodes[index]);
    return &own->nodes[index];
}

static void release_model(pg_buffer *buffer)
{
    pg_model_unref(buffer->context);
    free(buffer);
}

/* Elements that lie in the model's file keep the model. */
static void keep_model(pg_tensor *tensor, pg_model *model)
{
    if (tensor->buffer != NULL)
        return;
    tensor->buffer = PG_NEW(pg_buffer);
    *tensor->buffer = (pg_buffer){.refs = 1,
                                  .release = release_model,
                                  .context = pg_model_ref(model),
                                  .size = pg_tensor_bytes(tensor),
                                  .data = tensor->data};
}

polygraphy_code polygraphy_model_weight_load(const polygraphy_model *model, size_t index,
                                             polygraphy_array **out)
{
    pg_tensor tensor = {0};
    const pg_graph *graph = model->model->graph;
    *out = NULL;
    pg_api_begin();
    if (index >= graph->n_weights)
        return pg_api_end(
            pg_err(PG_ERR_NOT_FOUND, "there is no weight %zu: the model has %zu", index, graph->n_weights));
    pg_status status = pg_weight_load(model->model, &graph->weights[index], &tensor);
    if (status == NULL) {
        keep_model(&tensor, model->model);
        *out = pg_api_array_new(tensor);
    }
    return pg_api_end(status);
}

int64_t polygraphy_model_opset(const polygraphy_model *model, const char *domain)
{
    return pg_model_opset(model->model, pg_str_c(domain));
}

polygraphy_code polygraphy_model_text(const polygraphy_model *model, unsigned flags, char **out)
{
    pg_buf text = {0};
    pg_model_text_options options = {.layers = flags & POLYGRAPHY_TEXT_LAYERS,
                                     .attrs = flags & POLYGRAPHY_TEXT_ATTRIBUTES,
                                     .weights = flags & POLYGRAPHY_TEXT_WEIGHTS};
    pg_api_begin();
    pg_buf_reserve(&text, 1);
    pg_model_text(model->model, &options, &text);
    *out = text.ptr;
    return pg_api_end(NULL);
}

/* ---- Models made from models ---- */

static polygraphy_code made(pg_status status, pg_model *model, polygraphy_model **out)
{
    if (status == NULL)
        *out = wrap(model);
    return pg_api_end(status);
}

polygraphy_code polygraphy_model_select_outputs(const polygraphy_model *model,
                                                const polygraphy_output_selection *selection,
                                                polygraphy_model **out)
{
    polygraphy_output_selection known = POLYGRAPHY_OUTPUT_SELECTION_INIT;
    pg_model *changed = NULL;
    *out = NULL;
    pg_api_begin();
    pg_api_options(&known, sizeof known, selection);
    pg_output_selection inner = {known.names,      known.n_names, known.mark_all, known.op_types,
                                 known.n_op_types, known.exclude, known.n_exclude};
    pg_status status = pg_model_select_outputs(model->model, &inner, &changed);
    return made(status, changed, out);
}

polygraphy_code polygraphy_model_infer_shapes(const polygraphy_model *model, polygraphy_model **out)
{
    pg_model *changed = NULL;
    *out = NULL;
    pg_api_begin();
    pg_status status = pg_model_infer_types(model->model, NULL, &changed);
    return made(status, changed, out);
}

polygraphy_code polygraphy_model_to_float16(const polygraphy_model *model, polygraphy_model **out)
{
    pg_model *changed = NULL;
    *out = NULL;
    pg_api_begin();
    pg_status status = pg_surgery_fp16(model->model, NULL, NULL, &changed);
    return made(status, changed, out);
}
