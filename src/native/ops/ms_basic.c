/* com.microsoft: the operators of ONNX Runtime's exports that are small, or the standard's under another name. */
#include <math.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/threads.h"
#include "native/gemm.h"
#include "native/ops/nn.h"

/* ---- The standard's operators under this domain ---- */

/* Runs the standard's kernel of that version: inputs and attributes are the same. */
static pg_status run_as(pg_op *op, const char *op_type, int64_t opset)
{
    const pg_kernel *kernel = pg_kernel_find(PG_STR_EMPTY, pg_str_c(op_type), opset);
    if (kernel == NULL)
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "the standard's operator '%s' has no kernel", op_type);
    const int64_t own = op->opset;
    op->opset = opset;
    pg_status status = kernel->run(op);
    op->opset = own;
    return status;
}

#define SAME_AS(name, op_type, opset)      \
    static pg_status name(pg_op *op)       \
    {                                      \
        return run_as(op, op_type, opset); \
    }
SAME_AS(run_trilu, "Trilu", 14)
SAME_AS(run_pad, "Pad", 13)
SAME_AS(run_grid_sample, "GridSample", 16)
SAME_AS(run_gelu, "Gelu", 20)
SAME_AS(run_fused_gemm, "Gemm", 13) /* which knows the attributes of a fused activation */

/* ---- Activations with a bias ---- */

typedef struct biased {
    pg_dtype dtype;
    pg_act act;
    const char *x, *bias;
    size_t n; /* of the bias */
    char *y;
} biased;

static void biased_rows(void *context, size_t begin, size_t end)
{
    const biased *job = context;
    for (size_t r = begin; r < end; r++) {
        const size_t at = r * job->n;
        if (job->dtype == PG_F64)
            for (size_t i = 0; i < job->n; i++)
                ((double *)job->y)[at + i] =
                    ((const double *)job->x)[at + i] + ((const double *)job->bias)[i];
        else
            for (size_t i = 0; i < job->n; i++)
                ((float *)job->y)[at + i] = ((const float *)job->x)[at + i] + ((const float *)job->bias)[i];
        const size_t offset = at * (job->dtype == PG_F64 ? 8 : 4);
        pg_act_apply(job->dtype, job->act, job->y + offset, job->y + offset, job->n);
    }
}

static void plain_range(void *context, size_t begin, size_t end)
{
    const biased *job = context;
    const size_t size = job->dtype == PG_F64 ? 8 : 4;
    pg_act_apply(job->dtype, job->act, job->x + begin * size, job->y + begin * size, end - begin);
}

/* act(x + bias), where the bias, input 1, has as many elements as the last dim. */
static pg_status run_biased(pg_op *op, pg_act act, bool needs_bias)
{
    PG_TRY(nn_need_floats(op, needs_bias || pg_op_in(op, 1) != NULL ? 2 : 1));
    const pg_tensor *x = pg_op_in(op, 0), *bias = pg_op_in(op, 1);
    biased job = {.dtype = x->dtype, .act = act, .x = x->data};
    pg_tensor *y;
    const uint64_t count = pg_tensor_count(x);
    if (bias != NULL && (x->rank == 0 || bias->rank != 1 || bias->dims[0] != x->dims[x->rank - 1]))
        return pg_op_err(op, PG_ERR_INVALID, "the bias does not fit the last dimension");
    PG_TRY(pg_op_out_like(op, 0, 0, &y));
    job.y = y->data;
    if (bias == NULL || count == 0) {
        pg_parallel_for(count, 16384, plain_range, &job);
        return NULL;
    }
    job.bias = bias->data;
    job.n = (size_t)bias->dims[0];
    pg_parallel_for(count / job.n, 16384 / (job.n + 1) + 1, biased_rows, &job);
    return NULL;
}

static pg_status run_bias_gelu(pg_op *op)
{
    return run_biased(op, (pg_act){PG_ACT_GELU, 0, 0}, true);
}
static pg_status run_fast_gelu(pg_op *op)
{
    return run_biased(op, (pg_act){PG_ACT_GELU_TANH, 0, 0}, false);
}
static pg_status run_quick_gelu(pg_op *op)
{
    float alpha;
    PG_TRY(pg_op_attr_f(op, "alpha", 1.702f, &alpha));
    if (pg_op_in(op, 1) != NULL)
        return pg_op_err(op, PG_ERR_INVALID, "takes one input");
    return run_biased(op, (pg_act){PG_ACT_SILU, alpha, 0}, false);
}

/* ---- ExpandDims, Range ---- */

