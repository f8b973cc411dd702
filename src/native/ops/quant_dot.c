#include "native/ops/quant_dot.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/threads.h"

pg_status quant_scalar(pg_op *op, uint8_t role, float *out)
{
    const pg_tensor *t = quant_in(op, role);
    const float *scale;
    if (t == NULL || !pg_dtype_is_float(t->dtype) || pg_tensor_count(t) != 1)
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "input %d is not one scale", role);
    PG_TRY(nn_f32(op, role, &scale));
    *out = *scale;
    return NULL;
}

pg_status quant_packed_zeros(pg_op *op, const quant_roles *roles, size_t columns, int32_t **out)
{
    size_t count;
    int32_t *given;
    void *memory;
    bool any = false;
    *out = NULL;
    const int32_t shift = quant_in(op, roles->b)->dtype == PG_U8 ? 128 : 0;
    PG_TRY(quant_zeros(op, roles->b_zero, &given, &count));
    if (count != 1 && count != columns)
        return pg_op_err(op, PG_ERR_INVALID, "input %d has %zu zero points for %zu columns", roles->b_zero,
                         count, columns);
    PG_TRY(pg_op_scratch(op, pg_gemm_whole_columns(columns) * sizeof(int32_t), &memory));
    int32_t *zeros = memory;
    memset(zeros, 0, pg_gemm_whole_columns(columns) * sizeof *zeros);
    for (size_t j = 0; j < columns; j++) {
        zeros[j] = given[count == 1 ? 0 : j] - shift;
        any |= zeros[j] != 0;
    }
    *out = any ? zeros : NULL;
    return NULL;
}

pg_status quant_packed_begin(pg_op *op, const quant_roles *roles, uint64_t bytes, size_t columns,
                             quant_packed *out, bool *fresh)
{
    const uint64_t codes = (bytes + 63) / 64 * 64;
    int32_t *zeros;
    void *room;
    *out = (quant_packed){0};
    PG_TRY(quant_packed_zeros(op, roles, columns, &zeros));
    PG_TRY(packed_begin(op, "codes", 1u << roles->b, codes + columns * sizeof(int32_t), PACKED_AT_ONCE,
                        &out->kept));
    *fresh = false;
    if (out->kept.state == PACKED_STORED) /* checked when it is first read */
        room = out->kept.memory;
    else
        PG_TRY(packed_room(op, &out->kept, &room, fresh));
    out->data = room;
    out->sums = (int32_t *)((char *)room + codes);
    if (*fresh)
        memset(out->sums, 0, columns * sizeof(int32_t));
    if (zeros != NULL) {
        out->zeros = pg_calloc(pg_gemm_whole_columns(columns), sizeof *zeros);
        memcpy(out->zeros, zeros, pg_gemm_whole_columns(columns) * sizeof *zeros);
    }
    return NULL;
}

pg_status quant_packed_ready(const pg_op *op, quant_packed *packed)
{
    bool fresh;
    void *room;
    return packed_room(op, &packed->kept, &room, &fresh);
}

void quant_packed_deinit(quant_packed *packed)
{
    packed_free(&packed->kept);
    free(packed->zeros);
}

pg_status quant_terms(const pg_op *op, const quant_roles *roles, const quant_packed *b, size_t columns,
                      size_t k, int32_t zero_a, int32_t *terms)
{
    pg_gemm_code_terms(columns, k, zero_a, b->sums, b->zeros, terms);
    const pg_tensor *bias = quant_in(op, roles->bias);
    if (bias == NULL)
        return NULL;
    if (bias->dtype != PG_I32 || pg_tensor_count(bias) != columns)
        return pg_op_err(op, PG_ERR_INVALID, "the bias does not have %zu elements of int32", columns);
    for (size_t j = 0; j < columns; j++)
        terms[j] = (int32_t)((uint32_t)terms[j] + (uint32_t)((const int32_t *)bias->data)[j]);
    return NULL;
}

/* ---- Activations ---- */

static bool is_leaky(pg_act act)
{
    return (act.kind == PG_ACT_LEAKY || act.kind == PG_ACT_PRELU) && !act.affine;
}

