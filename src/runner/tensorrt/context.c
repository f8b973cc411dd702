/* One engine running: what goes in is copied through pinned memory, what comes out lies in pinned memory that its
 * tensors own. */
#include "runner/tensorrt/internal.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "log/log.h"

/* An input, an output, or a tensor that is watched. */
typedef struct binding {
    const char *name;
    pg_dtype dtype;
    bool on_host;
    trt_dims dims;                     /* of the current inference */
    bool has_dims;                     /* inputs: whether the context has them */
    pg_cuda_buffer memory;             /* unless on_host */
    pg_buffer *host;                   /* inputs: staging; outputs: where the result goes */
    cuda_address given;                /* the address the context has */
    pg_trt_output_allocator allocator; /* outputs whose size only the run knows */
    bool is_late;
    struct pg_trt_context *context;
} binding;

struct pg_trt_context {
    pg_trt_engine *engine;
    pg_trt *trt;
    const pg_cuda *cuda;
    trt_object *context;
    cuda_stream *stream;
    pg_cuda_pool *pool;
    binding *inputs, *outputs;
    pg_io *input_types, *output_types;
    size_t n_inputs, n_outputs;
    int32_t profile;
    bool user_memory; /* activations in `scratch` */
    pg_cuda_buffer scratch;
    bool shapes_changed;
    bool profiles;
    pg_trt_profiler profiler;
    bool watches;
    pg_trt_names wanted; /* of --mark-debug */
    pg_trt_debug_listener listener;
    pg_feed watched; /* of the current inference */
    pg_status late;  /* what failed inside a callback */
    pg_arena arena;
};

/* ---- Sizes ---- */

static pg_status bytes_of(const binding *tensor, const trt_dims *dims, uint64_t *out)
{
    uint64_t count;
    if (dims->rank < 0 || dims->rank > TRT_MAX_RANK || !pg_dims_count((size_t)dims->rank, dims->d, &count) ||
        !pg_dtype_bytes(tensor->dtype, count, out))
        return pg_err(PG_ERR_RUNTIME, "the tensor '%s' has a shape that is not known or too large",
                      tensor->name);
    return NULL;
}

static bool same_dims(const trt_dims *a, const trt_dims *b)
{
    bool same = a->rank == b->rank;
    for (int32_t i = 0; same && i < a->rank; i++)
        same = a->d[i] == b->d[i];
    return same;
}

/* ---- Callbacks ---- */

/* A larger output than expected: new memory, since the old content does not matter. */
static void *allocate_late(void *context, uint64_t size)
{
    binding *output = context;
    pg_status status = pg_cuda_buffer_fit(output->context->cuda, &output->memory, size);
    output->context->late = pg_status_first(output->context->late, status);
    return status == NULL ? (void *)(uintptr_t)output->memory.address : NULL;
}

static void shape_late(void *context, const trt_dims *dims)
{
    ((binding *)context)->dims = *dims;
}

static pg_status copy_watched(pg_trt_context *self, const void *address, int location, int dtype,
                              const trt_dims *dims, pg_tensor *out, cuda_stream *stream)
{
    PG_TRY(pg_tensor_alloc(out, pg_trt_dtype(dtype), (size_t)PG_MAX(dims->rank, 0), dims->d));
    size_t size = (size_t)pg_tensor_bytes(out);
    if (size == 0)
        return NULL;
    if (location == TRT_ON_HOST) {
        memcpy(out->data, address, size);
        return NULL;
    }
    PG_TRY(pg_cuda_check(self->cuda,
                         self->cuda->copy_to_host(out->data, (cuda_address)(uintptr_t)address, size, stream),
                         "copy a watched tensor"));
    return pg_cuda_check(self->cuda, self->cuda->stream_wait(stream), "copy a watched tensor");
}

