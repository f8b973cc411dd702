/* DynamicQuantizeMatMul of com.microsoft: the input is quantised when it runs, then multiplied as
 * MatMulIntegerToFloat does. */
#include "base/alloc.h"
#include "native/ops/quant_dot.h"

enum { DYNAMIC_X, DYNAMIC_B, DYNAMIC_B_SCALE, DYNAMIC_B_ZERO, DYNAMIC_BIAS };

static pg_status prepare_dynamic_matmul(pg_op *op)
{
    static const quant_roles roles = {QUANT_NONE,     QUANT_NONE, QUANT_NONE, DYNAMIC_B,  DYNAMIC_B_SCALE,
                                      DYNAMIC_B_ZERO, QUANT_NONE, QUANT_NONE, QUANT_NONE, DYNAMIC_BIAS};
    return quant_matmul_prepare(op, &roles);
}

static pg_value borrowed(pg_dtype dtype, const pg_tensor *shape, void *data)
{
    pg_tensor t = shape != NULL ? *shape : (pg_tensor){0};
    t.dtype = dtype;
    t.data = data;
    t.buffer = NULL;
    return pg_value_of_tensor(t);
}

static pg_status run_dynamic_matmul(pg_op *op)
{
    static const quant_roles roles = {0, 1, 2, 3, 4, 5, QUANT_NONE, QUANT_NONE, QUANT_NONE, 6};
    PG_TRY(pg_op_need(op, 3));
    const pg_tensor *x = pg_op_in(op, DYNAMIC_X);
    void *codes;
    float scale;
    int32_t zero;
    uint8_t zero_code;
    bool done;
    if (x->dtype != PG_F32)
        return pg_op_bad_type(op, DYNAMIC_X);
    PG_TRY(pg_op_scratch(op, pg_tensor_count(x) + 64, &codes));
    quant_dynamic(x->data, pg_tensor_count(x), codes, &scale, &zero);
    zero_code = (uint8_t)zero;
    pg_value a = borrowed(PG_U8, x, codes), a_scale = borrowed(PG_F32, NULL, &scale),
             a_zero = borrowed(PG_U8, NULL, &zero_code);
    pg_value *inputs[] = {&a,
                          &a_scale,
                          &a_zero,
                          op->in[DYNAMIC_B],
                          op->in[DYNAMIC_B_SCALE],
                          op->n_in > DYNAMIC_B_ZERO ? op->in[DYNAMIC_B_ZERO] : NULL,
                          op->n_in > DYNAMIC_BIAS ? op->in[DYNAMIC_BIAS] : NULL};
    pg_op inner = *op;
    const uint8_t flags[PG_COUNT(inputs)] = {0};
    inner.in = inputs;
    inner.in_flags = flags;
    inner.n_in = PG_COUNT(inputs);
    PG_TRY(quant_matmul(&inner, &roles, &done));
    return done ? NULL
                : pg_op_err(op, PG_ERR_UNSUPPORTED,
                            "zero points of the second input for each of its matrices");
}

const pg_kernel pg_kernels_contrib_quant[] = {
    {"com.microsoft", "DynamicQuantizeMatMul", 1, 0, run_dynamic_matmul, prepare_dynamic_matmul,
     quant_packed_free, PG_KERNEL_PACKS_1},
    {0},
};
