/* Rules of convolutions, pools, products, normalisations, recurrences and resizing. */
#include "shapes/internal.h"

#include <math.h>

/* ---- Sliding windows ---- */

typedef struct window {
    uint32_t n_spatial;
    int64_t kernel[16], strides[16], dilations[16], pads[32];
    pg_str auto_pad;
    bool ceil_mode;
} window;

static void fill(const pg_infer *c, const char *name, int64_t *out, size_t count, int64_t missing)
{
    const int64_t *attr;
    size_t n = 0;
    bool given = pg_ints_attr(c, name, &attr, &n);
    for (size_t i = 0; i < count; i++)
        out[i] = given && i < n ? attr[i] : missing;
}

static void read_window(pg_infer *c, uint32_t n_spatial, window *out)
{
    out->n_spatial = n_spatial;
    fill(c, "kernel_shape", out->kernel, n_spatial, -1);
    fill(c, "strides", out->strides, n_spatial, 1);
    fill(c, "dilations", out->dilations, n_spatial, 1);
    fill(c, "pads", out->pads, 2 * (size_t)n_spatial, 0);
    out->auto_pad = pg_str_attr(c, "auto_pad", "NOTSET");
    out->ceil_mode = pg_int_attr(c, "ceil_mode", 0) != 0;
}

static bool is_same(pg_str auto_pad)
{
    return pg_str_is(auto_pad, "SAME_UPPER") || pg_str_is(auto_pad, "SAME_LOWER");
}

/* Output length of one spatial dimension. */
static pg_dim window_dim(const window *w, uint32_t i, pg_dim in)
{
    if (!pg_dim_known(in) || w->kernel[i] <= 0 || w->strides[i] <= 0)
        return (pg_dim){0};
    int64_t size = in.value, stride = w->strides[i], span = (w->kernel[i] - 1) * w->dilations[i] + 1;
    if (is_same(w->auto_pad))
        return pg_dim_of((size + stride - 1) / stride);
    int64_t padding = pg_str_is(w->auto_pad, "VALID") ? 0 : w->pads[i] + w->pads[w->n_spatial + i];
    int64_t room = size + padding - span;
    if (room < 0)
        return (pg_dim){0}; /* 0, 1 or an error, by the stride */
    int64_t count = (w->ceil_mode ? (room + stride - 1) / stride : room / stride) + 1;
    if (w->ceil_mode && (count - 1) * stride >= size + w->pads[i])
        count--; /* a window that starts in the end padding is left out */
    return pg_dim_of(count);
}

/* Dims N, C, spatial... with windows over the input's spatial dims. */
static pg_status set_windows(pg_infer *c, size_t o, pg_dtype elem, pg_dim channels, const window *w)
{
    const pg_type *in = &pg_in(c, 0)->type;
    pg_dim *dims = pg_new_dims(c, in->rank);
    dims[0] = in->dims[0];
    dims[1] = channels;
    for (uint32_t i = 0; i < w->n_spatial; i++)
        dims[2 + i] = window_dim(w, i, in->dims[2 + i]);
    pg_set_tensor(c, o, elem, in->rank, dims);
    return NULL;
}

static pg_status conv_from(pg_infer *c, size_t weight_input, pg_dtype elem)
{
    uint32_t rank, weight_rank;
    const pg_dim *in, *weight;
    pg_set_elem(c, 0, elem);
    if (!pg_get_shape(pg_in(c, 0), &rank, &in) || rank < 2 || rank > 18)
        return NULL;
    window w;
    read_window(c, rank - 2, &w);
    pg_dim channels = {0};
    if (pg_get_shape(pg_in(c, weight_input), &weight_rank, &weight)) {
        if (weight_rank != rank)
            return pg_infer_err(c, "the input has rank %u and the weight %u", rank, weight_rank);
        channels = weight[0];
        for (uint32_t i = 0; i < rank - 2; i++)
            if (w.kernel[i] < 0 && pg_dim_known(weight[2 + i]))
                w.kernel[i] = weight[2 + i].value;
    }
    return set_windows(c, 0, elem, channels, &w);
}

static pg_status conv(pg_infer *c)
{
    return conv_from(c, 1, pg_elem(c, 0));
}
static pg_status conv_integer(pg_infer *c)
{
    return conv_from(c, 1, PG_I32);
}
static pg_status qlinear_conv(pg_infer *c)
{
    return conv_from(c, 3, pg_elem(c, 7) != PG_UNDEFINED ? pg_elem(c, 7) : PG_U8);
}

