/* Operators from 8-bit codes to 8-bit codes: sums, products, functions of one number, averages, concatenation.
 * Those of com.microsoft, and the engine's own with an activation. */
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "native/gemm.h"
#include "native/ops/pool.h"
#include "native/ops/quant.h"

enum { GRAIN = 16384 };

/* real = (code - zero) * scale, one scale for all. In float32, as everywhere in the field: ties of the
 * rounding fall where others have them. */
typedef struct linear {
    pg_dtype dtype;
    pg_codes codes;
    float lo, hi; /* bounds of codes, counted from the zero point */
} linear;

/* `dtype` is that of the codes; a zero point must have it too. */
static pg_status read_linear(pg_op *op, size_t scale, size_t zero, pg_dtype dtype, linear *out)
{
    const pg_tensor *s = pg_op_in(op, scale), *z = pg_op_in(op, zero);
    if (s == NULL || s->dtype != PG_F32 || pg_tensor_count(s) != 1 ||
        (z != NULL && (pg_tensor_count(z) != 1 || z->dtype != dtype)))
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "inputs %zu and %zu are not one scale and zero point", scale,
                         zero);
    const int32_t code = z == NULL        ? 0
                         : dtype == PG_U8 ? *(const uint8_t *)z->data
                                          : *(const int8_t *)z->data;
    out->dtype = dtype;
    out->codes = quant_codes(dtype, *(const float *)s->data, code);
    quant_range(dtype, &out->lo, &out->hi);
    out->lo -= (float)code;
    out->hi -= (float)code;
    return NULL;
}

static float decode(const linear *l, uint8_t code)
{
    return ((float)(code ^ l->codes.flip) - l->codes.zero) * l->codes.scale;
}
static uint8_t encode(const linear *l, float real)
{
    const float code = rintf(fminf(fmaxf(real / l->codes.scale, l->lo), l->hi)) + l->codes.zero;
    return (uint8_t)((uint8_t)code ^ l->codes.flip);
}

/* Relu and Clip narrow the bounds. */
static pg_status narrow(const pg_op *op, linear *to)
{
    pg_act act;
    double lo, hi;
    PG_TRY(nn_activation(op, &act));
    (void)pg_act_split(act, &lo, &hi);
    to->lo = fminf(fmaxf(to->lo, rintf((float)lo / to->codes.scale)), to->hi);
    to->hi = fmaxf(fminf(to->hi, rintf((float)hi / to->codes.scale)), to->lo);
    return NULL;
}

static pg_status need_8bit(const pg_op *op, size_t i)
{
    return pg_op_in(op, i) != NULL && quant_is_8bit(pg_op_in(op, i)->dtype) ? NULL : pg_op_bad_type(op, i);
}
static pg_status row_major(pg_op *op, size_t i)
{
    const pg_tensor *x;
    return nn_layout(op, i, PG_ROW_MAJOR, &x);
}

/* ---- Sums and products ---- */

typedef struct binary {
    linear a, b, to;
    bool multiply;
    const uint8_t *x, *y;
    uint8_t *out;
    size_t rank, inner; /* of `inner` results in a row both operands are rows, or b is one number */
    int64_t dims[PG_MAX_RANK], x_step[PG_MAX_RANK], y_step[PG_MAX_RANK];
} binary;

static void combine(const binary *b, const uint8_t *x, const uint8_t *y, uint8_t *out, size_t count)
{
    const pg_simd *simd = pg_simd_best();
    (b->multiply ? simd->mul_codes : simd->add_codes)(x, b->a.codes, y, b->b.codes, b->to.codes, b->to.lo,
                                                      b->to.hi, out, count);
}

static void run_flat(void *context, size_t begin, size_t end)
{
    const binary *b = context;
    combine(b, b->x + begin, b->y + begin, b->out + begin, end - begin);
}

/* One row along the last dim; an operand that is one number there is repeated. */
static void run_broadcast_rows(void *context, size_t begin, size_t end)
{
    enum { STRIP = 256 };
    const binary *b = context;
    const size_t last = b->rank - 1;
    for (size_t r = begin; r < end; r++) {
        size_t x = 0, y = 0, rest = r;
        for (size_t d = last; d-- > 0;) {
            const size_t at = rest % (size_t)b->dims[d];
            rest /= (size_t)b->dims[d];
            x += at * (size_t)b->x_step[d];
            y += at * (size_t)b->y_step[d];
        }
        uint8_t left[STRIP], right[STRIP];
        for (size_t i = 0; i < b->inner; i += STRIP) {
            const size_t count = PG_MIN((size_t)STRIP, b->inner - i);
            const uint8_t *u = b->x + x + (b->x_step[last] == 0 ? 0 : i),
                          *v = b->y + y + (b->y_step[last] == 0 ? 0 : i);
            if (b->x_step[last] == 0)
                u = memset(left, *u, count);
            if (b->y_step[last] == 0)
                v = memset(right, *v, count);
            combine(b, u, v, b->out + r * b->inner + i, count);
        }
    }
}

