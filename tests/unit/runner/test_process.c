/* Runners in processes of their own: values there and back, crashes, ends. */
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "runner/runner.h"
#include "unit/harness.h"

/* A runner that answers with its inputs, or dies on the way. */
typedef struct echo {
    pg_runner base;
    enum { ECHO, CRASH, EXIT, FAIL, CRASH_AT_START } mode;
    pg_dim dims[2];
    pg_io io;
} echo;

static pg_status echo_activate(pg_runner *runner)
{
    echo *self = (echo *)runner;
    if (self->mode == CRASH_AT_START)
        raise(SIGABRT);
    self->dims[0] = (pg_dim){.name = PG_STR("N")};
    self->dims[1] = (pg_dim){.has_value = true, .value = 2};
    self->io = (pg_io){PG_STR("x"), {.kind = PG_TYPE_TENSOR, .elem = PG_F32, .has_shape = true, .rank = 2}};
    self->io.type.dims = self->dims;
    pg_runner_set_runtime(runner, "Echo", "7");
    return NULL;
}

static pg_io_list echo_list(pg_runner *runner)
{
    return (pg_io_list){&((echo *)runner)->io, 1};
}

static void add_others(pg_feed *out)
{
    pg_tensor text, keys;
    pg_status_drop(pg_tensor_alloc_strings(&text, 1, (int64_t[]){2}, (pg_str[]){PG_STR("one"), PG_STR("")}));
    pg_status_drop(pg_tensor_alloc(&keys, PG_I64, 1, (int64_t[]){1}));
    *(int64_t *)keys.data = -5;
    pg_value map = {.kind = PG_VALUE_MAP,
                    .map = {.keys = PG_NEW(pg_tensor), .items = pg_calloc(1, sizeof(pg_value)), .count = 1}};
    *map.map.keys = keys;
    map.map.items[0] = pg_value_of_tensor(text);
    pg_value sequence = {.kind = PG_VALUE_SEQUENCE,
                         .sequence = {.items = pg_calloc(1, sizeof(pg_value)), .count = 1}};
    sequence.sequence.items[0] = map;
    pg_feed_add(out, PG_STR("others"), sequence);
    pg_feed_add(out, PG_STR("nothing"), (pg_value){0});
}

static pg_status echo_infer(pg_runner *runner, const pg_feed *feed, pg_feed *out)
{
    echo *self = (echo *)runner;
    if (self->mode == CRASH) {
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
    }
    if (self->mode == EXIT)
        _exit(5);
    if (self->mode == FAIL)
        return pg_err(PG_ERR_LIMIT, "the echo has had enough");
    pg_feed_add(out, PG_STR("y"), pg_value_share(&feed->items[0].value));
    add_others(out);
    runner->seconds = 0.25;
    return NULL;
}

static void echo_deactivate(pg_runner *runner) {}
static void echo_destroy(pg_runner *runner)
{
    free(runner);
}

static const pg_runner_ops echo_ops = {"echo-runner", echo_activate,   echo_list,   echo_list,
                                       echo_infer,    echo_deactivate, echo_destroy};

static pg_runner *new_echo(int mode)
{
    echo *self = PG_NEW(echo);
    pg_runner_init(&self->base, &echo_ops);
    self->mode = mode;
    return pg_runner_in_process(&self->base);
}

static pg_feed one_feed(void)
{
    pg_feed feed = {0};
    pg_tensor x;
    pg_status_drop(pg_tensor_alloc(&x, PG_F32, 2, (int64_t[]){1, 2}));
    ((float *)x.data)[0] = 1.5f;
    ((float *)x.data)[1] = NAN;
    pg_feed_add(&feed, PG_STR("x"), pg_value_of_tensor(x));
    return feed;
}

static void check_error(pg_status status, pg_code code, const char *part)
{
    CHECK_INT(pg_status_code(status), code);
    if (strstr(pg_status_message(status), part) == NULL)
        FAIL_TEST("'%s' lacks '%s'", pg_status_message(status), part);
    pg_status_drop(status);
}

