/* Sizes that depend on data. */
#include "check/unbounded.h"
#include "onnx/build.h"
#include "onnx/edit.h"
#include "unit/harness.h"

static void check(const char *maker, const char *declared, const char *expected)
{
    pg_arena arena = {0};
    pg_model *model = NULL;
    pg_wire_message *graph = pg_build_graph(&arena, "g");
    pg_build_input(&arena, graph, "x", PG_F32, "N,3");
    pg_build_input(&arena, graph, "i", PG_I64, "2");
    pg_build_output(&arena, graph, "y", PG_F32, declared);
    pg_build_value(&arena, graph, PG_PB_GRAPH_VALUE_INFO, "s", pg_build_tensor_type(&arena, PG_I64, "2"));
    int64_t values[2] = {2, 3};
    pg_tensor tensor;
    CHECK_OK(pg_tensor_borrow(&tensor, PG_I64, 1, (int64_t[]){2}, values));
    pg_wire_message *node =
        pg_build_node(&arena, graph, maker, "size", strcmp(maker, "Constant") == 0 ? "" : "i,i", "s");
    if (strcmp(maker, "Constant") == 0)
        pg_build_attr_tensor(&arena, node, "value", pg_build_tensor(&arena, "", &tensor));
    pg_build_node(&arena, graph, "Expand", "e", "x,s", "y");
    CHECK_OK(pg_model_from_wire(&arena, pg_build_model(&arena, graph, 17), NULL, "test", &model));
    pg_unbounded *items;
    size_t count;
    pg_buf text = {0};
    pg_arena memory = {0};
    pg_unbounded_sizes(model, &memory, &items, &count);
    pg_unbounded_text(items, count, &text);
    CHECK_STR(pg_buf_cstr(&text), expected);
    pg_buf_deinit(&text);
    pg_arena_deinit(&memory);
    pg_model_unref(model);
}

TEST(sizes)
{
    static const char s[] = "[Variable (s): (shape=[2], dtype=int64)]";
    check("Add", NULL, s);
    check("Add", "M,3", s);
    check("Add", "N,3", "[]");
    check("Add", "4,3", "[]");
    check("Min", "M,3", "[]");
    check("Constant", "M,3", "[]");
}

TEST_MAIN(RUN(sizes);)
