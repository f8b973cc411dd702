/* The engine's planning and running: graphs that are wrong, values that live long enough, subgraphs,
 * functions, observers. */
#include "unit/harness.h"

#include "base/interrupt.h"
#include "native/native.h"
#include "native/profile.h"
#include "native/watch.h"
#include "onnx/build.h"
#include "onnx/edit.h"

typedef struct fixture {
    pg_arena arena;
    pg_wire_message *graph, *model_wire;
    pg_model *model;
    pg_session *session;
    pg_feed feed, out;
} fixture;

static void begin(fixture *f)
{
    *f = (fixture){0};
    f->graph = pg_build_graph(&f->arena, "g");
}

static pg_wire_message *node(fixture *f, const char *op, const char *name, const char *in, const char *out)
{
    return pg_build_node(&f->arena, f->graph, op, name, in, out);
}

static void io(fixture *f, const char *input, const char *output)
{
    if (input != NULL)
        pg_build_input(&f->arena, f->graph, input, PG_F32, "N");
    pg_build_output(&f->arena, f->graph, output, PG_F32, NULL);
}

static pg_status plan(fixture *f, const pg_native_options *options)
{
    if (f->model_wire == NULL)
        f->model_wire = pg_build_model(&f->arena, f->graph, 17);
    PG_TRY(pg_model_from_wire(&f->arena, f->model_wire, NULL, "test", &f->model));
    return pg_session_new(f->model, options, &f->session);
}

static void give(fixture *f, const char *name, size_t count, const float *values)
{
    pg_tensor tensor;
    CHECK_OK(pg_tensor_alloc(&tensor, PG_F32, 1, (int64_t[]){(int64_t)count}));
    memcpy(tensor.data, values, count * sizeof *values);
    pg_feed_add(&f->feed, pg_str_c(name), pg_value_of_tensor(tensor));
}

static pg_status run(fixture *f)
{
    pg_feed_deinit(&f->out);
    return pg_session_run(f->session, &f->feed, &f->out);
}

static float result(fixture *f, const char *name, size_t i)
{
    pg_value *value = pg_feed_find(&f->out, pg_str_c(name));
    return value != NULL && pg_tensor_count(&value->tensor) > i ? ((float *)value->tensor.data)[i]
                                                                : -12345.0f;
}

static void end(fixture *f)
{
    pg_feed_deinit(&f->feed);
    pg_feed_deinit(&f->out);
    pg_session_free(f->session);
    pg_model_unref(f->model);
    pg_arena_deinit(&f->arena);
}

TEST(runs_in_any_file_order)
{
    fixture f;
    begin(&f);
    io(&f, "x", "z");
    node(&f, "Neg", "second", "y", "z");
    node(&f, "Abs", "first", "x", "y");
    CHECK_OK(plan(&f, NULL));
    give(&f, "x", 2, (float[]){-3, 4});
    CHECK_OK(run(&f));
    CHECK_NEAR(result(&f, "z", 0), -3, 0);
    CHECK_NEAR(result(&f, "z", 1), -4, 0);
    end(&f);
}

TEST(cycle_is_named)
{
    fixture f;
    begin(&f);
    io(&f, "x", "b");
    node(&f, "Add", "one", "x,b", "a");
    node(&f, "Neg", "two", "a", "b");
    CHECK_ERR(plan(&f, NULL), PG_ERR_INVALID, "cycle: node 'one'");
    end(&f);
}

TEST(dangling_tensor_is_named)
{
    fixture f;
    begin(&f);
    io(&f, "x", "y");
    node(&f, "Add", "sum", "x,ghost", "y");
    CHECK_ERR(plan(&f, NULL), PG_ERR_INVALID, "node 'sum' (Add) reads 'ghost'");
    end(&f);
}

TEST(dangling_output_is_named)
{
    fixture f;
    begin(&f);
    io(&f, "x", "nowhere");
    node(&f, "Neg", "n", "x", "y");
    CHECK_ERR(plan(&f, NULL), PG_ERR_INVALID, "output 'nowhere'");
    end(&f);
}

