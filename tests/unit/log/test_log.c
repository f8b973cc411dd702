#include "unit/harness.h"

#include "base/buf.h"
#include "base/file.h"
#include "log/log.h"

#include <unistd.h>

static char log_path[64];

static void start(void)
{
    snprintf(log_path, sizeof log_path, "/tmp/pg-test-log-%d/deep/log.txt", (int)getpid());
    CHECK_OK(pg_log_set_file(log_path));
    pg_log_set_severity(PG_STR(""), PG_INFO);
    pg_log_set_format((pg_log_format){.no_colors = true});
}

/* What was logged since start(). */
static void check_log(const char *expected)
{
    pg_buf text = {0};
    pg_log_close();
    CHECK_OK(pg_file_read(log_path, 1 << 20, &text));
    CHECK_STR(pg_buf_cstr(&text), expected);
    pg_buf_deinit(&text);
    unlink(log_path);
}

TEST(continuation_lines_are_aligned)
{
    start();
    PG_LOG_INFO("first\nsecond\n\nfourth");
    pg_log_indent(1);
    PG_LOG_WARNING("a\n\nb\n");
    pg_log_indent(-1);
    check_log("[I] first\n    second\n    \n    fourth\n"
              "[W]     a\n        \n        b\n");
}

TEST(severities)
{
    start();
    pg_log_set_severity(PG_STR(""), PG_ULTRA_VERBOSE);
    for (int s = PG_ULTRA_VERBOSE; s <= PG_VERBOSE; s += 10)
        PG_LOG((pg_severity)s, "x");
    PG_LOG(PG_START, "x");
    PG_LOG(PG_FINISH, "x");
    PG_LOG_ERROR("x");
    PG_LOG(PG_CRITICAL, "x");
    check_log("[U] x\n[S] x\n[X] x\n[V] x\n[I] x\n[I] x\n[E] x\n[!] x\n");
}

TEST(levels_hide)
{
    start();
    PG_LOG_VERBOSE("hidden");
    pg_log_set_severity(PG_STR(""), PG_START);
    PG_LOG_INFO("hidden");
    PG_LOG(PG_START, "shown");
    check_log("[I] shown\n");
}

TEST(longest_path_decides)
{
    start();
    pg_log_set_severity(PG_STR("backend"), PG_WARNING); /* covers runner/ and onnx/ */
    pg_log_set_severity(PG_STR("/runner/onnxrt/"), PG_VERBOSE);
    CHECK(!pg_log_enabled_at("src/runner/native/x.c", PG_INFO));
    CHECK(!pg_log_enabled_at("/build/here/src/onnx/x.c", PG_INFO));
    CHECK(pg_log_enabled_at("src/runner/onnxrt/x.c", PG_VERBOSE));
    CHECK(pg_log_enabled_at("src/tools/x.c", PG_INFO));
    CHECK(!pg_log_enabled_at("src/tools/x.c", PG_VERBOSE));
    pg_log_set_severity(PG_STR("comparator/comparator.py"), PG_VERBOSE);
    CHECK(pg_log_enabled_at("src/tools/run/stream.c", PG_VERBOSE));
    CHECK(!pg_log_enabled_at("src/tools/runner.c", PG_VERBOSE));
    check_log("");
}

TEST(once)
{
    start();
    for (int i = 0; i < 3; i++)
        PG_LOG_ONCE(PG_INFO, "text %d", i / 2);
    check_log("[I] text 0\n[I] text 1\n");
}

TEST(prefix_pieces)
{
    start();
    pg_log_set_format((pg_log_format){.line_info = true, .no_colors = true});
    pg_log_at("/x/src/runner/runner.c", 12, PG_INFO, "a\nb");
    check_log("[I] [runner/runner.c:12] a\n                         b\n");
}

TEST(timestamp)
{
    start();
    pg_log_set_format((pg_log_format){.timestamp = true, .no_colors = true});
    PG_LOG_INFO("a");
    pg_log_close();
    pg_buf text = {0};
    CHECK_OK(pg_file_read(log_path, 1 << 20, &text));
    CHECK(pg_str_wildcard(PG_STR("[[]I] ([0-9][0-9]:[0-9][0-9]:[0-9][0-9]) a\n"), pg_buf_str(&text)));
    pg_buf_deinit(&text);
    pg_log_set_format((pg_log_format){.no_colors = true});
}

TEST(long_messages)
{
    start();
    char text[5000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    PG_LOG_INFO("%s", text);
    pg_buf expected = {0};
    pg_buf_printf(&expected, "[I] %s\n", text);
    check_log(pg_buf_cstr(&expected));
    pg_buf_deinit(&expected);
}

TEST(names)
{
    pg_severity severity;
    CHECK(pg_severity_parse(PG_STR("extra_Verbose"), &severity) && severity == PG_EXTRA_VERBOSE);
    CHECK(!pg_severity_parse(PG_STR("loud"), &severity));
}

TEST_MAIN(RUN(continuation_lines_are_aligned); RUN(severities); RUN(levels_hide); RUN(longest_path_decides);
          RUN(once); RUN(prefix_pieces); RUN(timestamp); RUN(long_messages); RUN(names);)
