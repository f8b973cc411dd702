/* Constant folding: nodes that always give the same result are evaluated when the session is made. */
#include "native/internal.h"

#include "base/alloc.h"

static bool is_foldable(const pg_net *net, const pg_net_node *node)
{
    if (node->removed || node->function != NULL || (node->kernel->flags & PG_KERNEL_VOLATILE) != 0)
        return false;
    for (size_t i = 0; i < node->node.n_attrs; i++)
        if (node->node.attrs[i].type == PG_ATTR_GRAPH)
            return false;
    for (size_t i = 0; i < node->node.n_inputs; i++)
        if (node->node.inputs[i].len > 0 && pg_net_weights(net, node->node.inputs[i]) == NULL)
            return false;
    return true;
}

/* Runs the node on its constants; the outputs are moved to `outputs`. */
static pg_status evaluate(pg_net *net, pg_net_node *node, pg_value *outputs)
{
    size_t n_in = node->node.n_inputs, n_out = node->node.n_outputs;
    pg_frame frame = {0};
    pg_plan_node planned = {.kernel = node->kernel};
    uint8_t *flags = pg_calloc(PG_MAX(n_in, n_out), 1), *wanted = pg_calloc(n_out, 1);
    pg_value **inputs = pg_calloc(n_in, sizeof *inputs);
    planned.op = (pg_op){.node = &node->node,
                         .opset = node->opset,
                         .n_in = n_in,
                         .n_out = n_out,
                         .in = inputs,
                         .out = outputs,
                         .in_flags = flags,
                         .out_flags = wanted,
                         .frame = &frame,
                         .session = net->session};
    for (size_t i = 0; i < n_in; i++) {
        inputs[i] = (pg_value *)pg_net_constant(net, node->node.inputs[i]);
        flags[i] = inputs[i] != NULL ? PG_IN_CONST : 0;
    }
    for (size_t i = 0; i < n_out; i++)
        wanted[i] = node->node.outputs[i].len > 0 ? PG_OUT_WANTED : 0;
    pg_status status = node->kernel->prepare != NULL ? node->kernel->prepare(&planned.op) : NULL;
    if (status == NULL)
        status = pg_plan_run_node(&planned);
    pg_frame_end_node(&frame);
    for (size_t i = 0; i < n_out && status == NULL; i++)
        if (outputs[i].kind == PG_VALUE_TENSOR && outputs[i].tensor.layout != PG_ROW_MAJOR)
            status = pg_layout_convert(net->session, &outputs[i].tensor, PG_ROW_MAJOR);
    if (planned.op.state != NULL)
        (node->kernel->release != NULL ? node->kernel->release : free)(planned.op.state);
    free(flags);
    free(wanted);
    free(inputs);
    return status;
}

static pg_status fold(pg_net *net, bool keep_codes)
{
    for (size_t i = 0; i < net->nodes.len; i++) {
        pg_net_node *node = net->nodes.items[i];
        if (!is_foldable(net, node) || (keep_codes && pg_net_is_dequantize(node)))
            continue;
        size_t n_out = node->node.n_outputs;
        pg_value *outputs = pg_calloc(n_out, sizeof *outputs);
        pg_status status = evaluate(net, node, outputs);
        if (status != NULL) {
            /* The node may never be reached when the model runs; if it is, the error is given then. */
            pg_status_drop(status);
            for (size_t k = 0; k < n_out; k++)
                pg_value_deinit(&outputs[k]);
            free(outputs);
            continue;
        }
        pg_net_remove(net, node);
        for (size_t k = 0; k < n_out; k++) {
            if (node->node.outputs[k].len > 0)
                pg_net_add_constant(net, node->node.outputs[k], outputs[k]);
            else
                pg_value_deinit(&outputs[k]);
        }
        free(outputs);
    }
    return NULL;
}

pg_status pg_net_fold(pg_net *net)
{
    return fold(net, false);
}

pg_status pg_net_fold_but_codes(pg_net *net)
{
    return fold(net, true);
}
