/* Options, activations and cells of the recurrent layers. */
#include <math.h>

#include "base/alloc.h"
#include "native/ops/rnn.h"

/* ---- Activations ---- */

static const struct {
    const char *name;
    int kind;
    pg_act_kind fast;
    bool has_alpha, has_beta;
    float alpha, beta; /* defaults */
} known[] = {
    {"Relu", RNN_FAST, PG_ACT_RELU, false, false, 0, 0},
    {"Tanh", RNN_FAST, PG_ACT_TANH, false, false, 0, 0},
    {"Sigmoid", RNN_FAST, PG_ACT_SIGMOID, false, false, 0, 0},
    {"LeakyRelu", RNN_FAST, PG_ACT_LEAKY, true, false, 0.01f, 0},
    {"HardSigmoid", RNN_FAST, PG_ACT_HARDSIGMOID, true, true, 0.2f, 0.5f},
    {"Affine", RNN_AFFINE, PG_ACT_NONE, true, true, 1, 0},
    {"ThresholdedRelu", RNN_THRESHOLDED, PG_ACT_NONE, true, false, 1, 0},
    {"ScaledTanh", RNN_SCALED_TANH, PG_ACT_NONE, true, true, 1, 1},
    {"Elu", RNN_ELU, PG_ACT_NONE, true, false, 1, 0},
    {"Softsign", RNN_SOFTSIGN, PG_ACT_NONE, false, false, 0, 0},
    {"Softplus", RNN_SOFTPLUS, PG_ACT_NONE, false, false, 0, 0},
};

typedef struct act_lists {
    const float *alphas, *betas;
    size_t n_alphas, n_betas;
    size_t next_alpha, next_beta; /* lists hold values only for the activations that take them */
} act_lists;

static pg_status make_act(const pg_op *op, pg_str name, act_lists *lists, rnn_act *out)
{
    for (size_t i = 0; i < PG_COUNT(known); i++) {
        if (!pg_str_eq_nocase(name, pg_str_c(known[i].name)))
            continue;
        *out = (rnn_act){.kind = known[i].kind, .alpha = known[i].alpha, .beta = known[i].beta};
        if (known[i].has_alpha && lists->next_alpha < lists->n_alphas)
            out->alpha = lists->alphas[lists->next_alpha++];
        if (known[i].has_beta && lists->next_beta < lists->n_betas)
            out->beta = lists->betas[lists->next_beta++];
        out->fast = (pg_act){known[i].fast, out->alpha, out->beta};
        return NULL;
    }
    return pg_op_err(op, PG_ERR_INVALID, "activation '%" PG_STR_FMT "' is not known", PG_STR_ARG(name));
}

static pg_status read_acts(const pg_op *op, rnn_options *o)
{
    static const char *const plain[] = {"Tanh"}, *const gru[] = {"Sigmoid", "Tanh"},
                             *const lstm[] = {"Sigmoid", "Tanh", "Tanh"};
    const size_t per = o->kind == RNN_LSTM ? 3 : o->kind == RNN_GRU ? 2 : 1;
    const char *const *standard = o->kind == RNN_LSTM ? lstm : o->kind == RNN_GRU ? gru : plain;
    act_lists lists = {0};
    PG_TRY(pg_op_attr_fs(op, "activation_alpha", &lists.alphas, &lists.n_alphas));
    PG_TRY(pg_op_attr_fs(op, "activation_beta", &lists.betas, &lists.n_betas));
    const pg_attr *attr = pg_node_attr(op->node, "activations");
    if (attr != NULL && (attr->type != PG_ATTR_STRINGS || attr->count != per * o->directions))
        return pg_op_err(op, PG_ERR_INVALID, "attribute 'activations' does not have %zu names",
                         per * o->directions);
    for (size_t d = 0; d < o->directions; d++)
        for (size_t i = 0; i < per; i++)
            PG_TRY(make_act(op, attr != NULL ? attr->strings[d * per + i] : pg_str_c(standard[i]), &lists,
                            &o->acts[d][i]));
    return NULL;
}

static double act_one(const rnn_act *a, double x)
{
    const double alpha = (double)a->alpha, beta = (double)a->beta;
    switch (a->kind) {
    case RNN_AFFINE:
        return alpha * x + beta;
    case RNN_THRESHOLDED:
        return x > alpha ? x : 0;
    case RNN_SCALED_TANH:
        return alpha * tanh(beta * x);
    case RNN_ELU:
        return x >= 0 ? x : alpha * expm1(x);
    case RNN_SOFTSIGN:
        return x / (1 + fabs(x));
    case RNN_SOFTPLUS:
        return x > 30 ? x : log1p(exp(x));
    default:
        return x;
    }
}

static void clip_values(pg_dtype dtype, double clip, void *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (dtype == PG_F64) {
            double *x = (double *)values + i;
            *x = *x < -clip ? -clip : *x > clip ? clip : *x;
        } else {
            float *x = (float *)values + i, c = (float)clip;
            *x = *x < -c ? -c : *x > c ? c : *x;
        }
}

void rnn_activate(pg_dtype dtype, const rnn_options *options, const rnn_act *act, void *x, size_t n)
{
    if (options->clipped)
        clip_values(dtype, options->clip, x, n);
    if (act->kind == RNN_FAST) {
        pg_act_apply(dtype, act->fast, x, x, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (dtype == PG_F64)
            ((double *)x)[i] = act_one(act, ((double *)x)[i]);
        else
            ((float *)x)[i] = (float)act_one(act, (double)((float *)x)[i]);
}

/* ---- Options ---- */

pg_status rnn_read_options(const pg_op *op, rnn_kind kind, rnn_options *o)
{
    int64_t hidden, layout, coupled, before;
    float clip;
    pg_str direction;
    *o = (rnn_options){.kind = kind, .directions = 1};
    PG_TRY(pg_op_attr_i(op, "hidden_size", 0, &hidden));
    PG_TRY(pg_op_attr_i(op, "layout", 0, &layout));
    PG_TRY(pg_op_attr_i(op, "input_forget", 0, &coupled));
    PG_TRY(pg_op_attr_i(op, "linear_before_reset", 0, &before));
    PG_TRY(pg_op_attr_f(op, "clip", 0, &clip));
    PG_TRY(pg_op_attr_s(op, "direction", "forward", &direction));
    if (pg_str_is(direction, "bidirectional"))
        o->directions = 2;
    else if (pg_str_is(direction, "reverse"))
        o->reverse_first = true;
    else if (!pg_str_is(direction, "forward"))
        return pg_op_err(op, PG_ERR_INVALID, "direction '%" PG_STR_FMT "' is not known",
                         PG_STR_ARG(direction));
    if (hidden < 0 || hidden > INT32_MAX)
        return pg_op_err(op, PG_ERR_INVALID, "attribute 'hidden_size' is %lld", (long long)hidden);
    o->hidden = (size_t)hidden;
    o->batch_first = layout != 0;
    o->input_forget = coupled != 0;
    o->linear_before_reset = before != 0;
    o->coded_state = pg_str_is(op->node->op_type, "DynamicQuantizeLSTM");
    o->clipped = pg_node_attr(op->node, "clip") != NULL;
    o->clip = (double)clip;
    return read_acts(op, o);
}

/* ---- Cells ---- */

#define T float
#define DTYPE PG_F32
#define FN(name) name##_f32
#include "native/ops/rnn_cells.inc"

#define T double
#define DTYPE PG_F64
#define FN(name) name##_f64
#include "native/ops/rnn_cells.inc"