/* Dim d in the order of memory: channels-last, that is 0, 2, 3, ..., 1. */
static size_t stored(size_t d, size_t rank, bool last)
{
    return !last || d == 0 ? d : d + 1 == rank ? 1 : d + 1;
}

static void steps_of(const pg_tensor *t, size_t rank, bool last, int64_t *steps)
{
    int64_t step = 1;
    for (size_t d = rank; d-- > 0;) {
        const size_t at = stored(d, rank, last);
        const int64_t dim = at + t->rank >= rank ? t->dims[at + t->rank - rank] : 1;
        steps[d] = dim == 1 ? 0 : step;
        step *= dim;
    }
}

/* Whether a tensor lies in memory as it would channels-last: with one pixel, both are the same. */
static bool is_channels_last(const pg_tensor *t)
{
    bool pixel = t->rank >= 3;
    for (size_t d = 2; d < t->rank; d++)
        pixel = pixel && t->dims[d] == 1;
    return t->layout == PG_CHANNELS_LAST || pixel;
}

static pg_status run_binary(pg_op *op, bool multiply)
{
    binary b = {.multiply = multiply};
    pg_tensor *out;
    PG_TRY(need_8bit(op, 0));
    PG_TRY(need_8bit(op, 3));
    const pg_tensor *x = pg_op_in(op, 0), *y = pg_op_in(op, 3), *zero = pg_op_in(op, 7);
    PG_TRY(read_linear(op, 1, 2, x->dtype, &b.a));
    PG_TRY(read_linear(op, 4, 5, y->dtype, &b.b));
    PG_TRY(read_linear(op, 6, 7, zero != NULL && quant_is_8bit(zero->dtype) ? zero->dtype : x->dtype, &b.to));
    PG_TRY(narrow(op, &b.to));
    const bool same = x->rank == y->rank && memcmp(x->dims, y->dims, x->rank * sizeof *x->dims) == 0;
    const bool last = x->rank == y->rank && is_channels_last(x) && is_channels_last(y) &&
                      (x->layout == PG_CHANNELS_LAST || y->layout == PG_CHANNELS_LAST);
    if (!last) {
        PG_TRY(row_major(op, 0));
        PG_TRY(row_major(op, 3));
        x = pg_op_in(op, 0);
        y = pg_op_in(op, 3);
    }
    PG_TRY(pg_op_broadcast(op, x, y, &b.rank, b.dims));
    PG_TRY(pg_op_out(op, 0, b.to.dtype, b.rank, b.dims, &out));
    b.x = x->data;
    b.y = y->data;
    b.out = out->data;
    out->layout = last ? PG_CHANNELS_LAST : PG_ROW_MAJOR;
    const size_t count = (size_t)pg_tensor_count(out);
    if (count == 0)
        return NULL;
    if (same) {
        pg_parallel_for(count, GRAIN, run_flat, &b);
        return NULL;
    }
    steps_of(x, b.rank, last, b.x_step);
    steps_of(y, b.rank, last, b.y_step);
    for (size_t d = 0; d < b.rank; d++)
        b.dims[d] = out->dims[stored(d, b.rank, last)];
    b.inner = (size_t)b.dims[b.rank - 1];
    pg_parallel_for(count / b.inner, GRAIN / (b.inner + 1) + 1, run_broadcast_rows, &b);
    return NULL;
}

static pg_status run_add(pg_op *op)
{
    return run_binary(op, false);
}
static pg_status run_mul(pg_op *op)
{
    return run_binary(op, true);
}

/* ---- Functions of one number: 256 results, then a look-up per element ---- */

typedef struct look_up {
    uint8_t table[256];
    const uint8_t *x;
    uint8_t *y;
} look_up;

static void look_up_range(void *context, size_t begin, size_t end)
{
    const look_up *job = context;
    for (size_t i = begin; i < end; i++)
        job->y[i] = job->table[job->x[i]];
}

