/* Softmax, LogSoftmax, Hardmax and LpNormalization: functions of lines along an axis. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "native/kernel.h"
#include "native/ops/simd.h"
#include "native/ops/vmath.h"
#include "native/simd/simd.h"

typedef enum line_kind { L_SOFTMAX, L_LOG_SOFTMAX, L_HARDMAX, L_NORM1, L_NORM2 } line_kind;

/* Lines of n elements, `inner` apart; lines that start next to each other are handled together. */
typedef struct line_job {
    line_kind kind;
    pg_dtype dtype;
    const void *x;
    void *y;
    size_t n, inner;
} line_job;

enum { COLUMNS = 64, PIECE = 4096, SHORT = 8 };

/* y = e^(x - shift) for a shift that is no smaller than any x, and the sum of it; y may be x. */
static double row_exp(float *y, const float *x, size_t n, float shift)
{
    const pg_simd *simd = pg_simd_best();
    double total = 0;
    for (size_t i = 0; i < n; i += PIECE)
        total += (double)simd->exp_sum_f32(x + i, shift, y + i, PG_MIN((size_t)PIECE, n - i));
    return total;
}

PG_SIMD static void row_scale(float *y, size_t n, float factor)
{
    PG_IVDEP
    for (size_t i = 0; i < n; i++)
        y[i] *= factor;
}

PG_SIMD static void row_subtract(float *y, const float *x, size_t n, float shift, float rest)
{
    PG_IVDEP
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] - shift - rest;
}

static void softmax_row(float *y, const float *x, size_t n)
{
    double total = row_exp(y, x, n, pg_simd_best()->max_f32(x, n));
    row_scale(y, n, (float)(1.0 / total));
}

static void log_softmax_row(float *y, const float *x, size_t n)
{
    float most = pg_simd_best()->max_f32(x, n), part[COLUMNS];
    double total = 0;
    for (size_t i = 0; i < n; i += COLUMNS) {
        size_t width = PG_MIN((size_t)COLUMNS, n - i);
        total += row_exp(part, x + i, width, most);
    }
    row_subtract(y, x, n, most, (float)log(total));
}

/* `width` neighbouring lines at once, `inner` elements from one step along the axis to the next. */
PG_SIMD static void softmax_columns(float *y, const float *x, size_t n, size_t inner, size_t width,
                                    bool want_log)
{
    float most[COLUMNS], sum[COLUMNS];
    for (size_t j = 0; j < width; j++) {
        most[j] = x[j];
        sum[j] = 0;
    }
    for (size_t k = 1; k < n; k++)
        for (size_t j = 0; j < width; j++)
            most[j] = x[k * inner + j] > most[j] ? x[k * inner + j] : most[j];
    for (size_t k = 0; k < n; k++) {
        PG_IVDEP
        for (size_t j = 0; j < width; j++) {
            float e = pg_vexp_below_zero(x[k * inner + j] - most[j]);
            sum[j] += e;
            if (!want_log)
                y[k * inner + j] = e;
        }
    }
    for (size_t j = 0; j < width; j++)
        sum[j] = want_log ? pg_vlog(sum[j]) : 1.0f / sum[j];
    for (size_t k = 0; k < n; k++) {
        PG_IVDEP
        for (size_t j = 0; j < width; j++)
            y[k * inner + j] = want_log ? x[k * inner + j] - most[j] - sum[j] : y[k * inner + j] * sum[j];
    }
}

/* ---- One line of any kind and type ---- */

#define LINE(T)                                                 \
    static void line_##T(const line_job *job, T *y, const T *x) \
    {                                                           \
        size_t n = job->n, step = job->inner, best = 0;         \
        double most = -INFINITY, total = 0;                     \
        for (size_t i = 0; i < n; i++) {                        \
            double v = (double)x[i * step];                     \
            best = v > most ? i : best;                         \
            most = v > most ? v : most;                         \
            total += job->kind == L_NORM1 ? fabs(v) : v * v;    \
        }                                                       \
        if (job->kind == L_NORM2)                               \
            total = sqrt(total);                                \
        if (job->kind < L_HARDMAX)                              \
            total = 0;                                          \
        for (size_t i = 0; job->kind < L_HARDMAX && i < n; i++) \
            total += exp((double)x[i * step] - most);           \
        for (size_t i = 0; i < n; i++) {                        \
            double v = (double)x[i * step];                     \
            if (job->kind == L_SOFTMAX)                         \
                v = exp(v - most) / total;                      \
            else if (job->kind == L_LOG_SOFTMAX)                \
                v = v - most - log(total);                      \
            else if (job->kind == L_HARDMAX)                    \
                v = i == best;                                  \
            else                                                \
                v = total == 0 ? 0 : v / total;                 \
            y[i * step] = (T)v;                                 \
        }                                                       \
    }
LINE(float)
LINE(double)

