/* Convolutions, products and what is fused with them: the same graph as written, optimised, on every
 * instruction set, with two threads and through oneDNN must agree with the float64 reference mode.
 *
 * oneDNN is taken from POLYGRAPHY_ONEDNN or from the cache that scripts/fetch.py fills; without it those
 * comparisons are left out, and the output says so. */
#include "unit/harness.h"

#include <unistd.h>

#include "base/threads.h"
#include "native/native.h"
#include "native/onednn/onednn.h"
#include "native/simd/simd.h"
#include "onnx/build.h"
#include "onnx/edit.h"
#include "onnx/wire.h"
#include "surgery/fp16.h"
#include "tensor/dtype_convert.h"

typedef struct fixture {
    pg_arena arena;
    pg_wire_message *graph;
    pg_model *model;
    pg_feed feed;
} fixture;

static uint32_t seed;
static float draw(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (float)(int32_t)seed / 2147483648.0f;
}

static pg_tensor random_tensor(size_t rank, const int64_t *dims, float low, float high)
{
    pg_tensor t;
    CHECK_OK(pg_tensor_alloc(&t, PG_F32, rank, dims));
    for (uint64_t i = 0; i < pg_tensor_count(&t); i++)
        ((float *)t.data)[i] = low + (high - low) * (draw() + 1) / 2;
    return t;
}

static void begin(fixture *f)
{
    *f = (fixture){0};
    seed = 7;
    f->graph = pg_build_graph(&f->arena, "g");
}

static void input(fixture *f, const char *name, size_t rank, const int64_t *dims)
{
    pg_build_input(&f->arena, f->graph, name, PG_F32, NULL);
    pg_feed_add(&f->feed, pg_str_c(name), pg_value_of_tensor(random_tensor(rank, dims, -1, 1)));
}

static void weight(fixture *f, const char *name, size_t rank, const int64_t *dims, float low, float high)
{
    pg_tensor t = random_tensor(rank, dims, low, high);
    pg_build_weight(&f->arena, f->graph, pg_build_tensor(&f->arena, name, &t));
    pg_tensor_deinit(&t);
}

static void scalar(fixture *f, const char *name, float value)
{
    weight(f, name, 0, NULL, value, value);
}

static pg_wire_message *node(fixture *f, const char *op, const char *in, const char *out)
{
    return pg_build_node(&f->arena, f->graph, op, out, in, out);
}

#define INTS(...) (int64_t[]){__VA_ARGS__}, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)
static void ints(fixture *f, pg_wire_message *n, const char *name, const int64_t *values, size_t count)
{
    pg_build_attr_ints(&f->arena, n, name, count, values);
}

/* The largest error allowed is `relative` of the largest number. */
static void compare_within(const pg_tensor *truth, const pg_tensor *found, const char *what, double relative)
{
    double worst = 0, size = 1;
    CHECK(pg_tensor_same_shape(truth, found));
    if (!pg_tensor_same_shape(truth, found))
        return;
    for (uint64_t i = 0; i < pg_tensor_count(truth); i++) {
        worst = fmax(worst, fabs(pg_tensor_get_f64(truth, i) - pg_tensor_get_f64(found, i)));
        size = fmax(size, fabs(pg_tensor_get_f64(truth, i)));
    }
    if (!(worst <= relative * size))
        FAIL_TEST("%s: error %g where values reach %g", what, worst, size);
}

static void compare(const pg_tensor *truth, const pg_tensor *found, const char *what)
{
    compare_within(truth, found, what, 4e-6);
}

static pg_tensor infer(fixture *f, const pg_native_options *options)
{
    pg_session *session = NULL;
    pg_feed out = {0};
    pg_tensor result = {0};
    CHECK_OK(pg_session_new(f->model, options, &session));
    for (int i = 0; i < 3 && session != NULL;
         i++) { /* later runs find what earlier ones kept; no bit changes */
        CHECK_OK(pg_session_run(session, &f->feed, &out));
        const pg_tensor *found = out.count == 1 ? &out.items[0].value.tensor : NULL;
        if (i == 0 && found != NULL)
            result = pg_tensor_share(found);
        if (found == NULL)
            FAIL_TEST("run %d gives no tensor", i);
        else if (i > 0)
            CHECK(memcmp(result.data, found->data, pg_tensor_bytes(&result)) == 0);
        pg_feed_deinit(&out);
        out = (pg_feed){0};
    }
    pg_session_free(session);
    return result;
}

static size_t layers_of(pg_model *model)
{
    pg_session *session = NULL;
    CHECK_OK(pg_session_new(model, &(pg_native_options){.threads = 1, .no_onednn = true}, &session));
    const size_t count = session != NULL ? pg_session_layer_count(session) : 0;
    pg_session_free(session);
    return count;
}

