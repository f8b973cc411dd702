/* NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss: what a classifier's scores cost, given the classes
 * that were right. */
#include <math.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "native/kernel.h"
#include "native/ops/simd.h"

/* Scores are [batch, classes, inner]; labels are [batch, inner], and so are the losses. */
typedef struct loss_job {
    pg_dtype dtype;
    const void *x;
    void *log_prob; /* of every score, or NULL; only with `softmax` */
    bool softmax;   /* scores are not logarithms of probabilities yet */
    size_t batch, classes, inner;
    const pg_tensor *labels;
    const void *weights; /* one per class, or NULL */
    bool ignores;
    int64_t ignored; /* label of places that cost nothing */
    double *losses, *shares;
} loss_job;

static double real_at(pg_dtype dtype, const void *data, size_t i)
{
    return dtype == PG_F64 ? ((const double *)data)[i] : (double)((const float *)data)[i];
}
static void put_real(pg_dtype dtype, void *data, size_t i, double value)
{
    if (dtype == PG_F64)
        ((double *)data)[i] = value;
    else
        ((float *)data)[i] = (float)value;
}
static int64_t label_at(const pg_tensor *labels, size_t i)
{
    return labels->dtype == PG_I64 ? ((const int64_t *)labels->data)[i] : ((const int32_t *)labels->data)[i];
}

/* The number that turns scores of one place into logarithms of probabilities when it is taken away. */
static double log_sum_exp(const loss_job *job, size_t first)
{
    double most = -INFINITY, total = 0;
    for (size_t k = 0; k < job->classes; k++)
        most = fmax(most, real_at(job->dtype, job->x, first + k * job->inner));
    if (isinf(most))
        return most;
    for (size_t k = 0; k < job->classes; k++)
        total += exp(real_at(job->dtype, job->x, first + k * job->inner) - most);
    return most + log(total);
}

static void run_places(void *context, size_t begin, size_t end)
{
    const loss_job *job = context;
    for (size_t i = begin; i < end; i++) {
        size_t first = i / job->inner * job->classes * job->inner + i % job->inner;
        double shift = job->softmax ? log_sum_exp(job, first) : 0;
        for (size_t k = 0; job->log_prob != NULL && k < job->classes; k++) {
            size_t at = first + k * job->inner;
            put_real(job->dtype, job->log_prob, at, real_at(job->dtype, job->x, at) - shift);
        }
        int64_t label = label_at(job->labels, i);
        bool counts = !job->ignores || label != job->ignored;
        double share = !counts                ? 0
                       : job->weights != NULL ? real_at(job->dtype, job->weights, (size_t)label)
                                              : 1;
        job->shares[i] = share;
        job->losses[i] =
            counts ? -share * (real_at(job->dtype, job->x, first + (size_t)label * job->inner) - shift) : 0;
    }
}

static pg_status check_labels(const pg_op *op, const loss_job *job)
{
    for (size_t i = 0; i < job->batch * job->inner; i++) {
        int64_t label = label_at(job->labels, i);
        if (label >= 0 && (uint64_t)label < job->classes)
            continue;
        if (!job->ignores || label != job->ignored)
            return pg_op_err(op, PG_ERR_INVALID, "label %zu is %lld; there are %zu classes", i,
                             (long long)label, job->classes);
    }
    return NULL;
}

