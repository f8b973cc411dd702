#include "delta/internal.h"

#include <stdlib.h>

#include "onnx/wire.h"

/* ---- Attributes ---- */

static void put_tensor_head(pg_buf *out, const pg_weight *weight)
{
    pg_type type = {.kind = PG_TYPE_TENSOR, .data_type = weight->data_type};
    pg_dim *dims = pg_calloc(weight->rank + 1, sizeof *dims);
    for (uint32_t i = 0; i < weight->rank; i++)
        dims[i] = (pg_dim){.has_value = true, .value = weight->dims[i]};
    type.has_shape = true;
    type.rank = weight->rank;
    type.dims = dims;
    pg_delta_type_text(out, &type);
    free(dims);
}

enum { MOST_LISTED = 32 };

static void put_element(pg_buf *out, const pg_attr *attr, size_t i)
{
    char number[PG_JSON_NUMBER_SIZE];
    switch (attr->type) {
    case PG_ATTR_FLOATS:
        pg_json_f32_text(attr->floats[i], number);
        pg_buf_puts(out, number);
        break;
    case PG_ATTR_INTS:
        pg_buf_printf(out, "%lld", (long long)attr->ints[i]);
        break;
    case PG_ATTR_STRINGS:
        pg_buf_printf(out, "'%" PG_STR_FMT "'", PG_STR_ARG(attr->strings[i]));
        break;
    default:
        put_tensor_head(out, &attr->tensor[i]);
    }
}

static void put_list(pg_buf *out, const pg_attr *attr)
{
    pg_buf_putc(out, '[');
    for (size_t i = 0; i < attr->count && i < MOST_LISTED; i++) {
        pg_buf_puts(out, i > 0 ? ", " : "");
        put_element(out, attr, i);
    }
    pg_buf_puts(out, attr->count > MOST_LISTED ? ", ...]" : "]");
}

static void put_value(pg_buf *out, const pg_attr *attr)
{
    char number[PG_JSON_NUMBER_SIZE];
    if (attr->ref.len > 0) {
        pg_buf_printf(out, "the function's '%" PG_STR_FMT "'", PG_STR_ARG(attr->ref));
        return;
    }
    switch (attr->type) {
    case PG_ATTR_FLOAT:
        pg_json_f32_text(attr->f, number);
        pg_buf_puts(out, number);
        break;
    case PG_ATTR_INT:
        pg_buf_printf(out, "%lld", (long long)attr->i);
        break;
    case PG_ATTR_STRING:
        pg_buf_printf(out, "'%" PG_STR_FMT "'", PG_STR_ARG(attr->s));
        break;
    case PG_ATTR_TENSOR:
        put_tensor_head(out, attr->tensor);
        break;
    case PG_ATTR_FLOATS:
    case PG_ATTR_INTS:
    case PG_ATTR_STRINGS:
    case PG_ATTR_TENSORS:
        put_list(out, attr);
        break;
    case PG_ATTR_GRAPH:
    case PG_ATTR_GRAPHS:
        pg_buf_puts(out, "a graph");
        break;
    default:
        pg_buf_puts(out, "a value");
    }
}

/* Of one type; graphs and tensors are compared elsewhere. */
static bool same_message(const pg_attr *a, const pg_attr *b)
{
    pg_buf left = {0}, right = {0};
    pg_wire_write_buf(a->wire, &left);
    pg_wire_write_buf(b->wire, &right);
    bool same = pg_str_eq(pg_buf_str(&left), pg_buf_str(&right));
    pg_buf_deinit(&left);
    pg_buf_deinit(&right);
    return same;
}

static bool same_strings(const pg_attr *a, const pg_attr *b)
{
    for (size_t i = 0; i < a->count; i++)
        if (!pg_str_eq(a->strings[i], b->strings[i]))
            return false;
    return true;
}

static bool same_value(const pg_attr *a, const pg_attr *b)
{
    if (!pg_str_eq(a->ref, b->ref) || a->count != b->count)
        return false;
    switch (a->type) {
    case PG_ATTR_FLOAT:
        return memcmp(&a->f, &b->f, sizeof a->f) == 0;
    case PG_ATTR_INT:
        return a->i == b->i;
    case PG_ATTR_STRING:
        return pg_str_eq(a->s, b->s);
    case PG_ATTR_FLOATS:
        return a->count == 0 || memcmp(a->floats, b->floats, a->count * sizeof *a->floats) == 0;
    case PG_ATTR_INTS:
        return a->count == 0 || memcmp(a->ints, b->ints, a->count * sizeof *a->ints) == 0;
    case PG_ATTR_STRINGS:
        return same_strings(a, b);
    default:
        return same_message(a, b);
    }
}

