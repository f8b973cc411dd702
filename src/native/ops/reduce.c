/* Reductions along axes.
 *
 * The input is seen as few long dims, each kept or reduced. When the last one is reduced, every result is
 * made of contiguous pieces; when it is kept, whole rows are combined into rows of results. Sums of float32
 * are kept in float64 between pieces, sums of float64 keep what rounding takes. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "native/kernel.h"
#include "native/ops/exact.h"
#include "native/ops/move.h"
#include "native/ops/simd.h"
#include "native/simd/simd.h"

typedef enum reduce_kind { R_SUM, R_ABS, R_SQUARE, R_PROD, R_MAX, R_MIN, R_EXP, R_KINDS } reduce_kind;
typedef enum reduce_finish { F_NONE, F_MEAN, F_ROOT, F_LOG, F_LOG_EXP } reduce_finish;

/* Results under way, one per output of a row: CHUNK of them, and behind them what rounding took from sums of
 * float64. */
typedef union accumulator {
    double real;
    int64_t integer;
} accumulator;

enum { CHUNK = 256 };

typedef struct reduce_job {
    reduce_kind kind;
    reduce_finish finish;
    pg_dtype dtype;
    const char *x;
    char *y;
    size_t size;
    size_t n_kept, n_reduced; /* dims, in order; without the inner one */
    int64_t kept[PG_MAX_RANK], kept_strides[PG_MAX_RANK];
    int64_t reduced[PG_MAX_RANK], reduced_strides[PG_MAX_RANK];
    int64_t inner; /* size of the last dim */
    bool inner_reduced;
    uint64_t count; /* elements per result */
} reduce_job;

static void start(const reduce_job *job, accumulator *acc, size_t n)
{
    bool real = pg_dtype_is_float(job->dtype);
    bool is_unsigned = pg_dtype_kind_of(job->dtype) == PG_KIND_UINT || job->dtype == PG_BOOL;
    unsigned bits = job->dtype == PG_BOOL ? 1 : pg_dtype_get(job->dtype)->bits;
    accumulator first = {.integer = 0};
    if (real)
        first.real = job->kind == R_PROD  ? 1
                     : job->kind == R_MAX ? -INFINITY
                     : job->kind == R_MIN ? INFINITY
                                          : 0;
    else if (job->kind == R_PROD)
        first.integer = 1;
    else if (job->kind == R_MAX)
        first.integer = is_unsigned ? 0 : INT64_MIN >> (64 - bits);
    else if (job->kind == R_MIN)
        first.integer = is_unsigned ? (int64_t)(UINT64_MAX >> (64 - bits)) : INT64_MAX >> (64 - bits);
    for (size_t i = 0; i < n; i++) {
        acc[i] = first;
        acc[CHUNK + i].real = 0;
    }
}

/* ---- float32: sixteen lanes per piece, pieces joined in float64 ---- */

enum { LANES = 16, PIECE = 4096 };

#define PIECES_F32(name, first, combine, join)                       \
    PG_SIMD static double name(double acc, const float *x, size_t n) \
    {                                                                \
        while (n > 0) {                                              \
            size_t piece = n < PIECE ? n : PIECE, i = 0;             \
            float lanes[LANES];                                      \
            for (size_t k = 0; k < LANES; k++)                       \
                lanes[k] = first;                                    \
            for (; i + LANES <= piece; i += LANES)                   \
                for (size_t k = 0; k < LANES; k++) {                 \
                    float a = lanes[k], v = x[i + k];                \
                    lanes[k] = combine;                              \
                }                                                    \
            for (size_t k = 0; i < piece; i++, k++) {                \
                float a = lanes[k], v = x[i];                        \
                lanes[k] = combine;                                  \
            }                                                        \
            for (size_t k = 0; k < LANES; k++) {                     \
                double a = acc, v = (double)lanes[k];                \
                acc = join;                                          \
            }                                                        \
            x += piece;                                              \
            n -= piece;                                              \
        }                                                            \
        return acc;                                                  \
    }
PIECES_F32(sum_f32, 0.0f, a + v, a + v)
PIECES_F32(abs_f32, 0.0f, a + fabsf(v), a + v)
PIECES_F32(square_f32, 0.0f, a + v * v, a + v)

