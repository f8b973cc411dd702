/* Times loops around an engine: the library's enqueue alone, one inference after the other on device buffers, and
 * with arrays of the host; then looks for growth of memory.
 *
 *     trt_loop MODEL|ENGINE ITERATIONS [NAME=1x3x224x224]... [--fp16]
 *
 * Prints milliseconds per iteration. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "data/loader.h"
#include "runner/tensorrt/internal.h"

enum { MAX_SHAPES = 16, ROUNDS = 5 };

typedef struct bench {
    pg_trt_options options;
    pg_trt_shape shapes[MAX_SHAPES];
    pg_input_shape fed[MAX_SHAPES];
    int64_t dims[MAX_SHAPES][PG_MAX_RANK];
    size_t n_shapes, iterations;
    pg_trt_engine engine;
    pg_trt_context *context;
    pg_feed feed;
} bench;

static void fail(pg_status status)
{
    if (status == NULL)
        return;
    fprintf(stderr, "trt_loop: %s\n", pg_status_message(status));
    exit(1);
}

static void parse_shape(bench *self, const char *word)
{
    size_t at = self->n_shapes++;
    const char *equals = strrchr(word, '=');
    if (equals == NULL || at >= MAX_SHAPES)
        exit(2);
    pg_str name = {word, (size_t)(equals - word)}, rest = pg_str_c(equals + 1), part;
    size_t rank = 0;
    while (rank < PG_MAX_RANK && pg_str_split(&rest, 'x', &part))
        if (!pg_str_to_i64(part, &self->dims[at][rank++]))
            exit(2);
    self->shapes[at] = (pg_trt_shape){name, rank, self->dims[at]};
    self->fed[at] = (pg_input_shape){name, rank, self->dims[at]};
}

static void parse(bench *self, int argc, char **argv)
{
    static const char *const half[] = {"--fp16"};
    self->iterations = strtoul(argv[2], NULL, 10);
    for (int i = 3; i < argc; i++) {
        if (strcmp(argv[i], "--fp16") == 0) {
            self->options.flags = half;
            self->options.n_flags = 1;
        } else {
            parse_shape(self, argv[i]);
        }
    }
    self->options.input_shapes = (pg_trt_shapes){self->shapes, self->n_shapes};
}

static void open_engine(bench *self, const char *path)
{
    pg_model *model = NULL;
    bool onnx = pg_str_is(pg_path_extension(pg_str_c(path)), ".onnx");
    if (onnx)
        fail(pg_model_load(path, NULL, &model));
    fail(pg_trt_engine_open(&self->engine, model, onnx ? NULL : path, &self->options));
    pg_model_unref(model);
    fail(pg_trt_context_new(&self->engine, &self->options, &self->context));
}

/* The inputs as `run` makes them. */
static void make_feed(bench *self)
{
    pg_loader_options options = pg_loader_defaults;
    options.shapes = self->fed;
    options.n_shapes = self->n_shapes;
    fail(pg_loader_get(&options, pg_trt_context_inputs(self->context), 0, &self->feed));
}

static size_t resident(void)
{
    size_t pages = 0, unused = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%zu %zu", &unused, &pages) != 2)
        pages = 0;
    if (file != NULL)
        fclose(file);
    return pages * 4096;
}

static void infer_once(bench *self)
{
    pg_feed out = {0};
    fail(pg_trt_context_infer(self->context, &self->feed, &out));
    pg_feed_deinit(&out);
}

typedef void (*loop_fn)(bench *self);

static void bare(bench *self)
{
    fail(pg_trt_context_repeat(self->context, self->iterations));
}

static void on_device(bench *self)
{
    for (size_t i = 0; i < self->iterations; i++)
        fail(pg_trt_context_repeat(self->context, 1));
}

static void on_host(bench *self)
{
    for (size_t i = 0; i < self->iterations; i++)
        infer_once(self);
}

static void streamed(bench *self)
{
    fail(pg_trt_context_stream(self->context, &self->feed, self->iterations, NULL, NULL));
}

/* The best of several rounds. */
static double time_of(bench *self, loop_fn loop)
{
    double best = 0;
    for (int r = 0; r < ROUNDS; r++) {
        uint64_t start = pg_clock_ns();
        loop(self);
        double seconds = pg_clock_seconds_since(start) / (double)self->iterations;
        best = r == 0 || seconds < best ? seconds : best;
    }
    return best * 1e3;
}

static void check_growth(bench *self)
{
    size_t before, after, total;
    const pg_cuda *cuda = self->engine.cuda;
    cuda->memory_info(&before, &total);
    size_t host = resident();
    for (size_t i = 0; i < 1000; i++)
        infer_once(self);
    cuda->memory_info(&after, &total);
    printf("1000 iterations: host memory %+lld KiB, device memory %+lld KiB\n",
           ((long long)resident() - (long long)host) / 1024, ((long long)before - (long long)after) / 1024);
}

int main(int argc, char **argv)
{
    bench self = {0};
    if (argc < 3) {
        fprintf(stderr, "usage: trt_loop MODEL|ENGINE ITERATIONS [NAME=1x3x224x224]... [--fp16]\n");
        return 2;
    }
    parse(&self, argc, argv);
    open_engine(&self, argv[1]);
    make_feed(&self);
    for (int i = 0; i < 20; i++)
        infer_once(&self);
    double enqueue = time_of(&self, bare), device = time_of(&self, on_device), host = time_of(&self, on_host);
    double stream = time_of(&self, streamed);
    printf("enqueue alone %.4f | device buffers %.4f (%.3fx) | host arrays %.4f (%.3fx), overlapped %.4f "
           "(%.3fx)\n",
           enqueue, device, device / enqueue, host, host / enqueue, stream, stream / enqueue);
    check_growth(&self);
    pg_feed_deinit(&self.feed);
    pg_trt_context_free(self.context);
    pg_trt_engine_close(&self.engine);
    return 0;
}
