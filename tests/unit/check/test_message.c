/* ONNX Runtime's messages, cut down. */
#include "base/buf.h"
#include "check/lint.h"
#include "unit/harness.h"

static void check(const char *text, bool is_status, const char *expected)
{
    pg_buf out = {0};
    pg_lint_prune(pg_str_c(text), is_status, &out);
    CHECK_STR(pg_buf_cstr(&out), expected);
    pg_buf_deinit(&out);
}

TEST(statuses)
{
    check("This is an invalid model. In Node, (\"n\", Op, \"\", -1) : (\"x\": tensor(float),) -> (\"y\",) , "
          "Error reason",
          true, "reason");
    check("Node (n) Op (MatMul) [ShapeInferenceError] reason", true, " reason");
    check("Node (n [ShapeInferenceError] reason", true, "Node (n [ShapeInferenceError] reason");
    check("Non-zero status code returned. Name:'n' Status Message: the \"reason\"\n", true, "the `reason`");
    check("Type Error: Type (a) : (b)", true, "Type Type (a)(b)");
    check("", true, "");
}

TEST(places_in_sources)
{
    check("/a/b.cc:12 onnxruntime::F(int, x) reason", true, " reason");
    check("/a/b.cc:12 onnxruntime::F(int) reason (more)", true, "");
    check("/a/b.h:12 onnxruntime::F(int) reason", true, "/a/b.h:12 onnxruntime::F(int) reason");
    check("/a/b.cc:12 other::F(int) reason", true, "/a/b.cc:12 other::F(int) reason");
    check("b.cc:12 onnxruntime::F(int) reason", true, "b.cc:12 onnxruntime::F(int) reason");
    check("/a/b.cc:", true, "/a/b.cc:");
}

TEST(lines_of_the_log)
{
    check("Error: \"x\" : y", false, "Error: \"x\" : y");
    check("Node (n) Op (A) [ShapeInferenceError] reason", false, " reason");
}

TEST_MAIN(RUN(statuses); RUN(places_in_sources); RUN(lines_of_the_log);)
