#include "native/ops/nn.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "log/log.h"
#include "native/gemm.h"
#include "native/internal.h"
#include "native/onednn/onednn.h"
#include "native/ops/broadcast.h"
#include "tensor/dtype_convert.h"

/* ---- Windows ---- */

static pg_status read_list(const pg_op *op, const char *name, size_t n, int64_t lowest, int64_t missing,
                           int64_t *out)
{
    const int64_t *values;
    size_t count;
    for (size_t i = 0; i < NN_SPATIAL; i++)
        out[i] = missing;
    PG_TRY(pg_op_attr_is(op, name, &values, &count));
    if (values == NULL)
        return NULL;
    if (count != n)
        return pg_op_err(op, PG_ERR_INVALID, "attribute '%s' has %zu values, expected %zu", name, count, n);
    for (size_t i = 0; i < n; i++) {
        if (values[i] < lowest || values[i] > INT32_MAX)
            return pg_op_err(op, PG_ERR_INVALID, "attribute '%s' has the value %lld", name,
                             (long long)values[i]);
        out[NN_SPATIAL - n + i] = values[i];
    }
    return NULL;
}

static pg_status read_pads(const pg_op *op, size_t n, nn_window *w)
{
    const int64_t *pads;
    size_t count;
    PG_TRY(pg_op_attr_is(op, "pads", &pads, &count));
    if (pads == NULL)
        return NULL;
    if (count != 2 * n)
        return pg_op_err(op, PG_ERR_INVALID, "attribute 'pads' has %zu values, expected %zu", count, 2 * n);
    for (size_t i = 0; i < n; i++) {
        if (llabs(pads[i]) > INT32_MAX || llabs(pads[n + i]) > INT32_MAX)
            return pg_op_err(op, PG_ERR_INVALID, "attribute 'pads' is out of range");
        w->pad_begin[NN_SPATIAL - n + i] = pads[i];
        w->pad_end[NN_SPATIAL - n + i] = pads[n + i];
    }
    return NULL;
}

static pg_status read_auto_pad(const pg_op *op, nn_window *w)
{
    pg_str mode;
    PG_TRY(pg_op_attr_s(op, "auto_pad", "NOTSET", &mode));
    if (pg_str_is(mode, "SAME_UPPER"))
        w->auto_pad = NN_SAME_UPPER;
    else if (pg_str_is(mode, "SAME_LOWER"))
        w->auto_pad = NN_SAME_LOWER;
    else if (pg_str_is(mode, "VALID"))
        w->auto_pad = NN_VALID;
    else if (mode.len > 0 && !pg_str_is(mode, "NOTSET"))
        return pg_op_err(op, PG_ERR_INVALID, "attribute 'auto_pad' is '%" PG_STR_FMT "'", PG_STR_ARG(mode));
    return NULL;
}

pg_status nn_window_read(const pg_op *op, size_t n, const int64_t *kernel, nn_window *w)
{
    *w = (nn_window){.n = n};
    if (n < 1 || n > NN_SPATIAL)
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "%zu spatial dimensions; 1 to %d are supported", n,
                         NN_SPATIAL);
    PG_TRY(read_list(op, "kernel_shape", n, 1, kernel == NULL ? 0 : 1, w->kernel));
    const pg_attr *shape = pg_node_attr(op->node, "kernel_shape");
    for (size_t i = 0; i < n && kernel != NULL; i++) {
        int64_t *stated = &w->kernel[NN_SPATIAL - n + i];
        if (shape != NULL && shape->count == n && *stated != kernel[i])
            return pg_op_err(op, PG_ERR_INVALID,
                             "attribute 'kernel_shape' states %lld where the weights have %lld",
                             (long long)*stated, (long long)kernel[i]);
        *stated = kernel[i];
    }
    if (kernel == NULL && w->kernel[NN_SPATIAL - 1] == 0)
        return pg_op_err(op, PG_ERR_INVALID, "attribute 'kernel_shape' is missing");
    for (size_t i = 0; i < NN_SPATIAL - n; i++)
        w->kernel[i] = 1;
    PG_TRY(read_list(op, "strides", n, 1, 1, w->stride));
    PG_TRY(read_list(op, "dilations", n, 1, 1, w->dilation));
    PG_TRY(read_auto_pad(op, w));
    if (w->auto_pad == NN_PADS_GIVEN)
        PG_TRY(read_pads(op, n, w));
    int64_t ceil_mode;
    PG_TRY(pg_op_attr_i(op, "ceil_mode", 0, &ceil_mode));
    w->ceil_mode = ceil_mode != 0;
    return NULL;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