TEST(two_sources_are_named)
{
    fixture f;
    begin(&f);
    io(&f, "x", "y");
    node(&f, "Neg", "a", "x", "y");
    node(&f, "Abs", "b", "x", "y");
    CHECK_ERR(plan(&f, NULL), PG_ERR_INVALID, "'y' has more than one source");
    end(&f);
}

TEST(unknown_operator_is_named_with_domain)
{
    fixture f;
    begin(&f);
    io(&f, "x", "y");
    f.model_wire = pg_build_model(&f.arena, f.graph, 17);
    pg_build_opset(&f.arena, f.model_wire, "my.domain", 3);
    node(&f, "my.domain::Frobnicate", "odd", "x", "y");
    CHECK_ERR(plan(&f, NULL), PG_ERR_UNSUPPORTED,
              "'Frobnicate' of domain 'my.domain' version 3, needed by node 'odd'");
    end(&f);
}

TEST(missing_and_unknown_inputs_are_named)
{
    fixture f;
    begin(&f);
    io(&f, "x", "y");
    node(&f, "Neg", "n", "x", "y");
    CHECK_OK(plan(&f, NULL));
    CHECK_ERR(run(&f), PG_ERR_INVALID, "input 'x' was not given");
    give(&f, "x", 1, (float[]){1});
    give(&f, "w", 1, (float[]){1});
    CHECK_ERR(run(&f), PG_ERR_INVALID, "no input 'w'");
    end(&f);
}

TEST(kernel_error_names_the_node)
{
    fixture f;
    begin(&f);
    pg_build_input(&f.arena, f.graph, "x", PG_F32, "N");
    pg_build_input(&f.arena, f.graph, "w", PG_F32, "M");
    pg_build_output(&f.arena, f.graph, "y", PG_F32, NULL);
    node(&f, "Add", "sum", "x,w", "y");
    CHECK_OK(plan(&f, NULL));
    give(&f, "x", 2, (float[]){1, 2});
    give(&f, "w", 3, (float[]){1, 2, 3});
    CHECK_ERR(run(&f), PG_ERR_INVALID, "Add 'sum'");
    /* The session is still usable. */
    pg_feed_deinit(&f.feed);
    give(&f, "x", 2, (float[]){1, 2});
    give(&f, "w", 2, (float[]){3, 4});
    CHECK_OK(run(&f));
    CHECK_NEAR(result(&f, "y", 1), 6, 0);
    end(&f);
}

/* Working in place must not touch the caller's tensors, values that are still needed, outputs, or twice-read
 * inputs. */
TEST(nothing_is_overwritten_that_is_still_needed)
{
    fixture f;
    begin(&f);
    io(&f, "x", "a");
    pg_build_output(&f.arena, f.graph, "c", PG_F32, NULL);
    pg_build_output(&f.arena, f.graph, "d", PG_F32, NULL);
    node(&f, "Neg", "", "x", "a");
    node(&f, "Neg", "", "a", "b");
    node(&f, "Add", "", "b,b", "c");
    node(&f, "Neg", "", "b", "d");
    CHECK_OK(plan(&f, NULL));
    give(&f, "x", 2, (float[]){1, 2});
    for (int i = 0; i < 2; i++) {
        CHECK_OK(run(&f));
        CHECK_NEAR(result(&f, "a", 1), -2, 0);
        CHECK_NEAR(result(&f, "c", 1), 4, 0);
        CHECK_NEAR(result(&f, "d", 1), -2, 0);
        CHECK_NEAR(((float *)f.feed.items[0].value.tensor.data)[1], 2, 0);
    }
    end(&f);
}

TEST(results_outlive_the_session)
{
    fixture f;
    begin(&f);
    io(&f, "x", "y");
    pg_build_output(&f.arena, f.graph, "x2", PG_F32, NULL);
    node(&f, "Neg", "", "x", "y");
    node(&f, "Identity", "", "x", "x2");
    CHECK_OK(plan(&f, NULL));
    give(&f, "x", 2, (float[]){1, 2});
    CHECK_OK(run(&f));
    pg_session_free(f.session);
    f.session = NULL;
    pg_feed_deinit(&f.feed);
    CHECK_NEAR(result(&f, "y", 1), -2, 0);
    CHECK_NEAR(result(&f, "x2", 1), 2, 0);
    end(&f);
}

