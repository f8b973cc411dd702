/* Elementwise operators that are not plain functions of one or two tensors of one type. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "native/ops/element.h"
#include "native/ops/move.h"
#include "native/ops/operands.h"
#include "native/ops/random.h"
#include "native/ops/simd.h"
#include "tensor/dtype_convert.h"

/* ---- Pow ---- */

/* The exponent is brought to the base's type first, or to int64 for integer bases with integer exponents;
 * integer bases with real exponents are computed in float64. */
typedef enum pow_mode { POW_F32, POW_F64, POW_INT, POW_INT_REAL } pow_mode;
typedef struct pow_job {
    pow_mode mode;
    pg_dtype base;
    void *z;
    const void *x, *y;
} pow_job;

PG_SIMD static void pow_square(float *z, const float *x, size_t n)
{
    PG_IVDEP
    for (size_t i = 0; i < n; i++)
        z[i] = x[i] * x[i];
}
PG_SIMD static void pow_cube(float *z, const float *x, size_t n)
{
    PG_IVDEP
    for (size_t i = 0; i < n; i++)
        z[i] = x[i] * x[i] * x[i];
}
/* pow(-0, 0.5) is 0 and pow(-inf, 0.5) is inf, unlike sqrt. */
PG_SIMD static void pow_root(float *z, const float *x, size_t n)
{
    PG_IVDEP
    for (size_t i = 0; i < n; i++) {
        float v = x[i] < -3.40282347e+38f ? -x[i] : x[i];
        z[i] = sqrtf(v + 0.0f);
    }
}

static void pow_f32(float *z, const float *x, const float *y, size_t n, int64_t sx, int64_t sy)
{
    if (sx == 1 && sy == 0 && *y == 2.0f) {
        pow_square(z, x, n);
    } else if (sx == 1 && sy == 0 && *y == 3.0f) {
        pow_cube(z, x, n);
    } else if (sx == 1 && sy == 0 && *y == 0.5f) {
        pow_root(z, x, n);
    } else {
        for (size_t i = 0; i < n; i++, x += sx, y += sy)
            z[i] = powf(*x, *y);
    }
}

/* Wraps around on overflow; a negative exponent leaves only what is not a fraction. */
static int64_t pow_int(int64_t base, int64_t exponent)
{
    if (exponent < 0)
        return base == 1 ? 1 : base == -1 ? (exponent % 2 != 0 ? -1 : 1) : 0;
    uint64_t result = 1, factor = (uint64_t)base;
    for (; exponent > 0; exponent >>= 1, factor *= factor)
        if ((exponent & 1) != 0)
            result *= factor;
    return (int64_t)result;
}

#define POW_INTEGER(T)                                                        \
    do {                                                                      \
        T *z = (T *)job->z + at;                                              \
        const T *x = (const T *)job->x + offsets[0];                          \
        for (size_t i = 0; i < n; i++, x += steps[0]) {                       \
            int64_t k = offsets[1] + (int64_t)i * steps[1];                   \
            if (job->mode == POW_INT) {                                       \
                z[i] = (T)pow_int((int64_t)*x, ((const int64_t *)job->y)[k]); \
            } else {                                                          \
                double real = pow((double)*x, ((const double *)job->y)[k]);   \
                pg_convert(PG_F64, &real, job->base, &z[i], 1, NULL);         \
            }                                                                 \
        }                                                                     \
    } while (0)

static void pow_row(void *context, uint64_t at, size_t n, const int64_t *offsets, const int64_t *steps)
{
    const pow_job *job = context;
    if (job->mode == POW_F32) {
        pow_f32((float *)job->z + at, (const float *)job->x + offsets[0], (const float *)job->y + offsets[1],
                n, steps[0], steps[1]);
        return;
    }
    if (job->mode == POW_F64) {
        const double *x = (const double *)job->x + offsets[0], *y = (const double *)job->y + offsets[1];
        for (size_t i = 0; i < n; i++, x += steps[0], y += steps[1])
            ((double *)job->z)[at + i] = pow(*x, *y);
        return;
    }
    switch (job->base) {
    case PG_I8:
        POW_INTEGER(int8_t);
        break;
    case PG_U8:
        POW_INTEGER(uint8_t);
        break;
    case PG_I16:
        POW_INTEGER(int16_t);
        break;
    case PG_U16:
        POW_INTEGER(uint16_t);
        break;
    case PG_I32:
        POW_INTEGER(int32_t);
        break;
    case PG_U32:
        POW_INTEGER(uint32_t);
        break;
    case PG_I64:
        POW_INTEGER(int64_t);
        break;
    default:
        POW_INTEGER(uint64_t);
        break;
    }
}

