/* Control flow: If, Loop, Scan. Bodies are plans of their own (kernel.h: pg_op_run_subgraph). */
#include "base/alloc.h"
#include "base/vec.h"
#include "native/internal.h"
#include "native/ops/slices.h"

/* Which of the node's graphs an attribute is; PG_ERR_INVALID when the node does not have it. */
static pg_status find_body(const pg_op *op, const char *name, size_t *out, const pg_graph **out_graph)
{
    size_t index = 0;
    for (size_t i = 0; i < op->node->n_attrs; i++) {
        const pg_attr *attr = &op->node->attrs[i];
        if (attr->type != PG_ATTR_GRAPH)
            continue;
        if (pg_str_is(attr->name, name)) {
            *out = index;
            *out_graph = attr->graph;
            return NULL;
        }
        index++;
    }
    return pg_op_err(op, PG_ERR_INVALID, "attribute '%s' with the graph to run is missing", name);
}

static pg_status read_flag(const pg_op *op, const pg_value *value, const char *what, bool *out)
{
    if (value == NULL || value->kind != PG_VALUE_TENSOR || value->tensor.dtype != PG_BOOL ||
        pg_tensor_count(&value->tensor) != 1)
        return pg_op_err(op, PG_ERR_INVALID, "%s must be one bool", what);
    *out = *(const uint8_t *)value->tensor.data != 0;
    return NULL;
}

static pg_status run_if(pg_op *op)
{
    bool condition;
    size_t body;
    const pg_graph *graph;
    PG_TRY(read_flag(op, pg_op_in_value(op, 0), "the condition", &condition));
    PG_TRY(find_body(op, condition ? "then_branch" : "else_branch", &body, &graph));
    pg_status status = pg_op_run_subgraph(op, body, NULL, 0, op->out, op->n_out);
    if (pg_status_code(status) == PG_ERR_INTERRUPTED)
        return status;
    return pg_status_context(status, "If '%" PG_STR_FMT "', %s", PG_STR_ARG(op->node->name),
                             condition ? "then_branch" : "else_branch");
}

/* What failed in a body says in which iteration. */
static pg_status name_iteration(const pg_op *op, pg_status status, int64_t iteration)
{
    if (status == NULL || pg_status_code(status) == PG_ERR_INTERRUPTED)
        return status;
    pg_str name = op->node->name, type = op->node->op_type;
    return pg_status_context(status, "%" PG_STR_FMT " '%" PG_STR_FMT "', iteration %lld", PG_STR_ARG(type),
                             PG_STR_ARG(name), (long long)iteration);
}

/* ---- Values collected over iterations ---- */

typedef struct collected {
    PG_VEC(pg_value) items;
} collected;

static void free_collected(collected *lists, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < lists[i].items.len; k++)
            pg_value_deinit(&lists[i].items.items[k]);
        PG_VEC_FREE(&lists[i].items);
    }
    free(lists);
}

static void free_values(pg_value *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pg_value_deinit(&values[i]);
    free(values);
}

/* No iteration ran: a tensor with 0 along `axis`, the other dims as far as the body states them. */
static pg_status empty_result(pg_op *op, size_t output, const pg_type *type, size_t axis)
{
    int64_t dims[PG_MAX_RANK] = {0};
    size_t rank = type->has_shape ? type->rank + 1 : 1;
    pg_tensor *out;
    if (type->kind != PG_TYPE_TENSOR || rank > PG_MAX_RANK || axis >= rank)
        return pg_op_err(op, PG_ERR_INVALID, "output %zu is empty and its type is not stated", output);
    for (size_t d = 0, from = 0; d < rank && type->has_shape; d++) {
        if (d == axis)
            continue;
        dims[d] = type->dims[from].has_value && type->dims[from].value > 0 ? type->dims[from].value : 0;
        from++;
    }
    return pg_op_out(op, output, type->elem, rank, dims, &out);
}

/* Output = what was collected, stacked along a new axis. */
static pg_status stack_result(pg_op *op, size_t output, collected *list, const pg_type *type, int64_t axis,
                              bool reverse)
{
    size_t count = list->items.len, at;
    size_t rank = count > 0 ? list->items.items[0].tensor.rank + 1u : type->has_shape ? type->rank + 1 : 1;
    PG_TRY(pg_op_axis(op, axis, rank, &at));
    if (count == 0)
        return empty_result(op, output, type, at);
    pg_tensor **items = pg_calloc(count, sizeof *items);
    pg_status status = NULL;
    pg_tensor joined;
    for (size_t i = 0; i < count && status == NULL; i++) {
        items[i] = &list->items.items[i].tensor;
        status = pg_layout_convert(op->session, items[i], PG_ROW_MAJOR);
    }
    if (status == NULL)
        status = pg_slice_join(op, items, count, at, true, reverse, &joined);
    status = pg_status_context(status, "in output %zu", output);
    if (status == NULL)
        pg_op_out_value(op, output, pg_value_of_tensor(joined));
    free(items);
    return status;
}

