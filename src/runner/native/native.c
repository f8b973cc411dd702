/* The built-in engine as a runner: under its own name, and under the name that tells that it stands in for
 * TensorRT where that is not installed. */
#include "native/native.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "engine/execute.h"
#include "runner/runner.h"

typedef struct native_runner {
    pg_runner base;
    pg_model *model;   /* counted */
    pg_engine *engine; /* counted; NULL when it runs a model as it is */
    size_t profile;    /* of the engine */
    pg_native_options options;
    char *onednn; /* owned; what options.onednn points to */

    /* While active */
    pg_session *session;     /* of the execution, where there is one */
    pg_execution *execution; /* NULL when it runs a model as it is */
    pg_io *inputs, *outputs;
    size_t n_inputs, n_outputs;
} native_runner;

/* ---- Metadata ---- */

static void read_metadata_of_engine(native_runner *self)
{
    const pg_engine *engine = self->engine;
    self->inputs = pg_calloc(engine->n_inputs + 1, sizeof *self->inputs);
    self->outputs = pg_calloc(engine->n_outputs + 1, sizeof *self->outputs);
    for (size_t i = 0; i < engine->n_inputs; i++)
        self->inputs[self->n_inputs++] = (pg_io){engine->outer_inputs[i].name, engine->outer_inputs[i].type};
    for (size_t i = 0; i < engine->n_outputs; i++)
        self->outputs[self->n_outputs++] =
            (pg_io){engine->outer_outputs[i].name, engine->outer_outputs[i].type};
}

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
    if (self->execution != NULL)
        pg_execution_free(self->execution);
    else
        pg_session_free(self->session);
    self->session = NULL;
    self->execution = NULL;
    free(self->inputs);
    free(self->outputs);
    self->inputs = self->outputs = NULL;
    self->n_inputs = self->n_outputs = 0;
}

static pg_status activate(pg_runner *runner)
{
    native_runner *self = (native_runner *)runner;
    if (self->engine != NULL) {
        PG_TRY(pg_execution_new(self->engine, self->profile, &self->options, &self->execution));
        self->session = pg_execution_session(self->execution);
        read_metadata_of_engine(self);
    } else {
        PG_TRY(pg_session_new(self->model, &self->options, &self->session));
        read_metadata(self);
    }
    pg_runner_set_runtime(runner, "built-in engine", "");
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
    if (self->execution != NULL)
        return pg_execution_run(self->execution, feed, out, &runner->seconds);
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

const struct pg_engine *pg_runner_native_engine(const pg_runner *runner)
{
    return runner->ops == &trt_native_ops ? ((const native_runner *)runner)->engine : NULL;
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