static pg_status conv_transpose(pg_infer *c)
{
    uint32_t rank, weight_rank;
    const pg_dim *in, *weight;
    const int64_t *shape;
    size_t n_shape = 0;
    int64_t extra[16];
    pg_set_elem(c, 0, pg_elem(c, 0));
    if (!pg_get_shape(pg_in(c, 0), &rank, &in) || !pg_get_shape(pg_in(c, 1), &weight_rank, &weight) ||
        rank != weight_rank || rank < 2 || rank > 18)
        return NULL;
    window w;
    read_window(c, rank - 2, &w);
    fill(c, "output_padding", extra, rank - 2, 0);
    bool given = pg_ints_attr(c, "output_shape", &shape, &n_shape);
    pg_dim *dims = pg_new_dims(c, rank);
    dims[0] = in[0];
    if (pg_dim_known(weight[1]))
        dims[1] = pg_dim_of(weight[1].value * pg_int_attr(c, "group", 1));
    for (uint32_t i = 0; i < rank - 2; i++) {
        int64_t kernel = w.kernel[i] >= 0              ? w.kernel[i]
                         : pg_dim_known(weight[2 + i]) ? weight[2 + i].value
                                                       : -1;
        if (given && n_shape >= rank - 2) {
            dims[2 + i] = pg_dim_of(shape[n_shape - (rank - 2) + i]);
        } else if (pg_dim_known(in[2 + i]) && kernel > 0) {
            int64_t full =
                w.strides[i] * (in[2 + i].value - 1) + extra[i] + (kernel - 1) * w.dilations[i] + 1;
            dims[2 + i] = is_same(w.auto_pad) ? pg_dim_of(in[2 + i].value * w.strides[i])
                                              : pg_dim_of(full - w.pads[i] - w.pads[rank - 2 + i]);
        }
    }
    pg_set_tensor(c, 0, pg_elem(c, 0), rank, dims);
    return NULL;
}

static pg_status pool(pg_infer *c)
{
    uint32_t rank;
    const pg_dim *in;
    pg_set_elem(c, 0, pg_elem(c, 0));
    pg_set_elem(c, 1, PG_I64);
    if (!pg_get_shape(pg_in(c, 0), &rank, &in) || rank < 2 || rank > 18)
        return NULL;
    window w;
    read_window(c, rank - 2, &w);
    PG_TRY(set_windows(c, 0, pg_elem(c, 0), in[1], &w));
    return set_windows(c, 1, PG_I64, in[1], &w);
}

static pg_status global_pool(pg_infer *c)
{
    uint32_t rank;
    const pg_dim *in;
    pg_set_elem(c, 0, pg_elem(c, 0));
    if (!pg_get_shape(pg_in(c, 0), &rank, &in))
        return NULL;
    pg_dim *dims = pg_new_dims(c, rank);
    for (uint32_t d = 0; d < rank; d++)
        dims[d] = d < 2 ? in[d] : pg_dim_of(1);
    pg_set_tensor(c, 0, pg_elem(c, 0), rank, dims);
    return NULL;
}

/* ---- Products ---- */

static pg_status matmul_of(pg_infer *c, size_t left, size_t right, pg_dtype elem)
{
    uint32_t ra, rb;
    const pg_dim *a, *b;
    pg_set_elem(c, 0, elem);
    if (!pg_get_shape(pg_in(c, left), &ra, &a) || !pg_get_shape(pg_in(c, right), &rb, &b) || ra == 0 ||
        rb == 0)
        return NULL;
    pg_dim k0 = a[ra - 1], k1 = b[rb == 1 ? 0 : rb - 2];
    if (pg_dim_known(k0) && pg_dim_known(k1) && k0.value != k1.value)
        return pg_infer_err(c, "inner dimensions %lld and %lld differ", (long long)k0.value,
                            (long long)k1.value);
    uint32_t batch_a = ra > 2 ? ra - 2 : 0, batch_b = rb > 2 ? rb - 2 : 0;
    pg_fact fa = {.type = {.kind = PG_TYPE_TENSOR, .has_shape = true, .rank = batch_a, .dims = a}};
    pg_fact fb = {.type = {.kind = PG_TYPE_TENSOR, .has_shape = true, .rank = batch_b, .dims = b}};
    const pg_fact *both[2] = {&fa, &fb}, **saved = c->in;
    bool known;
    uint32_t rank;
    pg_dim *batch;
    c->in = both;
    size_t n_in = c->n_in;
    c->n_in = 2;
    pg_status status = pg_infer_broadcast(c, 0, 2, &known, &rank, &batch);
    c->in = saved;
    c->n_in = n_in;
    PG_TRY(status);
    pg_dim *dims = pg_new_dims(c, rank + 2);
    uint32_t n = 0;
    for (; n < rank; n++)
        dims[n] = batch[n];
    if (ra > 1)
        dims[n++] = a[ra - 2];
    if (rb > 1)
        dims[n++] = b[rb - 1];
    pg_set_tensor(c, 0, elem, n, dims);
    return NULL;
}