static bool watch(void *context, const void *address, int location, int dtype, const trt_dims *dims,
                  const char *name, void *stream)
{
    pg_trt_context *self = context;
    pg_tensor tensor = {0};
    pg_status status = copy_watched(self, address, location, dtype, dims, &tensor, stream);
    if (status == NULL && pg_feed_find(&self->watched, pg_str_c(name)) == NULL)
        pg_feed_add(&self->watched, pg_str_c(name), pg_value_of_tensor(tensor));
    else
        pg_tensor_deinit(&tensor);
    self->late = pg_status_first(self->late, status);
    return status == NULL;
}

/* ---- Inputs ---- */

/* What the profile allows, in the message. */
static pg_status outside_profile(pg_trt_context *self, const binding *input, const trt_dims *dims)
{
    pg_buf given = {0}, range = {0};
    static const char *const names[] = {"min", "opt", "max"};
    pg_trt_dims_text(&given, dims);
    for (int k = 0; k < 3; k++) {
        trt_dims limit =
            TRT_CALL(self->trt, engine_profile_shape, self->engine->engine, input->name, self->profile, k);
        pg_buf_printf(&range, "%s%s=", k > 0 ? ", " : "", names[k]);
        pg_trt_dims_text(&range, &limit);
    }
    pg_buf unused = {0};
    pg_trt_errors_take(&self->trt->errors, &unused);
    pg_buf_deinit(&unused);
    pg_status status = pg_err(PG_ERR_INVALID,
                              "the input '%s' has shape %s, which profile %d of the engine does not hold: %s",
                              input->name, pg_buf_cstr(&given), self->profile, pg_buf_cstr(&range));
    pg_buf_deinit(&given);
    pg_buf_deinit(&range);
    return status;
}

/* Values of an input in host memory (a shape) may change without its own shape. */
static pg_status set_dims(pg_trt_context *self, binding *input, const pg_tensor *tensor)
{
    trt_dims dims = {.rank = tensor->rank};
    if (tensor->rank > TRT_MAX_RANK)
        return pg_err(PG_ERR_LIMIT, "the input '%s' has rank %u, and TensorRT at most %d", input->name,
                      tensor->rank, TRT_MAX_RANK);
    memcpy(dims.d, tensor->dims, tensor->rank * sizeof dims.d[0]);
    if (input->on_host)
        self->shapes_changed = true;
    if (input->has_dims && same_dims(&input->dims, &dims))
        return NULL;
    for (int32_t i = 0; i < dims.rank; i++) {
        int64_t low = TRT_CALL(self->trt, engine_profile_shape, self->engine->engine, input->name,
                               self->profile, TRT_PROFILE_MIN)
                          .d[i];
        int64_t high = TRT_CALL(self->trt, engine_profile_shape, self->engine->engine, input->name,
                                self->profile, TRT_PROFILE_MAX)
                           .d[i];
        if (low >= 0 && high >= low && (dims.d[i] < low || dims.d[i] > high))
            return outside_profile(self, input, &dims);
    }
    if (!TRT_CALL(self->trt, context_set_input_shape, self->context, input->name, &dims))
        return outside_profile(self, input, &dims);
    input->dims = dims;
    input->has_dims = true;
    self->shapes_changed = true;
    return NULL;
}

static pg_status give_address(pg_trt_context *self, binding *tensor, cuda_address address)
{
    if (tensor->given == address)
        return NULL;
    if (!TRT_CALL(self->trt, context_set_address, self->context, tensor->name, (void *)(uintptr_t)address))
        return pg_trt_failed(self->trt, "take the address of a tensor");
    tensor->given = address;
    return NULL;
}

static pg_status fit_host(pg_trt_context *self, binding *tensor, size_t size)
{
    if (tensor->host != NULL && tensor->host->size >= size)
        return NULL;
    pg_buffer_unref(tensor->host);
    tensor->host = NULL;
    return pg_cuda_pool_get(self->pool, PG_MAX(size, (size_t)64), &tensor->host);
}

#define COPY_PIECE ((size_t)1 << 20)

typedef struct copy_job {
    char *to;
    const char *from;
} copy_job;

static void copy_range(void *context, size_t begin, size_t end)
{
    const copy_job *job = context;
    memcpy(job->to + begin, job->from + begin, end - begin);
}