/* A node without a name is called by its place. */
static pg_str label_of(pg_delta *diff, const pg_node *node)
{
    if (node->name.len > 0)
        return node->name;
    return pg_str_c(
        pg_arena_printf(&diff->arena, "#%zu (%" PG_STR_FMT ")", node->index, PG_STR_ARG(node->op_type)));
}

typedef struct node_pair {
    pg_delta *diff;
    pg_matching *m;
    const pg_node *a, *b;
    pg_str where;
} node_pair;

static pg_str inner_place(const node_pair *pair, pg_str attr, size_t index, bool listed)
{
    pg_buf text = {0};
    if (pair->where.len > 0)
        pg_buf_printf(&text, "%" PG_STR_FMT "/", PG_STR_ARG(pair->where));
    pg_buf_add_str(&text, label_of(pair->diff, pair->a));
    pg_buf_printf(&text, ".%" PG_STR_FMT, PG_STR_ARG(attr));
    if (listed)
        pg_buf_printf(&text, "[%zu]", index);
    pg_str place = pg_arena_str(&pair->diff->arena, pg_buf_str(&text));
    pg_buf_deinit(&text);
    return place;
}

static pg_status compare_bodies(const node_pair *pair, const pg_graph *a, const pg_graph *b, pg_str where)
{
    pg_side left, right;
    pg_side_of_graph(pair->m->a->model, a, &pair->diff->arena, &left);
    pg_side_of_graph(pair->m->b->model, b, &pair->diff->arena, &right);
    left.outer = pair->m->a;
    right.outer = pair->m->b;
    pg_status status = pg_delta_sides(pair->diff, pair->m, &left, &right, where);
    pg_side_deinit(&left);
    pg_side_deinit(&right);
    return status;
}

static pg_status compare_constants(const node_pair *pair, const pg_attr *a, const pg_attr *b)
{
    bool equal;
    pg_buf detail = {0};
    pg_delta_numbers numbers;
    pg_status status = pg_delta_tensors(pair->m->a->model, a->tensor, pair->m->b->model, b->tensor, &equal,
                                        &detail, &numbers);
    if (status == NULL && !equal) {
        pg_delta_item *item = pg_delta_add(pair->diff, PG_DELTA_NODE, PG_DELTA_CHANGED, true, pair->where,
                                           label_of(pair->diff, pair->a), "attribute '%" PG_STR_FMT "': %s",
                                           PG_STR_ARG(a->name), pg_buf_cstr(&detail));
        item->has_numbers = numbers.count > 0;
        item->numbers = numbers;
    }
    pg_buf_deinit(&detail);
    return status;
}

static pg_status compare_attr(const node_pair *pair, const pg_attr *a, const pg_attr *b)
{
    bool same_kind = a->type == b->type && a->ref.len == 0 && b->ref.len == 0;
    if (same_kind && a->type == PG_ATTR_GRAPH && a->graph != NULL && b->graph != NULL)
        return compare_bodies(pair, a->graph, b->graph, inner_place(pair, a->name, 0, false));
    if (same_kind && a->type == PG_ATTR_TENSOR && a->tensor != NULL && b->tensor != NULL)
        return compare_constants(pair, a, b);
    if (same_kind && a->type == PG_ATTR_GRAPHS && a->count == b->count) {
        for (size_t i = 0; i < a->count; i++)
            PG_TRY(compare_bodies(pair, a->graphs[i], b->graphs[i], inner_place(pair, a->name, i, true)));
        return NULL;
    }
    if (a->type == b->type && same_value(a, b))
        return NULL;
    pg_buf text = {0};
    pg_buf_printf(&text, "attribute '%" PG_STR_FMT "': ", PG_STR_ARG(a->name));
    put_value(&text, a);
    pg_buf_puts(&text, " -> ");
    put_value(&text, b);
    pg_delta_add(pair->diff, PG_DELTA_NODE, PG_DELTA_CHANGED, true, pair->where,
                 label_of(pair->diff, pair->a), "%s", pg_buf_cstr(&text));
    pg_buf_deinit(&text);
    return NULL;
}