static pg_status matmul(pg_infer *c)
{
    return matmul_of(c, 0, 1, pg_elem(c, 0));
}
static pg_status matmul_integer(pg_infer *c)
{
    return matmul_of(c, 0, 1, PG_I32);
}
static pg_status qlinear_matmul(pg_infer *c)
{
    return matmul_of(c, 0, 3, pg_elem(c, 7) != PG_UNDEFINED ? pg_elem(c, 7) : PG_U8);
}

static pg_status gemm(pg_infer *c)
{
    uint32_t ra, rb;
    const pg_dim *a, *b;
    pg_set_elem(c, 0, pg_elem(c, 0));
    if (!pg_get_shape(pg_in(c, 0), &ra, &a) || !pg_get_shape(pg_in(c, 1), &rb, &b))
        return NULL;
    if (ra != 2 || rb != 2)
        return pg_infer_err(c, "operands of rank %u and %u, expected 2 and 2", ra, rb);
    bool ta = pg_int_attr(c, "transA", 0) != 0, tb = pg_int_attr(c, "transB", 0) != 0;
    pg_dim *dims = pg_new_dims(c, 2);
    dims[0] = a[ta];
    dims[1] = b[!tb];
    pg_dim k0 = a[!ta], k1 = b[tb];
    if (pg_dim_known(k0) && pg_dim_known(k1) && k0.value != k1.value)
        return pg_infer_err(c, "inner dimensions %lld and %lld differ", (long long)k0.value,
                            (long long)k1.value);
    pg_set_tensor(c, 0, pg_elem(c, 0), 2, dims);
    return NULL;
}

/* ---- Normalisation and recurrence ---- */

static pg_status batch_norm(pg_infer *c)
{
    pg_set_like(c, 0, 0);
    for (size_t o = 1; o < c->n_out; o++)
        pg_set_like(c, o, o < 3 ? o + 2 : o);
    return NULL;
}

/* Mean and inverse deviation keep the shape with 1 from `axis` on. */
static pg_status layer_norm(pg_infer *c)
{
    uint32_t rank, axis;
    const pg_dim *in;
    pg_set_like(c, 0, 0);
    pg_dtype stash = (pg_dtype)pg_int_attr(c, "stash_type", PG_F32);
    if (!pg_get_shape(pg_in(c, 0), &rank, &in))
        return NULL;
    PG_TRY(pg_norm_axis(c, pg_int_attr(c, "axis", -1), rank, &axis));
    pg_dim *dims = pg_new_dims(c, rank);
    for (uint32_t d = 0; d < rank; d++)
        dims[d] = d < axis ? in[d] : pg_dim_of(1);
    pg_set_tensor(c, 1, stash, rank, dims);
    pg_set_tensor(c, 2, stash, rank, dims);
    return NULL;
}

static pg_status recurrence(pg_infer *c)
{
    uint32_t rank;
    const pg_dim *in;
    pg_dtype elem = pg_elem(c, 0);
    int64_t hidden = pg_int_attr(c, "hidden_size", -1);
    bool batch_first = pg_int_attr(c, "layout", 0) != 0;
    pg_dim *sequence = pg_new_dims(c, 4), *state = pg_new_dims(c, 3), length = {0}, batch = {0};
    pg_dim directions = pg_dim_of(pg_str_is(pg_str_attr(c, "direction", "forward"), "bidirectional") ? 2 : 1);
    if (pg_get_shape(pg_in(c, 0), &rank, &in) && rank == 3) {
        length = in[batch_first ? 1 : 0];
        batch = in[batch_first ? 0 : 1];
    }
    pg_dim size = hidden > 0 ? pg_dim_of(hidden) : (pg_dim){0};
    const pg_dim by_time[4] = {length, directions, batch, size},
                 by_batch[4] = {batch, length, directions, size};
    for (int d = 0; d < 4; d++)
        sequence[d] = batch_first ? by_batch[d] : by_time[d];
    state[0] = batch_first ? batch : directions;
    state[1] = batch_first ? directions : batch;
    state[2] = size;
    pg_set_tensor(c, 0, elem, 4, sequence);
    pg_set_tensor(c, 1, elem, 3, state);
    pg_set_tensor(c, 2, elem, 3, state);
    return NULL;
}

/* ---- Resizing ---- */

/* Scales from the attribute (Upsample 7) or from a constant input. */
static bool get_scales(const pg_infer *c, const float **out, size_t *count)
{
    const pg_attr *attr = pg_node_attr(c->node, "scales");
    if (attr != NULL && attr->type == PG_ATTR_FLOATS) {
        *out = attr->floats;
        *count = attr->count;
        return true;
    }
    const pg_fact *scales = pg_in(c, pg_str_is(c->node->op_type, "Resize") && c->opset >= 11 ? 2 : 1);
    if (scales == NULL || scales->floats == NULL)
        return false;
    *out = scales->floats;
    *count = (size_t)scales->type.dims[0].value;
    return true;
}