/* One thread does not copy as fast as the device reads. */
static void copy_to_pinned(void *to, const pg_tensor *tensor)
{
    copy_job job = {to, tensor->data};
    pg_parallel_for((size_t)pg_tensor_bytes(tensor), COPY_PIECE, copy_range, &job);
}

static pg_status put_input(pg_trt_context *self, binding *input, const pg_tensor *tensor)
{
    size_t size = (size_t)pg_tensor_bytes(tensor);
    PG_TRY(set_dims(self, input, tensor));
    PG_TRY(fit_host(self, input, size));
    if (size > 0)
        copy_to_pinned(input->host->data, tensor);
    if (input->on_host)
        return give_address(self, input, (cuda_address)(uintptr_t)input->host->data);
    PG_TRY(pg_cuda_buffer_fit(self->cuda, &input->memory, size));
    PG_TRY(give_address(self, input, input->memory.address));
    if (size == 0)
        return NULL;
    return pg_cuda_check(
        self->cuda, self->cuda->copy_to_device(input->memory.address, input->host->data, size, self->stream),
        "copy an input to the device");
}

/* ---- Outputs ---- */

static bool is_known(const trt_dims *dims)
{
    bool known = dims->rank >= 0;
    for (int32_t i = 0; i < dims->rank; i++)
        known = known && dims->d[i] >= 0;
    return known;
}

/* Memory before the run. An output whose shape depends on data gets what it may need at most, or as much as its
 * allocator is asked for. */
static pg_status place_output(pg_trt_context *self, binding *output)
{
    uint64_t size = 0;
    output->dims = TRT_CALL(self->trt, context_shape, self->context, output->name);
    output->is_late = !is_known(&output->dims);
    if (output->is_late) {
        if (!TRT_CALL(self->trt, context_set_output_allocator, self->context, output->name,
                      &output->allocator))
            return pg_trt_failed(self->trt, "take an allocator of outputs");
        return NULL;
    }
    PG_TRY(bytes_of(output, &output->dims, &size));
    if (output->on_host) {
        PG_TRY(fit_host(self, output, size));
        return give_address(self, output, (cuda_address)(uintptr_t)output->host->data);
    }
    PG_TRY(pg_cuda_buffer_fit(self->cuda, &output->memory, size));
    return give_address(self, output, output->memory.address);
}

static pg_status place_outputs(pg_trt_context *self)
{
    const char *missing = NULL;
    if (!self->shapes_changed)
        return NULL;
    int32_t count = TRT_CALL(self->trt, context_infer_shapes, self->context, 1, &missing);
    if (count > 0)
        return pg_err(PG_ERR_RUNTIME, "the engine lacks the shape or the values of its input '%s'",
                      missing != NULL ? missing : "?");
    if (count < 0)
        return pg_trt_failed(self->trt, "find the shapes of the outputs");
    for (size_t i = 0; i < self->n_outputs; i++)
        PG_TRY(place_output(self, &self->outputs[i]));
    if (self->user_memory) {
        size_t size = TRT_CALL(self->trt, context_device_memory_for_shapes, self->context);
        PG_TRY(pg_cuda_buffer_fit(self->cuda, &self->scratch, size));
        TRT_CALL(self->trt, context_set_device_memory, self->context,
                 (void *)(uintptr_t)self->scratch.address, (int64_t)self->scratch.capacity);
    }
    self->shapes_changed = false;
    return NULL;
}

static pg_status fetch_output(pg_trt_context *self, binding *output)
{
    uint64_t size;
    if (output->on_host)
        return NULL;
    PG_TRY(bytes_of(output, &output->dims, &size));
    pg_buffer_unref(output->host);
    output->host = NULL;
    PG_TRY(pg_cuda_pool_get(self->pool, PG_MAX(size, (size_t)64), &output->host));
    if (size == 0)
        return NULL;
    return pg_cuda_check(
        self->cuda, self->cuda->copy_to_host(output->host->data, output->memory.address, size, self->stream),
        "copy an output to the host");
}