static const pg_attr *find_attr(const pg_node *node, pg_str name)
{
    for (size_t i = 0; i < node->n_attrs; i++)
        if (pg_str_eq(node->attrs[i].name, name))
            return &node->attrs[i];
    return NULL;
}

static void add_lone_attr(const node_pair *pair, const pg_attr *attr, const char *what)
{
    pg_buf text = {0};
    pg_buf_printf(&text, "attribute '%" PG_STR_FMT "' %s: ", PG_STR_ARG(attr->name), what);
    put_value(&text, attr);
    pg_delta_add(pair->diff, PG_DELTA_NODE, PG_DELTA_CHANGED, true, pair->where,
                 label_of(pair->diff, pair->a), "%s", pg_buf_cstr(&text));
    pg_buf_deinit(&text);
}

static pg_status compare_attrs(const node_pair *pair)
{
    for (size_t i = 0; i < pair->a->n_attrs; i++) {
        const pg_attr *attr = &pair->a->attrs[i], *other = find_attr(pair->b, attr->name);
        if (other == NULL)
            add_lone_attr(pair, attr, "removed");
        else
            PG_TRY(compare_attr(pair, attr, other));
    }
    for (size_t i = 0; i < pair->b->n_attrs; i++)
        if (find_attr(pair->a, pair->b->attrs[i].name) == NULL)
            add_lone_attr(pair, &pair->b->attrs[i], "added");
    return NULL;
}

/* ---- Nodes ---- */

static pg_str input_of(const pg_node *node, size_t i)
{
    return i < node->n_inputs ? node->inputs[i] : PG_STR_EMPTY;
}

/* By name, or because both are the same computation under two names. */
static bool is_same_input(const node_pair *pair, pg_str a, pg_str b)
{
    const pg_str *other = a.len > 0 ? pg_matched(pair->m, a) : NULL;
    if (pg_str_eq(other != NULL ? *other : a, b))
        return true;
    if (a.len == 0 || b.len == 0)
        return false;
    uint64_t hash = pg_side_hash(pair->m->b, b);
    return (other != NULL && pg_side_hash(pair->m->b, *other) == hash) || pg_side_hash(pair->m->a, a) == hash;
}

static void compare_inputs(const node_pair *pair)
{
    size_t count = PG_MAX(pair->a->n_inputs, pair->b->n_inputs);
    for (size_t i = 0; i < count; i++) {
        pg_str a = input_of(pair->a, i), b = input_of(pair->b, i);
        if (!is_same_input(pair, a, b))
            pg_delta_add(pair->diff, PG_DELTA_NODE, PG_DELTA_CHANGED, true, pair->where,
                         label_of(pair->diff, pair->a), "input %zu: '%" PG_STR_FMT "' -> '%" PG_STR_FMT "'",
                         i, PG_STR_ARG(a), PG_STR_ARG(b));
    }
    for (size_t i = 0; i < PG_MAX(pair->a->n_outputs, pair->b->n_outputs); i++) {
        bool left = i < pair->a->n_outputs && pair->a->outputs[i].len > 0;
        bool right = i < pair->b->n_outputs && pair->b->outputs[i].len > 0;
        if (left != right)
            pg_delta_add(pair->diff, PG_DELTA_NODE, PG_DELTA_CHANGED, true, pair->where,
                         label_of(pair->diff, pair->a), "output %zu %s", i, left ? "removed" : "added");
    }
}

static void put_op(pg_buf *out, const pg_node *node)
{
    if (node->domain.len > 0)
        pg_buf_printf(out, "%" PG_STR_FMT "::", PG_STR_ARG(node->domain));
    pg_buf_add_str(out, node->op_type);
}

static void compare_ops(const node_pair *pair)
{
    if (pg_str_eq(pair->a->op_type, pair->b->op_type) && pg_str_eq(pair->a->domain, pair->b->domain))
        return;
    pg_buf text = {0};
    put_op(&text, pair->a);
    pg_buf_puts(&text, " -> ");
    put_op(&text, pair->b);
    pg_delta_add(pair->diff, PG_DELTA_NODE, PG_DELTA_CHANGED, true, pair->where,
                 label_of(pair->diff, pair->a), "operator: %s", pg_buf_cstr(&text));
    pg_buf_deinit(&text);
}

