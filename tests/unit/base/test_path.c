#include "unit/harness.h"

#include "base/file.h"

#include <unistd.h>

static void check_absolute(const char *path, const char *expected)
{
    pg_arena arena = {0};
    CHECK_STR(pg_path_absolute(&arena, pg_str_c(path)), expected);
    pg_arena_deinit(&arena);
}

TEST(absolute)
{
    check_absolute("/a/b", "/a/b");
    check_absolute("/a//b/", "/a/b");
    check_absolute("/a/./b/../c", "/a/c");
    check_absolute("/..", "/");
    check_absolute("/", "/");
    CHECK(chdir("/usr") == 0);
    check_absolute("x", "/usr/x");
    check_absolute("../x", "/x");
    check_absolute("", "/usr");
}

TEST_MAIN(RUN(absolute);)
