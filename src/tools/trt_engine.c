/* What asks TensorRT whether it takes a model. */
#include "args/args.h"
#include "log/log.h"
#include "tools/trt_engine.h"

static pg_runner *make_runner(void *context, pg_model *model, bool single_node)
{
    (void)context;
    return pg_runner_native_new(model, &(pg_native_options){.threads = single_node ? 1 : 0});
}

/* The parser's errors in one line, without what names the model. */
static pg_status one_line(pg_status status)
{
    pg_str rest = pg_str_c(pg_status_message(status)), line;
    pg_code code = pg_status_code(status);
    pg_buf text = {0};
    bool first = true;
    while (pg_str_split(&rest, '\n', &line)) {
        if (!first || rest.len == 0)
            pg_buf_printf(&text, "%s%" PG_STR_FMT, text.len > 0 ? " | " : "", PG_STR_ARG(pg_str_trim(line)));
        first = false;
    }
    pg_status_drop(status);
    status = pg_err(code, "%s", pg_buf_cstr(&text));
    pg_buf_deinit(&text);
    return status;
}

/* The parser's network is what counts; its text is of no use here. */
static pg_status parse(void *context, pg_model *model)
{
    static const pg_trt_options options = {0};
    static const pg_trt_text_options nothing = {0};
    pg_buf text = {0};
    (void)context;
    pg_status status = pg_trt_network_text(model, &options, &nothing, &text);
    pg_buf_deinit(&text);
    return status != NULL ? one_line(status) : NULL;
}

pg_lint_engine tools_trt_engine(void)
{
    pg_status status = pg_trt_find(PG_TRT_AUTO);
    pg_code code = pg_status_code(status);
    pg_status_drop(status);
    if (code == PG_OK)
        return (pg_lint_engine){.source = PG_LINT_TENSORRT, .accepts = parse};
    PG_LOG_WARNING("No TensorRT was found: the built-in engine stands in for it.");
    return (pg_lint_engine){.source = PG_LINT_NATIVE, .make = make_runner};
}
