/* TreeEnsemble, TreeEnsembleRegressor, TreeEnsembleClassifier: walking the trees. */
#include "native/ops/ml_trees.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/threads.h"

static bool takes_yes(const forest *f, const tree_node *node, double x)
{
    if (isnan(x))
        return node->nan_is_yes;
    switch (node->mode) {
    case BRANCH_LEQ:
        return x <= node->value;
    case BRANCH_LT:
        return x < node->value;
    case BRANCH_GTE:
        return x >= node->value;
    case BRANCH_GT:
        return x > node->value;
    case BRANCH_EQ:
        return x == node->value;
    case BRANCH_NEQ:
        return x != node->value;
    default:
        for (uint32_t i = 0; i < node->n; i++)
            if (f->members[node->first + i] == x)
                return true;
        return false;
    }
}

/* The sums over all trees; has[t] says that a leaf voted for t. */
static void walk_trees(const forest *f, const double *x, double *sums, bool *has)
{
    memset(sums, 0, f->targets * sizeof *sums);
    memset(has, 0, f->targets * sizeof *has);
    for (size_t r = 0; r < f->n_roots; r++) {
        const tree_node *node = &f->nodes[f->roots[r]];
        while (node->mode != BRANCH_LEAF)
            node = &f->nodes[takes_yes(f, node, x[node->feature]) ? node->yes : node->no];
        for (uint32_t i = node->first; i < node->first + node->n; i++) {
            const uint32_t t = f->votes[i].target;
            const double w = f->votes[i].weight;
            if (f->aggregate == TREES_MIN)
                sums[t] = has[t] && sums[t] < w ? sums[t] : w;
            else if (f->aggregate == TREES_MAX)
                sums[t] = has[t] && sums[t] > w ? sums[t] : w;
            else
                sums[t] += w;
            has[t] = true;
        }
    }
    for (size_t t = 0; t < f->targets && f->aggregate == TREES_AVERAGE && f->n_roots > 0; t++)
        sums[t] /= (double)f->n_roots;
}

typedef struct forest_job {
    const forest *f;
    ml_rows in;
    double *out;      /* [rows][columns] */
    int64_t *choices; /* of a classifier, or NULL */
    double *sums;     /* [rows][targets] */
    bool *has;
} forest_job;

static pg_status start_job(pg_op *op, forest_job *job)
{
    const forest *f = job->f;
    void *memory;
    uint64_t bytes;
    PG_TRY(pg_op_need(op, 1));
    PG_TRY(ml_read_rows(op, 0, &job->in));
    if (job->in.cols < f->features)
        return pg_op_err(op, PG_ERR_INVALID, "the trees read feature %zu of %zu", f->features - 1,
                         job->in.cols);
    if (!nn_product(&bytes, 3, (uint64_t[]){job->in.rows, f->targets, sizeof(double) + 1}))
        return pg_op_err(op, PG_ERR_LIMIT, "the result has too many elements");
    PG_TRY(pg_op_scratch(op, bytes + 1, &memory));
    job->sums = memory;
    job->has = (bool *)(job->sums + job->in.rows * f->targets);
    return NULL;
}

static void release_forest(void *state)
{
    forest *f = state;
    pg_arena_deinit(&f->arena);
    free(f);
}

static size_t rows_at_once(const forest *f)
{
    return 2048 / (f->n_roots + 1) + 1;
}

/* ---- Regression ---- */

static void regress_rows(void *context, size_t begin, size_t end)
{
    const forest_job *job = context;
    const forest *f = job->f;
    for (size_t r = begin; r < end; r++) {
        double *sums = job->sums + r * f->targets, *out = job->out + r * f->targets;
        walk_trees(f, job->in.x + r * job->in.cols, sums, job->has + r * f->targets);
        for (size_t t = 0; t < f->targets; t++)
            out[t] = sums[t] + (f->n_base > 0 ? f->base[f->n_base > 1 ? t : 0] : 0);
        ml_transform_row(f->transform, out, f->targets);
    }
}

static pg_status run_regressor(pg_op *op, pg_dtype dtype)
{
    forest_job job = {.f = op->state};
    nn_result y;
    PG_TRY(start_job(op, &job));
    const int64_t dims[2] = {(int64_t)job.in.rows, (int64_t)job.f->targets};
    PG_TRY(nn_f64_out(op, 0, dtype, 2, dims, &y));
    job.out = y.values;
    pg_parallel_for(job.in.rows, rows_at_once(job.f), regress_rows, &job);
    nn_f64_done(&y);
    return NULL;
}

static pg_status run_tree_ensemble(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    const pg_dtype dtype = pg_op_in(op, 0)->dtype;
    return nn_is_float(dtype) ? run_regressor(op, dtype) : pg_op_bad_type(op, 0);
}

static pg_status run_tree_regressor(pg_op *op)
{
    return run_regressor(op, ml_float(op));
}

static pg_status prepare_tree_ensemble(pg_op *op)
{
    forest *f = PG_NEW(forest);
    op->state = f;
    return forest_read_tensors(op, f);
}

