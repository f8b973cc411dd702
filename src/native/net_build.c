/* From an ONNX graph or function body to a net: values by name, weights as constants, nodes in an executable
 * order. */
#include "native/internal.h"

#include "base/alloc.h"
#include "tensor/dtype_convert.h"

/* A graph or a function body, seen alike. */
typedef struct body {
    pg_str name;
    const pg_node *nodes;
    size_t n_nodes;
} body;

/* ---- Names that a nested graph reads from outside ---- */

static pg_status visit_graph(const pg_graph *graph, pg_name_visitor visit, void *context);

static pg_status visit_subgraphs(const pg_node *node, pg_name_visitor visit, void *context)
{
    for (size_t i = 0; i < node->n_attrs; i++) {
        const pg_attr *attr = &node->attrs[i];
        if (attr->type == PG_ATTR_GRAPH && attr->graph != NULL)
            PG_TRY(visit_graph(attr->graph, visit, context));
        for (size_t k = 0; attr->type == PG_ATTR_GRAPHS && k < attr->count; k++)
            PG_TRY(visit_graph(attr->graphs[k], visit, context));
    }
    return NULL;
}

/* Passes on the names that a graph does not define itself. */
typedef struct name_filter {
    const pg_map *defined;
    pg_name_visitor visit;
    void *context;
} name_filter;

static pg_status pass_on(void *context, pg_str name)
{
    const name_filter *filter = context;
    return name.len == 0 || pg_map_has(filter->defined, name) ? NULL : filter->visit(filter->context, name);
}

/* Visits every name that the graph or its nested graphs read and do not define themselves. */
static pg_status visit_graph(const pg_graph *graph, pg_name_visitor visit, void *context)
{
    pg_map defined = {0};
    pg_status status = NULL;
    for (size_t i = 0; i < graph->n_inputs; i++)
        pg_map_put(&defined, graph->inputs[i].name, NULL);
    for (size_t i = 0; i < graph->n_weights; i++)
        pg_map_put(&defined, graph->weights[i].name, NULL);
    for (size_t i = 0; i < graph->n_sparse_weights; i++)
        pg_map_put(&defined, graph->sparse_weights[i].values.name, NULL);
    for (size_t i = 0; i < graph->n_nodes; i++)
        for (size_t k = 0; k < graph->nodes[i].n_outputs; k++)
            pg_map_put(&defined, graph->nodes[i].outputs[k], NULL);
    name_filter filter = {&defined, visit, context};
    for (size_t i = 0; i < graph->n_nodes && status == NULL; i++) {
        const pg_node *node = &graph->nodes[i];
        for (size_t k = 0; k < node->n_inputs && status == NULL; k++)
            status = pass_on(&filter, node->inputs[k]);
        if (status == NULL)
            status = visit_subgraphs(node, pass_on, &filter);
    }
    for (size_t i = 0; i < graph->n_outputs && status == NULL; i++)
        status = pass_on(&filter, graph->outputs[i].name);
    pg_map_deinit(&defined);
    return status;
}

pg_status pg_net_visit_captured(const pg_net_node *node, pg_name_visitor visit, void *context)
{
    return visit_subgraphs(&node->node, visit, context);
}

/* ---- Constants ---- */

static pg_status densify(const pg_model *model, const pg_sparse_weight *sparse, pg_tensor *out)
{
    pg_tensor values = {0}, indices = {0};
    pg_status status = NULL;
    uint64_t total;
    PG_TRY_GOTO(status, pg_weight_load(model, &sparse->values, &values));
    PG_TRY_GOTO(status, pg_weight_load(model, &sparse->indices, &indices));
    PG_TRY_GOTO(status, pg_tensor_alloc(out, values.dtype, sparse->rank, sparse->dims));
    total = pg_tensor_count(out);
    uint64_t size = pg_dtype_get(values.dtype)->bits / 8, count = pg_tensor_count(&values);
    memset(out->data, 0, pg_tensor_bytes(out));
    bool linear = indices.rank == 1;
    if (size == 0 || indices.dtype != PG_I64 ||
        pg_tensor_count(&indices) != count * (linear ? 1 : sparse->rank))
        PG_TRY_GOTO(status,
                    pg_err(PG_ERR_INVALID,
                           "sparse initializer '%" PG_STR_FMT "' has indices that do not fit its values",
                           PG_STR_ARG(sparse->values.name)));
    const int64_t *index = indices.data;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t at = linear ? (uint64_t)index[i] : 0;
        for (uint32_t d = 0; d < sparse->rank && !linear; d++)
            at = at * (uint64_t)sparse->dims[d] + (uint64_t)index[i * sparse->rank + d];
        if (at >= total)
            PG_TRY_GOTO(status, pg_err(PG_ERR_INVALID,
                                       "sparse initializer '%" PG_STR_FMT "' has an index outside its shape",
                                       PG_STR_ARG(sparse->values.name)));
        memcpy((char *)out->data + at * size, (char *)values.data + i * size, size);
    }
