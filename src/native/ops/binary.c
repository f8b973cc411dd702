/* Elementwise functions of two tensors, and the variadic ones that are chains of them. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "native/ops/element.h"
#include "native/ops/move.h"
#include "native/ops/operands.h"
#include "native/ops/simd.h"
#include "native/ops/vmath.h"

/* z[i] = f(x[i * sx], y[i * sy]); a step is 0 or 1. z may be x or y. */
typedef void (*binary_loop)(void *z, const void *x, const void *y, size_t n, int64_t sx, int64_t sy);
typedef struct binary_function {
    binary_loop loops[PG_DTYPE_COUNT];
    pg_dtype result; /* PG_UNDEFINED: the inputs' type */
    size_t grain;
} binary_function;

typedef struct binary_job {
    binary_loop loop;
    char *z;
    const char *x, *y;
    size_t z_size, size;
} binary_job;

static void binary_row(void *context, uint64_t at, size_t n, const int64_t *offsets, const int64_t *steps)
{
    const binary_job *job = context;
    job->loop(job->z + at * job->z_size, job->x + offsets[0] * (int64_t)job->size,
              job->y + offsets[1] * (int64_t)job->size, n, steps[0], steps[1]);
}

static void run_joined(const binary_function *f, binary_loop loop, const pg_operands *operands,
                       pg_dtype dtype, pg_tensor *z)
{
    pg_walk walk;
    pg_operands_walk(operands, &walk);
    binary_job job = {loop,
                      z->data,
                      operands->items[0].data,
                      operands->items[1].data,
                      pg_move_size(z->dtype),
                      pg_move_size(dtype)};
    pg_walk_run(&walk, f->grain, binary_row, &job);
}

static pg_status join_two(pg_op *op, pg_tensor *legacy, pg_tensor *storage, pg_operands *out)
{
    PG_TRY(pg_op_need(op, 2));
    const pg_tensor *pair[2] = {pg_op_in(op, 0), pg_op_in(op, 1)}, *rows;
    bool before_7 = op->opset < 7 && op->node->domain.len == 0;
    if (before_7 && !pg_tensor_same_shape(pair[0], pair[1])) {
        PG_TRY(pg_with_layout(op, pair[1], PG_ROW_MAJOR, storage, &rows));
        *legacy = *rows;
        PG_TRY(pg_operands_legacy(op, pair[0], legacy));
        pair[1] = legacy;
    }
    return pg_operands_join(op, 2, pair, out);
}

static pg_status find_loop(const pg_op *op, const binary_function *f, binary_loop *out)
{
    PG_TRY(pg_op_need(op, 2));
    pg_dtype dtype = pg_op_in(op, 0)->dtype;
    *out = f->loops[dtype];
    if (*out == NULL)
        return pg_op_bad_type(op, 0);
    if (pg_op_in(op, 1)->dtype != dtype)
        return pg_op_err(op, PG_ERR_INVALID, "the inputs' types differ: %s and %s", pg_dtype_name(dtype),
                         pg_dtype_name(pg_op_in(op, 1)->dtype));
    return NULL;
}

static void binary_element(const pg_element *f, void *z, const void *const *x, size_t n, const int64_t *steps)
{
    ((binary_loop)f->loop)(z, x[0], x[1], n, steps[0], steps[1]);
}

static pg_status describe(const pg_op *op, const binary_function *f)
{
    binary_loop loop;
    PG_TRY(find_loop(op, f, &loop));
    *op->element = (pg_element){.row = binary_element,
                                .n_in = 2,
                                .result = f->result != PG_UNDEFINED ? f->result : pg_op_in(op, 0)->dtype,
                                .grain = f->grain,
                                .in_place = true,
                                .loop = (void (*)(void))loop};
    return NULL;
}

