/* Writes the models of realistic size that the benchmark runs: a residual convolution net, causal decoders,
 * stacked LSTMs and a quantised convolution net, as exporters write them.
 *
 *     bench_models --list
 *     bench_models FOLDER NAME... */
#include <math.h>

#include "tools/maker.h"

/* A text that lives as long as the model; `m` is in scope. */
#define text(...) pg_arena_printf(&m->arena, __VA_ARGS__)

static void scalar(maker *m, const char *name, float value)
{
    add_raw(m, name, PG_F32, "", &value);
}

/* Weights of a convolution or product whose results keep the variance of `fan_in` inputs. */
static void scaled_floats(maker *m, const char *name, const char *dims, double fan_in)
{
    add_floats(m, name, dims, 0, sqrt(3 / fan_in));
}

/* ---- ResNet-50 ---- */

static void convolution(maker *m, const char *in, const char *weight, const char *out, int kernel, int stride)
{
    pg_wire_message *n = node(m, "Conv", text("%s,%s", in, weight), out);
    const int64_t pad = kernel / 2;
    pg_build_attr_ints(&m->arena, n, "kernel_shape", 2, (int64_t[]){kernel, kernel});
    pg_build_attr_ints(&m->arena, n, "strides", 2, (int64_t[]){stride, stride});
    pg_build_attr_ints(&m->arena, n, "pads", 4, (int64_t[]){pad, pad, pad, pad});
}

/* Conv and BatchNormalization; returns the name of the result. `gain` scales it. */
static const char *conv_norm(maker *m, const char *prefix, const char *in, int from, int to, int kernel,
                             int stride, double gain)
{
    const char *c = text("%d", to);
    scaled_floats(m, text("%s.weight", prefix), text("%d,%d,%d,%d", to, from, kernel, kernel),
                  from * kernel * kernel);
    add_floats(m, text("%s.scale", prefix), c, gain, 0.2 * gain);
    add_floats(m, text("%s.shift", prefix), c, 0, 0.1);
    add_floats(m, text("%s.mean", prefix), c, 0, 0.1);
    add_floats(m, text("%s.var", prefix), c, 1, 0.2);
    convolution(m, in, text("%s.weight", prefix), text("%s.conv", prefix), kernel, stride);
    node(m, "BatchNormalization",
         text("%s.conv,%s.scale,%s.shift,%s.mean,%s.var", prefix, prefix, prefix, prefix, prefix),
         text("%s.out", prefix));
    return text("%s.out", prefix);
}

static const char *relu(maker *m, const char *in)
{
    node(m, "Relu", in, text("%s.relu", in));
    return text("%s.relu", in);
}

static const char *bottleneck(maker *m, const char *name, const char *in, int from, int width, int stride)
{
    const char *x = in;
    const char *y = relu(m, conv_norm(m, text("%s.a", name), x, from, width, 1, 1, 1));
    y = relu(m, conv_norm(m, text("%s.b", name), y, width, width, 3, stride, 1));
    y = conv_norm(m, text("%s.c", name), y, width, width * 4, 1, 1, 0.4);
    if (from != width * 4) {
        x = conv_norm(m, text("%s.down", name), x, from, width * 4, 1, stride, 0.8);
    }
    node(m, "Add", text("%s,%s", y, x), text("%s.sum", name));
    return relu(m, text("%s.sum", name));
}

static void make_resnet50(maker *m)
{
    static const int depth[] = {3, 4, 6, 3};
    input(m, "x", PG_F32, "batch,3,224,224");
    output(m, "y", PG_F32, "batch,1000");
    const char *x;
    x = relu(m, conv_norm(m, "stem", "x", 3, 64, 7, 2, 1));
    pg_wire_message *pool = node(m, "MaxPool", x, "pool");
    ints(m, pool, "kernel_shape", "3,3");
    ints(m, pool, "strides", "2,2");
    ints(m, pool, "pads", "1,1,1,1");
    x = "pool";
    for (int stage = 0, from = 64; stage < 4; stage++)
        for (int i = 0; i < depth[stage]; i++) {
            const int width = 64 << stage;
            x = bottleneck(m, text("layer%d.%d", stage + 1, i), x, from, width, i == 0 && stage > 0 ? 2 : 1);
            from = width * 4;
        }
    node(m, "GlobalAveragePool", x, "gap");
    node(m, "Flatten", "gap", "flat");
    scaled_floats(m, "fc.weight", "1000,2048", 2048);
    add_floats(m, "fc.bias", "1000", 0, 0.1);
    pg_build_attr_int(&m->arena, node(m, "Gemm", "flat,fc.weight,fc.bias", "y"), "transB", 1);
}