done:
    pg_tensor_deinit(&values);
    pg_tensor_deinit(&indices);
    if (status != NULL)
        pg_tensor_deinit(out);
    return status;
}

/* Reference mode computes in float64, so weights join in that type. */
static pg_status add_weight(pg_net *net, pg_str name, pg_tensor tensor)
{
    if (name.len == 0 || pg_net_find(net, name) != NULL) {
        pg_tensor_deinit(&tensor);
        return name.len == 0 ? pg_err(PG_ERR_INVALID, "an initializer has no name")
                             : pg_err(PG_ERR_INVALID, "there are two initializers named '%" PG_STR_FMT "'",
                                      PG_STR_ARG(name));
    }
    if (net->session->options.float64 && pg_dtype_is_float(tensor.dtype)) {
        pg_tensor wide;
        pg_status status = pg_tensor_cast(&tensor, PG_F64, NULL, &wide);
        pg_tensor_deinit(&tensor);
        PG_TRY(status);
        tensor = wide;
    }
    pg_net_add_constant(net, name, pg_value_of_tensor(tensor));
    return NULL;
}

/* Matrices of float32 are mostly packed by one operator that reads them where they are in the file. */
static bool may_stay(const pg_session *session, const pg_weight *weight)
{
    return weight->dtype == PG_F32 && weight->rank >= 2 && !session->options.no_optimization &&
           !session->options.float64;
}

/* An engine's file has only packed forms of some weights: type and dims are known, elements are not. */
static bool is_packed(const pg_session *session, const pg_weight *weight)
{
    return session->options.forms != NULL && weight->storage == PG_STORED_EXTERNAL &&
           pg_str_is(weight->location, PG_PACKED_LOCATION);
}

static pg_status hollow_weight(const pg_weight *weight, pg_tensor *out)
{
    if (weight->dtype == PG_STRING || weight->dtype == PG_UNDEFINED)
        return pg_err(PG_ERR_INVALID, "weights of its type are never packed");
    return pg_tensor_borrow(out, weight->dtype, weight->rank, weight->dims, NULL);
}

static pg_status load_weight(const pg_net *net, const pg_weight *weight, pg_tensor *out)
{
    const pg_model *model = net->session->model;
    if (is_packed(net->session, weight))
        return hollow_weight(weight, out);
    return (may_stay(net->session, weight) ? pg_weight_view : pg_weight_load)(model, weight, out);
}

static pg_status add_weights(pg_net *net, const pg_graph *graph)
{
    const pg_model *model = net->session->model;
    for (size_t i = 0; i < graph->n_weights; i++) {
        pg_tensor tensor;
        const pg_weight *weight = &graph->weights[i];
        PG_TRY_CTX(load_weight(net, weight, &tensor), "initializer '%" PG_STR_FMT "'",
                   PG_STR_ARG(weight->name));
        PG_TRY(add_weight(net, graph->weights[i].name, tensor));
    }
    for (size_t i = 0; i < graph->n_sparse_weights; i++) {
        pg_tensor tensor;
        PG_TRY(densify(model, &graph->sparse_weights[i], &tensor));
        PG_TRY(add_weight(net, graph->sparse_weights[i].values.name, tensor));
    }
    return NULL;
}

/* ---- Nodes ---- */

/* The value that the caller of the function gives to attribute `ref`, or its default, or NULL. */
static const pg_attr *resolve_ref(const pg_attr_scope *scope, pg_str ref)
{
    if (scope == NULL)
        return NULL;
    for (size_t i = 0; i < scope->call->n_attrs; i++)
        if (pg_str_eq(scope->call->attrs[i].name, ref))
            return &scope->call->attrs[i];
    for (size_t i = 0; i < scope->function->n_attr_defaults; i++)
        if (pg_str_eq(scope->function->attr_defaults[i].name, ref))
            return &scope->function->attr_defaults[i];
    return NULL;
}

