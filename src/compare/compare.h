/* Accuracy comparison: results as data first, text second.
 *
 * A comparison takes one iteration of every run at a time, compares each run with the next, logs as it goes
 * and keeps the numbers (not the tensors):
 *
 *     pg_comparison *c = pg_comparison_new(&options);
 *     PG_TRY_GOTO(st, pg_comparison_begin(c, names, n_runs));         // "Accuracy Comparison | A vs. B"
 *     while (next iteration of every run && !pg_comparison_stopped(c))
 *         PG_TRY_GOTO(st, pg_comparison_add(c, iterations, n_runs));  // "Iteration: i" and all below it
 *     pg_comparison_ragged(c, ...);                                   // when the runs' lengths differ
 *     PG_TRY_GOTO(st, pg_comparison_finish(c));                       // "Accuracy Summary | A vs. B | ..."
 *     ok = pg_comparison_passed(c);
 *     pg_comparison_free(c);
 *
 * Live runs come first, loaded ones last; pair i is (run i, run i + 1). A mismatch is a result, not an error.
 * Errors: PG_ERR_INVALID when two iterations have no output in common or an option names what does not exist,
 * PG_ERR_NO_MEMORY, PG_ERR_UNSUPPORTED for an element type that has no difference (named in the message). */
#ifndef PG_COMPARE_COMPARE_H
#define PG_COMPARE_COMPARE_H

#include "runner/runner.h"
#include "tensor/block_stats.h"

/* ---- Options ---- */

typedef enum pg_compare_function {
    PG_COMPARE_SIMPLE,
    PG_COMPARE_INDICES,
    PG_COMPARE_L2,
    PG_COMPARE_COSINE,
    PG_COMPARE_PSNR,
    PG_COMPARE_SNR,
    PG_COMPARE_PERCEPTUAL,
    PG_COMPARE_FUNCTION_COUNT
} pg_compare_function;
/* The command line's name: "simple", "l2". */
const char *pg_compare_function_name(pg_compare_function function);
/* As log lines call it: "simple", "L2 Norm". */
const char *pg_compare_function_label(pg_compare_function function);
/* What the perceptual function lacks in this version. */
extern const char pg_compare_perceptual_reason[];

typedef enum pg_error_stat {
    PG_ERROR_ELEMWISE, /* default */
    PG_ERROR_MAX,
    PG_ERROR_MEAN,
    PG_ERROR_MEDIAN,
    PG_ERROR_QUANTILE,
} pg_error_stat;
const char *pg_error_stat_name(pg_error_stat stat);
/* False when unknown; the valid names in the peer's order are "max", "mean", "median", "elemwise",
 * "quantile". */
bool pg_error_stat_parse(pg_str name, pg_error_stat *out);

/* A value for one output, or for all others when the name is empty. Where a name repeats the last one counts.
 * Numbers print as the user's type would: `integer` marks "1" against "1.0". */
typedef struct pg_output_number {
    pg_str output;
    double value;
    bool integer;
} pg_output_number;
typedef struct pg_output_numbers {
    const pg_output_number *items;
    size_t count;
} pg_output_numbers;
typedef struct pg_output_stat {
    pg_str output;
    pg_error_stat stat;
} pg_output_stat;

/* Where pictures go. */
typedef struct pg_plot_targets {
    const char *folder; /* of their files; NULL = nowhere */
    bool show;
} pg_plot_targets;

/* Absolute and relative, where the user gives none. */
#define PG_COMPARE_TOLERANCE 1e-5

/* A zeroed struct is the default: `simple`, element by element, tolerances 1e-5, shapes must match. Borrowed:
 * everything must outlive the comparison. */
typedef struct pg_compare_options {
    const pg_compare_function *functions; /* in order; none = simple */
    size_t n_functions;
    bool no_shape_check; /* permute or reshape instead of failing */
    bool fail_fast;
    bool infinities_compare_equal;
    bool all_statistics;          /* compute them even when nobody sees them, to save the results */
    pg_output_numbers rtol, atol; /* default 1e-5 */
    pg_output_numbers quantile;   /* default 0.99 */
    pg_plot_targets heatmaps;     /* of both differences of every output */
    pg_plot_targets error_plots;  /* both differences over the magnitude of the second output */
    const pg_output_stat *stats;
    size_t n_stats;
    pg_output_numbers index_tolerance; /* default 0 */
    /* Of the functions with one number per output. */
    pg_output_numbers thresholds[PG_COMPARE_FUNCTION_COUNT];
    /* The verdict is that on each metric's average over the iterations. Not with fail_fast, indices or the
     * elemwise statistic. */
    bool check_average;
    /* Keep a pg_picture of the outputs of the first iteration and of those that fail, 256 at most. */
    bool pictures;
} pg_compare_options;

/* ---- Results ---- */

/* Why an output pair was not compared number by number. */
typedef enum pg_compare_problem {
    PG_COMPARED,            /* it was */
    PG_COMPARE_SHAPES,      /* different shapes */
    PG_COMPARE_KINDS,       /* a tensor against a sequence or a map, or strings against numbers */
    PG_COMPARE_COUNTS,      /* sequences of different lengths, maps of different keys */
    PG_COMPARE_UNALIGNABLE, /* without shape check: element counts differ */
} pg_compare_problem;

/* One element of both outputs; strings have no values. */
typedef struct pg_element_diff {
    uint64_t index; /* row-major, in the (aligned) shape of the first output */
    double a, b, abs, rel;
} pg_element_diff;

