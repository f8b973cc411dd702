/* Executing a plan. */
#include "native/internal.h"

#include "base/alloc.h"
#include "base/interrupt.h"
#include "tensor/dtype_convert.h"

void pg_frame_end_node(pg_frame *frame)
{
    for (size_t i = 0; i < frame->n_scratch; i++)
        pg_buffer_unref(frame->scratch[i]);
    frame->n_scratch = 0;
    for (size_t i = 0; i < PG_OP_MAX_INLINE && frame->extra[i].kind != PG_VALUE_NONE; i++)
        pg_value_deinit(&frame->extra[i]);
}

static bool is_half(pg_dtype dtype)
{
    return dtype == PG_F16 || dtype == PG_BF16 || (dtype >= PG_F8E4M3FN && dtype <= PG_F8E5M2FNUZ);
}

static pg_status make_row_major(pg_op *op)
{
    for (size_t i = 0; i < op->n_in; i++) {
        pg_value *value = op->in[i];
        if (value != NULL && value->kind == PG_VALUE_TENSOR && value->tensor.layout != PG_ROW_MAJOR)
            PG_TRY(pg_layout_convert(op->session, &value->tensor, PG_ROW_MAJOR));
    }
    return NULL;
}

/* Runs the kernel on float32 copies of its half inputs and rounds its float32 outputs to their type. */
static pg_status run_widened(pg_plan_node *node, pg_dtype half)
{
    pg_op *op = &node->op;
    pg_value **inputs = op->in;
    const uint8_t *flags = op->in_flags;
    pg_value *wide = pg_calloc(op->n_in, sizeof *wide);
    uint8_t *wide_flags = pg_calloc(op->n_in, 1);
    pg_value **pointers = pg_calloc(op->n_in, sizeof *pointers);
    pg_status status = NULL;
    for (size_t i = 0; i < op->n_in; i++) {
        pointers[i] = inputs[i];
        wide_flags[i] = flags[i];
        const pg_tensor *tensor = pg_op_in(op, i);
        if (tensor == NULL || !is_half(tensor->dtype))
            continue;
        pg_tensor copy;
        PG_TRY_GOTO(status, pg_tensor_cast(tensor, PG_F32, NULL, &copy));
        copy.layout = tensor->layout;
        wide[i] = pg_value_of_tensor(copy);
        pointers[i] = &wide[i];
        wide_flags[i] = PG_IN_LAST_USE;
    }
    op->in = pointers;
    op->in_flags = wide_flags;
    status = node->kernel->run(op);
    for (size_t i = 0; i < op->n_out && status == NULL; i++) {
        if (op->out[i].kind != PG_VALUE_TENSOR || op->out[i].tensor.dtype != PG_F32)
            continue;
        pg_tensor rounded;
        PG_TRY_GOTO(status, pg_tensor_cast(&op->out[i].tensor, half, NULL, &rounded));
        rounded.layout = op->out[i].tensor.layout;
        pg_op_out_value(op, i, pg_value_of_tensor(rounded));
    }
done:
    op->in = inputs;
    op->in_flags = flags;
    for (size_t i = 0; i < op->n_in; i++)
        pg_value_deinit(&wide[i]);
    free(wide);
    free(wide_flags);
    free(pointers);
    return status;
}

pg_status pg_plan_run_node(pg_plan_node *node)
{
    pg_op *op = &node->op;
    unsigned flags = node->kernel->flags;
    if ((flags & PG_KERNEL_ANY_LAYOUT) == 0)
        PG_TRY(make_row_major(op));
    if ((flags & PG_KERNEL_HALF_VIA_F32) != 0) {
        pg_dtype half = node->half;
        for (size_t i = 0; i < op->n_in && half == PG_UNDEFINED; i++) {
            const pg_tensor *tensor = pg_op_in(op, i);
            if (tensor != NULL && is_half(tensor->dtype))
                half = tensor->dtype;
        }
        if (half != PG_UNDEFINED)
            return run_widened(node, half);
    }
    return node->kernel->run(op);
}

/* Kernels word their errors themselves ("Conv 'name': ..."); what comes from below them gets the node's name
 * here. */
static pg_status name_node(pg_status status, const pg_op *op)
{
    pg_str type = op->node->op_type, message = pg_str_c(pg_status_message(status));
    if (pg_str_starts(message, type) || op->n_subgraphs > 0)
        return status;
    pg_status named = pg_op_err(op, pg_status_code(status), "%s", pg_status_message(status));
    pg_status_drop(status);
    return named;
}

pg_status pg_plan_run(const pg_plan *plan)
{
    pg_frame *frame = (pg_frame *)&plan->frame;
    for (size_t i = 0; i < plan->n_nodes; i++) {
        pg_plan_node *node = &plan->nodes[i];
        pg_status status =
            pg_interrupted() ? pg_err(PG_ERR_INTERRUPTED, "interrupted") : pg_plan_run_node(node);
        pg_frame_end_node(frame);
        if (status != NULL) {
            pg_plan_clear(plan);
            return name_node(status, &node->op);
        }
        for (uint32_t k = 0; k < node->n_release; k++)
            pg_value_deinit(&frame->values[node->release[k]]);
    }
    return NULL;
}

void pg_plan_clear(const pg_plan *plan)
{
    if (plan->frame.values == NULL)
        return;
    for (size_t i = 0; i < plan->n_slots; i++)
        if (plan->frame.values[i].kind != PG_VALUE_NONE)
            pg_value_deinit(&plan->frame.values[i]);
}
