/* Elementwise nodes that run as one Chain give the bits of the nodes alone: random chains over every operator that
 * joins one, shapes that are repeated in every way, layouts, element types, threads and instruction sets. */
#include "unit/harness.h"

#include "native/internal.h"
#include "native/ops/chain.h"
#include "onnx/build.h"
#include "onnx/edit.h"
#include "onnx/wire.h"

typedef struct fixture {
    pg_arena arena;
    pg_wire_message *graph;
    pg_model *model;
    pg_feed feed;
} fixture;

static uint32_t seed;
static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static pg_tensor random_tensor(pg_dtype dtype, size_t rank, const int64_t *dims)
{
    pg_tensor t, converted;
    CHECK_OK(pg_tensor_alloc(&t, PG_F32, rank, dims));
    for (uint64_t i = 0; i < pg_tensor_count(&t); i++)
        ((float *)t.data)[i] = (float)((int)draw(4001) - 2000) / 500;
    for (uint64_t i = 7; i < pg_tensor_count(&t); i += 61)
        ((float *)t.data)[i] = i % 2 != 0 ? NAN : i % 3 != 0 ? INFINITY : -0.0f;
    CHECK_OK(pg_tensor_cast(&t, dtype, NULL, &converted));
    pg_tensor_deinit(&t);
    return converted;
}

static void begin(fixture *f)
{
    *f = (fixture){0};
    f->graph = pg_build_graph(&f->arena, "g");
}

static void input(fixture *f, const char *name, pg_dtype dtype, size_t rank, const int64_t *dims)
{
    pg_build_input(&f->arena, f->graph, name, dtype, NULL);
    pg_feed_add(&f->feed, pg_str_c(name), pg_value_of_tensor(random_tensor(dtype, rank, dims)));
}

static void weight(fixture *f, const char *name, pg_dtype dtype, size_t rank, const int64_t *dims)
{
    pg_tensor t = random_tensor(dtype, rank, dims);
    pg_build_weight(&f->arena, f->graph, pg_build_tensor(&f->arena, name, &t));
    pg_tensor_deinit(&t);
}

static void number(fixture *f, const char *name, pg_dtype dtype, float value)
{
    pg_tensor t, converted;
    CHECK_OK(pg_tensor_alloc(&t, PG_F32, 0, NULL));
    *(float *)t.data = value;
    CHECK_OK(pg_tensor_cast(&t, dtype, NULL, &converted));
    pg_build_weight(&f->arena, f->graph, pg_build_tensor(&f->arena, name, &converted));
    pg_tensor_deinit(&converted);
    pg_tensor_deinit(&t);
}

static pg_wire_message *node(fixture *f, const char *op, const char *in, const char *out)
{
    return pg_build_node(&f->arena, f->graph, op, out, in, out);
}

static void finish(fixture *f)
{
    pg_build_output(&f->arena, f->graph, "y", PG_F32, NULL);
    CHECK_OK(pg_model_from_wire(&f->arena, pg_build_model(&f->arena, f->graph, 20), NULL, "test", &f->model));
}

static void end(fixture *f)
{
    pg_feed_deinit(&f->feed);
    pg_model_unref(f->model);
    pg_arena_deinit(&f->arena);
}

/* What a session of a model was found to be. */
typedef struct seen {
    size_t layers, chains, parts, whole; /* whole: chains that ran in one walk */
    uint64_t peak;
    pg_tensor result;
} seen;

static void look_at(const pg_plan *plan, seen *out)
{
    out->layers += plan->n_nodes;
    for (size_t i = 0; i < plan->n_nodes; i++) {
        const pg_op *op = &plan->nodes[i].op;
        if (!pg_str_is(op->node->op_type, "Chain"))
            continue;
        out->chains++;
        out->parts += op->subgraphs[0]->n_nodes;
        out->whole += op->state != NULL && ((const chain_program *)op->state)->fits;
    }
}

