/* Private to report/. */
#ifndef PG_REPORT_INTERNAL_H
#define PG_REPORT_INTERNAL_H

#include "compare/metric.h"
#include "report/report.h"

const char *pg_report_verdict_name(pg_report_verdict verdict); /* "passed", "failed", "error" */
/* The pairs of the comparison, none when there was no comparison. */
const pg_pair_comparison *pg_report_pairs(const pg_report *report, size_t *out_count);
bool pg_report_averages(const pg_report *report); /* judged by averages */

/* One sentence on an output: what was measured and what was allowed. */
void pg_report_sentence(pg_buf *out, const pg_output_comparison *output);
/* The element to look at, and what would let it pass; nothing for an output that passed. */
void pg_report_culprit(pg_buf *out, const pg_output_comparison *output);
void pg_report_shape(pg_buf *out, const pg_output_comparison *output); /* "(1, 3)" */
const char *pg_report_type_name(pg_dtype dtype);                       /* "sequence" for PG_UNDEFINED */

/* ---- HTML pieces (html_parts.c) ---- */

struct pg_picture;
void pg_html_picture(pg_buf *out, const struct pg_picture *picture, const char *run0, const char *run1);
extern const char pg_html_style[], pg_html_script[];

#endif