/* The model in half types gives the same within their precision, and what is one node in float32 is one there. */
static void check_halves(fixture *f, const pg_tensor *truth, const char *set)
{
    static const struct {
        pg_dtype to;
        double precision;
    } rows[] = {{PG_F16, 4e-3}, {PG_BF16, 3e-2}};
    const size_t wide_layers = layers_of(f->model);
    for (size_t i = 0; i < 2; i++) {
        fixture half = *f;
        const pg_native_options written = {.threads = 1, .no_onednn = true, .no_optimization = true};
        char what[64];
        CHECK_OK(pg_surgery_fp16(f->model, &(pg_fp16_options){.to = rows[i].to}, NULL, &half.model));
        CHECK(layers_of(half.model) <= wide_layers + f->feed.count + 1); /* casts at the ends */
        for (int threads = 0; threads < 3; threads++) {                  /* 0: as written */
            pg_tensor found =
                infer(&half, threads > 0 ? &(pg_native_options){.threads = (size_t)threads, .no_onednn = true}
                                         : &written);
            snprintf(what, sizeof what, "%s, %s, %d threads", set, pg_dtype_name(rows[i].to), threads);
            compare_within(truth, &found, what, rows[i].precision);
            pg_tensor_deinit(&found);
        }
        pg_model_unref(half.model);
    }
}

static void run_and_compare(fixture *f, pg_session *session, const pg_tensor *truth, const char *what)
{
    pg_feed out = {0};
    CHECK_OK(pg_session_run(session, &f->feed, &out));
    if (out.count == 1)
        compare(truth, &out.items[0].value.tensor, what);
    pg_feed_deinit(&out);
}

static unsigned tactics_seen; /* by all graphs: bits */

/* Every layer by each tactic that it offers: changed in a session that is tuned, and chosen for a new one. */
static void check_tactics(fixture *f, const pg_tensor *truth, unsigned threads)
{
    pg_session *session = NULL;
    CHECK_OK(pg_session_new(f->model, &(pg_native_options){.threads = threads, .tuning = true}, &session));
    run_and_compare(f, session, truth, "before tuning");
    for (size_t i = 0; i < pg_session_layer_count(session); i++) {
        const unsigned offers = pg_session_offers(session, i);
        if (offers != 0 && (offers & PG_TACTIC_BIT(pg_session_tactic(session, i))) == 0)
            FAIL_TEST("layer %zu used a tactic that it does not offer", i);
        for (pg_tactic_id tactic = 1; tactic < PG_TACTICS; tactic++) {
            if ((offers & PG_TACTIC_BIT(tactic)) == 0)
                continue;
            CHECK_OK(pg_session_choose(session, i, tactic));
            run_and_compare(f, session, truth, pg_tactic_name(tactic));
            CHECK_STR(pg_tactic_name(pg_session_tactic(session, i)), pg_tactic_name(tactic));
            CHECK_INT(pg_session_offers(session, i), offers);
        }
        tactics_seen |= offers;
    }
    pg_session_free(session);
}

static pg_tactic_id choose_always(void *context, const pg_node *node)
{
    (void)node;
    return *(const pg_tactic_id *)context;
}

static void check_choices(fixture *f, const pg_tensor *truth)
{
    for (pg_tactic_id tactic = 1; tactic < PG_TACTICS; tactic++) {
        const pg_tactic_chooser chooser = {&tactic, choose_always};
        pg_tensor found = infer(f, &(pg_native_options){.threads = 2, .tactics = &chooser});
        compare(truth, &found, pg_tactic_name(tactic));
        pg_tensor_deinit(&found);
    }
}

static void check(fixture *f)
{
    pg_build_output(&f->arena, f->graph, "y", PG_F32, NULL);
    pg_buf file = {0}; /* as in a file, so that weights begin at any address */
    pg_wire_write_buf(pg_build_model(&f->arena, f->graph, 17), &file);
    CHECK_OK(pg_model_parse(file.ptr, file.len, "test", &f->model));
    pg_tensor truth = infer(f, &(pg_native_options){.threads = 1, .float64 = true, .no_optimization = true});
    static const char *const sets[] = {"base", "avx2", "avx512", "avx512bf16"};
    for (size_t s = 0; s < sizeof sets / sizeof sets[0]; s++) {
        const pg_simd *simd = pg_simd_named(pg_str_c(sets[s]));
        if (simd == NULL)
            continue;
        pg_simd_use(simd);
        for (int variant = 0; variant < 3; variant++) {
            const pg_native_options options = {
                .threads = variant == 2 ? 2 : 1, .no_optimization = variant == 0, .no_onednn = true};
            pg_tensor found = infer(f, &options);
            compare(&truth, &found, sets[s]);
            pg_tensor_deinit(&found);
        }
        pg_tensor halves = infer(f, &(pg_native_options){.threads = 1, .no_onednn = true, .bfloat16 = true});
        compare_within(&truth, &halves, "bfloat16", 2e-2);
        pg_tensor_deinit(&halves);
        check_halves(f, &truth, sets[s]);
        check_tactics(f, &truth, s % 2 + 1);
    }
    check_choices(f, &truth);
    if (pg_onednn_available()) {
        pg_tensor found = infer(f, &(pg_native_options){.threads = 1});
        compare(&truth, &found, "oneDNN");
        pg_tensor_deinit(&found);
    }
    pg_tensor_deinit(&truth);
    pg_feed_deinit(&f->feed);
    pg_model_unref(f->model);
    pg_buf_deinit(&file);
    pg_arena_deinit(&f->arena);
}

