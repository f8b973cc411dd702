#include "engine/network.h"

#include <string.h>

#include "base/alloc.h"
#include "base/vec.h"
#include "engine/internal.h"
#include "engine/layer_types.h"
#include "engine/tensor_text.h"
#include "onnx/build.h"
#include "onnx/edit.h"
#include "onnx/text.h"
#include "shapes/shapes.h"
#include "tensor/text.h"

/* A node, or a weight as a layer of its own. */
typedef struct layer {
    const pg_node *node;
    const pg_weight *weight;
} layer;

typedef struct network {
    const pg_model *model;
    pg_shapes *shapes; /* NULL when nothing can be inferred */
    pg_map weights;    /* pg_weight by name */
    PG_VEC(layer) layers;
    pg_arena arena;
} network;

/* ---- The layers ---- */

/* Inputs that TensorRT keeps inside of a layer where they are weights; NULL for any other input. */
static const char *attribute_input(const pg_node *node, size_t input)
{
    static const char *const convolution[] = {NULL, "kernel", "bias"};
    static const char *const scale[] = {NULL, "scale", "shift", "mean", "variance"};
    if (node->domain.len > 0)
        return NULL;
    if ((pg_str_is(node->op_type, "Conv") || pg_str_is(node->op_type, "ConvTranspose")) &&
        input < PG_COUNT(convolution))
        return convolution[input];
    return pg_str_is(node->op_type, "BatchNormalization") && input < PG_COUNT(scale) ? scale[input] : NULL;
}

/* The weight that an input of a node is inside of its layer. */
static const pg_weight *inner_weight(const network *self, const pg_node *node, size_t input)
{
    return attribute_input(node, input) != NULL ? pg_map_find(&self->weights, node->inputs[input]) : NULL;
}

static void read_layers(network *self)
{
    const pg_graph *graph = self->model->graph;
    pg_map shown = {0};
    for (size_t i = 0; i < graph->n_weights; i++)
        pg_map_put(&self->weights, graph->weights[i].name, (void *)&graph->weights[i]);
    for (size_t n = 0; n < graph->n_nodes; n++) {
        const pg_node *node = &graph->nodes[n];
        for (size_t i = 0; i < node->n_inputs; i++) {
            const pg_weight *weight = pg_map_find(&self->weights, node->inputs[i]);
            if (weight != NULL && attribute_input(node, i) == NULL && pg_map_put(&shown, weight->name, NULL))
                PG_VEC_PUSH(&self->layers, ((layer){.weight = weight}));
        }
        PG_VEC_PUSH(&self->layers, (layer){.node = node});
    }
    pg_map_deinit(&shown);
}

static void open_network(network *self, const pg_model *model)
{
    *self = (network){.model = model};
    pg_status_drop(pg_shapes_infer(model, NULL, &self->shapes));
    read_layers(self);
}

static void close_network(network *self)
{
    pg_shapes_free(self->shapes);
    pg_map_deinit(&self->weights);
    PG_VEC_FREE(&self->layers);
    pg_arena_deinit(&self->arena);
}

/* ---- Types ---- */

static pg_type type_of_weight(network *self, const pg_weight *weight)
{
    pg_dim *dims = PG_ARENA_ARRAY(&self->arena, pg_dim, weight->rank + 1u);
    for (uint32_t d = 0; d < weight->rank; d++)
        dims[d] = (pg_dim){.has_value = true, .value = weight->dims[d]};
    return (pg_type){.kind = PG_TYPE_TENSOR,
                     .elem = weight->dtype,
                     .data_type = weight->data_type,
                     .has_shape = true,
                     .rank = weight->rank,
                     .dims = dims};
}

/* Kind NONE for a tensor of which nothing is known. */
static pg_type type_of(network *self, pg_str name)
{
    const pg_weight *weight = pg_map_find(&self->weights, name);
    const pg_value_info *input = pg_engine_find_input(self->model->graph, name);
    if (weight != NULL)
        return type_of_weight(self, weight);
    if (input != NULL)
        return input->type;
    const pg_type *found = self->shapes != NULL ? pg_shapes_find(self->shapes, name) : NULL;
    return found != NULL ? *found : (pg_type){0};
}

