/* QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear. */
#include "native/ops/quant.h"

#include <math.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "tensor/dtype_convert.h"

pg_status quant_grid_make(const pg_op *op, const pg_tensor *x, const pg_tensor *scale, quant_grid *g)
{
    int64_t axis_attr, block;
    size_t axis;
    PG_TRY(pg_op_attr_i(op, "axis", 1, &axis_attr));
    PG_TRY(pg_op_attr_i(op, "block_size", 0, &block));
    *g = (quant_grid){.outer = 1, .axis = 1, .inner = (size_t)pg_tensor_count(x), .block = 1};
    if (block == 0 && pg_tensor_count(scale) == 1 && scale->rank <= 1)
        return NULL;
    PG_TRY(pg_op_axis(op, axis_attr, x->rank, &axis));
    g->inner = 1;
    for (size_t i = 0; i < x->rank; i++)
        *(i < axis ? &g->outer : i == axis ? &g->axis : &g->inner) *= (size_t)x->dims[i];
    if (block == 0) {
        if (scale->rank != 1 || scale->dims[0] != x->dims[axis])
            return pg_op_err(op, PG_ERR_INVALID, "the scales are not one per position of axis %zu", axis);
        g->a_step = 1;
        return NULL;
    }
    if (block < 1 || scale->rank != x->rank)
        return pg_op_err(op, PG_ERR_INVALID, "scales of rank %d for blocks of %lld in a tensor of rank %d",
                         scale->rank, (long long)block, x->rank);
    for (size_t i = 0; i < x->rank; i++) {
        const int64_t want = i == axis ? (x->dims[i] + block - 1) / block : x->dims[i];
        if (scale->dims[i] != want)
            return pg_op_err(op, PG_ERR_INVALID, "dimension %zu of the scales is %lld, expected %lld", i,
                             (long long)scale->dims[i], (long long)want);
    }
    g->block = (size_t)block;
    g->i_step = 1;
    g->a_step = g->inner;
    g->o_step = (size_t)scale->dims[axis] * g->inner;
    return NULL;
}

void quant_range(pg_dtype dtype, float *lo, float *hi)
{
    const unsigned bits = pg_dtype_get(dtype)->bits;
    const bool is_signed = pg_dtype_kind_of(dtype) == PG_KIND_INT;
    *lo = is_signed ? -ldexpf(1, (int)bits - 1) : 0;
    *hi = ldexpf(1, (int)bits - (is_signed ? 1 : 0)) - 1;
}

/* One run of elements: value / scale + zero, rounded to even, or (value - zero) * scale. */
typedef struct quant_job {
    quant_grid grid;
    const float *x, *scale, *zero; /* zero: NULL when omitted */
    float *y;
    float lo, hi;
    bool rounded; /* integers; 8-bit floats are rounded by their conversion */
} quant_job;

static size_t scale_at(const quant_grid *g, size_t row)
{
    return row / g->axis * g->o_step + row % g->axis / g->block * g->a_step;
}

static void quantize_rows(void *context, size_t begin, size_t end)
{
    const quant_job *job = context;
    const quant_grid *g = &job->grid;
    for (size_t r = begin; r < end; r++) {
        const float *x = job->x + r * g->inner;
        float *y = job->y + r * g->inner;
        size_t s = scale_at(g, r);
        for (size_t i = 0; i < g->inner; i++, s += g->i_step) {
            float q = x[i] / job->scale[s];
            if (job->rounded) {
                q = rintf(q) + (job->zero != NULL ? job->zero[s] : 0);
                q = q < job->lo ? job->lo : q > job->hi ? job->hi : q;
            }
            y[i] = q;
        }
    }
}

static void dequantize_rows(void *context, size_t begin, size_t end)
{
    const quant_job *job = context;
    const quant_grid *g = &job->grid;
    for (size_t r = begin; r < end; r++) {
        const float *x = job->x + r * g->inner;
        float *y = job->y + r * g->inner;
        size_t s = scale_at(g, r);
        for (size_t i = 0; i < g->inner; i++, s += g->i_step)
            y[i] = (x[i] - (job->zero != NULL ? job->zero[s] : 0)) * job->scale[s];
    }
}

static void run_rows(const quant_job *job, pg_loop_fn body)
{
    const size_t rows = job->grid.outer * job->grid.axis;
    pg_parallel_for(rows, 16384 / (job->grid.inner + 1) + 1, body, (void *)job);
}

/* ---- One scale for 8 bits, in any layout ---- */

typedef struct plain_job {
    pg_codes codes;
    float lo, hi;
    const char *x;
    char *y;
} plain_job;

enum { PLAIN_GRAIN = 16384 };

static void quantize_range(void *context, size_t begin, size_t end)
{
    const plain_job *job = context;
    pg_simd_best()->quantize_f32((const float *)(const void *)job->x + begin, job->codes, job->lo, job->hi,
                                 (uint8_t *)job->y + begin, end - begin);
}

