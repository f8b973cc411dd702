/* Private to compare/. */
#ifndef PG_COMPARE_INTERNAL_H
#define PG_COMPARE_INTERNAL_H

#include <pthread.h>

#include "compare/compare.h"
#include "tensor/block_stats.h"

/* ---- Tensors as blocks of numbers (values.c) ---- */

/* The type that the differences of a type are computed in: 16-bit and smaller floats become float32, 8 and
 * 16-bit integers int32, uint32 int64; bool stays. PG_UNDEFINED for strings and complex numbers. */
pg_dtype pg_cast_up(pg_dtype dtype);

/* One tensor, ready to be read in blocks of its cast-up type. Types below a byte are widened at once. */
typedef struct pg_values {
    pg_tensor tensor; /* shared */
    pg_dtype origin, type;
} pg_values;
PG_MUST_USE pg_status pg_values_init(pg_values *values, const pg_tensor *tensor);
void pg_values_deinit(pg_values *values);
/* Values [begin, begin + n): in `scratch`, or where they are. n <= PG_STAT_BLOCK. */
const void *pg_values_block(const pg_values *values, uint64_t begin, size_t n, void *scratch);
/* Element i of a block of a cast-up type: the low bits of an integer (sign extended; bool is 0 or 1), and the
 * value nearest in float64. */
uint64_t pg_block_bits(pg_dtype type, const void *block, size_t i);
double pg_block_real(pg_dtype type, const void *block, size_t i);
/* A source with this tensor as its only stream; it borrows `values`. */
pg_stat_source pg_values_source(const pg_values *values);

/* ---- Sums over a pair (moments.c) ---- */

/* As numpy computes them for a cast-up pair. All 0 without elements. */
typedef struct pg_moments {
    double sum_ab, sum_aa, sum_bb, sum_dd; /* d = a - b */
    double mean_aa, mean_dd;
    double max_a; /* NaN is passed over */
} pg_moments;
/* Both have the same number of elements. PG_ERR_UNSUPPORTED names a type without differences. */
PG_MUST_USE pg_status pg_moments_compute(const pg_tensor *a, const pg_tensor *b, pg_moments *out);

/* ---- Differences (diff.c) ---- */

/* The type of a - b: float32 when both are (or one is bool), the wider integer, float64 for everything else.
 */
pg_dtype pg_common_type(pg_dtype a, pg_dtype b);

/* What the first pass over a pair counts. */
typedef struct pg_diff_tally {
    uint64_t mismatches, first;
    bool has_nan;       /* among the mismatches */
    uint64_t worst;     /* element; with NaN the first of them */
    double worst_score; /* times its tolerance */
    double worst_abs;
    double pass_atol, pass_rtol; /* one of them, the other as it is, would let everything pass */
    bool zero_reference;         /* some element of a floating-point b is 0 */
} pg_diff_tally;

typedef struct pg_diff {
    pg_values a, b;
    pg_dtype common, abs_type, rel_type;
    bool infinities_equal;
    double atol, rtol;
    bool want_outputs; /* the source has a and b as streams 2 and 3 */
    pthread_mutex_t lock;
    pg_diff_tally tally;
} pg_diff;

/* Both have the same number of elements. PG_ERR_UNSUPPORTED names a type without differences. */
PG_MUST_USE pg_status pg_diff_init(pg_diff *diff, const pg_tensor *a, const pg_tensor *b,
                                   bool infinities_equal);
void pg_diff_deinit(pg_diff *diff);
/* Streams: |a - b|, |a - b| / |b|, and with want_outputs a and b. The pass that counts fills diff->tally. */
pg_stat_source pg_diff_source(pg_diff *diff);
void pg_diff_element(pg_diff *diff, uint64_t index, pg_element_diff *out);
/* The differences as a tensor of the given shape; for a few elements. */
PG_MUST_USE pg_status pg_diff_tensor(pg_diff *diff, bool relative, const pg_tensor *shape, pg_tensor *out);
/* Mismatching elements in order: the first and the last `limit` of them. Returns how many `out` holds. */
size_t pg_diff_mismatches(pg_diff *diff, size_t limit, uint64_t *out);

/* The float32 inner loop. */
typedef void (*pg_diff_f32_fn)(const float *a, const float *b, size_t n, float *abs, float *rel);
/* Number of elements that are over both (or NaN in both). */
typedef size_t (*pg_exceed_f32_fn)(const float *abs, const float *rel, size_t n, float atol, float rtol);
pg_diff_f32_fn pg_diff_f32(void);
pg_exceed_f32_fn pg_exceed_f32(void);

/* ---- Pairing (match.c) ---- */

/* The output of `base`'s partner that belongs to output `index` of `base`; NULL when there is none. Logs what
 * it assumed. */
const pg_named_value *pg_match_output(const pg_iteration *base, size_t index, const pg_iteration *other);
/* Makes `b` look like `a` without the shape check: reshaped, permuted, reshaped. `out` is a view or a new
 * tensor. Logs what it did. Element counts may still differ. */