/* Convolution x -> c with weights (o, i, k, k), attributes and a bias. */
static pg_wire_message *conv(fixture *f, const char *in, const char *out, int64_t o, int64_t i, int64_t k)
{
    char w[32], b[32], names[96];
    snprintf(w, sizeof w, "%s_w", out);
    snprintf(b, sizeof b, "%s_b", out);
    snprintf(names, sizeof names, "%s,%s,%s", in, w, b);
    weight(f, w, 4, (int64_t[]){o, i, k, k}, -0.5f, 0.5f);
    weight(f, b, 1, &o, -0.5f, 0.5f);
    return node(f, "Conv", names, out);
}

static float bf16_model(const pg_native_options *options, const char *set)
{
    fixture f;
    pg_tensor w, narrow;
    begin(&f);
    input(&f, "x", 2, (int64_t[]){3, 40});
    w = random_tensor(2, (int64_t[]){40, 20}, -1, 1);
    CHECK_OK(pg_tensor_cast(&w, PG_BF16, NULL, &narrow));
    pg_build_weight(&f.arena, f.graph, pg_build_tensor(&f.arena, "w", &narrow));
    pg_build_attr_int(&f.arena, node(&f, "Cast", "x", "half"), "to", PG_BF16);
    node(&f, "MatMul", "half,w", "product");
    pg_build_attr_int(&f.arena, node(&f, "Cast", "product", "y"), "to", PG_F32);
    pg_build_output(&f.arena, f.graph, "y", PG_F32, NULL);
    CHECK_OK(pg_model_from_wire(&f.arena, pg_build_model(&f.arena, f.graph, 17), NULL, "test", &f.model));
    pg_simd_use(pg_simd_named(pg_str_c(set)));
    pg_tensor y = infer(&f, options);
    const float *x = f.feed.items[0].value.tensor.data, *weights = w.data;
    double worst = 0;
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < 20; j++) {
            double sum = 0;
            for (size_t k = 0; k < 40; k++)
                sum += (double)x[i * 40 + k] * (double)weights[k * 20 + j];
            worst = fmax(worst, fabs(sum - (double)((const float *)y.data)[i * 20 + j]));
        }
    pg_tensor_deinit(&w);
    pg_tensor_deinit(&narrow);
    pg_tensor_deinit(&y);
    pg_feed_deinit(&f.feed);
    pg_model_unref(f.model);
    pg_arena_deinit(&f.arena);
    return (float)worst;
}

/* Products of bfloat16 tensors, with and without the instructions for them. */
TEST(bfloat16_models)
{
    static const char *const sets[] = {"base", "avx2", "avx512", "avx512bf16"};
    for (size_t s = 0; s < 4; s++) {
        if (pg_simd_named(pg_str_c(sets[s])) == NULL)
            continue;
        const float worst = bf16_model(&(pg_native_options){.threads = 1}, sets[s]);
        CHECK(worst > 1e-3f && worst < 0.06f);
    }
    pg_simd_use(NULL);
}

/* The mode rounds factors: 1 + 2^-9 is 1. */
TEST(bfloat16_mode_rounds_factors)
{
    fixture f;
    begin(&f);
    pg_tensor x;
    CHECK_OK(pg_tensor_alloc(&x, PG_F32, 2, (int64_t[]){1, 1}));
    *(float *)x.data = 1 + 0x1p-9f;
    pg_build_input(&f.arena, f.graph, "x", PG_F32, NULL);
    pg_feed_add(&f.feed, PG_STR("x"), pg_value_of_tensor(x));
    weight(&f, "w", 2, (int64_t[]){1, 1}, 3, 3);
    node(&f, "MatMul", "x,w", "y");
    pg_build_output(&f.arena, f.graph, "y", PG_F32, NULL);
    CHECK_OK(pg_model_from_wire(&f.arena, pg_build_model(&f.arena, f.graph, 17), NULL, "test", &f.model));
    for (int mode = 0; mode < 2; mode++) {
        pg_tensor y = infer(&f, &(pg_native_options){.threads = 1, .bfloat16 = mode == 1});
        CHECK(*(const float *)y.data == (mode == 1 ? 3 : 3 * (1 + 0x1p-9f)));
        pg_tensor_deinit(&y);
    }
    pg_feed_deinit(&f.feed);
    pg_model_unref(f.model);
    pg_arena_deinit(&f.arena);
}

