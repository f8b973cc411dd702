#include "unit/harness.h"

#include <unistd.h>

#include "onnx/build.h"
#include "onnx/edit.h"
#include "onnx/save.h"

static pg_arena arena;

static pg_model *finish(pg_wire_message *root)
{
    pg_model *model = NULL;
    CHECK_OK(pg_model_from_wire(&arena, root, NULL, "test", &model));
    return model;
}

/* x -> Relu -> a -> Neg -> y, a weight and a Constant. */
static pg_wire_message *small_graph(void)
{
    pg_wire_message *graph = pg_build_graph(&arena, "small");
    pg_tensor weight;
    float values[] = {1, 2, 3};
    CHECK_OK(pg_tensor_borrow(&weight, PG_F32, 1, (int64_t[]){3}, values));
    pg_build_weight(&arena, graph, pg_build_tensor(&arena, "w", &weight));
    pg_build_input(&arena, graph, "x", PG_F32, "N,3");
    pg_build_output(&arena, graph, "y", PG_F32, "N,3");
    pg_wire_message *constant = pg_build_node(&arena, graph, "Constant", "c", "", "k");
    pg_build_attr_tensor(&arena, constant, "value", pg_build_tensor(&arena, "", &weight));
    pg_build_node(&arena, graph, "Relu", "r", "x", "a");
    pg_build_node(&arena, graph, "Neg", "n", "a", "y");
    return graph;
}

TEST(parses_what_the_builder_makes)
{
    pg_wire_message *graph = small_graph();
    pg_wire_message *node = pg_build_node(&arena, graph, "my.domain::Op", "o", "x,,y", "z");
    pg_build_attr_float(&arena, node, "f", 1.5f);
    pg_build_attr_int(&arena, node, "i", -3);
    pg_build_attr_str(&arena, node, "s", "text");
    pg_build_attr_floats(&arena, node, "fs", 2, (float[]){1, 2});
    pg_build_attr_ints(&arena, node, "is", 3, (int64_t[]){1, -2, 3});
    pg_build_attr_strs(&arena, node, "ss", "a,b");
    pg_build_attr_graph(&arena, node, "g", pg_build_graph(&arena, "inner"));
    pg_build_attr_type(&arena, node, "t",
                       pg_build_map_type(&arena, PG_I64, pg_build_tensor_type(&arena, PG_F32, "1,N,?")));
    pg_wire_message *root = pg_build_model(&arena, graph, 17);
    pg_build_opset(&arena, root, "my.domain", 2);
    pg_build_metadata(&arena, root, "key", "value");
    pg_build_node(&arena, pg_build_function(&arena, root, "my.domain", "Op", "a", "b", 17), "Relu", "", "a",
                  "b");
    pg_model *model = finish(root);
    CHECK_INT(model->ir_version, 8);
    CHECK_INT(pg_model_opset(model, PG_STR("ai.onnx")), 17);
    CHECK_INT(pg_model_opset(model, PG_STR("my.domain")), 2);
    CHECK_INT(pg_model_opset(model, PG_STR("other")), 0);
    CHECK(pg_str_is(model->metadata[0].value, "value"));
    CHECK(pg_model_find_function(model, PG_STR("my.domain"), PG_STR("Op"), PG_STR_EMPTY) == model->functions);
    const pg_node *parsed = &model->graph->nodes[3];
    CHECK(pg_str_is(parsed->op_type, "Op") && pg_str_is(parsed->domain, "my.domain"));
    CHECK_INT(parsed->n_inputs, 3);
    CHECK_INT(parsed->inputs[1].len, 0);
    CHECK(pg_node_attr(parsed, "f")->f == 1.5f);
    CHECK_INT(pg_node_attr(parsed, "i")->i, -3);
    CHECK(pg_str_is(pg_node_attr(parsed, "s")->s, "text"));
    CHECK_INT(pg_node_attr(parsed, "fs")->count, 2);
    CHECK_INT(pg_node_attr(parsed, "is")->ints[1], -2);
    CHECK(pg_str_is(pg_node_attr(parsed, "ss")->strings[1], "b"));
    CHECK(pg_str_is(pg_node_attr(parsed, "g")->graph->name, "inner"));
    const pg_type *type = pg_node_attr(parsed, "t")->types;
    CHECK_INT(type->kind, PG_TYPE_MAP);
    CHECK_INT(type->elem, PG_I64);
    CHECK_INT(type->inner->rank, 3);
    CHECK_INT(type->inner->dims[0].value, 1);
    CHECK(pg_str_is(type->inner->dims[1].name, "N"));
    CHECK(!type->inner->dims[2].has_value && type->inner->dims[2].name.len == 0);
    CHECK(pg_node_attr(parsed, "none") == NULL);
    pg_model_unref(model);
}