/* ---- As text ---- */

static void put_tensor(network *self, pg_str name, bool *first, pg_buf *out)
{
    pg_type type = type_of(self, name);
    pg_buf_puts(out, *first ? "" : ",\n ");
    pg_engine_tensor_text(name, &type, NULL, out);
    *first = false;
}

static void put_inputs(network *self, const layer *item, pg_buf *out)
{
    bool first = true;
    pg_buf_putc(out, '{');
    for (size_t i = 0; item->node != NULL && i < item->node->n_inputs; i++)
        if (item->node->inputs[i].len > 0 && inner_weight(self, item->node, i) == NULL)
            put_tensor(self, item->node->inputs[i], &first, out);
    pg_buf_putc(out, '}');
}

static void put_outputs(network *self, const layer *item, pg_buf *out)
{
    bool first = true;
    pg_buf_putc(out, '{');
    if (item->weight != NULL)
        put_tensor(self, item->weight->name, &first, out);
    for (size_t i = 0; item->node != NULL && i < item->node->n_outputs; i++)
        if (item->node->outputs[i].len > 0)
            put_tensor(self, item->node->outputs[i], &first, out);
    pg_buf_putc(out, '}');
}

/* "conv1.group = 1", a step to the right. */
static void put_attr(pg_str layer_name, pg_str attr, pg_str value, pg_buf *out)
{
    pg_buf line = {0};
    pg_buf_printf(&line, "%" PG_STR_FMT "%s%" PG_STR_FMT " = %" PG_STR_FMT, PG_STR_ARG(layer_name),
                  layer_name.len > 0 ? "." : "", PG_STR_ARG(attr), PG_STR_ARG(value));
    pg_text_indent(out, pg_buf_str(&line), 1);
    pg_buf_putc(out, '\n');
    pg_buf_deinit(&line);
}

static void put_weight(const network *self, pg_str layer_name, const char *attr, const pg_weight *weight,
                       pg_buf *out)
{
    pg_tensor tensor;
    pg_buf text = {0};
    pg_status status = pg_weight_load(self->model, weight, &tensor);
    if (status == NULL) {
        pg_tensor_text(&text, &tensor, NULL);
        pg_tensor_deinit(&tensor);
    } else {
        pg_buf_printf(&text, "<%s>", pg_status_message(status));
    }
    pg_status_drop(status);
    put_attr(layer_name, pg_str_c(attr), pg_buf_str(&text), out);
    pg_buf_deinit(&text);
}

/* What the layer does, then the node's own attributes, then weights inside of the layer. */
static void put_node_attrs(network *self, const pg_node *node, bool weights, pg_buf *out)
{
    const pg_layer_type *type = pg_layer_type_of(node);
    pg_buf text = {0};
    if (type != NULL && type->attr != NULL) {
        pg_buf_printf(&text, "%s.%s", type->kind, type->what);
        put_attr(node->name, pg_str_c(type->attr), pg_buf_str(&text), out);
    }
    for (size_t i = 0; i < node->n_attrs; i++) {
        pg_buf_clear(&text);
        pg_attr_text(&node->attrs[i], &text);
        put_attr(node->name, node->attrs[i].name, pg_buf_str(&text), out);
    }
    for (size_t i = 0; weights && i < node->n_inputs; i++) {
        const pg_weight *weight = inner_weight(self, node, i);
        if (weight != NULL)
            put_weight(self, node->name, attribute_input(node, i), weight, out);
    }
    pg_buf_deinit(&text);
}

static void put_attrs(network *self, const layer *item, bool weights, pg_buf *out)
{
    pg_buf text = {0};
    if (item->node != NULL) {
        put_node_attrs(self, item->node, weights, &text);
    } else {
        pg_type type = type_of_weight(self, item->weight);
        pg_buf shape = {0};
        pg_engine_shape_text(&type, &shape);
        put_attr(item->weight->name, PG_STR("shape"), pg_buf_str(&shape), &text);
        pg_buf_deinit(&shape);
        if (weights)
            put_weight(self, item->weight->name, "weights", item->weight, &text);
    }
    if (text.len > 0) {
        pg_buf_puts(out, "    ---- Attributes ----\n");
        pg_buf_add_str(out, pg_buf_str(&text));
    }
    pg_buf_deinit(&text);
}

