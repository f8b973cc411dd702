/* ai.onnx.preview.training: one step of Adam, Adagrad and Momentum on any number of tensors.
 *
 * Inputs are R (learning rate), T (steps so far), then the tensors X1 .. Xn, their gradients, and one or two
 * groups of n accumulators; outputs are the new X and accumulators in the same order. */
#include <math.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "native/ops/nn.h"

typedef enum method { ADAM, ADAGRAD, MOMENTUM, NESTEROV } method;

typedef struct step {
    method method;
    size_t groups; /* of inputs: X, G and the accumulators */
    double rate, alpha, beta, epsilon, decay, norm, norm_post;
    double count; /* T */
} step;

/* One element: v[0] is X, v[1] its gradient, v[2] and v[3] the accumulators; results take their places. */
static void update(const step *s, double *v)
{
    const double g = s->norm * v[0] + v[1];
    if (s->method == ADAM) {
        v[2] = s->alpha * v[2] + (1 - s->alpha) * g;
        v[3] = s->beta * v[3] + (1 - s->beta) * g * g;
        v[0] = (1 - s->norm_post) * (v[0] - s->rate * v[2] / (sqrt(v[3]) + s->epsilon));
    } else if (s->method == ADAGRAD) {
        v[2] += g * g;
        v[0] -= s->rate * g / (sqrt(v[2]) + s->epsilon);
    } else {
        v[2] = s->alpha * v[2] + (s->count > 0 ? s->beta : 1) * g;
        v[0] -= s->rate * (s->method == NESTEROV ? g + s->alpha * v[2] : v[2]);
    }
}

typedef struct update_job {
    const step *step;
    pg_dtype dtype;
    const void *in[4];
    void *out[4]; /* none for the gradient */
} update_job;

static void update_range(void *context, size_t begin, size_t end)
{
    const update_job *job = context;
    for (size_t i = begin; i < end; i++) {
        double v[4];
        for (size_t k = 0; k < job->step->groups; k++)
            v[k] = job->dtype == PG_F64 ? ((const double *)job->in[k])[i]
                                        : (double)((const float *)job->in[k])[i];
        update(job->step, v);
        for (size_t k = 0; k < job->step->groups; k++)
            if (k != 1 && job->dtype == PG_F64)
                ((double *)job->out[k])[i] = v[k];
            else if (k != 1)
                ((float *)job->out[k])[i] = (float)v[k];
    }
}

static pg_status update_tensor(pg_op *op, const step *s, size_t n, size_t index)
{
    const pg_tensor *x = pg_op_in(op, 2 + index);
    update_job job = {.step = s, .dtype = x->dtype};
    if (!nn_is_float(x->dtype))
        return pg_op_bad_type(op, 2 + index);
    for (size_t k = 0, out = index; k < s->groups; k++) {
        const size_t input = 2 + k * n + index;
        const pg_tensor *t = pg_op_in(op, input);
        if (t->dtype != x->dtype)
            return pg_op_bad_type(op, input);
        if (!pg_tensor_same_shape(t, x))
            return pg_op_err(op, PG_ERR_INVALID, "input %zu has not the shape of input %zu", input,
                             2 + index);
        job.in[k] = t->data;
        if (k == 1)
            continue;
        pg_tensor *y;
        PG_TRY(pg_op_out(op, out, x->dtype, x->rank, x->dims, &y));
        job.out[k] = y->data;
        out += n;
    }
    pg_parallel_for((size_t)pg_tensor_count(x), 4096, update_range, &job);
    return NULL;
}

static pg_status read_scalar(const pg_op *op, size_t i, double *out)
{
    const pg_tensor *t = pg_op_in(op, i);
    if (pg_tensor_count(t) != 1 || (!pg_dtype_is_float(t->dtype) && !pg_dtype_is_integer(t->dtype)))
        return pg_op_err(op, PG_ERR_INVALID, "input %zu must be one number", i);
    *out = pg_tensor_get_f64(t, 0);
    return NULL;
}

static pg_status run_step(pg_op *op, step *s)
{
    PG_TRY(pg_op_need(op, PG_MAX(op->n_in, (size_t)3)));
    const size_t tensors = op->n_in - 2, n = tensors / s->groups;
    if (tensors % s->groups != 0 || op->n_out != n * (s->groups - 1))
        return pg_op_err(op, PG_ERR_INVALID, "%zu inputs and %zu outputs are no groups of %zu tensors",
                         op->n_in, op->n_out, s->groups);
    for (size_t i = 0; i < n; i++)
        PG_TRY(update_tensor(op, s, n, i));
    return NULL;
}

static pg_status read_step(const pg_op *op, step *s)
{
    static const struct {
        const char *name;
        float missing;
        size_t offset;
    } rows[] = {{"epsilon", 1e-6f, offsetof(step, epsilon)},
                {"norm_coefficient", 0, offsetof(step, norm)},
                {"norm_coefficient_post", 0, offsetof(step, norm_post)},
                {"decay_factor", 0, offsetof(step, decay)},
                {"alpha", 0.9f, offsetof(step, alpha)},
                {"beta", 0.999f, offsetof(step, beta)}};
    PG_TRY(pg_op_need(op, 2));
    PG_TRY(read_scalar(op, 0, &s->rate));
    PG_TRY(read_scalar(op, 1, &s->count));
    for (size_t i = 0; i < PG_COUNT(rows); i++) {
        float value;
        PG_TRY(pg_op_attr_f(op, rows[i].name, rows[i].missing, &value));
        *(double *)((char *)s + rows[i].offset) = (double)value;
    }
    return NULL;
}

static pg_status run_adam(pg_op *op)
{
    step s = {.method = ADAM, .groups = 4};
    PG_TRY(read_step(op, &s));
    if (s.count > 0)
        s.rate *= sqrt(1 - pow(s.beta, s.count)) / (1 - pow(s.alpha, s.count));
    return run_step(op, &s);
}

static pg_status run_adagrad(pg_op *op)
{
    step s = {.method = ADAGRAD, .groups = 3};
    PG_TRY(read_step(op, &s));
    s.rate /= 1 + s.count * s.decay;
    return run_step(op, &s);
}

static pg_status run_momentum(pg_op *op)
{
    step s = {.method = MOMENTUM, .groups = 3};
    pg_str mode;
    PG_TRY(read_step(op, &s));
    PG_TRY(pg_op_attr_s(op, "mode", "", &mode));
    if (pg_str_is(mode, "nesterov"))
        s.method = NESTEROV;
    else if (!pg_str_is(mode, "standard"))
        return pg_op_err(op, PG_ERR_INVALID, "mode '%" PG_STR_FMT "' is not known", PG_STR_ARG(mode));
    return run_step(op, &s);
}

#define TRAINING "ai.onnx.preview.training"
const pg_kernel pg_kernels_training[] = {
    {TRAINING, "Adam", 1, 0, run_adam, NULL, NULL, 0},
    {TRAINING, "Adagrad", 1, 0, run_adagrad, NULL, NULL, 0},
    {TRAINING, "Momentum", 1, 0, run_momentum, NULL, NULL, 0},
    {0},
};
