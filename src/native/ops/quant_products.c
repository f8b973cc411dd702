/* Products of 8-bit matrices whose zero points differ from row to row or from matrix to matrix: exact int32 sums
 * of codes widened to 16 bits, then scaled back to 8 bits where the operator says so. Others are in
 * quant_matmul.c. */
#include <math.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "native/gemm.h"
#include "native/ops/quant.h"

pg_status quant_zeros(pg_op *op, size_t i, int32_t **out, size_t *count)
{
    const pg_tensor *t = pg_op_in(op, i);
    *count = t != NULL ? (size_t)pg_tensor_count(t) : 1;
    if (t != NULL && !quant_is_8bit(t->dtype))
        return pg_op_bad_type(op, i);
    void *memory;
    PG_TRY(pg_op_scratch(op, *count * sizeof(int32_t) + 4, &memory));
    *out = memory;
    for (size_t j = 0; j < *count; j++)
        (*out)[j] = t == NULL           ? 0
                    : t->dtype == PG_U8 ? ((const uint8_t *)t->data)[j]
                                        : ((const int8_t *)t->data)[j];
    return NULL;
}

void quant_requantize(const int32_t *acc, size_t rows, size_t columns, const float *multiplier,
                      size_t n_multipliers, int32_t zero, pg_dtype dtype, void *out)
{
    float lo, hi;
    quant_range(dtype, &lo, &hi);
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < columns; j++) {
            const float m = multiplier[n_multipliers > 1 ? j : 0];
            float q = rintf((float)acc[r * columns + j] * m) + (float)zero;
            q = !(q >= lo) ? lo : q > hi ? hi : q; /* NaN too */
            if (dtype == PG_U8)
                ((uint8_t *)out)[r * columns + j] = (uint8_t)q;
            else
                ((int8_t *)out)[r * columns + j] = (int8_t)q;
        }
}

/* ---- Matrices ---- */

static size_t leading(const pg_tensor *t, size_t keep)
{
    size_t count = 1;
    for (size_t i = 0; i + keep < t->rank; i++)
        count *= (size_t)t->dims[i];
    return count;
}

/* Batch dimension d of `rank` that an operand has, 1 where it is missing. */
static int64_t batch_dim(const pg_tensor *t, size_t rank, size_t d)
{
    const size_t own = t->rank > 2 ? t->rank - 2u : 0;
    return d + own < rank ? 1 : t->dims[d + own - rank];
}

/* The matrix of an operand that batch i of the product reads. */
size_t quant_batch(const quant_product *p, const pg_tensor *t, size_t i)
{
    size_t at = 0, step = 1;
    for (size_t d = p->n_batch; d-- > 0;) {
        const int64_t own = batch_dim(t, p->n_batch, d);
        at += own == 1 ? 0 : i % (size_t)p->dims[d] * step;
        i /= (size_t)p->dims[d];
        step *= (size_t)own;
    }
    return at;
}

/* Shapes: A (..., m, k), B (..., k, n); batch dimensions broadcast. Vectors are matrices of one row or column. */
pg_status quant_product_shape(const pg_op *op, const pg_tensor *a, const pg_tensor *b, quant_product *p)
{
    if (a->rank == 0 || b->rank == 0)
        return pg_op_err(op, PG_ERR_INVALID, "a scalar cannot be multiplied as a matrix");
    p->m = a->rank == 1 ? 1 : (size_t)a->dims[a->rank - 2];
    p->k = (size_t)a->dims[a->rank - 1];
    p->n = b->rank == 1 ? 1 : (size_t)b->dims[b->rank - 1];
    if (b->dims[b->rank == 1 ? 0 : b->rank - 2] != (int64_t)p->k)
        return pg_op_err(op, PG_ERR_INVALID, "the inner dimensions differ");
    p->rank = (size_t)PG_MAX(PG_MAX(a->rank, b->rank) - 2, 0);
    p->batches = 1;
    for (size_t d = 0; d < p->rank; d++) {
        const int64_t left = batch_dim(a, p->rank, d), right = batch_dim(b, p->rank, d);
        if (left != right && left != 1 && right != 1)
            return pg_op_err(op, PG_ERR_INVALID, "the batch dimensions differ");
        p->dims[d] = left == 1 ? right : left;
        p->batches *= (size_t)p->dims[d];
    }
    p->n_batch = p->rank;
    if (a->rank > 1)
        p->dims[p->rank++] = (int64_t)p->m;
    if (b->rank > 1)
        p->dims[p->rank++] = (int64_t)p->n;
    return NULL;
}

