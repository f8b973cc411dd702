/* Runs a model on one runner and shows, saves or checks what comes out.
 *
 *     run_model [options] MODEL [INPUT.pb ...]
 *
 *     --runner NAME       onnxrt (default) or native
 *     --precision NAME    of the native runner: float32 (default), bfloat16, float64
 *     --threads N         0, the default: all processors
 *     --level NAME        graph optimization level of ONNX Runtime
 *     --provider NAME     execution provider of ONNX Runtime; may be given several times
 *     --data-dir FOLDER   where external data is
 *     --output NAME       an output in place of the model's own ("*": every tensor); may be given several
 * times
 *     --shape NAME=1x3x8  dims of an input that is made up; free dims are 1 otherwise
 *     --fill NAME=VALUE   every element of an input that is made up
 *     --repeat N          runs N times; the fastest time and the least processor time are shown
 *     --loads N           also loads the model and runs it once, N times over; the fastest time for both
 * together is shown
 *     --save FOLDER       writes output_0.pb, output_1.pb, ...
 *     --save-inputs FOLDER  the same for input_0.pb, ...
 *     --expect FILE.pb    the next output must equal this one (--atol, --rtol); may be given several times
 *
 * Inputs come from the files, by name where the file has one and by position otherwise; the others are made
 * up from a fixed sequence of numbers. Prints one line per output: name, type, shape, sum and largest
 * magnitude. Exit status: 0, 1 when an expected output differs, 2 for errors. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/vec.h"
#include "native/native.h"
#include "onnx/edit.h"
#include "runner/runner.h"

typedef PG_VEC(const char *) text_list;

typedef struct arguments {
    const char *runner, *precision, *model, *save, *save_inputs, *data_dir;
    unsigned threads, repeat, loads;
    double atol, rtol;
    pg_str level;
    PG_VEC(pg_str) providers;
    text_list inputs, outputs, expected, shapes, fills;
} arguments;

/* ---- Command line ---- */

static pg_status usage(const char *text)
{
    return pg_err(PG_ERR_USAGE, "%s; see the head of tests/tools/run_model.c", text);
}

static pg_status set_option(arguments *args, const char *name, const char *value)
{
    if (strcmp(name, "--runner") == 0)
        args->runner = value;
    else if (strcmp(name, "--precision") == 0)
        args->precision = value;
    else if (strcmp(name, "--threads") == 0)
        args->threads = (unsigned)atoi(value);
    else if (strcmp(name, "--repeat") == 0)
        args->repeat = (unsigned)atoi(value);
    else if (strcmp(name, "--loads") == 0)
        args->loads = (unsigned)atoi(value);
    else if (strcmp(name, "--level") == 0)
        args->level = pg_str_c(value);
    else if (strcmp(name, "--provider") == 0)
        PG_VEC_PUSH(&args->providers, pg_str_c(value));
    else if (strcmp(name, "--shape") == 0)
        PG_VEC_PUSH(&args->shapes, value);
    else if (strcmp(name, "--fill") == 0)
        PG_VEC_PUSH(&args->fills, value);
    else if (strcmp(name, "--save") == 0)
        args->save = value;
    else if (strcmp(name, "--save-inputs") == 0)
        args->save_inputs = value;
    else if (strcmp(name, "--data-dir") == 0)
        args->data_dir = value;
    else if (strcmp(name, "--output") == 0)
        PG_VEC_PUSH(&args->outputs, value);
    else if (strcmp(name, "--expect") == 0)
        PG_VEC_PUSH(&args->expected, value);
    else if (strcmp(name, "--atol") == 0)
        args->atol = atof(value);
    else if (strcmp(name, "--rtol") == 0)
        args->rtol = atof(value);
    else
        return usage("unknown option");
    return NULL;
}

