/* `inspect capability`: which nodes the runtime behind --trt does not support, and the model cut at them. */
#include "args/args.h"
#include "base/file.h"
#include "check/support.h"
#include "log/log.h"
#include "runner/tensorrt/tensorrt.h"
#include "surgery/single.h"
#include "tools/tools.h"
#include "tools/trt_engine.h"

#define DEFAULT_FOLDER "polygraphy_capability_dumps"

typedef struct capability_own_args {
    const char *output;
    bool with_partitioning;
} capability_own_args;

static const pg_option own_rows[] = {
    {"-o --output", PG_FIELD(capability_own_args, output), .metavar = "DIR", .flags = PG_OPTION_PATH,
     .default_text = DEFAULT_FOLDER, .help = "folder for the results and the parts of the model"},
    {"--with-partitioning", PG_FIELD(capability_own_args, with_partitioning),
     .help = "cut the model at the nodes that are not supported and save each part"},
};
static const pg_group group_own = {NULL, own_rows, PG_COUNT(own_rows)};

typedef struct capability_args {
    pg_args_logging logging;
    pg_args_model model;
    pg_args_onnx_shapes shapes;
    pg_args_onnx onnx;
    pg_args_onnx_save save;
    capability_own_args own;
} capability_args;

#define USE(group, member)                        \
    {                                             \
        &group, offsetof(capability_args, member) \
    }

static const pg_group_use groups[] = {
    USE(pg_group_logging, logging),
    {&pg_group_onnx_model, offsetof(capability_args, model), .without = "--input-shapes",
     .required = "model_file"},
    USE(pg_group_onnx_shapes, shapes),
    {&pg_group_onnx, offsetof(capability_args, onnx),
     .without = "--onnx-outputs --onnx-exclude-outputs --onnx-outputs-by-type --mark-all --exclude-outputs"},
    {&pg_group_onnx_save, offsetof(capability_args, save), .without = "--save-onnx"},
    USE(group_own, own),
};

/* ---- Without cutting: a row per node ---- */

static size_t widest(size_t width, size_t length)
{
    return length > width ? length : width;
}

static void put_padded(pg_buf *out, pg_str text, size_t width, const char *end)
{
    pg_buf_add_str(out, text);
    pg_buf_pad(out, ' ', width > text.len ? width - text.len : 0);
    pg_buf_puts(out, end);
}

static void put_row(pg_buf *out, const pg_str *cells, const size_t *widths)
{
    for (size_t i = 0; i < 4; i++)
        put_padded(out, cells[i], widths[i], i < 3 ? " | " : "\n");
}

static void list_nodes(const pg_support *support, pg_buf *out)
{
    const pg_str head[4] = {PG_STR("Stack trace"), PG_STR("Operator"), PG_STR("Node"), PG_STR("Reason")};
    size_t widths[4] = {sizeof "Stack trace " - 1, sizeof "Operator " - 1, sizeof "Node " - 1, 0};
    for (size_t i = 0; i < support->n_faults; i++) {
        widths[1] = widest(widths[1], support->faults[i].node->op_type.len);
        widths[2] = widest(widths[2], support->faults[i].node->name.len);
        widths[3] = widest(widths[3], strlen(support->faults[i].message));
    }
    pg_buf_puts(out, "===== Summary =====\n");
    size_t start = out->len;
    put_row(out, head, widths);
    pg_buf_pad(out, '-', out->len - start);
    pg_buf_putc(out, '\n');
    for (size_t i = 0; i < support->n_faults; i++) {
        const pg_node *node = support->faults[i].node;
        put_row(
            out,
            (const pg_str[4]){PG_STR_EMPTY, node->op_type, node->name, pg_str_c(support->faults[i].message)},
            widths);
    }
}

/* ---- With cutting: a row per operator and reason ---- */

typedef struct reason {
    pg_str op, text;
    size_t count;
    pg_buf ranges; /* "[[0, 1], [4, 6]" */
} reason;

typedef struct reasons {
    PG_VEC(reason) items;
} reasons;

