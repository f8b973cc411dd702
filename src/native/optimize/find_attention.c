/* Attention that is spelt out, softmax(scale Q K + mask) V, becomes one node, which never holds the whole matrix
 * of scores; the transpositions that split heads and join them again become part of it. */
#include <string.h>

#include "native/optimize/match.h"
#include "native/optimize/optimize.h"

static bool has_permutation(const pg_net_node *node, int64_t a, int64_t b, int64_t c, int64_t d)
{
    const pg_attr *perm = pg_node_attr(&node->node, "perm");
    const int64_t wanted[] = {a, b, c, d};
    return perm != NULL && perm->type == PG_ATTR_INTS && perm->count == 4 &&
           memcmp(perm->ints, wanted, sizeof wanted) == 0;
}

/* The input of the transposition that makes `name` for one reader only; empty when it is another one. */
static pg_str turned_from(const pg_net *net, pg_str name, int64_t a, int64_t b, int64_t c, int64_t d)
{
    const pg_net_node *node = pg_net_only_producer(net, name);
    return node != NULL && pg_net_is(node, "Transpose") && has_permutation(node, a, b, c, d) ? net_in(node, 0)
                                                                                             : PG_STR_EMPTY;
}

/* Inputs of the node to be, and how they lie. */
typedef struct found {
    pg_str inputs[4];      /* queries, keys, values, mask */
    bool q_apart, v_apart; /* heads lie within positions: B, S, H, D */
    enum { K_TURNED, K_PLAIN, K_APART } k;
    double scale;
} found;

/* Takes the producers of the scores apart, from the softmax upwards. */
static pg_net_node *read_scores(const pg_net *net, const pg_net_node *softmax, found *f)
{
    pg_net_node *node = pg_net_only_producer(net, net_in(softmax, 0));
    f->scale = 1;
    f->inputs[3] = PG_STR_EMPTY;
    if (pg_net_is(node, "Add"))
        for (size_t i = 0; i < 2 && f->inputs[3].len == 0; i++) {
            pg_net_node *scores = pg_net_only_producer(net, net_in(node, i));
            if (pg_net_is(scores, "MatMul") || pg_net_is(scores, "Mul") || pg_net_is(scores, "Div")) {
                f->inputs[3] = net_in(node, 1 - i);
                node = scores;
            }
        }
    double k;
    if (pg_net_is(node, "Div") && net_scalar(net, net_in(node, 1), &k) && k != 0) {
        f->scale = 1 / k;
        node = pg_net_only_producer(net, net_in(node, 0));
    } else if (pg_net_is(node, "Mul")) {
        const bool second = net_scalar(net, net_in(node, 1), &k);
        if (!second && !net_scalar(net, net_in(node, 0), &k))
            return NULL;
        f->scale = k;
        node = pg_net_only_producer(net, net_in(node, !second));
    }
    return pg_net_is(node, "MatMul") ? node : NULL;
}

/* True when a transposition tells that these are tensors of rank 4. */
static bool read_operands(const pg_net *net, const pg_net_node *scores, const pg_net_node *product, found *f)
{
    const pg_str q = net_in(scores, 0), k = net_in(scores, 1), v = net_in(product, 1);
    pg_str from = turned_from(net, q, 0, 2, 1, 3);
    f->q_apart = from.len > 0;
    f->inputs[0] = f->q_apart ? from : q;
    from = turned_from(net, v, 0, 2, 1, 3);
    f->v_apart = from.len > 0;
    f->inputs[2] = f->v_apart ? from : v;
    f->k = K_TURNED;
    f->inputs[1] = k;
    if ((from = turned_from(net, k, 0, 2, 3, 1)).len > 0) {
        f->k = K_APART;
        f->inputs[1] = from;
    } else if ((from = turned_from(net, k, 0, 1, 3, 2)).len > 0) {
        f->k = K_PLAIN;
        f->inputs[1] = from;
    }
    return (f->q_apart || f->v_apart || f->k != K_TURNED) && pg_net_constant(net, k) == NULL &&
           pg_net_constant(net, v) == NULL;
}

static void find_attention(pg_net *net, pg_net_node *softmax)
{
    found f;
    const int64_t axis = net_attr_i(softmax, "axis", softmax->opset < 13 ? 1 : -1);
    pg_net_node *product = net_only_reader(net, softmax, "MatMul");
    if ((axis != -1 && axis != 3) || product == NULL || !pg_str_eq(net_in(product, 0), net_out(softmax)) ||
        pg_str_eq(net_in(product, 1), net_out(softmax)))
        return;
    const pg_net_node *scores = read_scores(net, softmax, &f);
    if (scores == NULL || !read_operands(net, scores, product, &f))
        return;
    const pg_net_node *back = net_only_reader(net, product, "Transpose");
    const bool apart = back != NULL && has_permutation(back, 0, 2, 1, 3);
    const pg_attr attrs[] = {pg_net_attr_f("scale", (float)f.scale), pg_net_attr_i("q_apart", f.q_apart),
                             pg_net_attr_i("k_form", f.k), pg_net_attr_i("v_apart", f.v_apart),
                             pg_net_attr_i("y_apart", apart)};
    const pg_str *old = product->node.inputs;
    pg_net_rewrite(net, product, "pg", "Attention", f.inputs, f.inputs[3].len > 0 ? 4 : 3, attrs,
                   PG_COUNT(attrs));
    net_prune(net, old, 2);
    if (apart)
        pg_net_absorb(net, product, (pg_net_node *)back);
}

pg_status pg_net_find_attention(pg_net *net)
{
    for (size_t i = 0; i < net->nodes.len; i++)
        if (!net->nodes.items[i]->removed && pg_net_is(net->nodes.items[i], "Softmax"))
            find_attention(net, net->nodes.items[i]);
    return NULL;
}