/* The tensor takes the memory over; a result in host memory of the engine is copied. */
static pg_status take_output(binding *output, pg_feed *out)
{
    pg_tensor tensor;
    PG_TRY(pg_tensor_borrow(&tensor, output->dtype, (size_t)output->dims.rank, output->dims.d,
                            output->host->data));
    if (output->on_host) {
        pg_tensor own;
        PG_TRY(pg_tensor_copy(&own, &tensor));
        tensor = own;
    } else {
        tensor.buffer = output->host;
        output->host = NULL;
    }
    pg_feed_add(out, pg_str_c(output->name), pg_value_of_tensor(tensor));
    return NULL;
}

/* ---- Inference ---- */

static pg_status enqueue(pg_trt_context *self)
{
    bool queued = TRT_CALL(self->trt, context_enqueue, self->context, self->stream);
    if (self->late != NULL) {
        pg_status late = self->late;
        self->late = NULL;
        return late;
    }
    return queued ? NULL : pg_trt_failed(self->trt, "run the engine");
}

static pg_status wait(pg_trt_context *self)
{
    return pg_cuda_check(self->cuda, self->cuda->stream_wait(self->stream), "finish the inference");
}

/* Outputs that grow during the run are known only when it is over. */
static bool has_late_output(const pg_trt_context *self)
{
    for (size_t i = 0; i < self->n_outputs; i++)
        if (self->outputs[i].is_late)
            return true;
    return false;
}

/* A tensor may be the engine's to watch and still not be reported: the library decides. */
static void warn_of_silence(const pg_trt_context *self)
{
    for (size_t i = 0; i < self->wanted.count; i++)
        if (pg_feed_find(&self->watched, pg_str_c(self->wanted.items[i])) == NULL)
            PG_LOG_ONCE(
                PG_WARNING,
                "Option: --mark-debug: %s %s did not report '%s'; --mark-unfused-tensors-as-debug-tensors "
                "reports what is not fused away, and --trt-outputs makes any tensor an output.",
                self->trt->product, self->trt->version, self->wanted.items[i]);
}

static pg_status infer(pg_trt_context *self, const pg_feed *feed, pg_feed *out)
{
    for (size_t i = 0; i < self->n_inputs; i++) {
        const pg_value *value = pg_feed_find(feed, pg_str_c(self->inputs[i].name));
        PG_TRY(put_input(self, &self->inputs[i], &value->tensor));
    }
    PG_TRY(place_outputs(self));
    PG_TRY(enqueue(self));
    if (has_late_output(self))
        PG_TRY(wait(self));
    for (size_t i = 0; i < self->n_outputs; i++)
        PG_TRY(fetch_output(self, &self->outputs[i]));
    PG_TRY(wait(self));
    for (size_t i = 0; i < self->n_outputs; i++)
        PG_TRY(take_output(&self->outputs[i], out));
    warn_of_silence(self);
    for (size_t i = 0; i < self->watched.count; i++)
        if (pg_feed_find(out, pg_str_c(self->watched.items[i].name)) == NULL)
            pg_feed_add(out, pg_str_c(self->watched.items[i].name),
                        pg_value_share(&self->watched.items[i].value));
    return NULL;
}

pg_status pg_trt_context_infer(pg_trt_context *self, const pg_feed *feed, pg_feed *out)
{
    PG_TRY(pg_cuda_check(self->cuda, self->cuda->set_context(self->cuda->context), "use its context"));
    pg_status status = infer(self, feed, out);
    if (status != NULL)
        self->cuda->stream_wait(self->stream); /* nothing may still use the feed */
    pg_feed_deinit(&self->watched);
    self->watched = (pg_feed){0};
    return status;
}

pg_status pg_trt_context_repeat(pg_trt_context *self, size_t times)
{
    for (size_t i = 0; i < times; i++)
        PG_TRY(enqueue(self));
    return wait(self);
}

/* ---- Life cycle ---- */