static pg_status run_act(pg_op *op, pg_act act)
{
    linear in, to;
    pg_tensor *y;
    look_up job;
    float reals[256];
    PG_TRY(need_8bit(op, 0));
    const pg_tensor *x = pg_op_in(op, 0), *zero = pg_op_in(op, 4);
    PG_TRY(read_linear(op, 1, 2, x->dtype, &in));
    PG_TRY(read_linear(op, 3, 4, zero != NULL && quant_is_8bit(zero->dtype) ? zero->dtype : x->dtype, &to));
    for (size_t i = 0; i < 256; i++)
        reals[i] = decode(&in, (uint8_t)i);
    pg_act_apply(PG_F32, act, reals, reals, 256);
    for (size_t i = 0; i < 256; i++)
        job.table[i] = encode(&to, reals[i]);
    PG_TRY(pg_op_out(op, 0, to.dtype, x->rank, x->dims, &y));
    y->layout = x->layout;
    job.x = x->data;
    job.y = y->data;
    pg_parallel_for((size_t)pg_tensor_count(x), GRAIN, look_up_range, &job);
    return NULL;
}

static pg_status run_table(pg_op *op)
{
    pg_act act;
    PG_TRY(nn_activation(op, &act));
    return run_act(op, act);
}
static pg_status run_sigmoid(pg_op *op)
{
    return run_act(op, (pg_act){.kind = PG_ACT_SIGMOID});
}
static pg_status run_leaky(pg_op *op)
{
    pg_act act = {.kind = PG_ACT_LEAKY};
    PG_TRY(pg_op_attr_f(op, "alpha", 0.01f, &act.alpha));
    return run_act(op, act);
}

/* ---- Averages ---- */

/* Codes of the mean of `area` codes whose sum is exact. */
static uint8_t mean_code(const linear *in, const linear *to, int64_t sum, int64_t area)
{
    const float centered = (float)(sum - (int64_t)in->codes.zero * area);
    linear mean = *to;
    mean.codes.scale = to->codes.scale * (float)area / in->codes.scale;
    return encode(&mean, centered);
}

typedef struct average {
    linear in, to;
    pool_shape shape;
    bool count_padding;
    const uint8_t *x;
    uint8_t *y;
} average;

/* Results [begin, end) of channels-last images. */
static void average_range(void *context, size_t begin, size_t end)
{
    const average *job = context;
    const pool_shape *s = &job->shape;
    const size_t c = (size_t)s->channels, area_in = pool_area(s->in), area_out = pool_area(s->out);
    const pg_simd *simd = pg_simd_best();
    uint32_t *sums = pg_calloc(c, sizeof *sums);
    int64_t *offsets = pg_calloc(pool_area(s->window.kernel), sizeof *offsets);
    for (size_t i = begin; i < end; i++) {
        int64_t result[NN_SPATIAL];
        pool_window window;
        pool_result_at(s, i % area_out, result);
        pool_window_at(s, result, &window);
        const size_t n = pool_window_offsets(s, &window, offsets);
        const int64_t count = job->count_padding ? window.with_padding : window.inside;
        memset(sums, 0, c * sizeof *sums);
        for (size_t t = 0; t < n; t++)
            simd->sum_codes(job->x + (i / area_out * area_in + (size_t)offsets[t]) * c, job->in.codes.flip,
                            sums, c);
        /* Padding counts as the real number 0. */
        const int64_t missing = (count - (int64_t)n) * (int64_t)job->in.codes.zero;
        for (size_t j = 0; j < c; j++)
            job->y[i * c + j] = mean_code(&job->in, &job->to, sums[j] + missing, PG_MAX(count, (int64_t)1));
    }
    free(sums);
    free(offsets);
}

/* The input as N, C, ... in channels-last; with the attribute channels_last its dims say so already. */
static pg_status channels_last_input(pg_op *op, pg_tensor *out, bool *stated)
{
    int64_t channels_last;
    const pg_tensor *x;
    PG_TRY(pg_op_attr_i(op, "channels_last", 0, &channels_last));
    *stated = channels_last != 0;
    if (pg_op_in(op, 0)->rank < 3)
        return pg_op_err(op, PG_ERR_INVALID, "the input has rank %d, expected at least 3",
                         pg_op_in(op, 0)->rank);
    PG_TRY(nn_layout(op, 0, *stated ? PG_ROW_MAJOR : PG_CHANNELS_LAST, &x));
    *out = *x;
    if (!*stated)
        return NULL;
    out->dims[1] = x->dims[x->rank - 1];
    memcpy(out->dims + 2, x->dims + 1, (x->rank - 2u) * sizeof *x->dims);
    return NULL;
}

