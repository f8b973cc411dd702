/* LinearAttention, CausalConvWithState and FlexAttention; computed in float64, rounded once. */
#include <math.h>

#include "base/alloc.h"
#include "native/ops/nn.h"
#include "tensor/dtype_convert.h"

/* ---- LinearAttention ---- */

typedef struct linear_attention {
    size_t batch, steps, q_heads, kv_heads, dk, dv;
    double scale;
    const double *q, *k, *v, *decay, *beta;
    size_t decay_width, beta_width; /* values per step */
    double *state, *y;              /* state: (batch, kv heads, dk, dv) */
} linear_attention;

static pg_status read_rule(pg_op *op, linear_attention *a)
{
    pg_str rule;
    PG_TRY(pg_op_attr_s(op, "update_rule", "gated_delta", &rule));
    const bool gated = pg_str_is(rule, "gated") || pg_str_is(rule, "gated_delta");
    const bool delta = pg_str_is(rule, "delta") || pg_str_is(rule, "gated_delta");
    if (!gated && !delta && !pg_str_is(rule, "linear"))
        return pg_op_err(op, PG_ERR_INVALID, "update_rule '%" PG_STR_FMT "' is not known", PG_STR_ARG(rule));
    const pg_tensor *decay = pg_op_in(op, 4), *beta = pg_op_in(op, 5);
    if (gated != (decay != NULL) || delta != (beta != NULL))
        return pg_op_err(op, PG_ERR_INVALID, "update_rule '%" PG_STR_FMT "' does not fit the inputs given",
                         PG_STR_ARG(rule));
    a->decay_width = decay != NULL && decay->rank == 3 ? (size_t)decay->dims[2] : 0;
    a->beta_width = beta != NULL && beta->rank == 3 ? (size_t)beta->dims[2] : 0;
    if ((gated && a->decay_width != a->kv_heads && a->decay_width != a->kv_heads * a->dk) ||
        (delta && a->beta_width != a->kv_heads && a->beta_width != 1))
        return pg_op_err(op, PG_ERR_INVALID, "decay or beta does not fit %zu heads", a->kv_heads);
    const size_t rows = a->batch * a->steps;
    if ((gated && pg_tensor_count(decay) != rows * a->decay_width) ||
        (delta && pg_tensor_count(beta) != rows * a->beta_width))
        return pg_op_err(op, PG_ERR_INVALID, "decay or beta does not have one row per step");
    PG_TRY(nn_f64(op, 4, &a->decay));
    return nn_f64(op, 5, &a->beta);
}

/* One step of one head: decay, correction, outer product. */
static void update_state(const linear_attention *a, size_t b, size_t t, size_t h, double *s)
{
    const size_t row = b * a->steps + t;
    const double *k = a->k + (row * a->kv_heads + h) * a->dk, *v = a->v + (row * a->kv_heads + h) * a->dv;
    for (size_t i = 0; i < a->dk && a->decay != NULL; i++) {
        const bool each = a->decay_width != a->kv_heads;
        const double g = exp(a->decay[row * a->decay_width + (each ? h * a->dk + i : h)]);
        for (size_t j = 0; j < a->dv; j++)
            s[i * a->dv + j] *= g;
    }
    for (size_t j = 0; j < a->dv; j++) {
        double value = v[j];
        if (a->beta != NULL) {
            double found = 0;
            for (size_t i = 0; i < a->dk; i++)
                found += s[i * a->dv + j] * k[i];
            value = a->beta[row * a->beta_width + (a->beta_width == 1 ? 0 : h)] * (value - found);
        }
        for (size_t i = 0; i < a->dk; i++)
            s[i * a->dv + j] += k[i] * value;
    }
}

static void read_state(const linear_attention *a, size_t b, size_t t, size_t head, const double *s)
{
    const size_t row = b * a->steps + t;
    const double *q = a->q + (row * a->q_heads + head) * a->dk;
    double *y = a->y + (row * a->q_heads + head) * a->dv;
    for (size_t j = 0; j < a->dv; j++) {
        double sum = 0;
        for (size_t i = 0; i < a->dk; i++)
            sum += q[i] * s[i * a->dv + j];
        y[j] = a->scale * sum;
    }
}

