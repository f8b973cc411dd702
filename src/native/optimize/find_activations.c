/* Activations that are spelt out in several nodes become one: x * clip(x + 3, 0, 6) / 6, x * sigmoid(x), GELU
 * by its error function or by tanh, Mish; and a scaling by constants after an activation joins it. */
#include "native/optimize/match.h"
#include "native/optimize/optimize.h"

/* x + 3 for a value of `sum`; empty when it is none. */
static pg_str plus_three(const pg_net *net, pg_str sum)
{
    const pg_net_node *add = net_made_by(net, sum, "Add");
    if (add == NULL || add->node.n_inputs != 2)
        return PG_STR_EMPTY;
    for (size_t i = 0; i < 2; i++)
        if (net_scalar_is(net, add->node.inputs[i], 3))
            return add->node.inputs[1 - i];
    return PG_STR_EMPTY;
}

/* Node / 6 after `product`, or the node itself when something else follows. */
static pg_net_node *sixth(const pg_net *net, pg_net_node *product)
{
    pg_net_node *div = net_only_reader(net, product, "Div");
    if (div != NULL && pg_str_eq(net_in(div, 0), net_out(product)) && net_scalar_is(net, net_in(div, 1), 6))
        return div;
    pg_net_node *mul = net_only_reader(net, product, "Mul");
    if (mul != NULL && net_scalar_is(net, net_other_input(mul, net_out(product)), 1.0 / 6))
        return mul;
    return NULL;
}

/* `clip` is Clip(x + 3, 0, 6); its reader multiplies by x and a sixth follows. */
static bool find_hard_swish(pg_net *net, pg_net_node *clip)
{
    pg_act act;
    if (!pg_net_is(clip, "Clip") || !net_activation(net, clip, &act) || act.alpha != 0 || act.beta != 6)
        return false;
    const pg_str x = plus_three(net, net_in(clip, 0));
    pg_net_node *product = net_only_reader(net, clip, "Mul");
    if (x.len == 0 || product == NULL || !pg_str_eq(net_other_input(product, net_out(clip)), x))
        return false;
    pg_net_node *last = sixth(net, product);
    if (last == NULL)
        return false;
    net_make_act(net, last, x, (pg_act){.kind = PG_ACT_HARDSWISH});
    return true;
}

/* x * hardsigmoid(x) with slope 1/6. */
static bool find_hard_sigmoid_product(pg_net *net, pg_net_node *gate)
{
    pg_net_node *product = net_only_reader(net, gate, "Mul");
    if (!pg_net_is(gate, "HardSigmoid") || product == NULL ||
        !pg_str_eq(net_other_input(product, net_out(gate)), net_in(gate, 0)))
        return false;
    const float slope = net_attr_f(gate, "alpha", 0.2f), at = net_attr_f(gate, "beta", 0.5f);
    if (slope < 0.16666f || slope > 0.16667f || at != 0.5f)
        return false;
    net_make_act(net, product, net_in(gate, 0), (pg_act){.kind = PG_ACT_HARDSWISH});
    return true;
}

/* x * sigmoid(x), or x * sigmoid(alpha x). */
static bool find_silu(pg_net *net, pg_net_node *gate)
{
    pg_net_node *product = net_only_reader(net, gate, "Mul");
    if (!pg_net_is(gate, "Sigmoid") || product == NULL)
        return false;
    const pg_str x = net_other_input(product, net_out(gate));
    pg_act act = {.kind = PG_ACT_SILU, .alpha = 1};
    if (!pg_str_eq(net_in(gate, 0), x)) {
        const pg_net_node *scaled = net_made_by(net, net_in(gate, 0), "Mul");
        double alpha;
        if (scaled == NULL || x.len == 0 || !net_scalar(net, net_other_input(scaled, x), &alpha))
            return false;
        act.alpha = (float)alpha;
    }
    net_make_act(net, product, x, act);
    return true;
}