static pg_status average_out(pg_op *op, average *job, size_t rank, const int64_t *dims, bool stated)
{
    pg_tensor *y;
    if (stated) {
        int64_t last[PG_MAX_RANK];
        last[0] = dims[0];
        memcpy(last + 1, dims + 2, (rank - 2) * sizeof *dims);
        last[rank - 1] = dims[1];
        PG_TRY(pg_op_out(op, 0, job->to.dtype, rank, last, &y));
    } else {
        PG_TRY(nn_out_channels_last(op, 0, job->to.dtype, rank, dims, &y));
    }
    job->y = y->data;
    return NULL;
}

static pg_status average_ends(pg_op *op, average *job)
{
    PG_TRY(need_8bit(op, 0));
    const pg_dtype dtype = pg_op_in(op, 0)->dtype;
    const pg_tensor *zero = pg_op_in(op, 4);
    PG_TRY(read_linear(op, 1, 2, dtype, &job->in));
    return read_linear(op, 3, 4, zero != NULL && quant_is_8bit(zero->dtype) ? zero->dtype : dtype, &job->to);
}

static pg_status run_average(pg_op *op)
{
    average job = {0};
    pg_tensor x;
    bool stated;
    int64_t count_padding;
    PG_TRY(average_ends(op, &job));
    PG_TRY(channels_last_input(op, &x, &stated));
    PG_TRY(pg_op_attr_i(op, "count_include_pad", 0, &count_padding));
    PG_TRY(pool_shape_of(op, &x, &job.shape));
    if (pool_area(job.shape.window.kernel) > (1u << 24))
        return pg_op_err(op, PG_ERR_LIMIT, "window too large");
    job.count_padding = count_padding != 0;
    job.x = x.data;
    PG_TRY(average_out(op, &job, job.shape.rank, job.shape.dims, stated));
    const size_t results = (size_t)job.shape.batch * pool_area(job.shape.out);
    const size_t work = (size_t)x.dims[1] * pool_area(job.shape.window.kernel);
    pg_parallel_for(results, 65536 / (work + 1) + 1, average_range, &job);
    return NULL;
}

static pg_status run_global_average(pg_op *op)
{
    average job = {0};
    pg_tensor x;
    bool stated;
    int64_t dims[PG_MAX_RANK], area = 1;
    void *memory;
    PG_TRY(average_ends(op, &job));
    PG_TRY(channels_last_input(op, &x, &stated));
    for (size_t d = 0; d < x.rank; d++) {
        dims[d] = d < 2 ? x.dims[d] : 1;
        area *= d < 2 ? 1 : x.dims[d];
    }
    if (area == 0)
        return pg_op_err(op, PG_ERR_INVALID, "the input has no pixels");
    PG_TRY(average_out(op, &job, x.rank, dims, stated));
    const size_t c = (size_t)dims[1];
    PG_TRY(pg_op_scratch(op, c * sizeof(uint32_t) + 4, &memory));
    uint32_t *sums = memory;
    for (size_t n = 0; n < (size_t)dims[0]; n++) {
        memset(sums, 0, c * sizeof *sums);
        for (size_t p = 0; p < (size_t)area; p++)
            pg_simd_best()->sum_codes((const uint8_t *)x.data + (n * (size_t)area + p) * c, job.in.codes.flip,
                                      sums, c);
        for (size_t j = 0; j < c; j++)
            job.y[n * c + j] = mean_code(&job.in, &job.to, sums[j], area);
    }
    return NULL;
}

/* ---- Concatenation ---- */

/* One input's codes in the terms of the result, by table. */
static pg_status concat_table(pg_op *op, size_t i, const linear *to, uint8_t *table, bool *as_is)
{
    linear in;
    PG_TRY(read_linear(op, i + 1, i + 2, pg_op_in(op, i)->dtype, &in));
    *as_is = in.dtype == to->dtype && in.codes.scale == to->codes.scale && in.codes.zero == to->codes.zero;
    for (size_t code = 0; code < 256; code++)
        table[code] = encode(to, decode(&in, (uint8_t)code));
    return NULL;
}