/* ---- Causal decoder ---- */

enum { WORDS = 4096, LONGEST = 512 };

/* Of the model that is made. */
static int width = 256, n_heads = 8;

/* MatMul with a weight, and the Add of its bias. */
static const char *linear(maker *m, const char *name, const char *in, int from, int to)
{
    scaled_floats(m, text("%s.weight", name), text("%d,%d", from, to), from);
    add_floats(m, text("%s.bias", name), text("%d", to), 0, 0.02);
    node(m, "MatMul", text("%s,%s.weight", in, name), text("%s.product", name));
    node(m, "Add", text("%s.bias,%s.product", name, name), text("%s.out", name));
    return text("%s.out", name);
}

/* Spelt out as exporters did before the operator existed, or as the operator. */
static const char *layer_norm(maker *m, const char *name, const char *in, bool spelt_out)
{
    add_floats(m, text("%s.scale", name), text("%d", width), 1, 0.1);
    add_floats(m, text("%s.shift", name), text("%d", width), 0, 0.1);
    if (!spelt_out) {
        node(m, "LayerNormalization", text("%s,%s.scale,%s.shift", in, name, name), text("%s.out", name));
        return text("%s.out", name);
    }
    pg_wire_message *mean = node(m, "ReduceMean", in, text("%s.mean", name));
    pg_build_attr_ints(&m->arena, mean, "axes", 1, (int64_t[]){-1});
    node(m, "Sub", text("%s,%s.mean", in, name), text("%s.centered", name));
    node(m, "Pow", text("%s.centered,two", name), text("%s.squares", name));
    mean = node(m, "ReduceMean", text("%s.squares", name), text("%s.variance", name));
    pg_build_attr_ints(&m->arena, mean, "axes", 1, (int64_t[]){-1});
    node(m, "Add", text("%s.variance,epsilon", name), text("%s.safe", name));
    node(m, "Sqrt", text("%s.safe", name), text("%s.deviation", name));
    node(m, "Div", text("%s.centered,%s.deviation", name, name), text("%s.normal", name));
    node(m, "Mul", text("%s.normal,%s.scale", name, name), text("%s.scaled", name));
    node(m, "Add", text("%s.scaled,%s.shift", name, name), text("%s.out", name));
    return text("%s.out", name);
}

/* (batch, length, width) -> (batch, heads, length, head), or for keys (batch, heads, head, length). */
static const char *heads(maker *m, const char *in, const char *perm)
{
    node(m, "Reshape", text("%s,to_heads", in), text("%s.heads", in));
    ints(m, node(m, "Transpose", text("%s.heads", in), text("%s.t", in)), "perm", perm);
    return text("%s.t", in);
}

static const char *attention(maker *m, const char *name, const char *in)
{
    const char *x = in;
    const char *q = heads(m, linear(m, text("%s.q", name), x, width, width), "0,2,1,3");
    const char *k = heads(m, linear(m, text("%s.k", name), x, width, width), "0,2,3,1");
    const char *v = heads(m, linear(m, text("%s.v", name), x, width, width), "0,2,1,3");
    node(m, "MatMul", text("%s,%s", q, k), text("%s.scores", name));
    node(m, "Div", text("%s.scores,root_head", name), text("%s.scaled", name));
    node(m, "Add", text("%s.scaled,mask", name), text("%s.masked", name));
    pg_build_attr_int(&m->arena, node(m, "Softmax", text("%s.masked", name), text("%s.weights", name)),
                      "axis", -1);
    node(m, "MatMul", text("%s.weights,%s", name, v), text("%s.mixed", name));
    ints(m, node(m, "Transpose", text("%s.mixed", name), text("%s.back", name)), "perm", "0,2,1,3");
    node(m, "Reshape", text("%s.back,from_heads", name), text("%s.joined", name));
    return linear(m, text("%s.o", name), text("%s.joined", name), width, width);
}