static seen infer(const fixture *f, const pg_native_options *options)
{
    seen out = {0};
    pg_session *session = NULL;
    CHECK_OK(pg_session_new(f->model, options, &session));
    for (int i = 0; i < 2 && session != NULL; i++) {
        pg_feed results = {0};
        CHECK_OK(pg_session_run(session, &f->feed, &results));
        if (results.count == 1 && i == 1)
            out.result = pg_tensor_share(&results.items[0].value.tensor);
        pg_feed_deinit(&results);
    }
    if (session != NULL) {
        look_at(session->plan, &out);
        out.peak = pg_session_peak_bytes(session);
    }
    pg_session_free(session);
    return out;
}

/* The same bits, but that one NaN is as good as another. */
static bool same_bits(const pg_tensor *a, const pg_tensor *b)
{
    if (a->dtype != b->dtype || !pg_tensor_same_shape(a, b) || pg_tensor_bytes(a) != pg_tensor_bytes(b))
        return false;
    const size_t size = pg_dtype_get(a->dtype)->bits / 8;
    for (uint64_t i = 0; i < pg_tensor_count(a); i++)
        if (memcmp((char *)a->data + i * size, (char *)b->data + i * size, size) != 0 &&
            !(pg_dtype_is_float(a->dtype) && isnan(pg_tensor_get_f64(a, i)) &&
              isnan(pg_tensor_get_f64(b, i))))
            return false;
    return true;
}

/* With one and two threads and on every instruction set, as written and as chains. */
static seen check(fixture *f, const char *what)
{
    static const char *const sets[] = {"base", "avx2", "avx512"};
    seen first = {0};
    finish(f);
    for (size_t s = 0; s < PG_COUNT(sets); s++) {
        const pg_simd *simd = pg_simd_named(pg_str_c(sets[s]));
        if (simd == NULL)
            continue;
        pg_simd_use(simd);
        seen truth = infer(f, &(pg_native_options){.threads = 1, .no_optimization = true});
        CHECK_INT(truth.chains, 0);
        for (unsigned threads = 1; threads <= 2; threads++) {
            seen found = infer(f, &(pg_native_options){.threads = threads});
            if (!same_bits(&truth.result, &found.result))
                FAIL_TEST("%s: chains differ from their nodes (%s, %u threads)", what, sets[s], threads);
            pg_tensor_deinit(&found.result);
            first = found;
        }
        pg_tensor_deinit(&truth.result);
    }
    end(f);
    return first;
}

/* ---- Operators ---- */

static void add_extras(fixture *f, const char *op, pg_wire_message *made)
{
    if (strcmp(op, "LeakyRelu") == 0 || strcmp(op, "Elu") == 0)
        pg_build_attr_float(&f->arena, made, "alpha", 0.3f);
    if (strcmp(op, "HardSigmoid") == 0)
        pg_build_attr_float(&f->arena, made, "beta", 0.4f);
    if (strcmp(op, "Gelu") == 0)
        pg_build_attr_str(&f->arena, made, "approximate", draw(2) != 0 ? "tanh" : "none");
}

static const char *const unary[] = {
    "Abs",        "Acos",
    "Acosh",      "Asin",
    "Asinh",      "Atan",
    "Atanh",      "Ceil",
    "Celu",       "Cos",
    "Cosh",       "Elu",
    "Erf",        "Exp",
    "Floor",      "Gelu",
    "HardSwish",  "LeakyRelu",
    "Log",        "Mish",
    "Neg",        "Relu",
    "Round",      "Selu",
    "Reciprocal", "Sigmoid",
    "Sign",       "HardSigmoid",
    "Shrink",     "Sin",
    "Sinh",       "Softplus",
    "Softsign",   "ThresholdedRelu",
    "Sqrt",       "Tan",
    "Tanh",
};
static const char *const binary[] = {"Add", "Sub", "Mul", "Div", "Max", "Min", "Mod", "PRelu", "Sum"};
static const char *const tests[] = {"Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual"};
static const char *const logic[] = {"And", "Or", "Xor"};

