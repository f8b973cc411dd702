/* Tactics: the ways to compute a layer.
 *
 * A kernel that has several ways says on every run which of them it offers for these shapes, and which one it
 * used (pg_op_offer). It goes by its own rule unless the session's owner chose one (pg_op.tactic): then it
 * prepares and runs that one, as long as the weights, the shapes and this machine allow it, and falls back to
 * its rule where they do not. All tactics of a layer compute the same sums, rounded in another order. */
#ifndef PG_NATIVE_TACTIC_H
#define PG_NATIVE_TACTIC_H

#include "base/str.h"

/* These numbers are stored in files: they are never given to another way of computing. */
typedef enum pg_tactic_id {
    PG_TACTIC_RULE = 0,   /* what the kernel's own rule takes; the only way of most kernels */
    PG_TACTIC_TAPS = 1,   /* convolution: a product per position of the kernel, on the image as it lies */
    PG_TACTIC_GATHER = 2, /* ... one product, over windows that are gathered first */
    PG_TACTIC_DEPTHWISE = 3,
    PG_TACTIC_WINOGRAD = 4,
    PG_TACTIC_PACKED = 5, /* matrix product with a packed matrix */
    PG_TACTIC_ONEDNN = 6,
    PG_TACTICS
} pg_tactic_id;

/* Where its code comes from: what --tactic-sources chooses among. */
typedef enum pg_tactic_source {
    PG_SOURCE_NATIVE, /* always there */
    PG_SOURCE_WINOGRAD,
    PG_SOURCE_ONEDNN,
    PG_TACTIC_SOURCES
} pg_tactic_source;

/* Sets of tactics and of sources. */
#define PG_TACTIC_BIT(tactic) (1u << (tactic))

/* "winograd"; "default" for PG_TACTIC_RULE. */
const char *pg_tactic_name(pg_tactic_id tactic);
bool pg_tactic_find(pg_str name, pg_tactic_id *out);
pg_tactic_source pg_tactic_source_of(pg_tactic_id tactic);
/* "WINOGRAD" */
const char *pg_tactic_source_name(pg_tactic_source source);
/* Without regard to case. */
bool pg_tactic_source_find(pg_str name, pg_tactic_source *out);

#endif