/* One output of one iteration under one function. For sequences the numbers are those of the worst item. */
typedef struct pg_output_comparison {
    char *name0, *name1; /* owned */
    pg_compare_function function;
    bool passed;
    pg_compare_problem problem;
    pg_dtype dtype0, dtype1; /* PG_UNDEFINED for a sequence or map */
    uint16_t rank;           /* and dims of the first output as compared */
    int64_t dims[PG_MAX_RANK];
    uint64_t count; /* elements */
    uint64_t
        mismatches; /* elements beyond both tolerances (simple) or beyond the index tolerance (indices) */
    /* simple only */
    pg_error_stat stat;
    double atol, rtol;
    bool atol_integer, rtol_integer;   /* as typed */
    double error_quantile;             /* q */
    double required_abs, required_rel; /* the checked statistic: the tolerance that alone would pass */
    /* Of |a - b| and |a - b| / |b|; what was neither printed nor needed is NaN. */
    pg_value_stats abs, rel;
    struct pg_picture *picture; /* owned; NULL unless asked for */
    bool has_elements;
    pg_element_diff first, worst; /* first failing; the one farthest beyond its tolerances (NaN first) */
    double pass_atol, pass_rtol; /* either alone, the other tolerance as it is, would pass; NaN = none does */
    /* metrics only */
    bool has_value;
    double value;
    pg_output_number threshold;
    /* indices only */
    int64_t index_tolerance;
    int64_t required_index_tolerance; /* -1 when a value is missing from the other output */
} pg_output_comparison;

/* What one function says about one iteration of one pair. */
typedef struct pg_function_comparison {
    pg_compare_function function;
    bool passed;
    pg_output_comparison *outputs; /* owned; in order of the first run's outputs */
    size_t count, cap;
} pg_function_comparison;

typedef struct pg_iteration_comparison {
    bool passed;                       /* every output of every function */
    pg_function_comparison *functions; /* owned; as many as options.n_functions (1 when 0) */
    size_t n_functions;
} pg_iteration_comparison;

typedef struct pg_pair_comparison {
    char *run0, *run1;                   /* owned */
    pg_iteration_comparison *iterations; /* owned */
    size_t count, cap;
    size_t passed; /* iterations */
} pg_pair_comparison;

typedef struct pg_comparison pg_comparison;

/* ---- Comparing ---- */

pg_comparison *pg_comparison_new(const pg_compare_options *options);
void pg_comparison_free(pg_comparison *comparison); /* NULL is fine */
/* Names of the runs in order; fewer than two make no pair (nothing is compared, the verdict is true). */
PG_MUST_USE pg_status pg_comparison_begin(pg_comparison *comparison, const pg_str *names, size_t n_runs);
/* One iteration of each run; n_runs as given to begin. */
PG_MUST_USE pg_status pg_comparison_add(pg_comparison *comparison, const pg_iteration *const *iterations,
                                        size_t n_runs);
/* True after a mismatch with fail_fast: no more iterations, and finish prints no summary. */
bool pg_comparison_stopped(const pg_comparison *comparison);
/* The warning that runs ended at different iterations. A stream is what delivers iterations together: all
 * live runners are one, each loaded file is one. `ended` lists the streams that were out first. */
void pg_comparison_ragged(const pg_comparison *comparison, size_t n_streams, const size_t *ended,
                          size_t n_ended);
/* PG_ERR_INVALID when averages are to be judged and an iteration has no numbers to average. */
PG_MUST_USE pg_status pg_comparison_finish(pg_comparison *comparison);
/* All iterations of all pairs passed; with check_average: all averages, once finished. True before the first
 * iteration. */
bool pg_comparison_passed(const pg_comparison *comparison);
const pg_compare_options *pg_comparison_options(const pg_comparison *comparison);
/* The data; valid until the comparison is freed. */
const pg_pair_comparison *pg_comparison_pairs(const pg_comparison *comparison, size_t *out_count);

/* begin, add for the iterations that all runs have, ragged, finish. Each run is one stream. */
PG_MUST_USE pg_status pg_comparison_run(pg_comparison *comparison, const pg_run_results *results);

/* ---- Validation ---- */

typedef struct pg_validation_options {
    bool check_nan, check_inf; /* --validate sets both */
    bool fail_fast;
} pg_validation_options;

/* What is wrong with one output. */
typedef struct pg_validity {
    uint64_t n_nan, n_inf;
    uint64_t first_nan, first_inf; /* row-major index; meaningful when the count is not 0 */
} pg_validity;
/* Only floating-point and complex elements can be wrong; sequences and maps count over all their tensors, as
 * if they were one after the other. */
pg_validity pg_validity_scan(const pg_value *value);

/* Logs and judges every output of an iteration; stops at the first bad one with fail_fast. `index` is printed
 * ("Iteration 3 | ") unless it is SIZE_MAX. */
PG_MUST_USE pg_status pg_validate_iteration(pg_str runner, const pg_iteration *iteration, size_t index,
                                            const pg_validation_options *options, bool *out_valid);
/* Materialised results, with the enclosing lines and the verdict. */
PG_MUST_USE pg_status pg_validate_results(const pg_run_results *results, const pg_validation_options *options,
                                          bool *out_valid);

/* ---- Post-processing ---- */

/* Keep the indices of the k largest elements along an axis of one output (or of all others when the name is
 * empty). */
typedef struct pg_top_k {
    pg_str output;
    int64_t k;
    int64_t axis; /* negative counts from the end; -1 is the default of the command line */
} pg_top_k;
/* Replaces outputs by int64 indices: descending, equal elements in their order, NaN last, k clamped to the
 * axis. Outputs without an entry stay, as do those whose k is 0. PG_ERR_INVALID for an axis outside the rank
 * or a negative k. */
PG_MUST_USE pg_status pg_postprocess_top_k(pg_iteration *iteration, const pg_top_k *items, size_t count);

#endif
