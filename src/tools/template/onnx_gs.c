#include "tools/template/internal.h"
#include "tools/tools.h"

typedef struct gs_args {
    pg_args_logging logging;
    pg_args_model model;
    pg_args_onnx_shapes shapes;
    pg_args_onnx onnx;
    const char *output;
} gs_args;

static const pg_option output_rows[] = {
    {"-o --output", PG_FIELD(gs_args, output), .flags = PG_OPTION_PATH | PG_OPTION_REQUIRED,
     .metavar = "FILE", .help = "where to write the script; '-' is the standard output"},
};
static const pg_group output_group = {NULL, output_rows, PG_COUNT(output_rows)};

static const pg_group_use groups[] = {
    {&pg_group_logging, offsetof(gs_args, logging)},
    {&pg_group_onnx_model, offsetof(gs_args, model), .required = "model_file"},
    {&pg_group_onnx_shapes, offsetof(gs_args, shapes)},
    {&pg_group_onnx, offsetof(gs_args, onnx)},
    {&output_group, 0},
};

/* "<model>_updated.onnx", beside the model. */
static char *updated_path(const gs_args *args, pg_arena *arena)
{
    pg_str path = pg_str_c(pg_path_absolute(arena, pg_str_c(args->model.path)));
    pg_str stem = pg_str_sub(path, 0, path.len - pg_path_extension(path).len);
    return pg_arena_printf(arena, "%" PG_STR_FMT "_updated.onnx", PG_STR_ARG(stem));
}

static pg_status run(void *values, pg_arena *arena)
{
    const gs_args *args = values;
    pg_python py = {.arena = arena, .indent = ""};
    pg_buf text = {0};
    pg_python_need(&py, "polygraphy", "mod");
    pg_python_need(&py, "polygraphy.backend.onnx", "GsFromOnnx");
    if (pg_python_model(&py, &args->model, &args->onnx, &args->shapes, NULL)) {
        pg_python_need(&py, "polygraphy.backend.onnx", "OnnxFromPath");
        pg_buf_puts(&py.body, "model = OnnxFromPath(model)\n");
    }
    pg_python_head(&py, "Edits an ONNX model, begun by this command:", &text);
    pg_buf_puts(&text, "\ngs = mod.lazy_import(\"onnx_graphsurgeon\")\nonnx = mod.lazy_import(\"onnx\")\n\n");
    pg_buf_add_str(&text, pg_buf_str(&py.body));
    pg_buf_puts(
        &text,
        "graph = GsFromOnnx(model)()\n\n"
        "# graph.inputs and graph.outputs are lists of tensors, graph.tensors() is a dictionary of all of\n"
        "# them by name, and graph.nodes is the list of nodes, each with name, op, attrs, inputs and\n"
        "# outputs. For example:\n"
        "#\n"
        "#     for node in graph.nodes:\n"
        "#         if node.op == \"Relu\":\n"
        "#             node.op = \"Sigmoid\"\n"
        "#\n"
        "# graph.cleanup() drops what no output needs, graph.toposort() brings nodes into order.\n\n"
        "onnx.save(gs.export_onnx(graph), ");
    pg_python_text(&text, pg_str_c(updated_path(args, arena)));
    pg_buf_puts(&text, ")\n");
    pg_status status = pg_python_write(args->output, &text, true);
    pg_buf_deinit(&text);
    pg_python_deinit(&py);
    return status;
}

const pg_command pg_command_template_onnx_gs = {
    .name = "onnx-gs",
    .summary = "Write a model editing script.",
    .description =
        "The script loads the model as a graph of onnx-graphsurgeon and saves it as '<model>_updated.onnx'.",
    .examples = "polygraphy template onnx-gs model.onnx -o edit.py",
    .groups = groups,
    .n_groups = PG_COUNT(groups),
    .values_size = sizeof(gs_args),
    .run = run,
};
