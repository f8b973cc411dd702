/* The calls that kernels make (kernel.h). */
#include "native/internal.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/buf.h"

/* ---- Errors ---- */

pg_status pg_op_err(const pg_op *op, pg_code code, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const pg_node *node = op->node;
    pg_str name = node->name.len > 0 || node->n_outputs == 0 ? node->name : node->outputs[0];
    return pg_err(code, "%" PG_STR_FMT " '%" PG_STR_FMT "': %s", PG_STR_ARG(node->op_type), PG_STR_ARG(name),
                  text);
}

pg_status pg_op_bad_type(const pg_op *op, size_t i)
{
    const pg_value *value = pg_op_in_value(op, i);
    const char *type = "nothing";
    if (value != NULL && value->kind == PG_VALUE_TENSOR)
        type = pg_dtype_name(value->tensor.dtype);
    else if (value != NULL && value->kind == PG_VALUE_SEQUENCE)
        type = "sequence";
    else if (value != NULL && value->kind == PG_VALUE_MAP)
        type = "map";
    return pg_op_err(op, PG_ERR_UNSUPPORTED, "input %zu has type %s, which this operator does not take", i,
                     type);
}

pg_status pg_op_need(const pg_op *op, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (pg_op_in(op, i) != NULL)
            continue;
        if (i < op->n_in && op->in[i] != NULL && op->in[i]->kind != PG_VALUE_NONE)
            return pg_op_bad_type(op, i);
        return pg_op_err(op, PG_ERR_INVALID, "input %zu is missing", i);
    }
    return NULL;
}

/* ---- Outputs ---- */

static pg_value *output_slot(pg_op *op, size_t i)
{
    if (i < op->n_out)
        return &op->out[i];
    if (i - op->n_out >= PG_OP_MAX_INLINE)
        PG_BUG("kernel '%" PG_STR_FMT "' asks for output %zu", PG_STR_ARG(op->node->op_type), i);
    return &op->frame->extra[i - op->n_out];
}

static pg_tensor *set_output(pg_op *op, size_t i, pg_tensor tensor)
{
    pg_value *slot = output_slot(op, i);
    pg_value_deinit(slot);
    *slot = pg_value_of_tensor(tensor);
    return &slot->tensor;
}

pg_status pg_op_out(pg_op *op, size_t i, pg_dtype dtype, size_t rank, const int64_t *dims, pg_tensor **out)
{
    pg_tensor tensor;
    pg_status status = pg_session_tensor(op->session, &tensor, dtype, rank, dims);
    if (status != NULL) {
        pg_status named =
            pg_op_err(op, pg_status_code(status), "output %zu: %s", i, pg_status_message(status));
        pg_status_drop(status);
        return named;
    }
    *out = set_output(op, i, tensor);
    return NULL;
}

/* True when the bytes of input j may be overwritten: this node is their last reader and nothing else holds
 * them. */
static bool may_take(const pg_op *op, size_t j)
{
    const pg_tensor *input = pg_op_in(op, j);
    return input != NULL && !op->session->options.no_optimization &&
           (op->in_flags[j] & PG_IN_LAST_USE) != 0 && input->buffer != NULL &&
           atomic_load_explicit(&input->buffer->refs, memory_order_acquire) == 1;
}

pg_status pg_op_out_like(pg_op *op, size_t i, size_t j, pg_tensor **out)
{
    const pg_tensor *input = pg_op_in(op, j);
    if (may_take(op, j) && input->dtype != PG_STRING) {
        *out = set_output(op, i, pg_tensor_share(input));
        return NULL;
    }
    uint16_t layout = input->layout;
    PG_TRY(pg_op_out(op, i, input->dtype, input->rank, input->dims, out));
    (*out)->layout = layout;
    return NULL;
}

pg_status pg_op_out_reuse(pg_op *op, size_t i, size_t j, pg_dtype dtype, size_t rank, const int64_t *dims,
                          pg_tensor **out)
{
    const pg_tensor *input = pg_op_in(op, j);
    uint64_t count, bytes;
    if (dtype == PG_STRING || rank > PG_MAX_RANK || !may_take(op, j) || !pg_dims_count(rank, dims, &count) ||
        !pg_dtype_bytes(dtype, count, &bytes) || bytes != pg_tensor_bytes(input))
        return pg_op_out(op, i, dtype, rank, dims, out);
    pg_tensor tensor = pg_tensor_share(input);
    tensor.dtype = dtype;
    tensor.rank = (uint16_t)rank;
    if (rank > 0)
        memcpy(tensor.dims, dims, rank * sizeof *dims);
    *out = set_output(op, i, tensor);
    return NULL;
}

