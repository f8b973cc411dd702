/* Scalings folded into the weights before them: the model computes the same, with fewer nodes. */
#include <math.h>

#include "native/native.h"
#include "onnx/build.h"
#include "onnx/edit.h"
#include "surgery/affine.h"
#include "unit/harness.h"

static uint32_t seed = 7;
static float draw(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (float)(int32_t)seed / 2147483648.0f;
}

static void add_weight(pg_arena *arena, pg_wire_message *graph, const char *name, size_t rank,
                       const int64_t *dims, float low)
{
    pg_tensor t;
    CHECK_OK(pg_tensor_alloc(&t, PG_F32, rank, dims));
    for (uint64_t i = 0; i < pg_tensor_count(&t); i++)
        ((float *)t.data)[i] = low > 0 ? low + fabsf(draw()) : draw();
    pg_build_weight(arena, graph, pg_build_tensor(arena, name, &t));
    pg_tensor_deinit(&t);
}

typedef struct fixture {
    pg_arena arena;
    pg_wire_message *graph;
} fixture;

static fixture begin(const char *dims)
{
    fixture f = {0};
    f.graph = pg_build_graph(&f.arena, "g");
    pg_build_input(&f.arena, f.graph, "x", PG_F32, dims);
    return f;
}

static void weight(fixture *f, const char *name, size_t rank, const int64_t *dims)
{
    add_weight(&f->arena, f->graph, name, rank, dims, 0);
}

/* BatchNormalization over `channels` with its statistics. */
static void batch_norm(fixture *f, const char *from, const char *to, int64_t channels)
{
    char inputs[64];
    snprintf(inputs, sizeof inputs, "%s,gamma,beta,mean,variance", from);
    weight(f, "gamma", 1, &channels);
    weight(f, "beta", 1, &channels);
    weight(f, "mean", 1, &channels);
    add_weight(&f->arena, f->graph, "variance", 1, &channels, 0.5f);
    pg_build_node(&f->arena, f->graph, "BatchNormalization", "bn", inputs, to);
}

static pg_model *finish(fixture *f)
{
    pg_model *model = NULL;
    CHECK_OK(pg_model_from_wire(&f->arena, pg_build_model(&f->arena, f->graph, 17), NULL, "test", &model));
    return model;
}

static void run(pg_model *model, const pg_tensor *x, pg_feed *out)
{
    pg_session *session;
    pg_feed feed = {0};
    const pg_native_options options = {.no_optimization = true, .float64 = true};
    CHECK_OK(pg_session_new(model, &options, &session));
    pg_feed_add(&feed, PG_STR("x"), pg_value_of_tensor(pg_tensor_share(x)));
    CHECK_OK(pg_session_run(session, &feed, out));
    pg_feed_deinit(&feed);
    pg_session_free(session);
}

/* Folds; the results agree and `folded` nodes are gone. Takes the fixture over. */
static pg_model *check(fixture *f, size_t rank, const int64_t *dims, size_t folded)
{
    pg_model *model = finish(f), *changed = NULL;
    pg_tensor x;
    size_t count;
    pg_feed before = {0}, after = {0};
    CHECK_OK(pg_tensor_alloc(&x, PG_F32, rank, dims));
    for (uint64_t i = 0; i < pg_tensor_count(&x); i++)
        ((float *)x.data)[i] = draw();
    CHECK_OK(pg_surgery_fold_affine(model, NULL, &count, &changed));
    CHECK_INT(count, folded);
    CHECK_INT(changed->graph->n_nodes, model->graph->n_nodes - folded);
    run(model, &x, &before);
    run(changed, &x, &after);
    CHECK_INT(after.count, before.count);
    for (size_t o = 0; o < after.count; o++) {
        const pg_tensor *want = &before.items[o].value.tensor, *got = &after.items[o].value.tensor;
        CHECK_INT(pg_tensor_count(got), pg_tensor_count(want));
        for (uint64_t i = 0; i < pg_tensor_count(want); i++)
            CHECK_NEAR(((const float *)got->data)[i], ((const float *)want->data)[i], 2e-5);
    }
    pg_feed_deinit(&before);
    pg_feed_deinit(&after);
    pg_tensor_deinit(&x);
    pg_model_unref(model);
    return changed;
}

