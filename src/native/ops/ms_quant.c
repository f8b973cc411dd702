/* Quantised operators of com.microsoft that are not element by element: QAttention, QLinearSoftmax,
 * QLinearWhere. */
#include <math.h>

#include "base/alloc.h"
#include "native/ops/broadcast.h"
#include "native/ops/quant.h"

/* ---- QAttention ---- */

enum { QA_X, QA_W, QA_BIAS, QA_X_SCALE, QA_W_SCALE, QA_MASK, QA_X_ZERO, QA_W_ZERO, QA_PAST, QA_INPUTS };

/* The real numbers of 8-bit input i; its scale and zero point are one, or one per column of a matrix. */
static pg_status real_input(pg_op *op, size_t i, size_t scale, size_t zero, pg_value *out)
{
    const pg_tensor *x = pg_op_in(op, i), *s = pg_op_in(op, scale);
    int32_t *zeros;
    size_t n_zeros;
    void *memory;
    if (!quant_is_8bit(x->dtype))
        return pg_op_bad_type(op, i);
    const uint64_t count = pg_tensor_count(x), n_scales = pg_tensor_count(s);
    const uint64_t columns = x->rank > 0 ? (uint64_t)x->dims[x->rank - 1] : 1;
    PG_TRY(quant_zeros(op, zero, &zeros, &n_zeros));
    if (s->dtype != PG_F32 || (n_scales != 1 && n_scales != columns) || (n_zeros != 1 && n_zeros != columns))
        return pg_op_err(op, PG_ERR_UNSUPPORTED,
                         "inputs %zu and %zu are neither one number nor one per column", scale, zero);
    PG_TRY(pg_op_scratch(op, (count + 1) * sizeof(float), &memory));
    float *real = memory;
    for (uint64_t e = 0; e < count; e++) {
        const uint64_t column = e % columns;
        const int32_t code = x->dtype == PG_U8 ? ((const uint8_t *)x->data)[e] : ((const int8_t *)x->data)[e];
        real[e] = (float)(code - zeros[n_zeros == 1 ? 0 : column]) *
                  ((const float *)s->data)[n_scales == 1 ? 0 : column];
    }
    pg_tensor t = *x;
    t.dtype = PG_F32;
    t.data = memory;
    t.buffer = NULL;
    *out = pg_value_of_tensor(t);
    return NULL;
}

/* Attention of the real numbers. */
static pg_status run_qattention(pg_op *op)
{
    pg_value x, w;
    PG_TRY(pg_op_need(op, 5));
    const pg_kernel *attention = pg_kernel_find(PG_STR("com.microsoft"), PG_STR("Attention"), 1);
    PG_TRY(real_input(op, QA_X, QA_X_SCALE, QA_X_ZERO, &x));
    PG_TRY(real_input(op, QA_W, QA_W_SCALE, QA_W_ZERO, &w));
    pg_value *given[QA_INPUTS];
    for (size_t i = 0; i < QA_INPUTS; i++)
        given[i] = i < op->n_in ? op->in[i] : NULL;
    pg_value *inputs[] = {&x, &w, given[QA_BIAS], given[QA_MASK], given[QA_PAST]};
    const uint8_t flags[PG_COUNT(inputs)] = {0};
    pg_op inner = *op;
    inner.in = inputs;
    inner.in_flags = flags;
    inner.n_in = PG_COUNT(inputs);
    inner.state = NULL;
    return attention->run(&inner);
}

/* ---- QLinearSoftmax ---- */

static pg_status run_softmax(pg_op *op)
{
    int64_t axis_attr, opset;
    size_t axis, n_zeros, outer = 1, inner = 1;
    int32_t *x_zero, *y_zero;
    pg_tensor *y;
    void *memory;
    PG_TRY(pg_op_need(op, 5));
    const pg_tensor *x = pg_op_in(op, 0), *x_scale = pg_op_in(op, 1), *y_scale = pg_op_in(op, 3);
    PG_TRY(pg_op_attr_i(op, "axis", -1, &axis_attr));
    PG_TRY(pg_op_attr_i(op, "opset", 13, &opset));
    PG_TRY(pg_op_axis(op, axis_attr, x->rank, &axis));
    if (!quant_is_8bit(x->dtype) || pg_op_in(op, 4)->dtype != x->dtype)
        return pg_op_bad_type(op, quant_is_8bit(x->dtype) ? 4 : 0);
    PG_TRY(quant_zeros(op, 2, &x_zero, &n_zeros));
    PG_TRY(quant_zeros(op, 4, &y_zero, &n_zeros));
    if (x_scale->dtype != PG_F32 || y_scale->dtype != PG_F32 || pg_tensor_count(x_scale) != 1 ||
        pg_tensor_count(y_scale) != 1 || pg_tensor_count(pg_op_in(op, 2)) != 1 || n_zeros != 1)
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "scales and zero points are not one number each");
    /* Before opset 13 all dims from the axis on are one. */
    size_t n = 1;
    for (size_t d = 0; d < x->rank; d++)
        *(d < axis ? &outer : d == axis || opset < 13 ? &n : &inner) *= (size_t)x->dims[d];
    PG_TRY(pg_op_out(op, 0, x->dtype, x->rank, x->dims, &y));
    PG_TRY(pg_op_scratch(op, (n + 1) * sizeof(float), &memory));
    float *row = memory;
    const pg_codes to = quant_codes(x->dtype, *(const float *)y_scale->data, *y_zero);
    const pg_codes from = quant_codes(x->dtype, *(const float *)x_scale->data, *x_zero);
    const float lo = -to.zero, hi = 255 - to.zero;
    const uint8_t *codes = x->data;
    for (size_t r = 0; r < outer * inner && n > 0; r++) {
        const size_t at = r / inner * n * inner + r % inner;
        float most = -INFINITY, sum = 0;
        for (size_t i = 0; i < n; i++) {
            row[i] = ((float)(codes[at + i * inner] ^ from.flip) - from.zero) * from.scale;
            most = fmaxf(most, row[i]);
        }
        for (size_t i = 0; i < n; i++)
            sum += row[i] = expf(row[i] - most);
        for (size_t i = 0; i < n; i++) {
            const float code = rintf(fminf(fmaxf(row[i] / sum / to.scale, lo), hi)) + to.zero;
            ((uint8_t *)y->data)[at + i * inner] = (uint8_t)((uint8_t)code ^ to.flip);
        }
    }
    return NULL;
}

