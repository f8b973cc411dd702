/* Accuracy results: the numbers, thresholds and verdicts of a comparison without its tensors, as they are
 * saved to be judged again by other thresholds.
 *
 * One result per comparison function; in it one pair of runs after the other, each with its iterations, each
 * with its outputs. The files are the peer's AccuracyResults, byte for byte, both ways. All memory is the
 * arena's of the pg_accuracy. */
#ifndef PG_COMPARE_ACCURACY_H
#define PG_COMPARE_ACCURACY_H

#include "compare/compare.h"
#include "compare/metric.h"

/* The numbers that `simple` leaves, in the order of the file. */
enum { PG_ACCURACY_DIFFS = 8 };
extern const char *const pg_accuracy_diff_fields[PG_ACCURACY_DIFFS];

typedef enum pg_accuracy_kind {
    PG_ACCURACY_VERDICT, /* no numbers: indices, texts, shapes that differ */
    PG_ACCURACY_SIMPLE,
    PG_ACCURACY_METRIC,
} pg_accuracy_kind;

typedef struct pg_accuracy_output {
    const char *name;
    pg_accuracy_kind kind;
    const pg_metric *metric; /* of a metric */
    bool has_verdict;        /* the verdict is stored, because no number gives it: elemwise, and no numbers */
    bool verdict;
    double values[PG_ACCURACY_DIFFS]; /* of a metric only the first */
    bool present[PG_ACCURACY_DIFFS];  /* false: null in the file */
    pg_error_stat stat;               /* of simple, as are the tolerances */
    pg_output_number atol, rtol;
    pg_output_number threshold; /* of a metric */
} pg_accuracy_output;

typedef struct pg_accuracy_iteration {
    pg_accuracy_output *items;
    size_t count;
} pg_accuracy_iteration;

typedef struct pg_accuracy_pair {
    const char *run0, *run1;
    pg_accuracy_iteration *iterations;
    size_t count;
} pg_accuracy_pair;

typedef struct pg_accuracy_result {
    pg_accuracy_pair *pairs;
    size_t count;
    bool average; /* the verdict is that on the averages over the iterations */
} pg_accuracy_result;

typedef struct pg_accuracy {
    pg_accuracy_result *items;
    size_t count;
    pg_arena arena;
} pg_accuracy;
void pg_accuracy_deinit(pg_accuracy *accuracy); /* a zeroed struct is fine */

/* Everything a comparison found. Pairs of equally named runs share their place, iteration by iteration, as in
 * the peer's files. */
void pg_accuracy_of_comparison(const pg_comparison *comparison, pg_accuracy *out);

/* PG_ERR_INVALID for a file of something else, with the byte offset. */
PG_MUST_USE pg_status pg_accuracy_load(const char *path, pg_accuracy *out);
PG_MUST_USE pg_status pg_accuracy_save(const char *path, const pg_accuracy *accuracy);

/* ---- Verdicts ---- */

/* PG_ERR_INVALID when the verdict needs a number that is not there, and for elemwise without its stored
 * verdict. */
PG_MUST_USE pg_status pg_accuracy_output_passed(const pg_accuracy_output *output, bool *out);
PG_MUST_USE pg_status pg_accuracy_iteration_passed(const pg_accuracy_iteration *iteration, bool *out);
/* Over all iterations, or over all averages. */
PG_MUST_USE pg_status pg_accuracy_result_passed(const pg_accuracy_result *result, pg_arena *arena, bool *out);
/* Each output with the average of each of its numbers. PG_ERR_INVALID when an iteration has none. */
PG_MUST_USE pg_status pg_accuracy_average(const pg_accuracy_pair *pair, pg_arena *arena,
                                          pg_accuracy_iteration *out);

/* ---- Other thresholds ---- */

/* The numbers of a result's outputs: those of `simple` (metric NULL) or of a metric; false when it has none.
 */
bool pg_accuracy_numbers(const pg_accuracy_result *result, const pg_metric **out_metric);
/* Puts the thresholds of each of the functions in place of the stored ones and drops the results of all other
 * functions, with a line that says so. PG_ERR_INVALID when a function has no results, or an output no
 * numbers. */
PG_MUST_USE pg_status pg_accuracy_rethreshold(pg_accuracy *accuracy, const pg_compare_options *options,
                                              const pg_compare_function *functions, size_t n_functions);

#endif
