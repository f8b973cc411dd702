#include "check/attempt.h"

static void hear_log(void *context, pg_str text)
{
    pg_attempt *run = context;
    PG_VEC_PUSH(&run->log, pg_strndup(text.ptr, text.len));
}

static void hear_refusal(void *context, pg_str text)
{
    pg_attempt *run = context;
    if (run->refusal.len == 0)
        pg_buf_add_str(&run->refusal, text);
}

void pg_attempt_end(pg_attempt *run)
{
    pg_feed_deinit(&run->outputs);
    pg_status_drop(run->status);
    free(run->runner);
    free(run->runtime);
    pg_buf_deinit(&run->refusal);
    for (size_t i = 0; i < run->log.len; i++)
        free(run->log.items[i]);
    PG_VEC_FREE(&run->log);
}

/* The values of `feed` that the model asks for. */
static pg_feed pick(const pg_feed *feed, pg_io_list inputs)
{
    pg_feed out = {0};
    for (size_t i = 0; i < inputs.count; i++) {
        const pg_value *value = pg_feed_find(feed, inputs.items[i].name);
        if (value != NULL)
            pg_feed_add(&out, inputs.items[i].name, pg_value_share(value));
    }
    return out;
}

void pg_attempt_run(const pg_lint_engine *engine, pg_model *model, bool single, const pg_feed *feed,
                    pg_attempt *out)
{
    const pg_onnxrt_listener listener = {out, hear_log, hear_refusal};
    if (engine->accepts != NULL) {
        out->status = engine->accepts(engine->context, model);
        return;
    }
    pg_onnxrt_listen(&listener);
    pg_runner *runner = engine->make(engine->context, model, single);
    out->runner = pg_strndup(runner->name, strlen(runner->name));
    out->status = pg_runner_activate(runner);
    if (runner->runtime != NULL)
        out->runtime = pg_strndup(runner->runtime, strlen(runner->runtime));
    if (out->status == NULL && feed != NULL) {
        pg_feed picked = pick(feed, runner->ops->inputs(runner));
        out->status = pg_runner_infer(runner, &picked, &out->outputs);
        pg_feed_deinit(&picked);
    }
    pg_runner_free(runner);
    pg_onnxrt_listen(NULL);
}

bool pg_attempt_is_ours(const pg_attempt *run, const pg_lint_engine *engine)
{
    pg_code code = pg_status_code(run->status);
    if (code == PG_ERR_INTERRUPTED || code == PG_ERR_NO_MEMORY || code == PG_ERR_UNAVAILABLE)
        return true;
    return strcmp(engine->source, PG_LINT_ONNXRUNTIME) == 0 && run->refusal.len == 0;
}

pg_status pg_attempt_take(pg_attempt *run)
{
    pg_status status = run->status;
    run->status = NULL;
    return status;
}

/* The error without the name of the runner, which is made for this one run. */
static pg_str own_message(const pg_attempt *run)
{
    pg_str text = pg_str_c(pg_status_message(run->status));
    for (size_t i = text.len; run->runner != NULL && i-- > 1;)
        if (text.ptr[i] == '(' && text.ptr[i - 1] == ' ')
            return pg_str_contains(pg_str_sub(text, i, text.len), pg_str_c(run->runner))
                       ? pg_str_sub(text, 0, i - 1)
                       : text;
    return text;
}

void pg_attempt_message(const pg_attempt *run, pg_buf *out)
{
    if (run->refusal.len > 0)
        pg_lint_prune(pg_buf_str(&run->refusal), true, out);
    else
        pg_buf_add_str(out, own_message(run));
}
