/* The common part of runners, with a backend that only counts calls. */
#include "runner/runner.h"

#include "base/alloc.h"
#include "unit/harness.h"

typedef struct fake {
    pg_runner base;
    const pg_io *inputs;
    size_t n_inputs;
    int activated, deactivated, inferred;
    bool fail_activate, fail_infer;
} fake;

static int destroyed;

static pg_status fake_activate(pg_runner *runner)
{
    fake *self = (fake *)runner;
    self->activated++;
    return self->fail_activate ? pg_err(PG_ERR_UNAVAILABLE, "the fake runtime is not installed") : NULL;
}
static pg_io_list fake_inputs(pg_runner *runner)
{
    fake *self = (fake *)runner;
    return (pg_io_list){self->inputs, self->n_inputs};
}
static pg_status fake_infer(pg_runner *runner, const pg_feed *feed, pg_feed *out)
{
    fake *self = (fake *)runner;
    self->inferred++;
    pg_feed_add(out, PG_STR("y"), pg_value_share(&feed->items[0].value));
    if (self->fail_infer)
        return pg_err(PG_ERR_RUNTIME, "the fake runtime failed");
    runner->seconds = 0.5;
    return NULL;
}
static void fake_deactivate(pg_runner *runner)
{
    ((fake *)runner)->deactivated++;
}
static void fake_destroy(pg_runner *runner)
{
    destroyed++;
    free(runner);
}

static const pg_runner_ops fake_ops = {"fake-runner", fake_activate,   fake_inputs, fake_inputs,
                                       fake_infer,    fake_deactivate, fake_destroy};

static const pg_dim image_dims[] = {{.name = {"N", 1}}, {.has_value = true, .value = 3}, {0}};
static const pg_type text_type = {.kind = PG_TYPE_TENSOR, .elem = PG_STRING};
static const pg_io image_and_words[] = {
    {{"image", 5},
     {.kind = PG_TYPE_TENSOR, .elem = PG_F32, .has_shape = true, .rank = 3, .dims = image_dims}},
    {{"words", 5}, {.kind = PG_TYPE_OPTIONAL, .inner = &text_type}},
};

static fake *fake_new(const pg_io *inputs, size_t count)
{
    fake *self = PG_NEW(fake);
    pg_runner_init(&self->base, &fake_ops);
    self->inputs = inputs;
    self->n_inputs = count;
    return self;
}

static void add_tensor(pg_feed *feed, const char *name, pg_dtype dtype, size_t rank, const int64_t *dims)
{
    pg_tensor tensor = {0};
    CHECK_OK(pg_tensor_alloc(&tensor, dtype, rank, dims));
    pg_feed_add(feed, pg_str_c(name), pg_value_of_tensor(tensor));
}

TEST(names_count_per_prefix)
{
    fake *a = fake_new(NULL, 0), *b = fake_new(NULL, 0);
    pg_runner other;
    pg_runner_ops other_ops = fake_ops;
    other_ops.prefix = "other-runner";
    pg_runner_init(&other, &other_ops);
    int year, month, day, hour, minute, second, index;
    CHECK_INT(sscanf(a->base.name, "fake-runner-N%d-%d/%d/%d-%d:%d:%d", &index, &month, &day, &year, &hour,
                     &minute, &second),
              7);
    CHECK_INT(index, 0);
    CHECK(month >= 1 && month <= 12);
    CHECK_INT(strlen(a->base.name), strlen("fake-runner-N0-11/21/26-08:14:32"));
    CHECK(strncmp(b->base.name, "fake-runner-N1-", 15) == 0);
    CHECK(strncmp(other.name, "other-runner-N0-", 16) == 0);
    free(other.name);
    pg_runner_free(&a->base);
    pg_runner_free(&b->base);
}

TEST(life_cycle_is_ordered)
{
    fake *runner = fake_new(image_and_words, 0);
    pg_feed out, none = {0};
    CHECK_ERR(pg_runner_infer(&runner->base, &none, &out), PG_ERR_INVALID, "must be activated");
    pg_runner_deactivate(&runner->base);
    CHECK_INT(runner->deactivated, 0);
    CHECK_OK(pg_runner_activate(&runner->base));
    CHECK_ERR(pg_runner_activate(&runner->base), PG_ERR_INVALID, "already active");
    pg_runner_deactivate(&runner->base);
    pg_runner_deactivate(&runner->base);
    CHECK_INT(runner->deactivated, 1);
    CHECK_OK(pg_runner_activate(&runner->base));
    CHECK_INT(runner->activated, 2);
    destroyed = 0;
    pg_runner_free(&runner->base);
    CHECK_INT(destroyed, 1);
    pg_runner_free(NULL);
}