static pg_status collect(const pg_op *op, collected *list, pg_value *value)
{
    if (value->kind != PG_VALUE_TENSOR)
        return pg_op_err(op, PG_ERR_INVALID, "the body gives a scan output that is no tensor");
    PG_VEC_PUSH(&list->items, *value);
    *value = (pg_value){0};
    return NULL;
}

/* ---- Loop ---- */

static pg_status scalar(const pg_op *op, pg_dtype dtype, int64_t number, pg_value *out)
{
    pg_tensor tensor;
    PG_TRY(pg_session_tensor(op->session, &tensor, dtype, 0, NULL));
    if (dtype == PG_I64)
        *(int64_t *)tensor.data = number;
    else
        *(uint8_t *)tensor.data = number != 0;
    *out = pg_value_of_tensor(tensor);
    return NULL;
}

typedef struct loop {
    size_t body, n_state, n_scan;
    const pg_graph *graph;
    int64_t trips; /* -1: no limit */
    bool go_on;
    pg_value *state;   /* n_state */
    pg_value *inputs;  /* 2 + n_state */
    pg_value *outputs; /* 1 + n_state + n_scan */
    collected *scans;
} loop;

static pg_status read_loop(pg_op *op, loop *l)
{
    PG_TRY(find_body(op, "body", &l->body, &l->graph));
    l->trips = -1;
    l->go_on = true;
    const pg_tensor *trips = pg_op_in(op, 0);
    if (trips != NULL) {
        if (trips->dtype != PG_I64 || pg_tensor_count(trips) != 1)
            return pg_op_err(op, PG_ERR_INVALID, "the trip count must be one int64");
        l->trips = PG_MAX(*(const int64_t *)trips->data, 0);
    }
    if (pg_op_in(op, 1) != NULL)
        PG_TRY(read_flag(op, pg_op_in_value(op, 1), "the condition", &l->go_on));
    l->n_state = op->n_in > 2 ? op->n_in - 2 : 0;
    size_t n_outputs = pg_plan_outputs(op->subgraphs[l->body]);
    if (n_outputs < 1 + l->n_state || op->n_out > n_outputs - 1 ||
        pg_plan_inputs(op->subgraphs[l->body]) != 2 + l->n_state)
        return pg_op_err(op, PG_ERR_INVALID, "the body's inputs and outputs do not fit the node's");
    l->n_scan = n_outputs - 1 - l->n_state;
    l->state = pg_calloc(l->n_state, sizeof *l->state);
    l->inputs = pg_calloc(2 + l->n_state, sizeof *l->inputs);
    l->outputs = pg_calloc(n_outputs, sizeof *l->outputs);
    l->scans = pg_calloc(l->n_scan, sizeof *l->scans);
    for (size_t i = 0; i < l->n_state; i++)
        if (op->in[2 + i] != NULL)
            l->state[i] = pg_value_share(op->in[2 + i]);
    return NULL;
}

static pg_status iterate(pg_op *op, loop *l, int64_t iteration)
{
    PG_TRY(scalar(op, PG_I64, iteration, &l->inputs[0]));
    PG_TRY(scalar(op, PG_BOOL, l->go_on, &l->inputs[1]));
    for (size_t i = 0; i < l->n_state; i++) {
        l->inputs[2 + i] = l->state[i];
        l->state[i] = (pg_value){0};
    }
    PG_TRY(
        pg_op_run_subgraph(op, l->body, l->inputs, 2 + l->n_state, l->outputs, 1 + l->n_state + l->n_scan));
    PG_TRY(read_flag(op, &l->outputs[0], "the body's condition", &l->go_on));
    pg_value_deinit(&l->outputs[0]);
    for (size_t i = 0; i < l->n_state; i++) {
        l->state[i] = l->outputs[1 + i];
        l->outputs[1 + i] = (pg_value){0};
    }
    for (size_t i = 0; i < l->n_scan; i++)
        PG_TRY(collect(op, &l->scans[i], &l->outputs[1 + l->n_state + i]));
    return NULL;
}

