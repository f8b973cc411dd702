#include "native/native.h"

#include "base/clock.h"
#include "base/alloc.h"
#include "base/threads.h"
#include "native/internal.h"
#include "tensor/dtype_convert.h"

/* A call of a model-local function: its body runs as a plan of its own. */
static pg_status run_call(pg_op *op)
{
    size_t n_in = pg_plan_inputs(op->subgraphs[0]);
    pg_value *inputs = pg_calloc(n_in, sizeof *inputs);
    for (size_t i = 0; i < n_in; i++) {
        const pg_value *value = pg_op_in_value(op, i);
        inputs[i] = value != NULL ? pg_value_share(value) : (pg_value){0};
    }
    pg_status status = op->n_out > pg_plan_outputs(op->subgraphs[0])
                           ? pg_op_err(op, PG_ERR_INVALID, "the function has fewer outputs than this node")
                           : NULL;
    if (status == NULL)
        status = pg_op_run_subgraph(op, 0, inputs, n_in, op->out, op->n_out);
    for (size_t i = 0; i < n_in; i++)
        pg_value_deinit(&inputs[i]);
    free(inputs);
    return status;
}

const pg_kernel pg_kernels_internal[] = {
    {"pg", "Call", 1, 0, run_call, NULL, NULL, PG_KERNEL_ANY_LAYOUT},
    {0},
};

pg_status pg_session_new(pg_model *model, const pg_native_options *options, pg_session **out)
{
    pg_session *session = PG_NEW(pg_session);
    session->model = pg_model_ref(model);
    if (options != NULL)
        session->options = *options;
    session->frozen = session->options.forms != NULL;
    session->pool = pg_pool_new(session->options.max_bytes);
    pg_threads_set(session->options.threads);
    pg_net *net;
    pg_status status =
        pg_net_build_graph(session, NULL, NULL, model->n_opsets, model->opsets, model->graph, &net);
    if (status == NULL)
        status = pg_plan_build(session, net, &session->plan);
    if (status != NULL) {
        pg_session_free(session);
        return status;
    }
    session->plan->name = model->graph->name;
    session->layouts = PG_ARENA_ARRAY(&session->arena, pg_output_layout, session->plan->n_outputs + 1);
    *out = session;
    return NULL;
}

void pg_session_free(pg_session *session)
{
    if (session == NULL)
        return;
    pg_plan_free(session->plan);
    pg_arena_deinit(&session->arena);
    pg_pool_unref(session->pool);
    PG_VEC_FREE(&session->made);
    free(session->room);
    pg_model_unref(session->model);
    free(session);
}

/* In reference mode floating-point tensors are float64 inside. */
static pg_status widen(const pg_session *session, pg_value *value)
{
    if (!session->options.float64 || value->kind != PG_VALUE_TENSOR ||
        !pg_dtype_is_float(value->tensor.dtype))
        return NULL;
    pg_tensor wide;
    PG_TRY(pg_tensor_cast(&value->tensor, PG_F64, NULL, &wide));
    pg_value_deinit(value);
    *value = pg_value_of_tensor(wide);
    return NULL;
}

/* ... and leave in the type that the model states, float32 where it states none. */
static pg_status narrow(const pg_session *session, size_t output, pg_value *value)
{
    if (!session->options.float64 || value->kind != PG_VALUE_TENSOR || value->tensor.dtype != PG_F64)
        return NULL;
    pg_dtype stated = session->model->graph->outputs[output].type.elem;
    pg_tensor narrowed;
    PG_TRY(pg_tensor_cast(&value->tensor, pg_dtype_is_float(stated) ? stated : PG_F32, NULL, &narrowed));
    pg_value_deinit(value);
    *value = pg_value_of_tensor(narrowed);
    return NULL;
}

static pg_status fill_inputs(pg_session *session, const pg_feed *feed)
{
    const pg_plan *plan = session->plan;
    for (size_t i = 0; i < plan->n_inputs; i++) {
        const pg_value *value = pg_feed_find(feed, plan->input_names[i]);
        if (value == NULL)
            return pg_err(PG_ERR_INVALID, "the model's input '%" PG_STR_FMT "' was not given",
                          PG_STR_ARG(plan->input_names[i]));
        plan->frame.values[plan->inputs[i]] = pg_value_share(value);
        PG_TRY(widen(session, &plan->frame.values[plan->inputs[i]]));
    }
    for (size_t i = 0; i < feed->count; i++) {
        bool known = false;
        for (size_t k = 0; k < plan->n_inputs; k++)
            known |= pg_str_is(plan->input_names[k], feed->items[i].name);
        if (!known)
            return pg_err(PG_ERR_INVALID, "the model has no input '%s' to be given", feed->items[i].name);
    }
    return NULL;
}

