/* Private to report/. */
#ifndef PG_REPORT_INTERNAL_H
#define PG_REPORT_INTERNAL_H

#include "compare/metric.h"
#include "report/report.h"

const char *pg_report_verdict_name(pg_report_verdict verdict); /* "passed", "failed", "error" */
/* The pairs of the comparison, none when there was no comparison. */
const pg_pair_comparison *pg_report_pairs(const pg_report *report, size_t *out_count);
bool pg_report_averages(const pg_report *report); /* judged by averages */

/* Calls `visit` with every output of every function and iteration of a pair; rows count on from `first_row`.
 * Returns the next row. */
typedef void (*pg_report_visit_fn)(void *context, size_t row, size_t iteration,
                                   const pg_output_comparison *output);
size_t pg_report_visit(const pg_pair_comparison *pair, size_t first_row, pg_report_visit_fn visit,
                       void *context);

/* One sentence on an output: what was measured and what was allowed. */
void pg_report_sentence(pg_buf *out, const pg_output_comparison *output);
/* The element to look at, and what would let it pass; nothing for an output that passed. */
void pg_report_culprit(pg_buf *out, const pg_output_comparison *output);
void pg_report_shape(pg_buf *out, const pg_output_comparison *output); /* "(1, 3)" */
const char *pg_report_type_name(pg_dtype dtype);                       /* "sequence" for PG_UNDEFINED */

/* ---- HTML pieces (html_parts.c) ---- */

struct pg_picture;
struct pg_plot_scale;
void pg_html_picture(pg_buf *out, const struct pg_picture *picture, const char *run0, const char *run1);
/* The colours of a scale with its numbers below. */
void pg_html_colour_bar(pg_buf *out, const struct pg_plot_scale *scale);
extern const char pg_html_style[], pg_html_script[];

/* ---- The graph with its errors (html_graph.c) ---- */

typedef struct pg_html_graph pg_html_graph;
/* NULL when the report has no model. Borrows the report. */
pg_html_graph *pg_html_graph_new(const pg_report *report);
/* The node that makes a tensor; NULL when none does. */
const pg_node *pg_html_graph_node(const pg_html_graph *graph, const char *tensor);
/* One sentence; nothing when no node's output failed. */
void pg_html_graph_add_first_failure(const pg_html_graph *graph, pg_buf *out);
/* Boxes link to the rows of the tables: "#row<number>". */
void pg_html_graph_add(pg_html_graph *graph, pg_buf *out);
void pg_html_graph_free(pg_html_graph *graph); /* NULL is fine */

#endif