/* Ranges lie together by the operator of their first node, then by the reason. */
static void add_range(reasons *all, pg_str op, pg_str text, size_t begin, size_t end)
{
    size_t at = all->items.len;
    reason *found = NULL;
    for (size_t i = 0; i < all->items.len && found == NULL; i++) {
        if (!pg_str_eq(all->items.items[i].op, op))
            continue;
        at = i + 1;
        if (pg_str_eq(all->items.items[i].text, text))
            found = &all->items.items[i];
    }
    if (found == NULL) {
        (void)PG_VEC_ADD(&all->items);
        memmove(&all->items.items[at + 1], &all->items.items[at],
                (all->items.len - 1 - at) * sizeof *all->items.items);
        found = &all->items.items[at];
        *found = (reason){.op = op, .text = text};
    }
    pg_buf_printf(&found->ranges, "%s[%zu, %zu]", found->count++ > 0 ? ", " : "[", begin, end);
}

static void list_reasons(const reasons *all, pg_buf *out)
{
    size_t op = sizeof "Operator " - 1, text = 0;
    for (size_t i = 0; i < all->items.len; i++) {
        op = widest(op, all->items.items[i].op.len);
        text = widest(text, all->items.items[i].text.len);
    }
    pg_buf_puts(out, "===== Summary =====\n");
    size_t start = out->len;
    put_padded(out, PG_STR("Operator"), op, "| Count   | ");
    put_padded(out, PG_STR("Reason"), text, " | Nodes\n");
    pg_buf_pad(out, '-', out->len - start);
    pg_buf_putc(out, '\n');
    for (size_t i = 0; i < all->items.len; i++) {
        const reason *item = &all->items.items[i];
        put_padded(out, item->op, op, "| ");
        pg_buf_printf(out, "%7zu | ", item->count);
        put_padded(out, item->text, text, " | ");
        pg_buf_printf(out, "%s]\n", pg_buf_cstr(&item->ranges));
    }
}

typedef struct partition {
    const capability_args *args;
    const pg_model *model;
    const char *folder;
    const pg_support *support;
    const char **why; /* per node; NULL where it is supported */
    pg_cutter *cutter;
    pg_arena *arena;
} partition;

static pg_status save_part(const partition *work, size_t begin, size_t end, bool supported)
{
    pg_args_onnx_save save = work->args->save;
    pg_model *part;
    save.path = pg_arena_printf(work->arena, "%s/%s_subgraph-nodes-%zu-%zu.onnx", work->folder,
                                supported ? "supported" : "unsupported", begin, end - 1);
    PG_TRY(pg_cutter_range(work->cutter, begin, end, &part));
    pg_status status = pg_args_save_onnx(&save, part);
    pg_model_unref(part);
    return status;
}

/* The different reasons of a range, joined. */
static pg_str join_reasons(const partition *work, size_t begin, size_t end)
{
    pg_buf text = {0};
    pg_map seen = {0};
    for (size_t i = begin; i < end; i++)
        if (pg_map_put(&seen, pg_str_c(work->why[i]), NULL))
            pg_buf_printf(&text, "%s%s", text.len > 0 ? " | " : "", work->why[i]);
    pg_str copy = pg_arena_str(work->arena, pg_buf_str(&text));
    pg_buf_deinit(&text);
    pg_map_deinit(&seen);
    return copy;
}

static pg_status cut_parts(const partition *work, reasons *all)
{
    size_t count = work->model->graph->n_nodes;
    for (size_t begin = 0, end; begin < count; begin = end) {
        bool supported = work->why[begin] == NULL;
        for (end = begin + 1; end < count && (work->why[end] == NULL) == supported;)
            end++;
        PG_TRY(save_part(work, begin, end, supported));
        if (!supported)
            add_range(all, work->model->graph->nodes[begin].op_type, join_reasons(work, begin, end), begin,
                      end);
    }
    return NULL;
}