TEST(failed_activation_leaves_it_inactive)
{
    fake *runner = fake_new(NULL, 0);
    runner->fail_activate = true;
    CHECK_ERR(pg_runner_activate(&runner->base), PG_ERR_UNAVAILABLE, "not installed");
    CHECK(!runner->base.active);
    pg_runner_free(&runner->base);
}

TEST(infer_returns_outputs_and_time)
{
    fake *runner = fake_new(image_and_words, 1);
    CHECK_OK(pg_runner_activate(&runner->base));
    pg_feed feed = {0}, out;
    add_tensor(&feed, "image", PG_F32, 3, (int64_t[]){7, 3, 5});
    CHECK_OK(pg_runner_infer(&runner->base, &feed, &out));
    CHECK_INT(out.count, 1);
    CHECK_NEAR(runner->base.seconds, 0.5, 0);
    pg_feed_deinit(&out);
    runner->fail_infer = true;
    CHECK_ERR(pg_runner_infer(&runner->base, &feed, &out), PG_ERR_RUNTIME, "the fake runtime failed");
    CHECK_INT(out.count, 0);
    CHECK(out.items == NULL);
    pg_feed_deinit(&feed);
    pg_runner_free(&runner->base);
}

/* Expects the feed to be refused with `part` in the message, without reaching the backend. */
static void check_refused(fake *runner, pg_feed *feed, const char *part)
{
    pg_feed out;
    CHECK_ERR(pg_runner_infer(&runner->base, feed, &out), PG_ERR_INVALID, part);
    CHECK_INT(runner->inferred, 0);
    pg_feed_deinit(feed);
}

TEST(feeds_are_checked)
{
    fake *runner = fake_new(image_and_words, 2);
    CHECK_OK(pg_runner_activate(&runner->base));
    const int64_t good[] = {1, 3, 9};
    pg_feed feed = {0};
    check_refused(runner, &feed, "no value for the input 'image' (tensor(float32) of shape ('N', 3, -1)");
    add_tensor(&feed, "image", PG_F32, 3, good);
    add_tensor(&feed, "imag", PG_F32, 3, good);
    check_refused(runner, &feed, "no input 'imag': its inputs are 'image', 'words'");
    add_tensor(&feed, "image", PG_F16, 3, good);
    check_refused(runner, &feed,
                  "takes tensor(float32) of shape ('N', 3, -1), but was given "
                  "tensor(float16) of shape (1, 3, 9)");
    add_tensor(&feed, "image", PG_F32, 3, (int64_t[]){1, 4, 9});
    check_refused(runner, &feed, "given tensor(float32) of shape (1, 4, 9)");
    add_tensor(&feed, "image", PG_F32, 2, good);
    check_refused(runner, &feed, "given tensor(float32) of shape (1, 3)");
    add_tensor(&feed, "image", PG_F32, 3, good);
    check_refused(runner, &feed, "no value for the input 'words' (optional of tensor(string)");
    add_tensor(&feed, "image", PG_F32, 3, good);
    add_tensor(&feed, "words", PG_I64, 3, good);
    check_refused(runner, &feed, "the input 'words' takes optional of tensor(string)");
    pg_feed_add(&feed, PG_STR("image"), (pg_value){0});
    check_refused(runner, &feed, "no value for the input 'image'");
    pg_feed_add(&feed, PG_STR("image"), (pg_value){.kind = PG_VALUE_SEQUENCE});
    check_refused(runner, &feed, "but was given sequence of 0 values");
    add_tensor(&feed, "image", PG_F32, 3, good);
    pg_feed_add(&feed, PG_STR("words"), (pg_value){0});
    pg_feed out;
    CHECK_OK(pg_runner_infer(&runner->base, &feed, &out));
    pg_feed_deinit(&out);
    pg_feed_deinit(&feed);
    pg_runner_free(&runner->base);
}

TEST(results_own_what_they_hold)
{
    pg_run_results results = {0};
    for (int r = 0; r < 20; r++) {
        pg_runner_results *runner = pg_run_results_add(&results, PG_STR("same name"));
        for (int i = 0; i < 20; i++) {
            pg_iteration *iteration = pg_runner_results_add(runner);
            CHECK(!iteration->has_runtime && iteration->runner_name == NULL);
            iteration->runner_name = pg_strndup("fake", 4);
            add_tensor(&iteration->outputs, "y", PG_F32, 1, (int64_t[]){4});
        }
    }
    CHECK_INT(results.count, 20);
    CHECK_INT(results.items[19].count, 20);
    CHECK_STR(results.items[3].name, "same name");
    CHECK_STR(results.items[19].items[19].runner_name, "fake");
    pg_run_results_deinit(&results);
    CHECK(results.items == NULL);
}

TEST_MAIN(RUN(names_count_per_prefix); RUN(life_cycle_is_ordered); RUN(failed_activation_leaves_it_inactive);
          RUN(infer_returns_outputs_and_time); RUN(feeds_are_checked); RUN(results_own_what_they_hold);)