/* Inside a function, attributes that stand for the function's own are replaced by their values; absent ones
 * are left out. */
static void bind_attrs(pg_net *net, pg_node *node)
{
    bool any = false;
    for (size_t i = 0; i < node->n_attrs; i++)
        any |= node->attrs[i].ref.len > 0;
    if (!any)
        return;
    pg_attr *attrs = PG_ARENA_ARRAY(&net->session->arena, pg_attr, node->n_attrs);
    size_t count = 0;
    for (size_t i = 0; i < node->n_attrs; i++) {
        const pg_attr *attr = &node->attrs[i];
        if (attr->ref.len == 0) {
            attrs[count++] = *attr;
            continue;
        }
        const pg_attr *bound = resolve_ref(net->attrs, attr->ref);
        if (bound == NULL)
            continue;
        attrs[count] = *bound;
        attrs[count++].name = attr->name;
    }
    node->attrs = attrs;
    node->n_attrs = count;
}

/* Reference mode: a Cast to a smaller floating-point type keeps float64. */
static void widen_cast(pg_net *net, pg_node *node)
{
    if (!net->session->options.float64 || node->domain.len > 0 || !pg_str_is(node->op_type, "Cast"))
        return;
    pg_attr *attrs = PG_ARENA_ARRAY(&net->session->arena, pg_attr, node->n_attrs);
    for (size_t i = 0; i < node->n_attrs; i++) {
        attrs[i] = node->attrs[i];
        if (pg_str_is(attrs[i].name, "to") && attrs[i].type == PG_ATTR_INT &&
            pg_dtype_is_float((pg_dtype)attrs[i].i))
            attrs[i].i = PG_F64;
    }
    node->attrs = attrs;
}

static int64_t opset_of(const pg_net *net, pg_str domain)
{
    for (size_t i = 0; i < net->n_opsets; i++)
        if (pg_str_eq(net->opsets[i].domain, domain))
            return net->opsets[i].version;
    return domain.len == 0 ? 1 : 0;
}

static pg_status no_kernel(const pg_net_node *node)
{
    const pg_node *onnx = &node->node;
    const char *domain = onnx->domain.len > 0 ? "" : "ai.onnx";
    return pg_err(PG_ERR_UNSUPPORTED,
                  "the built-in engine has no operator '%" PG_STR_FMT "' of domain '%s%" PG_STR_FMT
                  "' version %lld, needed by node "
                  "'%" PG_STR_FMT "'",
                  PG_STR_ARG(onnx->op_type), domain, PG_STR_ARG(onnx->domain), (long long)node->opset,
                  PG_STR_ARG(onnx->name.len > 0 || onnx->n_outputs == 0 ? onnx->name : onnx->outputs[0]));
}

bool pg_net_is_lowered(const pg_net *net)
{
    return net->session->options.forms != NULL && net->outer == NULL && net->attrs == NULL &&
           !net->as_written;
}

static void read_half(const pg_net *net, pg_net_node *node)
{
    const pg_attr *attr = pg_net_is_lowered(net) ? pg_node_attr(&node->node, PG_HALF_ATTR) : NULL;
    if (attr != NULL && attr->type == PG_ATTR_INT && attr->i > 0 && attr->i < PG_DTYPE_COUNT &&
        pg_is_half((pg_dtype)attr->i))
        node->half = (pg_dtype)attr->i;
}

static pg_status add_node(pg_net *net, const pg_node *onnx)
{
    pg_net_node *node = PG_ARENA_NEW(&net->session->arena, pg_net_node);
    node->node = *onnx;
    bind_attrs(net, &node->node);
    widen_cast(net, &node->node);
    node->opset = opset_of(net, onnx->domain);
    node->function = pg_model_find_function(net->session->model, onnx->domain, onnx->op_type, onnx->overload);
    if (node->function == NULL) {
        /* The engine's own operators are for its passes, and for main graphs that they have been through. */
        if (!pg_str_is(onnx->domain, "pg") || pg_net_is_lowered(net))
            node->kernel = pg_kernel_find(onnx->domain, onnx->op_type, node->opset);
        if (node->kernel == NULL)
            return no_kernel(node);
    }
    read_half(net, node);
    node->position = net->nodes.len;
    PG_VEC_PUSH(&net->nodes, node);
    for (size_t i = 0; i < onnx->n_outputs; i++) {
        pg_str name = onnx->outputs[i];
        if (name.len == 0)
            continue;
        pg_net_value *value = pg_net_find(net, name);
        if (value != NULL)
            return pg_err(PG_ERR_INVALID,
                          "tensor '%" PG_STR_FMT "' has more than one source; one is node '%" PG_STR_FMT
                          "' (%" PG_STR_FMT ")",
                          PG_STR_ARG(name), PG_STR_ARG(onnx->name), PG_STR_ARG(onnx->op_type));
        pg_net_add_value(net, name)->producer = node;
    }
    return NULL;
}

