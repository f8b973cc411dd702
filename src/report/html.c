/* The report as one page that needs nothing else: no network, no other file. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "compare/plot/picture.h"
#include "draw/draw.h"
#include "report/internal.h"
#include "tensor/number_text.h"

static void add_cell(pg_buf *out, const char *text)
{
    pg_buf_puts(out, "<td>");
    pg_svg_escape(out, text);
    pg_buf_puts(out, "</td>");
}

static void add_number(pg_buf *out, bool present, double value)
{
    if (!present) {
        pg_buf_puts(out, "<td class=\"n\"></td>");
        return;
    }
    pg_buf_puts(out, "<td class=\"n\" data-value=\"");
    pg_text_repr(out, value);
    pg_buf_puts(out, "\">");
    pg_text_g(out, value, 5);
    pg_buf_puts(out, "</td>");
}

static void add_heads(pg_buf *out, const char *const *heads)
{
    pg_buf_puts(out, "<thead><tr>");
    for (; *heads != NULL; heads++) /* a leading # marks a column of numbers */
        pg_buf_printf(out, "<th%s>%s</th>", **heads == '#' ? " class=\"n\"" : "", *heads + (**heads == '#'));
    pg_buf_puts(out, "</tr></thead>\n<tbody>\n");
}

/* ---- Head of the page ---- */

static void add_head(pg_buf *out, const pg_report *report)
{
    const char *verdict = pg_report_verdict_name(report->verdict);
    const char *compared = report->graph_of != NULL ? report->graph_of->path : NULL;
    const char *subject = report->model != NULL ? report->model
                          : compared != NULL    ? compared
                                                : "saved results";
    pg_buf_puts(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                     "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>");
    pg_svg_escape(out, subject);
    pg_buf_printf(out, ": %s</title>\n<style>\n%s%s</style>\n</head>\n<body>\n", verdict, pg_html_style,
                  report->graph_of != NULL ? pg_draw_style_sheet : "");
    pg_buf_printf(out, "<h1><span class=\"badge %s\">%s</span>", verdict,
                  report->verdict == PG_REPORT_PASSED   ? "PASSED"
                  : report->verdict == PG_REPORT_FAILED ? "FAILED"
                                                        : "ERROR");
    pg_svg_escape(out, subject);
    pg_buf_printf(out, "</h1>\n<div class=\"soft\">%s, %.3f s, polygraphy %s (compatible with %s)</div>\n",
                  report->started, report->seconds, report->program_version, report->peer_version);
    if (report->error != NULL) {
        pg_buf_puts(out, "<pre class=\"problem\">");
        pg_svg_escape(out, report->error);
        pg_buf_puts(out, "</pre>\n");
    }
    pg_buf_puts(out, "<pre>");
    pg_svg_escape(out, report->command);
    pg_buf_puts(out, "</pre>\n<div class=\"soft\">in ");
    pg_svg_escape(out, report->folder);
    pg_buf_puts(out, "</div>\n");
}

static void add_runs(pg_buf *out, const pg_report *report)
{
    static const char *const heads[] = {"Run",     "Runtime", "#Iterations", "#min ms", "#mean ms",
                                        "#p50 ms", "#p90 ms", "#p99 ms",     NULL};
    if (report->n_runs == 0)
        return;
    pg_buf_puts(out, "<h2>Runs</h2>\n<div class=\"scroll\"><table>\n");
    add_heads(out, heads);
    for (size_t i = 0; i < report->n_runs; i++) {
        const pg_report_run *run = &report->runs[i];
        const double times[] = {run->min, run->mean, run->p50, run->p90, run->p99};
        pg_buf_puts(out, "<tr>");
        add_cell(out, run->name);
        add_cell(out, run->runtime != NULL ? run->runtime : run->file != NULL ? run->file : "");
        pg_buf_printf(out, "<td class=\"n\">%zu</td>", run->iterations);
        for (size_t k = 0; k < sizeof times / sizeof *times; k++)
            add_number(out, run->has_latency, times[k] * 1e3);
        pg_buf_puts(out, "</tr>\n");
    }
    pg_buf_puts(out, "</tbody></table></div>\n");
}