static pg_status parse_arguments(int argc, char **argv, arguments *args)
{
    *args = (arguments){.runner = "onnxrt", .repeat = 1, .atol = 1e-5, .rtol = 1e-5};
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) == 0) {
            if (i + 1 == argc)
                return usage("an option lacks its value");
            PG_TRY(set_option(args, argv[i], argv[i + 1]));
            i++;
        } else if (args->model == NULL) {
            args->model = argv[i];
        } else {
            PG_VEC_PUSH(&args->inputs, argv[i]);
        }
    }
    return args->model != NULL ? NULL : usage("a model is needed");
}

static void free_arguments(arguments *args)
{
    PG_VEC_FREE(&args->providers);
    PG_VEC_FREE(&args->inputs);
    PG_VEC_FREE(&args->outputs);
    PG_VEC_FREE(&args->expected);
    PG_VEC_FREE(&args->shapes);
    PG_VEC_FREE(&args->fills);
}

/* The text after "NAME=" in the entry for a name; ptr NULL when there is none. */
static pg_str find_setting(const text_list *list, pg_str name)
{
    for (size_t i = 0; i < list->len; i++) {
        pg_str entry = pg_str_c(list->items[i]);
        size_t cut = pg_str_rfind(entry, '=');
        if (cut != SIZE_MAX && pg_str_eq(pg_str_sub(entry, 0, cut), name))
            return pg_str_sub(entry, cut + 1, entry.len);
    }
    return PG_STR_EMPTY;
}

/* ---- Files ---- */

/* An owned tensor from a TensorProto file. The name may be empty. */
static pg_status load_pb(const char *path, pg_tensor *out, char **out_name)
{
    pg_file_map map;
    pg_tensor borrowed = {0};
    PG_TRY(pg_file_map_open(path, &map));
    pg_status status = pg_tensor_parse_pb(map.data, map.size, path, &borrowed, out_name);
    if (status == NULL)
        status = pg_tensor_copy(out, &borrowed);
    pg_tensor_deinit(&borrowed);
    pg_file_map_close(&map);
    return status;
}

static pg_status save_pb(const char *folder, const char *stem, size_t index, const pg_named_value *item)
{
    if (item->value.kind != PG_VALUE_TENSOR)
        return pg_err(PG_ERR_UNSUPPORTED, "'%s' is not a tensor: only tensors can be saved", item->name);
    pg_buf path = {0}, bytes = {0};
    pg_buf_printf(&path, "%s/%s_%zu.pb", folder, stem, index);
    pg_tensor_write_pb(&item->value.tensor, pg_str_c(item->name), &bytes);
    pg_status status = pg_file_write(path.ptr, pg_buf_str(&bytes));
    pg_buf_deinit(&path);
    pg_buf_deinit(&bytes);
    return status;
}

static pg_status save_feed(const char *folder, const char *stem, const pg_feed *feed)
{
    for (size_t i = 0; folder != NULL && i < feed->count; i++)
        PG_TRY(save_pb(folder, stem, i, &feed->items[i]));
    return NULL;
}

/* ---- Inputs ---- */

/* Sets one element of a type that a number can be put into. */
static pg_status set_element(pg_tensor *tensor, uint64_t index, double value)
{
    switch (tensor->dtype) {
    case PG_F32:
        ((float *)tensor->data)[index] = (float)value;
        return NULL;
    case PG_F64:
        ((double *)tensor->data)[index] = value;
        return NULL;
    case PG_F16:
        ((uint16_t *)tensor->data)[index] = pg_f32_to_f16((float)value);
        return NULL;
    case PG_BF16:
        ((uint16_t *)tensor->data)[index] = pg_f32_to_bf16((float)value);
        return NULL;
    case PG_I64:
    case PG_U64:
        ((int64_t *)tensor->data)[index] = (int64_t)value;
        return NULL;
    case PG_I32:
    case PG_U32:
        ((int32_t *)tensor->data)[index] = (int32_t)value;
        return NULL;
    case PG_I16:
    case PG_U16:
        ((int16_t *)tensor->data)[index] = (int16_t)value;
        return NULL;
    case PG_I8:
    case PG_U8:
        ((int8_t *)tensor->data)[index] = (int8_t)value;
        return NULL;
    case PG_BOOL:
        ((uint8_t *)tensor->data)[index] = value != 0;
        return NULL;
    default:
        return pg_err(PG_ERR_UNSUPPORTED, "cannot make up values of type %s", pg_dtype_name(tensor->dtype));
    }
}