/* ---- Order ---- */

typedef struct order_check {
    const pg_net *net;
    const pg_net_node *node;
    const bool *placed; /* per node position */
    bool ready;
} order_check;

static bool known_outside(const pg_net *net, pg_str name)
{
    for (net = net->outer; net != NULL; net = net->outer)
        if (pg_net_find(net, name) != NULL)
            return true;
    return false;
}

static pg_status check_name(void *context, pg_str name)
{
    order_check *check = context;
    const pg_net_value *value = pg_net_find(check->net, name);
    const pg_node *node = &check->node->node;
    if (value == NULL && !known_outside(check->net, name))
        return pg_err(PG_ERR_INVALID,
                      "node '%" PG_STR_FMT "' (%" PG_STR_FMT ") reads '%" PG_STR_FMT
                      "', which nothing produces",
                      PG_STR_ARG(node->name), PG_STR_ARG(node->op_type), PG_STR_ARG(name));
    if (value != NULL && value->producer != NULL && !check->placed[value->producer->position])
        check->ready = false;
    return NULL;
}

static pg_status is_ready(const pg_net *net, const pg_net_node *node, const bool *placed, bool *out)
{
    order_check check = {net, node, placed, true};
    for (size_t i = 0; i < node->node.n_inputs; i++)
        if (node->node.inputs[i].len > 0)
            PG_TRY(check_name(&check, node->node.inputs[i]));
    PG_TRY(pg_net_visit_captured(node, check_name, &check));
    *out = check.ready;
    return NULL;
}

/* Keeps the order of the file where it works. Each round places every node that is ready; a sorted file takes
 * one round. */
static pg_status sort_nodes(pg_net *net)
{
    size_t count = net->nodes.len, n_placed = 0;
    bool *placed = pg_calloc(count, sizeof *placed);
    pg_net_node **order = pg_calloc(count, sizeof *order);
    pg_status status = NULL;
    for (size_t before = SIZE_MAX; n_placed < count && n_placed != before;) {
        before = n_placed;
        for (size_t i = 0; i < count; i++) {
            bool ready = false;
            if (placed[i])
                continue;
            PG_TRY_GOTO(status, is_ready(net, net->nodes.items[i], placed, &ready));
            if (ready) {
                placed[i] = true;
                order[n_placed++] = net->nodes.items[i];
            }
        }
    }
    for (size_t i = 0; i < count && n_placed < count; i++)
        if (!placed[i])
            PG_TRY_GOTO(status, pg_err(PG_ERR_INVALID,
                                       "the graph has a cycle: node '%" PG_STR_FMT "' (%" PG_STR_FMT
                                       ") needs its own result",
                                       PG_STR_ARG(net->nodes.items[i]->node.name),
                                       PG_STR_ARG(net->nodes.items[i]->node.op_type)));
    for (size_t i = 0; i < count; i++) {
        net->nodes.items[i] = order[i];
        order[i]->position = i;
    }
done:
    free(placed);
    free(order);
    return status;
}

/* ---- Whole nets ---- */

static pg_status mark_captured(void *context, pg_str name)
{
    pg_net_value *value = pg_net_find(context, name);
    if (value != NULL)
        value->captured = true;
    return NULL;
}

static pg_net *new_net(pg_session *session, pg_net *outer, const pg_attr_scope *attrs, size_t n_opsets,
                       const pg_opset *opsets)
{
    pg_net *net = PG_NEW(pg_net);
    net->session = session;
    net->outer = outer;
    net->attrs = attrs;
    net->n_opsets = n_opsets;
    net->opsets = opsets;
    return net;
}

static void add_input(pg_net *net, pg_str name)
{
    pg_net_value *value = pg_net_find(net, name);
    if (value != NULL)
        return; /* an input with an initializer is a constant */
    pg_net_add_value(net, name)->is_input = true;
    net->inputs[net->n_inputs++] = name;
}