static pg_status check_inputs(const pg_op *op, loss_job *job)
{
    PG_TRY(pg_op_need(op, 2));
    const pg_tensor *x = pg_op_in(op, 0), *labels = pg_op_in(op, 1), *weights = pg_op_in(op, 2);
    if (x->dtype != PG_F32 && x->dtype != PG_F64)
        return pg_op_bad_type(op, 0);
    if (labels->dtype != PG_I32 && labels->dtype != PG_I64)
        return pg_op_bad_type(op, 1);
    bool fits = x->rank >= 2 && labels->rank + 1 == x->rank && labels->dims[0] == x->dims[0];
    for (size_t i = 2; fits && i < x->rank; i++)
        fits = labels->dims[i - 1] == x->dims[i];
    if (!fits)
        return pg_op_err(op, PG_ERR_INVALID, "the labels' shape must be the scores' without axis 1");
    if (weights != NULL && weights->dtype != x->dtype)
        return pg_op_bad_type(op, 2);
    if (weights != NULL && (weights->rank != 1 || weights->dims[0] != x->dims[1]))
        return pg_op_err(op, PG_ERR_INVALID, "the weights are not one number for each of %lld classes",
                         (long long)x->dims[1]);
    job->dtype = x->dtype;
    job->x = x->data;
    job->labels = labels;
    job->weights = weights != NULL ? weights->data : NULL;
    job->batch = (size_t)x->dims[0];
    job->classes = (size_t)x->dims[1];
    job->inner = 1;
    for (size_t i = 2; i < x->rank; i++)
        job->inner *= (size_t)x->dims[i];
    const pg_attr *ignored = pg_node_attr(op->node, "ignore_index");
    job->ignores = ignored != NULL;
    PG_TRY(pg_op_attr_i(op, "ignore_index", 0, &job->ignored));
    return check_labels(op, job);
}

/* Output 0: every loss, their sum, or their mean weighted by the shares. */
static pg_status give_losses(pg_op *op, const loss_job *job, pg_str reduction)
{
    size_t count = job->batch * job->inner;
    pg_tensor *y;
    if (pg_str_is(reduction, "none")) {
        PG_TRY(pg_op_out(op, 0, job->dtype, job->labels->rank, job->labels->dims, &y));
        for (size_t i = 0; i < count; i++)
            put_real(job->dtype, y->data, i, job->losses[i]);
        return NULL;
    }
    double total = 0, share = 0;
    for (size_t i = 0; i < count; i++) {
        total += job->losses[i];
        share += job->shares[i];
    }
    PG_TRY(pg_op_out(op, 0, job->dtype, 0, NULL, &y));
    put_real(job->dtype, y->data, 0, pg_str_is(reduction, "mean") ? total / share : total);
    return NULL;
}

static pg_status run_loss(pg_op *op, bool softmax)
{
    loss_job job = {.softmax = softmax};
    pg_str reduction;
    void *losses, *shares;
    pg_tensor *log_prob;
    PG_TRY(check_inputs(op, &job));
    PG_TRY(pg_op_attr_s(op, "reduction", "mean", &reduction));
    if (!pg_str_is(reduction, "none") && !pg_str_is(reduction, "sum") && !pg_str_is(reduction, "mean"))
        return pg_op_err(op, PG_ERR_INVALID,
                         "attribute 'reduction' is '%" PG_STR_FMT "', not none, sum or mean",
                         PG_STR_ARG(reduction));
    size_t count = job.batch * job.inner;
    PG_TRY(pg_op_scratch(op, count * sizeof(double), &losses));
    PG_TRY(pg_op_scratch(op, count * sizeof(double), &shares));
    job.losses = losses;
    job.shares = shares;
    if (softmax && op->n_out > 1) {
        const pg_tensor *x = pg_op_in(op, 0);
        PG_TRY(pg_op_out(op, 1, x->dtype, x->rank, x->dims, &log_prob));
        job.log_prob = log_prob->data;
    }
    pg_parallel_for(count, PG_GRAIN_COSTLY / (8 * job.classes + 1) + 1, run_places, &job);
    return give_losses(op, &job, reduction);
}
static pg_status run_negative_log_likelihood(pg_op *op)
{
    return run_loss(op, false);
}
static pg_status run_softmax_cross_entropy(pg_op *op)
{
    return run_loss(op, true);
}

const pg_kernel pg_kernels_loss[] = {
    {"", "NegativeLogLikelihoodLoss", 12, 0, run_negative_log_likelihood, NULL, NULL, PG_KERNEL_HALF_VIA_F32},
    {"", "SoftmaxCrossEntropyLoss", 12, 0, run_softmax_cross_entropy, NULL, NULL, PG_KERNEL_HALF_VIA_F32},
    {0},
};