pg_status nn_window_apply(const pg_op *op, nn_window *w, const int64_t *in, int64_t *out)
{
    for (size_t i = 0; i < NN_SPATIAL; i++) {
        const int64_t reach = (w->kernel[i] - 1) * w->dilation[i] + 1, stride = w->stride[i];
        if (w->auto_pad == NN_SAME_UPPER || w->auto_pad == NN_SAME_LOWER) {
            out[i] = (in[i] + stride - 1) / stride;
            int64_t total = PG_MAX((int64_t)0, (out[i] - 1) * stride + reach - in[i]);
            w->pad_begin[i] = w->auto_pad == NN_SAME_UPPER ? total / 2 : (total + 1) / 2;
            w->pad_end[i] = total - w->pad_begin[i];
            continue;
        }
        const int64_t room = in[i] + w->pad_begin[i] + w->pad_end[i] - reach;
        out[i] = (w->ceil_mode ? -floor_div(-room, stride) : floor_div(room, stride)) + 1;
        /* The last window must begin inside the input or the padding before it. */
        if (w->ceil_mode && (out[i] - 1) * stride >= in[i] + w->pad_begin[i])
            out[i]--;
        if (in[i] == 0)
            out[i] = PG_MAX(out[i], (int64_t)0);
        if (out[i] < 0)
            return pg_op_err(op, PG_ERR_INVALID,
                             "a window of %lld does not fit an input of %lld with padding %lld and %lld",
                             (long long)reach, (long long)in[i], (long long)w->pad_begin[i],
                             (long long)w->pad_end[i]);
    }
    return NULL;
}

void nn_spatial(const pg_tensor *tensor, int64_t *out)
{
    const size_t n = tensor->rank - 2u;
    for (size_t i = 0; i < NN_SPATIAL; i++)
        out[i] = i + n >= NN_SPATIAL ? tensor->dims[2 + i + n - NN_SPATIAL] : 1;
}

size_t nn_dims(int64_t batch, int64_t channels, size_t n, const int64_t *spatial, int64_t *out)
{
    out[0] = batch;
    out[1] = channels;
    memcpy(out + 2, spatial + NN_SPATIAL - n, n * sizeof *out);
    return n + 2;
}

/* ---- Layouts and types ---- */

pg_status nn_layout(pg_op *op, size_t i, pg_layout layout, const pg_tensor **out)
{
    PG_TRY(pg_layout_convert(op->session, &op->in[i]->tensor, layout));
    *out = &op->in[i]->tensor;
    return NULL;
}

pg_status nn_out_channels_last(pg_op *op, size_t i, pg_dtype dtype, size_t rank, const int64_t *dims,
                               pg_tensor **out)
{
    PG_TRY(pg_op_out(op, i, dtype, rank, dims, out));
    (*out)->layout = PG_CHANNELS_LAST;
    return NULL;
}

static pg_status converted_to(pg_op *op, const pg_tensor *t, pg_dtype dtype, pg_tensor *room)
{
    const pg_tensor from = *t;
    *room = from;
    room->dtype = dtype;
    PG_TRY(pg_op_scratch(op, (pg_tensor_count(t) + 1) * (pg_dtype_get(dtype)->bits / 8u), &room->data));
    pg_halves_convert(&from, room);
    return NULL;
}

pg_status nn_as(pg_op *op, const pg_tensor *t, pg_dtype dtype, pg_tensor *room, const pg_tensor **out)
{
    *out = t;
    if (t->dtype == dtype)
        return NULL;
    if (nn_is_half(t->dtype) && nn_is_half(dtype)) {
        PG_TRY(converted_to(op, t, PG_F32, room));
        t = room;
    }
    PG_TRY(converted_to(op, t, dtype, room));
    *out = room;
    return NULL;
}

