/* A pool of threads for loops. One pool per process; the caller's thread works too. */
#ifndef PG_BASE_THREADS_H
#define PG_BASE_THREADS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Processors this process may use: the affinity mask, lowered by the CPU quotas of its control groups. At least 1. */
unsigned pg_cpu_count(void);

/* Adds the processor's model name, or "unknown". */
void pg_cpu_name(pg_buf *out);

/* Sets how many threads loops use, the caller's included; 0 = pg_cpu_count(). Call before the first loop or
 * between loops, from the main thread only. */
void pg_threads_set(unsigned count);
unsigned pg_threads(void);

/* In a copy of the process made by fork, which has no threads but the caller's: forgets the others. */
void pg_threads_forked(void);

/* Calls body(context, begin, end) on disjoint ranges that cover [0, count), each at least `grain` long except
 * the last; returns when all are done. With one thread, or count <= grain, it is one plain call. A loop
 * started inside a loop runs on its own thread only. */
typedef void (*pg_loop_fn)(void *context, size_t begin, size_t end);
void pg_parallel_for(size_t count, size_t grain, pg_loop_fn body, void *context);

#endif
