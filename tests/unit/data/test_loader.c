#include "unit/harness.h"

#include "data/loader.h"
#include "log/log.h"
#include "tensor/dtype_convert.h"

#define DIM(v)                          \
    {                                   \
        .has_value = true, .value = (v) \
    }
#define OPEN(n)                            \
    {                                      \
        .name = { "" n "", sizeof(n) - 1 } \
    }

static pg_io input(const char *name, pg_dtype elem, uint32_t rank, const pg_dim *dims)
{
    return (pg_io){pg_str_c(name),
                   {.kind = PG_TYPE_TENSOR, .elem = elem, .has_shape = true, .rank = rank, .dims = dims}};
}

static const pg_dim two_dims[] = {OPEN("N"), DIM(3)};
static const pg_dim shape_dims[] = {DIM(2)};

static const char *shape_of(const pg_feed *feed, const char *name)
{
    static pg_buf text;
    pg_buf_clear(&text);
    const pg_value *value = pg_feed_find(feed, pg_str_c(name));
    if (value == NULL)
        return "missing";
    pg_shape_text(&text, value->tensor.rank, value->tensor.dims);
    return pg_buf_cstr(&text);
}

TEST(open_dims_become_one)
{
    const pg_io inputs[] = {input("x", PG_F32, 2, two_dims)};
    pg_feed feed;
    CHECK_OK(pg_loader_get(&pg_loader_defaults, (pg_io_list){inputs, 1}, 0, &feed));
    CHECK_STR(shape_of(&feed, "x"), "(1, 3)");
    CHECK_NEAR(pg_tensor_get_f64(&feed.items[0].value.tensor, 0), 0.41702199, 1e-8);
    pg_feed_deinit(&feed);
    CHECK_OK(pg_loader_get(&pg_loader_defaults, (pg_io_list){inputs, 1}, 1, &feed));
    CHECK_NEAR(pg_tensor_get_f64(&feed.items[0].value.tensor, 0), 0.43599489, 1e-8);
    pg_feed_deinit(&feed);
}

TEST(shapes_by_name_pattern_and_none)
{
    const pg_io inputs[] = {input("x", PG_F32, 2, two_dims), input("ids", PG_I64, 2, two_dims)};
    const pg_input_shape shapes[] = {{PG_STR("*"), 2, (int64_t[]){5, 3}},
                                     {PG_STR("i*"), 2, (int64_t[]){7, 3}}};
    pg_loader_options options = pg_loader_defaults;
    options.shapes = shapes;
    options.n_shapes = 2;
    pg_feed feed;
    CHECK_OK(pg_loader_get(&options, (pg_io_list){inputs, 2}, 0, &feed));
    CHECK_STR(shape_of(&feed, "x"), "(5, 3)");
    CHECK_STR(shape_of(&feed, "ids"), "(7, 3)");
    pg_feed_deinit(&feed);
    const pg_input_shape nameless[] = {{PG_STR(""), 2, (int64_t[]){4, 3}}};
    options.shapes = nameless;
    options.n_shapes = 1;
    CHECK_OK(pg_loader_get(&options, (pg_io_list){inputs, 1}, 0, &feed));
    CHECK_STR(shape_of(&feed, "x"), "(4, 3)");
    pg_feed_deinit(&feed);
    CHECK_ERR(pg_loader_get(&options, (pg_io_list){inputs, 2}, 0, &feed), PG_ERR_INVALID, "'x', 'ids'");
}

TEST(unknown_names_are_errors)
{
    const pg_io inputs[] = {input("x", PG_F32, 2, two_dims)};
    const pg_input_shape shapes[] = {{PG_STR("y"), 2, (int64_t[]){5, 3}}};
    pg_loader_options options = pg_loader_defaults;
    options.shapes = shapes;
    options.n_shapes = 1;
    pg_feed feed;
    CHECK_ERR(pg_loader_get(&options, (pg_io_list){inputs, 1}, 0, &feed), PG_ERR_INVALID,
              "'y', but the model's inputs are: 'x'");
    CHECK(feed.items == NULL);
}

TEST(shapes_that_do_not_fit_are_refused)
{
    const pg_io inputs[] = {input("x", PG_F32, 2, two_dims)};
    const pg_input_shape shapes[] = {{PG_STR("x"), 2, (int64_t[]){5, 4}}};
    pg_loader_options options = pg_loader_defaults;
    options.shapes = shapes;
    options.n_shapes = 1;
    pg_feed feed;
    CHECK_ERR(pg_loader_get(&options, (pg_io_list){inputs, 1}, 0, &feed), PG_ERR_INVALID,
              "input 'x' cannot have the shape [5, 4]");
    CHECK(feed.items == NULL);
}