static pg_status linear_attention_shape(const pg_op *op, linear_attention *a)
{
    const pg_tensor *q = pg_op_in(op, 0), *k = pg_op_in(op, 1), *v = pg_op_in(op, 2);
    int64_t q_heads, kv_heads;
    float scale;
    PG_TRY(pg_op_attr_i(op, "q_num_heads", 0, &q_heads));
    PG_TRY(pg_op_attr_i(op, "kv_num_heads", 0, &kv_heads));
    PG_TRY(pg_op_attr_f(op, "scale", 0, &scale));
    if (q->rank != 3 || k->rank != 3 || v->rank != 3 || q_heads < 1 || kv_heads < 1 ||
        q_heads % kv_heads != 0 || q->dims[2] % q_heads != 0 || k->dims[2] % kv_heads != 0 ||
        v->dims[2] % kv_heads != 0 || q->dims[2] / q_heads != k->dims[2] / kv_heads ||
        memcmp(q->dims, k->dims, 16) != 0 || memcmp(q->dims, v->dims, 16) != 0)
        return pg_op_err(op, PG_ERR_INVALID, "queries, keys and values do not fit %lld and %lld heads",
                         (long long)q_heads, (long long)kv_heads);
    a->batch = (size_t)q->dims[0];
    a->steps = (size_t)q->dims[1];
    a->q_heads = (size_t)q_heads;
    a->kv_heads = (size_t)kv_heads;
    a->dk = (size_t)(q->dims[2] / q_heads);
    a->dv = (size_t)(v->dims[2] / kv_heads);
    a->scale = scale == 0 ? 1 / sqrt((double)a->dk) : (double)scale;
    return NULL;
}

static pg_status run_linear_attention(pg_op *op)
{
    PG_TRY(pg_op_need(op, 3));
    linear_attention a = {0};
    const pg_tensor *past = pg_op_in(op, 3);
    const pg_dtype type = pg_op_in(op, 0)->dtype;
    const double *before;
    nn_result y, state;
    PG_TRY(linear_attention_shape(op, &a));
    PG_TRY(nn_f64(op, 0, &a.q));
    PG_TRY(nn_f64(op, 1, &a.k));
    PG_TRY(nn_f64(op, 2, &a.v));
    PG_TRY(nn_f64(op, 3, &before));
    PG_TRY(read_rule(op, &a));
    const int64_t b = (int64_t)a.batch, h = (int64_t)a.kv_heads;
    PG_TRY(nn_f64_out(op, 0, type, 3, (int64_t[]){b, (int64_t)a.steps, (int64_t)(a.q_heads * a.dv)}, &y));
    PG_TRY(nn_f64_out(op, 1, past != NULL ? past->dtype : type, 4,
                      (int64_t[]){b, h, (int64_t)a.dk, (int64_t)a.dv}, &state));
    const uint64_t count = pg_tensor_count(state.tensor);
    if (past != NULL && pg_tensor_count(past) != count)
        return pg_op_err(op, PG_ERR_INVALID, "the past state does not have %llu elements",
                         (unsigned long long)count);
    for (uint64_t i = 0; i < count; i++)
        state.values[i] = past != NULL ? before[i] : 0;
    a.state = state.values;
    a.y = y.values;
    const size_t group = a.q_heads / a.kv_heads;
    for (size_t i = 0; i < a.batch * a.kv_heads; i++)
        for (size_t t = 0; t < a.steps; t++) {
            double *s = a.state + i * a.dk * a.dv;
            update_state(&a, i / a.kv_heads, t, i % a.kv_heads, s);
            for (size_t g = 0; g < group; g++)
                read_state(&a, i / a.kv_heads, t, i % a.kv_heads * group + g, s);
        }
    nn_f64_done(&y);
    nn_f64_done(&state);
    return NULL;
}

/* ---- CausalConvWithState ---- */

