/* Quantized operators of com.microsoft, which ONNX Runtime's tools write. */
#include <math.h>

#include "base/alloc.h"
#include "native/ops/quant.h"

/* real = (code - zero) * scale, one scale for all. In float32, as everywhere in the field: ties of the
 * rounding fall where others have them. */
typedef struct linear {
    float scale, zero;
} linear;

static pg_status read_linear(const pg_op *op, size_t scale, size_t zero, linear *out)
{
    const pg_tensor *s = pg_op_in(op, scale), *z = pg_op_in(op, zero);
    if (s == NULL || s->dtype != PG_F32 || pg_tensor_count(s) != 1 || (z != NULL && pg_tensor_count(z) != 1))
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "inputs %zu and %zu are not one scale and zero point", scale,
                         zero);
    out->scale = *(const float *)s->data;
    out->zero = z != NULL ? (float)pg_tensor_get_f64(z, 0) : 0;
    return NULL;
}

static uint8_t encode(linear l, pg_dtype dtype, float real)
{
    float lo, hi;
    quant_range(dtype, &lo, &hi);
    float code = rintf(real / l.scale) + l.zero;
    code = !(code >= lo) ? lo : code > hi ? hi : code; /* NaN too */
    return dtype == PG_U8 ? (uint8_t)code : (uint8_t)(int8_t)code;
}

static float decode(linear l, pg_dtype dtype, const void *data, uint64_t i)
{
    const float code = dtype == PG_U8 ? ((const uint8_t *)data)[i] : ((const int8_t *)data)[i];
    return (code - l.zero) * l.scale;
}

static pg_status need_8bit(const pg_op *op, size_t i)
{
    return pg_op_in(op, i) != NULL && quant_is_8bit(pg_op_in(op, i)->dtype) ? NULL : pg_op_bad_type(op, i);
}

/* ---- Elementwise ---- */

static pg_status run_binary(pg_op *op, bool multiply)
{
    linear a, b, y;
    PG_TRY(need_8bit(op, 0));
    PG_TRY(need_8bit(op, 3));
    PG_TRY(read_linear(op, 1, 2, &a));
    PG_TRY(read_linear(op, 4, 5, &b));
    PG_TRY(read_linear(op, 6, 7, &y));
    const pg_tensor *x0 = pg_op_in(op, 0), *x1 = pg_op_in(op, 3);
    size_t rank;
    int64_t dims[PG_MAX_RANK];
    pg_tensor *out;
    PG_TRY(pg_op_broadcast(op, x0, x1, &rank, dims));
    PG_TRY(pg_op_out(op, 0, x0->dtype, rank, dims, &out));
    for (uint64_t e = 0; e < pg_tensor_count(out); e++) {
        uint64_t at[2] = {0, 0}, step[2] = {1, 1}, rest = e;
        for (size_t d = rank; d-- > 0;) {
            const pg_tensor *x[2] = {x0, x1};
            for (size_t i = 0; i < 2; i++) {
                const int64_t dim = d + x[i]->rank >= rank ? x[i]->dims[d + x[i]->rank - rank] : 1;
                at[i] += dim == 1 ? 0 : rest % (uint64_t)dims[d] * step[i];
                step[i] *= (uint64_t)dim;
            }
            rest /= (uint64_t)dims[d];
        }
        const float u = decode(a, x0->dtype, x0->data, at[0]), v = decode(b, x1->dtype, x1->data, at[1]);
        ((uint8_t *)out->data)[e] = encode(y, x0->dtype, multiply ? u * v : u + v);
    }
    return NULL;
}

static pg_status run_qadd(pg_op *op)
{
    return run_binary(op, false);
}
static pg_status run_qmul(pg_op *op)
{
    return run_binary(op, true);
}

/* 256 results, then a look-up per element. */
static pg_status run_table(pg_op *op, float (*function)(float x, float alpha), float alpha)
{
    linear in, to;
    pg_tensor *y;
    uint8_t table[256];
    PG_TRY(need_8bit(op, 0));
    PG_TRY(read_linear(op, 1, 2, &in));
    PG_TRY(read_linear(op, 3, 4, &to));
    const pg_tensor *x = pg_op_in(op, 0);
    for (unsigned i = 0; i < 256; i++) {
        const uint8_t code = (uint8_t)i;
        table[i] = encode(to, x->dtype, function(decode(in, x->dtype, &code, 0), alpha));
    }
    PG_TRY(pg_op_out(op, 0, x->dtype, x->rank, x->dims, &y));
    for (uint64_t i = 0; i < pg_tensor_count(x); i++)
        ((uint8_t *)y->data)[i] = table[((const uint8_t *)x->data)[i]];
    return NULL;
}

