/* SVMRegressor and SVMClassifier. */
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "native/ops/ml.h"

/* ---- Kernel functions ---- */

typedef enum kernel_kind { KERNEL_LINEAR, KERNEL_POLY, KERNEL_RBF, KERNEL_SIGMOID } kernel_kind;

typedef struct machine {
    pg_arena arena;
    kernel_kind kind;
    double gamma, coef0, degree;
    const double *vectors; /* [n_vectors][features] */
    size_t n_vectors, features;
    const double *coefficients, *rho;
    size_t n_coefficients, n_rho;
    ml_transform transform;
} machine;

static double kernel_of(const machine *m, const double *a, const double *b)
{
    double sum = 0;
    for (size_t i = 0; i < m->features; i++)
        sum += m->kind == KERNEL_RBF ? (a[i] - b[i]) * (a[i] - b[i]) : a[i] * b[i];
    switch (m->kind) {
    case KERNEL_POLY:
        return pow(m->gamma * sum + m->coef0, m->degree);
    case KERNEL_RBF:
        return exp(-m->gamma * sum);
    case KERNEL_SIGMOID:
        return tanh(m->gamma * sum + m->coef0);
    default:
        return sum;
    }
}

static pg_status read_machine(const pg_op *op, machine *m)
{
    static const char *const kinds[] = {"LINEAR", "POLY", "RBF", "SIGMOID"};
    const float *params;
    size_t kind, n_params, n_values;
    PG_TRY(ml_attr_choice(op, "kernel_type", "LINEAR", kinds, PG_COUNT(kinds), &kind));
    PG_TRY(ml_attr_transform(op, &m->transform));
    PG_TRY(pg_op_attr_fs(op, "kernel_params", &params, &n_params));
    PG_TRY(ml_attr_numbers(op, "coefficients", &m->arena, &m->coefficients, &m->n_coefficients));
    PG_TRY(ml_attr_numbers(op, "rho", &m->arena, &m->rho, &m->n_rho));
    PG_TRY(ml_attr_numbers(op, "support_vectors", &m->arena, &m->vectors, &n_values));
    m->kind = (kernel_kind)kind;
    if (n_params != 0 && n_params != 3)
        return pg_op_err(op, PG_ERR_INVALID, "'kernel_params' has %zu entries, expected 3", n_params);
    if (n_params == 3) {
        m->gamma = (double)params[0];
        m->coef0 = (double)params[1];
        m->degree = (double)params[2];
    }
    if (m->n_vectors > 0 && (n_values % m->n_vectors != 0 || n_values == 0))
        return pg_op_err(op, PG_ERR_INVALID, "%zu numbers are no %zu support vectors", n_values,
                         m->n_vectors);
    if (m->n_rho == 0 || m->n_coefficients == 0)
        return pg_op_err(op, PG_ERR_INVALID, "'rho' or 'coefficients' is missing");
    m->features = m->n_vectors > 0 ? n_values / m->n_vectors : 0;
    return NULL;
}

static pg_status check_features(const pg_op *op, const machine *m, size_t cols)
{
    if (cols == m->features)
        return NULL;
    return pg_op_err(op, PG_ERR_INVALID, "rows of %zu features, expected %zu", cols, m->features);
}

static void release_machine(void *state)
{
    machine *m = state;
    pg_arena_deinit(&m->arena);
    free(m);
}

/* ---- SVMRegressor ---- */

typedef struct regressor {
    machine m; /* first: release_machine frees it */
    bool one_class;
} regressor;

static pg_status prepare_regressor(pg_op *op)
{
    regressor *r = PG_NEW(regressor);
    int64_t n_supports, one_class;
    op->state = r;
    PG_TRY(pg_op_attr_i(op, "n_supports", 0, &n_supports));
    PG_TRY(pg_op_attr_i(op, "one_class", 0, &one_class));
    if (n_supports < 0)
        return pg_op_err(op, PG_ERR_INVALID, "n_supports is %lld", (long long)n_supports);
    machine *m = &r->m;
    m->n_vectors = (size_t)n_supports;
    r->one_class = one_class != 0;
    PG_TRY(read_machine(op, m));
    if (m->n_vectors == 0) { /* coefficients are the weights of the features */
        m->features = m->n_coefficients;
        m->kind = KERNEL_LINEAR;
    } else if (m->n_coefficients < m->n_vectors) {
        return pg_op_err(op, PG_ERR_INVALID, "%zu coefficients for %zu support vectors", m->n_coefficients,
                         m->n_vectors);
    }
    return NULL;
}