TEST(convolutions_of_many_shapes)
{
    static const struct {
        int64_t n, c, h, w, o, k, stride, pad, dilation, group;
    } rows[] = {
        {1, 3, 17, 19, 16, 3, 2, 1, 1, 1},  {2, 24, 9, 7, 40, 1, 1, 0, 1, 1},
        {1, 16, 12, 11, 24, 3, 1, 1, 1, 1}, {1, 8, 12, 11, 24, 3, 1, 2, 2, 1},
        {1, 20, 9, 21, 20, 3, 1, 1, 1, 20}, {2, 40, 6, 9, 40, 5, 2, 2, 1, 40},
        {1, 12, 8, 8, 18, 3, 1, 1, 1, 3},   {1, 33, 10, 10, 1, 3, 1, 1, 1, 1},
        {1, 4, 10, 10, 2, 5, 1, 2, 1, 1},   {1, 1, 30, 30, 1, 7, 3, 0, 1, 1},
        {1, 6, 5, 5, 12, 3, 1, 1, 1, 6},    {1, 2, 9, 9, 5, 3, 1, 0, 3, 1},
    };
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        fixture f;
        begin(&f);
        input(&f, "x", 4, (int64_t[]){rows[r].n, rows[r].c, rows[r].h, rows[r].w});
        pg_wire_message *n = conv(&f, "x", "c", rows[r].o, rows[r].c / rows[r].group, rows[r].k);
        ints(&f, n, "strides", INTS(rows[r].stride, rows[r].stride));
        ints(&f, n, "pads", INTS(rows[r].pad, rows[r].pad, rows[r].pad, rows[r].pad));
        ints(&f, n, "dilations", INTS(rows[r].dilation, rows[r].dilation));
        pg_build_attr_int(&f.arena, n, "group", rows[r].group);
        node(&f, "Relu", "c", "y");
        check(&f);
    }
}

/* Windows and sizes that are done by Winograd's sums: squares of three, lines of three and five, with results
 * that do not fill their tiles, channels that do not fill vectors, and what follows a convolution. */
TEST(convolutions_by_winograd)
{
    static const struct {
        int64_t n, c, h, w, o, kh, kw, pad_h, pad_w;
        const char *act;
    } rows[] = {
        {1, 32, 16, 16, 32, 3, 3, 1, 1, "Relu"},     {2, 19, 13, 11, 37, 3, 3, 0, 2, "Sigmoid"},
        {3, 16, 9, 10, 16, 3, 3, 1, 1, "HardSwish"}, {2, 24, 40, 3, 20, 5, 1, 2, 0, "Relu"},
        {1, 17, 2, 37, 33, 1, 5, 0, 0, "Tanh"},      {1, 16, 50, 1, 48, 3, 1, 1, 0, "Relu"},
        {1, 40, 5, 21, 16, 1, 3, 0, 1, "LeakyRelu"},
    };
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        fixture f;
        begin(&f);
        const int64_t h = rows[r].h + 2 * rows[r].pad_h - rows[r].kh + 1;
        const int64_t w = rows[r].w + 2 * rows[r].pad_w - rows[r].kw + 1;
        input(&f, "x", 4, (int64_t[]){rows[r].n, rows[r].c, rows[r].h, rows[r].w});
        input(&f, "r", 4, (int64_t[]){rows[r].n, rows[r].o, h, w});
        weight(&f, "w", 4, (int64_t[]){rows[r].o, rows[r].c, rows[r].kh, rows[r].kw}, -0.5f, 0.5f);
        weight(&f, "b", 1, &rows[r].o, -0.5f, 0.5f);
        pg_wire_message *n = node(&f, "Conv", "x,w,b", "c");
        ints(&f, n, "pads", INTS(rows[r].pad_h, rows[r].pad_w, rows[r].pad_h, rows[r].pad_w));
        if (r % 2 == 0)
            node(&f, "Add", "c,r", "s");
        node(&f, rows[r].act, r % 2 == 0 ? "s" : "c", "y");
        check(&f);
    }
}

/* As in face detectors that come from TensorFlow: images with their channels last, slopes per channel, pools whose
 * windows reach into the padding, few classes. */