/* ---- QLinearWhere ---- */

typedef struct choice {
    const pg_tensor *tensor;
    uint8_t table[256]; /* codes in the terms of the result */
    int64_t step[PG_MAX_RANK];
} choice;

static pg_status read_codes(pg_op *op, size_t scale, size_t zero, pg_dtype dtype, pg_codes *out)
{
    const pg_tensor *s = pg_op_in(op, scale), *z = pg_op_in(op, zero);
    int32_t *zeros;
    size_t count;
    if (s->dtype != PG_F32 || pg_tensor_count(s) != 1 || pg_tensor_count(z) != 1 || z->dtype != dtype)
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "inputs %zu and %zu are not one scale and zero point", scale,
                         zero);
    PG_TRY(quant_zeros(op, zero, &zeros, &count));
    *out = quant_codes(dtype, *(const float *)s->data, *zeros);
    return NULL;
}

static pg_status read_choice(pg_op *op, size_t i, const pg_codes *to, choice *out)
{
    pg_codes from;
    out->tensor = pg_op_in(op, i);
    if (!quant_is_8bit(out->tensor->dtype) || out->tensor->dtype != pg_op_in(op, 1)->dtype)
        return pg_op_bad_type(op, i);
    PG_TRY(read_codes(op, i + 1, i + 2, out->tensor->dtype, &from));
    for (unsigned code = 0; code < 256; code++) {
        const float real = ((float)((uint8_t)code ^ from.flip) - from.zero) * from.scale;
        const float result = rintf(fminf(fmaxf(real / to->scale, -to->zero), 255 - to->zero)) + to->zero;
        out->table[code] = (uint8_t)((uint8_t)result ^ to->flip);
    }
    return NULL;
}

static pg_status run_where(pg_op *op)
{
    choice x, y;
    pg_codes to;
    size_t rank;
    int64_t dims[PG_MAX_RANK], step[PG_MAX_RANK];
    pg_tensor *z, joined;
    PG_TRY(pg_op_need(op, 9));
    const pg_tensor *condition = pg_op_in(op, 0);
    if (condition->dtype != PG_BOOL)
        return pg_op_bad_type(op, 0);
    PG_TRY(read_codes(op, 7, 8, pg_op_in(op, 1)->dtype, &to));
    PG_TRY(read_choice(op, 1, &to, &x));
    PG_TRY(read_choice(op, 4, &to, &y));
    PG_TRY(pg_op_broadcast(op, condition, x.tensor, &rank, dims));
    joined = *condition;
    joined.rank = (uint16_t)rank;
    memcpy(joined.dims, dims, rank * sizeof *dims);
    PG_TRY(pg_op_broadcast(op, &joined, y.tensor, &rank, dims));
    PG_TRY(pg_op_out(op, 0, x.tensor->dtype, rank, dims, &z));
    pg_broadcast_steps(rank, condition->rank, condition->dims, step);
    pg_broadcast_steps(rank, x.tensor->rank, x.tensor->dims, x.step);
    pg_broadcast_steps(rank, y.tensor->rank, y.tensor->dims, y.step);
    for (uint64_t e = 0; e < pg_tensor_count(z); e++) {
        uint64_t rest = e;
        int64_t at = 0, at_x = 0, at_y = 0;
        for (size_t d = rank; d-- > 0;) {
            const int64_t i = (int64_t)(rest % (uint64_t)dims[d]);
            rest /= (uint64_t)dims[d];
            at += i * step[d];
            at_x += i * x.step[d];
            at_y += i * y.step[d];
        }
        const uint8_t *left = x.tensor->data, *right = y.tensor->data;
        ((uint8_t *)z->data)[e] =
            ((const uint8_t *)condition->data)[at] != 0 ? x.table[left[at_x]] : y.table[right[at_y]];
    }
    return NULL;
}

const pg_kernel pg_kernels_ms_quant[] = {
    {"com.microsoft", "QAttention", 1, 0, run_qattention, NULL, NULL, 0},
    {"com.microsoft", "QLinearSoftmax", 1, 0, run_softmax, NULL, NULL, 0},
    {"com.microsoft", "QLinearWhere", 1, 0, run_where, NULL, NULL, 0},
    {0},
};