static pg_status describe_binding(pg_trt_context *self, const char *name, binding *out, pg_io *io)
{
    pg_trt *trt = self->trt;
    trt_object *engine = self->engine->engine;
    out->name = pg_arena_cstr(&self->arena, pg_str_c(name));
    out->context = self;
    io->name = pg_str_c(out->name);
    io->type = pg_trt_io_type(self->engine, name, &self->arena);
    out->dtype = io->type.elem;
    out->on_host = TRT_CALL(trt, engine_location, engine, name) == TRT_ON_HOST;
    if (out->dtype == PG_UNDEFINED)
        return pg_err(PG_ERR_UNSUPPORTED, "the tensor '%s' of the engine has a type that is not known here",
                      name);
    if (TRT_CALL(trt, engine_format, engine, name, self->profile) != 0)
        return pg_err(
            PG_ERR_UNSUPPORTED,
            "the tensor '%s' of the engine has the format '%s': only row-major ones can be run here", name,
            TRT_CALL(trt, engine_format_text, engine, name, self->profile));
    pg_trt_output_allocator_init(&out->allocator, trt->family, allocate_late, shape_late, out);
    return NULL;
}

static pg_status describe_bindings(pg_trt_context *self)
{
    pg_trt *trt = self->trt;
    trt_object *engine = self->engine->engine;
    size_t count = (size_t)TRT_CALL(trt, engine_n_io, engine);
    self->inputs = PG_ARENA_ARRAY(&self->arena, binding, count);
    self->outputs = PG_ARENA_ARRAY(&self->arena, binding, count);
    self->input_types = PG_ARENA_ARRAY(&self->arena, pg_io, count);
    self->output_types = PG_ARENA_ARRAY(&self->arena, pg_io, count);
    for (size_t i = 0; i < count; i++) {
        const char *name = TRT_CALL(trt, engine_io_name, engine, (int32_t)i);
        bool input = TRT_CALL(trt, engine_io_mode, engine, name) == TRT_IO_INPUT;
        size_t *n = input ? &self->n_inputs : &self->n_outputs;
        PG_TRY(describe_binding(self, name, input ? &self->inputs[*n] : &self->outputs[*n],
                                input ? &self->input_types[*n] : &self->output_types[*n]));
        ++*n;
    }
    self->shapes_changed = true;
    return NULL;
}

static int allocation_of(const char *name)
{
    return name == NULL || strcmp(name, "static") == 0 ? TRT_CONTEXT_STATIC
           : strcmp(name, "profile") == 0              ? TRT_CONTEXT_ON_PROFILE_CHANGE
                                                       : TRT_CONTEXT_USER_MANAGED;
}

static pg_status choose_profile(pg_trt_context *self, const pg_trt_options *options)
{
    pg_trt *trt = self->trt;
    int32_t count = TRT_CALL(trt, engine_n_profiles, self->engine->engine);
    if (!options->has_profile)
        return NULL;
    if (options->profile < 0 || options->profile >= count)
        return pg_err(PG_ERR_INVALID,
                      "option '--optimization-profile': the engine has profiles 0 to %d, not %lld", count - 1,
                      (long long)options->profile);
    self->profile = (int32_t)options->profile;
    if (!TRT_CALL(trt, context_set_profile, self->context, self->profile, self->stream))
        return pg_trt_failed(trt, "switch to the optimization profile");
    return wait(self);
}

static pg_status watch_tensor(pg_trt_context *self, const char *name)
{
    if (!TRT_CALL(self->trt, engine_is_debug_tensor, self->engine->engine, name))
        PG_LOG_WARNING("Option: --mark-debug: the engine was not built to watch '%s'.", name);
    else if (!TRT_CALL(self->trt, context_set_tensor_debug_state, self->context, name, true))
        return pg_trt_failed(self->trt, "watch a tensor of --mark-debug");
    return NULL;
}

