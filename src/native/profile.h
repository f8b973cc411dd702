/* Where the time of an inference goes, node by node.
 *
 *     pg_profile *profile = pg_profile_new();
 *     pg_session_observe(session, pg_profile_observer(profile));
 *     PG_TRY(pg_session_run(session, feed, &outputs));
 *     pg_profile_end_run(profile, seconds of the whole run);
 *     ... rows ...
 *
 * Nodes are those that run: a fused node stands under the name of one of its parts, a Chain under all their names. */
#ifndef PG_NATIVE_PROFILE_H
#define PG_NATIVE_PROFILE_H

#include "native/native.h"

/* A node, or all nodes of one operator. Times are sums over all runs, in seconds. */
typedef struct pg_profile_row {
    pg_str node; /* empty for an operator */
    pg_str op_type, domain;
    uint64_t nodes, calls;
    double total; /* with the nodes of its subgraphs or function body */
    double self;  /* without them; the self times of all nodes add up to the time spent in nodes */
} pg_profile_row;

typedef struct pg_profile pg_profile;
pg_profile *pg_profile_new(void);
void pg_profile_free(pg_profile *profile); /* NULL is fine */
const pg_observer *pg_profile_observer(const pg_profile *profile);
void pg_profile_end_run(pg_profile *profile, double seconds);
uint64_t pg_profile_runs(const pg_profile *profile);
double pg_profile_seconds(const pg_profile *profile); /* of all runs, as given to end_run */

/* Rows by falling self time; valid until the next run. */
const pg_profile_row *pg_profile_nodes(pg_profile *profile, size_t *out_count);
const pg_profile_row *pg_profile_operators(pg_profile *profile, size_t *out_count);

#endif
