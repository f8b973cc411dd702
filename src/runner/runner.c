#include "runner/runner.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "base/vec.h"
#include "runner/internal.h"

/* ---- Names ---- */

typedef struct pg_prefix_count {
    const char *prefix;
    unsigned used;
} pg_prefix_count;

static pthread_mutex_t prefix_lock = PTHREAD_MUTEX_INITIALIZER;
static pg_prefix_count prefix_counts[16];

static unsigned next_index(const char *prefix)
{
    unsigned index = 0;
    pthread_mutex_lock(&prefix_lock);
    for (size_t i = 0; i < PG_COUNT(prefix_counts); i++) {
        pg_prefix_count *slot = &prefix_counts[i];
        if (slot->prefix != NULL && strcmp(slot->prefix, prefix) != 0)
            continue;
        slot->prefix = prefix;
        index = slot->used++;
        break;
    }
    pthread_mutex_unlock(&prefix_lock);
    return index;
}

void pg_runner_init(pg_runner *runner, const pg_runner_ops *ops)
{
    struct tm local;
    time_t now = time(NULL);
    localtime_r(&now, &local);
    pg_buf name = {0};
    pg_buf_printf(&name, "%s-N%u-%02d/%02d/%02d-%02d:%02d:%02d", ops->prefix, next_index(ops->prefix),
                  local.tm_mon + 1, local.tm_mday, local.tm_year % 100, local.tm_hour, local.tm_min,
                  local.tm_sec);
    *runner = (pg_runner){.ops = ops, .name = name.ptr};
}

void pg_runner_set_runtime(pg_runner *runner, const char *name, const char *version)
{
    pg_buf text = {0};
    pg_buf_printf(&text, "%s%s%s", name, version[0] != '\0' ? " " : "", version);
    free(runner->runtime);
    runner->runtime = text.ptr;
}

/* ---- Life cycle ---- */

pg_status pg_runner_activate(pg_runner *runner)
{
    if (runner->active)
        return pg_err(PG_ERR_INVALID, "the runner '%s' is already active", runner->name);
    PG_TRY_CTX(runner->ops->activate(runner), "while activating '%s'", runner->name);
    runner->active = true;
    return NULL;
}

void pg_runner_deactivate(pg_runner *runner)
{
    if (!runner->active)
        return;
    runner->ops->deactivate(runner);
    runner->active = false;
}

void pg_runner_free(pg_runner *runner)
{
    if (runner == NULL)
        return;
    pg_runner_deactivate(runner);
    free(runner->name);
    free(runner->runtime);
    runner->name = runner->runtime = NULL;
    runner->ops->destroy(runner);
}

pg_status pg_runner_infer(pg_runner *runner, const pg_feed *feed, pg_feed *out)
{
    *out = (pg_feed){0};
    if (!runner->active)
        return pg_err(PG_ERR_INVALID, "the runner '%s' must be activated before inference", runner->name);
    PG_TRY_CTX(pg_feed_check(runner->ops->inputs(runner), feed), "for '%s'", runner->name);
    runner->seconds = 0;
    pg_status status = runner->ops->infer(runner, feed, out);
    if (status != NULL) {
        pg_feed_deinit(out);
        return pg_status_context(status, "in '%s'", runner->name);
    }
    return NULL;
}

/* ---- Results ---- */

pg_runner_results *pg_run_results_add(pg_run_results *results, pg_str name)
{
    results->items = pg_vec_grow_(results->items, &results->cap, results->count + 1, sizeof *results->items);
    pg_runner_results *added = &results->items[results->count++];
    *added = (pg_runner_results){.name = pg_strndup(name.ptr, name.len)};
    return added;
}

pg_iteration *pg_runner_results_add(pg_runner_results *runner)
{
    runner->items = pg_vec_grow_(runner->items, &runner->cap, runner->count + 1, sizeof *runner->items);
    pg_iteration *added = &runner->items[runner->count++];
    *added = (pg_iteration){0};
    return added;
}

void pg_iteration_deinit(pg_iteration *iteration)
{
    pg_feed_deinit(&iteration->outputs);
    free(iteration->runner_name);
    *iteration = (pg_iteration){0};
}

void pg_run_results_deinit(pg_run_results *results)
{
    for (size_t r = 0; r < results->count; r++) {
        pg_runner_results *runner = &results->items[r];
        for (size_t i = 0; i < runner->count; i++)
            pg_iteration_deinit(&runner->items[i]);
        free(runner->items);
        free(runner->name);
    }
    free(results->items);
    *results = (pg_run_results){0};
}
