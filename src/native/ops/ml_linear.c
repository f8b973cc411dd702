/* LinearClassifier and LinearRegressor. */
#include "base/threads.h"
#include "native/ops/ml.h"

typedef struct linear_job {
    ml_rows in;
    size_t targets;
    const float *coefficients, *intercepts; /* [targets][cols]; intercepts may be NULL */
    double *sums;                           /* [rows][targets] */
} linear_job;

static void linear_range(void *context, size_t begin, size_t end)
{
    const linear_job *job = context;
    for (size_t r = begin; r < end; r++)
        for (size_t t = 0; t < job->targets; t++) {
            const double *x = job->in.x + r * job->in.cols;
            const float *c = job->coefficients + t * job->in.cols;
            double sum = job->intercepts != NULL ? (double)job->intercepts[t] : 0;
            for (size_t i = 0; i < job->in.cols; i++)
                sum += x[i] * (double)c[i];
            job->sums[r * job->targets + t] = sum;
        }
}

/* `targets` 0: as many as there are intercepts. */
static pg_status run_linear(pg_op *op, size_t targets, linear_job *job)
{
    size_t n_coefficients, n_intercepts;
    PG_TRY(ml_read_rows(op, 0, &job->in));
    PG_TRY(pg_op_attr_fs(op, "coefficients", &job->coefficients, &n_coefficients));
    PG_TRY(pg_op_attr_fs(op, "intercepts", &job->intercepts, &n_intercepts));
    if (n_intercepts == 0)
        job->intercepts = NULL;
    const size_t features = job->in.cols;
    if (targets == 0)
        targets = n_intercepts > 0 ? n_intercepts : features > 0 ? n_coefficients / features : 0;
    job->targets = targets;
    if (targets == 0 || (n_intercepts != 0 && n_intercepts != targets) ||
        n_coefficients / targets != features || n_coefficients % targets != 0)
        return pg_op_err(op, PG_ERR_INVALID,
                         "%zu coefficients and %zu intercepts for %zu targets and %zu features",
                         n_coefficients, n_intercepts, targets, features);
    void *memory;
    uint64_t bytes;
    if (!nn_product(&bytes, 3, (uint64_t[]){job->in.rows, targets, sizeof(double)}))
        return pg_op_err(op, PG_ERR_LIMIT, "the result has too many elements");
    PG_TRY(pg_op_scratch(op, bytes + 1, &memory));
    job->sums = memory;
    pg_parallel_for(job->in.rows, 16384 / (targets * features + 1) + 1, linear_range, job);
    return NULL;
}

static pg_status run_linear_regressor(pg_op *op)
{
    int64_t targets;
    ml_transform transform;
    linear_job job;
    nn_result y;
    PG_TRY(pg_op_attr_i(op, "targets", 1, &targets));
    PG_TRY(ml_attr_transform(op, &transform));
    if (targets < 1)
        return pg_op_err(op, PG_ERR_INVALID, "%lld targets", (long long)targets);
    PG_TRY(run_linear(op, (size_t)targets, &job));
    const int64_t dims[2] = {(int64_t)job.in.rows, targets};
    PG_TRY(nn_f64_out(op, 0, ml_float(op), 2, dims, &y));
    for (size_t r = 0; r < job.in.rows; r++) {
        double *row = y.values + r * job.targets;
        memcpy(row, job.sums + r * job.targets, job.targets * sizeof *row);
        ml_transform_row(transform, row, job.targets);
    }
    nn_f64_done(&y);
    return NULL;
}

/* The first of the largest; with one sum for two classes, its sign. */
static int64_t choose_class(const double *sums, size_t n)
{
    size_t best = 0;
    if (n == 1)
        return sums[0] > 0;
    for (size_t i = 1; i < n; i++)
        if (sums[i] > sums[best])
            best = i;
    return (int64_t)best;
}

static pg_status run_linear_classifier(pg_op *op)
{
    ml_transform transform;
    ml_labels labels;
    linear_job job;
    nn_result z;
    void *memory;
    PG_TRY(ml_attr_transform(op, &transform));
    PG_TRY(ml_attr_labels(op, "classlabels_ints", "classlabels_strings", &labels));
    PG_TRY(run_linear(op, 0, &job));
    const bool two = job.targets == 1 && labels.count == 2;
    const size_t rows = job.in.rows, classes = two ? 2 : job.targets;
    PG_TRY(pg_op_scratch(op, rows * sizeof(int64_t) + 1, &memory));
    int64_t *choices = memory;
    PG_TRY(nn_f64_out(op, 1, ml_float(op), 2, (int64_t[]){(int64_t)rows, (int64_t)classes}, &z));
    for (size_t r = 0; r < rows; r++) {
        const double *sums = job.sums + r * job.targets;
        double *scores = z.values + r * classes;
        choices[r] = choose_class(sums, job.targets);
        if (two) {
            ml_two_scores(transform, true, sums[0], scores);
        } else {
            memcpy(scores, sums, classes * sizeof *scores);
            ml_transform_row(transform, scores, classes);
        }
    }
    nn_f64_done(&z);
    return ml_out_labels(op, 0, &labels, rows, choices);
}

#define ML "ai.onnx.ml"
const pg_kernel pg_kernels_ml_linear[] = {
    {ML, "LinearClassifier", 1, 0, run_linear_classifier, NULL, NULL, 0},
    {ML, "LinearRegressor", 1, 0, run_linear_regressor, NULL, NULL, 0},
    {0},
};