static pg_status prepare_tree_regressor(pg_op *op)
{
    forest *f = PG_NEW(forest);
    int64_t targets;
    op->state = f;
    PG_TRY(pg_op_attr_i(op, "n_targets", 1, &targets));
    if (targets < 1 || targets > ML_MOST_COLUMNS)
        return pg_op_err(op, PG_ERR_INVALID, "n_targets is %lld", (long long)targets);
    f->targets = (size_t)targets;
    PG_TRY(forest_read_lists(op, "target", f));
    if (f->n_base > 1 && f->n_base != f->targets)
        return pg_op_err(op, PG_ERR_INVALID, "%zu base values for %zu targets", f->n_base, f->targets);
    return NULL;
}

/* ---- Classification ---- */

/* Converters write models of two classes with one vote per leaf. On class 0 it is the weight of the *second*
 * class, and the first one's score is made up from it; on class 1 the first one's score stays 0. Either way
 * the sum is a probability when no weight is negative, else its sign decides. */
typedef enum vote_kind { VOTES_PER_CLASS, ONE_SUM, SECOND_CLASS_ONLY } vote_kind;

typedef struct classifier {
    forest f; /* first: release_forest frees it */
    ml_labels labels;
    vote_kind votes;
    bool probability;
} classifier;

static int64_t classify_row(const classifier *c, const double *sums, double *out)
{
    const forest *f = &c->f;
    const double base = f->n_base == 1 ? f->base[0] : 0, limit = c->probability ? 0.5 : 0;
    if (c->votes == ONE_SUM) {
        ml_two_scores(f->transform, c->probability, sums[0] + base, out);
        return sums[0] + base > limit;
    }
    size_t best = 0;
    for (size_t t = 0; t < f->targets; t++) {
        out[t] = sums[t] + (f->n_base > 1 ? f->base[t] : 0);
        if (out[t] > out[best])
            best = t;
    }
    if (c->votes == SECOND_CLASS_ONLY) {
        out[1] += base;
        best = out[1] > limit;
    }
    ml_transform_row(f->transform, out, f->targets);
    return (int64_t)best;
}

static void classify_rows(void *context, size_t begin, size_t end)
{
    const forest_job *job = context;
    const size_t n = job->f->targets;
    for (size_t r = begin; r < end; r++) {
        walk_trees(job->f, job->in.x + r * job->in.cols, job->sums + r * n, job->has + r * n);
        job->choices[r] = classify_row((const classifier *)job->f, job->sums + r * n, job->out + r * n);
    }
}

static pg_status run_tree_classifier(pg_op *op)
{
    const classifier *c = op->state;
    forest_job job = {.f = &c->f};
    nn_result z;
    void *memory;
    PG_TRY(start_job(op, &job));
    PG_TRY(pg_op_scratch(op, job.in.rows * sizeof(int64_t) + 1, &memory));
    job.choices = memory;
    const int64_t dims[2] = {(int64_t)job.in.rows, (int64_t)c->f.targets};
    PG_TRY(nn_f64_out(op, 1, ml_float(op), 2, dims, &z));
    job.out = z.values;
    pg_parallel_for(job.in.rows, rows_at_once(job.f), classify_rows, &job);
    nn_f64_done(&z);
    return ml_out_labels(op, 0, &c->labels, job.in.rows, job.choices);
}

static pg_status prepare_tree_classifier(pg_op *op)
{
    classifier *c = PG_NEW(classifier);
    op->state = c;
    PG_TRY(ml_attr_labels(op, "classlabels_int64s", "classlabels_strings", &c->labels));
    c->f.targets = c->labels.count;
    PG_TRY(forest_read_lists(op, "class", &c->f));
    const forest *f = &c->f;
    const bool two = f->targets == 2;
    if (f->targets == 0 || (f->n_base != 0 && f->n_base != f->targets && !(f->n_base == 1 && two)))
        return pg_op_err(op, PG_ERR_INVALID, "%zu class labels and %zu base values", f->targets, f->n_base);
    bool votes[2] = {false, false};
    c->probability = true;
    for (size_t i = 0; i < f->n_votes; i++) {
        votes[f->votes[i].target != 0] = true;
        c->probability = c->probability && f->votes[i].weight >= 0;
    }
    if (two && votes[0] != votes[1] && f->n_base < 2)
        c->votes = votes[0] ? ONE_SUM : SECOND_CLASS_ONLY;
    return NULL;
}

#define ML "ai.onnx.ml"
const pg_kernel pg_kernels_ml_trees[] = {
    {ML, "TreeEnsemble", 5, 0, run_tree_ensemble, prepare_tree_ensemble, release_forest,
     PG_KERNEL_HALF_VIA_F32},
    {ML, "TreeEnsembleClassifier", 1, 0, run_tree_classifier, prepare_tree_classifier, release_forest, 0},
    {ML, "TreeEnsembleRegressor", 1, 0, run_tree_regressor, prepare_tree_regressor, release_forest, 0},
    {0},
};
