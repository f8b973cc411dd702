/* `inspect model --save-visual`: the model as one page. Readable without scripts; the script adds searching,
 * zooming and jumping between list and picture. */
#include "base/alloc.h"
#include "base/map.h"
#include "base/vec.h"
#include "compare/plot/plot.h"
#include "draw/internal.h"
#include "draw/page_parts.h"
#include "onnx/text.h"

enum { MOST_PICTURES = 64, MOST_DEPTH = 32 };

/* A graph to show: the model's own, one inside a node, or the body of a function. */
typedef struct shown {
    const pg_graph *graph;
    const char *title;
} shown;

typedef struct page {
    pg_buf *out;
    pg_arena arena;
    PG_VEC(shown) graphs;
    pg_map types; /* of the tensors of one graph: name -> text */
} page;

static void add_text(page *p, pg_str text)
{
    pg_svg_escape(p->out, pg_arena_cstr(&p->arena, text));
}

static void add_cell(page *p, pg_str text)
{
    pg_buf_puts(p->out, "<td>");
    add_text(p, text);
    pg_buf_puts(p->out, "</td>");
}

/* ---- What there is to show ---- */

static void collect(page *p, const pg_graph *graph, const char *title, size_t depth)
{
    PG_VEC_PUSH(&p->graphs, ((shown){graph, title}));
    for (size_t i = 0; i < graph->n_nodes && depth < MOST_DEPTH; i++)
        for (size_t k = 0; k < graph->nodes[i].n_attrs; k++) {
            const pg_node *node = &graph->nodes[i];
            const pg_attr *attr = &node->attrs[k];
            if (attr->type != PG_ATTR_GRAPH || attr->graph == NULL)
                continue;
            pg_str name = node->name.len > 0 ? node->name : node->op_type;
            collect(p, attr->graph,
                    pg_arena_printf(&p->arena, "%s \u203A %" PG_STR_FMT " %" PG_STR_FMT, title,
                                    PG_STR_ARG(name), PG_STR_ARG(attr->name)),
                    depth + 1);
        }
}

static const pg_value_info *infos_of(page *p, const pg_str *names, size_t count)
{
    pg_value_info *infos = PG_ARENA_ARRAY(&p->arena, pg_value_info, count + 1);
    for (size_t i = 0; i < count; i++)
        infos[i].name = names[i];
    return infos;
}

static void collect_function(page *p, const pg_function *function)
{
    pg_graph *body = PG_ARENA_NEW(&p->arena, pg_graph);
    *body = (pg_graph){.name = function->name,
                       .n_nodes = function->n_nodes,
                       .nodes = function->nodes,
                       .n_inputs = function->n_inputs,
                       .inputs = infos_of(p, function->inputs, function->n_inputs),
                       .n_outputs = function->n_outputs,
                       .outputs = infos_of(p, function->outputs, function->n_outputs),
                       .n_value_infos = function->n_value_infos,
                       .value_infos = function->value_infos};
    collect(p, body,
            pg_arena_printf(&p->arena, "function %" PG_STR_FMT ".%" PG_STR_FMT, PG_STR_ARG(function->domain),
                            PG_STR_ARG(function->name)),
            0);
}

/* ---- Types ---- */

static const char *weight_type(page *p, const pg_weight *weight)
{
    pg_buf text = {0};
    pg_dim *dims = PG_ARENA_ARRAY(&p->arena, pg_dim, weight->rank + 1);
    for (uint32_t i = 0; i < weight->rank; i++)
        dims[i] = (pg_dim){.has_value = true, .value = weight->dims[i]};
    pg_draw_type_text(&text, &(pg_type){.kind = PG_TYPE_TENSOR,
                                        .has_shape = true,
                                        .rank = weight->rank,
                                        .dims = dims,
                                        .data_type = weight->data_type});
    char *kept = pg_arena_cstr(&p->arena, pg_buf_str(&text));
    pg_buf_deinit(&text);
    return kept;
}