static void dequantize_range(void *context, size_t begin, size_t end)
{
    const plain_job *job = context;
    pg_simd_best()->dequantize_f32((const uint8_t *)job->x + begin, job->codes,
                                   (float *)(void *)job->y + begin, end - begin);
}

/* Whether scale and zero point of the node are one each, of float32 and 8 bits. */
static bool is_plain(const pg_op *op, pg_dtype codes)
{
    const pg_tensor *scale = pg_op_in(op, 1), *zero = pg_op_in(op, 2);
    int64_t block = 0;
    pg_status_drop(pg_op_attr_i(op, "block_size", 0, &block));
    return quant_is_8bit(codes) && block == 0 && scale->dtype == PG_F32 && pg_tensor_count(scale) == 1 &&
           scale->rank <= 1 && (zero == NULL || (pg_tensor_count(zero) == 1 && zero->dtype == codes));
}

pg_codes quant_codes(pg_dtype dtype, float scale, int32_t zero)
{
    const bool is_signed = dtype == PG_I8;
    return (pg_codes){is_signed ? 0x80 : 0, scale, (float)(zero + (is_signed ? 128 : 0))};
}

static pg_status run_plain(pg_op *op, pg_dtype codes, pg_dtype result, pg_loop_fn body)
{
    const pg_tensor *x = pg_op_in(op, 0);
    int32_t *zero;
    size_t count;
    pg_tensor *y;
    PG_TRY(quant_zeros(op, 2, &zero, &count));
    PG_TRY(pg_op_out(op, 0, result, x->rank, x->dims, &y));
    y->layout = x->layout;
    plain_job job = {.codes = quant_codes(codes, *(const float *)pg_op_in(op, 1)->data, *zero),
                     .x = x->data,
                     .y = y->data};
    quant_range(codes, &job.lo, &job.hi);
    job.lo -= (float)*zero;
    job.hi -= (float)*zero;
    pg_parallel_for((size_t)pg_tensor_count(y), PLAIN_GRAIN, body, &job);
    return NULL;
}

/* One result type of attribute or zero point. */
static pg_status quantized_type(const pg_op *op, pg_dtype *out)
{
    int64_t stated;
    PG_TRY(pg_op_attr_i(op, "output_dtype", 0, &stated));
    const pg_tensor *zero = pg_op_in(op, 2);
    *out = zero != NULL ? zero->dtype : stated > 0 && stated < PG_DTYPE_COUNT ? (pg_dtype)stated : PG_U8;
    if (stated != 0 && (int64_t)*out != stated)
        return pg_op_err(op, PG_ERR_INVALID, "output_dtype %lld differs from the zero point's type %s",
                         (long long)stated, pg_dtype_name(*out));
    return NULL;
}

static pg_status check_zero(const pg_op *op, const pg_tensor *scale)
{
    const pg_tensor *zero = pg_op_in(op, 2);
    if (zero != NULL && pg_tensor_count(zero) != pg_tensor_count(scale))
        return pg_op_err(op, PG_ERR_INVALID, "the zero point has %llu elements, the scale %llu",
                         (unsigned long long)pg_tensor_count(zero),
                         (unsigned long long)pg_tensor_count(scale));
    return NULL;
}

static pg_status run_quantize(pg_op *op)
{
    PG_TRY(pg_op_need(op, 2));
    const pg_tensor *x = pg_op_in(op, 0), *scale = pg_op_in(op, 1);
    quant_job job = {0};
    pg_dtype type;
    int64_t saturate;
    pg_tensor *y;
    void *codes;
    PG_TRY(quantized_type(op, &type));
    PG_TRY(pg_op_attr_i(op, "saturate", 1, &saturate));
    if (x->dtype == PG_F32 && is_plain(op, type))
        return run_plain(op, type, type, quantize_range);
    PG_TRY(nn_layout(op, 0, PG_ROW_MAJOR, &x));
    PG_TRY(quant_grid_make(op, x, scale, &job.grid));
    PG_TRY(check_zero(op, scale));
    PG_TRY(nn_f32(op, 0, &job.x));
    PG_TRY(nn_f32(op, 1, &job.scale));
    PG_TRY(nn_f32(op, 2, &job.zero));
    PG_TRY(pg_op_out(op, 0, type, x->rank, x->dims, &y));
    PG_TRY(pg_op_scratch(op, pg_tensor_count(x) * sizeof(float) + 4, &codes));
    job.y = codes;
    job.rounded = pg_dtype_is_integer(type);
    if (job.rounded)
        quant_range(type, &job.lo, &job.hi);
    run_rows(&job, quantize_rows);
    const pg_cast_options options = {.saturate = saturate != 0};
    pg_convert(PG_F32, codes, type, y->data, pg_tensor_count(y), &options);
    return NULL;
}

