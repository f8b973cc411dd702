/* Time. */
#ifndef PG_BASE_CLOCK_H
#define PG_BASE_CLOCK_H

#include <stdint.h>

/* Monotonic nanoseconds; only differences mean anything. */
uint64_t pg_clock_ns(void);
static inline double pg_clock_seconds_since(uint64_t start_ns)
{
    return (double)(pg_clock_ns() - start_ns) * 1e-9;
}

#endif