static const char *gelu(maker *m, const char *in)
{
    node(m, "Div", text("%s,root_two", in), text("%s.scaled", in));
    node(m, "Erf", text("%s.scaled", in), text("%s.erf", in));
    node(m, "Add", text("%s.erf,one", in), text("%s.plus", in));
    node(m, "Mul", text("%s,%s.plus", in, in), text("%s.product", in));
    node(m, "Mul", text("%s.product,half", in), text("%s.gelu", in));
    return text("%s.gelu", in);
}

/* 0 where a token may look and a large negative number where it may not, (1, 1, length, length), cut out of a
 * constant as wide as the longest sequence. */
static void causal_mask(maker *m)
{
    float *values = PG_ARENA_ARRAY(&m->arena, float, LONGEST *LONGEST);
    for (size_t i = 0; i < LONGEST; i++)
        for (size_t j = 0; j < LONGEST; j++)
            values[i * LONGEST + j] = j > i ? -10000.0f : 0.0f;
    add_raw(m, "all_masks", PG_F32, text("1,1,%d,%d", LONGEST, LONGEST), values);
    add_int64s(m, "zeros", "0,0");
    add_int64s(m, "mask_axes", "2,3");
    add_int64s(m, "zero", "0");
    add_int64s(m, "axis_one", "1");
    pg_build_attr_int(&m->arena, node(m, "Concat", "length,length", "square"), "axis", 0);
    node(m, "Slice", "all_masks,zeros,square,mask_axes", "mask");
}

/* Returns the name of the last one's output. */
static const char *make_layers(maker *m, const char *x, int layers, bool spelt_out)
{
    for (int i = 0; i < layers; i++) {
        const char *a = attention(m, text("layer%d", i), layer_norm(m, text("layer%d.ln1", i), x, spelt_out));
        node(m, "Add", text("%s,%s", x, a), text("layer%d.mid", i));
        const char *y = layer_norm(m, text("layer%d.ln2", i), text("layer%d.mid", i), spelt_out);
        y = gelu(m, linear(m, text("layer%d.up", i), y, width, 4 * width));
        y = linear(m, text("layer%d.down", i), y, 4 * width, width);
        node(m, "Add", text("layer%d.mid,%s", i, y), text("layer%d.out", i));
        x = text("layer%d.out", i);
    }
    return x;
}

static void make_decoder(maker *m, int layers, bool spelt_out)
{
    input(m, "ids", PG_I64, "batch,length");
    output(m, "logits", PG_F32, text("batch,length,%d", WORDS));
    scalar(m, "two", 2);
    scalar(m, "one", 1);
    scalar(m, "half", 0.5f);
    scalar(m, "epsilon", 1e-5f);
    scalar(m, "root_two", 1.41421354f);
    scalar(m, "root_head", sqrtf((float)(width / n_heads)));
    add_int64s(m, "to_heads", text("0,0,%d,%d", n_heads, width / n_heads));
    add_int64s(m, "from_heads", text("0,0,%d", width));
    add_floats(m, "words", text("%d,%d", WORDS, width), 0, 0.05);
    add_floats(m, "positions", text("1,%d,%d", LONGEST, width), 0, 0.05);
    add_int64s(m, "index_one", "1");
    node(m, "Shape", "ids", "shape");
    node(m, "Gather", "shape,index_one", "length");
    causal_mask(m);
    node(m, "Slice", "positions,zero,length,axis_one", "position");
    node(m, "Gather", "words,ids", "word");
    node(m, "Add", "word,position", "x0");
    const char *last = layer_norm(m, "last", make_layers(m, "x0", layers, spelt_out), spelt_out);
    ints(m, node(m, "Transpose", "words", "head"), "perm", "1,0");
    node(m, "MatMul", text("%s,head", last), "logits");
}

static void make_decoder6(maker *m)
{
    make_decoder(m, 6, true);
}

static void make_decoder24(maker *m)
{
    make_decoder(m, 24, false);
}

/* ---- Encoder ---- */

/* Of the size of BERT-base without its words: 12 layers, 340 MB. */
static void make_encoder12(maker *m)
{
    width = 768;
    n_heads = 12;
    input(m, "x", PG_F32, text("batch,length,%d", width));
    output(m, "layer11.out", PG_F32, text("batch,length,%d", width));
    scalar(m, "one", 1);
    scalar(m, "half", 0.5f);
    scalar(m, "root_two", 1.41421354f);
    scalar(m, "root_head", sqrtf((float)(width / n_heads)));
    scalar(m, "mask", 0); /* every word looks at all */
    add_int64s(m, "to_heads", text("0,0,%d,%d", n_heads, width / n_heads));
    add_int64s(m, "from_heads", text("0,0,%d", width));
    make_layers(m, "x", 12, false);
    width = 256;
    n_heads = 8;
}