static pg_status listen(pg_trt_context *self, const pg_trt_options *options)
{
    pg_trt *trt = self->trt;
    self->watches = options->debug_tensors.count > 0 || options->debug_unfused;
    self->wanted = options->debug_tensors;
    self->profiles = options->profile_rows > 0;
    if (self->profiles) {
        pg_trt_profiler_init(&self->profiler, trt->family);
        TRT_CALL(trt, context_set_profiler, self->context, &self->profiler);
    }
    if (!self->watches)
        return NULL;
    pg_trt_debug_listener_init(&self->listener, watch, self);
    if (!TRT_CALL(trt, context_set_debug_listener, self->context, &self->listener))
        return pg_trt_failed(trt, "watch tensors");
    for (size_t i = 0; i < options->debug_tensors.count; i++)
        PG_TRY(watch_tensor(self, options->debug_tensors.items[i]));
    if (options->debug_unfused && !TRT_CALL(trt, context_set_unfused_debug_state, self->context, true))
        return pg_trt_failed(trt, "watch the tensors of --mark-unfused-tensors-as-debug-tensors");
    return NULL;
}

static pg_status set_up(pg_trt_context *self, const pg_trt_options *options)
{
    int allocation = allocation_of(options->allocation);
    self->user_memory = allocation == TRT_CONTEXT_USER_MANAGED;
    PG_TRY(pg_cuda_check(self->cuda, self->cuda->stream_create(&self->stream, 1), "make a stream"));
    self->context = TRT_CALL(self->trt, engine_create_context, self->engine->engine, allocation);
    if (self->context == NULL)
        return pg_trt_failed(self->trt, "make room to run the engine");
    PG_TRY(choose_profile(self, options));
    PG_TRY(describe_bindings(self));
    return listen(self, options);
}

pg_status pg_trt_context_new(pg_trt_engine *engine, const pg_trt_options *options, pg_trt_context **out)
{
    pg_trt_context *self = PG_NEW(pg_trt_context);
    self->engine = engine;
    self->trt = engine->trt;
    self->cuda = engine->cuda;
    self->pool = pg_cuda_pool_new(self->cuda);
    pg_status status = set_up(self, options);
    if (status != NULL) {
        pg_trt_context_free(self);
        return status;
    }
    *out = self;
    return NULL;
}

static void free_binding(pg_trt_context *self, binding *tensor)
{
    pg_buffer_unref(tensor->host);
    pg_cuda_buffer_deinit(self->cuda, &tensor->memory);
}

void pg_trt_context_free(pg_trt_context *self)
{
    if (self == NULL)
        return;
    trt_delete(self->context);
    for (size_t i = 0; i < self->n_inputs; i++)
        free_binding(self, &self->inputs[i]);
    for (size_t i = 0; i < self->n_outputs; i++)
        free_binding(self, &self->outputs[i]);
    pg_cuda_buffer_deinit(self->cuda, &self->scratch);
    if (self->stream != NULL)
        self->cuda->stream_destroy(self->stream);
    pg_cuda_pool_free(self->pool);
    pg_trt_profiler_deinit(&self->profiler);
    pg_feed_deinit(&self->watched);
    pg_status_drop(self->late);
    pg_arena_deinit(&self->arena);
    free(self);
}

pg_io_list pg_trt_context_inputs(const pg_trt_context *self)
{
    return (pg_io_list){self->input_types, self->n_inputs};
}

pg_io_list pg_trt_context_outputs(const pg_trt_context *self)
{
    return (pg_io_list){self->output_types, self->n_outputs};
}

const pg_trt_profiler *pg_trt_context_profiler(const pg_trt_context *self)
{
    return self->profiles ? &self->profiler : NULL;
}

/* ---- Overlapped inferences ---- */

/* While one inference runs, the inputs of the next and the outputs of the one before are copied. Each lane has
 * memory of its own. */
enum { LANES = 2 };

typedef struct lane {
    pg_cuda_buffer *inputs, *outputs;
    pg_buffer **fed, **fetched;
    cuda_event *copied, *run, *done;
    bool busy;
} lane;

typedef struct lanes {
    pg_trt_context *context;
    cuda_stream *in, *out;
    lane items[LANES];
    pg_arena arena;
} lanes;