TEST(values_come_back)
{
    pg_runner *runner = new_echo(ECHO);
    pg_feed feed = one_feed(), out;
    pg_status status = pg_runner_activate(runner);
    CHECK(status == NULL);
    CHECK(strcmp(runner->runtime, "Echo 7") == 0);
    CHECK(strncmp(runner->name, "echo-runner-N", 13) == 0);
    pg_io_list inputs = runner->ops->inputs(runner);
    CHECK_INT(inputs.count, 1);
    CHECK(pg_str_is(inputs.items[0].type.dims[0].name, "N") && inputs.items[0].type.dims[1].value == 2);
    for (int i = 0; i < 3; i++) { /* as often as one likes */
        status = pg_runner_infer(runner, &feed, &out);
        CHECK(status == NULL);
        CHECK_NEAR(runner->seconds, 0.25, 0);
        const pg_tensor *y = &pg_feed_find(&out, PG_STR("y"))->tensor;
        CHECK(memcmp(y->data, feed.items[0].value.tensor.data, 8) == 0);
        const pg_value *others = pg_feed_find(&out, PG_STR("others"));
        CHECK(others->kind == PG_VALUE_SEQUENCE && others->sequence.items[0].kind == PG_VALUE_MAP);
        CHECK_INT(*(int64_t *)others->sequence.items[0].map.keys->data, -5);
        CHECK(pg_str_is(((pg_str *)others->sequence.items[0].map.items[0].tensor.data)[0], "one"));
        CHECK(pg_feed_find(&out, PG_STR("nothing"))->kind == PG_VALUE_NONE);
        pg_feed_deinit(&out);
    }
    pg_runner_deactivate(runner);
    status = pg_runner_activate(runner); /* and again */
    CHECK(status == NULL);
    pg_feed_deinit(&feed);
    pg_runner_free(runner);
}

static void check_infer(int mode, pg_code code, const char *part, bool again)
{
    pg_runner *runner = new_echo(mode);
    pg_feed feed = one_feed(), out;
    pg_status status = pg_runner_activate(runner);
    CHECK(status == NULL);
    for (int i = 0; i < (again ? 2 : 1); i++)
        check_error(pg_runner_infer(runner, &feed, &out), code, part);
    pg_feed_deinit(&feed);
    pg_runner_free(runner);
}

TEST(crashes_are_named)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    check_infer(CRASH, PG_ERR_RUNTIME, "crashed with signal 11", true);
    check_infer(CRASH, PG_ERR_RUNTIME, "echo-runner-N", true);
    check_infer(EXIT, PG_ERR_RUNTIME, "ended its process with exit status 5", true);
    check_infer(FAIL, PG_ERR_LIMIT, "the echo has had enough", true);
    pg_runner *runner = new_echo(CRASH_AT_START);
    check_error(pg_runner_activate(runner), PG_ERR_RUNTIME, "crashed with signal 6");
    pg_runner_free(runner);
}

TEST(several_at_once)
{
    pg_runner *first = new_echo(ECHO), *second = new_echo(ECHO);
    pg_feed feed = one_feed(), out;
    pg_status status = pg_runner_activate(first);
    CHECK(status == NULL);
    status = pg_runner_activate(second);
    CHECK(status == NULL);
    pg_runner_free(first); /* the second one has a copy of its socket */
    status = pg_runner_infer(second, &feed, &out);
    CHECK(status == NULL);
    pg_feed_deinit(&out);
    pg_feed_deinit(&feed);
    pg_runner_free(second);
}

TEST(unused_runners_end)
{
    pg_runner_free(new_echo(ECHO));
    CHECK(true);
}

TEST_MAIN(RUN(values_come_back); RUN(crashes_are_named); RUN(several_at_once); RUN(unused_runners_end);)