/* ---- LSTM ---- */

static void make_lstmstack(maker *m)
{
    enum { LAYERS = 3, HIDDEN = 128 };
    input(m, "x", PG_F32, "batch,time,64");
    output(m, "y", PG_F32, "batch,time,32");
    ints(m, node(m, "Transpose", "x", "h0"), "perm", "1,0,2");
    add_int64s(m, "flat", "0,0,-1");
    for (int i = 0; i < LAYERS; i++) {
        const int from = i == 0 ? 64 : 2 * HIDDEN;
        scaled_floats(m, text("w%d", i), text("2,%d,%d", 4 * HIDDEN, from), from);
        scaled_floats(m, text("r%d", i), text("2,%d,%d", 4 * HIDDEN, HIDDEN), HIDDEN);
        add_floats(m, text("b%d", i), text("2,%d", 8 * HIDDEN), 0, 0.1);
        pg_wire_message *n = node(m, "LSTM", text("h%d,w%d,r%d,b%d", i, i, i, i), text("l%d", i));
        pg_build_attr_int(&m->arena, n, "hidden_size", HIDDEN);
        pg_build_attr_str(&m->arena, n, "direction", "bidirectional");
        ints(m, node(m, "Transpose", text("l%d", i), text("t%d", i)), "perm", "0,2,1,3");
        node(m, "Reshape", text("t%d,flat", i), text("h%d", i + 1));
    }
    ints(m, node(m, "Transpose", text("h%d", LAYERS), "back"), "perm", "1,0,2");
    node(m, "LayerNormalization", "back,scale,shift", "normal");
    add_floats(m, "scale", text("%d", 2 * HIDDEN), 1, 0.1);
    add_floats(m, "shift", text("%d", 2 * HIDDEN), 0, 0.1);
    scaled_floats(m, "out.weight", text("%d,32", 2 * HIDDEN), 2 * HIDDEN);
    node(m, "MatMul", "normal,out.weight", "y");
}

/* ---- Quantised convolution net ---- */

/* Q and DQ of an activation; returns the dequantised value's name. */
static const char *quantised(maker *m, const char *in, const char *scale)
{
    node(m, "QuantizeLinear", text("%s,%s,middle", in, scale), text("%s.q", in));
    node(m, "DequantizeLinear", text("%s.q,%s,middle", in, scale), text("%s.dq", in));
    return text("%s.dq", in);
}

/* A convolution with int8 weights (one scale per output channel) and int32 bias behind DQ nodes. */
static const char *q_conv(maker *m, const char *name, const char *in, int from, int to, int kernel,
                          int stride)
{
    const size_t count = (size_t)to * (size_t)from * (size_t)(kernel * kernel);
    int8_t *weights = PG_ARENA_ARRAY(&m->arena, int8_t, count);
    int8_t *zeros = PG_ARENA_ARRAY(&m->arena, int8_t, to);
    int32_t *bias = PG_ARENA_ARRAY(&m->arena, int32_t, to),
            *bias_zeros = PG_ARENA_ARRAY(&m->arena, int32_t, to);
    float *scales = PG_ARENA_ARRAY(&m->arena, float, to), *bias_scales = PG_ARENA_ARRAY(&m->arena, float, to);
    for (size_t i = 0; i < count; i++)
        weights[i] = (int8_t)(127 * next_random(m));
    for (int i = 0; i < to; i++) {
        zeros[i] = 0;
        bias_zeros[i] = 0;
        bias[i] = (int32_t)(500 * next_random(m));
        scales[i] = (float)(sqrt(6.0 / (from * kernel * kernel)) / 127 * (1 + 0.2 * next_random(m)));
        bias_scales[i] = scales[i] * 0.03f;
    }
    const char *c = text("%d", to);
    add_raw(m, text("%s.weight", name), PG_I8, text("%d,%d,%d,%d", to, from, kernel, kernel), weights);
    add_raw(m, text("%s.scale", name), PG_F32, c, scales);
    add_raw(m, text("%s.zero", name), PG_I8, c, zeros);
    add_raw(m, text("%s.bias", name), PG_I32, c, bias);
    add_raw(m, text("%s.bias_scale", name), PG_F32, c, bias_scales);
    add_raw(m, text("%s.bias_zero", name), PG_I32, c, bias_zeros);
    pg_build_attr_int(
        &m->arena,
        node(m, "DequantizeLinear", text("%s.weight,%s.scale,%s.zero", name, name, name), text("%s.w", name)),
        "axis", 0);
    pg_build_attr_int(&m->arena,
                      node(m, "DequantizeLinear",
                           text("%s.bias,%s.bias_scale,%s.bias_zero", name, name, name), text("%s.b", name)),
                      "axis", 0);
    convolution(m, in, text("%s.w,%s.b", name, name), text("%s.out", name), kernel, stride);
    return text("%s.out", name);
}

