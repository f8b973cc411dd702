/* Floating-point operators of com.microsoft, which ONNX Runtime's optimiser writes: the GELU family, fused
 * products, skip and embedding layer normalisation. */

#include <math.h>

#include "base/alloc.h"
#include "native/gemm.h"
#include "native/ops/linear.h"
#include "native/ops/nn.h"

/* ---- GELU ---- */

/* act(x + bias), the bias along the last dim. */
static pg_status run_biased(pg_op *op, pg_act act)
{
    PG_TRY(nn_need_floats(op, 1));
    const pg_tensor *x = pg_op_in(op, 0), *bias = pg_op_in(op, 1);
    pg_tensor *y;
    const uint64_t count = pg_tensor_count(x);
    if (bias != NULL &&
        (x->rank == 0 || bias->dtype != x->dtype || bias->rank != 1 || bias->dims[0] != x->dims[x->rank - 1]))
        return pg_op_err(op, PG_ERR_INVALID, "the bias does not fit the last dimension");
    PG_TRY(pg_op_out_like(op, 0, 0, &y));
    for (uint64_t i = 0; i < count && bias != NULL; i++) {
        const uint64_t j = i % (uint64_t)bias->dims[0];
        if (x->dtype == PG_F64)
            ((double *)y->data)[i] = ((const double *)x->data)[i] + ((const double *)bias->data)[j];
        else
            ((float *)y->data)[i] = ((const float *)x->data)[i] + ((const float *)bias->data)[j];
    }
    pg_act_apply(x->dtype, act, bias != NULL ? y->data : x->data, y->data, count);
    return NULL;
}

static pg_status run_gelu(pg_op *op)
{
    return run_biased(op, (pg_act){.kind = PG_ACT_GELU});
}
static pg_status run_fast_gelu(pg_op *op)
{
    return run_biased(op, (pg_act){.kind = PG_ACT_GELU_TANH});
}
static pg_status run_quick_gelu(pg_op *op)
{
    pg_act act = {.kind = PG_ACT_SILU};
    PG_TRY(pg_op_attr_f(op, "alpha", 1.702f, &act.alpha));
    return run_biased(op, act);
}

/* ---- FusedMatMul ---- */

/* One pair of matrices after the other: alpha op(A) op(B), batches of A and B equal or one of them absent. */
static pg_status run_fused_matmul(pg_op *op)
{
    PG_TRY(nn_need_floats(op, 2));
    const pg_tensor *a = pg_op_in(op, 0), *b = pg_op_in(op, 1);
    int64_t trans_a, trans_b, batch_a, batch_b, dims[PG_MAX_RANK];
    float alpha;
    PG_TRY(pg_op_attr_i(op, "transA", 0, &trans_a));
    PG_TRY(pg_op_attr_i(op, "transB", 0, &trans_b));
    PG_TRY(pg_op_attr_i(op, "transBatchA", 0, &batch_a));
    PG_TRY(pg_op_attr_i(op, "transBatchB", 0, &batch_b));
    PG_TRY(pg_op_attr_f(op, "alpha", 1, &alpha));
    if (batch_a != 0 || batch_b != 0 || a->rank < 2 || b->rank < 2)
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "transposed batches or vectors");
    const size_t ra = a->rank, rb = b->rank, rank = PG_MAX(ra, rb);
    const size_t m = (size_t)a->dims[ra - (trans_a != 0 ? 1 : 2)],
                 k = (size_t)a->dims[ra - (trans_a != 0 ? 2 : 1)];
    const size_t n = (size_t)b->dims[rb - (trans_b != 0 ? 2 : 1)];
    if ((size_t)b->dims[rb - (trans_b != 0 ? 1 : 2)] != k)
        return pg_op_err(op, PG_ERR_INVALID, "the inner dimensions differ");
    size_t batches = 1;
    const pg_tensor *longer = ra >= rb ? a : b;
    for (size_t d = 0; d + 2 < rank; d++) {
        dims[d] = longer->dims[d];
        batches *= (size_t)dims[d];
    }
    const pg_tensor *both[] = {a, b};
    size_t matrices[2];
    for (size_t i = 0; i < 2; i++) {
        matrices[i] = 1;
        for (size_t d = 0; d + 2 < both[i]->rank; d++)
            matrices[i] *= (size_t)both[i]->dims[d];
        if (matrices[i] != 1 && matrices[i] != batches)
            return pg_op_err(op, PG_ERR_UNSUPPORTED, "batch dimensions that are partly broadcast");
    }
    dims[rank - 2] = (int64_t)m;
    dims[rank - 1] = (int64_t)n;
    const size_t size = a->dtype == PG_F64 ? 8 : 4;
    void *packed, *turned;
    pg_tensor *y;
    PG_TRY(pg_op_scratch(op, pg_gemm_packed_bytes(a->dtype, k, n) + 64, &packed));
    PG_TRY(pg_op_scratch(op, (uint64_t)m * k * size + 64, &turned));
    PG_TRY(pg_op_out(op, 0, a->dtype, rank, dims, &y));
    for (size_t i = 0; i < batches; i++) {
        const char *x = (const char *)a->data + (matrices[0] == 1 ? 0 : i) * m * k * size;
        const char *w = (const char *)b->data + (matrices[1] == 1 ? 0 : i) * k * n * size;
        if (trans_a != 0)
            linear_transpose(a->dtype, x, k, m, turned);
        if (i == 0 || matrices[1] > 1)
            pg_gemm_pack(a->dtype, k, n, w, trans_b != 0 ? k : n, trans_b != 0, (double)alpha, packed);
        pg_gemm_run(&(pg_gemm){a->dtype,
                               m,
                               n,
                               k,
                               trans_a != 0 ? turned : x,
                               k,
                               packed,
                               (char *)y->data + i * m * n * size,
                               n,
                               NULL,
                               NULL,
                               0,
                               {0}});
    }
    return NULL;
}

