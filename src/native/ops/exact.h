/* Sums of float64 that keep what rounding takes: the reference mode's sums are right to the last bit or so,
 * also where large terms cancel (Neumaier). */
#ifndef PG_NATIVE_OPS_EXACT_H
#define PG_NATIVE_OPS_EXACT_H

#include <math.h>
#include <stddef.h>

typedef struct exact_sum {
    double sum, lost;
} exact_sum;

static inline void exact_add(exact_sum *s, double x)
{
    const double total = s->sum + x, part = total - s->sum;
    s->lost += (s->sum - (total - part)) + (x - part);
    s->sum = total;
}

/* Adds x squared. */
static inline void exact_add_square(exact_sum *s, double x)
{
    const double square = x * x;
    s->lost += fma(x, x, -square);
    exact_add(s, square);
}

/* A sum that overflowed, Inf or NaN has no rounding error. */
static inline double exact_result(double sum, double lost)
{
    const double x = sum + lost;
    return x - x == 0 ? x : sum;
}

static inline double exact_total(const double *x, size_t n)
{
    exact_sum s = {0};
    for (size_t i = 0; i < n; i++)
        exact_add(&s, x[i]);
    return exact_result(s.sum, s.lost);
}

/* Sum of (x - mean)^2. */
static inline double exact_squares(const double *x, double mean, size_t n)
{
    exact_sum s = {0};
    for (size_t i = 0; i < n; i++)
        exact_add_square(&s, x[i] - mean);
    return exact_result(s.sum, s.lost);
}

#endif