static void note_infos(page *p, const pg_value_info *infos, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        pg_buf text = {0};
        pg_draw_type_text(&text, &infos[i].type);
        if (text.len > 0)
            pg_map_put(&p->types, infos[i].name, pg_arena_cstr(&p->arena, pg_buf_str(&text)));
        pg_buf_deinit(&text);
    }
}

static void note_types(page *p, const pg_graph *graph)
{
    pg_map_deinit(&p->types);
    p->types = (pg_map){0};
    note_infos(p, graph->value_infos, graph->n_value_infos);
    note_infos(p, graph->inputs, graph->n_inputs);
    note_infos(p, graph->outputs, graph->n_outputs);
    for (size_t i = 0; i < graph->n_weights; i++)
        pg_map_put(&p->types, graph->weights[i].name,
                   pg_arena_printf(&p->arena, "%s, weight", weight_type(p, &graph->weights[i])));
}

/* ---- Nodes ---- */

static void add_tensors(page *p, const char *role, const pg_str *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *type = pg_map_find(&p->types, names[i]);
        pg_buf_printf(p->out, "<tr><th>%s</th>", i == 0 ? role : "");
        add_cell(p, names[i].len > 0 ? names[i] : PG_STR("(left out)"));
        add_cell(p, pg_str_c(type));
        pg_buf_puts(p->out, "</tr>\n");
    }
}

static void add_attrs(page *p, const pg_node *node)
{
    pg_buf value = {0};
    for (size_t i = 0; i < node->n_attrs; i++) {
        const pg_attr *attr = &node->attrs[i];
        pg_buf_clear(&value);
        if (attr->ref.len > 0)
            pg_buf_printf(&value, "attribute '%" PG_STR_FMT "' of the function", PG_STR_ARG(attr->ref));
        else
            pg_attr_text(attr, &value);
        pg_buf_printf(p->out, "<tr><th>%s</th>", i == 0 ? "attributes" : "");
        add_cell(p, attr->name);
        add_cell(p, pg_buf_str(&value));
        pg_buf_puts(p->out, "</tr>\n");
    }
    pg_buf_deinit(&value);
}

static void add_node(page *p, size_t which, const pg_drawing *drawing, const pg_node *node, size_t index)
{
    uint32_t box = drawing->box_of_node[index];
    uint8_t rgb[3];
    pg_draw_op_colour(pg_arena_cstr(&p->arena, node->op_type), rgb);
    pg_buf_printf(p->out, "<details class=\"item\" id=\"g%zun%zu\"", which, index);
    if (box != PG_DRAW_NO_BOX)
        pg_buf_printf(p->out, " data-box=\"g%zun%zu\"", which, drawing->boxes[box].node);
    pg_buf_printf(p->out, "><summary><b style=\"background:#%02x%02x%02x\">", rgb[0], rgb[1], rgb[2]);
    add_text(p, node->op_type);
    pg_buf_puts(p->out, "</b> ");
    add_text(p, node->name.len > 0 ? node->name : node->n_outputs > 0 ? node->outputs[0] : PG_STR_EMPTY);
    pg_buf_puts(p->out, "</summary>\n<table>\n");
    if (node->domain.len > 0) {
        pg_buf_puts(p->out, "<tr><th>domain</th>");
        add_cell(p, node->domain);
        pg_buf_puts(p->out, "<td></td></tr>\n");
    }
    add_tensors(p, "inputs", node->inputs, node->n_inputs);
    add_tensors(p, "outputs", node->outputs, node->n_outputs);
    add_attrs(p, node);
    pg_buf_puts(p->out, "</table>");
    if (node->doc.len > 0) {
        pg_buf_puts(p->out, "<pre>");
        add_text(p, node->doc);
        pg_buf_puts(p->out, "</pre>");
    }
    pg_buf_puts(p->out, "</details>\n");
}

/* ---- Graphs ---- */

