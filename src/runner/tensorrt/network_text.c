/* A network as people read it, in the peer's layout. */
#include "runner/tensorrt/internal.h"

#include "tensor/text.h"

static void add_tensor(pg_trt_network *self, trt_object *tensor, pg_buf *out)
{
    pg_trt *trt = self->trt;
    trt_dims dims = TRT_CALL(trt, tensor_dims, tensor);
    pg_dtype dtype = pg_trt_dtype(TRT_CALL(trt, tensor_dtype, tensor));
    pg_buf_printf(out, "%s [dtype=%s, shape=", TRT_CALL(trt, tensor_name, tensor), pg_dtype_name(dtype));
    pg_trt_dims_text(out, &dims);
    pg_buf_putc(out, ']');
}

/* One tensor per line, those after the first one blank further in. */
static void add_tensors(pg_trt_network *self, trt_object *owner, int32_t count, trt_fn_layer_input get,
                        pg_buf *out)
{
    bool first = true;
    pg_buf_putc(out, '{');
    for (int32_t i = 0; i < count; i++) {
        trt_object *tensor = get(owner->impl, i);
        if (tensor == NULL)
            continue; /* an optional input that is not there */
        pg_buf_puts(out, first ? "" : ",\n ");
        first = false;
        add_tensor(self, tensor, out);
    }
    pg_buf_putc(out, '}');
}

#define ADD_TENSORS(self, owner, count, name, out)                      \
    add_tensors((self), (owner), TRT_CALL((self)->trt, count, (owner)), \
                (trt_fn_layer_input)trt_entry((self)->trt->family, TRT_FN_##name, (owner)), (out))

/* "LayerType.CONVOLUTION"; activations and pooling say which. */
static void add_type(pg_trt *trt, trt_object *layer, pg_buf *out)
{
    trt_enum kind = TRT_LAYER_TYPE;
    int value = TRT_CALL(trt, layer_type, layer);
    const char *name = trt_enum_name(trt->family, kind, value);
    if (name != NULL && strcmp(name, "ACTIVATION") == 0) {
        kind = TRT_ACTIVATION_TYPE;
        value = TRT_CALL(trt, activation_type, layer);
    } else if (name != NULL && strcmp(name, "POOLING") == 0) {
        kind = TRT_POOLING_TYPE;
        value = TRT_CALL(trt, pooling_type, layer);
    }
    name = trt_enum_name(trt->family, kind, value);
    pg_buf_printf(out, "%s.%s", trt_enum_title(kind), name != NULL ? name : "UNKNOWN");
}

static void add_layer(pg_trt_network *self, int32_t index, const pg_trt_text_options *show, pg_buf *out)
{
    pg_trt *trt = self->trt;
    trt_object *layer = TRT_CALL(trt, network_layer, self->network, index);
    pg_buf inputs = {0}, outputs = {0};
    pg_buf_printf(out, "Layer %-4d | %s [Op: ", index, TRT_CALL(trt, layer_name, layer));
    add_type(trt, layer, out);
    pg_buf_puts(out, "]\n");
    ADD_TENSORS(self, layer, layer_n_inputs, layer_input, &inputs);
    ADD_TENSORS(self, layer, layer_n_outputs, layer_output, &outputs);
    bool both = inputs.len > 2 && outputs.len > 2;
    pg_text_indent(out, pg_buf_str(&inputs), 1);
    pg_buf_puts(out, both ? "\n     -> " : " -> ");
    pg_buf_add_str(out, pg_buf_str(&outputs));
    pg_buf_puts(out, "\n");
    if (show->attrs)
        pg_trt_layer_attrs(trt, layer, show->weights, out);
    pg_buf_deinit(&inputs);
    pg_buf_deinit(&outputs);
}

void pg_trt_network_describe(pg_trt_network *self, const pg_trt_text_options *show, pg_buf *out)
{
    pg_trt *trt = self->trt;
    const trt_object *network = self->network;
    int flag = trt_enum_value(trt->family, TRT_NETWORK_DEFINITION_CREATION_FLAG, PG_STR("STRONGLY_TYPED"));
    pg_buf_printf(out, "Name: %s | Explicit Batch %sNetwork\n\n", TRT_CALL(trt, network_get_name, network),
                  TRT_CALL(trt, network_get_flag, network, flag) ? "Strongly Typed " : "");
    int32_t n_inputs = TRT_CALL(trt, network_n_inputs, network);
    pg_buf_printf(out, "---- %d Network Input(s) ----\n", n_inputs);
    ADD_TENSORS(self, self->network, network_n_inputs, network_input, out);
    int32_t n_outputs = TRT_CALL(trt, network_n_outputs, network);
    pg_buf_printf(out, "\n\n---- %d Network Output(s) ----\n", n_outputs);
    ADD_TENSORS(self, self->network, network_n_outputs, network_output, out);
    int32_t n_layers = TRT_CALL(trt, network_n_layers, network);
    pg_buf_printf(out, "\n\n---- %d Layer(s) ----", n_layers);
    for (int32_t i = 0; show->layers && i < n_layers; i++) {
        pg_buf_putc(out, '\n');
        add_layer(self, i, show, out);
    }
}