static pg_status run_causal_conv(pg_op *op)
{
    PG_TRY(pg_op_need(op, 2));
    const pg_tensor *x = pg_op_in(op, 0), *w = pg_op_in(op, 1), *bias = pg_op_in(op, 2),
                    *past = pg_op_in(op, 3);
    pg_str activation;
    PG_TRY(pg_op_attr_s(op, "activation", "none", &activation));
    const bool silu = pg_str_is(activation, "silu") || pg_str_is(activation, "swish");
    if (!silu && !pg_str_is(activation, "none"))
        return pg_op_err(op, PG_ERR_INVALID, "activation '%" PG_STR_FMT "' is not known",
                         PG_STR_ARG(activation));
    if (x->rank != 3 || w->rank != 3 || w->dims[0] != x->dims[1] || w->dims[1] != 1 || w->dims[2] < 1)
        return pg_op_err(op, PG_ERR_INVALID, "the weights are not (channels, 1, length)");
    const int64_t n = x->dims[2], k = w->dims[2], rows = x->dims[0] * x->dims[1];
    if ((bias != NULL && pg_tensor_count(bias) != (uint64_t)x->dims[1]) ||
        (past != NULL && pg_tensor_count(past) != (uint64_t)(rows * (k - 1))))
        return pg_op_err(op, PG_ERR_INVALID, "the bias or the past state has the wrong size");
    const double *in, *weights, *shift, *before;
    nn_result y, state;
    void *memory;
    PG_TRY(nn_f64(op, 0, &in));
    PG_TRY(nn_f64(op, 1, &weights));
    PG_TRY(nn_f64(op, 2, &shift));
    PG_TRY(nn_f64(op, 3, &before));
    PG_TRY(pg_op_scratch(op, (uint64_t)(n + k) * sizeof(double), &memory));
    PG_TRY(nn_f64_out(op, 0, x->dtype, 3, x->dims, &y));
    PG_TRY(nn_f64_out(op, 1, x->dtype, 3, (int64_t[]){x->dims[0], x->dims[1], k - 1}, &state));
    double *line = memory; /* the past, then the new values */
    for (int64_t r = 0; r < rows; r++) {
        const int64_t channel = r % x->dims[1];
        for (int64_t i = 0; i < k - 1; i++)
            line[i] = past != NULL ? before[r * (k - 1) + i] : 0;
        memcpy(line + k - 1, in + r * n, (size_t)n * sizeof *line);
        for (int64_t i = 0; i < n; i++) {
            double sum = bias != NULL ? shift[channel] : 0;
            for (int64_t t = 0; t < k; t++)
                sum += weights[channel * k + t] * line[i + t];
            y.values[r * n + i] = silu ? sum / (1 + exp(-sum)) : sum;
        }
        memcpy(state.values + r * (k - 1), line + n, (size_t)(k - 1) * sizeof *line);
    }
    nn_f64_done(&y);
    nn_f64_done(&state);
    return NULL;
}

/* ---- FlexAttention ---- */

typedef struct flex {
    size_t batch, heads, kv_heads, m, n, depth, v_depth;
    double scale;
    const double *q, *k, *v;
    double *scores; /* (batch, heads, m, n) */
    pg_dtype type;  /* of the scores that subgraphs see */
} flex;

static void flex_scores(const flex *f)
{
    const size_t group = f->heads / f->kv_heads;
    double *s = f->scores;
    for (size_t i = 0; i < f->batch * f->heads; i++) {
        const double *k = f->k + (i / f->heads * f->kv_heads + i % f->heads / group) * f->n * f->depth;
        for (size_t r = 0; r < f->m; r++)
            for (size_t c = 0; c < f->n; c++) {
                double sum = 0;
                for (size_t d = 0; d < f->depth; d++)
                    sum += f->q[(i * f->m + r) * f->depth + d] * k[c * f->depth + d];
                *s++ = sum * f->scale;
            }
    }
}

static void flex_softmax(const flex *f)
{
    for (size_t r = 0; r < f->batch * f->heads * f->m; r++) {
        double *row = f->scores + r * f->n, top = -INFINITY, sum = 0;
        for (size_t c = 0; c < f->n; c++)
            top = fmax(top, row[c]);
        for (size_t c = 0; c < f->n; c++)
            sum += row[c] = exp(row[c] - top);
        for (size_t c = 0; c < f->n; c++)
            row[c] /= sum;
    }
}

static void flex_output(const flex *f, double *y)
{
    const size_t group = f->heads / f->kv_heads;
    for (size_t i = 0; i < f->batch * f->heads; i++) {
        const double *v = f->v + (i / f->heads * f->kv_heads + i % f->heads / group) * f->n * f->v_depth;
        for (size_t r = 0; r < f->m; r++)
            for (size_t d = 0; d < f->v_depth; d++) {
                double sum = 0;
                for (size_t c = 0; c < f->n; c++)
                    sum += f->scores[(i * f->m + r) * f->n + c] * v[c * f->v_depth + d];
                *y++ = sum;
            }
    }
}