static pg_status finish_loop(pg_op *op, loop *l)
{
    for (size_t o = 0; o < op->n_out; o++) {
        if (o < l->n_state) {
            pg_op_out_value(op, o, l->state[o]);
            l->state[o] = (pg_value){0};
        } else {
            PG_TRY(stack_result(op, o, &l->scans[o - l->n_state], &l->graph->outputs[1 + o].type, 0, false));
        }
    }
    return NULL;
}

static pg_status run_loop(pg_op *op)
{
    loop l = {0};
    uint64_t most = op->session->options.max_loop_iterations;
    most = most > 0 ? most : (uint64_t)1 << 31;
    pg_status status = read_loop(op, &l);
    for (int64_t i = 0; status == NULL && l.go_on && (l.trips < 0 || i < l.trips); i++) {
        if ((uint64_t)i >= most) {
            status = pg_op_err(op, PG_ERR_LIMIT, "did not end within %llu iterations (--native-loop-limit)",
                               (unsigned long long)most);
            break;
        }
        status = pg_session_go_on(op->session);
        if (status == NULL)
            status = iterate(op, &l, i);
        status = name_iteration(op, status, i);
    }
    if (status == NULL)
        status = finish_loop(op, &l);
    free_values(l.state, l.state != NULL ? l.n_state : 0);
    free_values(l.inputs, l.inputs != NULL ? 2 + l.n_state : 0);
    free_values(l.outputs, l.outputs != NULL ? 1 + l.n_state + l.n_scan : 0);
    free_collected(l.scans, l.scans != NULL ? l.n_scan : 0);
    return status;
}

/* ---- Scan ---- */

typedef struct scan {
    size_t body, n_state, n_scan_in, n_scan_out;
    const pg_graph *graph;
    const int64_t *in_axes, *in_directions, *out_axes, *out_directions; /* NULL: all 0 */
    pg_value *inputs, *outputs;
    collected *scans;
} scan;

static pg_status optional_ints(const pg_op *op, const char *name, size_t want, const int64_t **out)
{
    size_t count;
    PG_TRY(pg_op_attr_is(op, name, out, &count));
    if (*out != NULL && count != want)
        return pg_op_err(op, PG_ERR_INVALID, "attribute '%s' has %zu entries, expected %zu", name, count,
                         want);
    return NULL;
}

/* `first` is where states begin among the node's inputs. */
static pg_status read_scan(pg_op *op, scan *s, size_t first)
{
    int64_t n_scan_in;
    PG_TRY(find_body(op, "body", &s->body, &s->graph));
    PG_TRY(pg_op_attr_i(op, "num_scan_inputs", 0, &n_scan_in));
    if (n_scan_in < 1 || first + (uint64_t)n_scan_in > op->n_in)
        return pg_op_err(op, PG_ERR_INVALID, "num_scan_inputs is %lld for %zu inputs", (long long)n_scan_in,
                         op->n_in);
    s->n_scan_in = (size_t)n_scan_in;
    s->n_state = op->n_in - first - s->n_scan_in;
    if (op->n_out < s->n_state || pg_plan_outputs(op->subgraphs[s->body]) != op->n_out ||
        pg_plan_inputs(op->subgraphs[s->body]) != s->n_state + s->n_scan_in)
        return pg_op_err(op, PG_ERR_INVALID, "the body's inputs and outputs do not fit the node's");
    s->n_scan_out = op->n_out - s->n_state;
    s->inputs = pg_calloc(s->n_state + s->n_scan_in, sizeof *s->inputs);
    s->outputs = pg_calloc(op->n_out, sizeof *s->outputs);
    s->scans = pg_calloc(s->n_scan_out, sizeof *s->scans);
    for (size_t i = first; i < op->n_in; i++)
        if (pg_op_in(op, i) == NULL)
            return pg_op_err(op, PG_ERR_INVALID, "input %zu is missing", i);
    return NULL;
}

static void free_scan(const pg_op *op, scan *s)
{
    free_values(s->inputs, s->inputs != NULL ? s->n_state + s->n_scan_in : 0);
    free_values(s->outputs, s->outputs != NULL ? op->n_out : 0);
    free_collected(s->scans, s->scans != NULL ? s->n_scan_out : 0);
}

