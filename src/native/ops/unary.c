/* Elementwise functions of one tensor. */
#include <math.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "native/ops/element.h"
#include "native/ops/simd.h"
#include "native/ops/vmath.h"

/* The two numbers that some functions take as attributes. */
typedef struct unary_args {
    double a, b;
} unary_args;

typedef void (*unary_loop)(void *y, const void *x, size_t n, const unary_args *args);
/* One loop per element type; NULL where the function is not defined. */
typedef struct unary_function {
    unary_loop loops[PG_DTYPE_COUNT];
    size_t grain;
} unary_function;

typedef struct unary_job {
    unary_loop loop;
    const unary_args *args;
    char *y;
    const char *x;
    size_t y_size, x_size;
} unary_job;

static void unary_range(void *context, size_t begin, size_t end)
{
    const unary_job *job = context;
    job->loop(job->y + begin * job->y_size, job->x + begin * job->x_size, end - begin, job->args);
}

static size_t element_size(pg_dtype dtype)
{
    return pg_dtype_get(dtype)->bits / 8;
}

static pg_status find_loop(const pg_op *op, const unary_function *function, unary_loop *out)
{
    PG_TRY(pg_op_need(op, 1));
    *out = function->loops[pg_op_in(op, 0)->dtype];
    return *out != NULL ? NULL : pg_op_bad_type(op, 0);
}

static void run_loop(const unary_function *function, unary_loop loop, const unary_args *args,
                     const pg_tensor *x, const void *data, pg_tensor *y)
{
    unary_job job = {loop, args, y->data, data, element_size(y->dtype), element_size(x->dtype)};
    pg_parallel_for(pg_tensor_count(y), function->grain, unary_range, &job);
}

static void unary_element(const pg_element *f, void *z, const void *const *x, size_t n, const int64_t *steps)
{
    (void)steps;
    ((unary_loop)f->loop)(z, x[0], n, &(unary_args){f->a, f->b});
}

static pg_status describe(const pg_op *op, const unary_function *function, unary_loop loop,
                          const unary_args *args, pg_dtype result)
{
    *op->element = (pg_element){.row = unary_element,
                                .n_in = 1,
                                .result = result,
                                .grain = function->grain,
                                .in_place = true,
                                .loop = (void (*)(void))loop,
                                .a = args->a,
                                .b = args->b};
    return NULL;
}

/* The output has the input's type. */
static pg_status unary(pg_op *op, const unary_function *function, const unary_args *args)
{
    unary_loop loop;
    pg_tensor *y;
    PG_TRY(find_loop(op, function, &loop));
    const pg_tensor *x = pg_op_in(op, 0);
    if (op->element != NULL)
        return describe(op, function, loop, args, x->dtype);
    const void *data = x->data;
    PG_TRY(pg_op_out_like(op, 0, 0, &y));
    run_loop(function, loop, args, x, data, y);
    return NULL;
}

/* The output is of bool. */
static pg_status unary_test(pg_op *op, const unary_function *function, const unary_args *args)
{
    unary_loop loop;
    pg_tensor *y;
    PG_TRY(find_loop(op, function, &loop));
    const pg_tensor *x = pg_op_in(op, 0);
    if (op->element != NULL)
        return describe(op, function, loop, args, PG_BOOL);
    PG_TRY(pg_op_out(op, 0, PG_BOOL, x->rank, x->dims, &y));
    y->layout = x->layout;
    run_loop(function, loop, args, x, x->data, y);
    return NULL;
}

#define LOOP(name, suffix, T, R, attribute, expression)                                               \
    attribute static void name##_##suffix(void *y_, const void *x_, size_t n, const unary_args *args) \
    {                                                                                                 \
        R *y = y_;                                                                                    \
        const T *from = x_;                                                                           \
        const T a = (T)args->a, b = (T)args->b;                                                       \
        (void)a, (void)b;                                                                             \
        PG_IVDEP                                                                                      \
        for (size_t i = 0; i < n; i++) {                                                              \
            T x = from[i];                                                                            \
            y[i] = (R)(expression);                                                                   \
        }                                                                                             \
    }