TEST(local_function_with_attribute)
{
    fixture f;
    begin(&f);
    io(&f, "x", "y");
    f.model_wire = pg_build_model(&f.arena, f.graph, 17);
    pg_build_opset(&f.arena, f.model_wire, "local", 1);
    pg_wire_message *function = pg_build_function(&f.arena, f.model_wire, "local", "Twice", "a", "b", 17);
    pg_build_node(&f.arena, function, "Add", "", "a,a", "t");
    pg_build_node(&f.arena, function, "Neg", "", "t", "b");
    node(&f, "local::Twice", "call1", "x", "m");
    node(&f, "local::Twice", "call2", "m", "y");
    CHECK_OK(plan(&f, &(pg_native_options){.no_optimization = true}));
    give(&f, "x", 1, (float[]){3});
    CHECK_OK(run(&f));
    CHECK_NEAR(result(&f, "y", 0), 12, 0);
    end(&f);
}

TEST(function_that_calls_itself_is_refused)
{
    fixture f;
    begin(&f);
    io(&f, "x", "y");
    f.model_wire = pg_build_model(&f.arena, f.graph, 17);
    pg_build_opset(&f.arena, f.model_wire, "local", 1);
    pg_wire_message *function = pg_build_function(&f.arena, f.model_wire, "local", "Again", "a", "b", 17);
    pg_build_opset(&f.arena, function, "local", 1);
    pg_build_node(&f.arena, function, "local::Again", "", "a", "b");
    node(&f, "local::Again", "call", "x", "y");
    CHECK_ERR(plan(&f, NULL), PG_ERR_LIMIT, "calls itself");
    end(&f);
}

/* A graph that never ends: Loop without trip count whose condition stays true. */
static void build_endless_loop(fixture *f)
{
    begin(f);
    io(f, "x", "y");
    pg_wire_message *body = pg_build_graph(&f->arena, "body");
    pg_build_input(&f->arena, body, "i", PG_I64, "");
    pg_build_input(&f->arena, body, "go", PG_BOOL, "");
    pg_build_input(&f->arena, body, "v", PG_F32, NULL);
    pg_build_output(&f->arena, body, "go2", PG_BOOL, "");
    pg_build_output(&f->arena, body, "v2", PG_F32, NULL);
    pg_build_node(&f->arena, body, "Identity", "", "go", "go2");
    pg_build_node(&f->arena, body, "Add", "", "v,x", "v2");
    pg_wire_message *loop = node(f, "Loop", "spin", ",,x", "y");
    pg_build_attr_graph(&f->arena, loop, "body", body);
}

TEST(endless_loop_is_stopped)
{
    fixture f;
    build_endless_loop(&f);
    CHECK_OK(plan(&f, &(pg_native_options){.max_loop_iterations = 100}));
    give(&f, "x", 1, (float[]){1});
    CHECK_ERR(run(&f), PG_ERR_LIMIT, "Loop 'spin': did not end within 100 iterations");
    end(&f);
}

TEST(interrupt_stops_a_run)
{
    fixture f;
    build_endless_loop(&f);
    CHECK_OK(plan(&f, NULL));
    give(&f, "x", 1, (float[]){1});
    pg_interrupt_flag = 2;
    CHECK_ERR(run(&f), PG_ERR_INTERRUPTED, "interrupted");
    pg_interrupt_flag = 0;
    end(&f);
}

static pg_status count_node(void *context, const pg_node *seen, const pg_value *const *inputs,
                            const pg_value *outputs, double seconds)
{
    ++*(int *)context;
    return seconds >= 0 && inputs != NULL && outputs != NULL ? NULL
                                                             : pg_err(PG_ERR_INVALID, "nothing to see");
}

TEST(observer_sees_every_node)
{
    fixture f;
    int count = 0;
    begin(&f);
    io(&f, "x", "y");
    node(&f, "Neg", "", "x", "a");
    node(&f, "Abs", "", "a", "y");
    CHECK_OK(plan(&f, &(pg_native_options){.no_optimization = true}));
    give(&f, "x", 1, (float[]){1});
    pg_session_observe(f.session, &(pg_observer){&count, count_node});
    CHECK_OK(run(&f));
    CHECK_INT(count, 2);
    end(&f);
}