pg_status pg_op_out_view(pg_op *op, size_t i, size_t j, size_t rank, const int64_t *dims)
{
    pg_tensor view = pg_tensor_share(pg_op_in(op, j));
    pg_status status = pg_tensor_reshape(&view, rank, dims);
    if (status != NULL) {
        pg_status named = pg_op_err(op, pg_status_code(status), "%s", pg_status_message(status));
        pg_status_drop(status);
        pg_tensor_deinit(&view);
        return named;
    }
    set_output(op, i, view);
    return NULL;
}

void pg_op_out_value(pg_op *op, size_t i, pg_value value)
{
    pg_value *slot = output_slot(op, i);
    pg_value_deinit(slot);
    *slot = value;
}

pg_status pg_op_scratch(pg_op *op, uint64_t bytes, void **out)
{
    pg_frame *frame = op->frame;
    if (frame->n_scratch == PG_COUNT(frame->scratch))
        return pg_op_err(op, PG_ERR_LIMIT, "more than %zu scratch buffers are needed",
                         PG_COUNT(frame->scratch));
    pg_buffer *buffer = pg_pool_alloc(op->session->pool, bytes);
    if (buffer == NULL)
        return pg_op_err(op, PG_ERR_NO_MEMORY, "no memory for %llu bytes of scratch",
                         (unsigned long long)bytes);
    frame->scratch[frame->n_scratch++] = buffer;
    *out = buffer->data;
    return NULL;
}

void pg_op_consume(pg_op *op, size_t i)
{
    if (pg_op_in_const(op, i))
        ((uint8_t *)op->in_flags)[i] |= PG_IN_CONSUMED;
}

bool pg_op_in_file(const pg_op *op, size_t i)
{
    const pg_tensor *tensor = pg_op_in(op, i);
    return tensor != NULL && pg_op_in_const(op, i) && tensor->buffer == NULL && tensor->data != NULL;
}

void pg_op_forget(const pg_op *op, size_t i)
{
    if (pg_op_in_file(op, i))
        pg_model_forget(op->session->model, op->in[i]->tensor.data, pg_tensor_bytes(&op->in[i]->tensor));
}

pg_status pg_op_align(const pg_op *op, size_t i)
{
    return pg_op_in_file(op, i) ? pg_weight_align(op->session->model, &op->in[i]->tensor) : NULL;
}

/* ---- The common room ---- */

void pg_op_room_size(const pg_op *op, uint64_t bytes)
{
    op->session->room_wanted = PG_MAX(op->session->room_wanted, bytes);
}

void pg_op_room_free(const pg_op *op)
{
    free(op->session->room);
    op->session->room = NULL;
    op->session->room_bytes = 0;
}

void *pg_op_room(const pg_op *op, uint64_t bytes)
{
    pg_session *session = op->session;
    if (bytes <= session->room_bytes)
        return session->room;
    pg_op_room_free(op);
    pg_op_room_size(op, bytes);
    if (session->room_wanted > PTRDIFF_MAX - 64)
        return NULL;
    session->room = aligned_alloc(64, (session->room_wanted + 64) / 64 * 64);
    session->room_bytes = session->room != NULL ? session->room_wanted : 0;
    return session->room;
}

/* ---- Attributes ---- */

static pg_status find_attr(const pg_op *op, const char *name, pg_attr_type type, const pg_attr **out)
{
    static const char *const type_names[] = {
        "undefined", "float",   "int",    "string",        "tensor",         "graph", "floats", "ints",
        "strings",   "tensors", "graphs", "sparse tensor", "sparse tensors", "type",  "types"};
    *out = pg_node_attr(op->node, name);
    if (*out == NULL || (*out)->type == type)
        return NULL;
    size_t found = (size_t)(*out)->type;
    return pg_op_err(op, PG_ERR_INVALID, "attribute '%s' has type %s, expected %s", name,
                     found < PG_COUNT(type_names) ? type_names[found] : "unknown", type_names[type]);
}

pg_status pg_op_attr_i(const pg_op *op, const char *name, int64_t missing, int64_t *out)
{
    const pg_attr *attr;
    PG_TRY(find_attr(op, name, PG_ATTR_INT, &attr));
    *out = attr != NULL ? attr->i : missing;
    return NULL;
}

pg_status pg_op_attr_f(const pg_op *op, const char *name, float missing, float *out)
{
    const pg_attr *attr;
    PG_TRY(find_attr(op, name, PG_ATTR_FLOAT, &attr));
    *out = attr != NULL ? attr->f : missing;
    return NULL;
}

pg_status pg_op_attr_s(const pg_op *op, const char *name, const char *missing, pg_str *out)
{
    const pg_attr *attr;
    PG_TRY(find_attr(op, name, PG_ATTR_STRING, &attr));
    *out = attr != NULL ? attr->s : pg_str_c(missing);
    return NULL;
}