static float sigmoid(float x, float alpha)
{
    return 1 / (1 + expf(-x));
}
static float leaky(float x, float alpha)
{
    return x < 0 ? alpha * x : x;
}

static pg_status run_qsigmoid(pg_op *op)
{
    return run_table(op, sigmoid, 0);
}
static pg_status run_qleaky(pg_op *op)
{
    float alpha;
    PG_TRY(pg_op_attr_f(op, "alpha", 0.01f, &alpha));
    return run_table(op, leaky, alpha);
}

static pg_status run_qglobal_average(pg_op *op)
{
    linear in, to;
    int64_t channels_last, dims[PG_MAX_RANK];
    pg_tensor *y;
    PG_TRY(need_8bit(op, 0));
    PG_TRY(read_linear(op, 1, 2, &in));
    PG_TRY(read_linear(op, 3, 4, &to));
    PG_TRY(pg_op_attr_i(op, "channels_last", 0, &channels_last));
    const pg_tensor *x = pg_op_in(op, 0);
    if (x->rank < 3)
        return pg_op_err(op, PG_ERR_INVALID, "the input has rank %d, expected at least 3", x->rank);
    const size_t at = channels_last != 0 ? x->rank - 1u : 1, channels = (size_t)x->dims[at];
    size_t area = 1;
    for (size_t d = 0; d < x->rank; d++) {
        dims[d] = d == 0 || d == at ? x->dims[d] : 1;
        area *= d == 0 || d == at ? 1 : (size_t)x->dims[d];
    }
    PG_TRY(pg_op_out(op, 0, x->dtype, x->rank, dims, &y));
    for (size_t i = 0; i < (size_t)dims[0] * channels; i++) {
        int64_t sum = 0; /* of codes: exact */
        for (size_t p = 0; p < area; p++) {
            const size_t e =
                channels_last != 0 ? (i / channels * area + p) * channels + i % channels : i * area + p;
            sum += x->dtype == PG_U8 ? ((const uint8_t *)x->data)[e] : ((const int8_t *)x->data)[e];
        }
        const float centered = (float)(sum - (int64_t)in.zero * (int64_t)area);
        const linear mean = {to.scale * (float)area / in.scale, to.zero};
        ((uint8_t *)y->data)[i] = encode(mean, x->dtype, centered);
    }
    return NULL;
}

static pg_status run_qconcat(pg_op *op)
{
    linear to;
    int64_t axis_attr, dims[PG_MAX_RANK];
    size_t axis;
    pg_tensor *y;
    PG_TRY(pg_op_need(op, 5));
    PG_TRY(read_linear(op, 0, 1, &to));
    const pg_tensor *first = pg_op_in(op, 2);
    PG_TRY(pg_op_attr_i(op, "axis", 0, &axis_attr));
    PG_TRY(pg_op_axis(op, axis_attr, first->rank, &axis));
    memcpy(dims, first->dims, sizeof dims);
    dims[axis] = 0;
    for (size_t i = 2; i < op->n_in; i += 3) {
        PG_TRY(need_8bit(op, i));
        const pg_tensor *x = pg_op_in(op, i);
        for (size_t d = 0; d < first->rank; d++)
            if (x->rank != first->rank || (d != axis && x->dims[d] != dims[d]))
                return pg_op_err(op, PG_ERR_INVALID, "input %zu has another shape", i);
        dims[axis] += x->dims[axis];
    }
    PG_TRY(pg_op_out(op, 0, pg_op_in(op, 1)->dtype, first->rank, dims, &y));
    size_t inner = 1, outer = 1, offset = 0;
    for (size_t d = 0; d < first->rank; d++)
        *(d < axis ? &outer : &inner) *= d == axis ? 1 : (size_t)dims[d];
    for (size_t i = 2; i < op->n_in; i += 3) {
        linear in;
        PG_TRY(read_linear(op, i + 1, i + 2, &in));
        const pg_tensor *x = pg_op_in(op, i);
        const size_t run = (size_t)x->dims[axis] * inner;
        for (size_t o = 0; o < outer; o++)
            for (size_t e = 0; e < run; e++)
                ((uint8_t *)y->data)[o * (size_t)dims[axis] * inner + offset + e] =
                    encode(to, y->dtype, decode(in, x->dtype, x->data, o * run + e));
        offset += run;
    }
    return NULL;
}

/* ---- Products ---- */

