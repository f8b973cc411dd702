/* From a graph to boxes and edges. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/vec.h"
#include "draw/internal.h"
#include "onnx/text.h"

enum { LABEL = 28, LETTER = 7, PADDING = 22, LINE = 15, LISTED_OPS = 6, MANY_OUTPUTS = 8 };

typedef PG_VEC(pg_draw_edge) edge_list;

typedef struct scene {
    const pg_graph *graph;
    pg_drawing *drawing;
    pg_map producers; /* tensor -> box + 1 */
    pg_map read;      /* tensors that nodes read */
    edge_list edges;
} scene;

/* ---- Texts ---- */

void pg_draw_type_text(pg_buf *out, const pg_type *type)
{
    static const char *const wrappers[] = {[PG_TYPE_SPARSE_TENSOR] = "sparse",
                                           [PG_TYPE_SEQUENCE] = "sequence",
                                           [PG_TYPE_MAP] = "map",
                                           [PG_TYPE_OPTIONAL] = "optional",
                                           [PG_TYPE_OPAQUE] = "opaque"};
    const char *name = pg_onnx_type_name(type->data_type);
    if (type->kind == PG_TYPE_NONE)
        return;
    if (type->kind != PG_TYPE_TENSOR)
        pg_buf_printf(out, "%s(", wrappers[type->kind]);
    if (type->kind == PG_TYPE_TENSOR || type->kind == PG_TYPE_SPARSE_TENSOR || type->kind == PG_TYPE_MAP)
        pg_buf_puts(out, name != NULL ? name : "unknown type");
    if (type->has_shape) {
        pg_buf_puts(out, " [");
        pg_dims_text(type, false, "?", out);
        pg_buf_putc(out, ']');
    }
    if (type->inner != NULL) {
        pg_buf_puts(out, type->kind == PG_TYPE_MAP ? ", " : "");
        pg_draw_type_text(out, type->inner);
    }
    if (type->kind != PG_TYPE_TENSOR)
        pg_buf_putc(out, ')');
}

static bool is_inside_character(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

static size_t characters(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++)
        count += !is_inside_character(*text);
    return count;
}

/* The end of a name says more than its beginning. */
static char *shorten(pg_arena *arena, pg_str text)
{
    size_t from = text.len > LABEL ? text.len - LABEL + 1 : 0;
    while (from > 0 && from < text.len && is_inside_character(text.ptr[from]))
        from++;
    return pg_arena_printf(arena, "%s%" PG_STR_FMT, from > 0 ? "\u2026" : "",
                           PG_STR_ARG(pg_str_sub(text, from, text.len)));
}

static char *cut_type(pg_arena *arena, pg_str text)
{
    size_t to = text.len > LABEL ? LABEL - 1 : text.len;
    while (to > 0 && to < text.len && is_inside_character(text.ptr[to]))
        to--;
    return pg_arena_printf(arena, "%" PG_STR_FMT "%s", PG_STR_ARG(pg_str_sub(text, 0, to)),
                           to < text.len ? "\u2026" : "");
}

void pg_draw_size_box(pg_draw_box *box)
{
    const char *second = box->note != NULL ? box->note : box->detail;
    size_t longest = characters(box->label), below = second != NULL ? characters(second) : 0;
    longest = PG_MAX(PG_MAX(longest, below * 6 / 7), 4);
    box->width = (double)longest * LETTER + PADDING;
    box->height = second != NULL ? 2 * LINE + 8 : LINE + 11;
}

/* ---- Boxes ---- */

static bool is_weight(const pg_graph *graph, const pg_map *weights, pg_str name)
{
    return graph->n_weights > 0 && pg_map_has(weights, name);
}

static void add_end(scene *s, pg_draw_kind kind, const pg_value_info *info)
{
    pg_draw_box *box = &s->drawing->boxes[s->drawing->n_boxes++];
    pg_arena *arena = &s->drawing->arena;
    pg_buf type = {0};
    pg_draw_type_text(&type, &info->type);
    box->kind = kind;
    box->node = SIZE_MAX;
    box->label = shorten(arena, info->name.len > 0 ? info->name : PG_STR("(no name)"));
    box->detail = type.len > 0 ? cut_type(arena, pg_buf_str(&type)) : NULL;
    box->tip = pg_arena_printf(arena, "%s %" PG_STR_FMT "\n%s", kind == PG_DRAW_INPUT ? "input" : "output",
                               PG_STR_ARG(info->name), pg_buf_cstr(&type));
    pg_buf_deinit(&type);
}

static void add_inputs(scene *s)
{
    pg_map weights = {0};
    const pg_graph *graph = s->graph;
    for (size_t i = 0; i < graph->n_weights; i++)
        pg_map_put(&weights, graph->weights[i].name, NULL);
    for (size_t i = 0; i < graph->n_inputs; i++) {
        if (is_weight(graph, &weights, graph->inputs[i].name))
            continue; /* a default value that nobody needs to give */
        add_end(s, PG_DRAW_INPUT, &graph->inputs[i]);
        pg_map_put(&s->producers, graph->inputs[i].name, (void *)s->drawing->n_boxes);
    }
    pg_map_deinit(&weights);
}

