#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "native/native.h"

/* ---- Runners ---- */

static pg_api_infos infos_of(pg_arena *arena, pg_io_list list)
{
    pg_api_infos infos = {PG_ARENA_ARRAY(arena, polygraphy_tensor_info, list.count + 1), list.count};
    for (size_t i = 0; i < list.count; i++)
        pg_api_info_fill(arena, list.items[i].name, &list.items[i].type, &infos.items[i]);
    return infos;
}

static pg_runner *new_onnxrt(pg_model *model, const polygraphy_runner_options *options)
{
    pg_str *providers = pg_calloc(options->n_providers + 1, sizeof *providers);
    for (size_t i = 0; i < options->n_providers; i++)
        providers[i] = pg_str_c(options->providers[i]);
    pg_onnxrt_options inner = {.providers = providers,
                               .n_providers = options->n_providers,
                               .optimization_level = pg_str_c(options->optimization_level),
                               .threads = options->threads,
                               .library = options->library};
    pg_runner *runner = pg_runner_onnxrt_new(model, &inner);
    free(providers);
    return runner;
}

static pg_status open_runner(const polygraphy_model *model, const char *runtime,
                             const polygraphy_runner_options *options, polygraphy_runner **out)
{
    pg_runner *runner;
    if (strcmp(runtime, "onnxrt") == 0) {
        runner = new_onnxrt(model->model, options);
    } else if (strcmp(runtime, "native") == 0) {
        pg_native_options inner = {.threads = options->threads,
                                   .no_onednn = options->no_onednn,
                                   .no_optimization = options->no_optimization,
                                   .onednn = options->onednn,
                                   .float64 = options->float64,
                                   .bfloat16 = options->bfloat16,
                                   .max_loop_iterations = options->max_loop_iterations,
                                   .max_seconds = options->max_seconds};
        runner = pg_runner_native_new(model->model, &inner);
    } else {
        return pg_err(PG_ERR_INVALID, "there is no runtime '%s': it is 'native' or 'onnxrt'", runtime);
    }
    pg_status status = pg_runner_activate(runner);
    if (status != NULL) {
        pg_runner_free(runner);
        return status;
    }
    *out = PG_NEW(polygraphy_runner);
    (*out)->runner = runner;
    (*out)->inputs = infos_of(&(*out)->arena, runner->ops->inputs(runner));
    (*out)->outputs = infos_of(&(*out)->arena, runner->ops->outputs(runner));
    return NULL;
}

polygraphy_code polygraphy_runner_open(const polygraphy_model *model, const char *runtime,
                                       const polygraphy_runner_options *options, polygraphy_runner **out)
{
    polygraphy_runner_options known = POLYGRAPHY_RUNNER_OPTIONS_INIT;
    *out = NULL;
    pg_api_begin();
    pg_api_options(&known, sizeof known, options);
    return pg_api_end(open_runner(model, runtime, &known, out));
}

void polygraphy_runner_close(polygraphy_runner *runner)
{
    if (runner == NULL)
        return;
    pg_runner_free(runner->runner);
    pg_arena_deinit(&runner->arena);
    free(runner);
}

const char *polygraphy_runner_name(const polygraphy_runner *runner)
{
    return runner->runner->name;
}

const char *polygraphy_runner_runtime(const polygraphy_runner *runner)
{
    return runner->runner->runtime != NULL ? runner->runner->runtime : "";
}

size_t polygraphy_runner_input_count(const polygraphy_runner *runner)
{
    return runner->inputs.count;
}

const polygraphy_tensor_info *polygraphy_runner_input(const polygraphy_runner *runner, size_t index)
{
    return pg_api_info_get(&runner->inputs, index);
}

size_t polygraphy_runner_output_count(const polygraphy_runner *runner)
{
    return runner->outputs.count;
}

const polygraphy_tensor_info *polygraphy_runner_output(const polygraphy_runner *runner, size_t index)
{
    return pg_api_info_get(&runner->outputs, index);
}

static pg_status infer(pg_runner *runner, const pg_feed *feed, pg_feed *out)
{
    pg_feed fitted = {0};
    pg_status status = pg_runner_fit(runner, feed, &fitted);
    if (status == NULL)
        status = pg_runner_infer(runner, &fitted, out);
    pg_feed_deinit(&fitted);
    return status;
}

polygraphy_code polygraphy_runner_infer(polygraphy_runner *runner, const polygraphy_feed *feed,
                                        polygraphy_feed **out, double *out_seconds)
{
    pg_feed outputs = {0};
    *out = NULL;
    pg_api_begin();
    pg_status status = infer(runner->runner, &feed->feed, &outputs);
    if (status != NULL)
        return pg_api_end(status);
    if (out_seconds != NULL)
        *out_seconds = runner->runner->seconds;
    *out = pg_api_feed_new(outputs);
    return pg_api_end(NULL);
}

/* ---- Inputs ---- */

static pg_range_bound bound_of(double value)
{
    pg_range_bound bound = {.given = true, .real = value};
    bound.is_integer = value == floor(value) && fabs(value) < 0x1p63;
    if (bound.is_integer)
        bound.integer = (int64_t)value;
    return bound;
}