static void add_inputs(pg_buf *out, const pg_report *report)
{
    static const char *const heads[] = {"Input", "Type", "Shape", "#min", "#max", "#mean", NULL};
    if (report->n_inputs == 0)
        return;
    pg_buf_puts(out, "<h2>Inputs of the first iteration</h2>\n<div class=\"scroll\"><table>\n");
    add_heads(out, heads);
    for (size_t i = 0; i < report->n_inputs; i++) {
        const pg_report_input *input = &report->inputs[i];
        pg_buf_puts(out, "<tr>");
        add_cell(out, input->name);
        add_cell(out, input->type);
        add_cell(out, input->shape);
        add_number(out, input->has_stats, input->min);
        add_number(out, input->has_stats, input->max);
        add_number(out, input->has_stats, input->mean);
        pg_buf_puts(out, "</tr>\n");
    }
    pg_buf_puts(out, "</tbody></table></div>\n");
}

/* ---- Comparisons ---- */

static void add_tolerance(pg_buf *out, const pg_output_comparison *output)
{
    const pg_metric *metric = pg_metric_of(output->function);
    pg_buf_puts(out, "<td class=\"w\">");
    if (metric != NULL) {
        pg_buf_puts(out, metric->higher_is_better ? "&ge; " : "&le; ");
        pg_text_g(out, output->threshold.value, 5);
        pg_buf_puts(out, metric->unit);
    } else if (output->function == PG_COMPARE_INDICES) {
        pg_buf_printf(out, "%lld places", (long long)output->index_tolerance);
    } else {
        pg_buf_puts(out, "abs ");
        pg_text_g(out, output->atol, 5);
        pg_buf_puts(out, ", rel ");
        pg_text_g(out, output->rtol, 5);
    }
    pg_buf_puts(out, "</td>");
}

enum { MOST_OPEN = 3 };

/* What the rows and details of a pair are made with. */
typedef struct pair_page {
    pg_buf *out;
    const pg_pair_comparison *pair;
    const pg_html_graph *graph;
    size_t n_open; /* details of failed outputs that are open from the start */
} pair_page;

/* Operator and place of the node that makes the output. */
static void add_node_cells(const pair_page *page, const pg_output_comparison *output)
{
    const pg_node *node = pg_html_graph_node(page->graph, output->name0);
    if (page->graph == NULL)
        return;
    if (node == NULL) {
        pg_buf_puts(page->out, "<td></td><td class=\"n\"></td>");
        return;
    }
    pg_buf op = {0};
    pg_buf_add_str(&op, node->op_type);
    add_cell(page->out, pg_buf_cstr(&op));
    pg_buf_printf(page->out, "<td class=\"n\">%zu</td>", node->index);
    pg_buf_deinit(&op);
}

static void add_row(void *context, size_t row, size_t iteration, const pg_output_comparison *output)
{
    const pair_page *page = context;
    pg_buf *out = page->out, shape = {0};
    bool compared = output->problem == PG_COMPARED, numbers = compared && output->dtype0 != PG_STRING;
    bool simple = numbers && output->function == PG_COMPARE_SIMPLE;
    bool metric = compared && pg_metric_of(output->function) != NULL;
    if (compared)
        pg_report_shape(&shape, output);
    pg_buf_printf(out, "<tr id=\"row%zu\" data-passed=\"%d\">", row, output->passed);
    add_cell(out, output->name0);
    add_node_cells(page, output);
    pg_buf_printf(out, "<td class=\"n\">%zu</td>", iteration);
    pg_buf_printf(out, "<td class=\"w\">%s</td>", pg_compare_function_label(output->function));
    pg_buf_printf(out, "<td class=\"%s\">%s</td>", output->passed ? "good" : "bad",
                  output->passed ? "passed" : "failed");
    add_cell(out, pg_report_type_name(output->dtype0));
    pg_buf_printf(out, "<td class=\"w\">%s</td>", pg_buf_cstr(&shape));
    add_number(out, metric, output->value);
    add_number(out, simple, output->abs.max);
    add_number(out, simple, output->abs.mean);
    add_number(out, simple, output->rel.max);
    add_tolerance(out, output);
    add_number(out, compared && !metric, (double)output->mismatches);
    pg_buf_puts(out, "</tr>\n");
    pg_buf_deinit(&shape);
}

