/* A network as an ONNX model, for viewers: one node per layer, named after the layer's type. Nothing can run it. */
#include "runner/tensorrt/internal.h"

#include "base/child.h"
#include "onnx/build.h"
#include "onnx/edit.h"
#include "onnx/save.h"

static pg_wire_message *type_of(pg_trt_network *self, pg_arena *arena, trt_object *tensor)
{
    trt_dims dims = TRT_CALL(self->trt, tensor_dims, tensor);
    pg_type type = pg_trt_tensor_type(arena, pg_trt_dtype(TRT_CALL(self->trt, tensor_dtype, tensor)), &dims);
    pg_dim *out = (pg_dim *)(uintptr_t)type.dims;
    for (uint32_t i = 0; i < type.rank; i++) {
        const char *name = TRT_CALL(self->trt, tensor_dim_name, tensor, (int32_t)i);
        if (!out[i].has_value && name != NULL)
            out[i].name = pg_arena_str(arena, pg_str_c(name));
    }
    return pg_build_type(arena, &type);
}

static void add_value(pg_trt_network *self, pg_arena *arena, pg_wire_message *graph, uint32_t field,
                      trt_object *tensor)
{
    pg_build_value(arena, graph, field, TRT_CALL(self->trt, tensor_name, tensor),
                   type_of(self, arena, tensor));
}

static void add_name(pg_arena *arena, pg_wire_message *node, uint32_t field, const char *name)
{
    pg_wire_add_str(arena, node, field, pg_arena_str(arena, pg_str_c(name)));
}

static void add_layer(pg_trt_network *self, pg_arena *arena, pg_wire_message *graph, trt_object *layer)
{
    pg_trt *trt = self->trt;
    pg_wire_message *node = pg_wire_new(arena, &pg_pb_node);
    const char *type = trt_enum_name(trt->family, TRT_LAYER_TYPE, TRT_CALL(trt, layer_type, layer));
    for (int32_t i = 0; i < TRT_CALL(trt, layer_n_inputs, layer); i++) {
        trt_object *tensor = TRT_CALL(trt, layer_input, layer, i);
        add_name(arena, node, PG_PB_NODE_INPUT, tensor != NULL ? TRT_CALL(trt, tensor_name, tensor) : "");
    }
    for (int32_t i = 0; i < TRT_CALL(trt, layer_n_outputs, layer); i++) {
        trt_object *tensor = TRT_CALL(trt, layer_output, layer, i);
        if (tensor == NULL)
            continue;
        add_name(arena, node, PG_PB_NODE_OUTPUT, TRT_CALL(trt, tensor_name, tensor));
        if (!TRT_CALL(trt, tensor_is_output, tensor))
            add_value(self, arena, graph, PG_PB_GRAPH_VALUE_INFO, tensor);
    }
    add_name(arena, node, PG_PB_NODE_NAME, TRT_CALL(trt, layer_name, layer));
    add_name(arena, node, PG_PB_NODE_OP_TYPE, type != NULL ? type : "UNKNOWN");
    pg_wire_add_message(arena, graph, PG_PB_GRAPH_NODE, node);
}

static pg_status serialize(pg_trt_network *self, pg_buf *out)
{
    pg_trt *trt = self->trt;
    pg_arena arena = {0};
    pg_model *model = NULL;
    pg_buf scratch = {0};
    pg_str bytes;
    pg_wire_message *graph = pg_build_graph(&arena, TRT_CALL(trt, network_get_name, self->network));
    for (int32_t i = 0; i < TRT_CALL(trt, network_n_inputs, self->network); i++)
        add_value(self, &arena, graph, PG_PB_GRAPH_INPUT, TRT_CALL(trt, network_input, self->network, i));
    for (int32_t i = 0; i < TRT_CALL(trt, network_n_layers, self->network); i++)
        add_layer(self, &arena, graph, TRT_CALL(trt, network_layer, self->network, i));
    for (int32_t i = 0; i < TRT_CALL(trt, network_n_outputs, self->network); i++)
        add_value(self, &arena, graph, PG_PB_GRAPH_OUTPUT, TRT_CALL(trt, network_output, self->network, i));
    PG_TRY(pg_model_from_wire(&arena, pg_build_model(&arena, graph, 13), NULL, "network", &model));
    pg_status status = pg_model_serialize(model, &scratch, &bytes);
    if (status == NULL)
        pg_buf_add_str(out, bytes);
    pg_buf_deinit(&scratch);
    pg_model_unref(model);
    return status;
}

typedef struct view {
    pg_model *model;
    const pg_trt_options *options;
} view;

static pg_status serialize_here(void *context, pg_buf *out)
{
    view *work = context;
    pg_trt_network network;
    pg_status status = pg_trt_network_init(&network, work->model, work->options);
    if (status == NULL)
        status = serialize(&network, out);
    pg_trt_network_deinit(&network);
    return status;
}

pg_status pg_trt_network_as_onnx(pg_model *model, const pg_trt_options *options, pg_buf *storage,
                                 pg_model **out)
{
    view work = {model, options};
    PG_TRY(pg_child_call("the ONNX parser", serialize_here, &work, storage));
    return pg_model_parse(storage->ptr, storage->len, "network", out);
}
