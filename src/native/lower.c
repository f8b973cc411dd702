/* A session's main graph and packed weights written down, so that another session begins where this one is. */
#include "native/internal.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "onnx/build.h"
#include "onnx/edit.h"

/* ---- Forms ---- */

static int by_node(const void *a, const void *b)
{
    const pg_form *x = a, *y = b;
    return x->node != y->node ? (x->node > y->node) - (x->node < y->node) : pg_str_cmp(x->kind, y->kind);
}

size_t pg_session_forms(const pg_session *session, pg_form **out)
{
    const size_t count = session->made.len;
    *out = pg_calloc(count + 1, sizeof **out);
    for (size_t i = 0; i < count; i++)
        (*out)[i] = session->made.items[i].form;
    qsort(*out, count, sizeof **out, by_node);
    return count;
}

/* How often packed bytes stand for a constant: once per input of a node that has them. */
static void count_packed_uses(const pg_session *session, pg_map *uses)
{
    const pg_plan *plan = session->plan;
    unsigned *inputs = pg_calloc(plan->n_nodes + 1, sizeof *inputs);
    for (size_t i = 0; i < session->made.len; i++)
        inputs[session->made.items[i].form.node] |= session->made.items[i].inputs;
    for (size_t n = 0; n < plan->n_nodes; n++)
        for (size_t i = 0; i < plan->nodes[n].op.n_in; i++)
            if (i < 32 && (inputs[n] >> i & 1) != 0) {
                pg_str name = plan->nodes[n].op.node->inputs[i];
                pg_map_put(uses, name, (void *)((uintptr_t)pg_map_find(uses, name) + 1));
            }
    free(inputs);
}

/* ---- The graph ---- */

typedef struct lowering {
    const pg_session *session;
    pg_arena *arena;
    pg_map packed_uses;
    pg_map written; /* names of constants */
    pg_wire_message *graph;
} lowering;

static pg_wire_message *put_attr(const lowering *l, const pg_attr *attr)
{
    pg_arena *arena = l->arena;
    if (attr->wire != NULL)
        return (pg_wire_message *)attr->wire;
    pg_wire_message *message = pg_wire_new(arena, &pg_pb_attr);
    pg_wire_add_str(arena, message, PG_PB_ATTR_NAME, attr->name);
    pg_wire_add_int(arena, message, PG_PB_ATTR_TYPE, attr->type);
    switch (attr->type) {
    case PG_ATTR_FLOAT:
        pg_wire_add_float(arena, message, PG_PB_ATTR_FLOAT, attr->f);
        break;
    case PG_ATTR_INT:
        pg_wire_add_int(arena, message, PG_PB_ATTR_INT, attr->i);
        break;
    case PG_ATTR_STRING:
        pg_wire_add_str(arena, message, PG_PB_ATTR_STRING, attr->s);
        break;
    case PG_ATTR_FLOATS:
        for (size_t i = 0; i < attr->count; i++)
            pg_wire_add_float(arena, message, PG_PB_ATTR_FLOATS, attr->floats[i]);
        break;
    case PG_ATTR_INTS:
        for (size_t i = 0; i < attr->count; i++)
            pg_wire_add_int(arena, message, PG_PB_ATTR_INTS, attr->ints[i]);
        break;
    case PG_ATTR_STRINGS:
        for (size_t i = 0; i < attr->count; i++)
            pg_wire_add_str(arena, message, PG_PB_ATTR_STRINGS, attr->strings[i]);
        break;
    default:
        return NULL;
    }
    return message;
}

/* `chain` is the number of the Chain that it is a part of, or 0. */
static pg_status put_node(const lowering *l, const pg_net_node *from, pg_tactic_id tactic, size_t chain)
{
    pg_arena *arena = l->arena;
    const pg_node *node = &from->node;
    pg_wire_message *message = pg_wire_new(arena, &pg_pb_node);
    for (size_t i = 0; i < node->n_inputs; i++)
        pg_wire_add_str(arena, message, PG_PB_NODE_INPUT, node->inputs[i]);
    for (size_t i = 0; i < node->n_outputs; i++)
        pg_wire_add_str(arena, message, PG_PB_NODE_OUTPUT, node->outputs[i]);
    pg_wire_add_str(arena, message, PG_PB_NODE_NAME, node->name);
    pg_wire_add_str(arena, message, PG_PB_NODE_OP_TYPE, node->op_type);
    if (node->domain.len > 0)
        pg_wire_add_str(arena, message, PG_PB_NODE_DOMAIN, node->domain);
    if (node->overload.len > 0)
        pg_wire_add_str(arena, message, PG_PB_NODE_OVERLOAD, node->overload);
    for (size_t i = 0; i < node->n_attrs; i++) {
        pg_wire_message *attr = put_attr(l, &node->attrs[i]);
        if (attr == NULL)
            return pg_err(PG_ERR_UNSUPPORTED,
                          "attribute '%" PG_STR_FMT "' of node '%" PG_STR_FMT "' has no text",
                          PG_STR_ARG(node->attrs[i].name), PG_STR_ARG(node->name));
        pg_wire_add_message(arena, message, PG_PB_NODE_ATTR, attr);
    }
    if (from->half != PG_UNDEFINED)
        pg_build_attr_int(arena, message, PG_HALF_ATTR, from->half);
    if (tactic != PG_TACTIC_RULE)
        pg_build_attr_int(arena, message, PG_TACTIC_ATTR, tactic);
    if (chain != 0)
        pg_build_attr_int(arena, message, PG_CHAIN_ATTR, (int64_t)chain);
    pg_wire_add_message(arena, l->graph, PG_PB_GRAPH_NODE, message);
    return NULL;
}

