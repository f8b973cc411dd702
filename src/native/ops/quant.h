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

/* Products of integer tensors (quant_products.c). */
PG_MUST_USE pg_status quant_run_matmul_integer(pg_op *op);
PG_MUST_USE pg_status quant_run_qlinear_matmul(pg_op *op);
PG_MUST_USE pg_status quant_run_conv_integer(pg_op *op);
PG_MUST_USE pg_status quant_run_qlinear_conv(pg_op *op);

#endif