static pg_status pow_types(pg_op *op, pg_dtype base, pg_dtype exponent, pow_mode *mode, pg_dtype *wanted)
{
    bool real = exponent == PG_F32 || exponent == PG_F64;
    if (!real && !pg_dtype_is_integer(exponent))
        return pg_op_bad_type(op, 1);
    if (base == PG_F32 || base == PG_F64) {
        *mode = base == PG_F32 ? POW_F32 : POW_F64;
        *wanted = base;
    } else if (pg_dtype_is_integer(base) && pg_dtype_get(base)->bits >= 8) {
        *mode = real ? POW_INT_REAL : POW_INT;
        *wanted = real ? PG_F64 : PG_I64;
    } else {
        return pg_op_bad_type(op, 0);
    }
    return NULL;
}

static void pow_element(const pg_element *f, void *z, const void *const *x, size_t n, const int64_t *steps)
{
    pow_job job = {.mode = (f->dtype == PG_F64) ? POW_F64 : POW_F32, .z = z, .x = x[0], .y = x[1]};
    pow_row(&job, 0, n, (int64_t[2]){0, 0}, steps);
}
static pg_status describe_pow(const pg_op *op, pow_mode mode, pg_dtype wanted)
{
    if (mode != POW_F32 && mode != POW_F64)
        return pg_op_bad_type(op, 0);
    *op->element = (pg_element){.row = pow_element,
                                .n_in = 2,
                                .takes = {PG_UNDEFINED, wanted},
                                .result = wanted,
                                .grain = PG_GRAIN_COSTLY,
                                .in_place = true,
                                .dtype = wanted};
    return NULL;
}

static pg_status run_pow(pg_op *op)
{
    PG_TRY(pg_op_need(op, 2));
    const pg_tensor *pair[2] = {pg_op_in(op, 0), pg_op_in(op, 1)};
    pg_tensor exponent, *z;
    pg_operands operands;
    pow_job job = {.base = pair[0]->dtype};
    pg_dtype wanted = PG_UNDEFINED;
    pg_walk walk;
    PG_TRY(pow_types(op, pair[0]->dtype, pair[1]->dtype, &job.mode, &wanted));
    if (op->element != NULL)
        return describe_pow(op, job.mode, wanted);
    exponent = *pair[1];
    if (wanted != exponent.dtype) {
        uint64_t count = pg_tensor_count(&exponent);
        PG_TRY(pg_op_scratch(op, count * pg_move_size(wanted), &exponent.data));
        pg_convert(pair[1]->dtype, pair[1]->data, wanted, exponent.data, count, NULL);
        exponent.dtype = wanted;
    }
    if (op->opset < 7)
        PG_TRY(pg_operands_legacy(op, pair[0], &exponent));
    pair[1] = &exponent;
    PG_TRY(pg_operands_join(op, 2, pair, &operands));
    PG_TRY(pg_operands_out(op, &operands, job.base, false, &z));
    pg_operands_walk(&operands, &walk);
    job.z = z->data;
    job.x = operands.items[0].data;
    job.y = operands.items[1].data;
    pg_walk_run(&walk, PG_GRAIN_COSTLY, pow_row, &job);
    return NULL;
}

/* ---- Clip ---- */

typedef struct clip_job {
    pg_dtype dtype;
    void *y;
    const void *x;
    double low, high;          /* floats */
    int64_t low_int, high_int; /* signed integers */
    uint64_t low_uint, high_uint;
} clip_job;

PG_SIMD static void clip_f32(float *y, const float *x, size_t n, float low, float high)
{
    PG_IVDEP
    for (size_t i = 0; i < n; i++) {
        float v = x[i] < low ? low : x[i];
        y[i] = v > high ? high : v;
    }
}