static pg_status binary(pg_op *op, const binary_function *f)
{
    pg_tensor legacy, storage, *z;
    pg_operands operands;
    binary_loop loop;
    if (op->element != NULL)
        return describe(op, f);
    PG_TRY(join_two(op, &legacy, &storage, &operands));
    PG_TRY(find_loop(op, f, &loop));
    pg_dtype dtype = pg_op_in(op, 0)->dtype;
    PG_TRY(pg_operands_out(op, &operands, f->result != PG_UNDEFINED ? f->result : dtype, true, &z));
    run_joined(f, loop, &operands, dtype, z);
    return NULL;
}

/* f(f(in 0, in 1), in 2) ... over any number of inputs. */
static pg_status variadic(pg_op *op, const binary_function *f, pg_tensor **out)
{
    const pg_tensor *first = pg_op_in(op, 0), *storage_of;
    PG_TRY(pg_op_need(op, op->n_in > 0 ? op->n_in : 1));
    binary_loop loop = f->loops[first->dtype];
    if (loop == NULL)
        return pg_op_bad_type(op, 0);
    size_t rank = 0;
    int64_t dims[PG_MAX_RANK];
    for (size_t i = 0; i < op->n_in; i++) {
        const pg_tensor *in = pg_op_in(op, i);
        if (in->dtype != first->dtype)
            return pg_op_bad_type(op, i);
        PG_TRY(pg_broadcast_dims(op, &rank, dims, in->rank, in->dims));
    }
    pg_tensor *z, storage;
    PG_TRY(pg_op_out(op, 0, first->dtype, rank, dims, &z));
    *out = z;
    /* The output is its own first operand from the second step on. */
    for (size_t i = 1; i < op->n_in; i++) {
        pg_walk walk;
        pg_walk_init(&walk, rank, dims);
        PG_TRY(pg_with_layout(op, i == 1 ? first : z, PG_ROW_MAJOR, &storage, &storage_of));
        const void *x = storage_of->data;
        pg_walk_add(&walk, storage_of->rank, storage_of->dims);
        PG_TRY(pg_with_layout(op, pg_op_in(op, i), PG_ROW_MAJOR, &storage, &storage_of));
        pg_walk_add(&walk, storage_of->rank, storage_of->dims);
        size_t size = pg_move_size(first->dtype);
        binary_job job = {loop, z->data, x, storage_of->data, size, size};
        pg_walk_run(&walk, f->grain, binary_row, &job);
    }
    return NULL;
}

static pg_status variadic_or_binary(pg_op *op, const binary_function *f)
{
    pg_tensor *z;
    if (op->n_in == 2 || op->element != NULL)
        return binary(op, f);
    if (op->n_in == 1 && pg_op_in(op, 0) != NULL) {
        pg_op_out_value(op, 0, pg_value_share(pg_op_in_value(op, 0)));
        return NULL;
    }
    return variadic(op, f, &z);
}

#define LOOP(name, suffix, T, R, attribute, expression)                                                   \
    attribute static void name##_##suffix(void *z_, const void *x_, const void *y_, size_t n, int64_t sx, \
                                          int64_t sy)                                                     \
    {                                                                                                     \
        R *z = z_;                                                                                        \
        const T *xs = x_, *ys = y_;                                                                       \
        if (sx != 0 && sy != 0) {                                                                         \
            PG_IVDEP                                                                                      \
            for (size_t i = 0; i < n; i++) {                                                              \
                T x = xs[i], y = ys[i];                                                                   \
                z[i] = (R)(expression);                                                                   \
            }                                                                                             \
        } else if (sx != 0) {                                                                             \
            T y = ys[0];                                                                                  \
            PG_IVDEP                                                                                      \
            for (size_t i = 0; i < n; i++) {                                                              \
                T x = xs[i];                                                                              \
                z[i] = (R)(expression);                                                                   \
            }                                                                                             \
        } else if (sy != 0) {                                                                             \
            T x = xs[0];                                                                                  \
            PG_IVDEP                                                                                      \
            for (size_t i = 0; i < n; i++) {                                                              \
                T y = ys[i];                                                                              \
                z[i] = (R)(expression);                                                                   \
            }                                                                                             \
        } else if (n > 0) {                                                                               \
            T x = xs[0], y = ys[0];                                                                       \
            R value = (R)(expression);                                                                    \
            for (size_t i = 0; i < n; i++)                                                                \
                z[i] = value;                                                                             \
        }                                                                                                 \
    }