typedef struct svm_job {
    const void *state;
    ml_rows in;
    double *out;
    int64_t *choices;
    double *room; /* of a classifier, per row */
} svm_job;

static void regress_rows(void *context, size_t begin, size_t end)
{
    const svm_job *job = context;
    const regressor *g = job->state;
    const machine *m = &g->m;
    for (size_t r = begin; r < end; r++) {
        const double *x = job->in.x + r * job->in.cols;
        double sum = m->rho[0];
        for (size_t v = 0; v < m->n_vectors; v++)
            sum += m->coefficients[v] * kernel_of(m, x, m->vectors + v * m->features);
        if (m->n_vectors == 0)
            sum += kernel_of(m, x, m->coefficients);
        if (g->one_class)
            sum = sum > 0 ? 1 : -1;
        else
            ml_transform_row(m->transform, &sum, 1);
        job->out[r] = sum;
    }
}

static pg_status run_regressor(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    const regressor *g = op->state;
    svm_job job = {.state = g};
    nn_result y;
    PG_TRY(ml_read_rows(op, 0, &job.in));
    PG_TRY(check_features(op, &g->m, job.in.cols));
    PG_TRY(nn_f64_out(op, 0, ml_float(op), 2, (int64_t[]){(int64_t)job.in.rows, 1}, &y));
    job.out = y.values;
    pg_parallel_for(job.in.rows, 16384 / ((g->m.n_vectors + 1) * (g->m.features + 1)) + 1, regress_rows,
                    &job);
    nn_f64_done(&y);
    return NULL;
}

/* ---- SVMClassifier ---- */

/* With support vectors, every pair of classes has a machine of its own; without, every class has weights. */
typedef struct classifier {
    machine m; /* first: release_machine frees it */
    ml_labels labels;
    size_t classes, pairs;
    size_t *first;                 /* vectors of class c: [first[c], first[c + 1]) */
    const double *prob_a, *prob_b; /* per pair, or NULL */
} classifier;

static pg_status read_vector_counts(const pg_op *op, classifier *c)
{
    const int64_t *counts;
    size_t n;
    PG_TRY(pg_op_attr_is(op, "vectors_per_class", &counts, &n));
    if (n != 0 && n != c->classes)
        return pg_op_err(op, PG_ERR_INVALID, "'vectors_per_class' has %zu entries for %zu classes", n,
                         c->classes);
    c->first = PG_ARENA_ARRAY(&c->m.arena, size_t, c->classes + 1);
    for (size_t i = 0; i < n; i++) {
        if (counts[i] < 0 || counts[i] > INT32_MAX)
            return pg_op_err(op, PG_ERR_INVALID, "%lld support vectors", (long long)counts[i]);
        c->first[i + 1] = c->first[i] + (size_t)counts[i];
    }
    c->m.n_vectors = n > 0 ? c->first[n] : 0;
    return NULL;
}

static pg_status check_pairs(const pg_op *op, classifier *c)
{
    const machine *m = &c->m;
    size_t n_a, n_b;
    c->pairs = c->classes * (c->classes - 1) / 2;
    PG_TRY(ml_attr_numbers(op, "prob_a", &c->m.arena, &c->prob_a, &n_a));
    PG_TRY(ml_attr_numbers(op, "prob_b", &c->m.arena, &c->prob_b, &n_b));
    if (n_a == 0)
        c->prob_a = NULL;
    if (c->classes < 2 || m->n_rho < c->pairs || m->n_coefficients / (c->classes - 1) < m->n_vectors ||
        n_a != n_b || (n_a > 0 && n_a < c->pairs))
        return pg_op_err(
            op, PG_ERR_INVALID,
            "%zu classes and %zu vectors, but %zu coefficients, %zu rho, %zu and %zu probabilities",
            c->classes, m->n_vectors, m->n_coefficients, m->n_rho, n_a, n_b);
    return NULL;
}