/* Runs the body once; scan slices are in `inputs`, states are moved in and come back in `state`. */
static pg_status step(pg_op *op, scan *s, pg_value *state)
{
    for (size_t i = 0; i < s->n_state; i++) {
        s->inputs[i] = state[i];
        state[i] = (pg_value){0};
    }
    PG_TRY(pg_op_run_subgraph(op, s->body, s->inputs, s->n_state + s->n_scan_in, s->outputs, op->n_out));
    for (size_t i = 0; i < s->n_state; i++) {
        state[i] = s->outputs[i];
        s->outputs[i] = (pg_value){0};
    }
    for (size_t i = 0; i < s->n_scan_out; i++)
        PG_TRY(collect(op, &s->scans[i], &s->outputs[s->n_state + i]));
    return NULL;
}

static pg_status scan_length(pg_op *op, const scan *s, size_t *axes, int64_t *out)
{
    for (size_t i = 0; i < s->n_scan_in; i++) {
        const pg_tensor *tensor = pg_op_in(op, s->n_state + i);
        PG_TRY(pg_op_axis(op, s->in_axes != NULL ? s->in_axes[i] : 0, tensor->rank, &axes[i]));
        if (i > 0 && tensor->dims[axes[i]] != *out)
            return pg_op_err(op, PG_ERR_INVALID, "scan inputs have %lld and %lld steps", (long long)*out,
                             (long long)tensor->dims[axes[i]]);
        *out = tensor->dims[axes[i]];
    }
    return NULL;
}

static pg_status scan_steps(pg_op *op, scan *s, pg_value *state)
{
    size_t *axes = pg_calloc(s->n_scan_in, sizeof *axes);
    int64_t length = 0;
    pg_status status = scan_length(op, s, axes, &length);
    for (int64_t t = 0; t < length && status == NULL; t++) {
        for (size_t i = 0; i < s->n_scan_in && status == NULL; i++) {
            bool backward = s->in_directions != NULL && s->in_directions[i] == 1;
            pg_tensor slice;
            status = pg_slice_take(op, pg_op_in(op, s->n_state + i), axes[i], backward ? length - 1 - t : t,
                                   1, true, &slice);
            if (status == NULL)
                s->inputs[s->n_state + i] = pg_value_of_tensor(slice);
        }
        if (status == NULL)
            status = pg_session_go_on(op->session);
        if (status == NULL)
            status = step(op, s, state);
        status = name_iteration(op, status, t);
    }
    free(axes);
    return status;
}

static pg_status run_scan(pg_op *op)
{
    scan s = {0};
    pg_value *state = NULL;
    pg_status status = read_scan(op, &s, 0);
    if (status != NULL)
        goto done;
    PG_TRY_GOTO(status, optional_ints(op, "scan_input_axes", s.n_scan_in, &s.in_axes));
    PG_TRY_GOTO(status, optional_ints(op, "scan_input_directions", s.n_scan_in, &s.in_directions));
    PG_TRY_GOTO(status, optional_ints(op, "scan_output_axes", s.n_scan_out, &s.out_axes));
    PG_TRY_GOTO(status, optional_ints(op, "scan_output_directions", s.n_scan_out, &s.out_directions));
    state = pg_calloc(s.n_state, sizeof *state);
    for (size_t i = 0; i < s.n_state; i++)
        state[i] = pg_value_share(op->in[i]);
    PG_TRY_GOTO(status, scan_steps(op, &s, state));
    for (size_t i = 0; i < s.n_state; i++) {
        pg_op_out_value(op, i, state[i]);
        state[i] = (pg_value){0};
    }
    for (size_t i = 0; i < s.n_scan_out; i++)
        PG_TRY_GOTO(status,
                    stack_result(op, s.n_state + i, &s.scans[i], &s.graph->outputs[s.n_state + i].type,
                                 s.out_axes != NULL ? s.out_axes[i] : 0,
                                 s.out_directions != NULL && s.out_directions[i] == 1));
done:
    free_values(state, state != NULL ? s.n_state : 0);
    free_scan(op, &s);
    return status;
}

/* ---- Scan of opset 8: a batch in front, optional lengths, states and results per batch element ---- */

static pg_status scan8_element(pg_op *op, scan *s, int64_t b, int64_t length, pg_value *state,
                               const int64_t *directions)
{
    for (size_t i = 0; i < s->n_state; i++) {
        pg_tensor slice;
        PG_TRY(pg_slice_take(op, pg_op_in(op, 1 + i), 0, b, 1, true, &slice));
        state[i] = pg_value_of_tensor(slice);
    }
    for (int64_t t = 0; t < length; t++) {
        for (size_t i = 0; i < s->n_scan_in; i++) {
            pg_tensor row, slice;
            bool backward = directions != NULL && directions[i] == 1;
            PG_TRY(pg_slice_take(op, pg_op_in(op, 1 + s->n_state + i), 0, b, 1, true, &row));
            pg_status status = pg_slice_take(op, &row, 0, backward ? length - 1 - t : t, 1, true, &slice);
            pg_tensor_deinit(&row);
            PG_TRY(status);
            s->inputs[s->n_state + i] = pg_value_of_tensor(slice);
        }
        PG_TRY(step(op, s, state));
    }
    return NULL;
}