/* x -> op -> op2 -> y, each operator with itself and with an Add after it. */
TEST(every_operator_gives_its_bits)
{
    seed = 1;
    for (size_t i = 0; i < PG_COUNT(unary); i++) {
        fixture f;
        begin(&f);
        input(&f, "x", PG_F32, 2, (int64_t[]){3, 1037});
        weight(&f, "w", PG_F32, 1, (int64_t[]){1037});
        add_extras(&f, unary[i], node(&f, unary[i], "x", "a"));
        node(&f, "Sub", "a,w", "b");
        add_extras(&f, unary[i], node(&f, unary[i], "b", "y"));
        seen s = check(&f, unary[i]);
        CHECK_INT(s.parts, 3);
        CHECK_INT(s.whole, 1);
    }
    for (size_t i = 0; i < PG_COUNT(binary); i++) {
        fixture f;
        begin(&f);
        input(&f, "x", PG_F32, 2, (int64_t[]){3, 1037});
        input(&f, "z", PG_F32, 2, (int64_t[]){3, 1037});
        if (strcmp(binary[i], "Mod") == 0)
            pg_build_attr_int(&f.arena, node(&f, binary[i], "x,z", "a"), "fmod", 1);
        else
            node(&f, binary[i], "x,z", "a");
        node(&f, "Abs", "a", "y");
        seen s = check(&f, binary[i]);
        CHECK_INT(s.parts, 2);
        CHECK_INT(s.whole, 1);
    }
}

TEST(comparisons_choose)
{
    seed = 2;
    for (size_t i = 0; i < PG_COUNT(tests) * PG_COUNT(logic); i++) {
        fixture f;
        begin(&f);
        input(&f, "x", PG_F32, 3, (int64_t[]){2, 5, 400});
        input(&f, "z", PG_F32, 3, (int64_t[]){2, 5, 1});
        number(&f, "zero", PG_F32, 0);
        node(&f, tests[i % PG_COUNT(tests)], "x,z", "t");
        node(&f, tests[(i + 2) % PG_COUNT(tests)], "z,zero", "u");
        node(&f, logic[i / PG_COUNT(tests)], "t,u", "c");
        node(&f, "Not", "c", "n");
        node(&f, "IsNaN", "x", "v");
        node(&f, "Or", "n,v", "m");
        node(&f, "Where", "m,zero,x", "w");
        node(&f, "Exp", "w", "y");
        seen s = check(&f, tests[i % PG_COUNT(tests)]);
        CHECK_INT(s.chains, 1);
        CHECK_INT(s.parts, 8);
        CHECK_INT(s.whole, 1);
    }
}

/* ---- Shapes ---- */

/* One of the shapes that are repeated along the dims of `dims`. */
static size_t part_of(size_t rank, const int64_t *dims, int64_t *out)
{
    const size_t kept = draw(4) == 0 ? draw((uint32_t)rank + 1) : rank;
    for (size_t i = 0; i < kept; i++)
        out[i] = draw(3) == 0 ? 1 : dims[rank - kept + i];
    return kept;
}

static pg_dtype random_floats(void)
{
    static const pg_dtype types[] = {PG_F32, PG_F32, PG_F32, PG_F64, PG_F16, PG_BF16};
    return types[draw(PG_COUNT(types))];
}

/* A random graph of one type; its nodes read what was made before, each at least once. */
static void random_chain(fixture *f, pg_dtype dtype, size_t rank, const int64_t *dims)
{
    const int count = 2 + (int)draw(12);
    char in[96], out[16], other[16];
    input(f, "v0", dtype, rank, dims);
    for (int i = 1; i <= count; i++) {
        int64_t some[PG_MAX_RANK];
        snprintf(out, sizeof out, i == count ? "y" : "v%d", i);
        snprintf(other, sizeof other, "w%d", i);
        if (draw(2) != 0) {
            snprintf(in, sizeof in, "v%d", i - 1);
            const char *op = unary[draw(PG_COUNT(unary))];
            add_extras(f, op, node(f, op, in, out));
            continue;
        }
        const uint32_t kind = draw(4);
        const size_t n = part_of(rank, dims, some);
        if (kind == 0)
            weight(f, other, dtype, n, some);
        else if (kind == 1)
            input(f, other, dtype, n, some);
        else if (kind == 2)
            number(f, other, dtype, 1.25f);
        else
            snprintf(other, sizeof other, "v%u", draw((uint32_t)i));
        const bool swap = draw(2) != 0;
        snprintf(in, sizeof in, swap ? "%s,v%d" : "%1$s,v%2$d", other, i - 1);
        const char *op = binary[draw(6)];
        node(f, op, in, out);
    }
}

