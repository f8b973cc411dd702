/* The least that running a model on ONNX Runtime can cost: opens the library, makes a session from a path,
 * runs it once on zeros, reads the first output. No parsing of options, no model reading, no results kept.
 *
 *     bare_ort LIBRARY MODEL
 *
 * Free dims are 1. The benchmark compares `polygraphy run` with this. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner/onnxrt/abi.h"

enum { MAX_VALUES = 32, MAX_RANK = 16 };

static ort_api api;

static void check(ort_status *status)
{
    if (status == NULL)
        return;
    fprintf(stderr, "bare_ort: %s\n", api.error_message(status));
    exit(1);
}

static void on_log(void *context, int severity, const char *category, const char *id, const char *location,
                   const char *message)
{
    (void)context, (void)severity, (void)category, (void)id, (void)location, (void)message;
}

static void load_api(const char *path)
{
    setenv("ORT_DISABLE_TELEMETRY", "1", 0);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const ort_api_base *(*get_base)(void) = NULL;
    void *symbol = library != NULL ? dlsym(library, "OrtGetApiBase") : NULL;
    if (symbol == NULL) {
        fprintf(stderr, "bare_ort: %s\n", dlerror());
        exit(1);
    }
    memcpy(&get_base, &symbol, sizeof symbol);
    void *const *table = get_base()->get_api(ORT_API_VERSION_USED);
#define FILL(slot, result, name, arguments) memcpy(&api.name, &table[slot], sizeof(void *));
    ORT_SLOTS(FILL)
#undef FILL
}

static size_t element_size(int elem)
{
    static const unsigned char sizes[] = {0, 4, 1, 1, 2, 2, 4, 8, 0, 1, 2, 8, 4, 8, 8, 16, 2};
    return elem < (int)sizeof sizes ? sizes[elem] : 1;
}

static ort_value *zero_input(ort_session *session, size_t index, ort_memory_info *cpu)
{
    ort_type_info *type = NULL;
    const ort_tensor_info *info = NULL;
    ort_value *value = NULL;
    int64_t dims[MAX_RANK];
    size_t rank = 0, count = 1;
    int elem = 0;
    check(api.input_type(session, index, &type));
    check(api.type_as_tensor(type, &info));
    check(api.tensor_elem(info, &elem));
    check(api.tensor_rank(info, &rank));
    check(api.tensor_dims(info, dims, rank));
    for (size_t i = 0; i < rank; i++) {
        dims[i] = dims[i] < 0 ? 1 : dims[i];
        count *= (size_t)dims[i];
    }
    size_t size = count * element_size(elem);
    check(api.create_tensor_over(cpu, calloc(1, size + 1), size, dims, rank, elem, &value));
    api.release_type(type);
    return value;
}

int main(int argc, char **argv)
{
    ort_env *env = NULL;
    ort_session_options *options = NULL;
    ort_session *session = NULL;
    ort_memory_info *cpu = NULL;
    ort_allocator *allocator = NULL;
    ort_value *in[MAX_VALUES] = {NULL}, *out[MAX_VALUES] = {NULL};
    char *in_names[MAX_VALUES], *out_names[MAX_VALUES];
    size_t n_in = 0, n_out = 0;
    void *data = NULL;
    if (argc != 3) {
        fprintf(stderr, "usage: bare_ort LIBRARY MODEL\n");
        return 2;
    }
    load_api(argv[1]);
    check(api.create_env(on_log, NULL, ORT_LOG_FATAL, "bare", &env));
    check(api.create_session_options(&options));
    check(api.create_session(env, argv[2], options, &session));
    check(api.create_cpu_memory_info(ORT_ALLOCATOR_ARENA, ORT_MEMORY_DEFAULT, &cpu));
    check(api.default_allocator(&allocator));
    check(api.input_count(session, &n_in));
    check(api.output_count(session, &n_out));
    if (n_in > MAX_VALUES || n_out > MAX_VALUES) {
        fprintf(stderr, "bare_ort: more than %d inputs or outputs\n", MAX_VALUES);
        return 1;
    }
    for (size_t i = 0; i < n_in; i++) {
        check(api.input_name(session, i, allocator, &in_names[i]));
        in[i] = zero_input(session, i, cpu);
    }
    for (size_t i = 0; i < n_out; i++)
        check(api.output_name(session, i, allocator, &out_names[i]));
    check(api.run(session, NULL, (const char *const *)in_names, (const ort_value *const *)in, n_in,
                  (const char *const *)out_names, n_out, out));
    check(api.tensor_data(out[0], &data));
    printf("%g\n", (double)*(float *)data);
    for (size_t i = 0; i < n_out; i++)
        api.release_value(out[i]);
    for (size_t i = 0; i < n_in; i++)
        api.release_value(in[i]);
    api.release_memory_info(cpu);
    api.release_session(session);
    api.release_session_options(options);
    api.release_env(env);
    return 0;
}