TEST(slopes_join_convolutions)
{
    static const struct {
        int64_t c, o, k, stride;
    } rows[] = {{3, 10, 3, 1}, {16, 24, 3, 2}, {32, 4, 1, 1}, {32, 33, 3, 1}, {3, 50, 3, 1}};
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        fixture f;
        begin(&f);
        input(&f, "x", 4, (int64_t[]){2, 13, 18, rows[r].c});
        weight(&f, "slopes", 3, (int64_t[]){rows[r].o, 1, 1}, -0.5f, 1.5f);
        pg_wire_message *turn = node(&f, "Transpose", "x", "t");
        ints(&f, turn, "perm", INTS(0, 3, 1, 2));
        pg_wire_message *n = conv(&f, "t", "c", rows[r].o, rows[r].c, rows[r].k);
        ints(&f, n, "strides", INTS(rows[r].stride, rows[r].stride));
        node(&f, "PRelu", "c,slopes", "a");
        pg_wire_message *pool = node(&f, r % 2 == 0 ? "MaxPool" : "AveragePool", "a", "p");
        ints(&f, pool, "kernel_shape", INTS(3, 3));
        ints(&f, pool, "strides", INTS(2, 2));
        ints(&f, pool, "pads", INTS(1, 1, 0, 2));
        conv(&f, "p", "d", 3, rows[r].o, 1);
        pg_wire_message *back = node(&f, "Transpose", "d", "e");
        ints(&f, back, "perm", INTS(0, 2, 3, 1));
        node(&f, r % 2 == 0 ? "Softmax" : "LogSoftmax", "e", "y");
        check(&f);
    }
}

/* The chain that mobile OCR models have after every convolution. */
static void swish_chain(fixture *f, const char *in, const char *out)
{
    scalar(f, "scale", 1.25f);
    scalar(f, "shift", -0.125f);
    scalar(f, "three", 3);
    scalar(f, "zero", 0);
    scalar(f, "six", 6);
    char names[64];
    snprintf(names, sizeof names, "%s,scale", in);
    node(f, "Mul", names, "s0");
    node(f, "Add", "shift,s0", "s1");
    node(f, "Add", "s1,three", "s2");
    node(f, "Clip", "s2,zero,six", "s3");
    node(f, "Mul", "s1,s3", "s4");
    node(f, "Div", "s4,six", "s5");
    node(f, "Mul", "scale,s5", "s6");
    node(f, "Add", "s6,shift", out);
}

TEST(swish_and_scalings_join_convolutions)
{
    for (int64_t group = 1; group <= 20; group += 19) {
        fixture f;
        begin(&f);
        input(&f, "x", 4, (int64_t[]){1, 20, 9, 13});
        pg_wire_message *n = conv(&f, "x", "c", 20, 20 / group, 3);
        pg_build_attr_int(&f.arena, n, "group", group);
        ints(&f, n, "pads", INTS(1, 1, 1, 1));
        swish_chain(&f, "c", "y");
        check(&f);
    }
}

TEST(batch_norm_sum_and_activation_join_convolutions)
{
    fixture f;
    begin(&f);
    const int64_t c = 24;
    input(&f, "x", 4, (int64_t[]){2, 8, 7, 9});
    input(&f, "r", 4, (int64_t[]){2, c, 7, 9});
    conv(&f, "x", "c", c, 8, 1);
    weight(&f, "bn_scale", 1, &c, 0.5f, 1.5f);
    weight(&f, "bn_bias", 1, &c, -1, 1);
    weight(&f, "bn_mean", 1, &c, -1, 1);
    weight(&f, "bn_var", 1, &c, 0.5f, 2);
    node(&f, "BatchNormalization", "c,bn_scale,bn_bias,bn_mean,bn_var", "n");
    node(&f, "Add", "r,n", "s");
    node(&f, "LeakyRelu", "s", "y");
    check(&f);
}

/* Weights of more than 64 KiB are used from the model's bytes, at whatever address these begin. */
TEST(large_convolutions_pack_when_they_run)
{
    for (int variant = 0; variant < 6; variant++) {
        const bool shared = variant == 4, grouped = variant == 5;
        fixture f;
        begin(&f);
        input(&f, "x", 4, (int64_t[]){1, 40, 6, 7});
        scalar(&f, "pppppp" + variant % 4, 1); /* names of any length move what follows */
        pg_wire_message *n = conv(&f, "x", "c", 80, grouped ? 20 : 40, grouped ? 5 : 3);
        pg_build_attr_int(&f.arena, n, "group", grouped ? 2 : 1);
        const int64_t c = 80;
        weight(&f, "bn_scale", 1, &c, 0.5f, 1.5f);
        weight(&f, "bn_bias", 1, &c, -1, 1);
        weight(&f, "bn_var", 1, &c, 0.5f, 2);
        node(&f, "BatchNormalization", "c,bn_scale,bn_bias,bn_bias,bn_var", "n");
        if (shared) { /* the same weights without the scaling */
            node(&f, "Conv", "x,c_w", "d");
            node(&f, "Add", "n,d", "m");
        }
        swish_chain(&f, shared ? "m" : "n", "y");
        check(&f);
    }
}

