#include "unit/harness.h"

#include "log/log.h"
#include "onnx/build.h"
#include "onnx/edit.h"
#include "onnx/text.h"

static pg_arena arena;

static pg_model *small_model(void)
{
    pg_model *model = NULL;
    pg_tensor weight;
    float values[] = {1, 2.5f, -3};
    pg_wire_message *graph = pg_build_graph(&arena, "small"), *inner = pg_build_graph(&arena, "inner");
    CHECK_OK(pg_tensor_borrow(&weight, PG_F32, 1, (int64_t[]){3}, values));
    pg_wire_add_str(&arena, graph, PG_PB_GRAPH_DOC, PG_STR("first\r\nsecond"));
    pg_build_input(&arena, graph, "x", PG_F32, "N,?,3");
    pg_build_output(&arena, graph, "y", PG_F32, NULL);
    pg_build_weight(&arena, graph, pg_build_tensor(&arena, "w", &weight));
    pg_build_node(&arena, graph, "Add", "add", "x,w", "s,t");
    pg_wire_message *constant = pg_build_node(&arena, graph, "Constant", "", "", "c");
    pg_build_attr_tensor(&arena, constant, "value", pg_build_tensor(&arena, "", &weight));
    pg_wire_message *choose = pg_build_node(&arena, graph, "If", "choose", "c", "y");
    pg_build_output(&arena, inner, "x", PG_F32, "1");
    pg_build_attr_graph(&arena, choose, "then_branch", inner);
    pg_wire_message *cast = pg_build_node(&arena, graph, "Cast", "cast", "s", "z");
    pg_build_attr_int(&arena, cast, "to", PG_F64);
    pg_build_attr_float(&arena, cast, "f", 0.1f);
    pg_build_attr_str(&arena, cast, "s", "text");
    pg_build_attr_strs(&arena, cast, "list", "it's,b");
    pg_wire_message *root = pg_build_model(&arena, graph, 17);
    pg_build_opset(&arena, root, "other", 3);
    CHECK_OK(pg_model_from_wire(&arena, root, NULL, "test", &model));
    return model;
}

static void check_text(pg_model_text_options options, const char *expected)
{
    pg_buf text = {0};
    pg_model *model = small_model();
    pg_model_text(model, &options, &text);
    CHECK_STR(pg_buf_cstr(&text), expected);
    pg_model_unref(model);
    pg_buf_deinit(&text);
}

#define HEAD "Name: small | ONNX Opset: 17 | Other Opsets: {'other': 3}\n\n"
#define IO                                        \
    "---- 1 Graph Input(s) ----\n"                \
    "{x [dtype=float32, shape=('N', -1, 3)]}\n\n" \
    "---- 1 Graph Output(s) ----\n"               \
    "{y [dtype=float32, shape=()]}\n\n"

TEST(shows_counts)
{
    check_text((pg_model_text_options){0}, HEAD IO "---- 1 Initializer(s) ----\n\n---- 4 Node(s) ----");
}

TEST(shows_values_of_weights)
{
    check_text((pg_model_text_options){.weights = true},
               HEAD IO "---- 1 Initializer(s) ----\n"
                       "Initializer | w [dtype=float32, shape=[3]] | Values:\n"
                       "    [ 1.   2.5 -3. ]\n\n"
                       "---- 4 Node(s) ----");
}

TEST(shows_layers_and_attributes)
{
    check_text((pg_model_text_options){.layers = true, .attrs = true},
               HEAD "---- Docstring ----\nfirst\nsecond\n\n" IO "---- 1 Initializer(s) ----\n"
                    "{w [dtype=float32, shape=(3,)]}\n\n"
                    "---- 4 Node(s) ----\n"
                    "Node 0    | add [Op: Add]\n"
                    "    {x [dtype=float32, shape=('N', -1, 3)],\n"
                    "     Initializer | w [dtype=float32, shape=(3,)]}\n"
                    "     -> {s,\n"
                    "         t}\n"
                    "\n"
                    "Node 1    |  [Op: Constant]\n"
                    "    {} -> {c}\n"
                    "    ---- Attributes ----\n"
                    "    value = Tensor: [dtype=float32, shape=[3]]\n"
                    "\n"
                    "Node 2    | choose [Op: If]\n"
                    "    {c}\n"
                    "     -> {y [dtype=float32, shape=()]}\n"
                    "    ---- Attributes ----\n"
                    "    choose.then_branch = \n"
                    "            ---- 0 Subgraph Input(s) ----\n"
                    "            {}\n"
                    "            \n"
                    "            ---- 1 Subgraph Output(s) ----\n"
                    "            {x [dtype=float32, shape=(1,)]}\n"
                    "            \n"
                    "            ---- 0 Initializer(s) ----\n"
                    "            {}\n"
                    "            \n"
                    "            ---- 0 Node(s) ----\n"
                    "\n"
                    "Node 3    | cast [Op: Cast]\n"
                    "    {s}\n"
                    "     -> {z}\n"
                    "    ---- Attributes ----\n"
                    "    cast.to = float64\n"
                    "    cast.f = 0.10000000149011612\n"
                    "    cast.s = text\n"
                    "    cast.list = [\"it's\", 'b']");
}

TEST(a_weight_that_cannot_be_read_has_an_error_for_its_values)
{
    pg_model *model = NULL;
    pg_buf text = {0};
    pg_wire_message *graph = pg_build_graph(&arena, "g");
    pg_build_weight(&arena, graph,
                    pg_build_raw_tensor(&arena, "w", PG_I64, 1, (int64_t[]){3}, PG_STR("too short")));
    CHECK_OK(pg_model_from_wire(&arena, pg_build_model(&arena, graph, 17), NULL, "test", &model));
    pg_model_text_options weights = {.weights = true};
    pg_log_set_severity(PG_STR_EMPTY, PG_CRITICAL);
    pg_model_text(model, &weights, &text);
    CHECK(pg_str_contains(pg_buf_str(&text), PG_STR("Values:\n    <error: failed to load weights>\n")));
    pg_model_unref(model);
    pg_buf_deinit(&text);
}

TEST_MAIN(RUN(shows_counts); RUN(shows_values_of_weights); RUN(shows_layers_and_attributes);
          RUN(a_weight_that_cannot_be_read_has_an_error_for_its_values);)