static void add_names(pg_buf *out, const char *head, const pg_str *names, size_t count)
{
    pg_buf_printf(out, "\n%s", head);
    for (size_t i = 0; i < count; i++)
        if (names[i].len > 0)
            pg_buf_printf(out, "%s%" PG_STR_FMT, i > 0 ? ", " : "", PG_STR_ARG(names[i]));
}

static void fill_node_box(pg_draw_box *box, const pg_node *node, pg_arena *arena)
{
    pg_buf tip = {0};
    pg_buf_printf(&tip, "%" PG_STR_FMT, PG_STR_ARG(node->op_type));
    if (node->name.len > 0)
        pg_buf_printf(&tip, "  %" PG_STR_FMT, PG_STR_ARG(node->name));
    add_names(&tip, "reads ", node->inputs, node->n_inputs);
    add_names(&tip, "makes ", node->outputs, node->n_outputs);
    box->kind = PG_DRAW_NODE;
    box->label = shorten(arena, node->op_type.len > 0 ? node->op_type : PG_STR("(no operator)"));
    box->tip = pg_arena_cstr(arena, pg_buf_str(&tip));
    pg_buf_deinit(&tip);
}

static int compare_counts(const void *a, const void *b)
{
    const pg_map_entry *x = a, *y = b;
    uintptr_t p = (uintptr_t)x->value, q = (uintptr_t)y->value;
    return p != q ? (p < q ? 1 : -1) : pg_str_cmp(x->key, y->key);
}

/* "12 x Conv, 11 x Relu, ..." */
static void add_ops(pg_buf *out, const pg_node *nodes, const size_t *members, size_t count)
{
    pg_map ops = {0};
    for (size_t i = 0; i < count; i++) {
        pg_str op = nodes[members[i]].op_type;
        pg_map_put(&ops, op, (void *)((uintptr_t)pg_map_find(&ops, op) + 1));
    }
    qsort(ops.entries, ops.len, sizeof *ops.entries, compare_counts);
    for (size_t i = 0; i < ops.len && i < LISTED_OPS; i++)
        pg_buf_printf(out, "%s%zu \u00D7 %" PG_STR_FMT, i > 0 ? ", " : "", (size_t)ops.entries[i].value,
                      PG_STR_ARG(ops.entries[i].key));
    pg_buf_puts(out, ops.len > LISTED_OPS ? ", \u2026" : "");
    pg_map_deinit(&ops);
}

static void fill_group_box(pg_draw_box *box, const pg_node *nodes, const size_t *members, size_t count,
                           pg_arena *arena)
{
    pg_buf tip = {0};
    pg_str first = nodes[members[0]].name, last = nodes[members[count - 1]].name;
    size_t same = 0;
    while (same < first.len && same < last.len && first.ptr[same] == last.ptr[same])
        same++;
    pg_str scope = pg_draw_scope(pg_str_sub(first, 0, same), SIZE_MAX);
    add_ops(&tip, nodes, members, count);
    box->kind = PG_DRAW_GROUP;
    box->label = scope.len > 0 ? shorten(arena, scope) : shorten(arena, nodes[members[0]].op_type);
    box->detail = pg_arena_printf(arena, "%zu nodes", count);
    box->tip =
        pg_arena_printf(arena, "%" PG_STR_FMT "\n%zu nodes: %s", PG_STR_ARG(scope), count, pg_buf_cstr(&tip));
    pg_buf_deinit(&tip);
}

/* ---- Order ---- */

static bool is_hidden(const pg_node *node, const pg_map *outputs)
{
    return pg_str_is(node->op_type, "Constant") && node->domain.len == 0 && node->n_outputs == 1 &&
           !pg_map_has(outputs, node->outputs[0]);
}

/* Nodes that are drawn, in the file's order, which is also one of producers first in a valid model. */
static size_t list_nodes(const pg_graph *graph, size_t *out)
{
    pg_map outputs = {0};
    size_t count = 0;
    for (size_t i = 0; i < graph->n_outputs; i++)
        pg_map_put(&outputs, graph->outputs[i].name, NULL);
    for (size_t i = 0; i < graph->n_nodes; i++)
        if (!is_hidden(&graph->nodes[i], &outputs))
            out[count++] = i;
    pg_map_deinit(&outputs);
    return count;
}

static void add_node_boxes(scene *s, size_t most)
{
    pg_drawing *drawing = s->drawing;
    const pg_node *nodes = s->graph->nodes;
    size_t *order = PG_ARENA_ARRAY(&drawing->arena, size_t, s->graph->n_nodes + 1);
    size_t n = list_nodes(s->graph, order);
    uint32_t *group = PG_ARENA_ARRAY(&drawing->arena, uint32_t, n + 1);
    size_t n_groups = pg_draw_collapse(nodes, order, n, most, group), base = drawing->n_boxes;
    drawing->collapsed = n_groups < n;
    for (size_t begin = 0, end; begin < n; begin = end) {
        pg_draw_box *box = &drawing->boxes[drawing->n_boxes++];
        for (end = begin; end < n && group[end] == group[begin]; end++)
            drawing->box_of_node[order[end]] = (uint32_t)(base + group[end]);
        box->node = order[begin];
        box->n_nodes = end - begin;
        if (box->n_nodes == 1)
            fill_node_box(box, &nodes[order[begin]], &drawing->arena);
        else
            fill_group_box(box, nodes, order + begin, end - begin, &drawing->arena);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < nodes[order[i]].n_outputs; k++)
            if (nodes[order[i]].outputs[k].len > 0)
                pg_map_put(&s->producers, nodes[order[i]].outputs[k],
                           (void *)(uintptr_t)(drawing->box_of_node[order[i]] + 1));
}