static pg_status finish_net(pg_net *net, body content)
{
    for (size_t i = 0; i < content.n_nodes; i++)
        PG_TRY(add_node(net, &content.nodes[i]));
    PG_TRY(sort_nodes(net));
    for (size_t i = 0; i < net->nodes.len; i++) {
        pg_net_add_uses(net, net->nodes.items[i]);
        PG_TRY(pg_net_visit_captured(net->nodes.items[i], mark_captured, net));
    }
    for (size_t i = 0; i < net->n_outputs; i++) {
        pg_net_value *value = pg_net_find(net, net->outputs[i]);
        if (net->outputs[i].len == 0)
            return pg_err(PG_ERR_INVALID, "output %zu of graph '%" PG_STR_FMT "' has no name", i,
                          PG_STR_ARG(content.name));
        if (value != NULL)
            value->is_output = true;
        else if (!known_outside(net, net->outputs[i]))
            return pg_err(PG_ERR_INVALID,
                          "output '%" PG_STR_FMT "' of graph '%" PG_STR_FMT "' is produced by nothing",
                          PG_STR_ARG(net->outputs[i]), PG_STR_ARG(content.name));
    }
    return NULL;
}

pg_status pg_net_build_graph(pg_session *session, pg_net *outer, const pg_attr_scope *attrs, size_t n_opsets,
                             const pg_opset *opsets, const pg_graph *graph, pg_net **out)
{
    pg_net *net = new_net(session, outer, attrs, n_opsets, opsets);
    pg_status status = add_weights(net, graph);
    net->inputs = PG_ARENA_ARRAY(&session->arena, pg_str, graph->n_inputs);
    for (size_t i = 0; i < graph->n_inputs; i++)
        add_input(net, graph->inputs[i].name);
    net->n_outputs = graph->n_outputs;
    net->outputs = PG_ARENA_ARRAY(&session->arena, pg_str, graph->n_outputs);
    for (size_t i = 0; i < graph->n_outputs; i++)
        net->outputs[i] = graph->outputs[i].name;
    if (status == NULL)
        status = finish_net(net, (body){graph->name, graph->nodes, graph->n_nodes});
    if (status != NULL) {
        pg_net_free(net);
        return status;
    }
    *out = net;
    return NULL;
}

pg_net *pg_net_build_parts(pg_session *session, const pg_net_node *chain)
{
    pg_net *net = new_net(session, NULL, NULL, 0, NULL);
    net->as_written = true;
    net->inputs = PG_ARENA_ARRAY(&session->arena, pg_str, chain->node.n_inputs);
    for (size_t i = 0; i < chain->node.n_inputs; i++)
        add_input(net, chain->node.inputs[i]);
    net->n_outputs = chain->node.n_outputs;
    net->outputs = PG_ARENA_ARRAY(&session->arena, pg_str, net->n_outputs);
    for (size_t i = 0; i < chain->n_parts; i++) {
        pg_net_node *part = PG_ARENA_NEW(&session->arena, pg_net_node);
        *part = *chain->parts[i];
        part->removed = false;
        part->position = i;
        PG_VEC_PUSH(&net->nodes, part);
        pg_net_add_value(net, part->node.outputs[0])->producer = part;
        pg_net_add_uses(net, part);
    }
    for (size_t i = 0; i < net->n_outputs; i++) {
        net->outputs[i] = chain->node.outputs[i];
        pg_net_find(net, net->outputs[i])->is_output = true;
    }
    return net;
}

pg_status pg_net_build_function(pg_session *session, const pg_attr_scope *attrs, pg_net **out)
{
    const pg_function *function = attrs->function;
    pg_net *net = new_net(session, NULL, attrs, function->n_opsets, function->opsets);
    net->inputs = PG_ARENA_ARRAY(&session->arena, pg_str, function->n_inputs);
    for (size_t i = 0; i < function->n_inputs; i++)
        add_input(net, function->inputs[i]);
    net->n_outputs = function->n_outputs;
    net->outputs = PG_ARENA_ARRAY(&session->arena, pg_str, function->n_outputs);
    for (size_t i = 0; i < function->n_outputs; i++)
        net->outputs[i] = function->outputs[i];
    pg_status status = finish_net(net, (body){function->name, function->nodes, function->n_nodes});
    if (status != NULL) {
        pg_net_free(net);
        return status;
    }
    *out = net;
    return NULL;
}