#define CLIP(T, a, b)                               \
    do {                                            \
        T low = (T)(a), high = (T)(b), *y = job->y; \
        const T *x = job->x;                        \
        PG_IVDEP                                    \
        for (size_t i = begin; i < end; i++) {      \
            T v = x[i] < low ? low : x[i];          \
            y[i] = v > high ? high : v;             \
        }                                           \
    } while (0)

static void clip_range(void *context, size_t begin, size_t end)
{
    const clip_job *job = context;
    switch (job->dtype) {
    case PG_F32:
        clip_f32((float *)job->y + begin, (const float *)job->x + begin, end - begin, (float)job->low,
                 (float)job->high);
        break;
    case PG_F64:
        CLIP(double, job->low, job->high);
        break;
    case PG_I8:
        CLIP(int8_t, job->low_int, job->high_int);
        break;
    case PG_I16:
        CLIP(int16_t, job->low_int, job->high_int);
        break;
    case PG_I32:
        CLIP(int32_t, job->low_int, job->high_int);
        break;
    case PG_I64:
        CLIP(int64_t, job->low_int, job->high_int);
        break;
    case PG_U8:
        CLIP(uint8_t, job->low_uint, job->high_uint);
        break;
    case PG_U16:
        CLIP(uint16_t, job->low_uint, job->high_uint);
        break;
    case PG_U32:
        CLIP(uint32_t, job->low_uint, job->high_uint);
        break;
    default:
        CLIP(uint64_t, job->low_uint, job->high_uint);
        break;
    }
}

/* A bound is a tensor with one element of the data's type. */
static pg_status read_bound(const pg_op *op, size_t i, pg_dtype dtype, double *real, int64_t *integer,
                            uint64_t *natural)
{
    const pg_tensor *bound = pg_op_in(op, i);
    if (bound == NULL)
        return NULL;
    if (bound->dtype != dtype || pg_tensor_count(bound) != 1)
        return pg_op_err(op, PG_ERR_INVALID, "bound %zu must be one value of type %s", i,
                         pg_dtype_name(dtype));
    if (pg_dtype_is_float(dtype)) {
        *real = pg_tensor_get_f64(bound, 0);
        return NULL;
    }
    *integer = pg_tensor_get_i64(bound, 0);
    *natural = (uint64_t)*integer;
    return NULL;
}

static void clip_element(const pg_element *f, void *z, const void *const *x, size_t n, const int64_t *steps)
{
    clip_job job = {.dtype = f->dtype, .y = z, .x = x[0], .low = f->a, .high = f->b};
    (void)steps;
    clip_range(&job, 0, n);
}
static pg_status describe_clip(const pg_op *op, const clip_job *job)
{
    if (!pg_dtype_is_float(job->dtype))
        return pg_op_bad_type(op, 0);
    *op->element = (pg_element){.row = clip_element,
                                .n_in = 1,
                                .result = job->dtype,
                                .grain = PG_GRAIN_CHEAP,
                                .in_place = true,
                                .dtype = job->dtype,
                                .a = job->low,
                                .b = job->high};
    return NULL;
}

static pg_status run_clip(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    pg_dtype dtype = x->dtype;
    unsigned bits = pg_dtype_get(dtype)->bits;
    if ((dtype != PG_F32 && dtype != PG_F64 && !pg_dtype_is_integer(dtype)) || bits < 8)
        return pg_op_bad_type(op, 0);
    clip_job job = {.dtype = dtype,
                    .x = x->data,
                    .low = -INFINITY,
                    .high = INFINITY,
                    .low_int = INT64_MIN >> (64 - bits),
                    .high_int = INT64_MAX >> (64 - bits),
                    .high_uint = UINT64_MAX >> (64 - bits)};
    if (op->opset < 11) {
        float low, high;
        PG_TRY(pg_op_attr_f(op, "min", -INFINITY, &low));
        PG_TRY(pg_op_attr_f(op, "max", INFINITY, &high));
        job.low = (double)low;
        job.high = (double)high;
    }
    if (op->opset >= 11) {
        PG_TRY(read_bound(op, 1, dtype, &job.low, &job.low_int, &job.low_uint));
        PG_TRY(read_bound(op, 2, dtype, &job.high, &job.high_int, &job.high_uint));
    }
    if (op->element != NULL)
        return describe_clip(op, &job);
    pg_tensor *y;
    PG_TRY(pg_op_out_like(op, 0, 0, &y));
    job.y = y->data;
    pg_parallel_for(pg_tensor_count(y), PG_GRAIN_CHEAP, clip_range, &job);
    return NULL;
}