TEST(large_products_pack_when_they_run)
{
    fixture f;
    begin(&f);
    input(&f, "x", 2, (int64_t[]){5, 300});
    weight(&f, "a", 2, (int64_t[]){300, 190}, -0.1f, 0.1f);
    weight(&f, "bb", 2, (int64_t[]){170, 190}, -0.1f, 0.1f);
    weight(&f, "ccc", 3, (int64_t[]){2, 170, 180}, -0.1f, 0.1f);
    weight(&f, "dddd", 2, (int64_t[]){5, 180}, -0.1f, 0.1f);
    weight(&f, "rows", 2, (int64_t[]){170, 180}, -0.1f, 0.1f);
    node(&f, "MatMul", "x,a", "p");
    pg_wire_message *n = node(&f, "Gemm", "p,bb", "q");
    pg_build_attr_int(&f.arena, n, "transB", 1);
    node(&f, "MatMul", "q,ccc", "r");
    node(&f, "MatMul", "q,rows", "s"); /* read by other operators too */
    node(&f, "Transpose", "rows", "t");
    node(&f, "MatMul", "s,t", "u");
    node(&f, "MatMul", "u,rows", "v");
    node(&f, "Add", "r,v", "w");
    node(&f, "Add", "w,dddd", "y");
    check(&f);
}

TEST(large_recurrent_weights_pack_when_they_run)
{
    static const char *const kinds[] = {"LSTM", "GRU", "RNN"};
    static const int64_t gates[] = {4, 3, 1};
    for (size_t i = 0; i < 3; i++) {
        const int64_t hidden = 100, rows = gates[i] * hidden;
        fixture f;
        begin(&f);
        input(&f, "x", 3, (int64_t[]){4, 2, 170});
        weight(&f, "w", 3, (int64_t[]){2, rows, 170}, -0.1f, 0.1f);
        weight(&f, "rr", 3, (int64_t[]){2, rows, hidden}, -0.1f, 0.1f);
        pg_wire_message *n = node(&f, kinds[i], "x,w,rr", "y");
        pg_build_attr_int(&f.arena, n, "hidden_size", hidden);
        pg_build_attr_str(&f.arena, n, "direction", "bidirectional");
        check(&f);
    }
}

TEST(addends_of_another_shape_are_broadcast)
{
    static const int64_t shapes[][4] = {{1, 10, 1, 1}, {3, 10, 5, 6}, {1, 1, 5, 6}};
    for (size_t i = 0; i < 3; i++) {
        fixture f;
        begin(&f);
        input(&f, "x", 4, (int64_t[]){1, 8, 5, 6});
        input(&f, "r", 4, shapes[i]);
        conv(&f, "x", "c", 10, 8, 1);
        node(&f, "Add", "c,r", "s");
        node(&f, "Sigmoid", "s", "y");
        check(&f);
    }
}

TEST(transposed_convolutions)
{
    for (int64_t out = 1; out <= 12; out += 11) {
        fixture f;
        begin(&f);
        input(&f, "x", 4, (int64_t[]){2, 10, 6, 5});
        weight(&f, "w", 4, (int64_t[]){10, out, 3, 3}, -0.5f, 0.5f);
        weight(&f, "k", 3, (int64_t[]){out, 1, 1}, -0.5f, 0.5f);
        pg_wire_message *n = node(&f, "ConvTranspose", "x,w", "c");
        ints(&f, n, "strides", INTS(2, 2));
        ints(&f, n, "pads", INTS(1, 0, 1, 1));
        ints(&f, n, "output_padding", INTS(1, 0));
        node(&f, "Add", "c,k", "s");
        node(&f, "Relu", "s", "y");
        check(&f);
    }
}

TEST(products_take_bias_sum_and_gate)
{
    fixture f;
    begin(&f);
    input(&f, "x", 3, (int64_t[]){2, 11, 30});
    input(&f, "r", 3, (int64_t[]){2, 11, 50});
    weight(&f, "w", 2, (int64_t[]){30, 50}, -0.5f, 0.5f);
    weight(&f, "b", 1, (int64_t[]){50}, -0.5f, 0.5f);
    weight(&f, "v", 2, (int64_t[]){50, 5}, -0.5f, 0.5f);
    node(&f, "MatMul", "x,w", "m");
    node(&f, "Add", "b,m", "mb");
    node(&f, "Add", "mb,r", "s");
    node(&f, "Sigmoid", "s", "gate");
    node(&f, "Mul", "s,gate", "g");
    node(&f, "MatMul", "g,v", "y");
    check(&f);
}

