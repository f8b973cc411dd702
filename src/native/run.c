/* Executing a plan. */
#include "native/internal.h"

#include <limits.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/interrupt.h"
#include "tensor/dtype_convert.h"

void pg_frame_end_node(pg_frame *frame)
{
    for (size_t i = 0; i < frame->n_scratch; i++)
        pg_buffer_unref(frame->scratch[i]);
    frame->n_scratch = 0;
    for (size_t i = 0; i < PG_OP_MAX_INLINE; i++) /* a kernel may have asked for any of them */
        if (frame->extra[i].kind != PG_VALUE_NONE)
            pg_value_deinit(&frame->extra[i]);
}

static bool is_f64(pg_dtype dtype)
{
    return dtype == PG_F64;
}

/* Outputs of type `from` become `to`, but for those marked in `kept`. */
static pg_status convert_outputs(pg_op *op, pg_dtype from, pg_dtype to, unsigned kept)
{
    for (size_t i = 0; i < op->n_out; i++) {
        if ((i < 32 && (kept >> i & 1) != 0) || op->out[i].kind != PG_VALUE_TENSOR ||
            op->out[i].tensor.dtype != from)
            continue;
        pg_tensor converted;
        PG_TRY(pg_session_cast(op->session, &op->out[i].tensor, to, &converted));
        pg_op_out_value(op, i, pg_value_of_tensor(converted));
    }
    return NULL;
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

/* Whether input i is to be float32 for the kernel: chosen, and not one that it reads in a half type. */
static bool is_widened(const pg_plan_node *node, size_t i, bool (*chosen)(pg_dtype))
{
    const pg_tensor *tensor = pg_op_in(&node->op, i);
    const unsigned flags = node->kernel->flags;
    if (tensor == NULL || !chosen(tensor->dtype))
        return false;
    const bool as_it_is =
        (i == 0 && (flags & PG_KERNEL_HALF_0) != 0) || (i == 3 && (flags & PG_KERNEL_HALF_3) != 0);
    return !as_it_is || (tensor->dtype != PG_F16 && tensor->dtype != PG_BF16);
}

/* Runs the kernel on float32 copies of the inputs that `chosen` picks, and converts its float32 outputs to
 * `result`. */
static pg_status run_in_f32(pg_plan_node *node, bool (*chosen)(pg_dtype), pg_dtype result)
{
    pg_op *op = &node->op;
    const unsigned kept = result == PG_F64 ? 0 : UINT_MAX;
    bool any = false;
    for (size_t i = 0; i < op->n_in; i++)
        any = any || is_widened(node, i, chosen);
    if (!any) {
        PG_TRY(node->kernel->run(op));
        return convert_outputs(op, PG_F32, result, kept & op->f32_outputs);
    }
    pg_value **inputs = op->in;
    const uint8_t *flags = op->in_flags;
    pg_value *copies = pg_calloc(op->n_in, sizeof *copies);
    uint8_t *copy_flags = pg_calloc(op->n_in, 1);
    pg_value **pointers = pg_calloc(op->n_in, sizeof *pointers);
    pg_status status = NULL;
    for (size_t i = 0; i < op->n_in; i++) {
        pointers[i] = inputs[i];
        copy_flags[i] = flags[i];
        if (!is_widened(node, i, chosen))
            continue;
        pg_tensor copy;
        PG_TRY_GOTO(status, pg_session_cast(op->session, pg_op_in(op, i), PG_F32, &copy));
        copies[i] = pg_value_of_tensor(copy);
        pointers[i] = &copies[i];
        copy_flags[i] = PG_IN_LAST_USE;
    }
    op->in = pointers;
    op->in_flags = copy_flags;
    status = node->kernel->run(op);
    if (status == NULL)
        status = convert_outputs(op, PG_F32, result, kept & op->f32_outputs);
done:
    op->in = inputs;
    op->in_flags = flags;
    for (size_t i = 0; i < op->n_in; i++)
        pg_value_deinit(&copies[i]);
    free(copies);
    free(copy_flags);
    free(pointers);
    return status;
}

/* Reference mode: values are float64. A kernel that has no float64 form runs in float32, and is remembered.
 */
static pg_status run_in_f64(pg_plan_node *node)
{
    pg_op *op = &node->op;
    pg_status status = NULL;
    if (!node->no_f64) {
        status = node->kernel->run(op);
        node->no_f64 = pg_status_code(status) == PG_ERR_UNSUPPORTED;
        if (node->no_f64)
            pg_status_drop(status);
    }
    if (node->no_f64)
        status = run_in_f32(node, is_f64, PG_F64);
    for (pg_dtype dtype = PG_F32; dtype <= PG_BF16 && status == NULL; dtype++)
        if (dtype == PG_F32 || pg_is_half(dtype))
            status = convert_outputs(op, dtype, PG_F64, 0);
    return status;
}

pg_status pg_plan_run_node(pg_plan_node *node)
{
    pg_op *op = &node->op;
    unsigned flags = node->kernel->flags;
    if ((flags & PG_KERNEL_ANY_LAYOUT) == 0)
        PG_TRY(make_row_major(op));
    if (op->session->options.float64 && op->n_subgraphs == 0)
        return run_in_f64(node);
    if ((flags & PG_KERNEL_HALF_VIA_F32) != 0) {
        pg_dtype half = node->half;
        for (size_t i = 0; i < op->n_in && half == PG_UNDEFINED; i++) {
            const pg_tensor *tensor = pg_op_in(op, i);
            if (tensor != NULL && pg_is_half(tensor->dtype))
                half = tensor->dtype;
        }
        if (half != PG_UNDEFINED)
            return run_in_f32(node, pg_is_half, half);
    }
    return node->kernel->run(op);
}

static pg_status run_observed(pg_plan_node *node)
{
    uint64_t start = pg_clock_ns();
    PG_TRY(pg_plan_run_node(node));
    double seconds = pg_clock_seconds_since(start);
    pg_op *op = &node->op;
    const pg_observer *observers[] = {op->session->observer, op->session->tap};
    for (size_t i = 0; i < PG_COUNT(observers); i++)
        if (observers[i] != NULL)
            PG_TRY(observers[i]->node(observers[i]->context, op->node, (const pg_value *const *)op->in,
                                      op->out, seconds));
    return NULL;
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

pg_status pg_session_go_on(const pg_session *session)
{
    if (pg_interrupted())
        return pg_err(PG_ERR_INTERRUPTED, "interrupted");
    if (session->end_ns != 0 && pg_clock_ns() >= session->end_ns)
        return pg_err(PG_ERR_LIMIT,
                      "the inference took longer than its limit of %g seconds (--native-time-limit)",
                      session->options.max_seconds);
    return NULL;
}

pg_status pg_plan_run(const pg_plan *plan)
{
    pg_frame *frame = (pg_frame *)&plan->frame;
    for (size_t i = 0; i < plan->n_nodes; i++) {
        pg_plan_node *node = &plan->nodes[i];
        const pg_session *session = node->op.session;
        bool observed = session->observer != NULL || session->tap != NULL;
        pg_status status = pg_session_go_on(node->op.session);
        if (status == NULL)
            status = observed ? run_observed(node) : pg_plan_run_node(node);
        pg_frame_end_node(frame);
        if (status != NULL) {
            frame->failed = i;
            pg_plan_clear(plan);
            return name_node(status, &node->op);
        }
        if (node->op.place != 0 && node->op.session->options.forms != NULL)
            pg_forms_node_ran(node->op.session->options.forms, node->op.place - 1);
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