static pg_status init_lane(lanes *self, lane *one)
{
    pg_trt_context *context = self->context;
    const pg_cuda *cuda = context->cuda;
    uint64_t size;
    cuda_event **events[] = {&one->copied, &one->run, &one->done};
    one->inputs = PG_ARENA_ARRAY(&self->arena, pg_cuda_buffer, context->n_inputs + 1);
    one->outputs = PG_ARENA_ARRAY(&self->arena, pg_cuda_buffer, context->n_outputs + 1);
    one->fed = PG_ARENA_ARRAY(&self->arena, pg_buffer *, context->n_inputs + 1);
    one->fetched = PG_ARENA_ARRAY(&self->arena, pg_buffer *, context->n_outputs + 1);
    for (size_t i = 0; i < PG_COUNT(events); i++)
        PG_TRY(pg_cuda_check(cuda, cuda->event_create(events[i], 2), "make an event")); /* 2: no timing */
    for (size_t i = 0; i < context->n_inputs; i++) {
        PG_TRY(bytes_of(&context->inputs[i], &context->inputs[i].dims, &size));
        PG_TRY(pg_cuda_buffer_fit(cuda, &one->inputs[i], size));
        PG_TRY(pg_cuda_pool_get(context->pool, PG_MAX(size, (size_t)64), &one->fed[i]));
    }
    for (size_t i = 0; i < context->n_outputs; i++) {
        PG_TRY(bytes_of(&context->outputs[i], &context->outputs[i].dims, &size));
        PG_TRY(pg_cuda_buffer_fit(cuda, &one->outputs[i], size));
        PG_TRY(pg_cuda_pool_get(context->pool, PG_MAX(size, (size_t)64), &one->fetched[i]));
    }
    return NULL;
}

static pg_status init_lanes(lanes *self)
{
    const pg_cuda *cuda = self->context->cuda;
    PG_TRY(pg_cuda_check(cuda, cuda->stream_create(&self->in, 1), "make a stream"));
    PG_TRY(pg_cuda_check(cuda, cuda->stream_create(&self->out, 1), "make a stream"));
    for (size_t i = 0; i < LANES; i++)
        PG_TRY(init_lane(self, &self->items[i]));
    return NULL;
}

static void deinit_lane(lanes *self, lane *one)
{
    pg_trt_context *context = self->context;
    cuda_event *events[] = {one->copied, one->run, one->done};
    for (size_t i = 0; one->fetched != NULL && i < context->n_inputs; i++) {
        pg_cuda_buffer_deinit(context->cuda, &one->inputs[i]);
        pg_buffer_unref(one->fed[i]);
    }
    for (size_t i = 0; one->fetched != NULL && i < context->n_outputs; i++) {
        pg_cuda_buffer_deinit(context->cuda, &one->outputs[i]);
        pg_buffer_unref(one->fetched[i]);
    }
    for (size_t i = 0; i < PG_COUNT(events); i++)
        if (events[i] != NULL)
            context->cuda->event_destroy(events[i]);
}

/* Afterwards the context's own memory is what it uses again. */
static void deinit_lanes(lanes *self)
{
    pg_trt_context *context = self->context;
    cuda_stream *streams[] = {self->in, self->out};
    context->cuda->stream_wait(context->stream);
    for (size_t i = 0; i < PG_COUNT(streams); i++)
        if (streams[i] != NULL) {
            context->cuda->stream_wait(streams[i]);
            context->cuda->stream_destroy(streams[i]);
        }
    for (size_t i = 0; i < LANES; i++)
        deinit_lane(self, &self->items[i]);
    context->shapes_changed = true;
    pg_arena_deinit(&self->arena);
}

