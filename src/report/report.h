/* Reports of a run for people and for continuous integration: one page of HTML, JUnit, SARIF, JSON.
 *
 * A pg_report borrows everything: names, the comparison, its pictures. The writers fill a buffer; nothing here
 * logs. What the files hold is described in docs/formats.md. */
#ifndef PG_REPORT_REPORT_H
#define PG_REPORT_REPORT_H

#include "base/buf.h"
#include "compare/compare.h"
#include "onnx/onnx.h"

/* The number in JSON reports; it grows when a member goes away or changes its meaning. */
enum { PG_REPORT_SCHEMA = 1 };

typedef enum pg_report_verdict {
    PG_REPORT_PASSED,
    PG_REPORT_FAILED, /* outputs differ, or are not valid */
    PG_REPORT_ERROR,  /* the work could not be done */
} pg_report_verdict;

/* A runner, or a run that was loaded. Times in seconds. */
typedef struct pg_report_run {
    const char *name;
    const char *runtime; /* "ONNX Runtime 1.31.1"; NULL for a loaded run */
    const char *file;    /* of a loaded run, else NULL */
    size_t iterations;
    bool has_latency;
    double min, mean, p50, p90, p99;
} pg_report_run;

/* One input of the first iteration. */
typedef struct pg_report_input {
    const char *name;
    const char *type; /* "float32", "sequence" */
    const char *shape;
    bool has_stats;
    double min, max, mean;
} pg_report_input;

typedef struct pg_report {
    const char *program_version, *peer_version;
    const char *command;
    const char *folder;  /* where it ran */
    const char *model;   /* NULL when only loaded runs were compared */
    const char *started; /* UTC: "2026-11-22T17:03:05Z" */
    const char *ended;
    double seconds;
    pg_report_verdict verdict;
    const char *error; /* of PG_REPORT_ERROR: what went wrong */
    const pg_report_run *runs;
    size_t n_runs;
    const pg_report_input *inputs;
    size_t n_inputs;
    const pg_model *graph_of;        /* model whose graph is drawn; NULL for none */
    const pg_comparison *comparison; /* NULL when it did not get that far */
} pg_report;

void pg_report_html(const pg_report *report, pg_buf *out);
void pg_report_junit(const pg_report *report, pg_buf *out);
void pg_report_sarif(const pg_report *report, pg_buf *out);
void pg_report_json(const pg_report *report, pg_buf *out);

#endif