static pg_status choose_dims(const arguments *args, const pg_io *io, int64_t *dims)
{
    pg_str text = find_setting(&args->shapes, io->name), part;
    size_t given = 0;
    if (io->type.kind != PG_TYPE_TENSOR || io->type.rank > PG_MAX_RANK)
        return pg_err(PG_ERR_UNSUPPORTED, "cannot make up a value for '%" PG_STR_FMT "'",
                      PG_STR_ARG(io->name));
    for (uint32_t i = 0; i < io->type.rank; i++) {
        const pg_dim *dim = &io->type.dims[i];
        dims[i] = dim->has_value && dim->value >= 0 ? dim->value : 1;
    }
    while (pg_str_split(&text, 'x', &part))
        if (given >= io->type.rank || !pg_str_to_i64(part, &dims[given++]))
            return usage("--shape does not fit the input");
    return NULL;
}

/* Numbers in [0, 1) for floating point, 0 or 1 for the others. */
static pg_status make_input(const arguments *args, const pg_io *io, uint64_t *seed, pg_tensor *out)
{
    int64_t dims[PG_MAX_RANK];
    PG_TRY(choose_dims(args, io, dims));
    PG_TRY(pg_tensor_alloc(out, io->type.elem, io->type.rank, dims));
    pg_str fill = find_setting(&args->fills, io->name);
    double constant = 0;
    if (fill.ptr != NULL && !pg_str_to_f64(fill, &constant))
        return usage("--fill needs a number");
    uint64_t count = pg_tensor_count(out);
    for (uint64_t i = 0; i < count; i++) {
        *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        double random = (double)(*seed >> 11) * 0x1p-53;
        double value = pg_dtype_is_float(out->dtype) ? random : (double)(random >= 0.5);
        PG_TRY(set_element(out, i, fill.ptr != NULL ? constant : value));
    }
    return NULL;
}

static pg_status load_inputs(const arguments *args, pg_io_list inputs, pg_feed *feed)
{
    for (size_t i = 0; i < args->inputs.len; i++) {
        pg_tensor tensor = {0};
        char *name = NULL;
        PG_TRY(load_pb(args->inputs.items[i], &tensor, &name));
        pg_str key = pg_str_c(name);
        if (key.len == 0 && i < inputs.count)
            key = inputs.items[i].name;
        pg_feed_add(feed, key, pg_value_of_tensor(tensor));
        free(name);
    }
    return NULL;
}

static pg_status make_feed(const arguments *args, pg_io_list inputs, pg_feed *feed)
{
    uint64_t seed = 1;
    PG_TRY(load_inputs(args, inputs, feed));
    for (size_t i = 0; i < inputs.count; i++) {
        if (pg_feed_find(feed, inputs.items[i].name) != NULL)
            continue;
        pg_value *value = pg_feed_add(feed, inputs.items[i].name, (pg_value){0});
        pg_tensor tensor = {0};
        pg_status status = make_input(args, &inputs.items[i], &seed, &tensor);
        *value = pg_value_of_tensor(tensor);
        PG_TRY(status);
    }
    return NULL;
}

/* ---- Outputs ---- */

static void show_value(const char *name, const pg_value *value, int depth)
{
    if (value->kind != PG_VALUE_TENSOR) {
        static const char *const kinds[] = {"none", "tensor", "sequence", "map"};
        printf("%*s%s %s\n", depth * 4, "", name, kinds[value->kind]);
        size_t count = value->kind == PG_VALUE_SEQUENCE ? value->sequence.count : 0;
        for (size_t i = 0; i < count; i++)
            show_value("-", &value->sequence.items[i], depth + 1);
        return;
    }
    const pg_tensor *tensor = &value->tensor;
    pg_buf shape = {0};
    double sum = 0, largest = 0;
    uint64_t count = pg_tensor_count(tensor);
    pg_shape_text(&shape, tensor->rank, tensor->dims);
    for (uint64_t i = 0; i < count; i++) {
        double element = pg_tensor_get_f64(tensor, i);
        sum += element;
        largest = fmax(largest, fabs(element));
    }
    printf("%*s%s %s %s sum=%.9g max=%.9g\n", depth * 4, "", name, pg_dtype_name(tensor->dtype),
           pg_buf_cstr(&shape), sum, largest);
    pg_buf_deinit(&shape);
}