/* A result that stands alone, not borrowed from the model's mapping. */
static pg_status detach(pg_session *session, const pg_value *value, pg_layout layout, pg_value *out)
{
    *out = pg_value_share(value);
    if (out->kind != PG_VALUE_TENSOR)
        return NULL;
    if (out->tensor.rank < 3) /* only more dimensions have channels in another place */
        layout = PG_ROW_MAJOR;
    PG_TRY(pg_layout_convert(session, &out->tensor, layout));
    if (out->tensor.buffer != NULL)
        return NULL;
    pg_tensor copy;
    PG_TRY(pg_tensor_copy(&copy, &out->tensor));
    out->tensor = copy;
    return NULL;
}

pg_status pg_session_run(pg_session *session, const pg_feed *feed, pg_feed *out)
{
    pg_plan *plan = session->plan;
    plan->frame.failed = SIZE_MAX;
    pg_threads_set(session->options.threads);
    session->end_ns =
        session->options.max_seconds > 0 ? pg_clock_ns() + (uint64_t)(session->options.max_seconds * 1e9) : 0;
    pg_status status = fill_inputs(session, feed);
    if (status == NULL)
        status = pg_plan_run(plan);
    for (size_t i = 0; i < plan->n_outputs && status == NULL; i++) {
        pg_value *value = pg_feed_add(out, plan->output_names[i], (pg_value){0});
        pg_output_layout *leaves = &session->layouts[i];
        status =
            detach(session, plan->outputs[i], leaves->channels_last ? PG_CHANNELS_LAST : PG_ROW_MAJOR, value);
        leaves->rearranged = value->kind == PG_VALUE_TENSOR &&
                             value->tensor.layout != plan->outputs[i]->tensor.layout &&
                             !pg_tensor_layouts_agree(&value->tensor);
        if (status == NULL)
            status = narrow(session, i, value);
    }
    pg_plan_clear(plan);
    if (status != NULL)
        pg_feed_deinit(out);
    return status;
}

void pg_session_limit(pg_session *session, const pg_native_options *options)
{
    session->options.threads = options->threads;
    session->options.max_loop_iterations = options->max_loop_iterations;
    session->options.max_seconds = options->max_seconds;
}

void pg_session_freeze(pg_session *session)
{
    session->frozen = true;
}

void pg_session_observe(pg_session *session, const pg_observer *observer)
{
    session->observer = observer;
}

void pg_session_tap(pg_session *session, const pg_observer *observer)
{
    session->tap = observer;
}

pg_status pg_session_keep(pg_session *session, const pg_value *value, pg_value *out)
{
    return detach(session, value, PG_ROW_MAJOR, out);
}

void pg_session_want_channels_last(pg_session *session, size_t output)
{
    session->layouts[output].channels_last = true;
}

bool pg_session_rearranged(const pg_session *session, size_t output)
{
    return session->layouts[output].rearranged;
}

size_t pg_session_layer_count(const pg_session *session)
{
    return session->plan->n_nodes;
}

const pg_node *pg_session_layer(const pg_session *session, size_t i)
{
    return session->plan->nodes[i].op.node;
}

unsigned pg_session_offers(const pg_session *session, size_t layer)
{
    return session->plan->nodes[layer].op.offers;
}

pg_tactic_id pg_session_tactic(const pg_session *session, size_t layer)
{
    return session->plan->nodes[layer].op.used;
}

pg_status pg_session_choose(pg_session *session, size_t layer, pg_tactic_id tactic)
{
    pg_plan_node *node = &session->plan->nodes[layer];
    if (node->op.tactic == tactic)
        return NULL;
    node->op.tactic = tactic;
    pg_threads_set(session->options.threads);
    pg_plan_release_state(node);
    return pg_plan_prepare_node(node);
}

size_t pg_session_failed_layer(const pg_session *session)
{
    return session->plan->frame.failed;
}

uint64_t pg_session_peak_bytes(const pg_session *session)
{
    return pg_pool_peak(session->pool);
}

void pg_session_forget_peak(pg_session *session)
{
    pg_pool_forget_peak(session->pool);
}
