/* From a net to a plan: slots, pointers, last uses, kernels prepared. */
#include "native/internal.h"

#include "base/alloc.h"
#include "native/simd/simd.h"

/* ---- Nodes that nobody needs ---- */

static bool is_needed(const pg_net *net, const pg_net_node *node)
{
    for (size_t i = 0; i < node->node.n_outputs; i++) {
        const pg_net_value *value = pg_net_find(net, node->node.outputs[i]);
        if (value != NULL && value->producer == node &&
            (value->n_uses > 0 || value->is_output || value->captured))
            return true;
    }
    return false;
}

static void remove_unneeded(pg_net *net)
{
    for (size_t i = net->nodes.len; i-- > 0;)
        if (!net->nodes.items[i]->removed && !is_needed(net, net->nodes.items[i]))
            pg_net_remove(net, net->nodes.items[i]);
    size_t kept = 0;
    for (size_t i = 0; i < net->nodes.len; i++)
        if (!net->nodes.items[i]->removed) {
            net->nodes.items[i]->position = kept;
            net->nodes.items[kept++] = net->nodes.items[i];
        }
    net->nodes.len = kept;
    /* Weights that folding or fusion left without a reader give their memory back. */
    for (size_t i = 0; i < net->values.len; i++) {
        pg_net_value *value = net->values.entries[i].value;
        if (value->is_const && value->n_uses == 0 && !value->is_output && !value->captured) {
            pg_value_deinit(&value->constant);
            value->is_const = false;
        }
    }
}

/* ---- Slots ---- */

static void assign_slots(pg_plan *plan, pg_net *net)
{
    uint32_t next = 0;
    plan->inputs = PG_ARENA_ARRAY(&net->session->arena, uint32_t, net->n_inputs);
    for (size_t i = 0; i < net->n_inputs; i++) {
        plan->inputs[i] = next;
        pg_net_find(net, net->inputs[i])->slot = next++;
    }
    for (size_t i = 0; i < net->nodes.len; i++)
        for (size_t k = 0; k < net->nodes.items[i]->node.n_outputs; k++) {
            pg_net_value *value = pg_net_find(net, net->nodes.items[i]->node.outputs[k]);
            if (value != NULL)
                value->slot = next;
            next++;
        }
    plan->n_slots = next;
    plan->frame.values = pg_calloc(next, sizeof *plan->frame.values);
    plan->frame.plan = plan;
}

/* Where a name's value will be: a constant, a slot of this frame, or one of an enclosing graph's. NULL for an
 * omitted input. */
static pg_value *resolve(const pg_net *net, pg_str name)
{
    for (; net != NULL && name.len > 0; net = net->outer) {
        pg_net_value *value = pg_net_find(net, name);
        if (value != NULL && value->is_const)
            return &value->constant;
        if (value != NULL)
            return &net->plan->frame.values[value->slot];
    }
    return NULL;
}

/* ---- Last uses ---- */

typedef struct use_note {
    pg_net *net;
    uint32_t *last, node;
    bool *captured;
} use_note;

static pg_status note_use(void *context, pg_str name)
{
    use_note *note = context;
    const pg_net_value *value = pg_net_find(note->net, name);
    if (value != NULL && !value->is_const) {
        note->last[value->slot] = note->node;
        if (note->captured != NULL)
            note->captured[value->slot] = true;
    }
    return NULL;
}

/* Fills in what each node releases and which inputs it reads last. Values of outer graphs are never released
 * here. */
