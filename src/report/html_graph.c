/* The graph of the model, its boxes coloured by the error of what they make. */
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/vec.h"
#include "compare/plot/plot.h"
#include "draw/draw.h"
#include "report/internal.h"
#include "tensor/number_text.h"

/* The worst that was found about one tensor, over all pairs and iterations. */
typedef struct finding {
    const char *tensor;
    bool failed, has_value;
    double value;
    size_t row; /* of the table, where this was found */
} finding;

struct pg_html_graph {
    const pg_report *report;
    const pg_graph *graph;
    pg_map makers; /* tensor -> its node */
    pg_map index;  /* tensor -> place in findings + 1 */
    PG_VEC(finding) findings;
    pg_compare_function function; /* whose numbers give the colours */
    const pg_metric *metric;      /* of that function; NULL: the largest absolute error */
    pg_drawing drawing;
    pg_plot_scale scale;
    bool has_scale;
};

/* ---- What was found ---- */

/* Colours mean one thing: the first function that gives a number per output. */
static bool choose_function(pg_html_graph *graph)
{
    size_t n_pairs;
    const pg_pair_comparison *pairs = pg_report_pairs(graph->report, &n_pairs);
    for (size_t p = 0; p < n_pairs; p++)
        for (size_t f = 0; pairs[p].count > 0 && f < pairs[p].iterations[0].n_functions; f++) {
            graph->function = pairs[p].iterations[0].functions[f].function;
            graph->metric = pg_metric_of(graph->function);
            if (graph->metric != NULL || graph->function == PG_COMPARE_SIMPLE)
                return true;
        }
    return false;
}

static bool is_worse(const pg_html_graph *graph, double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && !isnan(b);
    return graph->metric != NULL && graph->metric->higher_is_better ? a < b : a > b;
}

static void add_finding(void *context, size_t row, size_t iteration, const pg_output_comparison *output)
{
    pg_html_graph *graph = context;
    uintptr_t place = (uintptr_t)pg_map_find(&graph->index, pg_str_c(output->name0));
    (void)iteration;
    if (place == 0) {
        PG_VEC_PUSH(&graph->findings, ((finding){.tensor = output->name0, .row = row}));
        place = graph->findings.len;
        pg_map_put(&graph->index, pg_str_c(output->name0), (void *)place);
    }
    finding *found = &graph->findings.items[place - 1];
    if (!output->passed && !found->failed) {
        found->failed = true;
        found->row = row;
    }
    if (output->function != graph->function || output->problem != PG_COMPARED || output->dtype0 == PG_STRING)
        return;
    double value = graph->metric != NULL ? output->value : output->abs.max;
    if (!found->has_value || is_worse(graph, value, found->value)) {
        found->value = value;
        found->has_value = true;
        found->row = !output->passed || !found->failed ? row : found->row;
    }
}

static void collect(pg_html_graph *graph)
{
    size_t n_pairs, row = 0;
    const pg_pair_comparison *pairs = pg_report_pairs(graph->report, &n_pairs);
    choose_function(graph);
    for (size_t p = 0; p < n_pairs; p++)
        row = pg_report_visit(&pairs[p], row, add_finding, graph);
}

pg_html_graph *pg_html_graph_new(const pg_report *report)
{
    if (report->graph_of == NULL)
        return NULL;
    pg_html_graph *graph = PG_NEW(pg_html_graph);
    graph->report = report;
    graph->graph = report->graph_of->graph;
    for (size_t i = 0; i < graph->graph->n_nodes; i++)
        for (size_t k = 0; k < graph->graph->nodes[i].n_outputs; k++)
            pg_map_put(&graph->makers, graph->graph->nodes[i].outputs[k], (void *)&graph->graph->nodes[i]);
    collect(graph);
    return graph;
}

const pg_node *pg_html_graph_node(const pg_html_graph *graph, const char *tensor)
{
    return graph != NULL ? pg_map_find(&graph->makers, pg_str_c(tensor)) : NULL;
}

void pg_html_graph_free(pg_html_graph *graph)
{
    if (graph == NULL)
        return;
    pg_map_deinit(&graph->makers);
    pg_map_deinit(&graph->index);
    PG_VEC_FREE(&graph->findings);
    pg_drawing_deinit(&graph->drawing);
    free(graph);
}

/* ---- Colours ---- */

static const uint8_t exact_colour[3] = {0xd5, 0xf0, 0xdd}, unknown_colour[3] = {0xff, 0xff, 0xff};

/* Over the values that are neither 0 nor infinite. */
static void make_scale(pg_html_graph *graph)
{
    double low = INFINITY, high = 0;
    for (size_t i = 0; i < graph->findings.len; i++) {
        double value = fabs(graph->findings.items[i].value);
        if (!graph->findings.items[i].has_value || !isfinite(value) || value == 0)
            continue;
        low = fmin(low, value);
        high = fmax(high, value);
    }
    graph->has_scale = low <= high;
    if (low == high) /* one value: in the middle */
        low /= 10, high = fmin(high * 10, 1e308);
    graph->scale = (pg_plot_scale){low, high, true};
}