/* A function of real numbers: one expression for float32, one for float64. */
#define REAL(name, grain, in_f32, in_f64)          \
    LOOP(name, f32, float, float, PG_SIMD, in_f32) \
    LOOP(name, f64, double, double, , in_f64)      \
    static const unary_function name = {{[PG_F32] = name##_f32, [PG_F64] = name##_f64}, grain};
/* ... with an operator of the same name that has no attributes. */
#define REAL_OP(name, grain, in_f32, in_f64)       \
    REAL(name, grain, in_f32, in_f64)              \
    static pg_status run_##name(pg_op *op)         \
    {                                              \
        return unary(op, &name, &(unary_args){0}); \
    }
/* ... with one or two float attributes, whose defaults may differ in opset 1. */
#define REAL_OP_1(name, grain, key, missing, in_f32, in_f64)  \
    REAL(name, grain, in_f32, in_f64)                         \
    static pg_status run_##name(pg_op *op)                    \
    {                                                         \
        float a;                                              \
        PG_TRY(pg_op_attr_f(op, key, missing, &a));           \
        return unary(op, &name, &(unary_args){(double)a, 0}); \
    }
#define REAL_OP_2(name, grain, key, missing, key2, missing2, in_f32, in_f64) \
    REAL(name, grain, in_f32, in_f64)                                        \
    static pg_status run_##name(pg_op *op)                                   \
    {                                                                        \
        float a, b;                                                          \
        PG_TRY(pg_op_attr_f(op, key, missing, &a));                          \
        PG_TRY(pg_op_attr_f(op, key2, missing2, &b));                        \
        return unary(op, &name, &(unary_args){(double)a, (double)b});        \
    }

/* ... whose float32 loop is one of native/simd. */
#define SIMD_OP(name, call, in_f64)                                                                       \
    static void name##_f32(void *y, const void *x, size_t n, const unary_args *args)                      \
    {                                                                                                     \
        (void)args;                                                                                       \
        call;                                                                                             \
    }                                                                                                     \
    LOOP(name, f64, double, double, , in_f64)                                                             \
    static const unary_function name = {{[PG_F32] = name##_f32, [PG_F64] = name##_f64}, PG_GRAIN_COSTLY}; \
    static pg_status run_##name(pg_op *op)                                                                \
    {                                                                                                     \
        return unary(op, &name, &(unary_args){0});                                                        \
    }
#define ACT(kind_) pg_simd_best()->act_f32(&(pg_act){.kind = kind_}, x, y, n)

/* e^x - 1 for x <= 0 without cancellation: with t = tanh(x / 2) it is 2 t / (1 - t). */
PG_INLINE float expm1_below_zero(float x)
{
    float t = pg_vtanh(0.5f * (x > 0.0f ? 0.0f : x));
    return 2.0f * t / (1.0f - t);
}
static inline double expm1_below_zero_f64(double x)
{
    return expm1(x > 0 ? 0 : x);
}
PG_INLINE float softplus_f32_of(float x)
{
    float y = pg_vlog1p(pg_vexp(-fabsf(x))) + (x > 0.0f ? x : 0.0f);
    return x != x ? x : y;
}
static inline double softplus_f64_of(double x)
{
    return log1p(exp(-fabs(x))) + fmax(x, 0) + (isnan(x) ? x : 0);
}
/* tanh(log(1 + e^x)) = (e^2 + 2 e) / (e^2 + 2 e + 2); it is 1 in float32 from 20 on. */
PG_INLINE float mish_f32_of(float x)
{
    float e = pg_vexp(x > 20.0f ? 20.0f : x);
    float n = e * e + 2.0f * e;
    return x * (n / (n + 2.0f));
}
static inline double sigmoid_f64_of(double x)
{
    double e = exp(-fabs(x));
    return x < 0 ? e / (1 + e) : 1 / (1 + e);
}
PG_INLINE float clamp01(float x)
{
    x = x < 0.0f ? 0.0f : x;
    return x > 1.0f ? 1.0f : x;
}
static inline double clamp01_f64(double x)
{
    x = x < 0 ? 0 : x;
    return x > 1 ? 1 : x;
}

REAL_OP(op_ceil, PG_GRAIN_CHEAP, ceilf(x), ceil(x))
REAL_OP(op_floor, PG_GRAIN_CHEAP, floorf(x), floor(x))
REAL_OP(op_round, PG_GRAIN_CHEAP, rintf(x), rint(x))
REAL_OP(op_sqrt, PG_GRAIN_CHEAP, sqrtf(x), sqrt(x))
REAL_OP(op_reciprocal, PG_GRAIN_CHEAP, 1.0f / x, 1.0 / x)
SIMD_OP(op_exp, pg_simd_best()->exp_f32(x, y, n), exp(x))
REAL_OP(op_log, PG_GRAIN_COSTLY, pg_vlog(x), log(x))
REAL_OP(op_tan, PG_GRAIN_COSTLY, tanf(x), tan(x))
REAL_OP(op_asin, PG_GRAIN_COSTLY, asinf(x), asin(x))
REAL_OP(op_acos, PG_GRAIN_COSTLY, acosf(x), acos(x))
REAL_OP(op_atan, PG_GRAIN_COSTLY, atanf(x), atan(x))
REAL_OP(op_sinh, PG_GRAIN_COSTLY, sinhf(x), sinh(x))
REAL_OP(op_cosh, PG_GRAIN_COSTLY, coshf(x), cosh(x))
REAL_OP(op_asinh, PG_GRAIN_COSTLY, asinhf(x), asinh(x))
REAL_OP(op_acosh, PG_GRAIN_COSTLY, acoshf(x), acosh(x))
REAL_OP(op_atanh, PG_GRAIN_COSTLY, atanhf(x), atanh(x))
SIMD_OP(op_erf, pg_simd_best()->erf_f32(x, y, n), erf(x))
SIMD_OP(op_sigmoid, ACT(PG_ACT_SIGMOID), sigmoid_f64_of(x))
SIMD_OP(op_tanh, ACT(PG_ACT_TANH), tanh(x))
REAL_OP(op_softplus, PG_GRAIN_COSTLY, softplus_f32_of(x), softplus_f64_of(x))
REAL_OP(op_softsign, PG_GRAIN_CHEAP, x / (1.0f + fabsf(x)), x / (1.0 + fabs(x)))
REAL_OP(op_mish, PG_GRAIN_COSTLY, mish_f32_of(x), x *tanh(softplus_f64_of(x)))
REAL_OP(op_hard_swish, PG_GRAIN_CHEAP, x *clamp01(x / 6.0f + 0.5f), x *clamp01_f64(x / 6.0 + 0.5))
REAL_OP_1(op_leaky_relu, PG_GRAIN_CHEAP, "alpha", 0.01f, x < 0.0f ? a * x : x, x < 0 ? a * x : x)
REAL_OP_1(op_thresholded_relu, PG_GRAIN_CHEAP, "alpha", 1.0f, x > a ? x : 0.0f, x > a ? x : 0)
REAL_OP_1(op_elu, PG_GRAIN_COSTLY, "alpha", 1.0f, x < 0.0f ? a * expm1_below_zero(x) : x,
          x < 0 ? a * expm1_below_zero_f64(x) : x)
REAL_OP_1(op_celu, PG_GRAIN_COSTLY, "alpha", 1.0f, x < 0.0f ? a * expm1_below_zero(x / a) : x,
          x < 0 ? a * expm1_below_zero_f64(x / a) : x)
REAL_OP_1(op_swish, PG_GRAIN_COSTLY, "alpha", 1.0f, x *pg_vsigmoid(a *x), x *sigmoid_f64_of(a *x))
REAL_OP_2(op_hard_sigmoid, PG_GRAIN_CHEAP, "alpha", 0.2f, "beta", 0.5f, clamp01(a *x + b),
          clamp01_f64(a *x + b))

/* Angles too large for the vectorised reduction go through the C library, each alone: a result depends on its own
 * element only. */
PG_SIMD static void sines(float *y, const float *x, size_t n, int64_t quarters)
{
    PG_IVDEP
    for (size_t i = 0; i < n; i++)
        y[i] = pg_vsin(x[i], quarters);
}
static void sines_in_blocks(float *y, const float *x, size_t n, int64_t quarters)
{
    enum { BLOCK = 256 };
    for (size_t first = 0; first < n; first += BLOCK) {
        size_t width = PG_MIN((size_t)BLOCK, n - first);
        float angles[BLOCK];
        bool large = false;
        for (size_t i = 0; i < width; i++)
            large |= fabsf(x[first + i]) > PG_VSIN_MOST;
        if (large)
            memcpy(angles, x + first, width * sizeof *x); /* y may be x */
        sines(y + first, x + first, width, quarters);
        for (size_t i = 0; large && i < width; i++)
            if (fabsf(angles[i]) > PG_VSIN_MOST)
                y[first + i] = quarters != 0 ? cosf(angles[i]) : sinf(angles[i]);
    }
}
static void sin_f32(void *y, const void *x, size_t n, const unary_args *args)
{
    (void)args;
    sines_in_blocks(y, x, n, 0);
}
static void cos_f32(void *y, const void *x, size_t n, const unary_args *args)
{
    (void)args;
    sines_in_blocks(y, x, n, 1);
}
LOOP(sin, f64, double, double, , sin(x))
LOOP(cos, f64, double, double, , cos(x))
static const unary_function op_sin = {{[PG_F32] = sin_f32, [PG_F64] = sin_f64}, PG_GRAIN_COSTLY};
static const unary_function op_cos = {{[PG_F32] = cos_f32, [PG_F64] = cos_f64}, PG_GRAIN_COSTLY};
static pg_status run_op_sin(pg_op *op)
{
    return unary(op, &op_sin, &(unary_args){0});
}
static pg_status run_op_cos(pg_op *op)
{
    return unary(op, &op_cos, &(unary_args){0});
}

/* Opset 1 states rounded defaults. */
REAL(selu, PG_GRAIN_COSTLY, b *(x > 0.0f ? x : a * expm1_below_zero(x)),
     b *(x > 0 ? x : a * expm1_below_zero_f64(x)))
static pg_status run_selu(pg_op *op)
{
    float alpha, gamma;
    bool first = op->opset < 6;
    PG_TRY(pg_op_attr_f(op, "alpha", first ? 1.6732f : 1.67326319217681884765625f, &alpha));
    PG_TRY(pg_op_attr_f(op, "gamma", first ? 1.0507f : 1.05070102214813232421875f, &gamma));
    return unary(op, &selu, &(unary_args){(double)alpha, (double)gamma});
}

REAL(gelu, PG_GRAIN_COSTLY, 0.5f * x * (1.0f + pg_verf(x * 0.70710678f)), 0.5 * x * (1 + erf(x * M_SQRT1_2)))
REAL(gelu_tanh, PG_GRAIN_COSTLY, 0.5f * x * (1.0f + pg_vtanh(0.797884561f * (x + 0.044715f * x * x * x))),
     0.5 * x * (1 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x))))
static pg_status run_gelu(pg_op *op)
{
    pg_str approximate;
    PG_TRY(pg_op_attr_s(op, "approximate", "none", &approximate));
    if (pg_str_is(approximate, "none"))
        return unary(op, &gelu, &(unary_args){0});
    if (pg_str_is(approximate, "tanh"))
        return unary(op, &gelu_tanh, &(unary_args){0});
    return pg_op_err(op, PG_ERR_INVALID, "attribute 'approximate' is '%" PG_STR_FMT "', not none or tanh",
                     PG_STR_ARG(approximate));
}

/* Functions of every number type. Negating the smallest signed integer wraps around. */
#define INTEGERS(X, name) \
    X(name, i8, int8_t)   \
    X(name, i16, int16_t) \
    X(name, i32, int32_t) \
    X(name, i64, int64_t) \
    X(name, u8, uint8_t) X(name, u16, uint16_t) X(name, u32, uint32_t) X(name, u64, uint64_t)
#define SIGNED_ROWS(name) \
    [PG_I8] = name##_i8, [PG_I16] = name##_i16, [PG_I32] = name##_i32, [PG_I64] = name##_i64
#define UNSIGNED_ROWS(name) \
    [PG_U8] = name##_u8, [PG_U16] = name##_u16, [PG_U32] = name##_u32, [PG_U64] = name##_u64
#define FLOAT_ROWS(name) [PG_F32] = name##_f32, [PG_F64] = name##_f64

#define ABS_LOOP(name, suffix, T) LOOP(name, suffix, T, T, , x < 0 ? (T)(0 - (uint64_t)x) : x)
#define NEG_LOOP(name, suffix, T) LOOP(name, suffix, T, T, , (T)(0 - (uint64_t)x))
#define SIGN_LOOP(name, suffix, T) LOOP(name, suffix, T, T, , (x > 0) - (x < 0))
#define RELU_LOOP(name, suffix, T) LOOP(name, suffix, T, T, , x > 0 ? x : 0)
#define INVERT_LOOP(name, suffix, T) LOOP(name, suffix, T, T, , ~x)
#define SHRINK_LOOP(name, suffix, T) \
    LOOP(name, suffix, T, T, ,       \
         (double)x<-args->a ? (double)x + args->b : (double)x> args->a ? (double)x - args->b : 0.0)

/* Unsigned types have no negative numbers, which the compiler would point out. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtype-limits"
INTEGERS(ABS_LOOP, abs)
INTEGERS(NEG_LOOP, neg)
INTEGERS(SIGN_LOOP, sign)
INTEGERS(RELU_LOOP, relu)
INTEGERS(INVERT_LOOP, invert)
INTEGERS(SHRINK_LOOP, shrink)
#pragma GCC diagnostic pop
LOOP(abs, f32, float, float, PG_SIMD, fabsf(x))
LOOP(abs, f64, double, double, , fabs(x))
LOOP(neg, f32, float, float, PG_SIMD, -x)
LOOP(neg, f64, double, double, , -x)
LOOP(sign, f32, float, float, PG_SIMD, x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x)
LOOP(sign, f64, double, double, , x > 0 ? 1 : x < 0 ? -1 : x)
LOOP(relu, f32, float, float, PG_SIMD, x < 0.0f ? 0.0f : x)
LOOP(relu, f64, double, double, , x < 0 ? 0 : x)
LOOP(shrink, f32, float, float, PG_SIMD, x<-a ? x + b : x> a ? x - b : 0.0f)
LOOP(shrink, f64, double, double, , x<-a ? x + b : x> a ? x - b : 0)
LOOP(not, u8, uint8_t, uint8_t, , x == 0)
LOOP(isnan, f32, float, uint8_t, PG_SIMD, x != x)
LOOP(isnan, f64, double, uint8_t, , x != x)
/* args: which infinities count. */
LOOP(isinf, f32, float, uint8_t, , (a != 0.0f && x < -3.40282347e+38f) || (b != 0.0f && x > 3.40282347e+38f))
LOOP(isinf, f64, double, uint8_t, , (a != 0 && x == -INFINITY) || (b != 0 && x == INFINITY))

#define ALL_ROWS(name) FLOAT_ROWS(name), SIGNED_ROWS(name), UNSIGNED_ROWS(name)
static const unary_function op_abs = {{ALL_ROWS(abs)}, PG_GRAIN_CHEAP};
static const unary_function op_neg = {{ALL_ROWS(neg)}, PG_GRAIN_CHEAP};
static const unary_function op_sign = {{ALL_ROWS(sign)}, PG_GRAIN_CHEAP};
static const unary_function op_relu = {{ALL_ROWS(relu)}, PG_GRAIN_CHEAP};
static const unary_function op_shrink = {{ALL_ROWS(shrink)}, PG_GRAIN_CHEAP};
static const unary_function op_invert = {{SIGNED_ROWS(invert), UNSIGNED_ROWS(invert)}, PG_GRAIN_CHEAP};
static const unary_function op_not = {{[PG_BOOL] = not_u8}, PG_GRAIN_CHEAP};
static const unary_function op_isnan = {{FLOAT_ROWS(isnan)}, PG_GRAIN_CHEAP};
static const unary_function op_isinf = {{FLOAT_ROWS(isinf)}, PG_GRAIN_CHEAP};

#define PLAIN_OP(name, call)                      \
    static pg_status run_##name(pg_op *op)        \
    {                                             \
        return call(op, &name, &(unary_args){0}); \
    }
PLAIN_OP(op_abs, unary)
PLAIN_OP(op_neg, unary)
PLAIN_OP(op_sign, unary)
PLAIN_OP(op_relu, unary)
PLAIN_OP(op_invert, unary)
PLAIN_OP(op_not, unary)
PLAIN_OP(op_isnan, unary_test)

static pg_status run_shrink(pg_op *op)
{
    float lambda, bias;
    PG_TRY(pg_op_attr_f(op, "lambd", 0.5f, &lambda));
    PG_TRY(pg_op_attr_f(op, "bias", 0.0f, &bias));
    return unary(op, &op_shrink, &(unary_args){(double)lambda, (double)bias});
}

static pg_status run_isinf(pg_op *op)
{
    int64_t negative, positive;
    PG_TRY(pg_op_attr_i(op, "detect_negative", 1, &negative));
    PG_TRY(pg_op_attr_i(op, "detect_positive", 1, &positive));
    return unary_test(op, &op_isinf, &(unary_args){(double)(negative != 0), (double)(positive != 0)});
}

enum {
    EXACT = PG_KERNEL_ANY_LAYOUT | PG_KERNEL_BY_ELEMENT,
    FLOATS = EXACT | PG_KERNEL_HALF_VIA_F32,
};
#define ROW(op_type, since, run)                       \
    {                                                  \
        "", op_type, since, 0, run, NULL, NULL, FLOATS \
    }

const pg_kernel pg_kernels_unary[] = {
    ROW("Abs", 1, run_op_abs),
    ROW("Acos", 7, run_op_acos),
    ROW("Acosh", 9, run_op_acosh),
    ROW("Asin", 7, run_op_asin),
    ROW("Asinh", 9, run_op_asinh),
    ROW("Atan", 7, run_op_atan),
    ROW("Atanh", 9, run_op_atanh),
    {"", "BitwiseNot", 18, 0, run_op_invert, NULL, NULL, EXACT},
    ROW("Ceil", 1, run_op_ceil),
    ROW("Celu", 12, run_op_celu),
    ROW("Cos", 7, run_op_cos),
    ROW("Cosh", 9, run_op_cosh),
    ROW("Elu", 1, run_op_elu),
    ROW("Erf", 9, run_op_erf),
    ROW("Exp", 1, run_op_exp),
    ROW("Floor", 1, run_op_floor),
    ROW("Gelu", 20, run_gelu),
    ROW("HardSigmoid", 1, run_op_hard_sigmoid),
    ROW("HardSwish", 14, run_op_hard_swish),
    ROW("IsInf", 10, run_isinf),
    ROW("IsNaN", 9, run_op_isnan),
    ROW("LeakyRelu", 1, run_op_leaky_relu),
    ROW("Log", 1, run_op_log),
    ROW("Mish", 18, run_op_mish),
    ROW("Neg", 1, run_op_neg),
    {"", "Not", 1, 0, run_op_not, NULL, NULL, EXACT},
    ROW("Reciprocal", 1, run_op_reciprocal),
    ROW("Relu", 1, run_op_relu),
    ROW("Round", 11, run_op_round),
    ROW("Selu", 1, run_selu),
    ROW("Shrink", 9, run_shrink),
    ROW("Sigmoid", 1, run_op_sigmoid),
    ROW("Sign", 9, run_op_sign),
    ROW("Sin", 7, run_op_sin),
    ROW("Sinh", 9, run_op_sinh),
    ROW("Softplus", 1, run_op_softplus),
    ROW("Softsign", 1, run_op_softsign),
    ROW("Sqrt", 1, run_op_sqrt),
    ROW("Swish", 24, run_op_swish),
    ROW("Tan", 7, run_op_tan),
    ROW("Tanh", 1, run_op_tanh),
    ROW("ThresholdedRelu", 10, run_op_thresholded_relu),
    {0},
};