PG_MUST_USE pg_status pg_match_shape(const pg_tensor *b, const pg_tensor *a, pg_tensor *out,
                                     bool *out_permuted);

/* ---- One output under one function ---- */

/* Where a comparison stands. */
typedef struct pg_compare_call {
    const pg_compare_options *options;
    const pg_iteration *iteration0, *iteration1;
    const char *run0, *run1;   /* names of the runners as the iterations state them */
    const char *pair0, *pair1; /* names of the runs */
    size_t index;              /* of the iteration */
    size_t *pictures_left;     /* how many more may be kept */
} pg_compare_call;

/* Two values to compare: outputs, or items of them. */
typedef struct pg_compare_item {
    const char *name0, *name1;
    pg_str option_name; /* the output whose options hold */
    const pg_value *value0, *value1;
    /* Statistics of both values, when a comparison computed them on the way. */
    bool has_stats;
    pg_value_stats stats0, stats1;
    /* Sums over both values as compared, once a metric computed them. */
    bool has_moments;
    pg_moments moments;
    bool has_picture; /* some function has kept one */
} pg_compare_item;

/* Compares, logs everything below the "Comparing Output" line and fills the zeroed `out` but for its names.
 */
PG_MUST_USE pg_status pg_compare_simple(const pg_compare_call *call, pg_compare_item *item,
                                        pg_output_comparison *out);
PG_MUST_USE pg_status pg_compare_indices(const pg_compare_call *call, pg_compare_item *item,
                                         pg_output_comparison *out);
PG_MUST_USE pg_status pg_compare_metric(const pg_compare_call *call, pg_compare_item *item,
                                        pg_output_comparison *out);
/* Sets out->problem, with the lines that say so, when the shapes rule a comparison out, else the shape of the
 * output. `aligned` shares or rearranges b. */
PG_MUST_USE pg_status pg_compare_align(const pg_compare_call *call, const pg_compare_item *item,
                                       pg_output_comparison *out, pg_tensor *aligned, bool *out_permuted);

/* Keeps a picture of both values as compared, when one is wanted. */
PG_MUST_USE pg_status pg_compare_keep_picture(const pg_compare_call *call, pg_compare_item *item,
                                              const pg_tensor *aligned, pg_output_comparison *out);

/* Value for an output: its own, the default entry's, or `fallback`. */
pg_output_number pg_output_number_for(pg_output_numbers numbers, pg_str output, double fallback);
pg_error_stat pg_output_stat_for(const pg_compare_options *options, pg_str output);

/* ---- The verdict on averages (average.c) ---- */

PG_MUST_USE pg_status pg_comparison_summarize_averages(const pg_comparison *comparison, bool *out_failed);

/* ---- Text (report.c) ---- */

/* " (dtype=float32, shape=(1, 4))"; sequences, maps and absent values say what they are. */
void pg_report_type(pg_buf *out, const pg_value *value);
/* "(0, 3)": an element of a tensor that has some. */
void pg_report_index(pg_buf *out, uint64_t index, const pg_tensor *shape);
void pg_report_names(pg_buf *out, const char *const *names, size_t count); /* ['a', 'b'] */
/* "1e-05" or "1", as Python's str(). */
void pg_report_number(pg_buf *out, pg_output_number number);

/* The statistics line of a tensor or a difference; below it the values of a small one and the histogram. */
typedef struct pg_stats_report {
    const char *label; /* before " | Stats: "; NULL for none */
    const pg_stat_source *source;
    size_t stream;
    const pg_value_stats *stats;
    const pg_tensor *shape;  /* of the elements */
    const pg_tensor *values; /* what to print of a small output; NULL for a large one */
    bool failed;             /* values and histogram at the default verbosity */
    bool has_range;          /* of the histogram, else the values' own */
    double low, high;
    pg_dtype range_type; /* in which low and high are numbers */
} pg_stats_report;
void pg_report_stats(const pg_stats_report *report);
/* Of one tensor, with statistics computed here unless given. */
PG_MUST_USE pg_status pg_report_tensor_stats(const char *label, const pg_tensor *tensor,
                                             const pg_value_stats *stats);
/* Both values of an item, with one histogram range, after all functions. */
PG_MUST_USE pg_status pg_report_output_stats(const pg_compare_call *call, pg_compare_item *item, bool failed);

enum { PG_REPORT_SMALL = 100, PG_REPORT_NAME_WIDTH = 35 };

/* ---- The lines of `simple` (report_simple.c) ---- */

typedef struct pg_simple_report {
    const pg_compare_call *call;
    const pg_compare_item *item;
    const pg_tensor *a, *b; /* as compared */
    pg_diff *diff;
    pg_output_number atol, rtol;
    const pg_output_comparison *result;
} pg_simple_report;
void pg_report_simple_values(const pg_simple_report *report);
void pg_report_simple_mismatches(const pg_simple_report *report);
PG_MUST_USE pg_status pg_report_simple_metrics(const pg_simple_report *report);
void pg_report_simple_verdict(const pg_simple_report *report);

#endif