static const char *q_block(maker *m, const char *name, const char *in, int from, int to, int stride)
{
    const char *x = in, *y;
    y = quantised(m, relu(m, q_conv(m, text("%s.a", name), x, from, to, 3, stride)), "act");
    y = quantised(m, q_conv(m, text("%s.b", name), y, to, to, 3, 1), "act");
    if (from != to || stride != 1)
        x = quantised(m, q_conv(m, text("%s.down", name), x, from, to, 1, stride), "act");
    node(m, "Add", text("%s,%s", y, x), text("%s.sum", name));
    return quantised(m, relu(m, text("%s.sum", name)), "act");
}

/* The shapes of a residual net of 18 layers at half the width. */
static void make_qdqnet(maker *m)
{
    uint8_t middle = 128;
    input(m, "x", PG_F32, "batch,3,224,224");
    output(m, "y", PG_F32, "batch,1000");
    add_raw(m, "middle", PG_U8, "", &middle);
    scalar(m, "act", 0.03f);
    const char *x;
    x = quantised(m, relu(m, q_conv(m, "stem", quantised(m, "x", "act"), 3, 32, 7, 2)), "act");
    pg_wire_message *pool = node(m, "MaxPool", x, "pool");
    ints(m, pool, "kernel_shape", "3,3");
    ints(m, pool, "strides", "2,2");
    ints(m, pool, "pads", "1,1,1,1");
    x = quantised(m, "pool", "act");
    for (int stage = 0, from = 32; stage < 4; stage++)
        for (int i = 0; i < 2; i++) {
            x = q_block(m, text("layer%d.%d", stage + 1, i), x, from, 32 << stage,
                        i == 0 && stage > 0 ? 2 : 1);
            from = 32 << stage;
        }
    node(m, "GlobalAveragePool", x, "gap");
    node(m, "Flatten", quantised(m, "gap", "act"), "flat");
    scaled_floats(m, "fc.weight", "256,1000", 256);
    add_floats(m, "fc.bias", "1000", 0, 0.1);
    node(m, "Gemm", "flat,fc.weight,fc.bias", "y");
}

/* ---- Quantised encoder ---- */

/* MatMul of a quantised activation with int8 weights, one scale per column, and its bias. */
static const char *q_linear(maker *m, const char *name, const char *in, int from, int to)
{
    const size_t count = (size_t)from * (size_t)to;
    int8_t *weights = PG_ARENA_ARRAY(&m->arena, int8_t, count),
           *zeros = PG_ARENA_ARRAY(&m->arena, int8_t, to);
    float *scales = PG_ARENA_ARRAY(&m->arena, float, to);
    for (size_t i = 0; i < count; i++)
        weights[i] = (int8_t)(127 * next_random(m));
    for (int i = 0; i < to; i++) {
        zeros[i] = 0;
        scales[i] = (float)(sqrt(3.0 / from) / 127 * (1 + 0.2 * next_random(m)));
    }
    add_raw(m, text("%s.weight", name), PG_I8, text("%d,%d", from, to), weights);
    add_raw(m, text("%s.scale", name), PG_F32, text("%d", to), scales);
    add_raw(m, text("%s.zero", name), PG_I8, text("%d", to), zeros);
    add_floats(m, text("%s.bias", name), text("%d", to), 0, 0.02);
    pg_build_attr_int(
        &m->arena,
        node(m, "DequantizeLinear", text("%s.weight,%s.scale,%s.zero", name, name, name), text("%s.w", name)),
        "axis", 1);
    node(m, "MatMul", text("%s,%s.w", in, name), text("%s.product", name));
    node(m, "Add", text("%s.product,%s.bias", name, name), text("%s.out", name));
    return text("%s.out", name);
}

