/* The ONNX Runtime runner. */
#include "runner/runner.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "runner/onnxrt/internal.h"

typedef struct onnxrt_runner {
    pg_runner base;
    pg_model *model;           /* counted */
    pg_onnxrt_options options; /* texts in `arena` */
    pg_arena arena;

    /* While active */
    const pg_ort *ort;
    ort_session *session;
    pg_io *inputs, *outputs; /* in `names` */
    const char **input_names, **output_names;
    size_t n_inputs, n_outputs;
    pg_arena names;
} onnxrt_runner;

/* ---- Metadata ---- */

static const pg_type *type_in_model(const pg_value_info *infos, size_t count, pg_str name)
{
    for (size_t i = 0; i < count; i++)
        if (pg_str_eq(infos[i].name, name))
            return &infos[i].type;
    return NULL;
}

/* The runtime states rank 0 both for a scalar and for a rank it does not know. */
static void settle_rank(pg_type *type, const pg_type *stated)
{
    if (type->kind == PG_TYPE_TENSOR && type->rank == 0)
        type->has_shape = stated != NULL && stated->has_shape;
    if (type->inner != NULL) /* in the runner's own memory */
        settle_rank((pg_type *)type->inner, stated != NULL ? stated->inner : NULL);
}

typedef ort_status *(*name_fn)(const ort_session *, size_t, ort_allocator *, char **);
typedef ort_status *(*type_fn)(const ort_session *, size_t, ort_type_info **);

static pg_status read_io(onnxrt_runner *self, size_t index, name_fn get_name, type_fn get_type, pg_io *out)
{
    const pg_ort *ort = self->ort;
    char *name = NULL;
    ort_type_info *type = NULL;
    ORT_TRY(ort, get_name(self->session, index, ort->allocator, &name));
    out->name = pg_arena_str(&self->names, pg_str_c(name));
    ORT_TRY(ort, ort->api.allocator_free(ort->allocator, name));
    ORT_TRY(ort, get_type(self->session, index, &type));
    pg_status status = pg_ort_type(ort, &self->names, type, &out->type);
    ort->api.release_type(type);
    return status;
}

static pg_status read_inputs(onnxrt_runner *self)
{
    const ort_api *api = &self->ort->api;
    const pg_graph *graph = self->model->graph;
    ORT_TRY(self->ort, api->input_count(self->session, &self->n_inputs));
    self->inputs = PG_ARENA_ARRAY(&self->names, pg_io, self->n_inputs);
    self->input_names = PG_ARENA_ARRAY(&self->names, const char *, self->n_inputs);
    for (size_t i = 0; i < self->n_inputs; i++) {
        pg_io *io = &self->inputs[i];
        PG_TRY(read_io(self, i, api->input_name, api->input_type, io));
        settle_rank(&io->type, type_in_model(graph->inputs, graph->n_inputs, io->name));
        self->input_names[i] = io->name.ptr;
    }
    return NULL;
}

static pg_status read_outputs(onnxrt_runner *self)
{
    const ort_api *api = &self->ort->api;
    const pg_graph *graph = self->model->graph;
    ORT_TRY(self->ort, api->output_count(self->session, &self->n_outputs));
    self->outputs = PG_ARENA_ARRAY(&self->names, pg_io, self->n_outputs);
    self->output_names = PG_ARENA_ARRAY(&self->names, const char *, self->n_outputs);
    for (size_t i = 0; i < self->n_outputs; i++) {
        pg_io *io = &self->outputs[i];
        PG_TRY(read_io(self, i, api->output_name, api->output_type, io));
        settle_rank(&io->type, type_in_model(graph->outputs, graph->n_outputs, io->name));
        self->output_names[i] = io->name.ptr;
    }
    return NULL;
}

/* ---- Life cycle ---- */

static void deactivate(pg_runner *runner)
{
    onnxrt_runner *self = (onnxrt_runner *)runner;
    if (self->session != NULL)
        self->ort->api.release_session(self->session);
    self->session = NULL;
    self->inputs = self->outputs = NULL;
    self->n_inputs = self->n_outputs = 0;
    pg_arena_deinit(&self->names);
}

static pg_status activate(pg_runner *runner)
{
    onnxrt_runner *self = (onnxrt_runner *)runner;
    pg_status status = NULL;
    PG_TRY(pg_ort_get(self->options.library, &self->ort));
    pg_runner_set_runtime(runner, "ONNX Runtime", self->ort->version);
    PG_TRY_GOTO(status, pg_ort_check_crashes(self->model));
    PG_TRY_GOTO(status, pg_ort_session_new(self->ort, self->model, &self->options, &self->session));
    PG_TRY_GOTO(status, read_inputs(self));
    status = read_outputs(self);
done:
    if (status != NULL)
        deactivate(runner);
    return status;
}

static pg_io_list inputs(pg_runner *runner)
{
    onnxrt_runner *self = (onnxrt_runner *)runner;
    return (pg_io_list){self->inputs, self->n_inputs};
}

static pg_io_list outputs(pg_runner *runner)
{
    onnxrt_runner *self = (onnxrt_runner *)runner;
    return (pg_io_list){self->outputs, self->n_outputs};
}