static void colour_of(const pg_html_graph *graph, const finding *found, uint8_t rgb[3])
{
    bool higher = graph->metric != NULL && graph->metric->higher_is_better;
    double value = fabs(found->value);
    if (!found->has_value)
        memcpy(rgb, unknown_colour, 3);
    else if (isnan(value))
        memcpy(rgb, pg_plot_odd_colour, 3);
    else if (higher ? isinf(found->value) && found->value > 0 : value == 0)
        memcpy(rgb, exact_colour, 3);
    else
        pg_plot_colour(pg_plot_place(&graph->scale, isinf(value) ? graph->scale.high : value), rgb);
}

static void add_value(pg_buf *out, const finding *found)
{
    if (found->has_value)
        pg_text_g(out, found->value, 3);
    else
        pg_buf_puts(out, found->failed ? "failed" : "passed");
}

/* A box shows the worst of its tensors. */
static void colour_box(pg_html_graph *graph, pg_draw_box *box, const finding *found, const finding **shown)
{
    pg_arena *arena = &graph->drawing.arena;
    bool worse = *shown == NULL || (found->failed && !(*shown)->failed) ||
                 (found->failed == (*shown)->failed && is_worse(graph, found->value, (*shown)->value));
    box->marked = box->marked || found->failed;
    if (!worse)
        return;
    pg_buf note = {0};
    add_value(&note, found);
    *shown = found;
    colour_of(graph, found, box->colour);
    box->has_colour = true;
    box->note = pg_arena_cstr(arena, pg_buf_str(&note));
    box->link = pg_arena_printf(arena, "row%zu", found->row);
    box->tip =
        pg_arena_printf(arena, "%s\n%s: %s", box->tip != NULL ? box->tip : "", found->tensor, box->note);
    pg_buf_deinit(&note);
}

static void colour_boxes(pg_html_graph *graph)
{
    pg_drawing *drawing = &graph->drawing;
    const finding **shown = PG_ARENA_ARRAY(&drawing->arena, const finding *, drawing->n_boxes + 1);
    for (size_t i = 0; i < drawing->n_boxes; i++) {
        pg_draw_box *box = &drawing->boxes[i];
        box->has_colour = box->kind == PG_DRAW_NODE || box->kind == PG_DRAW_GROUP;
        memcpy(box->colour, unknown_colour, 3);
    }
    for (size_t i = 0; i < graph->findings.len; i++) {
        const finding *found = &graph->findings.items[i];
        const pg_node *node = pg_html_graph_node(graph, found->tensor);
        uint32_t box = node != NULL ? drawing->box_of_node[node->index] : PG_DRAW_NO_BOX;
        if (box != PG_DRAW_NO_BOX)
            colour_box(graph, &drawing->boxes[box], found, &shown[box]);
    }
}

/* ---- On the page ---- */

void pg_html_graph_add_first_failure(const pg_html_graph *graph, pg_buf *out)
{
    const pg_node *first = NULL;
    const finding *found = NULL;
    pg_buf text = {0};
    for (size_t i = 0; i < graph->findings.len; i++) {
        const pg_node *node = pg_html_graph_node(graph, graph->findings.items[i].tensor);
        if (graph->findings.items[i].failed && node != NULL &&
            (first == NULL || node->index < first->index)) {
            first = node;
            found = &graph->findings.items[i];
        }
    }
    if (first == NULL)
        return;
    pg_buf_printf(
        &text, "The first output that failed, in the order of the graph, is '%s' of node %zu, %" PG_STR_FMT,
        found->tensor, first->index, PG_STR_ARG(first->op_type));
    if (first->name.len > 0)
        pg_buf_printf(&text, " '%" PG_STR_FMT "'", PG_STR_ARG(first->name));
    pg_buf_puts(out, "<p>");
    pg_svg_escape(out, pg_buf_cstr(&text));
    pg_buf_printf(out, " (<a href=\"#row%zu\">its row</a>).</p>\n", found->row);
    pg_buf_deinit(&text);
}

static void add_legend(const pg_html_graph *graph, pg_buf *out)
{
    pg_buf_printf(out, "<p>Colours: %s%s",
                  graph->metric != NULL ? graph->metric->label : "largest absolute error",
                  graph->metric != NULL && graph->metric->higher_is_better ? " (less is worse)" : "");
    pg_buf_puts(out, ", log scale");
    pg_buf_printf(out,
                  "<span class=\"key\" style=\"background:#%02x%02x%02x\"></span>equal"
                  "<span class=\"key\" style=\"background:#fff\"></span>not compared"
                  "<span class=\"key bad\"></span>failed</p>\n",
                  exact_colour[0], exact_colour[1], exact_colour[2]);
    if (graph->has_scale)
        pg_html_colour_bar(out, &graph->scale);
}

void pg_html_graph_add(pg_html_graph *graph, pg_buf *out)
{
    pg_drawing_make(graph->graph, PG_DRAW_MOST_BOXES, &graph->drawing);
    make_scale(graph);
    colour_boxes(graph);
    pg_drawing_lay_out(&graph->drawing);
    pg_buf_puts(out, "<h2>Graph</h2>\n");
    if (graph->findings.len > 0)
        add_legend(graph, out);
    if (graph->drawing.collapsed)
        pg_buf_puts(
            out, "<p class=\"soft\">Dashed boxes stand for several nodes and show the worst of them.</p>\n");
    pg_buf_puts(out,
                "<p></p><input type=\"checkbox\" id=\"whole\"><label for=\"whole\"> all at once</label>\n"
                "<div class=\"view\">\n");
    pg_drawing_svg(&graph->drawing, &(pg_draw_style){.inside_page = true}, out);
    pg_buf_puts(out, "</div>\n");
}
