/* Watching one run of the engine: where the first NaN or Inf comes from, and which tensors would not survive
 * in a smaller type.
 *
 *     pg_watch *watch = pg_watch_new();
 *     pg_session_observe(session, pg_watch_observer(watch));
 *     PG_TRY(pg_session_run(session, feed, &outputs));
 *     ... pg_watch_report(watch) ...
 *
 * Make the session with no_optimization, so that every node of the model is seen as it is written. */
#ifndef PG_NATIVE_WATCH_H
#define PG_NATIVE_WATCH_H

#include "native/native.h"

/* The types that a tensor is judged for. */
typedef enum pg_watch_type {
    PG_WATCH_F16,
    PG_WATCH_BF16,
    PG_WATCH_F8E4M3FN,
    PG_WATCH_F8E5M2,
    PG_WATCH_INT8, /* symmetric, scaled to the largest magnitude */
    PG_WATCH_TYPES
} pg_watch_type;
const char *pg_watch_type_name(pg_watch_type type); /* "fp16", "bf16", "fp8-e4m3", "fp8-e5m2", "int8" */
/* "fp8" stands for both 8-bit floats. Sets bits (1 << type); false for an unknown name. */
bool pg_watch_type_parse(pg_str name, unsigned *out_bits);

/* One floating-point tensor, over all times its node ran. A model input or weight has no operator; it is
 * looked at when a node reads it first. */
typedef struct pg_watch_row {
    pg_str tensor, node, op_type;
    pg_dtype dtype;
    uint64_t count, n_nan, n_inf; /* elements seen */
    double min, max;              /* of the finite ones; 0 when there are none */
    double smallest;              /* least non-zero magnitude; 0 when there is none */
    uint64_t
        overflow[PG_WATCH_TYPES]; /* finite elements that round to Inf (8-bit e4m3: beyond its largest) */
    uint64_t underflow[PG_WATCH_TYPES]; /* non-zero elements that round to 0 */
} pg_watch_row;

typedef struct pg_watch pg_watch;
pg_watch *pg_watch_new(void);
void pg_watch_free(pg_watch *watch);
const pg_observer *pg_watch_observer(const pg_watch *watch);
/* In the order in which the tensors were first read or computed. */
size_t pg_watch_count(const pg_watch *watch);
const pg_watch_row *pg_watch_row_at(const pg_watch *watch, size_t i);
/* The first tensor with a NaN or Inf whose node had only finite inputs; NULL when there is none. */
const pg_watch_row *pg_watch_first_bad(const pg_watch *watch);
/* Rows with any overflow in a type of `types`, or with more than `fraction` of the elements lost to zero. */
bool pg_watch_row_is_risky(const pg_watch_row *row, unsigned types, double fraction);

#endif