/* ---- Where ---- */

typedef struct where_job {
    const uint8_t *condition;
    const char *x, *y;
    char *z;
    size_t size;
} where_job;

#define WHERE_LOOP(x_at, y_at)       \
    PG_IVDEP                         \
    for (size_t i = 0; i < n; i++) { \
        a = x[x_at], b = y[y_at];    \
        z[i] = c[i] != 0 ? a : b;    \
    }
/* A condition that is repeated chooses a whole row. */
#define WHERE(T)                                                                          \
    do {                                                                                  \
        const T *x = (const T *)job->x + offsets[1], *y = (const T *)job->y + offsets[2]; \
        T *z = (T *)job->z + at, a, b;                                                    \
        const uint8_t *c = job->condition + offsets[0];                                   \
        if (steps[0] == 0) {                                                              \
            const T *from = *c != 0 ? x : y;                                              \
            int64_t step = *c != 0 ? steps[1] : steps[2];                                 \
            for (size_t i = 0; i < n; i++)                                                \
                z[i] = from[(int64_t)i * step];                                           \
        } else if (steps[1] != 0 && steps[2] != 0) {                                      \
            WHERE_LOOP(i, i)                                                              \
        } else if (steps[1] != 0) {                                                       \
            WHERE_LOOP(i, 0)                                                              \
        } else if (steps[2] != 0) {                                                       \
            WHERE_LOOP(0, i)                                                              \
        } else {                                                                          \
            WHERE_LOOP(0, 0)                                                              \
        }                                                                                 \
    } while (0)

static void where_row(void *context, uint64_t at, size_t n, const int64_t *offsets, const int64_t *steps)
{
    const where_job *job = context;
    switch (job->size) {
    case 1:
        WHERE(uint8_t);
        break;
    case 2:
        WHERE(uint16_t);
        break;
    case 4:
        WHERE(uint32_t);
        break;
    case 8:
        WHERE(uint64_t);
        break;
    default:
        WHERE(pg_str);
        break;
    }
}

static void where_element(const pg_element *f, void *z, const void *const *x, size_t n, const int64_t *steps)
{
    where_job job = {x[0], x[1], x[2], z, pg_move_size(f->result)};
    where_row(&job, 0, n, (int64_t[3]){0, 0, 0}, steps);
}

static pg_status run_where(pg_op *op)
{
    PG_TRY(pg_op_need(op, 3));
    const pg_tensor *all[3] = {pg_op_in(op, 0), pg_op_in(op, 1), pg_op_in(op, 2)};
    if (all[0]->dtype != PG_BOOL)
        return pg_op_bad_type(op, 0);
    if (all[1]->dtype != all[2]->dtype)
        return pg_op_err(op, PG_ERR_INVALID, "the inputs' types differ: %s and %s",
                         pg_dtype_name(all[1]->dtype), pg_dtype_name(all[2]->dtype));
    if (op->element != NULL) {
        *op->element = (pg_element){.row = where_element,
                                    .n_in = 3,
                                    .result = all[1]->dtype,
                                    .grain = PG_GRAIN_CHEAP,
                                    .in_place = true};
        return NULL;
    }
    pg_operands operands;
    pg_walk walk;
    pg_move out;
    const void *x, *y;
    PG_TRY(pg_operands_join(op, 3, all, &operands));
    pg_tensor left = *all[1], right = *all[2];
    left.data = (void *)operands.items[1].data;
    right.data = (void *)operands.items[2].data;
    PG_TRY(pg_move_in(op, &left, &x));
    PG_TRY(pg_move_in(op, &right, &y));
    PG_TRY(pg_move_out(op, 0, left.dtype, operands.rank, operands.dims, &out));
    if (out.tensor != NULL)
        out.tensor->layout = (uint16_t)operands.layout;
    pg_operands_walk(&operands, &walk);
    where_job job = {operands.items[0].data, x, y, out.data, out.size};
    pg_walk_run(&walk, PG_GRAIN_CHEAP, where_row, &job);
    return pg_move_done(&out);
}

