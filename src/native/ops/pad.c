/* Pad and CenterCropPad. */
#include <string.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "native/ops/move.h"
#include "native/ops/simd.h"
#include "tensor/dtype_convert.h"

/* How many elements are added on each side; negative ones are cut off. */
typedef struct margins {
    int64_t before[PG_MAX_RANK], after[PG_MAX_RANK];
} margins;

static pg_status padded_dims(const pg_op *op, const pg_tensor *x, const margins *m, int64_t *dims)
{
    for (size_t i = 0; i < x->rank; i++)
        if (m->before[i] == INT64_MIN || __builtin_add_overflow(x->dims[i], m->before[i], &dims[i]) ||
            __builtin_add_overflow(dims[i], m->after[i], &dims[i]) || dims[i] < 0)
            return pg_op_err(op, PG_ERR_INVALID, "axis %zu of size %lld cannot be padded by %lld and %lld", i,
                             (long long)x->dims[i], (long long)m->before[i], (long long)m->after[i]);
    return NULL;
}

/* `value` is one element of x's type, spread. */
static pg_status pad_constant(pg_op *op, const pg_tensor *x, const margins *m, const void *value)
{
    int64_t dims[PG_MAX_RANK], box[PG_MAX_RANK], from[PG_MAX_RANK], to[PG_MAX_RANK], source = 0, target = 0;
    const void *elements;
    pg_move out;
    PG_TRY(padded_dims(op, x, m, dims));
    PG_TRY(pg_move_in(op, x, &elements));
    PG_TRY(pg_move_out(op, 0, x->dtype, x->rank, dims, &out));
    pg_fill(out.data, value, out.count, out.size);
    pg_strides(x->rank, x->dims, from);
    pg_strides(x->rank, dims, to);
    for (size_t i = 0; i < x->rank; i++) {
        int64_t cut = PG_MAX(-m->before[i], 0), added = PG_MAX(m->before[i], 0);
        box[i] = PG_MIN(x->dims[i] - cut, dims[i] - added);
        source += cut * from[i];
        target += added * to[i];
        if (box[i] <= 0)
            return pg_move_done(&out);
    }
    pg_copy_strided((char *)out.data + target * (int64_t)out.size, to,
                    (const char *)elements + source * (int64_t)out.size, from, x->rank, box, out.size);
    return pg_move_done(&out);
}

/* ---- The other modes: which element a position outside stands for ---- */

typedef enum pad_mode { PAD_CONSTANT, PAD_REFLECT, PAD_EDGE, PAD_WRAP } pad_mode;

static int64_t mirror(pad_mode mode, int64_t at, int64_t size)
{
    if (at >= 0 && at < size)
        return at;
    if (mode == PAD_EDGE || size == 1)
        return at < 0 ? 0 : size - 1;
    int64_t period = mode == PAD_WRAP ? size : 2 * (size - 1);
    at %= period;
    at += at < 0 ? period : 0;
    return at < size ? at : period - at;
}

typedef struct pad_job {
    const pg_move *out;
    const char *x;
    const int64_t *maps[PG_MAX_RANK]; /* per output position of an axis, the input's, times its stride */
} pad_job;

#define PAD_ROW(T)                                \
    for (int64_t i = 0; i < n; i++)               \
        ((T *)to)[i] = ((const T *)from)[map[i]]; \
    break

static void pad_row(char *to, const char *from, const int64_t *map, int64_t n, size_t size)
{
    switch (size) {
    case 1:
        PAD_ROW(uint8_t);
    case 2:
        PAD_ROW(uint16_t);
    case 4:
        PAD_ROW(uint32_t);
    case 8:
        PAD_ROW(uint64_t);
    default:
        for (int64_t i = 0; i < n; i++)
            memcpy(to + (size_t)i * size, from + (size_t)map[i] * size, size);
        break;
    }
}

static void pad_rows(void *context, size_t begin, size_t end)
{
    const pad_job *job = context;
    const pg_move *out = job->out;
    size_t last = out->rank - 1;
    for (size_t row = begin; row < end; row++) {
        int64_t offset = 0;
        for (size_t i = last, rest = row; i-- > 0; rest /= (size_t)out->dims[i])
            offset += job->maps[i][rest % (size_t)out->dims[i]];
        pad_row((char *)out->data + row * (size_t)out->dims[last] * out->size,
                job->x + offset * (int64_t)out->size, job->maps[last], out->dims[last], out->size);
    }
}

static pg_status pad_mapped(pg_op *op, const pg_tensor *x, const margins *m, pad_mode mode)
{
    int64_t dims[PG_MAX_RANK], strides[PG_MAX_RANK];
    const void *elements;
    void *scratch;
    pg_move out;
    uint64_t total = 0;
    PG_TRY(padded_dims(op, x, m, dims));
    PG_TRY(pg_move_in(op, x, &elements));
    PG_TRY(pg_move_out(op, 0, x->dtype, x->rank, dims, &out));
    if (out.count == 0)
        return pg_move_done(&out);
    if (pg_tensor_count(x) == 0)
        return pg_op_err(op, PG_ERR_INVALID, "an empty input has nothing to repeat");
    for (size_t i = 0; i < x->rank; i++)
        total += (uint64_t)dims[i];
    PG_TRY(pg_op_scratch(op, total * sizeof(int64_t), &scratch));
    pad_job job = {.out = &out, .x = elements};
    int64_t *next = scratch;
    pg_strides(x->rank, x->dims, strides);
    for (size_t i = 0; i < x->rank; i++) {
        job.maps[i] = next;
        for (int64_t k = 0; k < dims[i]; k++)
            *next++ = mirror(mode, k - m->before[i], x->dims[i]) * strides[i];
    }
    size_t row = (size_t)dims[x->rank - 1];
    pg_parallel_for((size_t)out.count / row, PG_GRAIN_CHEAP / row + 1, pad_rows, &job);
    return pg_move_done(&out);
}