TEST(random_chains_give_the_bits_of_their_nodes)
{
    size_t parts = 0, whole = 0, chains = 0;
    for (uint32_t i = 0; i < 250; i++) {
        static const int64_t lengths[] = {1, 2, 3, 5, 17, 64, 100, 257, 300};
        fixture f;
        char what[32];
        seed = 1000 + i;
        begin(&f);
        const size_t rank = draw(5);
        int64_t dims[PG_MAX_RANK], count = 1;
        for (size_t d = 0; d < rank; d++) {
            dims[d] = lengths[draw(PG_COUNT(lengths))];
            dims[d] = count * dims[d] > 60000 ? 2 : dims[d];
            count *= dims[d];
        }
        if (draw(20) == 0 && rank > 0)
            dims[draw((uint32_t)rank)] = 0;
        random_chain(&f, random_floats(), rank, dims);
        snprintf(what, sizeof what, "seed %u", i);
        seen s = check(&f, what);
        parts += s.parts;
        chains += s.chains;
        whole += s.whole;
    }
    printf("# %zu chains of %zu nodes, %zu in one walk\n", chains, parts, whole);
    CHECK(chains > 200 && parts > 3 * chains && whole > chains * 9 / 10);
}

/* Convolutions leave channels-last; what follows is of both layouts. */
TEST(layouts_join)
{
    for (uint32_t i = 0; i < 40; i++) {
        fixture f;
        seed = 5000 + i;
        begin(&f);
        const int64_t channels = i % 2 != 0 ? 3 : 20, side = i % 3 != 0 ? 9 : 31;
        input(&f, "x", PG_F32, 4, (int64_t[]){2, 4, side, side});
        weight(&f, "k", PG_F32, 4, (int64_t[]){channels, 4, 1, 1});
        node(&f, "Conv", "x,k", "c");
        node(&f, "Softsign", "c", "d");
        input(&f, "r", PG_F32, 4, (int64_t[]){2, channels, side, side});
        weight(&f, "s", PG_F32, 3, (int64_t[]){channels, 1, 1});
        weight(&f, "t", PG_F32, i % 4 < 2 ? 1 : 2, (int64_t[]){side, side});
        node(&f, "Mul", "d,s", "e");
        node(&f, "Add", i % 5 != 0 ? "e,t" : "e,d", "g");
        node(&f, "Max", "g,r", "h");
        node(&f, "Ceil", "h", "y");
        finish(&f);
        seen truth =
            infer(&f, &(pg_native_options){.threads = 1, .no_optimization = true, .no_onednn = true});
        seen found = infer(&f, &(pg_native_options){.threads = 1, .no_onednn = true});
        CHECK_INT(found.whole, 1);
        CHECK(pg_tensor_same_shape(&truth.result, &found.result));
        double worst = 0; /* rounding of a convolution's sums may move a Ceil */
        for (uint64_t k = 0; k < pg_tensor_count(&truth.result); k++) {
            const double a = pg_tensor_get_f64(&truth.result, k), b = pg_tensor_get_f64(&found.result, k);
            worst += isfinite(a) && isfinite(b) ? a != b : isnan(a) != isnan(b);
        }
        CHECK(worst <= (double)pg_tensor_count(&truth.result) * 1e-3);
        pg_tensor_deinit(&truth.result);
        pg_tensor_deinit(&found.result);
        end(&f);
    }
}

/* ---- What a chain is made of ---- */

TEST(types_may_change_inside)
{
    fixture f;
    seed = 3;
    begin(&f);
    input(&f, "x", PG_F16, 2, (int64_t[]){7, 300});
    input(&f, "z", PG_I32, 2, (int64_t[]){7, 1});
    weight(&f, "b", PG_F32, 1, (int64_t[]){300});
    number(&f, "two", PG_I64, 2);
    pg_build_attr_int(&f.arena, node(&f, "Cast", "x", "a"), "to", PG_F32);
    pg_build_attr_int(&f.arena, node(&f, "Cast", "z", "c"), "to", PG_F32);
    node(&f, "Mul", "a,c", "d");
    node(&f, "Pow", "d,two", "e");
    node(&f, "Add", "e,b", "g");
    pg_build_attr_int(&f.arena, node(&f, "Cast", "g", "h"), "to", PG_BF16);
    node(&f, "Sqrt", "h", "i");
    pg_build_attr_int(&f.arena, node(&f, "Cast", "i", "y"), "to", PG_I32);
    seen s = check(&f, "casts");
    CHECK_INT(s.chains, 1);
    CHECK_INT(s.parts, 8);
    CHECK_INT(s.whole, 1);
}

