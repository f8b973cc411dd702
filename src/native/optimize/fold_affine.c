/* Scalings and shifts after a convolution become part of its weights and bias: BatchNormalization with known
 * statistics, and Mul, Div, Add, Sub with a constant per channel or for all. Weights that lie in the model's
 * file are not copied for it: the factors become an attribute, weight_scale, and are applied when the weights
 * are packed. */
#include <math.h>

#include "base/alloc.h"
#include "native/optimize/match.h"
#include "native/optimize/optimize.h"

/* y = x * scale[c] + shift[c] */
typedef struct affine {
    size_t channels;
    double *scale, *shift;
} affine;

/* The engine's own FusedConv is what this pass made of a Conv before. */
static bool is_convolution(const pg_net_node *node)
{
    return pg_net_is(node, "Conv") || pg_net_is(node, "ConvTranspose") || net_is_own(node, "FusedConv");
}

/* A constant operand of shape (), (1,), (C, 1, ...) or (1, C, 1, ...) beside a result of `rank` dims. */
static bool per_channel(const pg_tensor *t, size_t rank, size_t channels, size_t *step)
{
    const uint64_t count = pg_tensor_count(t);
    *step = 0;
    if (t->rank > rank)
        return false;
    if (count == 1)
        return true;
    *step = 1;
    return count == channels && t->rank + 1u >= rank && t->dims[t->rank + 1u - rank] == (int64_t)channels;
}

static bool read_elementwise(const pg_net *net, const pg_net_node *node, pg_str x, size_t rank, affine *out)
{
    size_t step;
    const bool mul = pg_net_is(node, "Mul"), div = pg_net_is(node, "Div");
    const bool add = pg_net_is(node, "Add"), sub = pg_net_is(node, "Sub");
    if (!mul && !div && !add && !sub)
        return false;
    const pg_tensor *t = net_floats(net, net_other_input(node, x));
    if (t == NULL || !per_channel(t, rank, out->channels, &step))
        return false;
    const bool constant_first = !pg_str_eq(net_in(node, 0), x);
    if (div && constant_first)
        return false;
    for (size_t c = 0; c < out->channels; c++) {
        const double k = net_get(t, c * step);
        out->scale[c] = mul ? k : div ? 1 / k : sub && constant_first ? -1 : 1;
        out->shift[c] = add || (sub && constant_first) ? k : sub ? -k : 0;
    }
    return true;
}

static bool read_batch_norm(const pg_net *net, const pg_net_node *node, pg_str x, affine *out)
{
    const pg_tensor *t[4];
    if (!pg_net_is(node, "BatchNormalization") || !pg_str_eq(net_in(node, 0), x) ||
        node->node.n_inputs != 5 || node->node.n_outputs != 1 || net_attr_i(node, "training_mode", 0) != 0)
        return false;
    for (size_t i = 0; i < 4; i++) {
        t[i] = net_floats(net, net_in(node, i + 1));
        if (t[i] == NULL || pg_tensor_count(t[i]) != out->channels)
            return false;
    }
    const double epsilon = (double)net_attr_f(node, "epsilon", 1e-5f);
    for (size_t c = 0; c < out->channels; c++) {
        out->scale[c] = net_get(t[0], c) / sqrt(net_get(t[3], c) + epsilon);
        out->shift[c] = net_get(t[1], c) - net_get(t[2], c) * out->scale[c];
    }
    return true;
}

static void put(pg_tensor *t, size_t i, double value)
{
    if (t->dtype == PG_F64)
        ((double *)t->data)[i] = value;
    else
        ((float *)t->data)[i] = (float)value;
}

/* The output channel of weight element i: the first dim of Conv's weights; of ConvTranspose's the second,
 * within its group. */