static const char *q_attention(maker *m, const char *name, const char *x)
{
    const char *q =
        heads(m, quantised(m, q_linear(m, text("%s.q", name), x, width, width), "act"), "0,2,1,3");
    const char *k =
        heads(m, quantised(m, q_linear(m, text("%s.k", name), x, width, width), "act"), "0,2,3,1");
    const char *v =
        heads(m, quantised(m, q_linear(m, text("%s.v", name), x, width, width), "act"), "0,2,1,3");
    node(m, "MatMul", text("%s,%s", quantised(m, q, "act"), quantised(m, k, "act")), text("%s.scores", name));
    node(m, "Div", text("%s.scores,root_head", name), text("%s.scaled", name));
    pg_build_attr_int(&m->arena, node(m, "Softmax", text("%s.scaled", name), text("%s.weights", name)),
                      "axis", -1);
    node(m, "QuantizeLinear", text("%s.weights,part,none", name), text("%s.weights.q", name));
    node(m, "DequantizeLinear", text("%s.weights.q,part,none", name), text("%s.weights.dq", name));
    node(m, "MatMul", text("%s.weights.dq,%s", name, quantised(m, v, "act")), text("%s.mixed", name));
    ints(m, node(m, "Transpose", quantised(m, text("%s.mixed", name), "act"), text("%s.back", name)), "perm",
         "0,2,1,3");
    node(m, "Reshape", text("%s,from_heads", quantised(m, text("%s.back", name), "act")),
         text("%s.joined", name));
    return q_linear(m, text("%s.o", name), quantised(m, text("%s.joined", name), "act"), width, width);
}

/* An encoder as tools for static quantisation leave it: products between Q and DQ, the rest in float32. */
static void make_qdqformer(maker *m)
{
    uint8_t middle = 128, none = 0;
    input(m, "x", PG_F32, text("batch,length,%d", width));
    output(m, "y", PG_F32, text("batch,length,%d", width));
    add_raw(m, "middle", PG_U8, "", &middle);
    add_raw(m, "none", PG_U8, "", &none);
    scalar(m, "act", 0.03f);
    scalar(m, "part", 1.0f / 255);
    scalar(m, "one", 1);
    scalar(m, "half", 0.5f);
    scalar(m, "root_two", 1.41421354f);
    scalar(m, "root_head", sqrtf((float)(width / n_heads)));
    add_int64s(m, "to_heads", text("0,0,%d,%d", n_heads, width / n_heads));
    add_int64s(m, "from_heads", text("0,0,%d", width));
    const char *x = "x";
    for (int i = 0; i < 6; i++) {
        const char *n = layer_norm(m, text("layer%d.ln1", i), x, false);
        const char *a = q_attention(m, text("layer%d", i), quantised(m, n, "act"));
        node(m, "Add", text("%s,%s", x, a), text("layer%d.mid", i));
        n = layer_norm(m, text("layer%d.ln2", i), text("layer%d.mid", i), false);
        const char *y = q_linear(m, text("layer%d.up", i), quantised(m, n, "act"), width, 4 * width);
        y = quantised(m, gelu(m, y), "act");
        y = q_linear(m, text("layer%d.down", i), y, 4 * width, width);
        node(m, "Add", text("layer%d.mid,%s", i, y), text("layer%d.out", i));
        x = text("layer%d.out", i);
    }
    node(m, "Identity", x, "y");
}

static const model_row rows[] = {
    {"resnet50", "ResNet-50 with its real shapes, 102 MB", make_resnet50, NULL},
    {"decoder6", "causal decoder of 6 layers, norms spelt out", make_decoder6, NULL},
    {"decoder24", "causal decoder of 24 layers", make_decoder24, NULL},
    {"encoder12", "encoder of 12 layers, 340 MB", make_encoder12, NULL},
    {"lstmstack", "3 bidirectional LSTM layers", make_lstmstack, NULL},
    {"qdqformer", "int8 encoder of 6 layers between Q and DQ nodes", make_qdqformer, NULL},
    {"qdqnet", "int8 residual net between Q and DQ nodes", make_qdqnet, NULL},
};

int main(int argc, char **argv)
{
    return maker_main(rows, PG_COUNT(rows), argc, argv);
}