/* The steps of one batch element, stacked and filled up with zeros to `longest`. */
static pg_status stack_steps(pg_op *op, collected *list, int64_t longest, pg_value *out)
{
    size_t count = list->items.len;
    if (count == 0)
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "a sequence without steps");
    pg_tensor **items = pg_calloc((size_t)longest, sizeof *items);
    pg_tensor zero = {0}, joined;
    pg_status status = NULL;
    for (size_t i = 0; i < count; i++)
        items[i] = &list->items.items[i].tensor;
    if (count < (size_t)longest) {
        status = pg_tensor_alloc(&zero, items[0]->dtype, items[0]->rank, items[0]->dims);
        if (status == NULL)
            memset(zero.data, 0, pg_tensor_bytes(&zero));
        for (size_t i = count; i < (size_t)longest; i++)
            items[i] = &zero;
    }
    if (status == NULL)
        status = pg_slice_join(op, items, (size_t)longest, 0, true, false, &joined);
    if (status == NULL)
        *out = pg_value_of_tensor(joined);
    for (size_t i = 0; i < count; i++)
        pg_value_deinit(&list->items.items[i]);
    list->items.len = 0;
    pg_tensor_deinit(&zero);
    free(items);
    return status;
}

static pg_status run_scan8(pg_op *op)
{
    scan s = {0};
    const int64_t *directions = NULL, *lengths = NULL;
    pg_value *state = NULL;
    collected *results = NULL;
    pg_status status = read_scan(op, &s, 1);
    if (status != NULL)
        goto done;
    PG_TRY_GOTO(status, optional_ints(op, "directions", s.n_scan_in, &directions));
    const pg_tensor *data = pg_op_in(op, 1 + s.n_state), *given = pg_op_in(op, 0);
    if (data->rank < 2)
        PG_TRY_GOTO(status, pg_op_err(op, PG_ERR_INVALID, "scan inputs need a batch and a sequence axis"));
    int64_t batch = data->dims[0], longest = data->dims[1];
    if (given != NULL) {
        if (given->dtype != PG_I64 || pg_tensor_count(given) != (uint64_t)batch)
            PG_TRY_GOTO(status,
                        pg_op_err(op, PG_ERR_INVALID, "sequence_lens must be one int64 per batch element"));
        lengths = given->data;
    }
    state = pg_calloc(s.n_state, sizeof *state);
    results = pg_calloc(op->n_out, sizeof *results);
    for (int64_t b = 0; b < batch; b++) {
        int64_t length = lengths != NULL ? lengths[b] : longest;
        if (length < 0 || length > longest)
            PG_TRY_GOTO(status, pg_op_err(op, PG_ERR_INVALID, "sequence %lld has length %lld of %lld",
                                          (long long)b, (long long)length, (long long)longest));
        PG_TRY_GOTO(status, scan8_element(op, &s, b, length, state, directions));
        for (size_t i = 0; i < s.n_state; i++)
            PG_TRY_GOTO(status, collect(op, &results[i], &state[i]));
        for (size_t i = 0; i < s.n_scan_out; i++) {
            pg_value stacked;
            PG_TRY_GOTO(status, stack_steps(op, &s.scans[i], longest, &stacked));
            PG_VEC_PUSH(&results[s.n_state + i].items, stacked);
        }
    }
    for (size_t o = 0; o < op->n_out; o++)
        PG_TRY_GOTO(status, stack_result(op, o, &results[o], &s.graph->outputs[o].type, 0, false));
done:
    if (results != NULL)
        free_collected(results, op->n_out);
    free_values(state, state != NULL ? s.n_state : 0);
    free_scan(op, &s);
    return status;
}

const pg_kernel pg_kernels_control[] = {
    {"", "If", 1, 0, run_if, NULL, NULL, PG_KERNEL_ANY_LAYOUT},
    {"", "Loop", 1, 0, run_loop, NULL, NULL, PG_KERNEL_ANY_LAYOUT},
    {"", "Scan", 8, 8, run_scan8, NULL, NULL, 0},
    {"", "Scan", 9, 0, run_scan, NULL, NULL, 0},
    {0},
};