static void add_lone_node(pg_delta *diff, const pg_node *node, pg_str where, pg_delta_change change)
{
    pg_buf text = {0};
    pg_buf_printf(&text, "node %zu, ", node->index);
    put_op(&text, node);
    pg_delta_add(diff, PG_DELTA_NODE, change, true, where, label_of(diff, node), "%s", pg_buf_cstr(&text));
    pg_buf_deinit(&text);
}

static pg_status compare_pair(const node_pair *pair)
{
    compare_ops(pair);
    PG_TRY(compare_attrs(pair));
    compare_inputs(pair);
    if (!pg_str_eq(pair->a->name, pair->b->name))
        pg_delta_add(pair->diff, PG_DELTA_NODE, PG_DELTA_RENAMED, false, pair->where,
                     label_of(pair->diff, pair->a), "'%" PG_STR_FMT "'", PG_STR_ARG(pair->b->name));
    return NULL;
}

static pg_status compare_nodes(pg_delta *diff, pg_matching *m, pg_str where)
{
    size_t last = 0;
    bool moved = false;
    for (size_t i = 0; i < m->a->n_nodes; i++) {
        size_t j = m->to_b[i];
        if (j == SIZE_MAX) {
            add_lone_node(diff, &m->a->nodes[i], where, PG_DELTA_REMOVED);
            continue;
        }
        moved = moved || j < last;
        last = j;
        node_pair pair = {diff, m, &m->a->nodes[i], &m->b->nodes[j], where};
        PG_TRY(compare_pair(&pair));
    }
    for (size_t j = 0; j < m->b->n_nodes; j++)
        if (m->to_a[j] == SIZE_MAX)
            add_lone_node(diff, &m->b->nodes[j], where, PG_DELTA_ADDED);
    if (moved)
        pg_delta_add(diff, PG_DELTA_NODE, PG_DELTA_CHANGED, false, where, PG_STR_EMPTY,
                     "the nodes have another order");
    return NULL;
}

/* ---- Inputs, outputs, inner tensors ---- */

static void compare_types(pg_delta *diff, pg_delta_section section, const pg_matching *m, pg_str where,
                          pg_str a, pg_str b)
{
    const pg_value_info *left = pg_map_find(&m->a->types, a), *right = pg_map_find(&m->b->types, b);
    if (left == NULL || right == NULL || pg_delta_types_equal(&left->type, &right->type))
        return;
    pg_buf text = {0};
    pg_delta_type_text(&text, &left->type);
    pg_buf_puts(&text, " -> ");
    pg_delta_type_text(&text, &right->type);
    pg_delta_add(diff, section, PG_DELTA_CHANGED, true, where, a, "%s", pg_buf_cstr(&text));
    pg_buf_deinit(&text);
}

static bool is_listed(const pg_str *names, size_t count, pg_str name)
{
    for (size_t i = 0; i < count; i++)
        if (pg_str_eq(names[i], name))
            return true;
    return false;
}

typedef struct port_list {
    pg_delta_section section;
    const pg_str *a, *b;
    size_t n_a, n_b;
} port_list;

/* Inputs or outputs; names of a body's are its own affair. */
static void compare_ports(pg_delta *diff, const pg_matching *m, const port_list *ports, pg_str where)
{
    bool counts = where.len == 0, moved = false;
    for (size_t i = 0; i < ports->n_a; i++) {
        const pg_str *other = pg_map_find(&m->tensors, ports->a[i]);
        if (other == NULL || !is_listed(ports->b, ports->n_b, *other)) {
            pg_delta_add(diff, ports->section, PG_DELTA_REMOVED, true, where, ports->a[i], NULL);
            continue;
        }
        if (!pg_str_eq(ports->a[i], *other))
            pg_delta_add(diff, ports->section, PG_DELTA_RENAMED, counts, where, ports->a[i],
                         "'%" PG_STR_FMT "'", PG_STR_ARG(*other));
        moved = moved || i >= ports->n_b || !pg_str_eq(ports->b[i], *other);
        compare_types(diff, ports->section, m, where, ports->a[i], *other);
    }
    for (size_t i = 0; i < ports->n_b; i++) {
        const pg_str *other = pg_map_find(&m->back, ports->b[i]);
        if (other == NULL || !is_listed(ports->a, ports->n_a, *other))
            pg_delta_add(diff, ports->section, PG_DELTA_ADDED, true, where, ports->b[i], NULL);
    }
    if (moved && ports->n_a == ports->n_b)
        pg_delta_add(diff, ports->section, PG_DELTA_CHANGED, true, where, PG_STR_EMPTY,
                     "they have another order");
}