TEST(outputs_and_other_readers_end_chains)
{
    fixture f;
    seed = 4;
    begin(&f);
    input(&f, "x", PG_F32, 2, (int64_t[]){4, 300});
    node(&f, "Abs", "x", "a");
    node(&f, "Sqrt", "a", "b");
    node(&f, "Neg", "b", "c");
    node(&f, "ReduceSum", "b", "r"); /* reads inside */
    node(&f, "Add", "c,r", "y");
    seen s = check(&f, "two readers");
    CHECK_INT(s.chains, 2);
    CHECK_INT(s.parts, 4);
    begin(&f);
    input(&f, "x", PG_F32, 2, (int64_t[]){4, 300});
    node(&f, "Abs", "x", "a");
    node(&f, "Sqrt", "a", "b");
    node(&f, "Neg", "b", "y");
    pg_build_output(&f.arena, f.graph, "a", PG_F32, NULL);
    finish(&f);
    seen marked = {0};
    pg_session *session = NULL;
    CHECK_OK(pg_session_new(f.model, NULL, &session));
    look_at(session->plan, &marked);
    CHECK_INT(marked.layers, 2);
    CHECK_INT(marked.parts, 2);
    CHECK(pg_str_is(pg_session_layer(session, 1)->name, "b + y"));
    pg_session_free(session);
    end(&f);
}

/* Integers are divided by their own node; types that do not agree are that node's error. */
TEST(what_does_not_fit_runs_node_by_node)
{
    fixture f;
    seed = 5;
    begin(&f);
    input(&f, "x", PG_I32, 2, (int64_t[]){4, 300});
    number(&f, "most", PG_I32, 1);
    node(&f, "Max", "x,most", "d");
    node(&f, "Div", "x,d", "e");
    node(&f, "Neg", "e", "y");
    seen s = check(&f, "integers");
    CHECK_INT(s.chains, 1);
    CHECK_INT(s.whole, 0);
    static const struct {
        pg_dtype dtype;
        int64_t dims[2];
        const char *error;
    } wrong[] = {
        {PG_F64, {4, 300}, "Add 'b': the inputs' types differ: float32 and float64"},
        {PG_F32, {4, 299}, "Add 'b': shapes (4, 300) and (4, 299) cannot be broadcast together"},
    };
    for (size_t i = 0; i < PG_COUNT(wrong); i++) {
        begin(&f);
        input(&f, "x", PG_F32, 2, (int64_t[]){4, 300});
        input(&f, "z", wrong[i].dtype, 2, wrong[i].dims);
        node(&f, "Abs", "x", "a");
        node(&f, "Add", "a,z", "b");
        node(&f, "Neg", "b", "y");
        finish(&f);
        pg_session *session = NULL;
        pg_feed results = {0};
        CHECK_OK(pg_session_new(f.model, NULL, &session));
        CHECK_ERR(pg_session_run(session, &f.feed, &results), PG_ERR_INVALID, wrong[i].error);
        CHECK_ERR(pg_session_run(session, &f.feed, &results), PG_ERR_INVALID, wrong[i].error);
        pg_session_free(session);
        end(&f);
    }
}