static bool same_string(const pg_tensor *a, const pg_tensor *b, uint64_t i)
{
    return pg_str_eq(((const pg_str *)a->data)[i], ((const pg_str *)b->data)[i]);
}

static bool close_numbers(const arguments *args, double a, double b)
{
    return a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= args->atol + args->rtol * fabs(b);
}

static bool check_output(const arguments *args, const pg_named_value *item, const pg_tensor *expected)
{
    const pg_tensor *got = &item->value.tensor;
    if (item->value.kind != PG_VALUE_TENSOR || got->dtype != expected->dtype ||
        !pg_tensor_same_shape(got, expected)) {
        printf("%s DIFFERS in type or shape\n", item->name);
        return false;
    }
    uint64_t count = pg_tensor_count(got), wrong = 0, worst_at = 0;
    double worst = -1;
    for (uint64_t i = 0; i < count; i++) {
        bool text = got->dtype == PG_STRING;
        double a = text ? 0 : pg_tensor_get_f64(got, i), b = text ? 0 : pg_tensor_get_f64(expected, i);
        if (text ? same_string(got, expected, i) : close_numbers(args, a, b))
            continue;
        wrong++;
        if (!(fabs(a - b) <= worst)) {
            worst = fabs(a - b);
            worst_at = i;
        }
    }
    if (wrong > 0)
        printf("%s DIFFERS in %" PRIu64 " of %" PRIu64 " elements, most at %" PRIu64
               ": %.9g, expected %.9g\n",
               item->name, wrong, count, worst_at, pg_tensor_get_f64(got, worst_at),
               pg_tensor_get_f64(expected, worst_at));
    return wrong == 0;
}

static pg_status check_outputs(const arguments *args, const pg_feed *outputs)
{
    bool same = true;
    for (size_t i = 0; i < args->expected.len; i++) {
        pg_tensor expected = {0};
        char *name = NULL;
        if (i >= outputs->count)
            return pg_err(PG_ERR_INVALID, "there are only %zu outputs", outputs->count);
        pg_status status = load_pb(args->expected.items[i], &expected, &name);
        if (status == NULL)
            same &= check_output(args, &outputs->items[i], &expected);
        pg_tensor_deinit(&expected);
        free(name);
        PG_TRY(status);
    }
    return same ? NULL : pg_err(PG_ERR_FAILED, "outputs differ");
}

/* ---- The run ---- */

static pg_status new_runner(const arguments *args, pg_model *model, pg_runner **out)
{
    pg_onnxrt_options onnxrt = {.threads = args->threads,
                                .optimization_level = args->level,
                                .providers = args->providers.items,
                                .n_providers = args->providers.len};
    const char *precision = args->precision != NULL ? args->precision : "";
    pg_native_options native = {.threads = args->threads,
                                .bfloat16 = strcmp(precision, "bfloat16") == 0,
                                .float64 = strcmp(precision, "float64") == 0};
    if (strcmp(args->runner, "onnxrt") == 0)
        *out = pg_runner_onnxrt_new(model, &onnxrt);
    else if (strcmp(args->runner, "native") == 0)
        *out = pg_runner_native_new(model, &native);
    else
        return usage("--runner is onnxrt or native");
    return NULL;
}

