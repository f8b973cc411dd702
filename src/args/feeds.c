/* Inputs to calibrate int8 with, from option values. */
#include "args/engine.h"

pg_status pg_args_feeds_open(void *context, pg_io_list inputs)
{
    pg_args_feeds *feeds = context;
    const pg_args_data *data = feeds->data;
    feeds->options = data->options;
    feeds->inputs = inputs;
    feeds->count = data->iterations.set ? (size_t)data->iterations.value : 1;
    if (feeds->shapes_of != NULL) {
        feeds->options.shapes = feeds->shapes_of->input_shapes;
        feeds->options.n_shapes = feeds->shapes_of->n_input_shapes;
    }
    if (!data->load_inputs.set)
        return NULL;
    PG_TRY(pg_inputs_open(data->load_inputs.items, data->load_inputs.count, &feeds->inputs, &feeds->files));
    feeds->count = pg_inputs_count(feeds->files);
    return NULL;
}

pg_status pg_args_feeds_next(void *context, size_t index, pg_feed *out, bool *end)
{
    pg_args_feeds *feeds = context;
    *end = index >= feeds->count;
    if (*end)
        return NULL;
    return feeds->files != NULL ? pg_inputs_get(feeds->files, index, out)
                                : pg_loader_get(&feeds->options, feeds->inputs, index, out);
}

void pg_args_feeds_close(void *context)
{
    pg_args_feeds *feeds = context;
    pg_inputs_close(feeds->files);
    feeds->files = NULL;
}

void pg_args_trt_calibrate(const pg_args_trt *args, const pg_args_data *data, pg_arena *arena,
                           pg_trt_options *out)
{
    pg_args_feeds *feeds = PG_ARENA_ARRAY(arena, pg_args_feeds, 1);
    *feeds = (pg_args_feeds){.data = data};
    out->calibration = args->config.calibration;
    out->calibration_cache = args->config.calibration_cache;
    out->feeds = (pg_trt_feeds){feeds, pg_args_feeds_open, pg_args_feeds_next, pg_args_feeds_close};
}
