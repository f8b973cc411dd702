/* Quantized operators of com.microsoft, which ONNX Runtime's tools write. */
#include <math.h>

#include "base/alloc.h"
#include "native/ops/quant.h"

static pg_status need_8bit(const pg_op *op, size_t i)
{
    return pg_op_in(op, i) != NULL && quant_is_8bit(pg_op_in(op, i)->dtype) ? NULL : pg_op_bad_type(op, i);
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
    {"com.microsoft", "DynamicQuantizeMatMul", 1, 0, run_dynamic_matmul, NULL, NULL, 0},
    {0},
};
