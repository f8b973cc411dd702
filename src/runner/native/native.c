/* The built-in engine as a runner: under its own name, and under the name that tells that it stands in for
 * TensorRT where that is not installed. */
#include "native/native.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "engine/engine.h"
#include "runner/runner.h"

typedef struct native_runner {
    pg_runner base;
    pg_model *model;   /* counted */
    pg_engine *engine; /* counted; NULL when it runs a model as it is */
    size_t profile;    /* of the engine */
    pg_native_options options;
    char *onednn; /* owned; what options.onednn points to */

    /* While active */
    pg_session *session;
    pg_io *inputs, *outputs;
    size_t n_inputs, n_outputs;
} native_runner;

/* ---- Metadata ---- */

static void read_metadata(native_runner *self)
{
    const pg_graph *graph = self->model->graph;
    self->inputs = pg_calloc(graph->n_inputs + 1, sizeof *self->inputs);
    self->outputs = pg_calloc(graph->n_outputs + 1, sizeof *self->outputs);
    for (size_t i = 0; i < graph->n_inputs; i++) {
        const pg_value_info *info = &graph->inputs[i];
        if (!pg_graph_has_weight(graph, info->name))
            self->inputs[self->n_inputs++] = (pg_io){info->name, info->type};
    }
    for (size_t i = 0; i < graph->n_outputs; i++)
        self->outputs[self->n_outputs++] = (pg_io){graph->outputs[i].name, graph->outputs[i].type};
}

/* ---- Life cycle ---- */

static void deactivate(pg_runner *runner)
{
    native_runner *self = (native_runner *)runner;
    if (self->engine != NULL)
        pg_engine_close(self->engine, self->session);
    else
        pg_session_free(self->session);
    self->session = NULL;
    free(self->inputs);
    free(self->outputs);
    self->inputs = self->outputs = NULL;
    self->n_inputs = self->n_outputs = 0;
}

static pg_status activate(pg_runner *runner)
{
    native_runner *self = (native_runner *)runner;
    if (self->engine != NULL)
        PG_TRY(pg_engine_open(self->engine, &self->options, &self->session));
    else
        PG_TRY(pg_session_new(self->model, &self->options, &self->session));
    pg_status status =
        self->engine != NULL ? pg_engine_reserve_room(self->engine, self->session, self->profile) : NULL;
    if (status != NULL) {
        deactivate(runner);
        return status;
    }
    pg_runner_set_runtime(runner, "built-in engine", "");
    read_metadata(self);
    return NULL;
}

static pg_io_list inputs(pg_runner *runner)
{
    native_runner *self = (native_runner *)runner;
    return (pg_io_list){self->inputs, self->n_inputs};
}

static pg_io_list outputs(pg_runner *runner)
{
    native_runner *self = (native_runner *)runner;
    return (pg_io_list){self->outputs, self->n_outputs};
}

static pg_status infer(pg_runner *runner, const pg_feed *feed, pg_feed *out)
{
    native_runner *self = (native_runner *)runner;
    if (self->engine != NULL)
        PG_TRY(pg_engine_check_feed(self->engine, self->profile, feed));
    uint64_t start = pg_clock_ns();
    PG_TRY(pg_session_run(self->session, feed, out));
    runner->seconds = pg_clock_seconds_since(start);
    return NULL;
}

static void destroy(pg_runner *runner)
{
    native_runner *self = (native_runner *)runner;
    pg_model_unref(self->model);
    pg_engine_unref(self->engine);
    free(self->onednn);
    free(self);
}

static const pg_runner_ops native_ops = {"native-runner", activate,   inputs, outputs,
                                         infer,           deactivate, destroy};
static const pg_runner_ops trt_native_ops = {"trt-native-runner", activate, inputs, outputs, infer,
                                             deactivate,          destroy};

struct pg_session *pg_runner_native_session(const pg_runner *runner)
{
    if (runner->ops != &native_ops && runner->ops != &trt_native_ops)
        return NULL;
    return ((const native_runner *)runner)->session;
}

/* ---- Construction ---- */

static native_runner *new_runner(const pg_runner_ops *ops, pg_model *model, const pg_native_options *options)
{
    native_runner *self = PG_NEW(native_runner);
    pg_runner_init(&self->base, ops);
    self->model = pg_model_ref(model);
    if (options != NULL)
        self->options = *options;
    if (self->options.onednn != NULL) {
        self->onednn = pg_strndup(self->options.onednn, strlen(self->options.onednn));
        self->options.onednn = self->onednn;
    }
    return self;
}

pg_runner *pg_runner_native_new(pg_model *model, const pg_native_options *options)
{
    return &new_runner(&native_ops, model, options)->base;
}

pg_runner *pg_runner_trt_native_new(pg_engine *engine, size_t profile, const pg_native_options *options)
{
    native_runner *self = new_runner(&trt_native_ops, engine->model, options);
    self->engine = pg_engine_ref(engine);
    self->profile = profile;
    return &self->base;
}