static double max_f32(double acc, const float *x, size_t n)
{
    if (n == 0)
        return acc;
    double v = (double)pg_simd_best()->max_f32(x, n);
    return v > acc || v != v ? v : acc;
}
static double min_f32(double acc, const float *x, size_t n)
{
    if (n == 0)
        return acc;
    double v = (double)pg_simd_best()->min_f32(x, n);
    return v < acc || v != v ? v : acc;
}

static double prod_f32(double acc, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        acc *= (double)x[i];
    return acc;
}

#define ROWS_F32(name, combine)                                     \
    PG_SIMD static void name(double *acc, const float *x, size_t n) \
    {                                                               \
        PG_IVDEP                                                    \
        for (size_t i = 0; i < n; i++) {                            \
            double a = acc[i], v = (double)x[i];                    \
            acc[i] = combine;                                       \
        }                                                           \
    }
ROWS_F32(sum_rows_f32, a + v)
ROWS_F32(abs_rows_f32, a + fabs(v))
ROWS_F32(square_rows_f32, a + v * v)
ROWS_F32(prod_rows_f32, a *v)
ROWS_F32(max_rows_f32, v > a || v != v ? v : a)
ROWS_F32(min_rows_f32, v < a || v != v ? v : a)

static double (*const pieces_f32[R_KINDS])(double, const float *, size_t) = {sum_f32,  abs_f32, square_f32,
                                                                             prod_f32, max_f32, min_f32};
static void (*const rows_f32[R_KINDS])(double *, const float *, size_t) = {
    sum_rows_f32, abs_rows_f32, square_rows_f32, prod_rows_f32, max_rows_f32, min_rows_f32};

/* ---- The other types ---- */

static void combine_f64(reduce_kind kind, accumulator *acc, const double *x, size_t n, size_t step)
{
    for (size_t i = 0; i < n; i++, acc += step) {
        const double v = x[i], a = acc->real;
        exact_sum sum = {a, acc[CHUNK].real};
        switch (kind) {
        case R_SUM:
        case R_ABS:
            exact_add(&sum, kind == R_ABS ? fabs(v) : v);
            break;
        case R_SQUARE:
            exact_add_square(&sum, v);
            break;
        case R_PROD:
            sum.sum = a * v;
            break;
        case R_MAX:
            sum.sum = v > a || v != v ? v : a;
            break;
        default:
            sum.sum = v < a || v != v ? v : a;
        }
        acc->real = sum.sum;
        acc[CHUNK].real = sum.lost;
    }
}

static inline int64_t combine_integer(reduce_kind kind, int64_t a, int64_t v, bool is_unsigned)
{
    uint64_t ua = (uint64_t)a, uv = (uint64_t)v;
    switch (kind) {
    case R_SUM:
        return (int64_t)(ua + uv);
    case R_ABS:
        return (int64_t)(v < 0 && !is_unsigned ? ua - uv : ua + uv);
    case R_SQUARE:
        return (int64_t)(ua + uv * uv);
    case R_PROD:
        return (int64_t)(ua * uv);
    case R_MAX:
        return (is_unsigned ? uv > ua : v > a) ? v : a;
    default:
        return (is_unsigned ? uv < ua : v < a) ? v : a;
    }
}

/* Combines element i into acc[i * step]. */
#define COMBINE_INTEGERS(T, is_unsigned)        \
    for (size_t i = 0; i < n; i++, acc += step) \
    acc->integer = combine_integer(job->kind, acc->integer, (int64_t)((const T *)x)[i], is_unsigned)

static void combine(const reduce_job *job, accumulator *acc, const void *x, size_t n, size_t step)
{
    switch (job->dtype) {
    case PG_F32:
        if (step == 0)
            acc->real = pieces_f32[job->kind](acc->real, x, n);
        else
            rows_f32[job->kind](&acc->real, x, n);
        break;
    case PG_F64:
        combine_f64(job->kind, acc, x, n, step);
        break;
    case PG_I8:
        COMBINE_INTEGERS(int8_t, false);
        break;
    case PG_I16:
        COMBINE_INTEGERS(int16_t, false);
        break;
    case PG_I32:
        COMBINE_INTEGERS(int32_t, false);
        break;
    case PG_I64:
        COMBINE_INTEGERS(int64_t, false);
        break;
    case PG_U16:
        COMBINE_INTEGERS(uint16_t, true);
        break;
    case PG_U32:
        COMBINE_INTEGERS(uint32_t, true);
        break;
    case PG_U64:
        COMBINE_INTEGERS(uint64_t, true);
        break;
    default: /* uint8 and bool */
        COMBINE_INTEGERS(uint8_t, true);
        break;
    }
}