static void add_infos(page *p, const char *title, const pg_value_info *infos, size_t count)
{
    if (count == 0)
        return;
    pg_buf_printf(p->out, "<h3>%s</h3>\n<table>\n", title);
    for (size_t i = 0; i < count; i++) {
        pg_buf_puts(p->out, "<tr class=\"item\">");
        add_cell(p, infos[i].name);
        add_cell(p, pg_str_c(pg_map_find(&p->types, infos[i].name)));
        pg_buf_puts(p->out, "</tr>\n");
    }
    pg_buf_puts(p->out, "</table>\n");
}

static void add_weights(page *p, const pg_graph *graph)
{
    if (graph->n_weights == 0)
        return;
    pg_buf_printf(p->out, "<h3>%zu weights</h3>\n<details><summary>list</summary><table>\n",
                  graph->n_weights);
    for (size_t i = 0; i < graph->n_weights; i++) {
        const pg_weight *weight = &graph->weights[i];
        uint64_t bytes = 0;
        pg_buf_puts(p->out, "<tr class=\"item\">");
        add_cell(p, weight->name);
        add_cell(p, pg_str_c(weight_type(p, weight)));
        if (pg_weight_bytes(weight, &bytes))
            pg_buf_printf(p->out, "<td class=\"n\">%llu bytes%s</td>", (unsigned long long)bytes,
                          weight->storage == PG_STORED_EXTERNAL ? ", in another file" : "");
        else
            pg_buf_puts(p->out, "<td></td>");
        pg_buf_puts(p->out, "</tr>\n");
    }
    pg_buf_puts(p->out, "</table></details>\n");
}

/* Constants are many and say little: they are a list of their own. */
static void add_nodes(page *p, size_t which, const pg_drawing *drawing, const pg_graph *graph)
{
    size_t n_constants = 0;
    for (size_t i = 0; i < graph->n_nodes; i++)
        n_constants += drawing->box_of_node[i] == PG_DRAW_NO_BOX;
    if (n_constants > 0) {
        pg_buf_printf(p->out, "<h3>%zu constants</h3>\n<details><summary>list</summary>\n", n_constants);
        for (size_t i = 0; i < graph->n_nodes; i++)
            if (drawing->box_of_node[i] == PG_DRAW_NO_BOX)
                add_node(p, which, drawing, &graph->nodes[i], i);
        pg_buf_puts(p->out, "</details>\n");
    }
    pg_buf_printf(p->out, "<h3>%zu nodes</h3>\n", graph->n_nodes - n_constants);
    for (size_t i = 0; i < graph->n_nodes; i++)
        if (drawing->box_of_node[i] != PG_DRAW_NO_BOX)
            add_node(p, which, drawing, &graph->nodes[i], i);
}

/* The list of a graph goes to the page at once, its picture to `pictures`. */
static void add_graph(page *p, size_t which, pg_buf *pictures)
{
    const pg_graph *graph = p->graphs.items[which].graph;
    const char *title = p->graphs.items[which].title;
    pg_drawing drawing;
    pg_drawing_make(graph, PG_DRAW_MOST_BOXES, &drawing);
    note_types(p, graph);
    pg_buf_puts(p->out, "<section>\n<h2>");
    pg_svg_escape(p->out, title);
    pg_buf_puts(p->out, "</h2>\n");
    add_infos(p, "inputs", graph->inputs, graph->n_inputs);
    add_infos(p, "outputs", graph->outputs, graph->n_outputs);
    add_weights(p, graph);
    add_nodes(p, which, &drawing, graph);
    pg_buf_puts(p->out, "</section>\n");
    if (which < MOST_PICTURES) {
        char prefix[32];
        snprintf(prefix, sizeof prefix, "g%zun", which);
        pg_drawing_lay_out(&drawing);
        pg_buf_puts(pictures, "<figure><figcaption>");
        pg_svg_escape(pictures, title);
        pg_buf_puts(pictures, drawing.collapsed ? ": dashed boxes stand for several nodes" : "");
        pg_buf_puts(pictures, "</figcaption>\n");
        pg_drawing_svg(&drawing, &(pg_draw_style){.inside_page = true, .prefix = prefix}, pictures);
        pg_buf_puts(pictures, "</figure>\n");
    }
    pg_drawing_deinit(&drawing);
}

/* ---- Head ---- */

