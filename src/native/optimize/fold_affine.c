/* Scalings and shifts after a convolution become part of its weights and bias: BatchNormalization with known
 * statistics, and Mul, Div, Add, Sub with a constant per channel or for all. Weights that lie in the model's
 * file are not copied for it: the factors become an attribute, weight_scale, and are applied when the weights
 * are packed. */
#include "base/alloc.h"
#include "native/optimize/match.h"
#include "native/optimize/optimize.h"
#include "surgery/affine.h"

/* The engine's own FusedConv is what this pass made of a Conv before. */
static bool is_convolution(const pg_net_node *node)
{
    return pg_net_is(node, "Conv") || pg_net_is(node, "ConvTranspose") || net_is_own(node, "FusedConv");
}

static pg_weight_channels channels_of(const pg_net_node *node)
{
    pg_weight_channels channels = {0, 1}; /* of a FusedConv */
    (void)pg_affine_channels(&node->node, &channels);
    return channels;
}

static const pg_tensor *find_floats(void *net, pg_str name)
{
    return net_floats(net, name);
}

static void put(pg_tensor *t, size_t i, double value)
{
    if (t->dtype == PG_F64)
        ((double *)t->data)[i] = value;
    else
        ((float *)t->data)[i] = (float)value;
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
static pg_status scaled_weights(pg_net *net, const pg_net_node *conv, const pg_affine *a, pg_str *w_name)
{
    pg_tensor w;
    PG_TRY(take_or_copy(net, net_in(conv, 1), &w));
    pg_affine_scale(a, channels_of(conv), &w);
    *w_name = pg_net_fresh_name(net, net_in(conv, 1));
    pg_net_add_constant(net, *w_name, pg_value_of_tensor(w));
    return NULL;
}

static pg_status scaled_bias(pg_net *net, const pg_net_node *conv, const pg_affine *a, pg_dtype dtype,
                             pg_str *b_name)
{
    const pg_tensor *b = net_floats(net, net_in(conv, 2));
    pg_tensor bias;
    PG_TRY(pg_tensor_alloc(&bias, dtype, 1, (int64_t[]){(int64_t)a->channels}));
    for (size_t c = 0; c < a->channels; c++)
        put(&bias, c, pg_affine_bias(a, b, c));
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
static pg_attr *scaled_attrs(pg_net *net, const pg_net_node *conv, const pg_affine *a, size_t *n_attrs)
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

static pg_status apply(pg_net *net, pg_net_node *conv, const pg_affine *a)
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
    if (reader == NULL || w == NULL || w->rank < 3 || net_attr_i(conv, "group", 1) < 1 ||
        (net_in(conv, 2).len > 0 && net_floats(net, net_in(conv, 2)) == NULL))
        return NULL;
    pg_affine a = {.channels = pg_affine_count(channels_of(conv), w)};
    const pg_tensor *b = net_floats(net, net_in(conv, 2));
    if (a.channels == 0 || (b != NULL && pg_tensor_count(b) != a.channels))
        return NULL;
    a.scale = pg_calloc(a.channels, sizeof *a.scale);
    a.shift = pg_calloc(a.channels, sizeof *a.shift);
    pg_status status = NULL;
    if (pg_affine_read(&reader->node, net_out(conv), w->rank, (pg_constants){find_floats, net}, &a)) {
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
