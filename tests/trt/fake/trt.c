/* A TensorRT of one family for tests, made from the table of slots that the program has: whatever model it parses, it
 * knows y = Relu(x) with x of [-1, 3]. Slots that nothing fills end the program. Compiled with FAKE_FAMILY, FAKE_MAJOR,
 * FAKE_MINOR; FAKE_TRT in the environment makes it misbehave: "late" outputs of unknown size, "crash" builds, "lie"
 * about what was set. */
#include <stdio.h>
#include <stdlib.h>

#include "runner/tensorrt/abi.h"

#define ROW(target, name, result, arguments, s10, s11, r14, r15) \
    {#name, TRT_TARGET_##target, {s10, s11, r14, r15}},
const trt_slot_row trt_slot_rows[TRT_FN_COUNT] = {TRT_FUNCTIONS(ROW)};

enum { SLOTS = 128, RELU = 0, ACTIVATION = 2 };
enum { DELETE_LOGGER = 1 };
#define EXPORT __attribute__((visibility("default")))

typedef struct fake fake;
struct fake {
    void *const *vtable;
    fake *impl, *own;
};

static int misbehaves(const char *how)
{
    const char *set = getenv("FAKE_TRT");
    return set != NULL && strcmp(set, how) == 0;
}

static void wrong_slot(void)
{
    fprintf(stderr, "fake TensorRT: a slot was called that does nothing\n");
    abort();
}
static void keep(fake *self)
{
    (void)self;
}

/* ---- Objects ---- */

static void *outer_vtable[SLOTS], *impl_vtable[SLOTS], *layer_vtable[SLOTS], *parser_vtable[SLOTS];
static void *error_vtable[SLOTS];
/* clang-format off */
#define OBJECT(name) static fake name##_impl = {impl_vtable_##name, 0, 0}; static fake name = {outer_vtable, &name##_impl, 0}
#define VTABLES(X) \
    X(builder) X(config) X(network) X(tensor_x) X(tensor_y) X(layer) X(profile) X(memory) X(runtime) X(engine) X(context) \
    X(inspector)
#define DECLARE(name) static void *impl_vtable_##name[SLOTS]; OBJECT(name);
VTABLES(DECLARE)
/* clang-format on */
static fake parser = {parser_vtable, 0, 0}, parser_error = {error_vtable, 0, 0};

static void fill(void **vtable)
{
    for (int i = 0; i < SLOTS; i++)
        vtable[i] = (void *)wrong_slot;
}

static void put(void **vtable, trt_fn fn, void *function)
{
    int slot = trt_slot_rows[fn].slots[FAKE_FAMILY];
    if (slot >= 0)
        vtable[slot] = function;
}
#define PUT(vtable, name) put((vtable), TRT_FN_##name, (void *)do_##name)

/* ---- State ---- */

static struct {
    void *recorder, *listener, *profiler, *allocator;
    int threads, level, verbosity, capability, watches, aux;
    uint32_t flags, previews;
    size_t pools[8];
    char name[64];
    int n_inputs, n_outputs, probing;
    trt_dims range[3], shape;
    const float *x;
    float *y;
    char bytes[256];
} state = {.threads = 4, .level = 3, .name = "Fake", .n_outputs = 1, .shape = {-2, {0}}};

static trt_function entry(void *object, int slot)
{
    trt_function f;
    memcpy(&f, &(*(void ***)object)[slot], sizeof f);
    return f;
}

static void report(const char *text)
{
    if (state.recorder != NULL)
        ((bool (*)(void *, int32_t, const char *))entry(state.recorder, 9))(state.recorder, 1, text);
}

/* ---- Builder ---- */

static fake *do_builder_create_config(fake *self)
{
    return (void)self, &config;
}
static fake *do_builder_create_network(fake *self, uint32_t flags)
{
    (void)self;
    state.n_inputs = 0;
    return flags <= 3 ? &network : NULL;
}
static fake *do_builder_create_profile(fake *self)
{
    return (void)self, &profile;
}
static void do_builder_set_error_recorder(fake *self, void *recorder)
{
    (void)self, state.recorder = recorder;
}
static bool do_builder_set_max_threads(fake *self, int32_t n)
{
    return (void)self, state.threads = n, true;
}
static int32_t do_builder_get_max_threads(fake *self)
{
    return (void)self, misbehaves("lie") ? 1 : state.threads;
}
static int32_t do_builder_n_dla_cores(fake *self)
{
    return (void)self, 0;
}
static fake *do_builder_build(fake *self, fake *net, fake *cfg)
{
    (void)self;
    if (misbehaves("crash"))
        abort();
    if (net != &network || cfg != &config)
        wrong_slot();
    int size = snprintf(state.bytes, sizeof state.bytes, "FAKE %d", FAKE_FAMILY);
    for (int k = 0; k < 3; k++)
        size += snprintf(state.bytes + size, sizeof state.bytes - (size_t)size, " %lld",
                         (long long)state.range[k].d[0]);
    return &memory;
}
static void *do_memory_data(fake *self)
{
    return (void)self, state.bytes;
}
static size_t do_memory_size(fake *self)
{
    return (void)self, strlen(state.bytes) + 1;
}

/* ---- Configuration ---- */

static void do_config_set_flag(fake *self, int32_t f)
{
    (void)self, state.flags |= 1u << f;
}
static void do_config_clear_flag(fake *self, int32_t f)
{
    (void)self, state.flags &= ~(1u << f);
}
static bool do_config_get_flag(fake *self, int32_t f)
{
    return (void)self, state.flags >> f & 1;
}
static void do_config_set_level(fake *self, int32_t v)
{
    (void)self, state.level = v;
}
static int32_t do_config_get_level(fake *self)
{
    return (void)self, state.level;
}
static void do_config_set_max_aux_streams(fake *self, int32_t v)
{
    (void)self, state.aux = v;
}
static int32_t do_config_get_max_aux_streams(fake *self)
{
    return (void)self, state.aux;
}
static int32_t do_config_get_engine_capability(fake *self)
{
    return (void)self, state.capability;
}
static void do_config_set_engine_capability(fake *self, int32_t v)
{
    (void)self, state.capability = v;
}
static void do_config_set_profiling_verbosity(fake *self, int32_t v)
{
    (void)self, state.verbosity = v;
}
static int32_t do_config_get_profiling_verbosity(fake *self)
{
    return (void)self, state.verbosity;
}
static uint32_t do_config_get_tactic_sources(fake *self)
{
    return (void)self, 1;
}
static void do_config_set_pool_limit(fake *self, int32_t p, size_t n)
{
    (void)self, state.pools[p] = n;
}
static size_t do_config_get_pool_limit(fake *self, int32_t p)
{
    return (void)self, state.pools[p];
}
static void do_config_set_preview(fake *self, int32_t f, bool on)
{
    (void)self;
    state.previews = on ? state.previews | 1u << f : state.previews & ~(1u << f);
}
static bool do_config_get_preview(fake *self, int32_t f)
{
    return (void)self, state.previews >> f & 1;
}
static int32_t do_config_add_profile(fake *self, const fake *p)
{
    return (void)self, p == &profile ? 0 : -1;
}
static void do_config_set_progress_monitor(fake *self, void *monitor)
{
    (void)self;
    ((void (*)(void *, const char *, const char *, int32_t))entry(monitor, 4))(monitor, "phase", NULL, 1);
    if (!((bool (*)(void *, const char *, int32_t))entry(monitor, 5))(monitor, "phase", 0))
        wrong_slot();
    ((void (*)(void *, const char *))entry(monitor, 6))(monitor, "phase");
}
static bool do_profile_set_dims(fake *self, const char *name, int32_t which, const trt_dims *dims)
{
    (void)self;
    state.range[which] = *dims;
    return strcmp(name, "x") == 0;
}

/* ---- Network ---- */

static const char *do_network_get_name(fake *self)
{
    return (void)self, state.name;
}
static void do_network_set_name(fake *self, const char *name)
{
    (void)self;
    snprintf(state.name, sizeof state.name, "%s", name);
}
static fake *do_network_add_input(fake *self, const char *name, int32_t dtype, const trt_dims *dims)
{
    (void)self, (void)name, (void)dtype, (void)dims;
    state.probing = 1;
    state.n_inputs++;
    return &tensor_x;
}
static void do_network_remove_tensor(fake *self, fake *tensor)
{
    (void)self, (void)tensor;
    state.probing = 0;
    state.n_inputs--;
}
static int32_t do_network_n_inputs(fake *self)
{
    return (void)self, state.n_inputs;
}
static fake *do_network_input(fake *self, int32_t i)
{
    return (void)self, i == 0 ? &tensor_x : NULL;
}
static int32_t do_network_n_outputs(fake *self)
{
    return (void)self, state.n_outputs;
}
static fake *do_network_output(fake *self, int32_t i)
{
    return (void)self, i == 0 ? &tensor_y : NULL;
}
static void do_network_mark_output(fake *self, fake *t)
{
    (void)self, (void)t, state.n_outputs++;
}
static void do_network_unmark_output(fake *self, fake *t)
{
    (void)self, (void)t, state.n_outputs--;
}
static int32_t do_network_n_layers(fake *self)
{
    return (void)self, 1;
}
static fake *do_network_layer(fake *self, int32_t i)
{
    return (void)self, i == 0 ? &layer : NULL;
}
static bool do_network_get_flag(fake *self, int32_t f)
{
    return (void)self, (void)f, FAKE_MAJOR != 10;
}
static bool do_network_mark_debug(fake *self, fake *t)
{
    return (void)self, (void)t, true;
}
static bool do_network_mark_unfused_debug(fake *self)
{
    return (void)self, true;
}
static const char *do_tensor_name(fake *self)
{
    return self == &tensor_y_impl ? "y" : state.probing ? "probe" : "x";
}
static trt_dims do_tensor_dims(fake *self)
{
    (void)self;
    return (trt_dims){2, {-1, state.probing ? 7 : 3}};
}
static int32_t do_tensor_dtype(fake *self)
{
    return (void)self, 0;
}
static void do_tensor_set_dtype(fake *self, int32_t t)
{
    (void)self, (void)t;
}
static bool do_tensor_is_input(fake *self)
{
    return self == &tensor_x_impl;
}
static bool do_tensor_is_output(fake *self)
{
    return self == &tensor_y_impl;
}
static bool do_tensor_is_shape(fake *self)
{
    return (void)self, false;
}
static const char *do_tensor_dim_name(fake *self, int32_t i)
{
    return (void)self, (void)i, NULL;
}
static int32_t do_layer_type(fake *self)
{
    return (void)self, ACTIVATION;
}
static const char *do_layer_name(fake *self)
{
    return (void)self, "relu";
}
static int32_t do_layer_n_inputs(fake *self)
{
    return (void)self, 1;
}
static fake *do_layer_input(fake *self, int32_t i)
{
    return (void)self, (void)i, &tensor_x;
}
static int32_t do_layer_n_outputs(fake *self)
{
    return (void)self, 1;
}
static fake *do_layer_output(fake *self, int32_t i)
{
    return (void)self, (void)i, &tensor_y;
}
static void do_layer_set_precision(fake *self, int32_t t)
{
    (void)self, (void)t;
}
static int32_t do_activation_type(fake *self)
{
    return (void)self, RELU;
}

/* ---- Parser ---- */

static bool do_parser_parse(fake *self, const void *bytes, size_t size, const char *path)
{
    (void)self, (void)path;
    state.n_inputs = 1;
    return bytes != NULL && size > 0 && !misbehaves("parse");
}
static bool do_parser_parse_file(fake *self, const char *path, int severity)
{
    (void)self, (void)severity;
    state.n_inputs = 1;
    return path[0] == '/' && !misbehaves("parse");
}
static int do_parser_n_errors(fake *self)
{
    return (void)self, 1;
}
static const fake *do_parser_error(fake *self, int i)
{
    return (void)self, (void)i, &parser_error;
}
static void do_parser_delete(fake *self)
{
    (void)self;
}
static const char *do_error_text(fake *self)
{
    return (void)self, "no way";
}
static int do_error_node(fake *self)
{
    return (void)self, 7;
}
static const char *do_error_node_name(fake *self)
{
    return (void)self, "seventh";
}
static const char *do_error_operator(fake *self)
{
    return (void)self, "Relu";
}

/* ---- Engine ---- */

static fake *do_runtime_deserialize(fake *self, const void *bytes, size_t size)
{
    int family;
    long long d[3];
    (void)self;
    if (size < 6 || sscanf(bytes, "FAKE %d %lld %lld %lld", &family, &d[0], &d[1], &d[2]) != 4 ||
        family != FAKE_FAMILY) {
        report("not a plan of this library");
        return NULL;
    }
    for (int k = 0; k < 3; k++)
        state.range[k] = (trt_dims){2, {d[k], 3}};
    return &engine;
}
static void do_runtime_set_error_recorder(fake *self, void *recorder)
{
    (void)self, state.recorder = recorder;
}
static bool do_runtime_set_max_threads(fake *self, int32_t n)
{
    return (void)self, state.threads = n, true;
}
static int32_t do_runtime_get_max_threads(fake *self)
{
    return (void)self, state.threads;
}
static void do_runtime_set_host_code_allowed(fake *self, bool on)
{
    (void)self, (void)on;
}
static int32_t do_engine_n_layers(fake *self)
{
    return (void)self, 1;
}
static fake *do_engine_create_context(fake *self, int32_t s)
{
    return (void)self, s >= 0 && s <= 2 ? &context : NULL;
}
static bool do_engine_is_refittable(fake *self)
{
    return (void)self, false;
}
static const char *do_engine_name(fake *self)
{
    return (void)self, "Fake";
}
static int32_t do_engine_n_profiles(fake *self)
{
    return (void)self, 1;
}
static fake *do_engine_create_inspector(fake *self)
{
    return (void)self, &inspector;
}
static trt_dims do_engine_shape(fake *self, const char *name)
{
    return (void)self, (void)name, (trt_dims){2, {-1, 3}};
}
static int32_t do_engine_dtype(fake *self, const char *name)
{
    return (void)self, (void)name, 0;
}
static int32_t do_engine_location(fake *self, const char *name)
{
    return (void)self, (void)name, TRT_ON_DEVICE;
}
static bool do_engine_is_shape_io(fake *self, const char *name)
{
    return (void)self, (void)name, false;
}
static int32_t do_engine_io_mode(fake *self, const char *name)
{
    return (void)self, name[0] == 'x' ? TRT_IO_INPUT : TRT_IO_OUTPUT;
}
static int32_t do_engine_format(fake *self, const char *name, int32_t p)
{
    return (void)self, (void)name, p;
}
static trt_dims do_engine_profile_shape(fake *self, const char *name, int32_t p, int32_t which)
{
    (void)self, (void)name, (void)p;
    return state.range[which];
}
static int32_t do_engine_n_io(fake *self)
{
    return (void)self, 2;
}
static const char *do_engine_io_name(fake *self, int32_t i)
{
    return (void)self, i == 0 ? "x" : "y";
}
static int64_t do_engine_device_memory(fake *self)
{
    return (void)self, 4096;
}
static bool do_engine_is_debug_tensor(fake *self, const char *name)
{
    return (void)self, name[0] == 'x';
}
static int64_t do_engine_streamable_weights(fake *self)
{
    return (void)self, 0;
}
static const char *do_inspector_layer(fake *self, int32_t i, int32_t format)
{
    (void)self, (void)i;
    return format == TRT_FORMAT_JSON
               ? "{\"Name\": \"relu\", \"LayerType\": \"kgen\", \"Inputs\": [{\"Name\": \"x\", "
                 "\"Dimensions\": [-1,3], "
                 "\"Format/Datatype\": \"Row major linear FP32\"}], \"Outputs\": [{\"Name\": \"y\", "
                 "\"Dimensions\": [-1,3], "
                 "\"Datatype\": \"Half\", \"Format\": \"Linear\"}], \"TacticValue\": \"0x1\"}\n"
               : "";
}

/* ---- Context ---- */

static void do_context_set_profiler(fake *self, void *p)
{
    (void)self, state.profiler = p;
}
static bool do_context_set_profile(fake *self, int32_t p, void *stream)
{
    return (void)self, p == 0 && stream != NULL;
}
static bool do_context_set_input_shape(fake *self, const char *name, const trt_dims *dims)
{
    (void)self;
    state.shape = *dims;
    return name[0] == 'x';
}
static trt_dims do_context_shape(fake *self, const char *name)
{
    (void)self;
    return name[0] == 'y' && misbehaves("late") ? (trt_dims){2, {-1, 3}} : state.shape;
}
static bool do_context_set_address(fake *self, const char *name, void *address)
{
    (void)self;
    if (name[0] == 'x')
        state.x = address;
    else
        state.y = address;
    return address != NULL;
}
static int32_t do_context_infer_shapes(fake *self, int32_t n, const char **missing)
{
    (void)self, (void)n;
    *missing = "x";
    return state.shape.rank < 0 ? 1 : 0;
}
static bool do_context_set_output_allocator(fake *self, const char *name, void *allocator)
{
    (void)self;
    state.allocator = allocator;
    return name[0] == 'y';
}
static bool do_context_set_debug_listener(fake *self, void *listener)
{
    return (void)self, state.listener = listener, true;
}
static bool do_context_set_tensor_debug_state(fake *self, const char *name, bool on)
{
    (void)self;
    state.watches = on;
    return name[0] == 'x';
}
static bool do_context_set_unfused_debug_state(fake *self, bool on)
{
    return (void)self, state.watches = on, true;
}
static size_t do_context_device_memory_for_shapes(fake *self)
{
    return (void)self, 1000;
}
static void do_context_set_device_memory(fake *self, void *memory_, int64_t size)
{
    (void)self;
    if (memory_ == NULL || size < 1000)
        wrong_slot();
}

/* RTX has no synchronous function in its output allocator. */
static void allocate_late(size_t size)
{
    int rtx = FAKE_FAMILY == TRT_RTX_1_4 || FAKE_FAMILY == TRT_RTX_1_5;
    state.y = ((void *(*)(void *, const char *, void *, uint64_t, uint64_t, void *))entry(
        state.allocator, rtx ? 4 : 5))(state.allocator, "y", NULL, size, 256, NULL);
    ((void (*)(void *, const char *, const trt_dims *))entry(state.allocator, rtx ? 5 : 6))(
        state.allocator, "y", &state.shape);
}

static bool do_context_enqueue(fake *self, void *stream)
{
    int old = FAKE_FAMILY == TRT_10 || FAKE_FAMILY == TRT_RTX_1_4;
    size_t count = (size_t)(state.shape.d[0] * state.shape.d[1]);
    (void)self;
    if (misbehaves("late"))
        allocate_late(count * sizeof(float));
    if (stream == NULL || (count > 0 && state.y == NULL))
        return false;
    for (size_t i = 0; i < count; i++)
        state.y[i] = state.x[i] > 0 ? state.x[i] : 0;
    if (state.profiler != NULL)
        ((void (*)(void *, const char *, float))entry(state.profiler, old ? 0 : 4))(state.profiler, "relu",
                                                                                    0.5f);
    if (state.listener != NULL && state.watches &&
        !((bool (*)(void *, const void *, int32_t, int32_t, const trt_dims *, const char *, void *))entry(
            state.listener, 4))(state.listener, state.x, TRT_ON_DEVICE, 0, &state.shape, "x_watched", stream))
        return false;
    return true;
}

/* ---- The library ---- */

static void set_up(void)
{
    void **tables[] = {outer_vtable,         impl_vtable,          layer_vtable,       parser_vtable,
                       error_vtable,         impl_vtable_builder,  impl_vtable_config, impl_vtable_network,
                       impl_vtable_tensor_x, impl_vtable_tensor_y, impl_vtable_layer,  impl_vtable_profile,
                       impl_vtable_memory,   impl_vtable_runtime,  impl_vtable_engine, impl_vtable_context,
                       impl_vtable_inspector};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        fill(tables[i]);
    outer_vtable[0] = outer_vtable[1] = (void *)keep;
    static fake layer_own = {layer_vtable, 0, 0};
    layer.own = &layer_own;
    state.pools[0] = 1u << 20;
    state.flags = 1u << 6; /* TF32 */
    void **b = impl_vtable_builder, **c = impl_vtable_config, **n = impl_vtable_network;
    PUT(b, builder_create_config), PUT(b, builder_create_network), PUT(b, builder_create_profile);
    PUT(b, builder_set_error_recorder), PUT(b, builder_set_max_threads), PUT(b, builder_get_max_threads);
    PUT(b, builder_n_dla_cores), PUT(b, builder_build);
    PUT(impl_vtable_memory, memory_data), PUT(impl_vtable_memory, memory_size);
    PUT(c, config_set_flag), PUT(c, config_clear_flag), PUT(c, config_get_flag), PUT(c, config_set_level);
    PUT(c, config_get_level), PUT(c, config_set_max_aux_streams), PUT(c, config_get_max_aux_streams);
    PUT(c, config_get_engine_capability), PUT(c, config_set_engine_capability),
        PUT(c, config_set_profiling_verbosity);
    PUT(c, config_get_profiling_verbosity), PUT(c, config_get_tactic_sources), PUT(c, config_set_pool_limit);
    PUT(c, config_get_pool_limit), PUT(c, config_set_preview), PUT(c, config_get_preview),
        PUT(c, config_add_profile);
    PUT(c, config_set_progress_monitor), PUT(impl_vtable_profile, profile_set_dims);
    PUT(n, network_get_name), PUT(n, network_set_name), PUT(n, network_add_input),
        PUT(n, network_remove_tensor);
    PUT(n, network_n_inputs), PUT(n, network_input), PUT(n, network_n_outputs), PUT(n, network_output);
    PUT(n, network_mark_output), PUT(n, network_unmark_output), PUT(n, network_n_layers),
        PUT(n, network_layer);
    PUT(n, network_get_flag), PUT(n, network_mark_debug), PUT(n, network_mark_unfused_debug);
    void **tensors[] = {impl_vtable_tensor_x, impl_vtable_tensor_y}, **l = impl_vtable_layer;
    for (int i = 0; i < 2; i++) {
        PUT(tensors[i], tensor_name), PUT(tensors[i], tensor_dims), PUT(tensors[i], tensor_dtype);
        PUT(tensors[i], tensor_set_dtype), PUT(tensors[i], tensor_is_input),
            PUT(tensors[i], tensor_is_output);
        PUT(tensors[i], tensor_is_shape), PUT(tensors[i], tensor_dim_name);
    }
    PUT(l, layer_type), PUT(l, layer_name), PUT(l, layer_n_inputs), PUT(l, layer_input),
        PUT(l, layer_n_outputs);
    PUT(l, layer_output), PUT(l, layer_set_precision), PUT(layer_vtable, activation_type);
    PUT(parser_vtable, parser_parse), PUT(parser_vtable, parser_parse_file),
        PUT(parser_vtable, parser_n_errors);
    PUT(parser_vtable, parser_error), PUT(parser_vtable, parser_delete), PUT(error_vtable, error_text);
    PUT(error_vtable, error_node), PUT(error_vtable, error_node_name), PUT(error_vtable, error_operator);
    void **r = impl_vtable_runtime, **e = impl_vtable_engine, **x = impl_vtable_context;
    PUT(r, runtime_deserialize), PUT(r, runtime_set_error_recorder), PUT(r, runtime_set_max_threads);
    PUT(r, runtime_get_max_threads), PUT(r, runtime_set_host_code_allowed);
    PUT(e, engine_n_layers), PUT(e, engine_create_context), PUT(e, engine_is_refittable), PUT(e, engine_name);
    PUT(e, engine_n_profiles), PUT(e, engine_create_inspector), PUT(e, engine_shape), PUT(e, engine_dtype);
    PUT(e, engine_location), PUT(e, engine_is_shape_io), PUT(e, engine_io_mode), PUT(e, engine_format);
    PUT(e, engine_profile_shape), PUT(e, engine_n_io), PUT(e, engine_io_name), PUT(e, engine_device_memory);
    PUT(e, engine_is_debug_tensor), PUT(e, engine_streamable_weights),
        PUT(impl_vtable_inspector, inspector_layer);
    PUT(x, context_set_profiler), PUT(x, context_set_profile), PUT(x, context_set_input_shape),
        PUT(x, context_shape);
    PUT(x, context_set_address), PUT(x, context_infer_shapes), PUT(x, context_set_output_allocator),
        PUT(x, context_enqueue);
    PUT(x, context_set_debug_listener), PUT(x, context_set_tensor_debug_state),
        PUT(x, context_set_unfused_debug_state);
    PUT(x, context_device_memory_for_shapes), PUT(x, context_set_device_memory);
}

/* The logger has to be one of this family: it is called once. */
static void try_logger(void *logger)
{
    int old = FAKE_FAMILY == TRT_10 || FAKE_FAMILY == TRT_RTX_1_4;
    ((void (*)(void *, int32_t, const char *))entry(logger, old ? 0 : 4))(logger, 3, "fake library at work");
}

EXPORT int32_t getInferLibMajorVersion(void)
{
    return FAKE_MAJOR;
}
EXPORT int32_t getInferLibMinorVersion(void)
{
    return FAKE_MINOR;
}
EXPORT int32_t getInferLibPatchVersion(void)
{
    return 2;
}
EXPORT int32_t getInferLibVersion(void)
{
    return FAKE_MAJOR * 10000 + FAKE_MINOR * 100 + 2;
}
EXPORT void *createInferBuilder_INTERNAL(void *logger, int version)
{
    set_up();
    try_logger(logger);
    return version == getInferLibVersion() ? &builder : NULL;
}
EXPORT void *createInferRuntime_INTERNAL(void *logger, int version)
{
    set_up();
    try_logger(logger);
    return version == getInferLibVersion() ? &runtime : NULL;
}
EXPORT void *createNvOnnxParser_INTERNAL(void *net, void *logger, int version)
{
    (void)logger, (void)version;
    if (parser_vtable[0] == NULL)
        set_up();
    return net != NULL ? &parser : NULL;
}