/* Sends the scores through the graph of an attribute, when the node has it. */
static pg_status flex_modify(pg_op *op, const flex *f, const char *attribute)
{
    size_t index = 0;
    bool found = false;
    for (size_t i = 0; i < op->node->n_attrs && !found; i++) {
        found = pg_str_is(op->node->attrs[i].name, attribute) && op->node->attrs[i].type == PG_ATTR_GRAPH;
        index += !found && op->node->attrs[i].type == PG_ATTR_GRAPH;
    }
    if (!found)
        return NULL;
    const int64_t dims[] = {(int64_t)f->batch, (int64_t)f->heads, (int64_t)f->m, (int64_t)f->n};
    pg_tensor in;
    pg_value value, out = {0};
    PG_TRY(pg_tensor_alloc(&in, f->type, 4, dims));
    const uint64_t count = pg_tensor_count(&in);
    pg_convert(PG_F64, f->scores, f->type, in.data, count, NULL);
    value = pg_value_of_tensor(in);
    PG_TRY(pg_op_run_subgraph(op, index, &value, 1, &out, 1));
    pg_status status = NULL;
    if (out.kind != PG_VALUE_TENSOR || pg_tensor_count(&out.tensor) != count || out.tensor.dtype != f->type)
        status = pg_op_err(op, PG_ERR_INVALID, "the graph '%s' changes the shape or type of the scores",
                           attribute);
    else
        pg_convert(f->type, out.tensor.data, PG_F64, f->scores, count, NULL);
    pg_value_deinit(&out);
    return status;
}

static pg_status flex_shape(const pg_op *op, flex *f)
{
    const pg_tensor *q = pg_op_in(op, 0), *k = pg_op_in(op, 1), *v = pg_op_in(op, 2);
    int64_t precision;
    float scale;
    PG_TRY(pg_op_attr_f(op, "scale", 0, &scale));
    PG_TRY(pg_op_attr_i(op, "softmax_precision", q->dtype == PG_F64 ? PG_F64 : PG_F32, &precision));
    if (q->rank != 4 || k->rank != 4 || v->rank != 4 || k->dims[0] != q->dims[0] ||
        v->dims[0] != q->dims[0] || k->dims[1] != v->dims[1] || k->dims[2] != v->dims[2] ||
        k->dims[3] != q->dims[3] || k->dims[1] < 1 || q->dims[1] % k->dims[1] != 0)
        return pg_op_err(op, PG_ERR_INVALID, "queries, keys and values do not fit each other");
    if (precision != PG_F32 && precision != PG_F64 && precision != PG_F16 && precision != PG_BF16)
        return pg_op_err(op, PG_ERR_INVALID, "softmax_precision %lld", (long long)precision);
    *f = (flex){.batch = (size_t)q->dims[0],
                .heads = (size_t)q->dims[1],
                .kv_heads = (size_t)k->dims[1],
                .m = (size_t)q->dims[2],
                .n = (size_t)k->dims[2],
                .depth = (size_t)q->dims[3],
                .v_depth = (size_t)v->dims[3],
                .type = (pg_dtype)precision};
    f->scale = pg_node_attr(op->node, "scale") != NULL ? (double)scale : 1 / sqrt((double)f->depth);
    return NULL;
}

static pg_status run_flex_attention(pg_op *op)
{
    PG_TRY(pg_op_need(op, 3));
    flex f;
    nn_result y;
    uint64_t bytes;
    void *scores;
    PG_TRY(flex_shape(op, &f));
    PG_TRY(nn_f64(op, 0, &f.q));
    PG_TRY(nn_f64(op, 1, &f.k));
    PG_TRY(nn_f64(op, 2, &f.v));
    if (!nn_product(&bytes, 5, (uint64_t[]){f.batch, f.heads, f.m, f.n, sizeof(double)}))
        return pg_op_err(op, PG_ERR_LIMIT, "scores too large");
    PG_TRY(pg_op_scratch(op, bytes + 8, &scores));
    f.scores = scores;
    flex_scores(&f);
    PG_TRY(flex_modify(op, &f, "score_mod"));
    flex_softmax(&f);
    PG_TRY(flex_modify(op, &f, "prob_mod"));
    PG_TRY(nn_f64_out(op, 0, pg_op_in(op, 2)->dtype, 4,
                      (int64_t[]){(int64_t)f.batch, (int64_t)f.heads, (int64_t)f.m, (int64_t)f.v_depth}, &y));
    flex_output(&f, y.values);
    nn_f64_done(&y);
    return NULL;
}

const pg_kernel pg_kernels_stateful[] = {
    {"", "LinearAttention", 27, 0, run_linear_attention, NULL, NULL, 0},
    {"", "CausalConvWithState", 27, 0, run_causal_conv, NULL, NULL, 0},
    {"ai.onnx.preview", "FlexAttention", 1, 0, run_flex_attention, NULL, NULL, 0},
    {0},
};
