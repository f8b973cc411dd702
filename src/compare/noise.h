/* The noise floor of a model's outputs: how far rounding alone moves them, and the tolerances that follow.
 *
 * Outputs of a reference run (float64) are set against those of several runs in the model's own precision.
 * For an output with elements x of the runs and r of the reference,
 *
 *     deviation = max |x - r|,  largest = max |r|      over all runs, iterations and finite elements
 *     noise     = max(deviation / largest, 1 unit in the last place of the output's type)
 *     rtol      = multiple * noise
 *     atol      = rtol * largest, and at least the lesser of largest / 100 and 4 units in the last place of 1
 *
 * The multiple is 4: two runtimes deviate from the truth by about the same amount in different directions,
 * and that with a margin of two. It is 16 when fewer than 300 elements were compared, since few draws say
 * little about the largest. The least atol allows for functions that saturate: runtimes compute Sigmoid, Tanh
 * and Softmax to within a unit of 1, also where their results are far below 1. Both tolerances are rounded up
 * to two digits. An integer output must be equal, unless rounding alone changed it. */
#ifndef PG_COMPARE_NOISE_H
#define PG_COMPARE_NOISE_H

#include "tensor/value.h"

typedef struct pg_noise_output {
    char *name; /* owned */
    pg_dtype dtype;
    uint64_t compared, changed; /* elements; those that are not equal */
    double deviation, largest;
    const char *unmeasured; /* why there are no tolerances, as the end of a sentence; NULL: there are */
} pg_noise_output;

typedef struct pg_noise {
    pg_noise_output *items;
    size_t count, cap;
} pg_noise;

/* One iteration of the reference and of one run. Outputs are found by name. */
PG_MUST_USE pg_status pg_noise_add(pg_noise *noise, const pg_feed *reference, const pg_feed *run);
void pg_noise_deinit(pg_noise *noise);

typedef struct pg_noise_tolerance {
    double rtol, atol;
    unsigned multiple;
    bool at_floor; /* one unit in the last place counts, not the deviation */
    bool at_unit;  /* atol is at its least */
} pg_noise_tolerance;
/* For a measured output. */
pg_noise_tolerance pg_noise_tolerance_of(const pg_noise_output *output);

#endif