static pg_status run_expand_dims(pg_op *op)
{
    PG_TRY(pg_op_need(op, 2));
    const pg_tensor *x = pg_op_in(op, 0);
    int64_t at, dims[PG_MAX_RANK];
    size_t count, axis;
    PG_TRY(pg_op_ints(op, 1, &at, 1, &count));
    if (count != 1 || x->rank + 1 > PG_MAX_RANK)
        return pg_op_err(op, PG_ERR_INVALID, "the axis must be one integer, and the rank below %d",
                         PG_MAX_RANK);
    PG_TRY(pg_op_axis(op, at, x->rank + 1u, &axis));
    for (size_t i = 0; i <= x->rank; i++)
        dims[i] = i < axis ? x->dims[i] : i == axis ? 1 : x->dims[i - 1];
    return pg_op_out_view(op, 0, 0, x->rank + 1u, dims);
}

/* Step 1 when it is omitted. */
static pg_status run_range(pg_op *op)
{
    PG_TRY(pg_op_need(op, 2));
    double v[3] = {0, 0, 1};
    const pg_dtype dtype = pg_op_in(op, 0)->dtype;
    for (size_t i = 0; i < 3; i++) {
        const pg_tensor *t = pg_op_in(op, i);
        if (t == NULL)
            continue;
        if (t->dtype != dtype || (!pg_dtype_is_float(dtype) && !pg_dtype_is_integer(dtype)))
            return pg_op_bad_type(op, i);
        if (pg_tensor_count(t) != 1)
            return pg_op_err(op, PG_ERR_INVALID, "input %zu must be one number", i);
        v[i] = pg_tensor_get_f64(t, 0);
    }
    const double n = ceil((v[1] - v[0]) / v[2]);
    if (v[2] == 0 || !(n < 0x1p40))
        return pg_op_err(op, PG_ERR_INVALID, "a range from %g to %g in steps of %g", v[0], v[1], v[2]);
    const int64_t count = n > 0 ? (int64_t)n : 0;
    nn_result y;
    PG_TRY(nn_f64_out(op, 0, dtype, 1, &count, &y));
    for (int64_t i = 0; i < count; i++)
        y.values[i] = v[0] + (double)i * v[2];
    nn_f64_done(&y);
    return NULL;
}

/* ---- Unique ---- */