#define FLOAT_LOOPS(name, R32, R64, e32, e64) \
    LOOP(name, f32, float, R32, PG_SIMD, e32) \
    LOOP(name, f64, double, R64, , e64)
#define SIGNED_LOOPS(name, e)              \
    LOOP(name, i8, int8_t, int8_t, , e)    \
    LOOP(name, i16, int16_t, int16_t, , e) \
    LOOP(name, i32, int32_t, int32_t, , e) LOOP(name, i64, int64_t, int64_t, , e)
#define UNSIGNED_LOOPS(name, e)              \
    LOOP(name, u8, uint8_t, uint8_t, , e)    \
    LOOP(name, u16, uint16_t, uint16_t, , e) \
    LOOP(name, u32, uint32_t, uint32_t, , e) LOOP(name, u64, uint64_t, uint64_t, , e)
#define SIGNED_TEST_LOOPS(name, e)         \
    LOOP(name, i8, int8_t, uint8_t, , e)   \
    LOOP(name, i16, int16_t, uint8_t, , e) \
    LOOP(name, i32, int32_t, uint8_t, , e) LOOP(name, i64, int64_t, uint8_t, , e)
#define UNSIGNED_TEST_LOOPS(name, e)        \
    LOOP(name, u8, uint8_t, uint8_t, , e)   \
    LOOP(name, u16, uint16_t, uint8_t, , e) \
    LOOP(name, u32, uint32_t, uint8_t, , e) LOOP(name, u64, uint64_t, uint8_t, , e)
#define TEST_LOOPS(name, e)                   \
    FLOAT_LOOPS(name, uint8_t, uint8_t, e, e) \
    SIGNED_TEST_LOOPS(name, e) UNSIGNED_TEST_LOOPS(name, e)
#define FLOAT_ROWS(name) [PG_F32] = name##_f32, [PG_F64] = name##_f64
#define SIGNED_ROWS(name) \
    [PG_I8] = name##_i8, [PG_I16] = name##_i16, [PG_I32] = name##_i32, [PG_I64] = name##_i64
#define UNSIGNED_ROWS(name) \
    [PG_U8] = name##_u8, [PG_U16] = name##_u16, [PG_U32] = name##_u32, [PG_U64] = name##_u64
#define INT_ROWS(name) SIGNED_ROWS(name), UNSIGNED_ROWS(name)
#define ALL_ROWS(name) FLOAT_ROWS(name), INT_ROWS(name)

/* Integers wrap around on overflow; floats follow IEEE 754. Divisors that are zero are refused before integer
 * loops run (check_divisors). */
#define ARITHMETIC(name, op)                         \
    FLOAT_LOOPS(name, float, double, x op y, x op y) \
    SIGNED_LOOPS(name, (uint64_t)x op(uint64_t) y)   \
    UNSIGNED_LOOPS(name, (uint64_t)x op(uint64_t) y)
ARITHMETIC(add, +)
ARITHMETIC(sub, -)
ARITHMETIC(mul, *)
FLOAT_LOOPS(div, float, double, x / y, x / y)
SIGNED_LOOPS(div, y == -1 ? (int64_t)(0 - (uint64_t)x) : x / y)
UNSIGNED_LOOPS(div, x / y)

/* The remainder with the sign of the divisor. */
static inline double floor_mod(double x, double y)
{
    double r = fmod(x, y);
    if (r == 0)
        return copysign(r, y);
    return (r < 0) != (y < 0) ? r + y : r;
}
static inline int64_t floor_mod_int(int64_t x, int64_t y)
{
    if (y == -1)
        return 0;
    int64_t r = x % y;
    return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}