/* Integer results of roots, logarithms and means are cut towards zero. */
static int64_t finish_integer(const reduce_job *job, int64_t acc)
{
    bool is_unsigned = pg_dtype_kind_of(job->dtype) == PG_KIND_UINT;
    double real = is_unsigned ? (double)(uint64_t)acc : (double)acc;
    switch (job->finish) {
    case F_MEAN:
        if (job->count == 0)
            return 0;
        return is_unsigned ? (int64_t)((uint64_t)acc / job->count) : acc / (int64_t)job->count;
    case F_ROOT:
        return (int64_t)sqrt(real);
    case F_LOG:
        return real > 0 ? (int64_t)log(real) : 0;
    default:
        return acc;
    }
}

static double finish_real(const reduce_job *job, double acc)
{
    switch (job->finish) {
    case F_MEAN:
        return acc / (double)job->count;
    case F_ROOT:
        return sqrt(acc);
    case F_LOG:
        return log(acc);
    default:
        return acc;
    }
}

static void finish(const reduce_job *job, const accumulator *acc, size_t n, char *y)
{
    for (size_t i = 0; i < n; i++) {
        if (job->dtype == PG_F32) {
            ((float *)y)[i] = (float)finish_real(job, acc[i].real);
        } else if (job->dtype == PG_F64) {
            ((double *)y)[i] = finish_real(job, exact_result(acc[i].real, acc[CHUNK + i].real));
        } else {
            int64_t value = finish_integer(job, acc[i].integer);
            memcpy(y + i * job->size, &value, job->size); /* the low bytes */
        }
    }
}

/* ---- Walking ---- */

static int64_t offset_of(size_t n, const int64_t *dims, const int64_t *strides, uint64_t index)
{
    int64_t offset = 0;
    for (size_t i = n; i-- > 0;) {
        offset += (int64_t)(index % (uint64_t)dims[i]) * strides[i];
        index /= (uint64_t)dims[i];
    }
    return offset;
}

static int64_t integer_at(pg_dtype dtype, const char *x, size_t i)
{
    bool is_unsigned = pg_dtype_kind_of(dtype) == PG_KIND_UINT;
    switch (pg_move_size(dtype)) {
    case 1:
        return is_unsigned ? ((const uint8_t *)x)[i] : ((const int8_t *)x)[i];
    case 2:
        return is_unsigned ? ((const uint16_t *)x)[i] : ((const int16_t *)x)[i];
    case 4:
        return is_unsigned ? (int64_t)((const uint32_t *)x)[i] : ((const int32_t *)x)[i];
    default:
        return ((const int64_t *)x)[i];
    }
}

/* most + log(sum), cut towards zero; sum >= 1 but for empty ranges, whose result is 0. */
static int64_t join_log(int64_t most, double sum, bool is_unsigned)
{
    double rest = sum > 0 ? log(sum) : 0;
    if (sum <= 0)
        return 0;
    bool below_zero = !is_unsigned && most < 0 && (double)most + rest < 0;
    return (int64_t)((uint64_t)most + (uint64_t)(below_zero ? ceil(rest) : floor(rest)));
}

/* What element i adds to the sum, relative to the largest of its range. */
static double exp_term(const reduce_job *job, const char *x, size_t i, accumulator most)
{
    if (!pg_dtype_is_float(job->dtype))
        return exp(-(double)((uint64_t)most.integer - (uint64_t)integer_at(job->dtype, x, i)));
    double v = job->dtype == PG_F64 ? ((const double *)x)[i] : (double)((const float *)x)[i];
    return exp(isinf(most.real) ? v : v - most.real);
}