pg_dtype quant_tile_type(pg_dtype dtype, pg_act act)
{
    const bool clips =
        !act.affine && (act.kind == PG_ACT_NONE || act.kind == PG_ACT_RELU || act.kind == PG_ACT_CLIP);
    const bool in_tile = clips || is_leaky(act) || act.kind == PG_ACT_HARDSWISH;
    return quant_is_8bit(dtype) && !in_tile ? PG_F32 : dtype;
}

typedef struct store_job {
    pg_act act;
    pg_codes codes;
    float lo, hi;
    float *x;
    uint8_t *y; /* NULL: float32 */
} store_job;

static void store_range(void *context, size_t begin, size_t end)
{
    enum { STRIP = 1024 };
    const store_job *job = context;
    for (size_t i = begin; i < end; i += STRIP) {
        const size_t count = PG_MIN(end - i, (size_t)STRIP);
        if (pg_act_is_set(job->act))
            pg_act_apply(PG_F32, job->act, job->x + i, job->x + i, count);
        if (job->y != NULL)
            pg_simd_best()->quantize_f32(job->x + i, job->codes, job->lo, job->hi, job->y + i, count);
    }
}

pg_status quant_store(pg_op *op, const quant_roles *roles, float *x, size_t count, pg_act act, pg_dtype dtype,
                      void *y)
{
    enum { GRAIN = 16384 };
    store_job job = {.act = act, .x = x};
    float scale;
    int32_t *zero;
    size_t n_zeros;
    if (quant_is_8bit(dtype)) {
        PG_TRY(quant_scalar(op, roles->y_scale, &scale));
        PG_TRY(quant_zeros(op, roles->y_zero, &zero, &n_zeros));
        if (n_zeros != 1)
            return pg_op_err(op, PG_ERR_UNSUPPORTED, "input %d must be one zero point", roles->y_zero);
        job.codes = quant_codes(dtype, scale, *zero);
        quant_range(dtype, &job.lo, &job.hi);
        job.lo -= (float)*zero;
        job.hi -= (float)*zero;
        job.y = y;
    }
    if (job.y != NULL || pg_act_is_set(act))
        pg_parallel_for(count, GRAIN, store_range, &job);
    return NULL;
}

/* What tiles do of the activation; y_scale is 1 for results of float32. */
static pg_status tile_act(pg_op *op, const quant_roles *roles, size_t columns, pg_act act, float y_scale,
                          pg_i8_result *out)
{
    if (act.kind == PG_ACT_HARDSWISH) {
        out->swish = true;
        out->act_scale = (act.affine ? act.scale : 1) / y_scale;
        out->act_shift = (act.affine ? act.shift : 0) / y_scale;
        return NULL;
    }
    if (!is_leaky(act))
        return NULL;
    const pg_tensor *given = quant_in(op, roles->slopes);
    void *memory;
    if (act.kind == PG_ACT_PRELU &&
        (given == NULL || given->dtype != PG_F32 || pg_tensor_count(given) != columns))
        return pg_op_err(op, PG_ERR_INVALID, "the slopes are not %zu elements of float32", columns);
    PG_TRY(pg_op_scratch(op, pg_gemm_whole_columns(columns) * sizeof(float), &memory));
    float *slopes = memory;
    memset(slopes, 0, pg_gemm_whole_columns(columns) * sizeof *slopes);
    for (size_t j = 0; j < columns; j++)
        slopes[j] = act.kind == PG_ACT_PRELU ? ((const float *)given->data)[j] : act.alpha;
    out->slopes = slopes;
    return NULL;
}

/* ---- Results ---- */

/* scale[j] and, where there is a bias of float32, shift[j]. */
static pg_status scales(pg_op *op, const quant_roles *roles, size_t columns, float y_scale, pg_i8_result *out)
{
    const pg_tensor *b = quant_in(op, roles->b_scale), *shift = quant_in(op, roles->shift);
    const size_t count = b != NULL ? (size_t)pg_tensor_count(b) : 0, room = pg_gemm_whole_columns(columns);
    float a_scale, alpha;
    const float *b_scale;
    void *memory;
    PG_TRY(quant_scalar(op, roles->a_scale, &a_scale));
    PG_TRY(pg_op_attr_f(op, "alpha", 1, &alpha));
    if (b == NULL || !pg_dtype_is_float(b->dtype) || (count != 1 && count != columns))
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "input %d is neither one scale nor one per column",
                         roles->b_scale);
    if (shift != NULL && (shift->dtype != PG_F32 || pg_tensor_count(shift) != columns))
        return pg_op_err(op, PG_ERR_INVALID, "the bias does not have %zu elements of float32", columns);
    PG_TRY(nn_f32(op, roles->b_scale, &b_scale));
    PG_TRY(pg_op_scratch(op, 2 * room * sizeof(float), &memory));
    float *scale = memory, *shifts = scale + room;
    memset(scale, 0, 2 * room * sizeof(float));
    for (size_t j = 0; j < columns; j++) {
        scale[j] = alpha * a_scale * b_scale[count == 1 ? 0 : j] / y_scale;
        if (shift != NULL)
            shifts[j] = ((const float *)shift->data)[j] / y_scale;
    }
    out->scale = scale;
    out->shift = shift != NULL ? shifts : NULL;
    return NULL;
}

