/* Linear quantization: real = (code - zero point) * scale. */
#ifndef PG_NATIVE_OPS_QUANT_H
#define PG_NATIVE_OPS_QUANT_H

#include "native/ops/nn.h"

/* How scales are spread over a tensor: element (o, a, i) of dims split around the axis uses scale
 * [o * o_step + a / block * a_step + i * i_step]. */
typedef struct quant_grid {
    size_t outer, axis, inner, block;
    size_t o_step, a_step, i_step;
} quant_grid;
/* From the scale's shape: one for all, one per position of the axis, or blocks of block_size along it. */
PG_MUST_USE pg_status quant_grid_make(const pg_op *op, const pg_tensor *x, const pg_tensor *scale,
                                      quant_grid *out);

/* Lowest and highest code of an integer type. */
void quant_range(pg_dtype dtype, float *lo, float *hi);
/* The values of an optional scalar or per-channel input: codes as int32; `missing` when omitted. */
PG_MUST_USE pg_status quant_zeros(pg_op *op, size_t i, int32_t **out, size_t *count);
/* Whether a type is one of the 8-bit integers. */
static inline bool quant_is_8bit(pg_dtype dtype)
{
    return dtype == PG_U8 || dtype == PG_I8;
}
/* code = clip(round(acc * multiplier) + zero): `columns` results, multiplier per column when there are
 * several. */
void quant_requantize(const int32_t *acc, size_t rows, size_t columns, const float *multiplier,
                      size_t n_multipliers, int32_t zero, pg_dtype dtype, void *out);

/* How loops over codes read and write them. */
pg_codes quant_codes(pg_dtype dtype, float scale, int32_t zero);

/* DynamicQuantizeLinear: codes of PG_U8 whose scale and zero point cover the values and zero. */
void quant_dynamic(const float *values, uint64_t count, uint8_t *codes, float *scale, int32_t *zero);

/* Products of 8-bit tensors (quant_products.c). */
typedef struct quant_product {
    size_t m, n, k, batches;
    size_t rank;
    int64_t dims[PG_MAX_RANK]; /* of the result */
    int32_t *acc;              /* batches * m * n sums; the caller's */
    size_t n_batch;            /* leading dims that are batch dimensions */
} quant_product;
PG_MUST_USE pg_status quant_product_shape(const pg_op *op, const pg_tensor *a, const pg_tensor *b,
                                          quant_product *out);
/* The matrix of an operand that batch i of the product reads. */
size_t quant_batch(const quant_product *product, const pg_tensor *operand, size_t i);
/* Zero points: one, or one per row of A or column of B. */
PG_MUST_USE pg_status quant_product_run(pg_op *op, const pg_tensor *a, const int32_t *zero_a, size_t n_zero_a,
                                        const pg_tensor *b, const int32_t *zero_b, size_t n_zero_b,
                                        quant_product *product);
/* The same from inputs of the node; zero points may be omitted. */
PG_MUST_USE pg_status quant_product_of_inputs(pg_op *op, size_t a, size_t a_zero, size_t b, size_t b_zero,
                                              quant_product *product);

PG_MUST_USE pg_status quant_run_matmul_integer(pg_op *op);
PG_MUST_USE pg_status quant_run_qlinear_matmul(pg_op *op);

#endif