TEST(watch_names_the_first_nan_and_the_overflow)
{
    fixture f;
    begin(&f);
    io(&f, "x", "z");
    node(&f, "Mul", "square", "x,x", "a"); /* 1e10: beyond float16 */
    node(&f, "Neg", "minus", "a", "b");
    node(&f, "Sqrt", "root", "b", "c"); /* NaN */
    node(&f, "Abs", "late", "c", "z");
    CHECK_OK(plan(&f, &(pg_native_options){.no_optimization = true}));
    give(&f, "x", 2, (float[]){1e5f, 1e-3f});
    pg_watch *watch = pg_watch_new();
    pg_session_observe(f.session, pg_watch_observer(watch));
    CHECK_OK(run(&f));
    const pg_watch_row *bad = pg_watch_first_bad(watch);
    CHECK(bad != NULL && pg_str_is(bad->node, "root"));
    CHECK_INT(pg_watch_count(watch), 5);
    const pg_watch_row *input = pg_watch_row_at(watch, 0), *square = pg_watch_row_at(watch, 1);
    CHECK(pg_str_is(input->tensor, "x") && input->op_type.len == 0);
    CHECK_INT(input->overflow[PG_WATCH_F16], 1);
    CHECK_INT(square->overflow[PG_WATCH_F16], 1);
    CHECK_INT(square->overflow[PG_WATCH_BF16], 0);
    CHECK(square->min > 0 && square->min < 1.1e-6 && square->max > 9.9e9); /* no zero among the elements */
    CHECK_INT(square->underflow[PG_WATCH_F8E5M2], 1);
    CHECK_INT(square->underflow[PG_WATCH_INT8], 1);
    CHECK(pg_watch_row_is_risky(square, 1u << PG_WATCH_F16, 0.5));
    CHECK(!pg_watch_row_is_risky(square, 1u << PG_WATCH_BF16, 0.5));
    pg_watch_free(watch);
    end(&f);
}

TEST(profile_splits_time_among_nodes)
{
    enum { COUNT = 20000, RUNS = 3 };
    fixture f;
    begin(&f);
    io(&f, "x", "y");
    f.model_wire = pg_build_model(&f.arena, f.graph, 17);
    pg_build_opset(&f.arena, f.model_wire, "local", 1);
    pg_wire_message *function = pg_build_function(&f.arena, f.model_wire, "local", "Twice", "a", "b", 17);
    pg_build_node(&f.arena, function, "Exp", "inner", "a", "t");
    pg_build_node(&f.arena, function, "Neg", "", "t", "b");
    node(&f, "local::Twice", "call1", "x", "m");
    node(&f, "local::Twice", "call2", "m", "y");
    CHECK_OK(plan(&f, &(pg_native_options){.no_optimization = true}));
    float *x = calloc(COUNT, sizeof *x);
    give(&f, "x", COUNT, x);
    pg_profile *profile = pg_profile_new();
    pg_session_observe(f.session, pg_profile_observer(profile));
    for (int i = 0; i < RUNS; i++) {
        CHECK_OK(run(&f));
        pg_profile_end_run(profile, 1.0);
    }
    size_t n_nodes, n_operators;
    const pg_profile_row *nodes = pg_profile_nodes(profile, &n_nodes);
    const pg_profile_row *operators = pg_profile_operators(profile, &n_operators);
    double self = 0, total = 0;
    CHECK_INT(n_nodes, 6);
    CHECK_INT(n_operators, 3);
    for (size_t i = 0; i < n_nodes; i++) {
        self += nodes[i].self;
        total += pg_str_is(nodes[i].op_type, "Twice") ? nodes[i].total : 0;
        CHECK_INT(nodes[i].calls, RUNS);
        CHECK(i == 0 || nodes[i].self <= nodes[i - 1].self);
    }
    CHECK_NEAR(self, total, 1e-9); /* all time is in the two calls, and is counted once */
    for (size_t i = 0; i < n_operators; i++)
        CHECK_INT(operators[i].calls, 2 * RUNS);
    CHECK_NEAR(pg_profile_seconds(profile), RUNS, 0);
    pg_session_observe(f.session, NULL);
    pg_profile_free(profile);
    free(x);
    end(&f);
}