pg_status pg_op_attr_is(const pg_op *op, const char *name, const int64_t **out, size_t *count)
{
    const pg_attr *attr;
    PG_TRY(find_attr(op, name, PG_ATTR_INTS, &attr));
    *out = attr != NULL ? attr->ints : NULL;
    *count = attr != NULL ? attr->count : 0;
    return NULL;
}

pg_status pg_op_attr_fs(const pg_op *op, const char *name, const float **out, size_t *count)
{
    const pg_attr *attr;
    PG_TRY(find_attr(op, name, PG_ATTR_FLOATS, &attr));
    *out = attr != NULL ? attr->floats : NULL;
    *count = attr != NULL ? attr->count : 0;
    return NULL;
}

pg_status pg_op_axis(const pg_op *op, int64_t axis, size_t rank, size_t *out)
{
    int64_t n = (int64_t)rank;
    if (axis < -n || axis >= n)
        return pg_op_err(op, PG_ERR_INVALID, "axis %lld is outside [%lld, %lld) of a tensor of rank %zu",
                         (long long)axis, (long long)-n, (long long)n, rank);
    *out = (size_t)(axis < 0 ? axis + n : axis);
    return NULL;
}

pg_status pg_op_ints(const pg_op *op, size_t i, int64_t *out, size_t most, size_t *count)
{
    const pg_tensor *tensor = pg_op_in(op, i);
    if (tensor == NULL)
        return pg_op_err(op, PG_ERR_INVALID, "input %zu is missing", i);
    if (tensor->dtype != PG_I64 && tensor->dtype != PG_I32)
        return pg_op_bad_type(op, i);
    uint64_t n = pg_tensor_count(tensor);
    if (tensor->rank > 1 || n > most)
        return pg_op_err(op, PG_ERR_INVALID, "input %zu must be a list of at most %zu integers", i, most);
    for (uint64_t k = 0; k < n; k++)
        out[k] =
            tensor->dtype == PG_I64 ? ((const int64_t *)tensor->data)[k] : ((const int32_t *)tensor->data)[k];
    *count = (size_t)n;
    return NULL;
}

pg_status pg_op_broadcast(const pg_op *op, const pg_tensor *a, const pg_tensor *b, size_t *out_rank,
                          int64_t *out_dims)
{
    size_t rank = PG_MAX(a->rank, b->rank);
    for (size_t i = 0; i < rank; i++) {
        int64_t x = i + a->rank >= rank ? a->dims[i + a->rank - rank] : 1;
        int64_t y = i + b->rank >= rank ? b->dims[i + b->rank - rank] : 1;
        if (x != y && x != 1 && y != 1) {
            pg_buf left = {0}, right = {0};
            pg_shape_text(&left, a->rank, a->dims);
            pg_shape_text(&right, b->rank, b->dims);
            pg_status status = pg_op_err(op, PG_ERR_INVALID, "shapes %s and %s do not broadcast",
                                         pg_buf_cstr(&left), pg_buf_cstr(&right));
            pg_buf_deinit(&left);
            pg_buf_deinit(&right);
            return status;
        }
        out_dims[i] = x == 1 ? y : x;
    }
    *out_rank = rank;
    return NULL;
}

/* ---- Subgraphs ---- */

size_t pg_plan_inputs(const pg_plan *plan)
{
    return plan->n_inputs;
}

size_t pg_plan_outputs(const pg_plan *plan)
{
    return plan->n_outputs;
}

pg_status pg_op_run_subgraph(pg_op *op, size_t subgraph, pg_value *inputs, size_t n_inputs, pg_value *outputs,
                             size_t n_outputs)
{
    const pg_plan *plan = op->subgraphs[subgraph];
    pg_status status = NULL;
    if (n_inputs != plan->n_inputs || n_outputs > plan->n_outputs)
        status = pg_op_err(op, PG_ERR_INVALID,
                           "graph '%" PG_STR_FMT "' has %zu inputs and %zu outputs, expected %zu and %zu",
                           PG_STR_ARG(plan->name), plan->n_inputs, plan->n_outputs, n_inputs, n_outputs);
    for (size_t i = 0; i < n_inputs; i++) {
        if (status == NULL)
            plan->frame.values[plan->inputs[i]] = inputs[i];
        else
            pg_value_deinit(&inputs[i]);
        inputs[i] = (pg_value){0};
    }
    if (status == NULL)
        status = pg_plan_run(plan);
    if (status != NULL)
        return status;
    for (size_t i = 0; i < n_outputs; i++)
        outputs[i] = pg_value_share(plan->outputs[i]);
    pg_plan_clear(plan);
    return NULL;
}