/* One session for inputs whose shapes and types change from run to run. */
TEST(shapes_may_change_between_runs)
{
    static const struct {
        pg_dtype dtype;
        size_t rank;
        int64_t dims[3];
    } runs[] = {{PG_F32, 2, {3, 100}}, {PG_F32, 3, {2, 3, 100}}, {PG_F32, 2, {3, 100}}, {PG_F64, 2, {1, 100}},
                {PG_F32, 1, {100}},    {PG_F32, 2, {0, 100}},    {PG_F32, 2, {3, 1}}};
    fixture f;
    pg_session *chained = NULL, *plain = NULL;
    begin(&f);
    pg_build_input(&f.arena, f.graph, "x", PG_F32, NULL);
    pg_build_input(&f.arena, f.graph, "z", PG_F32, NULL);
    node(&f, "Abs", "x", "a");
    node(&f, "Add", "a,z", "b");
    node(&f, "Sqrt", "b", "y");
    finish(&f);
    CHECK_OK(pg_session_new(f.model, &(pg_native_options){.threads = 1}, &chained));
    CHECK_OK(pg_session_new(f.model, &(pg_native_options){.threads = 1, .no_optimization = true}, &plain));
    for (size_t i = 0; i < PG_COUNT(runs); i++) {
        pg_feed feed = {0}, a = {0}, b = {0};
        seed = (uint32_t)i;
        pg_feed_add(&feed, PG_STR("x"),
                    pg_value_of_tensor(random_tensor(runs[i].dtype, runs[i].rank, runs[i].dims)));
        pg_feed_add(&feed, PG_STR("z"),
                    pg_value_of_tensor(random_tensor(runs[i].dtype, 1, (int64_t[]){100})));
        CHECK_OK(pg_session_run(chained, &feed, &a));
        CHECK_OK(pg_session_run(plain, &feed, &b));
        CHECK(a.count == 1 && b.count == 1 && same_bits(&a.items[0].value.tensor, &b.items[0].value.tensor));
        pg_feed_deinit(&a);
        pg_feed_deinit(&b);
        pg_feed_deinit(&feed);
    }
    pg_session_free(chained);
    pg_session_free(plain);
    end(&f);
}

/* What an engine's file states are the parts; a session of it has the same nodes again. */
TEST(engines_hold_chains)
{
    fixture f;
    pg_model *lowered = NULL;
    pg_session *session = NULL;
    const pg_forms forms = {.path = "test"};
    seed = 7;
    begin(&f);
    input(&f, "x", PG_F16, 2, (int64_t[]){4, 300});
    weight(&f, "w", PG_F16, 1, (int64_t[]){300});
    node(&f, "Abs", "x", "a");
    node(&f, "Mul", "a,w", "b");
    node(&f, "Softmax", "b", "s");
    node(&f, "Mul", "s,w", "c");
    node(&f, "Sub", "c,x", "y");
    finish(&f);
    CHECK_OK(pg_session_new(f.model, &(pg_native_options){.for_engine = true}, &session));
    CHECK_OK(pg_session_lower(session, &lowered));
    seen direct = infer(&f, &(pg_native_options){.threads = 1});
    fixture g = {.model = lowered, .feed = f.feed};
    seen stored = infer(&g, &(pg_native_options){.threads = 1, .forms = &forms});
    CHECK_INT(direct.chains, 2);
    CHECK_INT(stored.chains, 2);
    CHECK_INT(stored.parts, 4);
    CHECK_INT(stored.layers, direct.layers);
    CHECK(same_bits(&direct.result, &stored.result));
    pg_tensor_deinit(&direct.result);
    pg_tensor_deinit(&stored.result);
    pg_model_unref(lowered);
    pg_session_free(session);
    end(&f);
}

/* Nothing between input and output is ever whole, and inputs of two branches are not held for the last node. */
TEST(memory_stays_small)
{
    enum { SIDE = 512, BYTES = SIDE * SIDE * 4 };
    fixture f;
    seed = 6;
    begin(&f);
    input(&f, "x", PG_F32, 2, (int64_t[]){SIDE, SIDE});
    node(&f, "Abs", "x", "a");
    node(&f, "Sqrt", "x", "b");
    node(&f, "Exp", "x", "c");
    node(&f, "Mul", "a,b", "d");
    node(&f, "Mul", "c,d", "y");
    seen s = check(&f, "three branches");
    CHECK(s.peak < BYTES + BYTES / 8);
}

TEST_MAIN(RUN(every_operator_gives_its_bits); RUN(comparisons_choose);
          RUN(random_chains_give_the_bits_of_their_nodes); RUN(layouts_join); RUN(types_may_change_inside);
          RUN(outputs_and_other_readers_end_chains); RUN(what_does_not_fit_runs_node_by_node);
          RUN(shapes_may_change_between_runs); RUN(engines_hold_chains); RUN(memory_stays_small);)