/* x / sqrt(2) for a value; empty when it is none. */
static pg_str over_root_two(const pg_net *net, pg_str name)
{
    const pg_net_node *div = net_made_by(net, name, "Div"), *mul = net_made_by(net, name, "Mul");
    if (div != NULL && net_scalar_is(net, net_in(div, 1), 1.4142135623730951))
        return net_in(div, 0);
    for (size_t i = 0; mul != NULL && i < 2; i++)
        if (net_scalar_is(net, net_in(mul, i), 0.70710678118654752))
            return net_in(mul, 1 - i);
    return PG_STR_EMPTY;
}

/* x (1 + erf(x / sqrt 2)) / 2, the half applied first or last. */
static bool find_gelu(pg_net *net, pg_net_node *erf)
{
    if (!pg_net_is(erf, "Erf"))
        return false;
    const pg_str x = over_root_two(net, net_in(erf, 0));
    pg_net_node *sum = net_only_reader(net, erf, "Add");
    if (x.len == 0 || sum == NULL || !net_scalar_is(net, net_other_input(sum, net_out(erf)), 1))
        return false;
    pg_net_node *product = net_only_reader(net, sum, "Mul");
    if (product == NULL)
        return false;
    const pg_str factor = net_other_input(product, net_out(sum));
    const pg_net_node *half = net_made_by(net, factor, "Mul");
    pg_net_node *last = NULL;
    if (half != NULL && net_scalar_is(net, net_other_input(half, x), 0.5)) {
        last = product;
    } else {
        pg_net_node *mul = net_only_reader(net, product, "Mul");
        if (pg_str_eq(factor, x) && mul != NULL &&
            net_scalar_is(net, net_other_input(mul, net_out(product)), 0.5))
            last = mul;
    }
    if (last == NULL)
        return false;
    net_make_act(net, last, x, (pg_act){.kind = PG_ACT_GELU});
    return true;
}

/* What a product of x and constants is: coefficient * x^power. False when something else is in it. */
static bool read_power(const pg_net *net, pg_str name, pg_str x, int depth, double *coefficient, int *power)
{
    double k;
    *coefficient = 1;
    *power = 0;
    if (pg_str_eq(name, x)) {
        *power = 1;
        return true;
    }
    if (net_scalar(net, name, coefficient))
        return true;
    const pg_net_node *mul = net_made_by(net, name, "Mul"), *pow = net_made_by(net, name, "Pow");
    if (pow != NULL && net_scalar(net, net_in(pow, 1), &k) && (k == 2 || k == 3)) {
        *power = (int)k;
        return pg_str_eq(net_in(pow, 0), x);
    }
    double left, right;
    int m, n;
    if (mul == NULL || depth == 0 || !read_power(net, net_in(mul, 0), x, depth - 1, &left, &m) ||
        !read_power(net, net_in(mul, 1), x, depth - 1, &right, &n))
        return false;
    *coefficient = left * right;
    *power = m + n;
    return true;
}

static bool is_near(double found, double value, double precision)
{
    precision += 1e-5;
    return found >= value * (1 - precision) && found <= value * (1 + precision);
}

/* The x of what the GELU by tanh takes it of, in either form: k (x + c x^3), or (k x) (1 + c x^2); empty
 * otherwise. */
static pg_str gelu_argument(const pg_net *net, pg_str name)
{
    double k, c;
    int power;
    const pg_net_node *mul = net_made_by(net, name, "Mul");
    for (size_t i = 0; mul != NULL && i < 2; i++) {
        const pg_net_node *add = net_made_by(net, net_in(mul, i), "Add");
        const pg_str outer = net_in(mul, 1 - i);
        const pg_net_node *scaled = net_made_by(net, outer, "Mul");
        for (size_t j = 0; add != NULL && j < 2; j++) {
            const pg_str x = net_in(add, j), rest = net_in(add, 1 - j);
            double precision = net_precision(net, outer);
            if (net_scalar(net, outer, &k) && is_near(k, 0.7978845608, precision) &&
                read_power(net, rest, x, 4, &c, &power) && power == 3 && is_near(c, 0.044715, precision))
                return x;
            for (size_t l = 0; scaled != NULL && net_scalar_is(net, x, 1) && l < 2; l++) {
                precision = net_precision(net, net_in(scaled, l));
                if (net_scalar(net, net_in(scaled, l), &k) && is_near(k, 0.7978845608, precision) &&
                    read_power(net, rest, net_in(scaled, 1 - l), 4, &c, &power) && power == 2 &&
                    is_near(c, 0.044715, precision))
                    return net_in(scaled, 1 - l);
            }
        }
    }
    return PG_STR_EMPTY;
}