static void add_fact(page *p, const char *head, pg_str text)
{
    if (text.len == 0)
        return;
    pg_buf_printf(p->out, "<div><span>%s</span> ", head);
    add_text(p, text);
    pg_buf_puts(p->out, "</div>\n");
}

static void add_head(page *p, const pg_model *model, const char *program)
{
    const char *path = model->path != NULL ? model->path : "model";
    pg_buf text = {0};
    pg_buf_puts(p->out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                        "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>");
    pg_svg_escape(p->out, path);
    pg_buf_printf(p->out, "</title>\n<style>\n%s%s</style>\n</head>\n<body>\n<header>\n<h1>", pg_page_style,
                  pg_draw_style_sheet);
    add_text(p, pg_path_basename(pg_str_c(path)));
    pg_buf_puts(p->out, "</h1>\n");
    add_fact(p, "file", pg_str_c(path));
    pg_buf_printf(&text, "%" PG_STR_FMT " %" PG_STR_FMT, PG_STR_ARG(model->producer_name),
                  PG_STR_ARG(model->producer_version));
    add_fact(p, "made by", pg_str_trim(pg_buf_str(&text)));
    pg_buf_clear(&text);
    for (size_t i = 0; i < model->n_opsets; i++) {
        pg_str domain = model->opsets[i].domain;
        pg_buf_printf(&text, "%s%" PG_STR_FMT " %lld", i > 0 ? ", " : "",
                      PG_STR_ARG(domain.len > 0 ? domain : PG_STR("ai.onnx")),
                      (long long)model->opsets[i].version);
    }
    add_fact(p, "operator sets", pg_buf_str(&text));
    pg_buf_clear(&text);
    pg_buf_printf(&text, "%lld", (long long)model->ir_version);
    add_fact(p, "IR version", pg_buf_str(&text));
    for (size_t i = 0; i < model->n_metadata; i++)
        add_fact(p, pg_arena_printf(&p->arena, "metadata %zu", i + 1),
                 pg_str_c(pg_arena_printf(&p->arena, "%" PG_STR_FMT " = %" PG_STR_FMT,
                                          PG_STR_ARG(model->metadata[i].key),
                                          PG_STR_ARG(pg_str_sub(model->metadata[i].value, 0, 400)))));
    add_fact(p, "note", model->doc);
    add_fact(p, "page by", pg_str_c(program));
    pg_buf_puts(p->out, "</header>\n");
    pg_buf_deinit(&text);
}

void pg_draw_page(const pg_model *model, const char *program, pg_buf *out)
{
    page p = {.out = out};
    pg_buf pictures = {0};
    pg_str name = model->graph->name;
    collect(&p, model->graph,
            pg_arena_printf(&p.arena, "graph %" PG_STR_FMT, PG_STR_ARG(name.len > 0 ? name : PG_STR(""))), 0);
    for (size_t i = 0; i < model->n_functions; i++)
        collect_function(&p, &model->functions[i]);
    add_head(&p, model, program);
    pg_buf_puts(out, "<main>\n<div class=\"list\">\n<input class=\"search\" type=\"search\" hidden "
                     "placeholder=\"search nodes, tensors, attributes\" aria-label=\"search\">\n");
    for (size_t i = 0; i < p.graphs.len; i++)
        add_graph(&p, i, &pictures);
    pg_buf_puts(
        out,
        "</div>\n<div class=\"picture\">\n<div class=\"tools\" hidden><button data-zoom=\"1.25\">+</button>"
        "<button data-zoom=\"0.8\">&minus;</button><button data-zoom=\"0\">1:1</button>"
        "<button data-zoom=\"fit\">width</button></div>\n<div class=\"room\">\n");
    pg_buf_add_str(out, pg_buf_str(&pictures));
    pg_buf_printf(out, "</div></div>\n</main>\n<script>\n%s</script>\n</body>\n</html>\n", pg_page_script);
    pg_buf_deinit(&pictures);
    pg_map_deinit(&p.types);
    PG_VEC_FREE(&p.graphs);
    pg_arena_deinit(&p.arena);
}