static pg_status converted(pg_op *op, size_t i, pg_dtype to, const void **out)
{
    const pg_tensor *tensor = pg_op_in(op, i);
    *out = NULL;
    if (tensor == NULL)
        return NULL;
    *out = tensor->data;
    if (tensor->dtype == to)
        return NULL;
    if (tensor->dtype == PG_STRING || pg_dtype_kind_of(tensor->dtype) == PG_KIND_COMPLEX)
        return pg_op_bad_type(op, i);
    const uint64_t count = pg_tensor_count(tensor);
    void *values;
    PG_TRY(pg_op_scratch(op, (count + 1) * (to == PG_F64 ? 8 : 4), &values));
    pg_convert(tensor->dtype, tensor->data, to, values, count, NULL);
    *out = values;
    return NULL;
}

pg_status nn_f64(pg_op *op, size_t i, const double **out)
{
    const void *values;
    PG_TRY(converted(op, i, PG_F64, &values));
    *out = values;
    return NULL;
}

pg_status nn_f32(pg_op *op, size_t i, const float **out)
{
    const void *values;
    PG_TRY(converted(op, i, PG_F32, &values));
    *out = values;
    return NULL;
}

pg_status nn_f64_out(pg_op *op, size_t i, pg_dtype dtype, size_t rank, const int64_t *dims, nn_result *out)
{
    PG_TRY(pg_op_out(op, i, dtype, rank, dims, &out->tensor));
    out->values = out->tensor->data;
    if (dtype == PG_F64)
        return NULL;
    void *values;
    PG_TRY(pg_op_scratch(op, (pg_tensor_count(out->tensor) + 1) * sizeof(double), &values));
    out->values = values;
    return NULL;
}

void nn_f64_done(const nn_result *result)
{
    if (result->values != result->tensor->data)
        pg_convert(PG_F64, result->values, result->tensor->dtype, result->tensor->data,
                   pg_tensor_count(result->tensor), NULL);
}

pg_status nn_need_floats(const pg_op *op, size_t count)
{
    PG_TRY(pg_op_need(op, count));
    for (size_t i = 0; i < count; i++)
        if (!nn_is_float(pg_op_in(op, i)->dtype) || pg_op_in(op, i)->dtype != pg_op_in(op, 0)->dtype)
            return pg_op_bad_type(op, i);
    return NULL;
}

pg_status nn_need_product(const pg_op *op)
{
    PG_TRY(pg_op_need(op, 2));
    const pg_dtype sums = nn_sum_type(pg_op_in(op, 0)->dtype);
    if (!nn_is_float(sums))
        return pg_op_bad_type(op, 0);
    return pg_op_in(op, 1)->dtype == sums ? NULL : pg_op_bad_type(op, 1);
}

/* ---- Activations ---- */

static const struct {
    const char *name;
    pg_act_kind kind;
    float alpha, beta; /* when the node states none */
} activations[] = {
    {"Relu", PG_ACT_RELU, 0, 0},           {"Clip", PG_ACT_CLIP, -__FLT_MAX__, __FLT_MAX__},
    {"LeakyRelu", PG_ACT_LEAKY, 0.01f, 0}, {"HardSigmoid", PG_ACT_HARDSIGMOID, 0.2f, 0.5f},
    {"HardSwish", PG_ACT_HARDSWISH, 0, 0}, {"Sigmoid", PG_ACT_SIGMOID, 0, 0},
    {"Silu", PG_ACT_SILU, 1, 0},           {"Tanh", PG_ACT_TANH, 0, 0},
    {"Gelu", PG_ACT_GELU, 0, 0},           {"GeluTanh", PG_ACT_GELU_TANH, 0, 0},
    {"PRelu", PG_ACT_PRELU, 0, 0},         {"Mish", PG_ACT_MISH, 0, 0},
};

static pg_status read_post_scaling(const pg_op *op, pg_act *out)
{
    PG_TRY(pg_op_attr_f(op, "activation_scale", 1, &out->scale));
    PG_TRY(pg_op_attr_f(op, "activation_shift", 0, &out->shift));
    out->affine = out->scale != 1 || out->shift != 0;
    return NULL;
}