static void find_last_uses(pg_plan *plan, pg_net *net)
{
    size_t n_slots = PG_MAX(plan->n_slots, (size_t)1);
    uint32_t *last = pg_calloc(n_slots, sizeof *last);
    bool *captured = pg_calloc(n_slots, sizeof *captured), *output = pg_calloc(n_slots, sizeof *output);
    uint32_t *counts = pg_calloc(net->nodes.len, sizeof *counts);
    for (size_t i = 0; i < net->nodes.len; i++) {
        const pg_net_node *node = net->nodes.items[i];
        use_note note = {net, last, (uint32_t)i, NULL};
        for (size_t k = 0; k < node->node.n_outputs; k++)
            last[(size_t)(plan->nodes[i].op.out - plan->frame.values) + k] = (uint32_t)i;
        for (size_t k = 0; k < node->node.n_inputs; k++)
            pg_status_drop(note_use(&note, node->node.inputs[k]));
        note.captured = captured;
        pg_status_drop(pg_net_visit_captured(node, note_use, &note));
    }
    for (size_t i = 0; i < net->n_outputs; i++) {
        const pg_net_value *value = pg_net_find(net, net->outputs[i]);
        if (value != NULL && !value->is_const)
            output[value->slot] = true;
    }
    for (size_t slot = 0; slot < plan->n_slots && net->nodes.len > 0; slot++)
        counts[last[slot]] += !output[slot];
    for (size_t i = 0; i < net->nodes.len; i++)
        plan->nodes[i].release = PG_ARENA_ARRAY(&net->session->arena, uint32_t, counts[i]);
    for (size_t slot = 0; slot < plan->n_slots && net->nodes.len > 0; slot++)
        if (!output[slot]) {
            pg_plan_node *node = &plan->nodes[last[slot]];
            node->release[node->n_release++] = (uint32_t)slot;
        }
    for (size_t i = 0; i < net->nodes.len; i++) {
        pg_op *op = &plan->nodes[i].op;
        uint8_t *flags = (uint8_t *)op->in_flags;
        for (size_t k = 0; k < op->n_in; k++) {
            const pg_net_value *value = pg_net_find(net, op->node->inputs[k]);
            if (value != NULL && !value->is_const && last[value->slot] == i && !captured[value->slot] &&
                !output[value->slot])
                flags[k] |= PG_IN_LAST_USE;
        }
    }
    free(last);
    free(captured);
    free(output);
    free(counts);
}

/* ---- Nodes ---- */

/* Constants at any address get an aligned one, but where the kernel copies them itself. */
static pg_status align_constants(const pg_plan_node *planned)
{
    static const unsigned any_address[] = {0, PG_KERNEL_ANY_ADDRESS_1, PG_KERNEL_ANY_ADDRESS_2};
    for (size_t i = 0; i < planned->op.n_in; i++)
        if (i >= PG_COUNT(any_address) || (planned->kernel->flags & any_address[i]) == 0)
            PG_TRY(pg_op_align(&planned->op, i));
    return NULL;
}

enum { MOST_CALL_NODES = 500000 }; /* of all bodies of functions together */

static pg_status plan_subgraphs(pg_net *net, const pg_net_node *node, pg_op *op)
{
    pg_arena *arena = &net->session->arena;
    size_t count = (node->function != NULL) + (node->n_parts > 0);
    for (size_t i = 0; i < node->node.n_attrs; i++)
        count += node->node.attrs[i].type == PG_ATTR_GRAPH;
    const pg_plan **plans = PG_ARENA_ARRAY(arena, const pg_plan *, count);
    op->subgraphs = plans;
    if (node->function != NULL) {
        if (++net->session->call_depth > 64)
            return pg_err(PG_ERR_LIMIT,
                          "function '%" PG_STR_FMT
                          "' calls itself, or calls nest deeper than 64 (node '%" PG_STR_FMT "')",
                          PG_STR_ARG(node->function->name), PG_STR_ARG(node->node.name));
        net->session->call_nodes += node->function->n_nodes;
        if (net->session->call_nodes > MOST_CALL_NODES)
            return pg_err(PG_ERR_LIMIT,
                          "the calls of functions, written out, have more than %d nodes; the last one is of "
                          "'%" PG_STR_FMT "' by node '%" PG_STR_FMT "'",
                          MOST_CALL_NODES, PG_STR_ARG(node->function->name), PG_STR_ARG(node->node.name));
        pg_attr_scope *scope = PG_ARENA_NEW(arena, pg_attr_scope);
        *scope = (pg_attr_scope){&node->node, node->function};
        pg_net *body;
        PG_TRY_CTX(pg_net_build_function(net->session, scope, &body), "in function '%" PG_STR_FMT "'",
                   PG_STR_ARG(node->function->name));
        PG_TRY_CTX(pg_plan_build(net->session, body, (pg_plan **)&plans[op->n_subgraphs++]),
                   "in function '%" PG_STR_FMT "'", PG_STR_ARG(node->function->name));
        net->session->call_depth--;
    }
    if (node->n_parts > 0)
        PG_TRY(pg_plan_build(net->session, pg_net_build_parts(net->session, node),
                             (pg_plan **)&plans[op->n_subgraphs++]));
    for (size_t i = 0; i < node->node.n_attrs; i++) {
        const pg_attr *attr = &node->node.attrs[i];
        if (attr->type != PG_ATTR_GRAPH || attr->graph == NULL)
            continue;
        pg_net *body;
        PG_TRY_CTX(
            pg_net_build_graph(net->session, net, net->attrs, net->n_opsets, net->opsets, attr->graph, &body),
            "in graph '%" PG_STR_FMT "' of node '%" PG_STR_FMT "'", PG_STR_ARG(attr->name),
            PG_STR_ARG(node->node.name));
        PG_TRY_CTX(pg_plan_build(net->session, body, (pg_plan **)&plans[op->n_subgraphs++]),
                   "in graph '%" PG_STR_FMT "' of node '%" PG_STR_FMT "'", PG_STR_ARG(attr->name),
                   PG_STR_ARG(node->node.name));
    }
    return NULL;
}