static pg_status prepare_classifier(pg_op *op)
{
    classifier *c = PG_NEW(classifier);
    machine *m = &c->m;
    op->state = c;
    PG_TRY(ml_attr_labels(op, "classlabels_ints", "classlabels_strings", &c->labels));
    c->classes = c->labels.count;
    if (c->classes == 0 || c->classes > 1 << 20)
        return pg_op_err(op, PG_ERR_INVALID, "%zu class labels", c->classes);
    PG_TRY(read_vector_counts(op, c));
    PG_TRY(read_machine(op, m));
    if (m->n_vectors > 0)
        return check_pairs(op, c);
    m->kind = KERNEL_LINEAR;
    m->features = m->n_coefficients / c->classes;
    return NULL;
}

/* Sums of the pairs' machines, and how many pairs each class wins. */
static void vote(const classifier *c, const double *x, double *kernels, double *sums, size_t *votes)
{
    const machine *m = &c->m;
    size_t pair = 0;
    for (size_t v = 0; v < m->n_vectors; v++)
        kernels[v] = kernel_of(m, x, m->vectors + v * m->features);
    memset(votes, 0, c->classes * sizeof *votes);
    for (size_t i = 0; i < c->classes; i++)
        for (size_t j = i + 1; j < c->classes; j++, pair++) {
            const double *of_i = m->coefficients + (j - 1) * m->n_vectors,
                         *of_j = m->coefficients + i * m->n_vectors;
            double sum = m->rho[pair];
            for (size_t v = c->first[i]; v < c->first[i + 1]; v++)
                sum += of_i[v] * kernels[v];
            for (size_t v = c->first[j]; v < c->first[j + 1]; v++)
                sum += of_j[v] * kernels[v];
            sums[pair] = sum;
            votes[sum > 0 ? i : j]++;
        }
}

/* Probabilities of the classes from those of the pairs, by the second method of Wu, Lin and Weng (2004):
 * minimises the sum over pairs of (r_ji p_i - r_ij p_j)^2 by fixed-point steps. `q` holds n * n numbers, `qp`
 * n.
 */
static void couple(size_t n, const double *r, double *p, double *q, double *qp)
{
    const double enough = 0.005 / (double)n;
    for (size_t t = 0; t < n; t++) {
        p[t] = 1.0 / (double)n;
        q[t * n + t] = 0;
        for (size_t j = 0; j < n; j++)
            if (j != t) {
                q[t * n + t] += r[j * n + t] * r[j * n + t];
                q[t * n + j] = -r[j * n + t] * r[t * n + j];
            }
    }
    for (size_t step = 0; step < PG_MAX((size_t)100, n); step++) {
        double pqp = 0, worst = 0;
        for (size_t t = 0; t < n; t++) {
            qp[t] = 0;
            for (size_t j = 0; j < n; j++)
                qp[t] += q[t * n + j] * p[j];
            pqp += p[t] * qp[t];
        }
        for (size_t t = 0; t < n; t++)
            worst = fmax(worst, fabs(qp[t] - pqp));
        if (worst < enough)
            break;
        for (size_t t = 0; t < n; t++) {
            const double diff = (pqp - qp[t]) / q[t * n + t];
            p[t] += diff;
            pqp = (pqp + diff * (diff * q[t * n + t] + 2 * qp[t])) / (1 + diff) / (1 + diff);
            for (size_t j = 0; j < n; j++) {
                qp[j] = (qp[j] + diff * q[t * n + j]) / (1 + diff);
                p[j] /= 1 + diff;
            }
        }
    }
}

/* Each pair's sum becomes a probability by its fitted sigmoid. `room`: 2 n^2 + n numbers. */
static void estimate(const classifier *c, const double *sums, double *p, double *room)
{
    const size_t n = c->classes;
    double *r = room, *q = r + n * n, *qp = q + n * n;
    size_t pair = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++, pair++) {
            const double fitted = 1 - ml_logistic(sums[pair] * c->prob_a[pair] + c->prob_b[pair]);
            r[i * n + j] = fmin(fmax(fitted, 1e-7), 1 - 1e-7);
            r[j * n + i] = 1 - r[i * n + j];
        }
    couple(n, r, p, q, qp);
}