/* y = acc * a_scale * b_scale[column] + bias[column] */
static pg_status scale_product(pg_op *op, const quant_product *p, float a_scale, size_t b_scale, size_t bias,
                               pg_tensor *y)
{
    const pg_tensor *s = pg_op_in(op, b_scale), *b = pg_op_in(op, bias);
    const uint64_t n_scales = s != NULL ? pg_tensor_count(s) : 0;
    if (s == NULL || s->dtype != PG_F32 || (n_scales != 1 && n_scales != p->n))
        return pg_op_err(op, PG_ERR_INVALID, "input %zu is not one scale or one per column", b_scale);
    if (b != NULL && (b->dtype != PG_F32 || pg_tensor_count(b) != p->n))
        return pg_op_err(op, PG_ERR_INVALID, "the bias does not have %zu elements", p->n);
    float *out = y->data;
    for (size_t r = 0; r < p->batches * p->m; r++)
        for (size_t j = 0; j < p->n; j++) {
            const float scale = a_scale * ((const float *)s->data)[n_scales == 1 ? 0 : j];
            out[r * p->n + j] =
                (float)p->acc[r * p->n + j] * scale + (b != NULL ? ((const float *)b->data)[j] : 0);
        }
    return NULL;
}

static pg_status run_matmul_to_float(pg_op *op)
{
    PG_TRY(pg_op_need(op, 4));
    quant_product p;
    void *acc;
    pg_tensor *y;
    const pg_tensor *a_scale = pg_op_in(op, 2);
    if (a_scale->dtype != PG_F32 || pg_tensor_count(a_scale) != 1)
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "input 2 is not one scale");
    PG_TRY(quant_product_shape(op, pg_op_in(op, 0), pg_op_in(op, 1), &p));
    PG_TRY(pg_op_out(op, 0, PG_F32, p.rank, p.dims, &y));
    PG_TRY(pg_op_scratch(op, pg_tensor_count(y) * 4 + 4, &acc));
    p.acc = acc;
    PG_TRY(quant_product_of_inputs(op, 0, 4, 1, 5, &p));
    return scale_product(op, &p, *(const float *)a_scale->data, 3, 6, y);
}

static pg_status run_dynamic_matmul(pg_op *op)
{
    PG_TRY(pg_op_need(op, 3));
    const pg_tensor *x = pg_op_in(op, 0), *b = pg_op_in(op, 1);
    quant_product p;
    void *acc, *codes;
    pg_tensor *y, a = *x;
    int32_t *zero_b, zero_a;
    size_t n_zero_b;
    float scale;
    if (x->dtype != PG_F32)
        return pg_op_bad_type(op, 0);
    PG_TRY(need_8bit(op, 1));
    PG_TRY(quant_product_shape(op, x, b, &p));
    PG_TRY(quant_zeros(op, 3, &zero_b, &n_zero_b));
    PG_TRY(pg_op_out(op, 0, PG_F32, p.rank, p.dims, &y));
    PG_TRY(pg_op_scratch(op, pg_tensor_count(y) * 4 + 4, &acc));
    PG_TRY(pg_op_scratch(op, pg_tensor_count(x) + 4, &codes));
    quant_dynamic(x->data, pg_tensor_count(x), codes, &scale, &zero_a);
    a.dtype = PG_U8;
    a.data = codes;
    a.buffer = NULL;
    p.acc = acc;
    PG_TRY(quant_product_run(op, &a, &zero_a, 1, b, zero_b, n_zero_b, &p));
    return scale_product(op, &p, scale, 2, 4, y);
}

const pg_kernel pg_kernels_contrib_quant[] = {
    {"com.microsoft", "QLinearAdd", 1, 0, run_qadd, NULL, NULL, 0},
    {"com.microsoft", "QLinearMul", 1, 0, run_qmul, NULL, NULL, 0},
    {"com.microsoft", "QLinearSigmoid", 1, 0, run_qsigmoid, NULL, NULL, 0},
    {"com.microsoft", "QLinearLeakyRelu", 1, 0, run_qleaky, NULL, NULL, 0},
    {"com.microsoft", "QLinearGlobalAveragePool", 1, 0, run_qglobal_average, NULL, NULL, 0},
    {"com.microsoft", "QLinearConcat", 1, 0, run_qconcat, NULL, NULL, 0},
    {"com.microsoft", "MatMulIntegerToFloat", 1, 0, run_matmul_to_float, NULL, NULL, 0},
    {"com.microsoft", "DynamicQuantizeMatMul", 1, 0, run_dynamic_matmul, NULL, NULL, 0},
    {0},
};
