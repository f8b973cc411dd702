#include <stdlib.h>

#include "log/log.h"
#include "tools/run/internal.h"

/* The engine's optimal shapes come first: the last entry of an input counts. */
static void add_engine_shapes(run_source *source, const run_args *args, const pg_runner *runner,
                              const pg_engine *engine)
{
    size_t number = args->trt.inference.profile.set ? (size_t)args->trt.inference.profile.value : 0,
           count = 0;
    bool own = pg_runner_native_engine(runner) == engine; /* another runner knows the network's shapes only */
    const pg_shape_profile *profile = own ? &engine->outer_profiles[number] : &engine->profiles[number];
    source->shapes = pg_calloc(profile->count + args->model.n_input_shapes + 1, sizeof *source->shapes);
    for (size_t i = 0; i < profile->count; i++)
        source->shapes[count++] =
            (pg_input_shape){profile->items[i].input, profile->items[i].rank, profile->items[i].opt};
    for (size_t i = 0; i < args->model.n_input_shapes; i++)
        source->shapes[count++] = args->model.input_shapes[i];
    source->options.shapes = source->shapes;
    source->options.n_shapes = count;
}

static pg_loader_options loader_options(const run_args *args)
{
    pg_loader_options options = args->data.options;
    options.shapes = args->model.input_shapes;
    options.n_shapes = args->model.n_input_shapes;
    return options;
}

void run_source_announce(const run_args *args)
{
    pg_loader_options options = loader_options(args);
    if (!args->data.load_inputs.set)
        pg_loader_announce(&options);
}

static pg_status open_files(run_source *source, const pg_arg_list *paths)
{
    for (size_t i = 0; i < paths->count; i++)
        PG_LOG(PG_START, "Loading input data from %s", paths->items[i]);
    PG_TRY(pg_inputs_open(paths->items, paths->count, &source->inputs, &source->files));
    source->count = pg_inputs_count(source->files);
    return NULL;
}

pg_status run_source_open(run_source *source, const run_args *args, pg_runner *runner,
                          const pg_engine *engine)
{
    *source = (run_source){.inputs = runner->ops->inputs(runner)};
    if (args->data.load_inputs.set)
        return open_files(source, &args->data.load_inputs);
    source->options = loader_options(args);
    if (engine != NULL)
        add_engine_shapes(source, args, runner, engine);
    source->count = args->data.iterations.set ? (size_t)args->data.iterations.value : 1;
    return NULL;
}

pg_status run_source_get(run_source *source, size_t index, pg_feed *out)
{
    if (source->files != NULL)
        return pg_inputs_get(source->files, index, out);
    return pg_loader_get(&source->options, source->inputs, index, out);
}

void run_source_close(run_source *source)
{
    pg_inputs_close(source->files);
    free(source->shapes);
    *source = (run_source){0};
}