polygraphy_code polygraphy_inputs_random(const polygraphy_runner *runner,
                                         const polygraphy_random_options *options, polygraphy_inputs **out)
{
    polygraphy_random_options known = POLYGRAPHY_RANDOM_OPTIONS_INIT;
    pg_api_begin();
    pg_api_options(&known, sizeof known, options);
    polygraphy_inputs *inputs = PG_NEW(polygraphy_inputs);
    pg_input_shape *shapes = PG_ARENA_ARRAY(&inputs->arena, pg_input_shape, known.n_shapes + 1);
    pg_input_range *ranges = PG_ARENA_ARRAY(&inputs->arena, pg_input_range, known.n_ranges + 1);
    for (size_t i = 0; i < known.n_shapes; i++)
        shapes[i] =
            (pg_input_shape){pg_str_c(known.shapes[i].name), known.shapes[i].rank, known.shapes[i].dims};
    for (size_t i = 0; i < known.n_ranges; i++)
        ranges[i] = (pg_input_range){pg_str_c(known.ranges[i].name), bound_of(known.ranges[i].low),
                                     bound_of(known.ranges[i].high)};
    inputs->runner = runner;
    inputs->count = known.iterations > 0 ? known.iterations : 1;
    inputs->options = pg_loader_defaults;
    inputs->options.seed = known.seed;
    inputs->options.shapes = shapes;
    inputs->options.n_shapes = known.n_shapes;
    inputs->options.ranges = ranges;
    inputs->options.n_ranges = known.n_ranges;
    *out = inputs;
    return pg_api_end(NULL);
}

polygraphy_code polygraphy_inputs_load(const char *const *paths, size_t n_paths,
                                       const polygraphy_runner *runner, polygraphy_inputs **out)
{
    *out = NULL;
    pg_api_begin();
    polygraphy_inputs *inputs = PG_NEW(polygraphy_inputs);
    if (runner != NULL)
        inputs->expected = runner->runner->ops->inputs(runner->runner);
    pg_status status =
        pg_inputs_open(paths, n_paths, runner != NULL ? &inputs->expected : NULL, &inputs->files);
    if (status != NULL) {
        free(inputs);
        return pg_api_end(status);
    }
    inputs->count = pg_inputs_count(inputs->files);
    *out = inputs;
    return pg_api_end(NULL);
}

void polygraphy_inputs_free(polygraphy_inputs *inputs)
{
    if (inputs == NULL)
        return;
    pg_inputs_close(inputs->files);
    pg_arena_deinit(&inputs->arena);
    free(inputs);
}

size_t polygraphy_inputs_count(const polygraphy_inputs *inputs)
{
    return inputs->count;
}

static pg_status get(polygraphy_inputs *inputs, size_t index, pg_feed *out)
{
    *out = (pg_feed){0};
    if (index >= inputs->count)
        return pg_err(PG_ERR_NOT_FOUND, "there is no iteration %zu: the inputs have %zu", index,
                      inputs->count);
    if (inputs->files != NULL)
        return pg_inputs_get(inputs->files, index, out);
    pg_runner *runner = inputs->runner->runner;
    return pg_loader_get(&inputs->options, runner->ops->inputs(runner), index, out);
}

polygraphy_code polygraphy_inputs_get(polygraphy_inputs *inputs, size_t index, polygraphy_feed **out)
{
    pg_feed feed;
    *out = NULL;
    pg_api_begin();
    pg_status status = get(inputs, index, &feed);
    if (status == NULL)
        *out = pg_api_feed_new(feed);
    return pg_api_end(status);
}

static pg_status save(polygraphy_inputs *inputs, pg_inputs_writer *writer)
{
    pg_status status = NULL;
    for (size_t i = 0; i < inputs->count && status == NULL; i++) {
        pg_feed feed;
        status = get(inputs, i, &feed);
        if (status == NULL)
            status = pg_inputs_add(writer, &feed);
        pg_feed_deinit(&feed);
    }
    if (status == NULL)
        return pg_inputs_finish(writer);
    pg_inputs_abandon(writer);
    return status;
}

polygraphy_code polygraphy_inputs_save(polygraphy_inputs *inputs, const char *path)
{
    pg_inputs_writer *writer;
    pg_api_begin();
    pg_status status = pg_inputs_create(path, &writer);
    return pg_api_end(status != NULL ? status : save(inputs, writer));
}

/* ---- All iterations of a runner ---- */

static pg_status run_all(pg_runner_results *run, polygraphy_runner *runner, polygraphy_inputs *inputs)
{
    for (size_t i = 0; i < inputs->count; i++) {
        pg_feed feed;
        PG_TRY(get(inputs, i, &feed));
        pg_iteration *iteration = pg_runner_results_add(run);
        pg_status status = infer(runner->runner, &feed, &iteration->outputs);
        pg_feed_deinit(&feed);
        PG_TRY_CTX(status, "in iteration %zu", i);
        iteration->has_runtime = true;
        iteration->runtime = runner->runner->seconds;
        iteration->runner_name = pg_strndup(run->name, strlen(run->name));
    }
    return NULL;
}

polygraphy_code polygraphy_results_run(polygraphy_results *results, polygraphy_runner *runner,
                                       polygraphy_inputs *inputs)
{
    pg_run_results own = {0};
    pg_api_begin();
    pg_runner_results *run = pg_run_results_add(&own, pg_str_c(runner->runner->name));
    pg_status status = run_all(run, runner, inputs);
    if (status == NULL)
        pg_results_concat(&results->results, &own);
    pg_run_results_deinit(&own);
    return pg_api_end(status);
}
