/* Constants of half types become float32 for the kernels that compute in it (PG_KERNEL_HALF_VIA_F32): once for all
 * readers, and before the passes that look at constants, so that those find in a half model what they find in a
 * float32 one. Tensors between the nodes keep their type. */
#include "native/optimize/optimize.h"
#include "tensor/dtype_convert.h"

static pg_status wide_copy(pg_net *net, pg_str name, const pg_tensor *tensor, pg_str *out)
{
    *out = pg_str_c(pg_arena_printf(&net->session->arena, "%" PG_STR_FMT "#float32", PG_STR_ARG(name)));
    if (pg_net_find(net, *out) != NULL)
        return NULL;
    pg_tensor copy;
    PG_TRY(pg_tensor_cast(tensor, PG_F32, NULL, &copy));
    pg_net_add_constant(net, *out, pg_value_of_tensor(copy))->widened = tensor->dtype;
    return NULL;
}

static pg_status widen_inputs(pg_net *net, pg_net_node *node)
{
    pg_str *inputs = NULL;
    for (size_t i = 0; i < node->node.n_inputs; i++) {
        const pg_str name = node->node.inputs[i];
        const pg_value *value = pg_net_weights(net, name);
        if (value == NULL || value->kind != PG_VALUE_TENSOR || !pg_is_half(value->tensor.dtype))
            continue;
        value = pg_net_constant(net, name);
        if (value == NULL)
            return pg_err(PG_ERR_NO_MEMORY, "no memory for the constant '%" PG_STR_FMT "'", PG_STR_ARG(name));
        if (inputs == NULL) {
            inputs = PG_ARENA_ARRAY(&net->session->arena, pg_str, node->node.n_inputs);
            memcpy(inputs, node->node.inputs, node->node.n_inputs * sizeof *inputs);
        }
        node->half = value->tensor.dtype;
        PG_TRY(wide_copy(net, name, &value->tensor, &inputs[i]));
    }
    if (inputs != NULL)
        pg_net_reread(net, node, inputs);
    return NULL;
}

pg_status pg_net_widen_halves(pg_net *net)
{
    for (size_t i = 0; i < net->nodes.len; i++) {
        pg_net_node *node = net->nodes.items[i];
        if (!node->removed && node->function == NULL && (node->kernel->flags & PG_KERNEL_HALF_VIA_F32) != 0)
            PG_TRY(widen_inputs(net, node));
    }
    return NULL;
}
