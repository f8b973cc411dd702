/* `check compatibility`: can each runtime named load the model and build what it runs. */
#include <string.h>

#include "args/args.h"
#include "base/file.h"
#include "check/support.h"
#include "json/json.h"
#include "log/log.h"
#include "tools/tools.h"
#include "tools/trt_engine.h"

typedef struct report_args {
    const char *path;
} report_args;

static const pg_option report_rows[] = {
    {"-o --output", PG_FIELD(report_args, path), .metavar = "PATH", .flags = PG_OPTION_PATH,
     .help = "save what each runtime says as JSON"},
};
static const pg_group group_report = {NULL, report_rows, PG_COUNT(report_rows)};

typedef struct compatibility_args {
    pg_args_logging logging;
    pg_args_runners runners;
    pg_args_model model;
    pg_args_onnx onnx;
    pg_args_onnxrt onnxrt;
    pg_args_native native;
    report_args report;
} compatibility_args;

#define USE(group, member)                           \
    {                                                \
        &group, offsetof(compatibility_args, member) \
    }

static const pg_group_use groups[] = {
    USE(pg_group_logging, logging),
    USE(pg_group_runners, runners),
    {&pg_group_onnx_model, offsetof(compatibility_args, model), .without = "--input-shapes",
     .required = "model_file"},
    USE(pg_group_onnx, onnx),
    USE(pg_group_onnxrt, onnxrt),
    {&pg_group_native, offsetof(compatibility_args, native), .without = "--profile --save-profile"},
    USE(group_report, report),
};

/* ---- One runtime ---- */

/* What a runtime says; `faults` and texts in the command's arena. */
typedef struct verdict {
    const char *name;
    pg_support support;
    const char *unavailable; /* why it could not be asked */
} verdict;

typedef struct maker {
    const compatibility_args *args;
    const char *name;
} maker;

static pg_runner *make_runner(void *context, pg_model *model, bool single_node)
{
    const maker *self = context;
    pg_args_runners runners = self->args->runners;
    pg_runner *runner = NULL;
    if (single_node)
        runners.threads = 1;
    pg_status status = pg_args_new_runner(self->name, &runners, &self->args->onnxrt, &self->args->native,
                                          NULL, model, &runner);
    if (status != NULL)
        PG_BUG("no runner for '%s': %s", self->name, pg_status_message(status));
    return runner;
}

/* "TensorRT-RTX 1.6.1", or NULL. */
static const char *library_name(pg_arena *arena)
{
    pg_trt_found found;
    pg_status status = pg_trt_describe(PG_TRT_AUTO, &found);
    bool ok = status == NULL;
    pg_status_drop(status);
    return ok ? pg_arena_printf(arena, "%s %s", found.product, found.version) : NULL;
}

static pg_status ask(const compatibility_args *args, pg_model *model, pg_arena *arena, verdict *out)
{
    maker context = {args, out->name};
    bool is_onnxrt = strcmp(out->name, "onnxrt") == 0;
    pg_lint_engine engine = {is_onnxrt ? PG_LINT_ONNXRUNTIME : PG_LINT_NATIVE, &context, make_runner, NULL};
    if (strcmp(out->name, "trt") == 0)
        engine = tools_trt_engine();
    pg_status status = pg_support_check(model, &engine, arena, &out->support);
    if (engine.accepts != NULL && out->support.runtime == NULL)
        out->support.runtime = library_name(arena);
    pg_code code = pg_status_code(status);
    if (status == NULL || code == PG_ERR_INTERRUPTED || code == PG_ERR_NO_MEMORY)
        return status;
    out->unavailable = pg_arena_printf(arena, "%s", pg_status_message(status));
    pg_status_drop(status);
    return NULL;
}

static bool passes(const verdict *item)
{
    return item->unavailable == NULL && item->support.message == NULL;
}

/* "domain::Op" */
static void put_op(pg_buf *out, const pg_node *node)
{
    if (node->domain.len > 0)
        pg_buf_printf(out, "%" PG_STR_FMT "::", PG_STR_ARG(node->domain));
    pg_buf_add_str(out, node->op_type);
}

static void log_fault(const pg_model *model, const pg_support_fault *fault)
{
    const pg_node *node = fault->node;
    pg_buf op = {0};
    put_op(&op, node);
    PG_LOG_ERROR("Node %zu | Name: %" PG_STR_FMT ", Op: %s, Opset: %lld | %s", node->index,
                 PG_STR_ARG(node->name), pg_buf_cstr(&op), (long long)pg_model_opset(model, node->domain),
                 fault->message);
    pg_buf_deinit(&op);
}