static size_t scores_of(const classifier *c)
{
    return c->m.n_vectors == 0 || c->prob_a != NULL || c->classes == 2 ? c->classes : c->pairs;
}

/* Doubles that one row needs: kernels, sums of pairs, votes, and those of the estimate. */
static bool room_of(const classifier *c, uint64_t rows, uint64_t *bytes)
{
    uint64_t square, total;
    return !pg_mul_overflow(c->classes, 2 * c->classes + 2, &square) &&
           !pg_add_overflow(square, c->m.n_vectors + c->pairs, &total) &&
           nn_product(bytes, 3, (uint64_t[]){rows, total, sizeof(double)});
}

static int64_t first_of_most(const size_t *votes, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (votes[i] > votes[best])
            best = i;
    return (int64_t)best;
}

static int64_t classify_by_weights(const classifier *c, const double *x, double *out)
{
    size_t best = 0;
    for (size_t i = 0; i < c->classes; i++) {
        out[i] = c->m.rho[0] + kernel_of(&c->m, x, c->m.coefficients + i * c->m.features);
        if (out[i] > out[best])
            best = i;
    }
    ml_transform_row(c->m.transform, out, c->classes);
    return (int64_t)best;
}

static int64_t classify_by_pairs(const classifier *c, const double *x, double *out, double *room)
{
    const size_t n = c->classes;
    double *kernels = room, *sums = kernels + c->m.n_vectors;
    size_t *votes = (size_t *)(sums + c->pairs);
    vote(c, x, kernels, sums, votes);
    if (c->prob_a != NULL) {
        estimate(c, sums, out, (double *)(votes + n));
        ml_transform_row(c->m.transform, out, n);
    } else if (n == 2) {
        ml_two_scores(c->m.transform, c->m.transform != ML_NONE, sums[0], out);
    } else {
        memcpy(out, sums, c->pairs * sizeof *out);
        ml_transform_row(c->m.transform, out, c->pairs);
    }
    return first_of_most(votes, n);
}

static void classify_rows(void *context, size_t begin, size_t end)
{
    const svm_job *job = context;
    const classifier *c = job->state;
    const size_t n = scores_of(c), room = c->m.n_vectors + c->pairs + c->classes * (2 * c->classes + 2);
    for (size_t r = begin; r < end; r++) {
        const double *x = job->in.x + r * job->in.cols;
        job->choices[r] = c->m.n_vectors == 0
                              ? classify_by_weights(c, x, job->out + r * n)
                              : classify_by_pairs(c, x, job->out + r * n, job->room + r * room);
    }
}

static pg_status run_classifier(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    const classifier *c = op->state;
    svm_job job = {.state = c};
    nn_result z;
    void *choices, *room;
    uint64_t bytes;
    PG_TRY(ml_read_rows(op, 0, &job.in));
    PG_TRY(check_features(op, &c->m, job.in.cols));
    if (!room_of(c, job.in.rows, &bytes))
        return pg_op_err(op, PG_ERR_LIMIT, "too many rows, classes or vectors");
    PG_TRY(pg_op_scratch(op, job.in.rows * sizeof(int64_t) + 1, &choices));
    PG_TRY(pg_op_scratch(op, bytes + 1, &room));
    const int64_t dims[2] = {(int64_t)job.in.rows, (int64_t)scores_of(c)};
    PG_TRY(nn_f64_out(op, 1, ml_float(op), 2, dims, &z));
    job.out = z.values;
    job.choices = choices;
    job.room = room;
    pg_parallel_for(job.in.rows, 16384 / ((c->m.n_vectors + 1) * (c->m.features + 1)) + 1, classify_rows,
                    &job);
    nn_f64_done(&z);
    return ml_out_labels(op, 0, &c->labels, job.in.rows, job.choices);
}

#define ML "ai.onnx.ml"
const pg_kernel pg_kernels_ml_svm[] = {
    {ML, "SVMClassifier", 1, 0, run_classifier, prepare_classifier, release_machine, 0},
    {ML, "SVMRegressor", 1, 0, run_regressor, prepare_regressor, release_machine, 0},
    {0},
};