/* A sum that float64 alone gets wrong. */
TEST(reference_mode_sums_are_compensated)
{
    fixture f;
    begin(&f);
    io(&f, "x", "sum");
    pg_build_output(&f.arena, f.graph, "product", PG_F32, NULL);
    pg_build_output(&f.arena, f.graph, "rows", PG_F32, NULL);
    node(&f, "Mul", "cube1", "x,x", "x2");
    node(&f, "Mul", "cube2", "x2,x", "x3"); /* 2^60, 1, -2^60, 0.125: 1 is below 2^60's last bit */
    node(&f, "ReduceSum", "sum", "x3", "sum");
    node(&f, "MatMul", "mm", "x2,x", "product");
    node(&f, "Unsqueeze", "column", "x3,one", "tall");
    int64_t one = 1, zero = 0;
    pg_tensor axis = {.dtype = PG_I64, .rank = 1, .dims = {1}, .data = &one};
    pg_build_weight(&f.arena, f.graph, pg_build_tensor(&f.arena, "one", &axis));
    axis.data = &zero;
    pg_build_weight(&f.arena, f.graph, pg_build_tensor(&f.arena, "zero", &axis));
    pg_build_attr_int(&f.arena, node(&f, "Concat", "twice", "tall,tall", "wide"), "axis", 1);
    node(&f, "ReduceSum", "rows", "wide,zero", "rows"); /* along the first axis: rows of results */
    CHECK_OK(plan(&f, &(pg_native_options){.float64 = true}));
    give(&f, "x", 4, (float[]){1048576, 1, -1048576, 0.5f});
    CHECK_OK(run(&f));
    CHECK(result(&f, "sum", 0) == 1.125f);
    CHECK(result(&f, "product", 0) == 1.125f);
    CHECK(result(&f, "rows", 1) == 1.125f);
    end(&f);
}

/* (x + 1e8) - 1e8 loses x in float32 and keeps it in the reference mode. */
TEST(float64_mode_keeps_what_float32_loses)
{
    for (int wide = 0; wide < 2; wide++) {
        fixture f;
        begin(&f);
        pg_build_input(&f.arena, f.graph, "x", PG_F32, "N");
        pg_build_input(&f.arena, f.graph, "big", PG_F32, "N");
        pg_build_output(&f.arena, f.graph, "z", PG_F32, NULL);
        node(&f, "Add", "", "x,big", "y");
        node(&f, "Sub", "", "y,big", "z");
        CHECK_OK(plan(&f, &(pg_native_options){.float64 = wide == 1}));
        give(&f, "x", 1, (float[]){0.25f});
        give(&f, "big", 1, (float[]){1e8f});
        CHECK_OK(run(&f));
        CHECK_INT(f.out.items[0].value.tensor.dtype, PG_F32);
        CHECK_NEAR(result(&f, "z", 0), wide ? 0.25 : 0, 0);
        end(&f);
    }
}

TEST_MAIN(RUN(runs_in_any_file_order); RUN(cycle_is_named); RUN(dangling_tensor_is_named);
          RUN(dangling_output_is_named); RUN(two_sources_are_named);
          RUN(unknown_operator_is_named_with_domain); RUN(missing_and_unknown_inputs_are_named);
          RUN(kernel_error_names_the_node); RUN(nothing_is_overwritten_that_is_still_needed);
          RUN(results_outlive_the_session); RUN(local_function_with_attribute);
          RUN(function_that_calls_itself_is_refused); RUN(endless_loop_is_stopped);
          RUN(interrupt_stops_a_run); RUN(observer_sees_every_node);
          RUN(watch_names_the_first_nan_and_the_overflow); RUN(float64_mode_keeps_what_float32_loses);
          RUN(reference_mode_sums_are_compensated); RUN(profile_splits_time_among_nodes);)