static void compare_inner(pg_delta *diff, const pg_matching *m, pg_str where)
{
    size_t renamed = 0;
    for (size_t i = 0; i < m->tensors.len; i++) {
        pg_str a = m->tensors.entries[i].key, b = *(const pg_str *)m->tensors.entries[i].value;
        if (pg_map_has(&m->a->weights, a) || is_listed(m->a->inputs, m->a->n_inputs, a) ||
            is_listed(m->a->outputs, m->a->n_outputs, a))
            continue;
        renamed += !pg_str_eq(a, b);
        compare_types(diff, PG_DELTA_TYPE, m, where, a, b);
    }
    if (renamed > 0)
        pg_delta_add(diff, PG_DELTA_NODE, PG_DELTA_RENAMED, false, where, PG_STR_EMPTY,
                     "%zu inner tensor(s) have other names", renamed);
}

/* ---- Weights ---- */

static pg_status compare_weight(pg_delta *diff, const pg_matching *m, pg_str where, const pg_weight *a,
                                const pg_weight *b)
{
    bool equal;
    pg_buf detail = {0};
    pg_delta_numbers numbers;
    pg_status status = pg_delta_tensors(m->a->model, a, m->b->model, b, &equal, &detail, &numbers);
    if (status == NULL && !pg_str_eq(a->name, b->name))
        pg_delta_add(diff, PG_DELTA_WEIGHT, PG_DELTA_RENAMED, false, where, a->name, "'%" PG_STR_FMT "'",
                     PG_STR_ARG(b->name));
    if (status == NULL && !equal) {
        pg_delta_item *item = pg_delta_add(diff, PG_DELTA_WEIGHT, PG_DELTA_CHANGED, true, where, a->name,
                                           "%s", pg_buf_cstr(&detail));
        item->has_numbers = numbers.count > 0;
        item->numbers = numbers;
    }
    pg_buf_deinit(&detail);
    return status;
}

static void add_lone_weight(pg_delta *diff, pg_str where, const pg_weight *weight, pg_delta_change change)
{
    pg_buf text = {0};
    put_tensor_head(&text, weight);
    pg_delta_add(diff, PG_DELTA_WEIGHT, change, true, where, weight->name, "%s", pg_buf_cstr(&text));
    pg_buf_deinit(&text);
}

static pg_status compare_weights(pg_delta *diff, const pg_matching *m, pg_str where)
{
    for (size_t i = 0; i < m->a->weights.len; i++) {
        const pg_weight *weight = m->a->weights.entries[i].value;
        const pg_str *other = pg_map_find(&m->tensors, weight->name);
        const pg_weight *partner = other != NULL ? pg_map_find(&m->b->weights, *other) : NULL;
        if (partner == NULL)
            add_lone_weight(diff, where, weight, PG_DELTA_REMOVED);
        else
            PG_TRY(compare_weight(diff, m, where, weight, partner));
    }
    for (size_t i = 0; i < m->b->weights.len; i++) {
        const pg_weight *weight = m->b->weights.entries[i].value;
        const pg_str *other = pg_map_find(&m->back, weight->name);
        if (other == NULL || !pg_map_has(&m->a->weights, *other))
            add_lone_weight(diff, where, weight, PG_DELTA_ADDED);
    }
    return NULL;
}

/* ---- Graphs ---- */

static pg_status compare_all(pg_delta *diff, pg_matching *m, pg_str where)
{
    const port_list inputs = {PG_DELTA_INPUT, m->a->inputs, m->b->inputs, m->a->n_inputs, m->b->n_inputs};
    const port_list outputs = {PG_DELTA_OUTPUT, m->a->outputs, m->b->outputs, m->a->n_outputs,
                               m->b->n_outputs};
    compare_ports(diff, m, &inputs, where);
    compare_ports(diff, m, &outputs, where);
    PG_TRY(compare_nodes(diff, m, where));
    compare_inner(diff, m, where);
    return compare_weights(diff, m, where);
}

pg_status pg_delta_sides(pg_delta *diff, pg_matching *outer, pg_side *a, pg_side *b, pg_str where)
{
    pg_matching m;
    pg_match(outer, a, b, &diff->arena, &m);
    pg_status status = compare_all(diff, &m, where);
    pg_matching_deinit(&m);
    return status;
}