/* Bounds of codes, counted from the zero point; Relu and Clip only narrow them, for rounding keeps order. */
static void code_bounds(pg_dtype dtype, pg_act act, float y_scale, pg_i8_result *out)
{
    float lo, hi;
    double act_lo, act_hi;
    quant_range(dtype, &lo, &hi);
    (void)pg_act_split(act, &act_lo, &act_hi);
    out->lo = lo - (float)out->zero;
    out->hi = hi - (float)out->zero;
    const float from = rintf((float)act_lo / y_scale), to = rintf((float)act_hi / y_scale);
    if (from > out->lo)
        out->lo = fminf(from, out->hi);
    if (to < out->hi)
        out->hi = fmaxf(to, out->lo);
}

pg_status quant_result_type(const pg_op *op, const quant_roles *roles, pg_dtype *out)
{
    const pg_tensor *zero = quant_in(op, roles->y_zero);
    *out = roles->a_scale == QUANT_NONE           ? PG_I32
           : quant_in(op, roles->y_scale) == NULL ? PG_F32
           : zero != NULL                         ? zero->dtype
                                                  : PG_U8;
    if (*out != PG_I32 && *out != PG_F32 && !quant_is_8bit(*out))
        return pg_op_bad_type(op, roles->y_zero);
    return NULL;
}

pg_status quant_result(pg_op *op, const quant_roles *roles, const quant_packed *b, size_t columns, size_t k,
                       pg_dtype dtype, pg_act act, pg_i8_result *out, pg_act *rest, uint8_t *pad)
{
    const bool a_signed = quant_in(op, roles->a)->dtype == PG_I8;
    int32_t *zero;
    size_t count;
    void *memory;
    float y_scale = 1;
    double lo, hi;
    *out = (pg_i8_result){.dtype = dtype, .flip = a_signed ? 0x80808080u : 0, .zeros = b->zeros};
    const bool in_tile = dtype != PG_I32 && (is_leaky(act) || act.kind == PG_ACT_HARDSWISH);
    *rest = in_tile ? pg_act_none() : act;
    *rest = pg_act_split(*rest, &lo, &hi);
    PG_TRY(quant_zeros(op, roles->a_zero, &zero, &count));
    if (count != 1)
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "input %d must be one zero point", roles->a_zero);
    *pad = (uint8_t)zero[0];
    PG_TRY(pg_op_scratch(op, pg_gemm_whole_columns(columns) * sizeof(int32_t), &memory));
    int32_t *terms = memory;
    memset(terms, 0, pg_gemm_whole_columns(columns) * sizeof *terms);
    PG_TRY(quant_terms(op, roles, b, columns, k, zero[0] + (a_signed ? 128 : 0), terms));
    out->terms = terms;
    if (dtype == PG_I32)
        return NULL;
    if (dtype == PG_F32) {
        out->lo = (float)lo;
        out->hi = (float)hi;
    } else {
        PG_TRY(quant_scalar(op, roles->y_scale, &y_scale));
        PG_TRY(quant_zeros(op, roles->y_zero, &zero, &count));
        if (count != 1)
            return pg_op_err(op, PG_ERR_UNSUPPORTED, "input %d must be one zero point", roles->y_zero);
        out->zero = zero[0];
        code_bounds(dtype, in_tile ? pg_act_none() : act, y_scale, out);
    }
    PG_TRY(tile_act(op, roles, columns, act, y_scale, out));
    return scales(op, roles, columns, out->swish ? 1 : y_scale, out);
}
