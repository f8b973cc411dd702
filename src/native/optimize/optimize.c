/* The passes over a network, in order. A pass is one file here and one row below. */
#include "native/optimize/optimize.h"

typedef pg_status (*pass)(pg_net *net);

static const pass passes[] = {
    pg_net_fold_but_codes, pg_net_find_activations, pg_net_fuse_codes,     pg_net_fold,
    pg_net_widen_halves,   pg_net_drop_idle,        pg_net_fold_affine,    pg_net_find_activations,
    pg_net_find_norms,     pg_net_find_attention,   pg_net_fuse_epilogues, pg_net_find_chains,
};

pg_status pg_net_optimize(pg_net *net)
{
    /* The reference computes what the model says, node by node. */
    if (net->session->options.no_optimization)
        return pg_net_widen_halves(net);
    if (net->session->options.float64)
        return pg_net_fold(net);
    for (size_t i = 0; i < PG_COUNT(passes); i++)
        PG_TRY(passes[i](net));
    return NULL;
}