static size_t channel_of(const pg_tensor *w, bool transposed, size_t groups, size_t i)
{
    const size_t count = (size_t)pg_tensor_count(w), first = (size_t)w->dims[0], second = (size_t)w->dims[1];
    if (!transposed)
        return i / (count / first);
    const size_t in = i / (count / first), out = i / (count / (first * second)) % second;
    return in / (first / groups) * second + out;
}

static void scale_run(pg_tensor *t, size_t first, size_t count, double factor)
{
    if (t->dtype == PG_F64) {
        double *x = (double *)t->data + first;
        for (size_t i = 0; i < count; i++)
            x[i] *= factor;
        return;
    }
    float *x = (float *)t->data + first;
    for (size_t i = 0; i < count; i++)
        x[i] = (float)((double)x[i] * factor);
}

/* A tensor to write to with the elements of a constant: its own memory when nobody else reads it. */
static pg_status take_or_copy(pg_net *net, pg_str name, pg_tensor *out)
{
    pg_net_value *value = pg_net_find(net, name);
    pg_tensor *t = value != NULL && value->is_const ? &value->constant.tensor : NULL;
    if (t == NULL || value->n_uses != 1 || value->is_output || value->captured || t->buffer == NULL ||
        atomic_load(&t->buffer->refs) != 1) {
        const pg_tensor *shared = net_floats(net, name);
        PG_TRY(pg_tensor_copy(out, shared));
        if (value != NULL && value->n_uses == 1 && shared->buffer == NULL)
            pg_model_forget(net->session->model, shared->data, pg_tensor_bytes(shared));
        return NULL;
    }
    *out = pg_tensor_share(t);
    pg_buffer_unref(t->buffer);
    t->buffer = NULL;
    t->data = NULL;
    return NULL;
}

/* A convolution with other weights and the new bias, under new names. */
static pg_status scaled_weights(pg_net *net, const pg_net_node *conv, const affine *a, pg_str *w_name)
{
    const bool transposed = pg_net_is(conv, "ConvTranspose");
    const size_t groups = (size_t)net_attr_i(conv, "group", 1);
    pg_tensor w;
    PG_TRY(take_or_copy(net, net_in(conv, 1), &w));
    const size_t count = (size_t)pg_tensor_count(&w);
    const size_t run = count / (size_t)w.dims[0] / (transposed ? (size_t)w.dims[1] : 1); /* of one channel */
    for (size_t i = 0; i < count; i += run)
        scale_run(&w, i, run, a->scale[channel_of(&w, transposed, groups, i)]);
    *w_name = pg_net_fresh_name(net, net_in(conv, 1));
    pg_net_add_constant(net, *w_name, pg_value_of_tensor(w));
    return NULL;
}

static pg_status scaled_bias(pg_net *net, const pg_net_node *conv, const affine *a, pg_dtype dtype,
                             pg_str *b_name)
{
    const pg_tensor *b = net_floats(net, net_in(conv, 2));
    pg_tensor bias;
    PG_TRY(pg_tensor_alloc(&bias, dtype, 1, (int64_t[]){(int64_t)a->channels}));
    for (size_t c = 0; c < a->channels; c++)
        put(&bias, c, (b != NULL ? net_get(b, c) : 0) * a->scale[c] + a->shift[c]);
    *b_name = pg_net_fresh_name(net, net_out(conv));
    pg_net_add_constant(net, *b_name, pg_value_of_tensor(bias));
    return NULL;
}

/* Large float32 weights of a Conv that lie in the model's file, and are packed as float32. */
static bool stays_in_file(const pg_net *net, const pg_net_node *conv, const pg_tensor *w)
{
    enum { LARGE = 16 * 1024 }; /* elements */
    return !net->session->options.bfloat16 && !pg_net_is(conv, "ConvTranspose") && w->dtype == PG_F32 &&
           w->buffer == NULL && pg_tensor_count(w) >= LARGE;
}

