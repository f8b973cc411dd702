/* Tensors and runs for the tests of compare/. */
#ifndef PG_TESTS_COMPARE_SUPPORT_H
#define PG_TESTS_COMPARE_SUPPORT_H

#include "base/alloc.h"
#include "compare/compare.h"
#include "log/log.h"
#include "unit/harness.h"

/* Nothing but test results on standard output. */
static inline void be_silent(void)
{
    pg_log_set_severity(PG_STR_EMPTY, PG_CRITICAL);
}

static inline pg_value tensor_of(pg_dtype dtype, size_t rank, const int64_t *dims, const void *data)
{
    pg_tensor borrowed, tensor = {0};
    CHECK_OK(pg_tensor_borrow(&borrowed, dtype, rank, dims, data));
    CHECK_OK(pg_tensor_copy(&tensor, &borrowed));
    return pg_value_of_tensor(tensor);
}
#define ROW_OF(dtype, type, ...)                                                                \
    tensor_of((dtype), 1, (int64_t[]){(int64_t)(sizeof((type[]){__VA_ARGS__}) / sizeof(type))}, \
              (type[]){__VA_ARGS__})
#define FLOATS(...) ROW_OF(PG_F32, float, __VA_ARGS__)

static inline void add_run(pg_run_results *results, const char *run, const char *output, pg_value value)
{
    pg_iteration *iteration = pg_runner_results_add(pg_run_results_add(results, pg_str_c(run)));
    pg_feed_add(&iteration->outputs, pg_str_c(output), value);
}

/* Two runs with one output, compared; the data of that output under the first function. */
typedef struct compared {
    pg_run_results results;
    pg_comparison *comparison;
    const pg_output_comparison *output;
} compared;

static inline compared compare_two(const pg_compare_options *options, pg_value a, pg_value b)
{
    compared c = {.comparison = pg_comparison_new(options)};
    size_t count;
    add_run(&c.results, "A", "y", a);
    add_run(&c.results, "B", "y", b);
    CHECK_OK(pg_comparison_run(c.comparison, &c.results));
    c.output = &pg_comparison_pairs(c.comparison, &count)[0].iterations[0].functions[0].outputs[0];
    CHECK_INT(count, 1);
    return c;
}

static inline void free_compared(compared *c)
{
    pg_comparison_free(c->comparison);
    pg_run_results_deinit(&c->results);
}

#endif