/* int32 codes do not fit float32: their zero points are subtracted first. */
static pg_status dequantize_i32(pg_op *op, quant_job *job)
{
    const pg_tensor *x = pg_op_in(op, 0), *zero = pg_op_in(op, 2);
    const int32_t *codes = x->data, *zeros = zero != NULL ? zero->data : NULL;
    void *memory;
    PG_TRY(pg_op_scratch(op, pg_tensor_count(x) * sizeof(float) + 4, &memory));
    float *wide = memory;
    const quant_grid *g = &job->grid;
    for (size_t r = 0; r < g->outer * g->axis; r++) {
        size_t s = scale_at(g, r);
        for (size_t i = 0; i < g->inner; i++, s += g->i_step)
            wide[r * g->inner + i] =
                (float)((int64_t)codes[r * g->inner + i] - (zeros != NULL ? zeros[s] : 0));
    }
    job->x = wide;
    job->zero = NULL;
    return NULL;
}

static pg_status run_dequantize(pg_op *op)
{
    PG_TRY(pg_op_need(op, 2));
    const pg_tensor *x = pg_op_in(op, 0), *scale = pg_op_in(op, 1), *zero = pg_op_in(op, 2);
    quant_job job = {0};
    int64_t stated;
    pg_tensor *y;
    PG_TRY(pg_op_attr_i(op, "output_dtype", 0, &stated));
    const pg_dtype type = stated > 0 && stated < PG_DTYPE_COUNT ? (pg_dtype)stated : scale->dtype;
    if (!pg_dtype_is_float(type))
        return pg_op_bad_type(op, 1);
    if (zero != NULL && zero->dtype != x->dtype)
        return pg_op_bad_type(op, 2);
    if (type == PG_F32 && is_plain(op, x->dtype))
        return run_plain(op, x->dtype, PG_F32, dequantize_range);
    PG_TRY(nn_layout(op, 0, PG_ROW_MAJOR, &x));
    PG_TRY(quant_grid_make(op, x, scale, &job.grid));
    PG_TRY(check_zero(op, scale));
    PG_TRY(nn_f32(op, 1, &job.scale));
    if (x->dtype == PG_I32) {
        PG_TRY(dequantize_i32(op, &job));
    } else {
        PG_TRY(nn_f32(op, 0, &job.x));
        PG_TRY(nn_f32(op, 2, &job.zero));
    }
    PG_TRY(pg_op_out(op, 0, type, x->rank, x->dims, &y));
    job.y = y->data;
    if (type != PG_F32) {
        void *wide;
        PG_TRY(pg_op_scratch(op, pg_tensor_count(x) * sizeof(float) + 4, &wide));
        job.y = wide;
    }
    run_rows(&job, dequantize_rows);
    if (type != PG_F32)
        pg_convert(PG_F32, job.y, type, y->data, pg_tensor_count(y), NULL);
    return NULL;
}

void quant_dynamic(const float *values, uint64_t count, uint8_t *codes, float *scale, int32_t *zero)
{
    const pg_simd *simd = pg_simd_best();
    const float lo = count > 0 ? fminf(simd->min_f32(values, count), 0) : 0;
    const float hi = count > 0 ? fmaxf(simd->max_f32(values, count), 0) : 0;
    const float step = (hi - lo) / 255, divisor = step == 0 ? 1 : step;
    const float z = rintf(fminf(fmaxf(0 - lo / divisor, 0), 255));
    plain_job job = {.codes = quant_codes(PG_U8, divisor, (int32_t)z),
                     .lo = -z,
                     .hi = 255 - z,
                     .x = (const char *)values,
                     .y = (char *)codes};
    pg_parallel_for(count, PLAIN_GRAIN, quantize_range, &job);
    *scale = step;
    *zero = (int32_t)z;
}

static pg_status run_dynamic(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    if (x->dtype != PG_F32)
        return pg_op_bad_type(op, 0);
    pg_tensor *y, *scale, *zero;
    int32_t code;
    PG_TRY(pg_op_out(op, 0, PG_U8, x->rank, x->dims, &y));
    PG_TRY(pg_op_out(op, 1, PG_F32, 0, NULL, &scale));
    PG_TRY(pg_op_out(op, 2, PG_U8, 0, NULL, &zero));
    quant_dynamic(x->data, pg_tensor_count(x), y->data, scale->data, &code);
    *(uint8_t *)zero->data = (uint8_t)code;
    return NULL;
}

const pg_kernel pg_kernels_quant[] = {
    {"", "QuantizeLinear", 10, 0, run_quantize, NULL, NULL, PG_KERNEL_ANY_LAYOUT},
    {"", "DequantizeLinear", 10, 0, run_dequantize, NULL, NULL, PG_KERNEL_ANY_LAYOUT},
    {"com.microsoft", "QuantizeLinear", 1, 0, run_quantize, NULL, NULL, PG_KERNEL_ANY_LAYOUT},
    {"com.microsoft", "DequantizeLinear", 1, 0, run_dequantize, NULL, NULL, PG_KERNEL_ANY_LAYOUT},
    {"", "DynamicQuantizeLinear", 11, 0, run_dynamic, NULL, NULL, 0},
    {0},
};
