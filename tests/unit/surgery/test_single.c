/* Single nodes cut out of models. */
#include "onnx/build.h"
#include "onnx/edit.h"
#include "surgery/single.h"
#include "unit/harness.h"

/* x -> If(c) { add w } else { outer } -> y, beside a Relu nobody else reads. */
static pg_model *branching(void)
{
    pg_arena arena = {0};
    pg_model *model = NULL;
    pg_wire_message *graph = pg_build_graph(&arena, "g"), *body = pg_build_graph(&arena, "then"),
                    *other = pg_build_graph(&arena, "else");
    pg_build_node(&arena, body, "Add", "in", "x,w", "sum");
    pg_build_output(&arena, body, "sum", PG_F32, "3");
    pg_build_output(&arena, other, "outer", PG_F32, "3");
    pg_build_input(&arena, graph, "x", PG_F32, "3");
    pg_build_input(&arena, graph, "c", PG_BOOL, "");
    pg_build_output(&arena, graph, "y", PG_F32, "N");
    float values[3] = {1, 2, 3};
    pg_tensor tensor;
    CHECK(pg_tensor_borrow(&tensor, PG_F32, 1, (int64_t[]){3}, values) == NULL);
    pg_build_weight(&arena, graph, pg_build_tensor(&arena, "w", &tensor));
    pg_build_weight(&arena, graph, pg_build_tensor(&arena, "unused", &tensor));
    pg_build_node(&arena, graph, "Relu", "", "x", "outer");
    pg_wire_message *node = pg_build_node(&arena, graph, "If", "branch", "c", "y");
    pg_build_attr_graph(&arena, node, "then_branch", body);
    pg_build_attr_graph(&arena, node, "else_branch", other);
    CHECK(pg_model_from_wire(&arena, pg_build_model(&arena, graph, 17), NULL, "test", &model) == NULL);
    return model;
}

TEST(bodies_read_outer_tensors)
{
    pg_model *model = branching();
    pg_arena arena = {0};
    pg_str *names;
    size_t count;
    pg_node_reads(&model->graph->nodes[1], &arena, &names, &count);
    CHECK_INT(count, 4);
    static const char *const expected[] = {"c", "x", "w", "outer"};
    for (size_t i = 0; i < count && i < 4; i++)
        CHECK(pg_str_is(names[i], expected[i]));
    pg_arena_deinit(&arena);
    pg_model_unref(model);
}

TEST(one_node)
{
    pg_model *model = branching(), *single = NULL;
    pg_cutter *cutter = pg_cutter_new(model);
    float data[6] = {0};
    pg_tensor tensor;
    CHECK(pg_tensor_borrow(&tensor, PG_F32, 2, (int64_t[]){2, 3}, data) == NULL);
    pg_value value = {.kind = PG_VALUE_TENSOR, .elem = PG_F32, .tensor = tensor};
    const pg_single_input inputs[] = {
        {PG_STR("x"), &value}, {PG_STR("c"), NULL}, {PG_STR("outer"), NULL}, {PG_STR("else"), &value, NULL}};
    CHECK(pg_cutter_single(cutter, &model->graph->nodes[1], PG_STR("new name"), inputs, 4, &single) == NULL);
    const pg_graph *graph = single->graph;
    CHECK(pg_str_is(graph->name, "new name"));
    CHECK_INT(graph->n_nodes, 1);
    CHECK(pg_str_is(graph->nodes[0].name, "new name"));
    CHECK_INT(graph->n_weights, 1);
    CHECK_INT(graph->n_inputs, 3);
    CHECK(pg_str_is(graph->inputs[0].name, "c"));
    CHECK(graph->inputs[0].type.elem == PG_BOOL); /* as declared */
    CHECK(pg_str_is(graph->inputs[1].name, "x"));
    CHECK_INT(graph->inputs[1].type.rank, 2); /* as the value */
    CHECK(graph->inputs[2].type.kind == PG_TYPE_NONE);
    CHECK_INT(graph->n_outputs, 1);
    CHECK(pg_str_is(graph->outputs[0].type.dims[0].name, "N"));
    CHECK_INT(pg_model_opset(single, PG_STR_EMPTY), 17);
    pg_model_unref(single);
    pg_cutter_free(cutter);
    pg_model_unref(model);
}

TEST_MAIN(RUN(bodies_read_outer_tensors); RUN(one_node);)