static pg_status cut_model(partition *work, pg_buf *out)
{
    reasons all = {0};
    work->why = PG_ARENA_ARRAY(work->arena, const char *, work->model->graph->n_nodes);
    for (size_t i = 0; i < work->support->n_faults; i++)
        work->why[work->support->faults[i].node->index] = work->support->faults[i].message;
    work->cutter = pg_cutter_new(work->model);
    pg_status status = cut_parts(work, &all);
    if (status == NULL)
        list_reasons(&all, out);
    for (size_t i = 0; i < all.items.len; i++)
        pg_buf_deinit(&all.items.items[i].ranges);
    PG_VEC_FREE(&all.items);
    pg_cutter_free(work->cutter);
    return status;
}

/* ---- The command ---- */

static pg_status report(const capability_args *args, const pg_model *model, const pg_support *support,
                        pg_arena *arena)
{
    const char *folder = args->own.output != NULL ? args->own.output : DEFAULT_FOLDER;
    partition work = {.args = args, .model = model, .folder = folder, .support = support, .arena = arena};
    pg_buf text = {0};
    pg_status status = NULL;
    if (args->own.with_partitioning)
        status = cut_model(&work, &text);
    else
        list_nodes(support, &text);
    if (status == NULL) {
        const char *path = pg_arena_printf(arena, "%s/results.txt", folder);
        PG_LOG_INFO("%s", pg_buf_cstr(&text));
        PG_LOG_INFO("Saving results to %s", path);
        status = pg_file_write(path, pg_buf_str(&text));
    }
    pg_buf_deinit(&text);
    return status;
}

static pg_status inspect(const capability_args *args, pg_model *model, pg_arena *arena)
{
    pg_lint_engine engine = tools_trt_engine();
    pg_support support;
    PG_TRY(pg_support_check(model, &engine, arena, &support));
    if (support.message == NULL) {
        PG_LOG_INFO("Graph is fully supported by %s; Will not %s.",
                    engine.accepts != NULL ? "TensorRT" : "the built-in engine",
                    args->own.with_partitioning ? "generate subgraphs" : "report errors");
        return NULL;
    }
    if (support.n_untold > 0)
        PG_LOG_WARNING(
            "%zu node(s) could not be tried alone and count as supported: the type of an input is not "
            "known",
            support.n_untold);
    if (support.n_faults == 0)
        return pg_err(PG_ERR_FAILED, "no single node is to blame: %s", support.message);
    return report(args, model, &support, arena);
}

static pg_status run(void *values, pg_arena *arena)
{
    const capability_args *args = values;
    const char *folder = args->own.output != NULL ? args->own.output : DEFAULT_FOLDER;
    pg_model *model = NULL;
    if (args->save.external.text != NULL && args->own.with_partitioning)
        return pg_err(PG_ERR_INVALID,
                      "option '--save-external-data': the parts cannot share the file '%s'; give no name, so "
                      "that each part gets a file of its own",
                      args->save.external.text);
    if (pg_path_exists(folder) && !pg_path_is_dir(folder))
        return pg_err(PG_ERR_INVALID, "option '--output': '%s' is a file, but has to be a folder", folder);
    PG_TRY_CTX(pg_file_check_writable(pg_arena_printf(arena, "%s/results.txt", folder)), "option '--output'");
    PG_TRY(pg_args_load_onnx(&args->model, &args->onnx, &args->shapes, true, &model));
    pg_status status = inspect(args, model, arena);
    pg_model_unref(model);
    return status;
}

const pg_command pg_command_inspect_capability = {
    .name = "capability",
    .summary = "Find the nodes that a runtime does not support.",
    .description =
        "Lists the nodes that TensorRT does not support; where there is no TensorRT, those that the built-in "
        "engine does not. With --with-partitioning the model is cut at them, and each part is saved as a "
        "model of its own. The summary is saved in the folder as results.txt.",
    .examples = "polygraphy inspect capability model.onnx\n"
                "polygraphy inspect capability model.onnx --with-partitioning -o parts",
    .groups = groups,
    .n_groups = PG_COUNT(groups),
    .values_size = sizeof(capability_args),
    .run = run,
};