/* Values in the order in which they first come, where each element's value is, and how often each comes. */
static pg_status run_unique(pg_op *op)
{
    PG_TRY(nn_need_floats(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    const int64_t n = (int64_t)pg_tensor_count(x);
    const double *values;
    void *memory;
    pg_tensor *places, *counts;
    nn_result uniques;
    PG_TRY(nn_f64(op, 0, &values));
    PG_TRY(pg_op_scratch(op, (uint64_t)n * 2 * sizeof(int64_t) + 1, &memory));
    int64_t *firsts = memory, *times = firsts + n;
    PG_TRY(pg_op_out(op, 1, PG_I64, 1, &n, &places));
    pg_map seen = {0};
    for (int64_t i = 0; i < n; i++) {
        const pg_str key = {(const char *)&values[i], sizeof *values};
        size_t at = pg_map_index(&seen, key);
        if (at == SIZE_MAX) {
            at = seen.len;
            pg_map_put(&seen, key, NULL);
            firsts[at] = i;
            times[at] = 0;
        }
        times[at]++;
        ((int64_t *)places->data)[i] = (int64_t)at;
    }
    const int64_t n_unique = (int64_t)seen.len;
    pg_map_deinit(&seen);
    PG_TRY(nn_f64_out(op, 0, x->dtype, 1, &n_unique, &uniques));
    PG_TRY(pg_op_out(op, 2, PG_I64, 1, &n_unique, &counts));
    for (int64_t i = 0; i < n_unique; i++) {
        uniques.values[i] = values[firsts[i]];
        ((int64_t *)counts->data)[i] = times[i];
    }
    nn_f64_done(&uniques);
    return NULL;
}

/* ---- Inverse ---- */

/* Gauss-Jordan elimination with the largest pivot of each column; `a` is destroyed. A singular matrix gives
 * infinities and NaN. */
static void invert(double *a, double *inverse, size_t n)
{
    for (size_t i = 0; i < n * n; i++)
        inverse[i] = i % (n + 1) == 0;
    for (size_t c = 0; c < n; c++) {
        size_t best = c;
        for (size_t r = c + 1; r < n; r++)
            if (fabs(a[r * n + c]) > fabs(a[best * n + c]))
                best = r;
        for (size_t j = 0; best != c && j < n; j++) {
            const double x = a[c * n + j], y = inverse[c * n + j];
            a[c * n + j] = a[best * n + j];
            a[best * n + j] = x;
            inverse[c * n + j] = inverse[best * n + j];
            inverse[best * n + j] = y;
        }
        const double pivot = a[c * n + c];
        for (size_t j = 0; j < n; j++) {
            a[c * n + j] /= pivot;
            inverse[c * n + j] /= pivot;
        }
        for (size_t r = 0; r < n; r++) {
            const double factor = a[r * n + c];
            for (size_t j = 0; r != c && factor != 0 && j < n; j++) {
                a[r * n + j] -= factor * a[c * n + j];
                inverse[r * n + j] -= factor * inverse[c * n + j];
            }
        }
    }
}

static pg_status run_inverse(pg_op *op)
{
    PG_TRY(nn_need_floats(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    const double *values;
    void *memory;
    nn_result y;
    if (x->rank < 2 || x->dims[x->rank - 1] != x->dims[x->rank - 2])
        return pg_op_err(op, PG_ERR_INVALID, "the last two dimensions must be equal");
    const size_t n = (size_t)x->dims[x->rank - 1];
    const uint64_t count = pg_tensor_count(x);
    PG_TRY(nn_f64(op, 0, &values));
    PG_TRY(nn_f64_out(op, 0, x->dtype, x->rank, x->dims, &y));
    PG_TRY(pg_op_scratch(op, count > 0 ? (uint64_t)n * n * sizeof(double) : 1, &memory));
    for (uint64_t at = 0; at < count; at += n * n) {
        memcpy(memory, values + at, n * n * sizeof(double));
        invert(memory, y.values + at, n);
    }
    nn_f64_done(&y);
    return NULL;
}

/* ---- CDist ---- */

static pg_status run_cdist(pg_op *op)
{
    PG_TRY(nn_need_floats(op, 2));
    const pg_tensor *a = pg_op_in(op, 0), *b = pg_op_in(op, 1);
    pg_str metric;
    const double *x, *y;
    nn_result z;
    PG_TRY(pg_op_attr_s(op, "metric", "sqeuclidean", &metric));
    const bool root = pg_str_is(metric, "euclidean");
    if (!root && !pg_str_is(metric, "sqeuclidean"))
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "metric '%" PG_STR_FMT "' is not known", PG_STR_ARG(metric));
    if (a->rank != 2 || b->rank != 2 || a->dims[1] != b->dims[1])
        return pg_op_err(op, PG_ERR_INVALID, "the inputs must be matrices with as many columns");
    PG_TRY(nn_f64(op, 0, &x));
    PG_TRY(nn_f64(op, 1, &y));
    PG_TRY(nn_f64_out(op, 0, a->dtype, 2, (int64_t[]){a->dims[0], b->dims[0]}, &z));
    const size_t k = (size_t)a->dims[1], n = (size_t)b->dims[0];
    for (size_t i = 0; i < (size_t)a->dims[0]; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = 0;
            for (size_t c = 0; c < k; c++)
                sum += (x[i * k + c] - y[j * k + c]) * (x[i * k + c] - y[j * k + c]);
            z.values[i * n + j] = root ? sqrt(sum) : sum;
        }
    nn_f64_done(&z);
    return NULL;
}

#define MS "com.microsoft"
enum { HALF = PG_KERNEL_HALF_VIA_F32 };
const pg_kernel pg_kernels_ms_basic[] = {
    {MS, "Trilu", 1, 0, run_trilu, NULL, NULL, 0},
    {MS, "Pad", 1, 0, run_pad, NULL, NULL, 0},
    {MS, "GridSample", 1, 0, run_grid_sample, NULL, NULL, HALF},
    {MS, "Gelu", 1, 0, run_gelu, NULL, NULL, HALF | PG_KERNEL_ANY_LAYOUT},
    {MS, "FusedGemm", 1, 0, run_fused_gemm, NULL, NULL, HALF},
    {MS, "BiasGelu", 1, 0, run_bias_gelu, NULL, NULL, HALF},
    {MS, "FastGelu", 1, 0, run_fast_gelu, NULL, NULL, HALF},
    {MS, "QuickGelu", 1, 0, run_quick_gelu, NULL, NULL, HALF},
    {MS, "ExpandDims", 1, 0, run_expand_dims, NULL, NULL, 0},
    {MS, "Range", 1, 0, run_range, NULL, NULL, 0},
    {MS, "Unique", 1, 0, run_unique, NULL, NULL, HALF},
    {MS, "Inverse", 1, 0, run_inverse, NULL, NULL, HALF},
    {MS, "CDist", 1, 0, run_cdist, NULL, NULL, 0},
    {0},
};