/* ---- Pad ---- */

static pg_status read_mode(const pg_op *op, pad_mode *out)
{
    static const char *const names[] = {"constant", "reflect", "edge", "wrap"};
    pg_str text;
    PG_TRY(pg_op_attr_s(op, "mode", "constant", &text));
    for (size_t i = 0; i < PG_COUNT(names); i++)
        if (pg_str_is(text, names[i])) {
            *out = (pad_mode)i;
            return NULL;
        }
    return pg_op_err(op, PG_ERR_INVALID,
                     "attribute 'mode' is '%" PG_STR_FMT "', not constant, reflect, edge or wrap",
                     PG_STR_ARG(text));
}

/* Pads are an attribute before opset 11, input 1 from then on, for the axes of input 3 if there is one. */
static pg_status read_margins(const pg_op *op, size_t rank, margins *out)
{
    int64_t values[2 * PG_MAX_RANK], axes[PG_MAX_RANK];
    const int64_t *pads = values;
    size_t n, n_axes = rank;
    memset(out, 0, sizeof *out);
    if (op->opset < 11)
        PG_TRY(pg_op_attr_is(op, op->opset < 2 ? "paddings" : "pads", &pads, &n));
    else
        PG_TRY(pg_op_ints(op, 1, values, 2 * PG_MAX_RANK, &n));
    for (size_t i = 0; i < rank; i++)
        axes[i] = (int64_t)i;
    if (op->opset >= 18 && pg_op_in(op, 3) != NULL)
        PG_TRY(pg_op_ints(op, 3, axes, PG_MAX_RANK, &n_axes));
    if (n != 2 * n_axes)
        return pg_op_err(op, PG_ERR_INVALID, "there are %zu pads for %zu axes", n, n_axes);
    for (size_t i = 0; i < n_axes; i++) {
        size_t axis;
        PG_TRY(pg_op_axis(op, axes[i], rank, &axis));
        out->before[axis] = pads[i];
        out->after[axis] = pads[n_axes + i];
    }
    return NULL;
}

/* The element to pad with: an attribute before opset 11, input 2 from then on; zero when it is missing. */
static pg_status read_value(pg_op *op, pg_dtype dtype, void *element)
{
    const pg_tensor *given = op->opset >= 11 ? pg_op_in(op, 2) : NULL;
    const void *spread;
    float value;
    memset(element, 0, 16);
    if (op->opset < 11 && dtype != PG_STRING) {
        PG_TRY(pg_op_attr_f(op, "value", 0.0f, &value));
        pg_convert(PG_F32, &value, dtype, element, 1, NULL);
    }
    if (given == NULL)
        return NULL;
    if (given->dtype != dtype || pg_tensor_count(given) != 1)
        return pg_op_err(op, PG_ERR_INVALID, "constant_value must be one element of type %s",
                         pg_dtype_name(dtype));
    PG_TRY(pg_move_in(op, given, &spread));
    memcpy(element, spread, pg_move_size(dtype));
    return NULL;
}

static pg_status run_pad(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    pad_mode mode = PAD_CONSTANT;
    margins m;
    char element[16];
    PG_TRY(read_mode(op, &mode));
    PG_TRY(read_margins(op, x->rank, &m));
    if (mode != PAD_CONSTANT && x->rank > 0)
        return pad_mapped(op, x, &m, mode);
    PG_TRY(read_value(op, x->dtype, element));
    return pad_constant(op, x, &m, element);
}

/* ---- CenterCropPad ---- */

static pg_status run_center_crop_pad(pg_op *op)
{
    PG_TRY(pg_op_need(op, 2));
    const pg_tensor *x = pg_op_in(op, 0);
    int64_t sizes[PG_MAX_RANK];
    const int64_t *axes;
    size_t n, n_axes;
    margins m = {{0}, {0}};
    char zero[16] = {0};
    PG_TRY(pg_op_ints(op, 1, sizes, PG_MAX_RANK, &n));
    PG_TRY(pg_op_attr_is(op, "axes", &axes, &n_axes));
    if (n != (axes != NULL ? n_axes : x->rank))
        return pg_op_err(op, PG_ERR_INVALID, "there are %zu sizes for %zu axes", n,
                         axes != NULL ? n_axes : (size_t)x->rank);
    for (size_t i = 0; i < n; i++) {
        size_t axis;
        PG_TRY(pg_op_axis(op, axes != NULL ? axes[i] : (int64_t)i, x->rank, &axis));
        if (sizes[i] < 0)
            return pg_op_err(op, PG_ERR_INVALID, "size %zu is %lld", i, (long long)sizes[i]);
        int64_t more = sizes[i] - x->dims[axis]; /* halves are rounded towards zero on both ways */
        m.before[axis] = more / 2;
        m.after[axis] = more - more / 2;
    }
    return pad_constant(op, x, &m, zero);
}

const pg_kernel pg_kernels_pad[] = {
    {"", "CenterCropPad", 18, 0, run_center_crop_pad, NULL, NULL, 0},
    {"", "Pad", 1, 0, run_pad, NULL, NULL, 0},
    {0},
};
