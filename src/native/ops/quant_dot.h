/* What convolutions and matrix products of 8-bit codes share: constant weights packed once, and how sums become
 * results.
 *
 * A is one scale and zero point; B has one of each, or one per column (output channel). The exact int32 sum s of
 * a result becomes
 *
 *     s                                   when there are no scales (ConvInteger, MatMulInteger)
 *     s * a_scale * b_scale[j] + shift[j] when there is no y_scale, in float32
 *     round(s * (a_scale * b_scale[j] / y_scale) + shift[j] / y_scale) + y_zero, clipped to the type
 *
 * each after the int32 bias was added to s. Rounding is to even. The sum is converted to float32 once: above 2^24
 * it loses bits, as everywhere. */
#ifndef PG_NATIVE_OPS_QUANT_DOT_H
#define PG_NATIVE_OPS_QUANT_DOT_H

#include "native/gemm.h"
#include "native/ops/packed.h"
#include "native/ops/quant.h"

/* Which input is what; QUANT_NONE for what the operator does not have. */
enum { QUANT_NONE = 255 };
typedef struct quant_roles {
    uint8_t a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero;
    uint8_t bias;   /* int32, one per column */
    uint8_t shift;  /* float32, one per column */
    uint8_t slopes; /* float32, one per column: those of PG_ACT_PRELU */
} quant_roles;

/* B packed, with what zero points need. */
typedef struct quant_packed {
    packed_weights kept; /* of constant B: data and sums */
    void *data;
    int32_t *sums;  /* of each column's packed codes */
    int32_t *zeros; /* of packed codes; NULL when all are 0 */
} quant_packed;

/* The input of a role; NULL when it is omitted. */
static inline const pg_tensor *quant_in(const pg_op *op, uint8_t role)
{
    return role == QUANT_NONE ? NULL : pg_op_in(op, role);
}
/* Zero points of `columns` packed columns; *out NULL when all are 0. */
PG_MUST_USE pg_status quant_packed_zeros(pg_op *op, const quant_roles *roles, size_t columns, int32_t **out);
/* The type in which tiles give results that end as `dtype`: float32 for codes behind an activation that tiles do
 * not compute; quant_store makes codes of those. */
pg_dtype quant_tile_type(pg_dtype dtype, pg_act act);
/* Applies `act` to `count` results of float32 and stores them: as codes of 8-bit `dtype`, or in their place. */
PG_MUST_USE pg_status quant_store(pg_op *op, const quant_roles *roles, float *x, size_t count, pg_act act,
                                  pg_dtype dtype, void *y);
/* Results of type `dtype`, which is a tile type, for sums of k products; *rest is what is left of `act`. *pad is
 * A's zero point as a code. */
PG_MUST_USE pg_status quant_result(pg_op *op, const quant_roles *roles, const quant_packed *b, size_t columns,
                                   size_t k, pg_dtype dtype, pg_act act, pg_i8_result *out, pg_act *rest,
                                   uint8_t *pad);
/* The type of the result that the roles ask for. */
PG_MUST_USE pg_status quant_result_type(const pg_op *op, const quant_roles *roles, pg_dtype *out);
/* One scale; an error names the input. */
PG_MUST_USE pg_status quant_scalar(pg_op *op, uint8_t role, float *out);

/* pg_i8_result.terms alone, for another B; zero_a as the tiles read A. */
PG_MUST_USE pg_status quant_terms(const pg_op *op, const quant_roles *roles, const quant_packed *b,
                                  size_t columns, size_t k, int32_t zero_a, int32_t *terms);

/* Constant B of `columns` columns in `bytes` of packed codes: begins, copies the zero points; *room where codes and sums
 * lie, *fresh as in packed_room. */
PG_MUST_USE pg_status quant_packed_begin(pg_op *op, const quant_roles *roles, uint64_t bytes, size_t columns,
                                         quant_packed *out, bool *fresh);
/* Before each run. */
PG_MUST_USE pg_status quant_packed_ready(const pg_op *op, quant_packed *packed);
void quant_packed_deinit(quant_packed *packed);
void quant_packed_free(void *state); /* the state of quant_matmul_prepare */
/* A product of 8-bit matrices in the way of MatMul, or with the attributes transA and transB of Gemm. *done is
 * false when zero points are spread in a way that this does not do. */
PG_MUST_USE pg_status quant_matmul_prepare(pg_op *op, const quant_roles *roles);
PG_MUST_USE pg_status quant_matmul(pg_op *op, const quant_roles *roles, bool *done);

#endif