/* ---- Edges ---- */

static void add_edge(scene *s, pg_str tensor, size_t to)
{
    uintptr_t from = (uintptr_t)pg_map_find(&s->producers, tensor);
    pg_map_put(&s->read, tensor, NULL);
    if (from != 0 && from - 1 != to)
        PG_VEC_PUSH(&s->edges, ((pg_draw_edge){(uint32_t)(from - 1), (uint32_t)to, tensor, 1}));
}

static void add_node_edges(scene *s, const pg_node *node, size_t to);

/* What the nodes inside a node read of the outer graph. */
static void add_inner_edges(scene *s, const pg_graph *graph, size_t to)
{
    for (size_t i = 0; i < graph->n_nodes; i++)
        add_node_edges(s, &graph->nodes[i], to);
    for (size_t i = 0; i < graph->n_outputs; i++)
        add_edge(s, graph->outputs[i].name, to);
}

static void add_node_edges(scene *s, const pg_node *node, size_t to)
{
    for (size_t i = 0; i < node->n_inputs; i++)
        add_edge(s, node->inputs[i], to);
    for (size_t i = 0; i < node->n_attrs; i++) {
        const pg_attr *attr = &node->attrs[i];
        if (attr->type == PG_ATTR_GRAPH && attr->graph != NULL)
            add_inner_edges(s, attr->graph, to);
        for (size_t k = 0; attr->type == PG_ATTR_GRAPHS && k < attr->count; k++)
            add_inner_edges(s, attr->graphs[k], to);
    }
}

static bool is_read(const scene *s, pg_str tensor)
{
    return pg_map_has(&s->read, tensor);
}

static int compare_edges(const void *a, const void *b)
{
    const pg_draw_edge *x = a, *y = b;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    if (x->to != y->to)
        return x->to < y->to ? -1 : 1;
    return pg_str_cmp(x->tensor, y->tensor);
}

static void keep_edges(scene *s)
{
    pg_drawing *drawing = s->drawing;
    drawing->edges = PG_ARENA_ARRAY(&drawing->arena, pg_draw_edge, s->edges.len + 1);
    if (s->edges.len > 0)
        qsort(s->edges.items, s->edges.len, sizeof *s->edges.items, compare_edges);
    for (size_t i = 0; i < s->edges.len; i++) {
        const pg_draw_edge *edge = &s->edges.items[i];
        pg_draw_edge *last = drawing->n_edges > 0 ? &drawing->edges[drawing->n_edges - 1] : NULL;
        if (last == NULL || last->from != edge->from || last->to != edge->to)
            drawing->edges[drawing->n_edges++] = *edge;
        else if (!pg_str_eq(s->edges.items[i - 1].tensor, edge->tensor))
            last->n_tensors++;
    }
    PG_VEC_FREE(&s->edges);
}

void pg_drawing_make(const pg_graph *graph, size_t most_boxes, pg_drawing *out)
{
    *out = (pg_drawing){.n_nodes = graph->n_nodes};
    scene s = {.graph = graph, .drawing = out};
    out->boxes =
        PG_ARENA_ARRAY(&out->arena, pg_draw_box, graph->n_inputs + graph->n_nodes + graph->n_outputs + 1);
    out->box_of_node = PG_ARENA_ARRAY(&out->arena, uint32_t, graph->n_nodes + 1);
    for (size_t i = 0; i < graph->n_nodes; i++)
        out->box_of_node[i] = PG_DRAW_NO_BOX;
    add_inputs(&s);
    add_node_boxes(&s, most_boxes);
    for (size_t i = 0; i < graph->n_nodes; i++)
        if (out->box_of_node[i] != PG_DRAW_NO_BOX)
            add_node_edges(&s, &graph->nodes[i], out->box_of_node[i]);
    bool many = graph->n_outputs > MANY_OUTPUTS; /* marked ones: their nodes are enough */
    for (size_t i = 0; i < graph->n_outputs; i++) {
        if (many && is_read(&s, graph->outputs[i].name))
            continue;
        add_end(&s, PG_DRAW_OUTPUT, &graph->outputs[i]);
        add_edge(&s, graph->outputs[i].name, out->n_boxes - 1);
    }
    keep_edges(&s);
    pg_map_deinit(&s.producers);
    pg_map_deinit(&s.read);
}

void pg_drawing_deinit(pg_drawing *drawing)
{
    pg_arena_deinit(&drawing->arena);
    *drawing = (pg_drawing){0};
}