TEST(convolution_with_everything_behind_it)
{
    fixture f = begin("2,4,5,5");
    weight(&f, "w", 4, (int64_t[]){6, 2, 3, 3});
    weight(&f, "b", 1, (int64_t[]){6});
    weight(&f, "k", 3, (int64_t[]){6, 1, 1});
    weight(&f, "one", 0, NULL);
    pg_wire_message *conv = pg_build_node(&f.arena, f.graph, "Conv", "conv", "x,w,b", "c");
    pg_build_attr_int(&f.arena, conv, "group", 2);
    batch_norm(&f, "c", "n", 6);
    pg_build_node(&f.arena, f.graph, "Mul", "mul", "k,n", "m");
    pg_build_node(&f.arena, f.graph, "Sub", "sub", "one,m", "y");
    pg_build_output(&f.arena, f.graph, "y", PG_F32, "2,6,3,3");
    pg_model *changed = check(&f, 4, (int64_t[]){2, 4, 5, 5}, 3);
    CHECK_INT(changed->graph->n_weights, 2); /* what nobody reads any more went */
    CHECK(pg_str_is(changed->graph->nodes[0].outputs[0], "y"));
    pg_model_unref(changed);
}

TEST(transposed_convolution_in_groups)
{
    fixture f = begin("1,4,3,3");
    weight(&f, "w", 4, (int64_t[]){4, 3, 2, 2});
    pg_wire_message *conv = pg_build_node(&f.arena, f.graph, "ConvTranspose", "conv", "x,w", "c");
    pg_build_attr_int(&f.arena, conv, "group", 2);
    batch_norm(&f, "c", "y", 6);
    pg_build_output(&f.arena, f.graph, "y", PG_F32, "1,6,4,4");
    pg_model_unref(check(&f, 4, (int64_t[]){1, 4, 3, 3}, 1));
}

TEST(gemm_either_way)
{
    for (int64_t turned = 0; turned < 2; turned++) {
        fixture f = begin("3,5");
        weight(&f, "w", 2, turned ? (int64_t[]){7, 5} : (int64_t[]){5, 7});
        weight(&f, "k", 1, (int64_t[]){7});
        pg_wire_message *gemm = pg_build_node(&f.arena, f.graph, "Gemm", "gemm", "x,w", "c");
        pg_build_attr_int(&f.arena, gemm, "transB", turned);
        batch_norm(&f, "c", "n", 7);
        pg_build_node(&f.arena, f.graph, "Div", "div", "n,k", "y");
        pg_build_output(&f.arena, f.graph, "y", PG_F32, "3,7");
        pg_model_unref(check(&f, 2, (int64_t[]){3, 5}, 2));
    }
}

TEST(what_others_see_stays)
{
    fixture f = begin("1,4,3,3"); /* an output, and a second reader */
    weight(&f, "w", 4, (int64_t[]){4, 4, 1, 1});
    weight(&f, "k", 3, (int64_t[]){4, 1, 1});
    pg_build_node(&f.arena, f.graph, "Conv", "", "x,w", "a");
    pg_build_node(&f.arena, f.graph, "Mul", "", "a,k", "b");
    pg_build_node(&f.arena, f.graph, "Conv", "", "b,w", "c");
    pg_build_node(&f.arena, f.graph, "Mul", "", "c,k", "d");
    pg_build_node(&f.arena, f.graph, "Add", "", "d,c", "e");
    pg_build_output(&f.arena, f.graph, "a", PG_F32, "1,4,3,3");
    pg_build_output(&f.arena, f.graph, "e", PG_F32, "1,4,3,3");
    pg_model_unref(check(&f, 4, (int64_t[]){1, 4, 3, 3}, 0));
}

TEST(weights_of_two_convolutions)
{
    fixture f = begin("1,4,3,3"); /* one is scaled, the other not */
    weight(&f, "w", 4, (int64_t[]){4, 4, 1, 1});
    weight(&f, "k", 3, (int64_t[]){4, 1, 1});
    pg_build_node(&f.arena, f.graph, "Conv", "", "x,w", "a");
    pg_build_node(&f.arena, f.graph, "Mul", "", "a,k", "b");
    pg_build_node(&f.arena, f.graph, "Conv", "", "b,w", "c");
    pg_build_output(&f.arena, f.graph, "c", PG_F32, "1,4,3,3");
    pg_model_unref(check(&f, 4, (int64_t[]){1, 4, 3, 3}, 1));
}

TEST(constants_of_other_shapes_stay)
{
    fixture f = begin("1,4,3,3"); /* per column, not per channel */
    weight(&f, "w", 4, (int64_t[]){4, 4, 1, 1});
    weight(&f, "k", 1, (int64_t[]){3});
    pg_build_node(&f.arena, f.graph, "Conv", "", "x,w", "a");
    pg_build_node(&f.arena, f.graph, "Mul", "", "a,k", "b");
    pg_build_output(&f.arena, f.graph, "b", PG_F32, "1,4,3,3");
    pg_model_unref(check(&f, 4, (int64_t[]){1, 4, 3, 3}, 0));
}

TEST_MAIN(RUN(convolution_with_everything_behind_it); RUN(transposed_convolution_in_groups);
          RUN(gemm_either_way); RUN(what_others_see_stays); RUN(weights_of_two_convolutions);
          RUN(constants_of_other_shapes_stay);)