pg_status quant_product_run(pg_op *op, const pg_tensor *a, const int32_t *zero_a, size_t n_zero_a,
                            const pg_tensor *b, const int32_t *zero_b, size_t n_zero_b, quant_product *p)
{
    void *packed, *wide;
    const size_t batches_a = leading(a, 2), batches_b = leading(b, 2);
    const bool rows = n_zero_a == p->m || n_zero_a == batches_a * p->m;
    const bool columns = n_zero_b == p->n || n_zero_b == batches_b * p->n;
    if ((n_zero_a != 1 && !rows) || (n_zero_b != 1 && !columns))
        return pg_op_err(op, PG_ERR_INVALID,
                         "zero points are neither one nor one per row of A or column of B");
    PG_TRY(pg_op_scratch(op, pg_igemm_packed_bytes(p->k, p->n) + 64, &packed));
    PG_TRY(pg_op_scratch(op, (uint64_t)p->m * pg_igemm_row(p->k) * 2 + 64, &wide));
    for (size_t i = 0; i < p->batches; i++) {
        const size_t at_a = quant_batch(p, a, i), at_b = quant_batch(p, b, i);
        const size_t za = n_zero_a > p->m ? at_a * p->m : 0, zb = n_zero_b > p->n ? at_b * p->n : 0;
        if (i == 0 || batches_b > 1)
            pg_igemm_pack(b->dtype, p->k, p->n, (const char *)b->data + at_b * p->k * p->n, p->n, false,
                          zero_b + zb, n_zero_b == 1 ? 1 : p->n, packed);
        pg_igemm_widen(a->dtype, p->m, p->k, (const char *)a->data + at_a * p->m * p->k, p->k, zero_a + za,
                       n_zero_a == 1 ? 1 : p->m, wide);
        pg_igemm_run(p->m, p->n, p->k, wide, packed, p->acc + i * p->m * p->n, p->n);
    }
    return NULL;
}

pg_status quant_product_of_inputs(pg_op *op, size_t a, size_t a_zero, size_t b, size_t b_zero,
                                  quant_product *p)
{
    int32_t *zero_a, *zero_b;
    size_t n_zero_a, n_zero_b;
    if (!quant_is_8bit(pg_op_in(op, a)->dtype))
        return pg_op_bad_type(op, a);
    if (!quant_is_8bit(pg_op_in(op, b)->dtype))
        return pg_op_bad_type(op, b);
    PG_TRY(quant_zeros(op, a_zero, &zero_a, &n_zero_a));
    PG_TRY(quant_zeros(op, b_zero, &zero_b, &n_zero_b));
    return quant_product_run(op, pg_op_in(op, a), zero_a, n_zero_a, pg_op_in(op, b), zero_b, n_zero_b, p);
}

pg_status quant_run_matmul_integer(pg_op *op)
{
    PG_TRY(pg_op_need(op, 2));
    quant_product p;
    pg_tensor *y;
    PG_TRY(quant_product_shape(op, pg_op_in(op, 0), pg_op_in(op, 1), &p));
    PG_TRY(pg_op_out(op, 0, PG_I32, p.rank, p.dims, &y));
    p.acc = y->data;
    return quant_product_of_inputs(op, 0, 2, 1, 3, &p);
}

/* a_scale * b_scale / y_scale for each column of B. */
static pg_status multipliers(pg_op *op, size_t a, size_t b, size_t y, size_t columns, float **out,
                             size_t *count)
{
    const float *sa, *sb, *sy;
    PG_TRY(nn_f32(op, a, &sa));
    PG_TRY(nn_f32(op, b, &sb));
    PG_TRY(nn_f32(op, y, &sy));
    *count = (size_t)pg_tensor_count(pg_op_in(op, b));
    if (pg_tensor_count(pg_op_in(op, a)) != 1 || pg_tensor_count(pg_op_in(op, y)) != 1 ||
        (*count != 1 && *count != columns))
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "scales per row of the first input or of the result");
    void *memory;
    PG_TRY(pg_op_scratch(op, *count * sizeof(float), &memory));
    *out = memory;
    for (size_t j = 0; j < *count; j++)
        (*out)[j] = sa[0] * sb[j] / sy[0];
    return NULL;
}

static pg_status result_zero(pg_op *op, size_t i, int32_t *out)
{
    int32_t *zeros;
    size_t count;
    PG_TRY(quant_zeros(op, i, &zeros, &count));
    if (count != 1)
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "input %zu must be one zero point", i);
    *out = zeros[0];
    return NULL;
}

pg_status quant_run_qlinear_matmul(pg_op *op)
{
    PG_TRY(pg_op_need(op, 8));
    quant_product p;
    float *scale;
    size_t n_scales;
    int32_t zero;
    void *acc;
    pg_tensor *y;
    PG_TRY(quant_product_shape(op, pg_op_in(op, 0), pg_op_in(op, 3), &p));
    PG_TRY(multipliers(op, 1, 4, 6, p.n, &scale, &n_scales));
    PG_TRY(result_zero(op, 7, &zero));
    PG_TRY(pg_op_out(op, 0, pg_op_in(op, 7)->dtype, p.rank, p.dims, &y));
    PG_TRY(pg_op_scratch(op, (uint64_t)p.batches * p.m * p.n * 4 + 4, &acc));
    p.acc = acc;
    PG_TRY(quant_product_of_inputs(op, 0, 2, 3, 5, &p));
    quant_requantize(p.acc, p.batches * p.m, p.n, scale, n_scales, zero, y->dtype, y->data);
    return NULL;
}