TEST(shape_tensors_get_the_shape_as_values)
{
    const pg_io inputs[] = {input("shape", PG_I32, 1, shape_dims)};
    const pg_input_shape shapes[] = {{PG_STR("shape"), 2, (int64_t[]){7, 9}}};
    pg_loader_options options = pg_loader_defaults;
    options.shapes = shapes;
    options.n_shapes = 1;
    pg_feed feed;
    CHECK_OK(pg_loader_get(&options, (pg_io_list){inputs, 1}, 0, &feed));
    CHECK_STR(shape_of(&feed, "shape"), "(2,)");
    CHECK_INT(pg_tensor_get_i64(&feed.items[0].value.tensor, 0), 7);
    CHECK_INT(pg_tensor_get_i64(&feed.items[0].value.tensor, 1), 9);
    pg_feed_deinit(&feed);
}

TEST(ranges_and_their_faults)
{
    const pg_io inputs[] = {input("ids", PG_U8, 2, two_dims), input("x", PG_F32, 2, two_dims)};
    pg_input_range ranges[] = {
        {PG_STR("ids"), {true, false, 0, 3.9}, {true, false, 0, 3.1}},
        {PG_STR(""), {true, true, 5, 5}, {true, true, 5, 5}},
    };
    pg_loader_options options = pg_loader_defaults;
    options.ranges = ranges;
    options.n_ranges = 2;
    pg_feed feed;
    CHECK_OK(pg_loader_get(&options, (pg_io_list){inputs, 2}, 0, &feed));
    CHECK_INT(pg_tensor_get_i64(&feed.items[0].value.tensor, 2), 3);
    CHECK_NEAR(pg_tensor_get_f64(&feed.items[1].value.tensor, 1), 5, 0);
    pg_feed_deinit(&feed);
    ranges[0].high = (pg_range_bound){true, true, 256, 256};
    CHECK_ERR(pg_loader_get(&options, (pg_io_list){inputs, 2}, 0, &feed), PG_ERR_INVALID,
              "[3, 256] of input 'ids' does not fit its type uint8");
    ranges[0].high = (pg_range_bound){true, true, 2, 2};
    CHECK_ERR(pg_loader_get(&options, (pg_io_list){inputs, 2}, 0, &feed), PG_ERR_INVALID,
              "is empty: 3 is above 2");
    ranges[0].high = (pg_range_bound){true, false, 0, (double)INFINITY};
    CHECK_ERR(pg_loader_get(&options, (pg_io_list){inputs, 2}, 0, &feed), PG_ERR_INVALID, "bound inf");
    ranges[0] = (pg_input_range){0};
    options.n_ranges = 0;
    options.int_low = options.int_high = (pg_range_bound){true, true, 9, 9};
    CHECK_OK(pg_loader_get(&options, (pg_io_list){inputs, 2}, 0, &feed));
    CHECK_INT(pg_tensor_get_i64(&feed.items[0].value.tensor, 0), 9);
    pg_feed_deinit(&feed);
}

TEST(inputs_without_random_values)
{
    pg_io inputs[] = {input("s", PG_STRING, 2, two_dims)};
    pg_feed feed;
    CHECK_ERR(pg_loader_get(&pg_loader_defaults, (pg_io_list){inputs, 1}, 0, &feed), PG_ERR_UNSUPPORTED,
              "for input: s");
    inputs[0].type.elem = PG_BF16;
    CHECK_ERR(pg_loader_get(&pg_loader_defaults, (pg_io_list){inputs, 1}, 0, &feed), PG_ERR_UNSUPPORTED,
              "data type: bfloat16");
    inputs[0].type.kind = PG_TYPE_SEQUENCE;
    CHECK_ERR(pg_loader_get(&pg_loader_defaults, (pg_io_list){inputs, 1}, 0, &feed), PG_ERR_UNSUPPORTED,
              "is a sequence");
    inputs[0] = input("x", PG_F32, 0, NULL);
    inputs[0].type.has_shape = false;
    CHECK_ERR(pg_loader_get(&pg_loader_defaults, (pg_io_list){inputs, 1}, 0, &feed), PG_ERR_INVALID,
              "--input-shapes");
    pg_loader_options options = pg_loader_defaults;
    options.seed = -1;
    CHECK_ERR(pg_loader_get(&options, (pg_io_list){inputs, 1}, 0, &feed), PG_ERR_INVALID, "seed -1");
}

TEST_MAIN(pg_log_set_severity(PG_STR(""), PG_CRITICAL); RUN(open_dims_become_one);
          RUN(shapes_by_name_pattern_and_none); RUN(unknown_names_are_errors);
          RUN(shapes_that_do_not_fit_are_refused); RUN(shape_tensors_get_the_shape_as_values);
          RUN(ranges_and_their_faults); RUN(inputs_without_random_values);)