/* Short rows: as many side by side as there are columns, turned for the purpose. */
static void short_rows(const line_job *job, size_t begin, size_t end)
{
    float turned[SHORT * COLUMNS];
    const size_t n = job->n;
    for (size_t i = begin; i < end; i += COLUMNS) {
        const size_t width = PG_MIN((size_t)COLUMNS, end - i);
        const float *x = (const float *)job->x + i * n;
        float *y = (float *)job->y + i * n;
        for (size_t j = 0; j < width; j++)
            for (size_t k = 0; k < n; k++)
                turned[k * COLUMNS + j] = x[j * n + k];
        softmax_columns(turned, turned, n, COLUMNS, width, job->kind == L_LOG_SOFTMAX);
        for (size_t j = 0; j < width; j++)
            for (size_t k = 0; k < n; k++)
                y[j * n + k] = turned[k * COLUMNS + j];
    }
}

static void run_rows(void *context, size_t begin, size_t end)
{
    const line_job *job = context;
    if (job->n <= SHORT && end - begin > 1) {
        short_rows(job, begin, end);
        return;
    }
    for (size_t i = begin; i < end; i++) {
        const float *x = (const float *)job->x + i * job->n;
        float *y = (float *)job->y + i * job->n;
        if (job->kind == L_SOFTMAX)
            softmax_row(y, x, job->n);
        else
            log_softmax_row(y, x, job->n);
    }
}

static void run_columns(void *context, size_t begin, size_t end)
{
    const line_job *job = context;
    size_t chunks = (job->inner + COLUMNS - 1) / COLUMNS;
    for (size_t i = begin; i < end; i++) {
        size_t first = i % chunks * COLUMNS, at = i / chunks * job->n * job->inner + first;
        softmax_columns((float *)job->y + at, (const float *)job->x + at, job->n, job->inner,
                        PG_MIN((size_t)COLUMNS, job->inner - first), job->kind == L_LOG_SOFTMAX);
    }
}

static void run_lines(void *context, size_t begin, size_t end)
{
    const line_job *job = context;
    for (size_t i = begin; i < end; i++) {
        size_t at = i / job->inner * job->n * job->inner + i % job->inner;
        if (job->dtype == PG_F32)
            line_float(job, (float *)job->y + at, (const float *)job->x + at);
        else
            line_double(job, (double *)job->y + at, (const double *)job->x + at);
    }
}

/* `flatten`: everything from the axis on is one line, as Softmax had it before opset 13. */
static pg_status run(pg_op *op, line_kind kind, int64_t axis_value, bool flatten)
{
    PG_TRY(pg_op_need(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    line_job job = {.kind = kind, .dtype = x->dtype, .x = x->data, .n = 1, .inner = 1};
    size_t axis = 0;
    if (x->dtype != PG_F32 && x->dtype != PG_F64)
        return pg_op_bad_type(op, 0);
    if (flatten && axis_value == x->rank)
        axis = x->rank;
    else if (x->rank > 0)
        PG_TRY(pg_op_axis(op, axis_value, x->rank, &axis));
    for (size_t i = axis; i < x->rank; i++)
        *(flatten || i == axis ? &job.n : &job.inner) *= (size_t)x->dims[i];
    uint64_t count = pg_tensor_count(x);
    pg_tensor *y;
    bool columns = kind <= L_LOG_SOFTMAX && x->dtype == PG_F32;
    PG_TRY(pg_op_out_like(op, 0, 0, &y));
    job.y = y->data;
    if (count == 0)
        return NULL;
    size_t lines = (size_t)count / job.n, grain = PG_GRAIN_COSTLY / job.n + 1;
    if (columns && job.inner == 1)
        pg_parallel_for(lines, grain, run_rows, &job);
    else if (columns)
        pg_parallel_for(lines / job.inner * ((job.inner + COLUMNS - 1) / COLUMNS), grain / COLUMNS + 1,
                        run_columns, &job);
    else
        pg_parallel_for(lines, grain, run_lines, &job);
    return NULL;
}

static pg_status run_soft(pg_op *op, line_kind kind)
{
    int64_t axis;
    PG_TRY(pg_op_attr_i(op, "axis", op->opset < 13 ? 1 : -1, &axis));
    return run(op, kind, axis, op->opset < 13);
}
static pg_status run_softmax(pg_op *op)
{
    return run_soft(op, L_SOFTMAX);
}
static pg_status run_log_softmax(pg_op *op)
{
    return run_soft(op, L_LOG_SOFTMAX);
}
static pg_status run_hardmax(pg_op *op)
{
    return run_soft(op, L_HARDMAX);
}

static pg_status run_lp_normalization(pg_op *op)
{
    int64_t axis, p;
    PG_TRY(pg_op_attr_i(op, "axis", -1, &axis));
    PG_TRY(pg_op_attr_i(op, "p", 2, &p));
    if (p != 1 && p != 2)
        return pg_op_err(op, PG_ERR_INVALID, "attribute 'p' is %lld, not 1 or 2", (long long)p);
    return run(op, p == 1 ? L_NORM1 : L_NORM2, axis, false);
}

enum { HALF = PG_KERNEL_HALF_VIA_F32 };

const pg_kernel pg_kernels_softmax[] = {
    {"", "Hardmax", 1, 0, run_hardmax, NULL, NULL, HALF},
    {"", "LogSoftmax", 1, 0, run_log_softmax, NULL, NULL, HALF},
    {"", "LpNormalization", 1, 0, run_lp_normalization, NULL, NULL, HALF},
    {"", "Softmax", 1, 0, run_softmax, NULL, NULL, HALF},
    {0},
};
