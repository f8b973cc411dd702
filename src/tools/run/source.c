#include "log/log.h"
#include "tools/run/internal.h"

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

pg_status run_source_open(run_source *source, const run_args *args, pg_runner *runner)
{
    *source = (run_source){.inputs = runner->ops->inputs(runner)};
    if (args->data.load_inputs.set)
        return open_files(source, &args->data.load_inputs);
    source->options = loader_options(args);
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
    *source = (run_source){0};
}