TEST(layer_norm_and_gelu_are_found)
{
    fixture f;
    begin(&f);
    input(&f, "x", 3, (int64_t[]){2, 5, 40});
    scalar(&f, "two", 2);
    scalar(&f, "epsilon", 1e-5f);
    scalar(&f, "root", 1.41421354f);
    scalar(&f, "one", 1);
    scalar(&f, "half", 0.5f);
    weight(&f, "scale", 1, (int64_t[]){40}, 0.5f, 1.5f);
    weight(&f, "shift", 1, (int64_t[]){40}, -1, 1);
    pg_wire_message *mean = node(&f, "ReduceMean", "x", "mean");
    ints(&f, mean, "axes", INTS(-1));
    node(&f, "Sub", "x,mean", "d");
    node(&f, "Pow", "d,two", "d2");
    pg_wire_message *var = node(&f, "ReduceMean", "d2", "var");
    ints(&f, var, "axes", INTS(-1));
    node(&f, "Add", "var,epsilon", "ve");
    node(&f, "Sqrt", "ve", "sd");
    node(&f, "Div", "d,sd", "n");
    node(&f, "Mul", "n,scale", "ns");
    node(&f, "Add", "ns,shift", "ln");
    node(&f, "Div", "ln,root", "e0");
    node(&f, "Erf", "e0", "e1");
    node(&f, "Add", "e1,one", "e2");
    node(&f, "Mul", "ln,e2", "e3");
    node(&f, "Mul", "e3,half", "y");
    check(&f);
}

TEST(recurrent_layers_in_both_directions)
{
    static const struct {
        const char *op;
        int64_t gates, batch, before;
    } rows[] = {{"LSTM", 4, 1, 0}, {"LSTM", 4, 3, 0}, {"GRU", 3, 2, 0}, {"GRU", 3, 1, 1}, {"RNN", 1, 2, 0}};
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        fixture f;
        begin(&f);
        const int64_t hidden = 19, in = 23, gates = rows[r].gates * hidden;
        input(&f, "x", 3, (int64_t[]){17, rows[r].batch, in});
        weight(&f, "w", 3, (int64_t[]){2, gates, in}, -0.5f, 0.5f);
        weight(&f, "r", 3, (int64_t[]){2, gates, hidden}, -0.3f, 0.3f);
        weight(&f, "b", 2, (int64_t[]){2, 2 * gates}, -0.5f, 0.5f);
        pg_wire_message *n = node(&f, rows[r].op, "x,w,r,b", "y");
        pg_build_attr_int(&f.arena, n, "hidden_size", hidden);
        pg_build_attr_str(&f.arena, n, "direction", "bidirectional");
        if (rows[r].before != 0)
            pg_build_attr_int(&f.arena, n, "linear_before_reset", rows[r].before);
        check(&f);
    }
}

/* Attention as exporters spell it: heads split by transpositions or given, keys turned in one step, two or not at
 * all, the scale before or after, masks of several shapes; long enough for several blocks of queries. */
TEST(attention_is_found)
{
    enum { B = 2, H = 3, M = 70, N = 41, D = 10 };
    static const struct {
        bool apart, multiply;
        int k_form; /* 0: B, H, D, N is given; 1: turned from B, H, N, D; 2: from B, N, H, D */
        int64_t heads, mask_rank, mask[4];
    } rows[] = {
        {true, false, 2, H, 4, {1, 1, M, N}}, {true, true, 1, H, 2, {M, N}},
        {true, false, 0, H, 0, {0}},          {false, true, 1, H, 4, {B, 1, 1, N}},
        {true, false, 2, 1, 4, {1, H, M, 1}}, {false, false, 1, 1, 1, {N}},
    };
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        fixture f;
        begin(&f);
        const int64_t heads = rows[r].heads;
        input(&f, "x", 4, rows[r].apart ? (int64_t[]){B, M, H, D} : (int64_t[]){B, H, M, D});
        input(&f, "k", 4,
              rows[r].k_form == 0   ? (int64_t[]){B, heads, D, N}
              : rows[r].k_form == 1 ? (int64_t[]){B, heads, N, D}
                                    : (int64_t[]){B, N, heads, D});
        input(&f, "v", 4, rows[r].apart ? (int64_t[]){B, N, heads, D} : (int64_t[]){B, heads, N, D});
        scalar(&f, "scale", rows[r].multiply ? 0.3f : 3.0f);
        if (rows[r].apart) {
            ints(&f, node(&f, "Transpose", "x", "q"), "perm", INTS(0, 2, 1, 3));
            ints(&f, node(&f, "Transpose", "v", "u"), "perm", INTS(0, 2, 1, 3));
        }
        if (rows[r].k_form == 1)
            ints(&f, node(&f, "Transpose", "k", "t"), "perm", INTS(0, 1, 3, 2));
        if (rows[r].k_form == 2)
            ints(&f, node(&f, "Transpose", "k", "t"), "perm", INTS(0, 2, 3, 1));
        char names[64];
        snprintf(names, sizeof names, "%s,%s", rows[r].apart ? "q" : "x", rows[r].k_form == 0 ? "k" : "t");
        node(&f, "MatMul", names, "scores");
        node(&f, rows[r].multiply ? "Mul" : "Div", "scores,scale", "scaled");
        if (rows[r].mask_rank > 0) {
            weight(&f, "mask", (size_t)rows[r].mask_rank, rows[r].mask, -3, 3);
            node(&f, "Add", r % 2 == 0 ? "scaled,mask" : "mask,scaled", "masked");
        }
        node(&f, "Softmax", rows[r].mask_rank > 0 ? "masked" : "scaled", "weights");
        node(&f, "MatMul", rows[r].apart ? "weights,u" : "weights,v", rows[r].apart ? "mixed" : "y");
        if (rows[r].apart)
            ints(&f, node(&f, "Transpose", "mixed", "y"), "perm", INTS(0, 2, 1, 3));
        check(&f);
    }
}