/* A constant 1 of no higher rank than x. */
static bool is_one_beside(const pg_net *net, pg_str name, pg_str x)
{
    const pg_tensor *t = net_floats(net, name);
    return t != NULL && pg_tensor_count(t) == 1 && net_get(t, 0) == 1 &&
           (t->rank <= 1 || t->rank <= net_least_rank(net, x));
}

/* x/2 (1 + tanh(...)), the factors in any order. */
static bool find_gelu_tanh(pg_net *net, pg_net_node *tanh)
{
    if (!pg_net_is(tanh, "Tanh"))
        return false;
    const pg_str x = gelu_argument(net, net_in(tanh, 0));
    pg_net_node *last = net_only_reader(net, tanh, "Add");
    if (x.len == 0 || last == NULL || !is_one_beside(net, net_other_input(last, net_out(tanh)), x))
        return false;
    double product = 1;
    int power = 0;
    for (int i = 0; i < 2 && !(power == 1 && product == 0.5); i++) {
        pg_net_node *mul = net_only_reader(net, last, "Mul");
        double factor;
        int n;
        if (mul == NULL || !read_power(net, net_other_input(mul, net_out(last)), x, 1, &factor, &n))
            return false;
        last = mul;
        product *= factor;
        power += n;
    }
    if (power != 1 || product != 0.5)
        return false;
    net_make_act(net, last, x, (pg_act){.kind = PG_ACT_GELU_TANH});
    return true;
}

/* x tanh(softplus(x)) */
static bool find_mish(pg_net *net, pg_net_node *tanh)
{
    const pg_net_node *softplus = net_made_by(net, net_in(tanh, 0), "Softplus");
    pg_net_node *product = net_only_reader(net, tanh, "Mul");
    if (!pg_net_is(tanh, "Tanh") || softplus == NULL || product == NULL ||
        !pg_str_eq(net_other_input(product, net_out(tanh)), net_in(softplus, 0)))
        return false;
    net_make_act(net, product, net_in(softplus, 0), (pg_act){.kind = PG_ACT_MISH});
    return true;
}

/* Mul or Add of a constant after an Act joins it. A constant of rank 1 gives a rank of at least 1, as the
 * Act's own operands do. */
static bool absorb_scaling(pg_net *net, pg_net_node *node)
{
    pg_act act;
    double k;
    if (!net_is_own(node, "Act") || !net_activation(net, node, &act))
        return false;
    pg_net_node *next = pg_net_only_consumer(net, net_out(node));
    const bool mul = next != NULL && pg_net_is(next, "Mul"), add = next != NULL && pg_net_is(next, "Add");
    if ((!mul && !add) || !net_scalar(net, net_other_input(next, net_out(node)), &k))
        return false;
    if (!act.affine) {
        act.scale = 1;
        act.shift = 0;
    }
    act.affine = true;
    if (mul) {
        act.scale *= (float)k;
        act.shift *= (float)k;
    } else {
        act.shift += (float)k;
    }
    const pg_str x = net_in(node, 0);
    net_make_act(net, next, x, act);
    return true;
}

pg_status pg_net_find_activations(pg_net *net)
{
    for (size_t i = 0; i < net->nodes.len; i++) {
        pg_net_node *node = net->nodes.items[i];
        if (node->removed || node->node.n_outputs != 1)
            continue;
        (void)(find_hard_swish(net, node) || find_hard_sigmoid_product(net, node) || find_silu(net, node) ||
               find_gelu(net, node) || find_gelu_tanh(net, node) || find_mish(net, node));
    }
    for (size_t i = 0; i < net->nodes.len; i++)
        if (!net->nodes.items[i]->removed)
            (void)absorb_scaling(net, net->nodes.items[i]);
    return NULL;
}