/* ---- Identity and Dropout ---- */

static pg_status run_identity(pg_op *op)
{
    const pg_value *value = pg_op_in_value(op, 0);
    if (value == NULL)
        return pg_op_err(op, PG_ERR_INVALID, "input 0 is missing");
    pg_op_out_value(op, 0, pg_value_share(value));
    return NULL;
}

/* Opset 12 on: whether the node drops, and how much, are inputs; before 7 the attribute is_test decides. */
static pg_status dropout_ratio(const pg_op *op, double *out)
{
    float ratio = 0.5f;
    int64_t is_test = 1;
    *out = 0;
    if (op->opset < 12) {
        if (op->opset < 7)
            PG_TRY(pg_op_attr_i(op, "is_test", 0, &is_test));
        PG_TRY(pg_op_attr_f(op, "ratio", 0.5f, &ratio));
        *out = is_test != 0 ? 0 : (double)ratio;
        return NULL;
    }
    const pg_tensor *given = pg_op_in(op, 1), *training = pg_op_in(op, 2);
    if (training == NULL)
        return NULL;
    if (training->dtype != PG_BOOL || pg_tensor_count(training) != 1)
        return pg_op_err(op, PG_ERR_INVALID, "training_mode must be one bool");
    if (given != NULL && (pg_tensor_count(given) != 1 || !pg_dtype_is_float(given->dtype)))
        return pg_op_err(op, PG_ERR_INVALID, "ratio must be one number");
    if (*(const uint8_t *)training->data != 0)
        *out = given != NULL ? pg_tensor_get_f64(given, 0) : 0.5;
    if (!(*out >= 0 && *out < 1))
        return pg_op_err(op, PG_ERR_INVALID, "ratio %g is not in [0, 1)", *out);
    return NULL;
}

static pg_status run_dropout(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    double ratio;
    pg_tensor *y, *mask = NULL;
    if (x->dtype != PG_F32 && x->dtype != PG_F64)
        return pg_op_bad_type(op, 0);
    PG_TRY(dropout_ratio(op, &ratio));
    uint64_t count = pg_tensor_count(x);
    /* The mask had the data's type before opset 10. */
    pg_dtype mask_type = op->opset < 10 ? x->dtype : PG_BOOL;
    if (op->n_out > 1)
        PG_TRY(pg_op_out(op, 1, mask_type, x->rank, x->dims, &mask));
    if (ratio == 0) {
        for (uint64_t i = 0; mask != NULL && i < count; i++) {
            if (mask_type == PG_BOOL)
                ((uint8_t *)mask->data)[i] = 1;
            else if (mask_type == PG_F32)
                ((float *)mask->data)[i] = 1;
            else
                ((double *)mask->data)[i] = 1;
        }
        pg_op_out_value(op, 0, pg_value_share(pg_op_in_value(op, 0)));
        return NULL;
    }
    pg_op_random random;
    PG_TRY(pg_op_random_init(op, &random));
    PG_TRY(pg_op_out(op, 0, x->dtype, x->rank, x->dims, &y));
    for (uint64_t i = 0; i < count; i++) {
        bool keep = pg_op_random_uniform(&random) >= ratio;
        double scale = keep ? 1 / (1 - ratio) : 0;
        if (x->dtype == PG_F32)
            ((float *)y->data)[i] = (float)((double)((const float *)x->data)[i] * scale);
        else
            ((double *)y->data)[i] = ((const double *)x->data)[i] * scale;
        if (mask == NULL)
            continue;
        if (mask_type == PG_BOOL)
            ((uint8_t *)mask->data)[i] = keep;
        else if (mask_type == PG_F32)
            ((float *)mask->data)[i] = keep;
        else
            ((double *)mask->data)[i] = keep;
    }
    return NULL;
}

/* ---- CumSum and CumProd ---- */

typedef struct scan_job {
    pg_dtype dtype;
    void *y;
    const void *x;
    size_t n, inner; /* along the axis, and after it */
    bool product, exclusive, reverse;
} scan_job;