FLOAT_LOOPS(mod, float, double, floor_mod((double)x, (double)y), floor_mod(x, y))
SIGNED_LOOPS(mod, floor_mod_int(x, y))
UNSIGNED_LOOPS(mod, x % y)
FLOAT_LOOPS(rem, float, double, fmodf(x, y), fmod(x, y))
SIGNED_LOOPS(rem, y == -1 ? 0 : x % y)

/* NaN wins, whichever side it is on. */
FLOAT_LOOPS(max, float, double, x > y || x != x ? x : y, x > y || x != x ? x : y)
SIGNED_LOOPS(max, x > y ? x : y)
UNSIGNED_LOOPS(max, x > y ? x : y)
FLOAT_LOOPS(min, float, double, x < y || x != x ? x : y, x < y || x != x ? x : y)
SIGNED_LOOPS(min, x < y ? x : y)
UNSIGNED_LOOPS(min, x < y ? x : y)

TEST_LOOPS(equal, x == y)
TEST_LOOPS(greater, x > y)
TEST_LOOPS(less, x < y)
TEST_LOOPS(greater_equal, x >= y)
TEST_LOOPS(less_equal, x <= y)
LOOP(equal, text, pg_str, uint8_t, , pg_str_eq(x, y))
LOOP(and, u8, uint8_t, uint8_t, , x &y)
LOOP(or, u8, uint8_t, uint8_t, , x | y)
LOOP(xor, u8, uint8_t, uint8_t, , x ^ y)

#define BITWISE(name, op)      \
    SIGNED_LOOPS(name, x op y) \
    UNSIGNED_LOOPS(name, x op y)
BITWISE(bit_and, &)
BITWISE(bit_or, |)
BITWISE(bit_xor, ^)
/* A shift by the width or more leaves only copies of the sign. */
#define BITS(x) ((int64_t)(8 * sizeof(x)))
SIGNED_LOOPS(shift_left, y < 0 || y >= BITS(x) ? 0 : (int64_t)((uint64_t)x << y))
SIGNED_LOOPS(shift_right, x >> (y < 0 || y >= BITS(x) ? BITS(x) - 1 : y))
UNSIGNED_LOOPS(shift_left, y >= (uint64_t)BITS(x) ? 0 : (uint64_t)x << y)
UNSIGNED_LOOPS(shift_right, y >= (uint64_t)BITS(x) ? 0 : x >> y)

FLOAT_LOOPS(prelu, float, double, x < 0.0f ? x * y : x, x < 0 ? x * y : x)
SIGNED_LOOPS(prelu, x < 0 ? (uint64_t)x * (uint64_t)y : (uint64_t)x)
UNSIGNED_LOOPS(prelu, ((void)y, x))

#define OP(op_name, function_name, result, ...)                                           \
    static const binary_function function_name = {{__VA_ARGS__}, result, PG_GRAIN_CHEAP}; \
    static pg_status run_##op_name(pg_op *op)                                             \
    {                                                                                     \
        return binary(op, &function_name);                                                \
    }
OP(add, op_add, PG_UNDEFINED, ALL_ROWS(add))
OP(sub, op_sub, PG_UNDEFINED, ALL_ROWS(sub))
OP(mul, op_mul, PG_UNDEFINED, ALL_ROWS(mul))
OP(equal, op_equal, PG_BOOL, ALL_ROWS(equal), [PG_BOOL] = equal_u8, [PG_STRING] = equal_text)
OP(greater, op_greater, PG_BOOL, ALL_ROWS(greater))
OP(less, op_less, PG_BOOL, ALL_ROWS(less))
OP(greater_equal, op_greater_equal, PG_BOOL, ALL_ROWS(greater_equal))
OP(less_equal, op_less_equal, PG_BOOL, ALL_ROWS(less_equal))
OP(and, op_and, PG_UNDEFINED, [PG_BOOL] = and_u8)
OP(or, op_or, PG_UNDEFINED, [PG_BOOL] = or_u8)
OP(xor, op_xor, PG_UNDEFINED, [PG_BOOL] = xor_u8)
OP(bit_and, op_bit_and, PG_UNDEFINED, INT_ROWS(bit_and))
OP(bit_or, op_bit_or, PG_UNDEFINED, INT_ROWS(bit_or))
OP(bit_xor, op_bit_xor, PG_UNDEFINED, INT_ROWS(bit_xor))