static void destroy(pg_runner *runner)
{
    onnxrt_runner *self = (onnxrt_runner *)runner;
    pg_model_unref(self->model);
    pg_arena_deinit(&self->arena);
    free(self);
}

/* ---- Inference ---- */

/* The fed tensor whose bytes hold `address`: an input that comes out unchanged is not copied by the runtime.
 */
static const pg_tensor *fed_tensor_at(const pg_feed *feed, const void *address)
{
    for (size_t i = 0; i < feed->count; i++) {
        const pg_value *value = &feed->items[i].value;
        if (value->kind != PG_VALUE_TENSOR)
            continue;
        const char *begin = value->tensor.data;
        if (begin != NULL && (const char *)address >= begin &&
            (const char *)address < begin + pg_tensor_bytes(&value->tensor))
            return &value->tensor;
    }
    return NULL;
}

/* Makes a result independent of the feed. Of the session it is already: the runtime copies constants that are
 * results. */
static pg_status detach(const pg_feed *feed, pg_value *value)
{
    if (value->kind != PG_VALUE_TENSOR)
        return NULL; /* items of sequences and maps are copies already */
    const pg_tensor *fed = fed_tensor_at(feed, value->tensor.data);
    if (fed == NULL)
        return NULL;
    pg_tensor own = value->tensor;
    if (fed->buffer != NULL)
        own.buffer = pg_buffer_ref(fed->buffer);
    else
        PG_TRY(pg_tensor_copy(&own, &value->tensor));
    pg_tensor_deinit(&value->tensor);
    value->tensor = own;
    return NULL;
}

/* Takes over the runtime's values. */
static pg_status collect(onnxrt_runner *self, const pg_feed *feed, ort_value **values, pg_feed *out)
{
    for (size_t i = 0; i < self->n_outputs; i++) {
        pg_str name = self->outputs[i].name;
        pg_value value;
        ort_value *taken = values[i];
        values[i] = NULL;
        PG_TRY_CTX(pg_ort_value_to(self->ort, taken, &value), "in the output '%" PG_STR_FMT "'",
                   PG_STR_ARG(name));
        pg_value *added = pg_feed_add(out, name, value);
        PG_TRY_CTX(detach(feed, added), "in the output '%" PG_STR_FMT "'", PG_STR_ARG(name));
    }
    return NULL;
}

static pg_status convert_feed(onnxrt_runner *self, const pg_feed *feed, ort_value **out)
{
    for (size_t i = 0; i < self->n_inputs; i++) {
        const pg_io *io = &self->inputs[i];
        PG_TRY_CTX(pg_ort_value_from(self->ort, pg_feed_find(feed, io->name), &io->type, &out[i]),
                   "in the input '%" PG_STR_FMT "'", PG_STR_ARG(io->name));
    }
    return NULL;
}

static void release_values(const pg_ort *ort, ort_value **values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ort->api.release_value(values[i]);
    free(values);
}

static pg_status infer(pg_runner *runner, const pg_feed *feed, pg_feed *out)
{
    onnxrt_runner *self = (onnxrt_runner *)runner;
    const pg_ort *ort = self->ort;
    ort_value **fed = pg_calloc(self->n_inputs + 1, sizeof *fed);
    ort_value **made = pg_calloc(self->n_outputs + 1, sizeof *made);
    pg_status status = NULL;
    PG_TRY_GOTO(status, convert_feed(self, feed, fed));
    uint64_t start = pg_clock_ns();
    ORT_TRY_GOTO(status, ort,
                 ort->api.run(self->session, NULL, self->input_names, (const ort_value *const *)fed,
                              self->n_inputs, self->output_names, self->n_outputs, made));
    runner->seconds = pg_clock_seconds_since(start);
    status = collect(self, feed, made, out);
done:
    release_values(ort, fed, self->n_inputs);
    release_values(ort, made, self->n_outputs);
    return status;
}

static const pg_runner_ops onnxrt_ops = {"onnxrt-runner", activate,   inputs, outputs,
                                         infer,           deactivate, destroy};

/* ---- Construction ---- */

static void copy_options(onnxrt_runner *self, const pg_onnxrt_options *options)
{
    pg_arena *arena = &self->arena;
    pg_str *providers = PG_ARENA_ARRAY(arena, pg_str, options->n_providers);
    for (size_t i = 0; i < options->n_providers; i++)
        providers[i] = pg_arena_str(arena, options->providers[i]);
    self->options = *options;
    self->options.providers = providers;
    self->options.optimization_level = pg_arena_str(arena, options->optimization_level);
    if (options->library != NULL)
        self->options.library = pg_arena_cstr(arena, pg_str_c(options->library));
}

pg_runner *pg_runner_onnxrt_new(pg_model *model, const pg_onnxrt_options *options)
{
    onnxrt_runner *self = PG_NEW(onnxrt_runner);
    pg_runner_init(&self->base, &onnxrt_ops);
    self->model = pg_model_ref(model);
    if (options != NULL)
        copy_options(self, options);
    return &self->base;
}
