/* Passes that rewrite a network before it is planned. Each may change nodes and constants but must keep the
 * values of graph outputs and of values that subgraphs read. Not run with pg_native_options.no_optimization.
 */
#ifndef PG_NATIVE_OPTIMIZE_OPTIMIZE_H
#define PG_NATIVE_OPTIMIZE_OPTIMIZE_H

#include "native/internal.h"

PG_MUST_USE pg_status pg_net_widen_halves(pg_net *net);
PG_MUST_USE pg_status pg_net_fuse_codes(pg_net *net);
PG_MUST_USE pg_status pg_net_fold_affine(pg_net *net);
PG_MUST_USE pg_status pg_net_drop_idle(pg_net *net);
PG_MUST_USE pg_status pg_net_find_activations(pg_net *net);
PG_MUST_USE pg_status pg_net_find_norms(pg_net *net);
PG_MUST_USE pg_status pg_net_find_attention(pg_net *net);
PG_MUST_USE pg_status pg_net_fuse_epilogues(pg_net *net);
PG_MUST_USE pg_status pg_net_find_chains(pg_net *net);

#endif