static pg_status start_lane(lanes *self, lane *one, const pg_feed *feed)
{
    pg_trt_context *context = self->context;
    const pg_cuda *cuda = context->cuda;
    for (size_t i = 0; i < context->n_inputs; i++) {
        const pg_tensor *tensor = &pg_feed_find(feed, pg_str_c(context->inputs[i].name))->tensor;
        size_t size = (size_t)pg_tensor_bytes(tensor);
        copy_to_pinned(one->fed[i]->data, tensor);
        PG_TRY(give_address(context, &context->inputs[i], one->inputs[i].address));
        PG_TRY(pg_cuda_check(cuda,
                             cuda->copy_to_device(one->inputs[i].address, one->fed[i]->data, size, self->in),
                             "copy an input to the device"));
    }
    for (size_t i = 0; i < context->n_outputs; i++)
        PG_TRY(give_address(context, &context->outputs[i], one->outputs[i].address));
    PG_TRY(pg_cuda_check(cuda, cuda->event_record(one->copied, self->in), "mark the end of a copy"));
    PG_TRY(pg_cuda_check(cuda, cuda->stream_wait_event(context->stream, one->copied, 0), "wait for a copy"));
    PG_TRY(enqueue(context));
    PG_TRY(
        pg_cuda_check(cuda, cuda->event_record(one->run, context->stream), "mark the end of an inference"));
    PG_TRY(pg_cuda_check(cuda, cuda->stream_wait_event(self->out, one->run, 0), "wait for an inference"));
    for (size_t i = 0; i < context->n_outputs; i++) {
        uint64_t size;
        PG_TRY(bytes_of(&context->outputs[i], &context->outputs[i].dims, &size));
        PG_TRY(pg_cuda_check(
            cuda, cuda->copy_to_host(one->fetched[i]->data, one->outputs[i].address, size, self->out),
            "copy an output to the host"));
    }
    one->busy = true;
    return pg_cuda_check(cuda, cuda->event_record(one->done, self->out), "mark the end of a copy");
}

/* Waits for what a lane does and hands its outputs on. */
static pg_status finish_lane(lanes *self, lane *one, pg_trt_results_fn fn, void *user)
{
    pg_trt_context *context = self->context;
    pg_feed out = {0};
    if (!one->busy)
        return NULL;
    one->busy = false;
    PG_TRY(pg_cuda_check(context->cuda, context->cuda->event_wait(one->done), "finish the inference"));
    if (fn == NULL)
        return NULL;
    for (size_t i = 0; i < context->n_outputs; i++) {
        const binding *output = &context->outputs[i];
        pg_tensor tensor;
        PG_TRY(pg_tensor_borrow(&tensor, output->dtype, (size_t)output->dims.rank, output->dims.d,
                                one->fetched[i]->data));
        pg_feed_add(&out, pg_str_c(output->name), pg_value_of_tensor(tensor));
    }
    pg_status status = fn(user, &out);
    pg_feed_deinit(&out);
    return status;
}

static pg_status stream(lanes *self, const pg_feed *feed, size_t times, pg_trt_results_fn fn, void *user)
{
    PG_TRY(init_lanes(self));
    for (size_t i = 0; i < times; i++) {
        PG_TRY(finish_lane(self, &self->items[i % LANES], fn, user));
        PG_TRY(start_lane(self, &self->items[i % LANES], feed));
    }
    for (size_t i = 0; i < LANES; i++)
        PG_TRY(finish_lane(self, &self->items[(times + i) % LANES], fn, user));
    return NULL;
}

/* What the lanes have no way for. */
static bool is_plain(const pg_trt_context *self)
{
    bool plain = !has_late_output(self) && !self->watches;
    for (size_t i = 0; i < self->n_inputs; i++)
        plain = plain && !self->inputs[i].on_host;
    for (size_t i = 0; i < self->n_outputs; i++)
        plain = plain && !self->outputs[i].on_host;
    return plain;
}

pg_status pg_trt_context_stream(pg_trt_context *self, const pg_feed *feed, size_t times, pg_trt_results_fn fn,
                                void *user)
{
    pg_feed first = {0};
    lanes work = {.context = self};
    PG_TRY(pg_trt_context_infer(self, feed, &first)); /* shapes, and memory of the context itself */
    pg_feed_deinit(&first);
    if (!is_plain(self))
        return pg_err(PG_ERR_UNSUPPORTED,
                      "inferences of this engine cannot overlap: the sizes of its outputs depend "
                      "on data, or tensors in host memory do");
    pg_status status = stream(&work, feed, times, fn, user);
    deinit_lanes(&work);
    return status;
}