/* Processor time of all threads of this process. */
static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static pg_status run_once(pg_runner *runner, const pg_feed *feed, pg_feed *out, double *fastest,
                          double *least)
{
    pg_feed_deinit(out);
    const double start = cpu_seconds();
    PG_TRY(pg_runner_infer(runner, feed, out));
    *least = fmin(*least, cpu_seconds() - start);
    *fastest = fmin(*fastest, runner->seconds);
    return NULL;
}

static pg_status run(const arguments *args, pg_runner *runner, pg_feed *feed, pg_feed *out)
{
    double fastest = INFINITY, least = INFINITY;
    PG_TRY(pg_runner_activate(runner));
    PG_TRY(make_feed(args, runner->ops->inputs(runner), feed));
    PG_TRY(save_feed(args->save_inputs, "input", feed));
    for (unsigned i = 0; i < args->repeat; i++)
        PG_TRY(run_once(runner, feed, out, &fastest, &least));
    pg_runner_deactivate(runner); /* results must outlive the session */
    for (size_t i = 0; i < out->count; i++)
        show_value(out->items[i].name, &out->items[i].value, 0);
    fprintf(stderr, "%.3f ms\ncpu %.3f ms\n", fastest * 1e3, least * 1e3);
    PG_TRY(save_feed(args->save, "output", out));
    return check_outputs(args, out);
}

static pg_status load_model(const arguments *args, pg_model **out)
{
    pg_model_options options = {.external_data_dir = args->data_dir};
    pg_output_selection selection = {.names = args->outputs.items, .n_names = args->outputs.len};
    pg_model *model = NULL;
    if (args->outputs.len == 1 && strcmp(args->outputs.items[0], "*") == 0)
        selection = (pg_output_selection){.mark_all = true};
    PG_TRY(pg_model_load(args->model, &options, &model));
    if (args->outputs.len == 0) {
        *out = model;
        return NULL;
    }
    pg_status status = pg_model_select_outputs(model, &selection, out);
    pg_model_unref(model);
    return status;
}

static pg_status load_and_run(const arguments *args, const pg_feed *feed, double *fastest)
{
    pg_model *model = NULL;
    pg_runner *runner = NULL;
    pg_feed out = {0};
    pg_status status = NULL;
    const uint64_t start = pg_clock_ns();
    PG_TRY_GOTO(status, load_model(args, &model));
    PG_TRY_GOTO(status, new_runner(args, model, &runner));
    PG_TRY_GOTO(status, pg_runner_activate(runner));
    PG_TRY_GOTO(status, pg_runner_infer(runner, feed, &out));
    *fastest = fmin(*fastest, pg_clock_seconds_since(start));
done:
    pg_feed_deinit(&out);
    pg_runner_free(runner);
    pg_model_unref(model);
    return status;
}

static pg_status time_loads(const arguments *args, const pg_feed *feed)
{
    double fastest = INFINITY;
    for (unsigned i = 0; i < args->loads; i++)
        PG_TRY(load_and_run(args, feed, &fastest));
    if (args->loads > 0)
        fprintf(stderr, "load %.3f ms\n", fastest * 1e3);
    return NULL;
}

static pg_status run_model(const arguments *args)
{
    pg_model *model = NULL;
    pg_runner *runner = NULL;
    pg_feed feed = {0}, out = {0};
    pg_status status = NULL;
    PG_TRY_GOTO(status, load_model(args, &model));
    PG_TRY_GOTO(status, new_runner(args, model, &runner));
    PG_TRY_GOTO(status, run(args, runner, &feed, &out));
    status = time_loads(args, &feed);
done:
    pg_runner_free(runner);
    pg_model_unref(model);
    pg_feed_deinit(&feed);
    pg_feed_deinit(&out);
    return status;
}

int main(int argc, char **argv)
{
    arguments args;
    pg_status status = parse_arguments(argc, argv, &args);
    if (status == NULL)
        status = run_model(&args);
    free_arguments(&args);
    int code = status == NULL ? 0 : pg_status_code(status) == PG_ERR_FAILED ? 1 : 2;
    if (status != NULL)
        fprintf(stderr, "run_model: %s\n", pg_status_message(status));
    pg_status_drop(status);
    return code;
}