/* The node's attributes with weight_scale multiplied by the factors. */
static pg_attr *scaled_attrs(pg_net *net, const pg_net_node *conv, const affine *a, size_t *n_attrs)
{
    pg_arena *arena = &net->session->arena;
    pg_attr *attrs = PG_ARENA_ARRAY(arena, pg_attr, conv->node.n_attrs + 1);
    float *scale = PG_ARENA_ARRAY(arena, float, a->channels);
    const float *before = NULL;
    *n_attrs = 0;
    for (size_t i = 0; i < conv->node.n_attrs; i++)
        if (pg_str_is(conv->node.attrs[i].name, "weight_scale"))
            before = conv->node.attrs[i].floats;
        else
            attrs[(*n_attrs)++] = conv->node.attrs[i];
    for (size_t c = 0; c < a->channels; c++)
        scale[c] = (float)(a->scale[c] * (before != NULL ? (double)before[c] : 1));
    attrs[(*n_attrs)++] = (pg_attr){
        .name = PG_STR("weight_scale"), .type = PG_ATTR_FLOATS, .floats = scale, .count = a->channels};
    return attrs;
}

static pg_status apply(pg_net *net, pg_net_node *conv, const affine *a)
{
    const pg_tensor *w = net_float_weights(net, net_in(conv, 1));
    pg_str inputs[3] = {net_in(conv, 0), net_in(conv, 1)};
    PG_TRY(scaled_bias(net, conv, a, w->dtype, &inputs[2]));
    if (net_is_own(conv, "FusedConv") || stays_in_file(net, conv, w)) {
        size_t n_attrs;
        const pg_attr *attrs = scaled_attrs(net, conv, a, &n_attrs);
        pg_net_rewrite(net, conv, "pg", "FusedConv", inputs, 3, attrs, n_attrs);
        return NULL;
    }
    PG_TRY(scaled_weights(net, conv, a, &inputs[1]));
    const char *op_type = pg_net_is(conv, "ConvTranspose") ? "ConvTranspose" : "Conv";
    pg_net_rewrite(net, conv, "", op_type, inputs, 3, conv->node.attrs, conv->node.n_attrs);
    return NULL;
}

/* Takes the only reader of the convolution in when it scales or shifts; *changed says whether it did. */
static pg_status fold_reader(pg_net *net, pg_net_node *conv, bool *changed)
{
    *changed = false;
    pg_net_node *reader = pg_net_only_consumer(net, net_out(conv));
    const pg_tensor *w = net_float_weights(net, net_in(conv, 1));
    const bool transposed = pg_net_is(conv, "ConvTranspose");
    const int64_t groups = net_attr_i(conv, "group", 1);
    if (reader == NULL || w == NULL || w->rank < 3 || groups < 1 || pg_tensor_count(w) == 0 ||
        (net_in(conv, 2).len > 0 && net_floats(net, net_in(conv, 2)) == NULL) || w->dims[0] % groups != 0)
        return NULL;
    affine a = {.channels = (size_t)(transposed ? w->dims[1] * groups : w->dims[0])};
    const pg_tensor *b = net_floats(net, net_in(conv, 2));
    if (b != NULL && pg_tensor_count(b) != a.channels)
        return NULL;
    a.scale = pg_calloc(a.channels, sizeof *a.scale);
    a.shift = pg_calloc(a.channels, sizeof *a.shift);
    pg_status status = NULL;
    if (read_elementwise(net, reader, net_out(conv), w->rank, &a) ||
        read_batch_norm(net, reader, net_out(conv), &a)) {
        status = apply(net, conv, &a);
        *changed = status == NULL;
        if (*changed)
            pg_net_absorb(net, conv, reader);
    }
    free(a.scale);
    free(a.shift);
    return status;
}

pg_status pg_net_fold_affine(pg_net *net)
{
    for (size_t i = 0; i < net->nodes.len; i++) {
        pg_net_node *node = net->nodes.items[i];
        bool changed = !node->removed && is_convolution(node);
        while (changed)
            PG_TRY(fold_reader(net, node, &changed));
    }
    return NULL;
}