TEST(an_unedited_model_is_written_byte_for_byte)
{
    pg_buf bytes = {0}, scratch = {0};
    pg_model *model;
    pg_str again;
    pg_wire_write_buf(pg_build_model(&arena, small_graph(), 17), &bytes);
    pg_arena_deinit(&arena);
    CHECK_OK(pg_model_parse(bytes.ptr, bytes.len, "bytes", &model));
    CHECK(!pg_model_is_modified(model));
    CHECK_OK(pg_model_serialize(model, &scratch, &again));
    CHECK(pg_str_eq(again, pg_buf_str(&bytes)) && again.ptr == bytes.ptr);
    pg_model_unref(model);
    pg_buf_deinit(&bytes);
}

static void check_outputs(const pg_model *model, const pg_output_selection *selection, const char *expected)
{
    pg_model *selected = NULL, *again = NULL;
    pg_buf names = {0}, scratch = {0};
    pg_str bytes;
    CHECK_OK(pg_model_select_outputs(model, selection, &selected));
    for (size_t i = 0; i < selected->graph->n_outputs; i++)
        pg_buf_printf(&names, "%s%" PG_STR_FMT, i > 0 ? "," : "",
                      PG_STR_ARG(selected->graph->outputs[i].name));
    CHECK_STR(pg_buf_cstr(&names), expected);
    CHECK_OK(pg_model_serialize(selected, &scratch, &bytes));
    CHECK_OK(pg_model_parse(bytes.ptr, bytes.len, "again", &again));
    CHECK_INT(again->graph->n_outputs, selected->graph->n_outputs);
    CHECK_INT(again->graph->n_nodes, model->graph->n_nodes);
    pg_model_unref(again);
    pg_model_unref(selected);
    pg_buf_deinit(&names);
    pg_buf_deinit(&scratch);
}

TEST(selects_outputs)
{
    pg_model *model = finish(pg_build_model(&arena, small_graph(), 17)), *none = NULL;
    const char *a[] = {"a"}, *wild[] = {"[ay]"}, *neg[] = {"neg", "Nothing"}, *bad[] = {"b"},
               *lost[] = {"q*"}, *y[] = {"y"};
    check_outputs(model, &(pg_output_selection){.mark_all = true}, "a,y");
    check_outputs(model, &(pg_output_selection){.names = a, .n_names = 1}, "a");
    check_outputs(model, &(pg_output_selection){.names = wild, .n_names = 1}, "a,y");
    check_outputs(model, &(pg_output_selection){.op_types = neg, .n_op_types = 2}, "y");
    check_outputs(model, &(pg_output_selection){.mark_all = true, .exclude = y, .n_exclude = 1}, "a");
    check_outputs(model, &(pg_output_selection){0}, "y");
    CHECK_ERR(pg_model_select_outputs(model, &(pg_output_selection){.names = bad, .n_names = 1}, &none),
              PG_ERR_NOT_FOUND, "'b' was not found in the model; the model has: 'k', 'a', 'y', 'x'");
    CHECK_ERR(pg_model_select_outputs(model, &(pg_output_selection){.names = lost, .n_names = 1}, &none),
              PG_ERR_INVALID, "no outputs were selected");
    CHECK_ERR(pg_model_select_outputs(model, &(pg_output_selection){.exclude = y, .n_exclude = 1}, &none),
              PG_ERR_INVALID, "no outputs were selected");
    pg_model *selected = NULL;
    CHECK_OK(pg_model_select_outputs(model, &(pg_output_selection){.mark_all = true}, &selected));
    CHECK(pg_model_is_modified(selected));
    CHECK_INT(selected->graph->outputs[0].type.kind, PG_TYPE_NONE);
    CHECK_INT(selected->graph->outputs[1].type.rank, 2);
    pg_model_unref(model); /* the edited one keeps it alive */
    CHECK(pg_str_is(selected->graph->nodes[1].op_type, "Relu"));
    pg_model_unref(selected);
}