/* ---- Layer normalisation ---- */

typedef struct norm_row {
    size_t n;
    bool simple; /* by the root mean square alone */
    double epsilon;
    const double *gamma, *beta; /* beta may be NULL */
} norm_row;

static void normalize(const norm_row *s, const double *x, double *y)
{
    double mean = 0, squares = 0;
    for (size_t i = 0; i < s->n && !s->simple; i++)
        mean += x[i] / (double)s->n;
    for (size_t i = 0; i < s->n; i++)
        squares += (x[i] - mean) * (x[i] - mean) / (double)s->n;
    const double inverse = 1 / sqrt(squares + s->epsilon);
    for (size_t i = 0; i < s->n; i++)
        y[i] = (x[i] - mean) * inverse * s->gamma[i] + (s->beta != NULL ? s->beta[i] : 0);
}

static pg_status read_row(pg_op *op, size_t gamma, size_t beta, size_t n, norm_row *out)
{
    float epsilon;
    PG_TRY(pg_op_attr_f(op, "epsilon", 1e-12f, &epsilon));
    for (size_t i = 0; i < 2; i++) {
        const pg_tensor *t = pg_op_in(op, i == 0 ? gamma : beta);
        if ((i == 0 && t == NULL) || (t != NULL && pg_tensor_count(t) != n))
            return pg_op_err(op, PG_ERR_INVALID, "gamma or beta does not have %zu elements", n);
    }
    out->n = n;
    out->epsilon = (double)epsilon;
    PG_TRY(nn_f64(op, gamma, &out->gamma));
    out->beta = NULL;
    return beta == SIZE_MAX ? NULL : nn_f64(op, beta, &out->beta);
}

/* Inputs x, skip, gamma, [beta,] bias; outputs y, mean, inverse deviation, x + skip + bias. */
static pg_status run_skip(pg_op *op, bool simple)
{
    PG_TRY(nn_need_floats(op, 3));
    const pg_tensor *x = pg_op_in(op, 0), *skip = pg_op_in(op, 1);
    const size_t bias_at = simple ? 3 : 4;
    const pg_tensor *bias = pg_op_in(op, bias_at);
    norm_row row = {.simple = simple};
    const double *xs, *skips, *biases;
    nn_result y, sum;
    if (x->rank < 2)
        return pg_op_err(op, PG_ERR_INVALID, "the input has rank %d", x->rank);
    const size_t n = (size_t)x->dims[x->rank - 1];
    const uint64_t count = pg_tensor_count(x), skip_count = pg_tensor_count(skip);
    if (skip_count == 0 || count % skip_count != 0 || skip->rank == 0 ||
        skip->dims[skip->rank - 1] != (int64_t)n || (bias != NULL && pg_tensor_count(bias) != n))
        return pg_op_err(op, PG_ERR_INVALID, "skip or bias does not fit the input");
    PG_TRY(read_row(op, 2, simple ? SIZE_MAX : 3, n, &row));
    PG_TRY(nn_f64(op, 0, &xs));
    PG_TRY(nn_f64(op, 1, &skips));
    PG_TRY(nn_f64(op, bias_at, &biases));
    PG_TRY(nn_f64_out(op, 0, x->dtype, x->rank, x->dims, &y));
    PG_TRY(nn_f64_out(op, 3, x->dtype, x->rank, x->dims, &sum));
    for (size_t i = 1; i < 3; i++)
        if (pg_op_out_wanted(op, i))
            return pg_op_err(op, PG_ERR_UNSUPPORTED, "the mean and the deviation as outputs");
    for (uint64_t i = 0; i < count; i++)
        sum.values[i] = xs[i] + skips[i % skip_count] + (biases != NULL ? biases[i % n] : 0);
    for (uint64_t r = 0; n > 0 && r < count / n; r++)
        normalize(&row, sum.values + r * n, y.values + r * n);
    nn_f64_done(&y);
    nn_f64_done(&sum);
    return NULL;
}

static pg_status run_skip_norm(pg_op *op)
{
    return run_skip(op, false);
}
static pg_status run_skip_simple_norm(pg_op *op)
{
    return run_skip(op, true);
}