/* Gives back the elements of constants that no kernel reads any more. */
static void drop_consumed(pg_net *net, const pg_op *op)
{
    for (size_t i = 0; i < op->n_in; i++) {
        if ((op->in_flags[i] & PG_IN_CONSUMED) == 0)
            continue;
        pg_net_value *value = pg_net_find(net, op->node->inputs[i]);
        if (value == NULL || op->in[i] != &value->constant || ++value->n_consumed < value->n_uses ||
            value->is_output || value->captured)
            continue;
        pg_tensor *tensor = &value->constant.tensor;
        if (tensor->buffer == NULL) {
            pg_model_forget(net->session->model, tensor->data, pg_tensor_bytes(tensor));
            continue;
        }
        pg_buffer_unref(tensor->buffer);
        tensor->buffer = NULL;
        tensor->data = NULL;
    }
}

/* Lets the kernel read attributes and prepack: only constant inputs are visible to it. */
pg_status pg_plan_prepare_node(pg_plan_node *planned)
{
    if (planned->kernel->prepare == NULL)
        return NULL;
    pg_op *op = &planned->op;
    pg_value **all = op->in, **constants = pg_calloc(op->n_in, sizeof *constants);
    for (size_t i = 0; i < op->n_in; i++)
        constants[i] = pg_op_in_const(op, i) ? all[i] : NULL;
    op->in = constants;
    pg_status status = planned->kernel->prepare(op);
    op->in = all;
    free(constants);
    pg_frame_end_node(op->frame);
    return status;
}

/* What the node has packed goes with its state. */
static void forget_forms(const pg_plan_node *node)
{
    pg_session *session = node->op.session;
    size_t kept = 0;
    for (size_t i = 0; i < session->made.len && node->op.place != 0; i++)
        if (session->made.items[i].form.node != node->op.place - 1)
            session->made.items[kept++] = session->made.items[i];
    if (node->op.place != 0)
        session->made.len = kept;
}

void pg_plan_release_state(pg_plan_node *node)
{
    if (node->op.state != NULL)
        (node->kernel->release != NULL ? node->kernel->release : free)(node->op.state);
    node->op.state = NULL;
    forget_forms(node);
}

/* Choices are for the layers of the main graph; names of others repeat. */
static pg_tactic_id choice(const pg_net *net, const pg_node *node)
{
    const pg_tactic_chooser *chooser = net->session->options.tactics;
    bool main_graph = net->outer == NULL && net->attrs == NULL;
    const pg_attr *attr = pg_net_is_lowered(net) ? pg_node_attr(node, PG_TACTIC_ATTR) : NULL;
    if (attr != NULL && attr->type == PG_ATTR_INT && attr->i > 0 && attr->i < PG_TACTICS)
        return (pg_tactic_id)attr->i;
    return chooser != NULL && main_graph ? chooser->choose(chooser->context, node) : PG_TACTIC_RULE;
}

/* Constants without elements are for kernels that find them packed. */
static pg_status check_hollow(const pg_plan_node *planned, bool prepared)
{
    const pg_op *op = &planned->op;
    for (size_t i = 0; i < op->n_in; i++) {
        const pg_tensor *tensor = pg_op_in(op, i);
        if (tensor == NULL || !pg_op_in_const(op, i) || !pg_tensor_is_hollow(tensor))
            continue;
        if ((op->in_flags[i] & (prepared ? PG_IN_STORED : PG_IN_CONST)) == 0 ||
            (!prepared && (planned->kernel->flags & pg_kernel_packs(i)) == 0))
            return pg_op_err(op, PG_ERR_INVALID,
                             "the engine's file has no elements of '%" PG_STR_FMT "'; build the engine again",
                             PG_STR_ARG(op->node->inputs[i]));
    }
    return NULL;
}