/* The axis and dims of the result; layouts are made the same. */
static pg_status concat_shape(pg_op *op, size_t *out_axis, int64_t *dims)
{
    int64_t axis_attr;
    PG_TRY(pg_op_need(op, 5));
    const pg_tensor *first = pg_op_in(op, 2);
    PG_TRY(pg_op_attr_i(op, "axis", 0, &axis_attr));
    PG_TRY(pg_op_axis(op, axis_attr, first->rank, out_axis));
    memcpy(dims, first->dims, sizeof first->dims);
    dims[*out_axis] = 0;
    for (size_t i = 2; i < op->n_in; i += 3) {
        PG_TRY(need_8bit(op, i));
        const pg_tensor *x = pg_op_in(op, i);
        for (size_t d = 0; d < first->rank; d++)
            if (x->rank != first->rank || (d != *out_axis && x->dims[d] != dims[d]))
                return pg_op_err(op, PG_ERR_INVALID, "input %zu has another shape", i);
        dims[*out_axis] += x->dims[*out_axis];
    }
    for (size_t i = 2; i < op->n_in; i += 3) {
        const pg_tensor *x;
        PG_TRY(nn_layout(op, i, (pg_layout)first->layout, &x));
    }
    return NULL;
}

static pg_status run_concat(pg_op *op)
{
    linear to;
    int64_t dims[PG_MAX_RANK];
    size_t axis, inner = 1, outer = 1, offset = 0;
    pg_tensor *y;
    PG_TRY(concat_shape(op, &axis, dims));
    const pg_tensor *first = pg_op_in(op, 2), *zero = pg_op_in(op, 1);
    if (zero == NULL || !quant_is_8bit(zero->dtype))
        return pg_op_bad_type(op, 1);
    PG_TRY(read_linear(op, 0, 1, zero->dtype, &to));
    PG_TRY(pg_op_out(op, 0, to.dtype, first->rank, dims, &y));
    y->layout = first->layout;
    const bool last = first->layout == PG_CHANNELS_LAST;
    for (size_t d = 0; d < first->rank; d++) {
        /* Channels-last, the order of dims in memory is 0, 2, 3, ..., 1. */
        const bool before = last ? d != axis && (axis == 1 ? true : d != 1 && d < axis) : d < axis;
        if (d != axis)
            *(before ? &outer : &inner) *= (size_t)dims[d];
    }
    for (size_t i = 2; i < op->n_in; i += 3) {
        uint8_t table[256];
        bool as_is;
        PG_TRY(concat_table(op, i, &to, table, &as_is));
        const pg_tensor *x = pg_op_in(op, i);
        const size_t run = (size_t)x->dims[axis] * inner, row = (size_t)dims[axis] * inner;
        for (size_t o = 0; o < outer; o++) {
            uint8_t *out = (uint8_t *)y->data + o * row + offset;
            const uint8_t *from = (const uint8_t *)x->data + o * run;
            if (as_is)
                memcpy(out, from, run);
            else
                for (size_t e = 0; e < run; e++)
                    out[e] = table[from[e]];
        }
        offset += run;
    }
    return NULL;
}

enum { ANY = PG_KERNEL_ANY_LAYOUT };
const pg_kernel pg_kernels_quant_codes[] = {
    {"pg", "QAdd", 1, 0, run_add, NULL, NULL, ANY},
    {"pg", "QMul", 1, 0, run_mul, NULL, NULL, ANY},
    {"pg", "QTable", 1, 0, run_table, NULL, NULL, ANY},
    {"pg", "QAveragePool", 1, 0, run_average, NULL, NULL, ANY},
    {"pg", "QGlobalAveragePool", 1, 0, run_global_average, NULL, NULL, ANY},
    {"pg", "QConcat", 1, 0, run_concat, NULL, NULL, ANY},
    {"com.microsoft", "QLinearAdd", 1, 0, run_add, NULL, NULL, ANY},
    {"com.microsoft", "QLinearMul", 1, 0, run_mul, NULL, NULL, ANY},
    {"com.microsoft", "QLinearSigmoid", 1, 0, run_sigmoid, NULL, NULL, ANY},
    {"com.microsoft", "QLinearLeakyRelu", 1, 0, run_leaky, NULL, NULL, ANY},
    {"com.microsoft", "QLinearAveragePool", 1, 0, run_average, NULL, NULL, ANY},
    {"com.microsoft", "QLinearGlobalAveragePool", 1, 0, run_global_average, NULL, NULL, ANY},
    {"com.microsoft", "QLinearConcat", 1, 0, run_concat, NULL, NULL, ANY},
    {0},
};