static void put_layer(network *self, size_t index, const pg_network_show *show, pg_buf *out)
{
    const layer *item = &self->layers.items[index];
    pg_buf inputs = {0}, outputs = {0};
    pg_str name = item->node != NULL ? item->node->name : item->weight->name;
    pg_buf_printf(out, "Layer %-4zu | %" PG_STR_FMT " [Op: ", index, PG_STR_ARG(name));
    if (item->node != NULL)
        pg_layer_type_text(item->node, out);
    else
        pg_buf_puts(out, "LayerType.CONSTANT");
    pg_buf_puts(out, "]\n");
    put_inputs(self, item, &inputs);
    put_outputs(self, item, &outputs);
    bool both = inputs.len > 2 && outputs.len > 2;
    pg_text_indent(out, pg_buf_str(&inputs), 1);
    if (both) {
        pg_buf text = {0};
        pg_buf_printf(&text, "-> %s", pg_buf_cstr(&outputs));
        pg_buf_puts(out, "\n     ");
        /* Further outputs stand below the first one. */
        for (pg_str rest = pg_buf_str(&text), line; pg_str_split(&rest, '\n', &line);)
            pg_buf_printf(out, "%" PG_STR_FMT "%s", PG_STR_ARG(line), rest.len > 0 ? "\n        " : "");
        pg_buf_deinit(&text);
    } else {
        pg_buf_printf(out, " -> %s", pg_buf_cstr(&outputs));
    }
    pg_buf_putc(out, '\n');
    if (show->attrs)
        put_attrs(self, item, show->weights, out);
    pg_buf_deinit(&inputs);
    pg_buf_deinit(&outputs);
}

static void put_values(network *self, const char *what, const pg_value_info *infos, size_t count, pg_buf *out)
{
    bool first = true;
    size_t shown = 0;
    pg_buf list = {0};
    for (size_t i = 0; i < count; i++) {
        if (pg_map_has(&self->weights, infos[i].name) && strcmp(what, "Input") == 0)
            continue;
        put_tensor(self, infos[i].name, &first, &list);
        shown++;
    }
    pg_buf_printf(out, "---- %zu Network %s(s) ----\n{%s}\n\n", shown, what, pg_buf_cstr(&list));
    pg_buf_deinit(&list);
}

void pg_network_text(const pg_model *model, const pg_network_show *show, pg_buf *out)
{
    network self;
    const pg_graph *graph = model->graph;
    open_network(&self, model);
    pg_buf_printf(out, "Name: %" PG_STR_FMT " | Explicit Batch %sNetwork\n\n", PG_STR_ARG(graph->name),
                  show->strongly_typed ? "Strongly Typed " : "");
    put_values(&self, "Input", graph->inputs, graph->n_inputs, out);
    put_values(&self, "Output", graph->outputs, graph->n_outputs, out);
    pg_buf_printf(out, "---- %zu Layer(s) ----", self.layers.len);
    for (size_t i = 0; show->layers && i < self.layers.len; i++) {
        pg_buf_putc(out, '\n');
        put_layer(&self, i, show, out);
    }
    close_network(&self);
}

/* ---- As a model ---- */

static void add_value(network *self, pg_arena *arena, pg_wire_message *graph, uint32_t field, pg_str name)
{
    pg_type type = type_of(self, name);
    pg_build_value(arena, graph, field, pg_arena_cstr(arena, name),
                   type.kind != PG_TYPE_NONE ? pg_build_type(arena, &type) : NULL);
}

static bool is_output(const pg_graph *graph, pg_str name)
{
    for (size_t i = 0; i < graph->n_outputs; i++)
        if (pg_str_eq(graph->outputs[i].name, name))
            return true;
    return false;
}

