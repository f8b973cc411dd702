/* A few macros for unit tests. Each test program prints TAP: "ok 1 - name" or "not ok 1 - name" with a "#
 * file:line" note.
 *
 *     TEST(adds) { CHECK_INT(1 + 1, 2); }
 *     TEST_MAIN(RUN(adds);)
 *
 * With an argument only the tests of that name run. */
#ifndef PG_TESTS_HARNESS_H
#define PG_TESTS_HARNESS_H

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "base/str.h"

static int pg_test_number, pg_test_failures, pg_test_bad;
static const char *pg_test_only, *pg_test_skipped;

#define TEST(name) static void test_##name(void)

static inline void pg_test_run(const char *name, void (*body)(void))
{
    if (pg_test_only != NULL && strcmp(pg_test_only, name) != 0)
        return;
    pg_test_bad = 0;
    pg_test_skipped = NULL;
    body();
    pg_test_failures += pg_test_bad;
    printf("%sok %d - %s", pg_test_bad ? "not " : "", ++pg_test_number, name);
    if (pg_test_skipped != NULL && !pg_test_bad)
        printf(" # SKIP %s", pg_test_skipped);
    printf("\n");
    fflush(stdout);
}
#define RUN(name) pg_test_run(#name, test_##name)

#define FAIL_TEST(...) \
    (pg_test_bad = 1, printf("# %s:%d: ", __FILE__, __LINE__), printf(__VA_ARGS__), printf("\n"), (void)0)
/* Leaves the test, which then counts as skipped: for what needs a library that is not there. */
#define SKIP_TEST(reason)           \
    do {                            \
        pg_test_skipped = (reason); \
        return;                     \
    } while (0)
#define CHECK(condition) ((condition) ? (void)0 : FAIL_TEST("%s", #condition))
#define CHECK_INT(a, b)                                               \
    do {                                                              \
        long long pg_a_ = (long long)(a), pg_b_ = (long long)(b);     \
        if (pg_a_ != pg_b_)                                           \
            FAIL_TEST("%s is %lld, expected %lld", #a, pg_a_, pg_b_); \
    } while (0)
#define CHECK_NEAR(a, b, tolerance)                                     \
    do {                                                                \
        double pg_a_ = (double)(a), pg_b_ = (double)(b);                \
        if (!(fabs(pg_a_ - pg_b_) <= (tolerance)))                      \
            FAIL_TEST("%s is %.17g, expected %.17g", #a, pg_a_, pg_b_); \
    } while (0)
#define CHECK_STR(a, b)                                                   \
    do {                                                                  \
        const char *pg_a_ = (a), *pg_b_ = (b);                            \
        if (strcmp(pg_a_, pg_b_) != 0)                                    \
            FAIL_TEST("%s is \"%s\", expected \"%s\"", #a, pg_a_, pg_b_); \
    } while (0)
#define CHECK_OK(call)                                            \
    do {                                                          \
        pg_status pg_s_ = (call);                                 \
        if (pg_s_ != NULL)                                        \
            FAIL_TEST("%s: %s", #call, pg_status_message(pg_s_)); \
        pg_status_drop(pg_s_);                                    \
    } while (0)
/* Fails with this code and a message that contains `part`. */
#define CHECK_ERR(call, code, part)                                                                        \
    do {                                                                                                   \
        pg_status pg_s_ = (call);                                                                          \
        if (pg_status_code(pg_s_) != (code) || strstr(pg_status_message(pg_s_), (part)) == NULL)           \
            FAIL_TEST("%s: code %d, \"%s\"", #call, (int)pg_status_code(pg_s_), pg_status_message(pg_s_)); \
        pg_status_drop(pg_s_);                                                                             \
    } while (0)

#define TEST_MAIN(...)                            \
    int main(int argc, char **argv)               \
    {                                             \
        pg_test_only = argc > 1 ? argv[1] : NULL; \
        __VA_ARGS__                               \
        printf("1..%d\n", pg_test_number);        \
        return pg_test_failures > 0;              \
    }

#endif