static bool has_zero(const pg_tensor *y)
{
    uint64_t count = pg_tensor_count(y), zeros = 0;
    switch (pg_move_size(y->dtype)) {
    case 1:
        for (uint64_t i = 0; i < count; i++)
            zeros += ((const uint8_t *)y->data)[i] == 0;
        break;
    case 2:
        for (uint64_t i = 0; i < count; i++)
            zeros += ((const uint16_t *)y->data)[i] == 0;
        break;
    case 4:
        for (uint64_t i = 0; i < count; i++)
            zeros += ((const uint32_t *)y->data)[i] == 0;
        break;
    default:
        for (uint64_t i = 0; i < count; i++)
            zeros += ((const uint64_t *)y->data)[i] == 0;
    }
    return zeros > 0;
}

/* Nothing is divided where the first input is empty. Divisors are looked at all together, not one by one. */
static pg_status check_divisors(const pg_op *op)
{
    PG_TRY(pg_op_need(op, 2));
    const pg_tensor *x = pg_op_in(op, 0), *y = pg_op_in(op, 1);
    if (pg_dtype_is_integer(y->dtype) && pg_dtype_get(y->dtype)->bits >= 8 && pg_tensor_count(x) > 0 &&
        (op->element != NULL || has_zero(y)))
        return pg_op_err(op, PG_ERR_INVALID, "integer division by zero");
    return NULL;
}

static const binary_function op_div = {{ALL_ROWS(div)}, PG_UNDEFINED, PG_GRAIN_CHEAP};
static pg_status run_div(pg_op *op)
{
    PG_TRY(check_divisors(op));
    return binary(op, &op_div);
}

static const binary_function op_mod = {{ALL_ROWS(mod)}, PG_UNDEFINED, PG_GRAIN_COSTLY};
static const binary_function op_rem = {
    {FLOAT_ROWS(rem), SIGNED_ROWS(rem), UNSIGNED_ROWS(mod)}, PG_UNDEFINED, PG_GRAIN_COSTLY};
static pg_status run_mod(pg_op *op)
{
    int64_t fmod_attribute;
    PG_TRY(pg_op_attr_i(op, "fmod", 0, &fmod_attribute));
    PG_TRY(check_divisors(op));
    return binary(op, fmod_attribute != 0 ? &op_rem : &op_mod);
}

static const binary_function op_shift_left = {{INT_ROWS(shift_left)}, PG_UNDEFINED, PG_GRAIN_CHEAP};
static const binary_function op_shift_right = {{INT_ROWS(shift_right)}, PG_UNDEFINED, PG_GRAIN_CHEAP};
static pg_status run_bit_shift(pg_op *op)
{
    pg_str direction;
    PG_TRY(pg_op_attr_s(op, "direction", "", &direction));
    if (pg_str_is(direction, "LEFT"))
        return binary(op, &op_shift_left);
    if (pg_str_is(direction, "RIGHT"))
        return binary(op, &op_shift_right);
    return pg_op_err(op, PG_ERR_INVALID, "attribute 'direction' is '%" PG_STR_FMT "', not LEFT or RIGHT",
                     PG_STR_ARG(direction));
}