static pg_status put_constant(lowering *l, const pg_net_value *value)
{
    const pg_tensor *tensor = &value->constant.tensor;
    const char *name = pg_arena_cstr(l->arena, value->name);
    if (value->constant.kind != PG_VALUE_TENSOR || tensor->layout != PG_ROW_MAJOR)
        return pg_err(PG_ERR_UNSUPPORTED, "constant '%s' is no plain tensor", name);
    const size_t packed = (uintptr_t)pg_map_find(&l->packed_uses, value->name);
    pg_wire_message *message;
    if (packed == value->n_uses && packed > 0 && !value->is_output && !value->captured)
        message = pg_build_external_tensor(l->arena, name, tensor->dtype, tensor->rank, tensor->dims,
                                           PG_PACKED_LOCATION, 0, pg_tensor_bytes(tensor));
    else if (tensor->dtype == PG_STRING)
        message = pg_build_tensor(l->arena, name, tensor);
    else if (pg_tensor_is_hollow(tensor))
        return pg_err(PG_ERR_UNSUPPORTED, "constant '%s' has no elements left", name);
    else
        message = pg_build_raw_tensor(l->arena, name, tensor->dtype, tensor->rank, tensor->dims,
                                      (pg_str){tensor->data, pg_tensor_bytes(tensor)});
    pg_build_weight(l->arena, l->graph, message);
    return NULL;
}

/* A constant that a node, a subgraph or the outside reads, once. */
static pg_status put_name(void *context, pg_str name)
{
    lowering *l = context;
    const pg_net_value *value = name.len > 0 ? pg_net_find(l->session->plan->net, name) : NULL;
    if (value == NULL || !value->is_const || pg_map_has(&l->written, name))
        return NULL;
    pg_map_put(&l->written, name, NULL);
    return put_constant(l, value);
}

static void put_values(const lowering *l, uint32_t field, const pg_value_info *infos, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pg_wire_add_message(l->arena, l->graph, field, (pg_wire_message *)infos[i].wire);
}

/* Not those with an initializer that nobody reads any more: without it they would have to be given. */
static pg_status put_inputs(lowering *l, const pg_graph *graph)
{
    for (size_t i = 0; i < graph->n_inputs; i++) {
        const pg_net_value *value = pg_net_find(l->session->plan->net, graph->inputs[i].name);
        PG_TRY(put_name(l, graph->inputs[i].name));
        if (value != NULL && (value->is_input || value->is_const))
            put_values(l, PG_PB_GRAPH_INPUT, &graph->inputs[i], 1);
    }
    return NULL;
}

static pg_status put_graph(lowering *l)
{
    const pg_net *net = l->session->plan->net;
    const pg_graph *graph = l->session->model->graph;
    for (size_t i = 0; i < net->nodes.len; i++) {
        const pg_net_node *node = net->nodes.items[i];
        for (size_t k = 0; k < node->n_parts; k++)
            PG_TRY(put_node(l, node->parts[k], PG_TACTIC_RULE, i + 1));
        if (node->n_parts == 0)
            PG_TRY(put_node(l, node, l->session->plan->nodes[i].op.tactic, 0));
        for (size_t k = 0; k < node->node.n_inputs; k++)
            PG_TRY(put_name(l, node->node.inputs[k]));
        PG_TRY(pg_net_visit_captured(node, put_name, l));
    }
    for (size_t i = 0; i < graph->n_outputs; i++)
        PG_TRY(put_name(l, graph->outputs[i].name));
    PG_TRY(put_inputs(l, graph));
    put_values(l, PG_PB_GRAPH_OUTPUT, graph->outputs, graph->n_outputs);
    put_values(l, PG_PB_GRAPH_VALUE_INFO, graph->value_infos, graph->n_value_infos);
    return NULL;
}

/* Opsets that nodes of the graph need beside those of the model. */
static void add_opsets(const lowering *l, pg_wire_message *root)
{
    static const char *const domains[] = {"pg", "com.microsoft"};
    for (size_t i = 0; i < PG_COUNT(domains); i++)
        if (pg_model_opset(l->session->model, pg_str_c(domains[i])) == 0)
            pg_build_opset(l->arena, root, domains[i], 1);
}

static pg_status build_root(lowering *l, pg_wire_message **out)
{
    const pg_model *model = l->session->model;
    PG_TRY(pg_wire_edit(l->arena, (pg_wire_source){0}, model->wire, out));
    l->graph = pg_build_graph(l->arena, pg_arena_cstr(l->arena, model->graph->name));
    PG_TRY(put_graph(l));
    pg_model_edit_graph(*out, l->graph);
    add_opsets(l, *out);
    return NULL;
}

pg_status pg_session_lower(const pg_session *session, pg_model **out)
{
    pg_arena arena = {0};
    lowering l = {.session = session, .arena = &arena};
    pg_wire_message *root = NULL;
    count_packed_uses(session, &l.packed_uses);
    pg_status status = build_root(&l, &root);
    pg_map_deinit(&l.packed_uses);
    pg_map_deinit(&l.written);
    if (status != NULL) {
        pg_arena_deinit(&arena);
        return status;
    }
    return pg_model_from_wire(&arena, root, session->model, "plan", out);
}