pg_status nn_activation(const pg_op *op, pg_act *out)
{
    pg_str name;
    const float *params;
    size_t n_params;
    *out = pg_act_none();
    PG_TRY(pg_op_attr_s(op, "activation", "", &name));
    PG_TRY(read_post_scaling(op, out));
    if (name.len == 0)
        return NULL;
    for (size_t i = 0; i < PG_COUNT(activations); i++) {
        if (!pg_str_is(name, activations[i].name))
            continue;
        out->kind = activations[i].kind;
        out->alpha = activations[i].alpha;
        out->beta = activations[i].beta;
        PG_TRY(pg_op_attr_fs(op, "activation_params", &params, &n_params));
        if (n_params > 0)
            out->alpha = params[0];
        if (n_params > 1)
            out->beta = params[1];
        PG_TRY(pg_op_attr_f(op, "activation_alpha", out->alpha, &out->alpha));
        return pg_op_attr_f(op, "activation_beta", out->beta, &out->beta);
    }
    return pg_op_err(op, PG_ERR_UNSUPPORTED, "activation '%" PG_STR_FMT "' is not known", PG_STR_ARG(name));
}

/* ---- Addends of any shape ---- */

typedef struct broadcast_add {
    size_t rank;
    int64_t dims[PG_MAX_RANK], a_step[PG_MAX_RANK], b_step[PG_MAX_RANK];
} broadcast_add;

static void add_elements(const broadcast_add *s, pg_dtype dtype, const void *a, const void *b, void *y)
{
    uint64_t count;
    if (!pg_dims_count(s->rank, s->dims, &count))
        return;
    for (uint64_t e = 0; e < count; e++) {
        uint64_t rest = e;
        int64_t i = 0, j = 0;
        for (size_t d = s->rank; d-- > 0;) {
            const int64_t at = (int64_t)(rest % (uint64_t)s->dims[d]);
            rest /= (uint64_t)s->dims[d];
            i += at * s->a_step[d];
            j += at * s->b_step[d];
        }
        if (dtype == PG_F64)
            ((double *)y)[e] = ((const double *)a)[i] + ((const double *)b)[j];
        else
            ((float *)y)[e] = ((const float *)a)[i] + ((const float *)b)[j];
    }
}

pg_status nn_add_broadcast(pg_op *op, size_t from, size_t i, pg_act act)
{
    pg_tensor *sum = &op->frame->extra[from].tensor, *y;
    const pg_tensor *add;
    broadcast_add s;
    pg_tensor wide;
    if (nn_sum_type(pg_op_in(op, i)->dtype) != sum->dtype)
        return pg_op_bad_type(op, i);
    PG_TRY(pg_layout_convert(op->session, sum, PG_ROW_MAJOR));
    PG_TRY(nn_layout(op, i, PG_ROW_MAJOR, &add));
    PG_TRY(nn_as(op, add, sum->dtype, &wide, &add));
    PG_TRY(pg_op_broadcast(op, sum, add, &s.rank, s.dims));
    PG_TRY(pg_op_out(op, 0, sum->dtype, s.rank, s.dims, &y));
    pg_broadcast_steps(s.rank, sum->rank, sum->dims, s.a_step);
    pg_broadcast_steps(s.rank, add->rank, add->dims, s.b_step);
    add_elements(&s, y->dtype, sum->data, add->data, y->data);
    pg_act_apply(y->dtype, act, y->data, y->data, pg_tensor_count(y));
    return NULL;
}

/* ---- Memory ---- */

void *nn_alloc(uint64_t bytes)
{
    if (bytes > PTRDIFF_MAX - 64)
        return NULL;
    return aligned_alloc(64, (size_t)((bytes + 64) / 64 * 64));
}

bool nn_product(uint64_t *bytes, size_t n, const uint64_t *factors)
{
    *bytes = 1;
    for (size_t i = 0; i < n; i++)
        if (pg_mul_overflow(*bytes, factors[i], bytes))
            return false;
    return true;
}

bool nn_may_use_onednn(const pg_op *op)
{
    const pg_native_options *options = &op->session->options;
    if (options->no_onednn || options->float64)
        return false;
    pg_onednn_configure(options->onednn, false);
    return pg_onednn_available();
}

bool nn_use_onednn(const pg_op *op)
{
    const pg_native_options *options = &op->session->options;
    if (options->no_onednn || options->float64)
        return false;
    if (pg_threads() > 1) { /* its own threads beside the pool's were measured slower than ours alone */
        if (options->onednn != NULL)
            PG_LOG_ONCE(PG_WARNING,
                        "oneDNN is used with one thread only: '%s' has no effect without --threads 1",
                        options->onednn);
        return false;
    }
    return nn_may_use_onednn(op);
}
