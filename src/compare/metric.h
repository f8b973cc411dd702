/* Comparison functions that reduce an output to one number: what they are called, where they pass, how they
 * print and under which names they are saved. */
#ifndef PG_COMPARE_METRIC_H
#define PG_COMPARE_METRIC_H

#include "base/buf.h"
#include "compare/compare.h"

typedef struct pg_metric {
    pg_compare_function function;
    const char *label;                          /* in log lines: "L2 Norm" */
    const char *field;                          /* in saved results: "l2_norm" */
    const char *result_class, *threshold_class; /* of saved results */
    const char *option;                         /* the peer's name for the thresholds: "l2_threshold" */
    const char *unit;                           /* " dB" or "" */
    bool higher_is_better;
    bool absent_passes; /* a value that could not be computed passes */
    double threshold;   /* default */
} pg_metric;

/* NULL for functions that are no metrics: simple and indices. */
const pg_metric *pg_metric_of(pg_compare_function function);
const pg_metric *pg_metric_of_class(pg_str result_class); /* NULL when unknown */

/* NaN never passes. */
bool pg_metric_passes(const pg_metric *metric, bool present, double value, double threshold);
/* "L2 Norm: 0.0018823 (tolerance: 1e-05) | FAILED"; with as many digits as it takes to tell a value from a
 * threshold that it misses. */
void pg_metric_text(pg_buf *out, const pg_metric *metric, double value, double threshold);

#endif