static void add_detail(void *context, size_t row, size_t iteration, const pg_output_comparison *output)
{
    pair_page *page = context;
    pg_buf *out = page->out, text = {0};
    (void)row;
    if (output->picture == NULL && output->passed)
        return;
    pg_buf_printf(out, "<details data-passed=\"%d\"%s><summary>", output->passed,
                  output->passed || page->n_open >= MOST_OPEN ? "" : " open");
    page->n_open += !output->passed;
    pg_svg_escape(out, output->name0);
    if (page->pair->count > 1)
        pg_buf_printf(out, ", iteration %zu", iteration);
    pg_buf_printf(out, ", %s: %s</summary>\n<p>", pg_compare_function_label(output->function),
                  output->passed ? "passed" : "failed");
    pg_report_sentence(&text, output);
    pg_svg_escape(out, pg_buf_cstr(&text));
    pg_buf_clear(&text);
    pg_report_culprit(&text, output);
    if (text.len > 0)
        pg_buf_puts(out, "<br>");
    pg_svg_escape(out, pg_buf_cstr(&text));
    pg_buf_puts(out, "</p>\n");
    if (output->picture != NULL)
        pg_html_picture(out, output->picture, page->pair->run0, page->pair->run1);
    pg_buf_puts(out, "</details>\n");
    pg_buf_deinit(&text);
}

/* Returns the next row. */
static size_t add_table(const pair_page *page, const pg_report *report, size_t first_row)
{
    static const char *const heads[] = {"Output",    "Node",     "#Place",    "#Iteration",  "Function",
                                        "Verdict",   "Type",     "Shape",     "#Value",      "#max abs",
                                        "#mean abs", "#max rel", "Threshold", "#Mismatches", NULL};
    const pg_pair_comparison *pair = page->pair;
    pg_buf *out = page->out;
    const char *used[PG_COUNT(heads)];
    size_t n = 0;
    for (size_t i = 0; i < PG_COUNT(heads); i++)
        if (page->graph != NULL || (i != 1 && i != 2)) /* without a model there are no nodes */
            used[n++] = heads[i];
    pg_buf_puts(out, "<h2>");
    pg_svg_escape(out, pair->run0);
    pg_buf_puts(out, " vs. ");
    pg_svg_escape(out, pair->run1);
    pg_buf_printf(
        out, "</h2>\n<div class=\"soft\">%zu of %zu iterations passed%s</div>\n", pair->passed, pair->count,
        pg_report_averages(report) ? "; the verdict is that on the averages over the iterations" : "");
    pg_buf_puts(out, "<div class=\"scroll\"><table class=\"sortable\">\n");
    add_heads(out, used);
    size_t next = pg_report_visit(pair, first_row, add_row, (void *)page);
    pg_buf_puts(out, "</tbody></table></div>\n");
    return next;
}

static void add_details(pair_page *page)
{
    pg_buf_puts(page->out, "<h2>");
    pg_svg_escape(page->out, page->pair->run0);
    pg_buf_puts(page->out, " vs. ");
    pg_svg_escape(page->out, page->pair->run1);
    pg_buf_puts(page->out, ": what failed, and the first iteration</h2>\n");
    pg_report_visit(page->pair, 0, add_detail, page);
}

void pg_report_html(const pg_report *report, pg_buf *out)
{
    size_t n_pairs, row = 0;
    const pg_pair_comparison *pairs = pg_report_pairs(report, &n_pairs);
    pg_html_graph *graph = pg_html_graph_new(report);
    add_head(out, report);
    if (graph != NULL)
        pg_html_graph_add_first_failure(graph, out);
    if (n_pairs > 0)
        pg_buf_puts(
            out,
            "<p class=\"script\" hidden><label><input type=\"checkbox\" class=\"only-failed\"> only what "
            "failed</label><span class=\"soft\">A click on the head of a column sorts by it.</span></p>\n");
    for (size_t p = 0; p < n_pairs; p++)
        row = add_table(&(pair_page){out, &pairs[p], graph, 0}, report, row);
    if (graph != NULL)
        pg_html_graph_add(graph, out);
    for (size_t p = 0; p < n_pairs; p++)
        add_details(&(pair_page){out, &pairs[p], graph, 0});
    add_runs(out, report);
    add_inputs(out, report);
    pg_html_graph_free(graph);
    pg_buf_printf(out, "<script>\n%s</script>\n</body>\n</html>\n", pg_html_script);
}
