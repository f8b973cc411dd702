/* Cast, CastLike and BitCast. */
#include "native/internal.h"
#include "native/ops/element.h"
#include "native/ops/simd.h"

static pg_status cast_options(const pg_op *op, pg_cast_options *out)
{
    int64_t saturate;
    pg_str round_mode;
    *out = pg_cast_onnx;
    PG_TRY(pg_op_attr_i(op, "saturate", 1, &saturate));
    PG_TRY(pg_op_attr_s(op, "round_mode", "up", &round_mode));
    out->saturate = saturate != 0;
    if (pg_str_is(round_mode, "up"))
        out->round_mode = PG_ROUND_UP;
    else if (pg_str_is(round_mode, "down"))
        out->round_mode = PG_ROUND_DOWN;
    else if (pg_str_is(round_mode, "nearest"))
        out->round_mode = PG_ROUND_NEAREST;
    else
        return pg_op_err(op, PG_ERR_INVALID,
                         "attribute 'round_mode' is '%" PG_STR_FMT "', not up, down or nearest",
                         PG_STR_ARG(round_mode));
    return NULL;
}

static void cast_element(const pg_element *f, void *z, const void *const *x, size_t n, const int64_t *steps)
{
    (void)steps;
    pg_convert(f->dtype, x[0], f->result, z, n, &f->cast);
}

pg_element pg_element_cast(pg_dtype from, pg_dtype to, const pg_cast_options *options)
{
    return (pg_element){.row = cast_element,
                        .n_in = 1,
                        .result = to,
                        .grain = PG_GRAIN_CHEAP,
                        .dtype = from,
                        .cast = *options};
}

static pg_status cast_to(pg_op *op, pg_dtype to)
{
    pg_cast_options options;
    pg_tensor y;
    PG_TRY(pg_op_need(op, 1));
    PG_TRY(cast_options(op, &options));
    if (op->element != NULL) {
        *op->element = pg_element_cast(pg_op_in(op, 0)->dtype, to, &options);
        return NULL;
    }
    const pg_tensor *x = pg_op_in(op, 0);
    pg_status status = pg_is_half(x->dtype) && to == PG_F32 ? pg_session_cast(op->session, x, to, &y)
                                                            : pg_tensor_cast(x, to, &options, &y);
    if (status == NULL) {
        pg_op_out_value(op, 0, pg_value_of_tensor(y));
        return NULL;
    }
    pg_status named = pg_op_err(op, pg_status_code(status), "%s", pg_status_message(status));
    pg_status_drop(status);
    return named;
}

/* The target type; a name before opset 6, a number from then on. */
static pg_status read_target(const pg_op *op, pg_dtype *out)
{
    const pg_attr *attr = pg_node_attr(op->node, "to");
    *out = PG_UNDEFINED;
    if (attr != NULL && attr->type == PG_ATTR_STRING)
        *out = pg_dtype_parse(attr->s);
    else if (attr != NULL && attr->type == PG_ATTR_INT && attr->i > 0 && attr->i < PG_DTYPE_COUNT)
        *out = (pg_dtype)attr->i;
    if (*out == PG_UNDEFINED)
        return pg_op_err(op, PG_ERR_INVALID, "attribute 'to' is missing or names no element type");
    return NULL;
}

static pg_status run_cast(pg_op *op)
{
    pg_dtype to;
    PG_TRY(read_target(op, &to));
    return cast_to(op, to);
}

static pg_status run_cast_like(pg_op *op)
{
    PG_TRY(pg_op_need(op, 2));
    return cast_to(op, pg_op_in(op, 1)->dtype);
}

static pg_status run_bit_cast(pg_op *op)
{
    pg_dtype to;
    PG_TRY(pg_op_need(op, 1));
    PG_TRY(read_target(op, &to));
    const pg_tensor *x = pg_op_in(op, 0);
    if (x->dtype == PG_STRING || to == PG_STRING || pg_dtype_get(x->dtype)->bits != pg_dtype_get(to)->bits)
        return pg_op_err(op, PG_ERR_INVALID, "%s and %s do not have the same number of bits",
                         pg_dtype_name(x->dtype), pg_dtype_name(to));
    pg_tensor y = pg_tensor_share(x);
    y.dtype = to;
    pg_op_out_value(op, 0, pg_value_of_tensor(y));
    return NULL;
}

const pg_kernel pg_kernels_cast[] = {
    {"", "BitCast", 26, 0, run_bit_cast, NULL, NULL, PG_KERNEL_ANY_LAYOUT},
    {"", "Cast", 1, 0, run_cast, NULL, NULL, PG_KERNEL_ANY_LAYOUT | PG_KERNEL_BY_ELEMENT},
    {"", "CastLike", 15, 0, run_cast_like, NULL, NULL, PG_KERNEL_ANY_LAYOUT},
    {0},
};