#define SCAN(T, W)                                                        \
    do {                                                                  \
        const T *x = (const T *)job->x + first;                           \
        T *y = (T *)job->y + first;                                       \
        W sum = (W)job->product;                                          \
        for (size_t k = 0; k < job->n; k++) {                             \
            size_t at = (job->reverse ? job->n - 1 - k : k) * job->inner; \
            W value = (W)x[at];                                           \
            if (job->exclusive)                                           \
                y[at] = (T)sum;                                           \
            sum = (W)(job->product ? sum * value : sum + value);          \
            if (!job->exclusive)                                          \
                y[at] = (T)sum;                                           \
        }                                                                 \
    } while (0)

static void scan_lines(void *context, size_t begin, size_t end)
{
    const scan_job *job = context;
    for (size_t line = begin; line < end; line++) {
        size_t first = line / job->inner * job->n * job->inner + line % job->inner;
        switch (job->dtype) {
        case PG_F32:
            SCAN(float, float);
            break;
        case PG_F64:
            SCAN(double, double);
            break;
        case PG_I32:
            SCAN(int32_t, uint32_t);
            break;
        case PG_U32:
            SCAN(uint32_t, uint32_t);
            break;
        case PG_I64:
            SCAN(int64_t, uint64_t);
            break;
        default:
            SCAN(uint64_t, uint64_t);
            break;
        }
    }
}

static pg_status cumulate(pg_op *op, bool product)
{
    PG_TRY(pg_op_need(op, 2));
    const pg_tensor *x = pg_op_in(op, 0);
    int64_t axis_value, exclusive, reverse;
    size_t axis, n_axes;
    if (x->dtype != PG_F32 && x->dtype != PG_F64 && x->dtype != PG_I32 && x->dtype != PG_U32 &&
        x->dtype != PG_I64 && x->dtype != PG_U64)
        return pg_op_bad_type(op, 0);
    PG_TRY(pg_op_ints(op, 1, &axis_value, 1, &n_axes));
    if (n_axes != 1)
        return pg_op_err(op, PG_ERR_INVALID, "input 1 must be one axis");
    PG_TRY(pg_op_axis(op, axis_value, x->rank, &axis));
    PG_TRY(pg_op_attr_i(op, "exclusive", 0, &exclusive));
    PG_TRY(pg_op_attr_i(op, "reverse", 0, &reverse));
    pg_tensor *y;
    PG_TRY(pg_op_out(op, 0, x->dtype, x->rank, x->dims, &y));
    uint64_t count = pg_tensor_count(x);
    if (count == 0)
        return NULL;
    scan_job job = {x->dtype, y->data, x->data,        (size_t)x->dims[axis],
                    1,        product, exclusive != 0, reverse != 0};
    for (size_t i = axis + 1; i < x->rank; i++)
        job.inner *= (size_t)x->dims[i];
    pg_parallel_for(count / job.n, PG_GRAIN_COSTLY / job.n + 1, scan_lines, &job);
    return NULL;
}

static pg_status run_cumsum(pg_op *op)
{
    return cumulate(op, false);
}
static pg_status run_cumprod(pg_op *op)
{
    return cumulate(op, true);
}

enum { HALF = PG_KERNEL_HALF_VIA_F32, ANY = PG_KERNEL_ANY_LAYOUT, EACH = ANY | PG_KERNEL_BY_ELEMENT };

const pg_kernel pg_kernels_elementwise[] = {
    {"", "Clip", 1, 0, run_clip, NULL, NULL, EACH | HALF},
    {"", "CumProd", 26, 0, run_cumprod, NULL, NULL, HALF},
    {"", "CumSum", 11, 0, run_cumsum, NULL, NULL, HALF},
    {"", "Dropout", 1, 11, run_dropout, NULL, NULL, HALF},
    {"", "Dropout", 12, 0, run_dropout, NULL, NULL, HALF | PG_KERNEL_VOLATILE},
    {"", "Identity", 1, 0, run_identity, NULL, NULL, ANY},
    {"", "Pow", 1, 0, run_pow, NULL, NULL, EACH | HALF},
    {"", "Where", 9, 0, run_where, NULL, NULL, EACH},
    {0},
};