/* Row `id` of a table; an error outside it. */
static pg_status add_embedding(const pg_op *op, size_t table, const double *values, int64_t id, size_t n,
                               double *sum)
{
    if (id < 0 || id >= pg_op_in(op, table)->dims[0])
        return pg_op_err(op, PG_ERR_INVALID, "id %lld is outside table %zu", (long long)id, table);
    for (size_t i = 0; i < n; i++)
        sum[i] += values[(size_t)id * n + i];
    return NULL;
}

/* Inputs: ids, segments, word, position and segment tables, gamma, beta, mask, position ids. */
static pg_status run_embed_norm(pg_op *op)
{
    for (size_t i = 0; i < 7; i++)
        if (i != 1 && i != 4 && pg_op_in(op, i) == NULL)
            return pg_op_err(op, PG_ERR_INVALID, "input %zu is missing", i);
    const pg_tensor *ids = pg_op_in(op, 0), *segments = pg_op_in(op, 1), *mask = pg_op_in(op, 7);
    const pg_tensor *words = pg_op_in(op, 2), *positions = pg_op_in(op, 8);
    const size_t tables[] = {2, 3, 4};
    const double *values[3];
    norm_row row = {0};
    nn_result y, sum;
    pg_tensor *counts;
    if (ids->rank != 2 || ids->dtype != PG_I32 || words->rank != 2)
        return pg_op_err(op, PG_ERR_INVALID,
                         "the ids are not int32 of rank 2, or the table has another rank");
    const size_t n = (size_t)words->dims[1], length = (size_t)ids->dims[1];
    const uint64_t rows = pg_tensor_count(ids);
    for (size_t i = 0; i < 3; i++) {
        const pg_tensor *t = pg_op_in(op, tables[i]);
        if (t != NULL && (t->rank != 2 || t->dims[1] != (int64_t)n))
            return pg_op_err(op, PG_ERR_INVALID, "input %zu is no table of width %zu", tables[i], n);
        PG_TRY(nn_f64(op, tables[i], &values[i]));
    }
    if ((segments != NULL &&
         (segments->dtype != PG_I32 || pg_tensor_count(segments) != rows || values[2] == NULL)) ||
        (positions != NULL && (positions->dtype != PG_I32 || length == 0 || pg_tensor_count(positions) == 0 ||
                               rows % pg_tensor_count(positions) != 0)) ||
        (mask != NULL && (mask->dtype != PG_I32 || pg_tensor_count(mask) != rows)))
        return pg_op_err(op, PG_ERR_INVALID, "segments, positions or mask do not fit the ids");
    PG_TRY(read_row(op, 5, 6, n, &row));
    const int64_t dims[] = {ids->dims[0], ids->dims[1], (int64_t)n};
    PG_TRY(nn_f64_out(op, 0, words->dtype, 3, dims, &y));
    PG_TRY(pg_op_out(op, 1, PG_I32, 1, dims, &counts));
    PG_TRY(nn_f64_out(op, 2, words->dtype, 3, dims, &sum));
    memset(sum.values, 0, rows * n * sizeof(double));
    memset(counts->data, 0, (size_t)dims[0] * sizeof(int32_t));
    for (uint64_t r = 0; r < rows; r++) {
        double *s = sum.values + r * n;
        const int64_t position = positions != NULL
                                     ? ((const int32_t *)positions->data)[r % pg_tensor_count(positions)]
                                     : (int64_t)(r % length);
        PG_TRY(add_embedding(op, 2, values[0], ((const int32_t *)ids->data)[r], n, s));
        PG_TRY(add_embedding(op, 3, values[1], position, n, s));
        if (segments != NULL)
            PG_TRY(add_embedding(op, 4, values[2], ((const int32_t *)segments->data)[r], n, s));
        normalize(&row, s, y.values + r * n);
        if (mask != NULL && ((const int32_t *)mask->data)[r] == 1)
            ((int32_t *)counts->data)[r / length]++;
    }
    nn_f64_done(&y);
    nn_f64_done(&sum);
    return NULL;
}

enum { HALF = PG_KERNEL_HALF_VIA_F32 };
const pg_kernel pg_kernels_contrib[] = {
    {"com.microsoft", "Gelu", 1, 0, run_gelu, NULL, NULL, HALF},
    {"com.microsoft", "BiasGelu", 1, 0, run_gelu, NULL, NULL, HALF},
    {"com.microsoft", "FastGelu", 1, 0, run_fast_gelu, NULL, NULL, HALF},
    {"com.microsoft", "QuickGelu", 1, 0, run_quick_gelu, NULL, NULL, HALF},
    {"com.microsoft", "FusedMatMul", 1, 0, run_fused_matmul, NULL, NULL, HALF},
    {"com.microsoft", "SkipLayerNormalization", 1, 0, run_skip_norm, NULL, NULL, HALF},
    {"com.microsoft", "SkipSimplifiedLayerNormalization", 1, 0, run_skip_simple_norm, NULL, NULL, HALF},
    {"com.microsoft", "EmbedLayerNormalization", 1, 0, run_embed_norm, NULL, NULL, HALF},
    {0},
};