/* Log of a sum of exponentials, relative to the largest so that nothing overflows. */
static void log_sum_exp(const reduce_job *job, const char *x, uint64_t pieces, size_t width, size_t step,
                        accumulator *acc)
{
    reduce_job largest = *job;
    accumulator most[2 * CHUNK];
    size_t n_acc = step == 0 ? 1 : width;
    largest.kind = R_MAX;
    start(&largest, most, n_acc);
    double sum[CHUNK] = {0};
    for (uint64_t p = 0; p < pieces; p++)
        combine(&largest, most,
                x + offset_of(job->n_reduced, job->reduced, job->reduced_strides, p) * (int64_t)job->size,
                width, step);
    for (uint64_t p = 0; p < pieces; p++) {
        const char *piece =
            x + offset_of(job->n_reduced, job->reduced, job->reduced_strides, p) * (int64_t)job->size;
        for (size_t i = 0; i < width; i++)
            sum[i * step] += exp_term(job, piece, i, most[i * step]);
    }
    bool real = pg_dtype_is_float(job->dtype), is_unsigned = pg_dtype_kind_of(job->dtype) == PG_KIND_UINT;
    for (size_t i = 0; i < n_acc; i++) {
        if (real)
            acc[i].real = log(sum[i]) + (isinf(most[i].real) ? 0 : most[i].real);
        else
            acc[i].integer = join_log(most[i].integer, sum[i], is_unsigned);
        acc[CHUNK + i].real = 0;
    }
}

static void reduce_one(const reduce_job *job, const char *x, uint64_t pieces, size_t width, size_t step,
                       char *y)
{
    accumulator acc[2 * CHUNK];
    size_t n_acc = step == 0 ? 1 : width;
    if (job->finish == F_LOG_EXP) {
        log_sum_exp(job, x, pieces, width, step, acc);
    } else {
        start(job, acc, n_acc);
        for (uint64_t p = 0; p < pieces; p++)
            combine(job, acc,
                    x + offset_of(job->n_reduced, job->reduced, job->reduced_strides, p) * (int64_t)job->size,
                    width, step);
    }
    finish(job, acc, n_acc, y);
}

/* A range of results when the last dim is reduced, of chunks of a row of results when it is kept. */
static void reduce_range(void *context, size_t begin, size_t end)
{
    const reduce_job *job = context;
    uint64_t pieces = 1;
    for (size_t i = 0; i < job->n_reduced; i++)
        pieces *= (uint64_t)job->reduced[i];
    for (size_t k = begin; k < end; k++) {
        size_t row = k, first = 0, width = (size_t)job->inner;
        if (!job->inner_reduced) {
            size_t chunks = ((size_t)job->inner + CHUNK - 1) / CHUNK;
            row = k / chunks;
            first = k % chunks * CHUNK;
            width = PG_MIN((size_t)CHUNK, (size_t)job->inner - first);
        }
        int64_t at = offset_of(job->n_kept, job->kept, job->kept_strides, row) + (int64_t)first;
        size_t to = job->inner_reduced ? row : row * (size_t)job->inner + first;
        reduce_one(job, job->x + at * (int64_t)job->size, pieces, width, job->inner_reduced ? 0 : 1,
                   job->y + to * job->size);
    }
}

/* Merges neighbouring dims of one kind; the last dim becomes `inner`. */
static void plan(reduce_job *job, const pg_tensor *x, const bool *reduce)
{
    size_t n = 0;
    int64_t dims[PG_MAX_RANK], strides[PG_MAX_RANK], all[PG_MAX_RANK];
    bool kinds[PG_MAX_RANK];
    pg_strides(x->rank, x->dims, all);
    job->count = 1;
    for (size_t i = 0; i < x->rank; i++) {
        if (reduce[i])
            job->count *= (uint64_t)x->dims[i];
        if (x->dims[i] == 1)
            continue;
        bool merge = n > 0 && kinds[n - 1] == reduce[i];
        n += merge ? 0 : 1;
        dims[n - 1] = merge ? dims[n - 1] * x->dims[i] : x->dims[i];
        strides[n - 1] = all[i];
        kinds[n - 1] = reduce[i];
    }
    job->n_kept = job->n_reduced = 0;
    job->inner = n > 0 ? dims[n - 1] : 1;
    job->inner_reduced = n > 0 ? kinds[n - 1] : true;
    for (size_t i = 0; i + 1 < n; i++) {
        size_t *count = kinds[i] ? &job->n_reduced : &job->n_kept;
        (kinds[i] ? job->reduced : job->kept)[*count] = dims[i];
        (kinds[i] ? job->reduced_strides : job->kept_strides)[(*count)++] = strides[i];
    }
}

static bool takes_type(pg_dtype dtype, reduce_kind kind)
{
    if (dtype == PG_F32 || dtype == PG_F64 || (dtype == PG_BOOL && (kind == R_MAX || kind == R_MIN)))
        return true;
    return pg_dtype_is_integer(dtype) && pg_dtype_get(dtype)->bits >= 8;
}