static pg_status plan_node(pg_plan *plan, pg_net *net, pg_net_node *node, pg_plan_node *planned,
                           uint32_t *next_slot)
{
    pg_arena *arena = &net->session->arena;
    pg_op *op = &planned->op;
    size_t n_in = node->node.n_inputs, n_out = node->node.n_outputs;
    uint8_t *in_flags = PG_ARENA_ARRAY(arena, uint8_t, n_in),
            *out_flags = PG_ARENA_ARRAY(arena, uint8_t, n_out);
    planned->kernel = node->function != NULL ? pg_kernel_find(PG_STR("pg"), PG_STR("Call"), 1) : node->kernel;
    *op = (pg_op){.node = &node->node,
                  .opset = node->opset,
                  .n_in = n_in,
                  .n_out = n_out,
                  .in = PG_ARENA_ARRAY(arena, pg_value *, n_in),
                  .out = &plan->frame.values[*next_slot],
                  .in_flags = in_flags,
                  .out_flags = out_flags,
                  .frame = &plan->frame,
                  .session = net->session};
    *next_slot += (uint32_t)n_out;
    for (size_t i = 0; i < n_in; i++) {
        op->in[i] = resolve(net, node->node.inputs[i]);
        if (pg_net_weights(net, node->node.inputs[i]) != NULL)
            in_flags[i] = PG_IN_CONST;
    }
    for (size_t i = 0; i < n_out; i++) {
        const pg_net_value *value = pg_net_find(net, node->node.outputs[i]);
        if (value != NULL && (value->n_uses > 0 || value->is_output || value->captured))
            out_flags[i] = PG_OUT_WANTED;
    }
    if (net->session->plan == plan)
        op->place = (uint32_t)(planned - plan->nodes) + 1;
    if (net->session->options.forms != NULL)
        PG_TRY(check_hollow(planned, false));
    PG_TRY(align_constants(planned));
    PG_TRY(plan_subgraphs(net, node, op));
    planned->half = node->half;
    op->bf16_factors =
        !net->session->options.float64 &&
        (net->session->options.bfloat16 ||
         (planned->half == PG_BF16 && !net->session->options.no_optimization && pg_simd_best()->fast_bf16));
    op->tactic = choice(net, &node->node);
    PG_TRY(pg_plan_prepare_node(planned));
    if (net->session->options.forms != NULL)
        PG_TRY(check_hollow(planned, true));
    if (!net->session->options.no_optimization && !net->session->options.float64 &&
        !net->session->options.tuning && !net->session->options.for_engine)
        drop_consumed(net, op);
    return NULL;
}

pg_status pg_plan_build(pg_session *session, pg_net *net, pg_plan **out)
{
    pg_plan *plan = PG_NEW(pg_plan);
    plan->net = net;
    net->plan = plan;
    *out = plan; /* freed by the owner also when building fails */
    if (pg_net_is_lowered(net))
        pg_net_regroup_chains(net);
    else if (!net->as_written)
        PG_TRY(pg_net_optimize(net));
    remove_unneeded(net);
    plan->n_inputs = net->n_inputs;
    plan->n_outputs = net->n_outputs;
    plan->input_names = net->inputs;
    plan->output_names = net->outputs;
    assign_slots(plan, net);
    plan->nodes = pg_calloc(net->nodes.len, sizeof *plan->nodes);
    uint32_t next_slot = (uint32_t)net->n_inputs;
    for (size_t i = 0; i < net->nodes.len; i++) {
        plan->n_nodes = i + 1;
        PG_TRY(plan_node(plan, net, net->nodes.items[i], &plan->nodes[i], &next_slot));
    }
    find_last_uses(plan, net);
    plan->outputs = PG_ARENA_ARRAY(&session->arena, pg_value *, net->n_outputs);
    for (size_t i = 0; i < net->n_outputs; i++) {
        plan->outputs[i] = resolve(net, net->outputs[i]);
        if (pg_net_weights(net, net->outputs[i]) == NULL || plan->outputs[i]->kind != PG_VALUE_TENSOR)
            continue;
        if (pg_tensor_is_hollow(&plan->outputs[i]->tensor))
            return pg_err(PG_ERR_INVALID, "the engine's file has no elements of its output '%" PG_STR_FMT "'",
                          PG_STR_ARG(net->outputs[i]));
        PG_TRY(pg_weight_align(session->model, &plan->outputs[i]->tensor));
    }
    return NULL;
}

void pg_plan_free(pg_plan *plan)
{
    if (plan == NULL)
        return;
    pg_plan_clear(plan);
    for (size_t i = 0; i < plan->n_nodes; i++) {
        pg_plan_node *node = &plan->nodes[i];
        pg_plan_release_state(node);
        for (size_t k = 0; k < node->op.n_subgraphs; k++)
            pg_plan_free((pg_plan *)node->op.subgraphs[k]);
    }
    free(plan->nodes);
    free(plan->frame.values);
    pg_net_free(plan->net);
    free(plan);
}