/* The two spellings of GELU by tanh, Mish, nodes that do nothing between them, and a bias of full rank. */
TEST(activations_by_tanh_are_found)
{
    for (int spelling = 0; spelling < 3; spelling++) {
        fixture f;
        begin(&f);
        input(&f, "x", 3, (int64_t[]){2, 9, 21});
        scalar(&f, "k", 0.7978845608f);
        scalar(&f, "c", 0.044715f);
        scalar(&f, "one", 1);
        scalar(&f, "half", 0.5f);
        scalar(&f, "three", 3);
        weight(&f, "w", 2, (int64_t[]){21, 33}, -1, 1);
        weight(&f, "b", 3, (int64_t[]){1, 1, 33}, -2, 2);
        ints(&f, node(&f, "Transpose", "x", "t0"), "perm", INTS(0, 2, 1));
        ints(&f, node(&f, "Transpose", "t0", "t1"), "perm", INTS(2, 0, 1));
        ints(&f, node(&f, "Transpose", "t1", "t2"), "perm", INTS(1, 0, 2));
        node(&f, "Identity", "t2", "i");
        node(&f, "MatMul", "i,w", "m");
        node(&f, "Add", "m,b", "a");
        node(&f, "Dropout", "a", "p");
        if (spelling == 0) { /* k (p + c p^3), the half before the product with p */
            node(&f, "Mul", "c,p", "u0");
            node(&f, "Mul", "p,u0", "u1");
            node(&f, "Mul", "p,u1", "u2");
            node(&f, "Add", "p,u2", "u3");
            node(&f, "Mul", "k,u3", "u4");
            node(&f, "Tanh", "u4", "u5");
            node(&f, "Add", "one,u5", "u6");
            node(&f, "Mul", "half,u6", "u7");
            node(&f, "Mul", "p,u7", "y");
        } else if (spelling == 1) { /* k p (1 + c p^2), half of p times the sum */
            node(&f, "Mul", "p,half", "h");
            node(&f, "Mul", "p,k", "u0");
            node(&f, "Mul", "p,p", "u1");
            node(&f, "Mul", "u1,c", "u2");
            node(&f, "Add", "u2,one", "u3");
            node(&f, "Mul", "u0,u3", "u4");
            node(&f, "Tanh", "u4", "u5");
            node(&f, "Add", "u5,one", "u6");
            node(&f, "Mul", "h,u6", "y");
        } else {
            node(&f, "Softplus", "p", "u0");
            node(&f, "Tanh", "u0", "u1");
            node(&f, "Mul", "p,u1", "y");
        }
        check(&f);
    }
}

TEST(every_tactic_was_tried)
{
    for (pg_tactic_id tactic = 1; tactic < PG_TACTICS; tactic++)
        if ((tactics_seen & PG_TACTIC_BIT(tactic)) == 0 &&
            (tactic != PG_TACTIC_ONEDNN || pg_onednn_available()))
            FAIL_TEST("no graph offers '%s'", pg_tactic_name(tactic));
}

static void find_onednn(void)
{
    char path[1024];
    const char *variable = getenv("POLYGRAPHY_ONEDNN"), *home = getenv("HOME");
    snprintf(path, sizeof path, "%s/.cache/polygraphy-c/runtime/onednn/libdnnl.so.3",
             home != NULL ? home : "");
    if (variable == NULL && access(path, R_OK) == 0)
        pg_onednn_configure(path, true);
    if (pg_onednn_available())
        printf("# with oneDNN %s\n", pg_onednn_version());
    else
        printf("# without oneDNN: %s\n", pg_onednn_reason());
}

TEST_MAIN(find_onednn(); RUN(bfloat16_models); RUN(bfloat16_mode_rounds_factors);
          RUN(convolutions_of_many_shapes); RUN(convolutions_by_winograd); RUN(slopes_join_convolutions);
          RUN(swish_and_scalings_join_convolutions); RUN(batch_norm_sum_and_activation_join_convolutions);
          RUN(large_convolutions_pack_when_they_run); RUN(large_products_pack_when_they_run);
          RUN(large_recurrent_weights_pack_when_they_run); RUN(addends_of_another_shape_are_broadcast);
          RUN(transposed_convolutions); RUN(products_take_bias_sum_and_gate);
          RUN(layer_norm_and_gelu_are_found); RUN(recurrent_layers_in_both_directions);
          RUN(attention_is_found); RUN(activations_by_tanh_are_found); RUN(every_tactic_was_tried);)