static void log_verdict(const pg_model *model, const verdict *item)
{
    if (passes(item)) {
        PG_LOG_INFO("PASSED | %s | %s loads the model", item->name, item->support.runtime);
        return;
    }
    PG_LOG_ERROR("FAILED | %s | %s", item->name,
                 item->unavailable != NULL ? item->unavailable : item->support.message);
    pg_log_indent(1);
    for (size_t i = 0; i < item->support.n_faults; i++)
        log_fault(model, &item->support.faults[i]);
    if (item->support.n_untold > 0)
        PG_LOG_WARNING("%zu node(s) could not be tried alone: the type of an input is not known",
                       item->support.n_untold);
    pg_log_indent(-1);
}

/* ---- The report ---- */

static void put_text(pg_json_writer *json, const char *key, const char *text)
{
    pg_json_key(json, key);
    if (text != NULL)
        pg_json_put_cstr(json, text);
    else
        pg_json_put_null(json);
}

static void write_fault(pg_json_writer *json, const pg_model *model, const pg_support_fault *fault)
{
    pg_json_begin_object(json);
    pg_json_field_i64(json, "index", (int64_t)fault->node->index);
    pg_json_field_str(json, "name", fault->node->name);
    pg_json_field_str(json, "op", fault->node->op_type);
    pg_json_field_str(json, "domain", fault->node->domain);
    pg_json_field_i64(json, "opset", pg_model_opset(model, fault->node->domain));
    put_text(json, "message", fault->message);
    pg_json_end_object(json);
}

static void write_verdict(pg_json_writer *json, const pg_model *model, const verdict *item)
{
    pg_json_begin_object(json);
    put_text(json, "runner", item->name);
    put_text(json, "runtime", item->support.runtime);
    pg_json_field_bool(json, "passed", passes(item));
    put_text(json, "message", item->unavailable != NULL ? item->unavailable : item->support.message);
    pg_json_key(json, "nodes");
    pg_json_begin_array(json);
    for (size_t i = 0; i < item->support.n_faults; i++)
        write_fault(json, model, &item->support.faults[i]);
    pg_json_end_array(json);
    pg_json_end_object(json);
}

static pg_status save(const char *path, const pg_model *model, const verdict *items, size_t count)
{
    pg_writer writer;
    pg_json_writer json;
    PG_LOG_INFO("Saving compatibility report to %s", path);
    PG_TRY(pg_writer_open(&writer, path));
    pg_json_to_file(&json, &writer, 4);
    pg_json_begin_object(&json);
    pg_json_key(&json, "runners");
    pg_json_begin_array(&json);
    for (size_t i = 0; i < count; i++)
        write_verdict(&json, model, &items[i]);
    pg_json_end_array(&json);
    pg_json_end_object(&json);
    return pg_writer_commit(&writer);
}

/* ---- The command ---- */

static pg_status check_all(const compatibility_args *args, pg_model *model, pg_arena *arena)
{
    size_t failures = 0, count = args->runners.names.count;
    verdict *items = PG_ARENA_ARRAY(arena, verdict, count);
    for (size_t i = 0; i < count; i++) {
        items[i].name = args->runners.names.items[i];
        PG_TRY(ask(args, model, arena, &items[i]));
        log_verdict(model, &items[i]);
        failures += !passes(&items[i]);
    }
    if (args->report.path != NULL)
        PG_TRY(save(args->report.path, model, items, count));
    return failures > 0 ? pg_err(PG_ERR_FAILED, "%zu runtime(s) cannot load the model", failures) : NULL;
}

static pg_status run(void *values, pg_arena *arena)
{
    const compatibility_args *args = values;
    const pg_arg_list *names = &args->runners.names;
    pg_model *model = NULL;
    if (names->count == 0)
        return pg_err(PG_ERR_INVALID, "no runtime to check for: name one or more, like --onnxrt --native");
    if (args->report.path != NULL)
        PG_TRY_CTX(pg_file_check_writable(args->report.path), "option '--output'");
    if (!PG_LOG_ENABLED(PG_VERBOSE)) /* each node is a session of its own */
        pg_log_set_severity(PG_STR("runner"), PG_WARNING);
    PG_TRY(pg_args_load_onnx(&args->model, &args->onnx, NULL, true, &model));
    pg_status status = check_all(args, model, arena);
    pg_model_unref(model);
    return status;
}

const pg_command pg_command_check_compatibility = {
    .name = "compatibility",
    .summary = "Check that runtimes can load a model.",
    .description =
        "Loads the model with each runtime named (--trt: parses it with TensorRT), without running it; the "
        "status is 1 when one of them "
        "refuses it. Then each node is tried alone, and those that the runtime cannot run are told with "
        "their operator, opset and the runtime's reason.",
    .examples = "polygraphy check compatibility model.onnx --onnxrt --native -o report.json",
    .groups = groups,
    .n_groups = PG_COUNT(groups),
    .values_size = sizeof(compatibility_args),
    .run = run,
    .brackets = true,
};