static void check_damaged(const void *bytes, size_t size, const char *part)
{
    pg_model *model;
    CHECK_ERR(pg_model_parse(bytes, size, "file.onnx", &model), PG_ERR_INVALID, part);
}

TEST(refuses_what_is_no_model)
{
    check_damaged("", 0, "'file.onnx' is not an ONNX model: the file is empty");
    check_damaged("\x08\x07", 2, "it has no graph");
    check_damaged("version https://git-lfs.github.com/spec/v1\n", 44, "Git LFS pointer");
    check_damaged("{\"a\": 1}", 8, "looks like JSON");
    check_damaged("hello world, this is text", 25, "while reading the ONNX model 'file.onnx'");
    check_damaged("\x3a\x05\x0a", 3, "a field of 5 bytes where 1 are left at byte 1");
    pg_model *model;
    CHECK_ERR(pg_model_load("/does/not/exist.onnx", NULL, &model), PG_ERR_NOT_FOUND, "/does/not/exist.onnx");
    CHECK_ERR(pg_model_load("/tmp", NULL, &model), PG_ERR_INVALID, "folder");
}

TEST(every_truncation_is_an_error_or_a_model)
{
    pg_buf bytes = {0};
    pg_wire_write_buf(pg_build_model(&arena, small_graph(), 17), &bytes);
    pg_arena_deinit(&arena);
    size_t models = 0;
    for (size_t size = 0; size < bytes.len; size++) {
        char *cut = malloc(size + 1); /* of its own, so that reading past the end is noticed */
        memcpy(cut, bytes.ptr, size);
        pg_model *model = NULL;
        pg_status status = pg_model_parse(cut, size, "cut", &model);
        models += status == NULL;
        pg_status_drop(status);
        pg_model_unref(model);
        free(cut);
    }
    CHECK(models <= 2); /* the opset comes after the graph */
    pg_buf_deinit(&bytes);
}

TEST(limits_the_nesting_of_graphs)
{
    pg_model *model = NULL;
    pg_wire_message *graph = pg_build_graph(&arena, "innermost");
    for (int i = 0; i < 40; i++) {
        pg_wire_message *outer = pg_build_graph(&arena, "g");
        pg_build_attr_graph(&arena, pg_build_node(&arena, outer, "If", "", "c", "o"), "then_branch", graph);
        graph = outer;
    }
    CHECK_ERR(pg_model_from_wire(&arena, pg_build_model(&arena, graph, 17), NULL, "deep", &model),
              PG_ERR_LIMIT, "nested more than 100 deep");
}

TEST(an_attribute_without_a_type_gets_one_from_its_value)
{
    pg_wire_message *graph = small_graph();
    pg_wire_message *node = pg_build_node(&arena, graph, "Old", "", "x", "z");
    pg_wire_message *attr = pg_wire_new(&arena, &pg_pb_attr);
    pg_wire_add_str(&arena, attr, PG_PB_ATTR_NAME, PG_STR("axes"));
    pg_wire_add_int(&arena, attr, PG_PB_ATTR_INTS, 7);
    pg_wire_add_message(&arena, node, PG_PB_NODE_ATTR, attr);
    pg_model *model = finish(pg_build_model(&arena, graph, 17));
    const pg_attr *axes = pg_node_attr(&model->graph->nodes[3], "axes");
    CHECK_INT(axes->type, PG_ATTR_INTS);
    CHECK_INT(axes->ints[0], 7);
    pg_model_unref(model);
}

TEST_MAIN(RUN(parses_what_the_builder_makes); RUN(an_unedited_model_is_written_byte_for_byte);
          RUN(selects_outputs); RUN(refuses_what_is_no_model); RUN(every_truncation_is_an_error_or_a_model);
          RUN(limits_the_nesting_of_graphs); RUN(an_attribute_without_a_type_gets_one_from_its_value);)