static pg_status resize(pg_infer *c)
{
    uint32_t rank;
    const pg_dim *in;
    int64_t sizes[64];
    size_t count;
    const float *scales;
    pg_set_elem(c, 0, pg_elem(c, 0));
    if (!pg_get_shape(pg_in(c, 0), &rank, &in))
        return NULL;
    pg_dim *dims = pg_new_dims(c, rank);
    const int64_t *axes = NULL;
    size_t n_axes = rank;
    bool have_axes = pg_ints_attr(c, "axes", &axes, &n_axes);
    if (pg_get_ints(c, 3, sizes, 64, &count) && count == n_axes &&
        pg_node_attr(c->node, "keep_aspect_ratio_policy") == NULL) {
        for (uint32_t d = 0; d < rank && have_axes; d++)
            dims[d] = in[d];
        for (size_t i = 0; i < count; i++) {
            uint32_t axis;
            PG_TRY(pg_norm_axis(c, have_axes ? axes[i] : (int64_t)i, rank, &axis));
            dims[axis] = pg_dim_of(sizes[i]);
        }
    } else if (get_scales(c, &scales, &count) && count == n_axes) {
        for (uint32_t d = 0; d < rank && have_axes; d++)
            dims[d] = in[d];
        for (size_t i = 0; i < count; i++) {
            uint32_t axis;
            PG_TRY(pg_norm_axis(c, have_axes ? axes[i] : (int64_t)i, rank, &axis));
            if (pg_dim_known(in[axis]))
                dims[axis] = pg_dim_of((int64_t)floorf((float)in[axis].value * scales[i]));
            else
                dims[axis] = scales[i] == 1.0f ? in[axis] : (pg_dim){0};
        }
    }
    pg_set_tensor(c, 0, pg_elem(c, 0), rank, dims);
    return NULL;
}

static pg_status grid_sample(pg_infer *c)
{
    uint32_t rank, grid_rank;
    const pg_dim *in, *grid;
    pg_set_elem(c, 0, pg_elem(c, 0));
    if (!pg_get_shape(pg_in(c, 0), &rank, &in) || !pg_get_shape(pg_in(c, 1), &grid_rank, &grid) ||
        rank != grid_rank || rank < 3)
        return NULL;
    pg_dim *dims = pg_new_dims(c, rank);
    for (uint32_t d = 0; d < rank; d++)
        dims[d] = d < 2 ? in[d] : grid[d - 1];
    pg_set_tensor(c, 0, pg_elem(c, 0), rank, dims);
    return NULL;
}

static pg_status non_max_suppression(pg_infer *c)
{
    pg_dim *dims = pg_new_dims(c, 2);
    dims[1] = pg_dim_of(3);
    pg_set_tensor(c, 0, PG_I64, 2, dims);
    return NULL;
}

static pg_status roi_align(pg_infer *c)
{
    uint32_t rank, roi_rank;
    const pg_dim *in, *rois;
    pg_set_elem(c, 0, pg_elem(c, 0));
    if (!pg_get_shape(pg_in(c, 0), &rank, &in) || rank != 4 || !pg_get_shape(pg_in(c, 1), &roi_rank, &rois) ||
        roi_rank != 2)
        return NULL;
    pg_dim *dims = pg_new_dims(c, 4);
    dims[0] = rois[0];
    dims[1] = in[1];
    dims[2] = pg_dim_of(pg_int_attr(c, "output_height", 1));
    dims[3] = pg_dim_of(pg_int_attr(c, "output_width", 1));
    pg_set_tensor(c, 0, pg_elem(c, 0), 4, dims);
    return NULL;
}

const pg_shape_rule pg_shape_rules_nn[] = {
    {"Conv", conv},
    {"ConvInteger", conv_integer},
    {"QLinearConv", qlinear_conv},
    {"ConvTranspose", conv_transpose},
    {"MaxPool", pool},
    {"AveragePool", pool},
    {"LpPool", pool},
    {"GlobalAveragePool", global_pool},
    {"GlobalMaxPool", global_pool},
    {"GlobalLpPool", global_pool},
    {"MatMul", matmul},
    {"MatMulInteger", matmul_integer},
    {"QLinearMatMul", qlinear_matmul},
    {"Gemm", gemm},
    {"BatchNormalization", batch_norm},
    {"LayerNormalization", layer_norm},
    {"LSTM", recurrence},
    {"GRU", recurrence},
    {"RNN", recurrence},
    {"Resize", resize},
    {"Upsample", resize},
    {"GridSample", grid_sample},
    {"NonMaxSuppression", non_max_suppression},
    {"RoiAlign", roi_align},
    {0},
};