static void add_output(network *self, pg_arena *arena, pg_wire_message *graph, pg_wire_message *node,
                       pg_str name)
{
    pg_wire_add_str(arena, node, PG_PB_NODE_OUTPUT, pg_arena_str(arena, name));
    if (name.len > 0 && !is_output(self->model->graph, name))
        add_value(self, arena, graph, PG_PB_GRAPH_VALUE_INFO, name);
}

/* Weights in files of their own stay there: the view tells their dims. */
static void add_weight(pg_arena *arena, pg_wire_message *node, const char *attr, const pg_weight *weight)
{
    if (weight->storage == PG_STORED_EXTERNAL)
        pg_build_attr_ints(arena, node, pg_arena_printf(arena, "%s_dims", attr), weight->rank, weight->dims);
    else
        pg_build_attr_tensor(arena, node, attr, (pg_wire_message *)weight->wire);
}

static void add_attrs(network *self, pg_arena *arena, pg_wire_message *node, const pg_node *from)
{
    const pg_layer_type *type = pg_layer_type_of(from);
    if (type != NULL && type->attr != NULL)
        pg_build_attr_str(arena, node, type->attr, pg_arena_printf(arena, "%s.%s", type->kind, type->what));
    for (size_t i = 0; i < from->n_attrs; i++)
        pg_wire_add_message(arena, node, PG_PB_NODE_ATTR, (pg_wire_message *)from->attrs[i].wire);
    for (size_t i = 0; i < from->n_inputs; i++) {
        const pg_weight *weight = inner_weight(self, from, i);
        if (weight != NULL)
            add_weight(arena, node, attribute_input(from, i), weight);
    }
}

static void add_layer(network *self, pg_arena *arena, pg_wire_message *graph, const layer *item)
{
    pg_wire_message *node = pg_wire_new(arena, &pg_pb_node);
    const pg_layer_type *type = item->node != NULL ? pg_layer_type_of(item->node) : NULL;
    pg_str name = item->node != NULL ? item->node->name : item->weight->name;
    pg_str op = item->weight != NULL ? PG_STR("CONSTANT")
                : type != NULL       ? pg_str_c(type->type)
                                     : item->node->op_type;
    for (size_t i = 0; item->node != NULL && i < item->node->n_inputs; i++)
        if (inner_weight(self, item->node, i) == NULL)
            pg_wire_add_str(arena, node, PG_PB_NODE_INPUT, pg_arena_str(arena, item->node->inputs[i]));
    if (item->weight != NULL)
        add_output(self, arena, graph, node, item->weight->name);
    for (size_t i = 0; item->node != NULL && i < item->node->n_outputs; i++)
        add_output(self, arena, graph, node, item->node->outputs[i]);
    pg_wire_add_str(arena, node, PG_PB_NODE_NAME, pg_arena_str(arena, name));
    pg_wire_add_str(arena, node, PG_PB_NODE_OP_TYPE, pg_arena_str(arena, op));
    if (item->node != NULL)
        add_attrs(self, arena, node, item->node);
    else
        add_weight(arena, node, "weights", item->weight);
    pg_wire_add_message(arena, graph, PG_PB_GRAPH_NODE, node);
}

pg_status pg_network_as_onnx(const pg_model *model, pg_model **out)
{
    network self;
    pg_arena arena = {0};
    const pg_graph *from = model->graph;
    open_network(&self, model);
    pg_wire_message *graph = pg_build_graph(&arena, pg_arena_cstr(&arena, from->name));
    for (size_t i = 0; i < from->n_inputs; i++)
        if (!pg_map_has(&self.weights, from->inputs[i].name))
            add_value(&self, &arena, graph, PG_PB_GRAPH_INPUT, from->inputs[i].name);
    for (size_t i = 0; i < self.layers.len; i++)
        add_layer(&self, &arena, graph, &self.layers.items[i]);
    for (size_t i = 0; i < from->n_outputs; i++)
        add_value(&self, &arena, graph, PG_PB_GRAPH_OUTPUT, from->outputs[i].name);
    close_network(&self);
    return pg_model_from_wire(&arena, pg_build_model(&arena, graph, pg_model_opset(model, PG_STR_EMPTY)),
                              model, "network", out);
}