/* Axes are an attribute before opset 18 (13 for ReduceSum), an input from then on. */
static pg_status read_axes(pg_op *op, size_t rank, bool *reduce)
{
    int64_t values[PG_MAX_RANK], noop = 0;
    const int64_t *axes = NULL;
    size_t n = 0;
    PG_TRY(pg_op_attr_is(op, "axes", &axes, &n));
    PG_TRY(pg_op_attr_i(op, "noop_with_empty_axes", 0, &noop));
    if (axes == NULL && pg_op_in(op, 1) != NULL) {
        PG_TRY(pg_op_ints(op, 1, values, PG_MAX_RANK, &n));
        axes = values;
    }
    for (size_t i = 0; i < rank; i++)
        reduce[i] = n == 0 && noop == 0;
    for (size_t i = 0; i < n; i++) {
        size_t axis;
        PG_TRY(pg_op_axis(op, axes[i], rank, &axis));
        reduce[axis] = true;
    }
    return NULL;
}

static pg_status reduce(pg_op *op, reduce_kind kind, reduce_finish finish_as)
{
    PG_TRY(pg_op_need(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    if (!takes_type(x->dtype, kind))
        return pg_op_bad_type(op, 0);
    bool along[PG_MAX_RANK];
    int64_t keep, dims[PG_MAX_RANK];
    size_t rank = 0;
    PG_TRY(read_axes(op, x->rank, along));
    PG_TRY(pg_op_attr_i(op, "keepdims", 1, &keep));
    for (size_t i = 0; i < x->rank; i++)
        if (!along[i] || keep != 0)
            dims[rank++] = along[i] ? 1 : x->dims[i];
    pg_tensor *y;
    PG_TRY(pg_op_out(op, 0, x->dtype, rank, dims, &y));
    uint64_t outputs = pg_tensor_count(y);
    if (outputs == 0)
        return NULL;
    reduce_job job = {.kind = kind,
                      .finish = finish_as,
                      .dtype = x->dtype,
                      .x = x->data,
                      .y = y->data,
                      .size = pg_move_size(x->dtype)};
    plan(&job, x, along);
    size_t units = (size_t)outputs, work = (size_t)PG_MAX(job.count, 1u);
    if (!job.inner_reduced) {
        size_t chunks = ((size_t)job.inner + CHUNK - 1) / CHUNK;
        units = (size_t)outputs / (size_t)job.inner * chunks;
        work *= PG_MIN((size_t)job.inner, (size_t)CHUNK);
    }
    pg_parallel_for(units, PG_GRAIN_CHEAP / work + 1, reduce_range, &job);
    return NULL;
}

#define REDUCE(name, kind, finish_as)       \
    static pg_status run_##name(pg_op *op)  \
    {                                       \
        return reduce(op, kind, finish_as); \
    }
REDUCE(sum, R_SUM, F_NONE)
REDUCE(mean, R_SUM, F_MEAN)
REDUCE(max, R_MAX, F_NONE)
REDUCE(min, R_MIN, F_NONE)
REDUCE(prod, R_PROD, F_NONE)
REDUCE(l1, R_ABS, F_NONE)
REDUCE(l2, R_SQUARE, F_ROOT)
REDUCE(log_sum, R_SUM, F_LOG)
REDUCE(log_sum_exp, R_EXP, F_LOG_EXP)
REDUCE(sum_square, R_SQUARE, F_NONE)

enum { HALF = PG_KERNEL_HALF_VIA_F32 };

const pg_kernel pg_kernels_reduce[] = {
    {"", "ReduceL1", 1, 0, run_l1, NULL, NULL, HALF},
    {"", "ReduceL2", 1, 0, run_l2, NULL, NULL, HALF},
    {"", "ReduceLogSum", 1, 0, run_log_sum, NULL, NULL, HALF},
    {"", "ReduceLogSumExp", 1, 0, run_log_sum_exp, NULL, NULL, HALF},
    {"", "ReduceMax", 1, 0, run_max, NULL, NULL, HALF},
    {"", "ReduceMean", 1, 0, run_mean, NULL, NULL, HALF},
    {"", "ReduceMin", 1, 0, run_min, NULL, NULL, HALF},
    {"", "ReduceProd", 1, 0, run_prod, NULL, NULL, HALF},
    {"", "ReduceSum", 1, 0, run_sum, NULL, NULL, HALF},
    {"", "ReduceSumSquare", 1, 0, run_sum_square, NULL, NULL, HALF},
    {0},
};