static const binary_function op_max = {{ALL_ROWS(max)}, PG_UNDEFINED, PG_GRAIN_CHEAP};
static const binary_function op_min = {{ALL_ROWS(min)}, PG_UNDEFINED, PG_GRAIN_CHEAP};
static const binary_function op_sum = {{FLOAT_ROWS(add)}, PG_UNDEFINED, PG_GRAIN_CHEAP};
static pg_status run_max(pg_op *op)
{
    return variadic_or_binary(op, &op_max);
}
static pg_status run_min(pg_op *op)
{
    return variadic_or_binary(op, &op_min);
}
static pg_status run_sum(pg_op *op)
{
    return variadic_or_binary(op, &op_sum);
}
static pg_status run_mean(pg_op *op)
{
    pg_tensor *z;
    if (op->n_in == 1)
        return run_sum(op);
    PG_TRY(variadic(op, &op_sum, &z));
    uint64_t count = pg_tensor_count(z);
    float n32 = (float)op->n_in;
    double n64 = (double)op->n_in;
    if (z->dtype == PG_F32)
        div_f32(z->data, z->data, &n32, count, 1, 0);
    else
        div_f64(z->data, z->data, &n64, count, 1, 0);
    return NULL;
}

/* Before opset 7 a slope of one dimension belongs to the channels, axis 1. */
static const binary_function op_prelu = {{ALL_ROWS(prelu)}, PG_UNDEFINED, PG_GRAIN_CHEAP};
static pg_status run_prelu(pg_op *op)
{
    PG_TRY(pg_op_need(op, 2));
    const pg_tensor *x = pg_op_in(op, 0), *pair[2] = {x, pg_op_in(op, 1)};
    pg_tensor slope = *pair[1], *z;
    pg_operands operands;
    if (op->element != NULL) {
        size_t rank = x->rank;
        int64_t dims[PG_MAX_RANK];
        memcpy(dims, x->dims, sizeof dims);
        PG_TRY(pg_broadcast_dims(op, &rank, dims, slope.rank, slope.dims));
        if (rank != x->rank || memcmp(dims, x->dims, rank * sizeof *dims) != 0)
            return pg_op_err(op, PG_ERR_INVALID, "the slope's shape does not fit input 0");
        return describe(op, &op_prelu);
    }
    if (op->opset < 7 && slope.rank == 1 && slope.dims[0] != 1 && x->rank > 1) {
        slope.rank = (uint16_t)(x->rank - 1);
        for (size_t i = 1; i < slope.rank; i++)
            slope.dims[i] = 1;
        pair[1] = &slope;
    }
    PG_TRY(pg_operands_join(op, 2, pair, &operands));
    binary_loop loop = op_prelu.loops[x->dtype];
    if (loop == NULL)
        return pg_op_bad_type(op, 0);
    if (slope.dtype != x->dtype || !operands.items[0].whole)
        return pg_op_err(op, PG_ERR_INVALID, "the slope's type or shape does not fit input 0");
    PG_TRY(pg_operands_out(op, &operands, x->dtype, true, &z));
    run_joined(&op_prelu, loop, &operands, x->dtype, z);
    return NULL;
}

/* Swish(a) * b; the inputs have one shape. */
typedef struct swiglu_job {
    void *y;
    const void *a, *b;
    double alpha;
    bool wide;
} swiglu_job;
PG_SIMD static void swiglu_f32(float *y, const float *a, const float *b, float alpha, size_t n)
{
    PG_IVDEP
    for (size_t i = 0; i < n; i++)
        y[i] = a[i] * pg_vsigmoid(alpha * a[i]) * b[i];
}
static void swiglu_row(void *context, uint64_t at, size_t n, const int64_t *offsets, const int64_t *steps)
{
    const swiglu_job *job = context;
    (void)offsets, (void)steps;
    if (!job->wide) {
        swiglu_f32((float *)job->y + at, (const float *)job->a + at, (const float *)job->b + at,
                   (float)job->alpha, n);
        return;
    }
    const double *a = (const double *)job->a + at, *b = (const double *)job->b + at;
    for (size_t i = 0; i < n; i++)
        ((double *)job->y)[at + i] = a[i] / (1 + exp(-job->alpha * a[i])) * b[i];
}
static pg_status run_swiglu(pg_op *op)
{
    float alpha;
    PG_TRY(pg_op_need(op, 2));
    PG_TRY(pg_op_attr_f(op, "alpha", 1.0f, &alpha));
    const pg_tensor *a = pg_op_in(op, 0), *b = pg_op_in(op, 1);
    if ((a->dtype != PG_F32 && a->dtype != PG_F64) || b->dtype != a->dtype)
        return pg_op_bad_type(op, a->dtype != PG_F32 && a->dtype != PG_F64 ? 0 : 1);
    if (!pg_tensor_same_shape(a, b))
        return pg_op_err(op, PG_ERR_INVALID, "the inputs' shapes differ");
    swiglu_job job = {.a = a->data, .b = b->data, .alpha = (double)alpha, .wide = a->dtype == PG_F64};
    pg_tensor *y;
    pg_walk walk;
    PG_TRY(pg_op_out(op, 0, a->dtype, a->rank, a->dims, &y));
    job.y = y->data;
    pg_walk_init(&walk, y->rank, y->dims);
    pg_walk_run(&walk, PG_GRAIN_COSTLY, swiglu_row, &job);
    return NULL;
}

enum {
    EXACT = PG_KERNEL_ANY_LAYOUT | PG_KERNEL_BY_ELEMENT,
    BOTH = EXACT | PG_KERNEL_HALF_VIA_F32,
    WHOLE = PG_KERNEL_ANY_LAYOUT | PG_KERNEL_HALF_VIA_F32,
};

const pg_kernel pg_kernels_binary[] = {
    {"", "Add", 1, 0, run_add, NULL, NULL, BOTH},
    {"", "And", 1, 0, run_and, NULL, NULL, EXACT},
    {"", "BitShift", 11, 0, run_bit_shift, NULL, NULL, EXACT},
    {"", "BitwiseAnd", 18, 0, run_bit_and, NULL, NULL, EXACT},
    {"", "BitwiseOr", 18, 0, run_bit_or, NULL, NULL, EXACT},
    {"", "BitwiseXor", 18, 0, run_bit_xor, NULL, NULL, EXACT},
    {"", "Div", 1, 0, run_div, NULL, NULL, BOTH},
    {"", "Equal", 1, 0, run_equal, NULL, NULL, BOTH},
    {"", "Greater", 1, 0, run_greater, NULL, NULL, BOTH},
    {"", "GreaterOrEqual", 12, 0, run_greater_equal, NULL, NULL, BOTH},
    {"", "Less", 1, 0, run_less, NULL, NULL, BOTH},
    {"", "LessOrEqual", 12, 0, run_less_equal, NULL, NULL, BOTH},
    {"", "Max", 1, 0, run_max, NULL, NULL, BOTH},
    {"", "Mean", 1, 0, run_mean, NULL, NULL, WHOLE},
    {"", "Min", 1, 0, run_min, NULL, NULL, BOTH},
    {"", "Mod", 10, 0, run_mod, NULL, NULL, BOTH},
    {"", "Mul", 1, 0, run_mul, NULL, NULL, BOTH},
    {"", "Or", 1, 0, run_or, NULL, NULL, EXACT},
    {"", "PRelu", 1, 0, run_prelu, NULL, NULL, BOTH},
    {"", "Sub", 1, 0, run_sub, NULL, NULL, BOTH},
    {"", "Sum", 1, 0, run_sum, NULL, NULL, BOTH},
    {"", "SwiGLU", 28, 0, run_swiglu, NULL, NULL, PG_KERNEL_HALF_VIA_F32},
    {"", "Xor", 1, 0, run_xor, NULL, NULL, EXACT},
    {0},
};
