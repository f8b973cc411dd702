#include <string.h>

#include "args/args.h"
#include "args/missing.h"
#include "data/files.h"
#include "log/log.h"

static const pg_option rows[] = {
    {"--seed", PG_FIELD(pg_args_data, seed), .metavar = "SEED", .default_text = "1",
     .help = "seed of the first iteration's random inputs; each further iteration adds one"},
    {"--val-range", PG_FIELD(pg_args_data, val_range_text), .metavar = "[NAME:][LOW,HIGH]",
     .default_text = "[0.0,1.0]",
     .help = "range of the random inputs, for all or for one input: --val-range [0,1] ids:[0,30521]"},
    {"--iterations --iters", PG_FIELD(pg_args_data, iterations), .metavar = "NUM", .default_text = "1",
     .help = "how many random inputs to run"},
    {"--data-loader-backend-module", PG_FIELD(pg_args_data, backend_module), .choices = "numpy|torch",
     .help = "whose random numbers the inputs are; only numpy's are available in this version"},
    {"--load-inputs --load-input-data", PG_FIELD(pg_args_data, load_inputs), .metavar = "PATH",
     .exclusive = "data loader", .flags = PG_OPTION_PATH,
     .help =
         "read the inputs from files or folders, one after another (.json, .npz, .safetensors; .npy, .pb and "
         "raw files hold one input, 'name:path' says which), or prepare them from pictures and arrays as an "
         "input "
         "spec says (.json, see docs/formats.md)"},
    {"--data-loader-script", .type = PG_ARG_TEXT, .exclusive = "data loader", .missing = NEEDS_PYTHON,
     .help =
         "Python file with a function load_data() that yields inputs; 'file.py:name' for another function",
     .flags = PG_OPTION_PATH},
    {"--data-loader-func-name", .type = PG_ARG_TEXT, .missing = NEEDS_PYTHON,
     .help = "name of the function in the data loader script", .flags = PG_OPTION_OURS},
    {"--int-min", PG_FIELD(pg_args_data, int_min), .deprecated = "--val-range", .flags = PG_OPTION_OURS,
     .help = "lowest value of random integer inputs"},
    {"--int-max", PG_FIELD(pg_args_data, int_max), .deprecated = "--val-range", .flags = PG_OPTION_OURS,
     .help = "highest value of random integer inputs"},
    {"--float-min", PG_FIELD(pg_args_data, float_min), .deprecated = "--val-range", .flags = PG_OPTION_OURS,
     .help = "lowest value of random floating-point inputs"},
    {"--float-max", PG_FIELD(pg_args_data, float_max), .deprecated = "--val-range", .flags = PG_OPTION_OURS,
     .help = "highest value of random floating-point inputs"},
};

static pg_range_bound bound_of(const pg_scalar *number)
{
    return (pg_range_bound){true, number->kind == PG_SCALAR_INT, number->integer, number->number};
}

static pg_range_bound int_bound(pg_opt_int text)
{
    return (pg_range_bound){text.set, true, text.value, (double)text.value};
}

static pg_range_bound float_bound(pg_opt_float text)
{
    return (pg_range_bound){.given = text.set, .real = text.value};
}

static pg_status parse_ranges(pg_args_data *args, pg_arena *arena)
{
    pg_name_value *parts;
    pg_loader_options *options = &args->options;
    PG_TRY(pg_values_by_name("--val-range", &args->val_range_text, arena, &parts, &options->n_ranges));
    pg_input_range *ranges = PG_ARENA_ARRAY(arena, pg_input_range, options->n_ranges + 1);
    options->ranges = ranges;
    for (size_t i = 0; i < options->n_ranges; i++) {
        pg_scalar pair = pg_value_scalar(parts[i].value, arena);
        const char *word = args->val_range_text.items[i];
        if (pair.kind != PG_SCALAR_LIST || pair.count != 2)
            return pg_err(PG_ERR_INVALID, "option '--val-range': '%s' is not 'name:[low,high]'", word);
        for (size_t j = 0; j < 2; j++)
            if (!pg_scalar_is_number(&pair.items[j]))
                return pg_err(PG_ERR_INVALID,
                              "option '--val-range': '%" PG_STR_FMT "' of '%s' is not a number",
                              PG_STR_ARG(pair.items[j].text), word);
        ranges[i] = (pg_input_range){parts[i].name, bound_of(&pair.items[0]), bound_of(&pair.items[1])};
    }
    return NULL;
}

static void warn_ignored(const char *name)
{
    PG_LOG_WARNING(
        "Argument: '%s' will be ignored since a custom data loader was provided.\nThis argument is only "
        "valid when using the default data loader.",
        name);
}

static pg_status check(const pg_args_data *args)
{
    if (args->seed.set && (args->seed.value < 0 || args->seed.value > UINT32_MAX))
        return pg_err(PG_ERR_INVALID, "option '--seed': %lld is not between 0 and 4294967295",
                      (long long)args->seed.value);
    if (args->iterations.set && args->iterations.value < 0)
        return pg_err(PG_ERR_INVALID, "option '--iterations': %lld is negative",
                      (long long)args->iterations.value);
    if (args->backend_module != NULL && strcmp(args->backend_module, "numpy") != 0)
        return pg_err(
            PG_ERR_UNSUPPORTED,
            "option '--data-loader-backend-module': the random numbers of '%s' are not available in this "
            "version; use numpy",
            args->backend_module);
    return NULL;
}

static pg_status finish(void *values, pg_arena *arena)
{
    pg_args_data *args = values;
    PG_TRY(check(args));
    args->options = pg_loader_defaults;
    if (args->seed.set)
        args->options.seed = args->seed.value;
    args->options.int_low = int_bound(args->int_min);
    args->options.int_high = int_bound(args->int_max);
    args->options.float_low = float_bound(args->float_min);
    args->options.float_high = float_bound(args->float_max);
    PG_TRY(parse_ranges(args, arena));
    if (args->load_inputs.set) {
        if (args->seed.set)
            warn_ignored("--seed");
        if (args->val_range_text.set)
            warn_ignored("--val-range");
        if (args->iterations.set)
            warn_ignored("--iterations");
        if (args->int_min.set || args->int_max.set || args->float_min.set || args->float_max.set)
            warn_ignored("--int-min/--int-max/--float-min/--float-max");
    }
    return NULL;
}

const pg_group pg_group_data = {"Data Loader", rows, PG_COUNT(rows), .finish = finish};

/* ---- Inputs for one run ---- */

static pg_status first_loaded(const pg_arg_list *paths, pg_io_list inputs, pg_feed *out)
{
    pg_inputs *files = NULL;
    pg_feed loaded = {0};
    pg_status status = NULL;
    for (size_t i = 0; i < paths->count; i++)
        PG_LOG(PG_START, "Loading input data from %s", paths->items[i]);
    PG_TRY(pg_inputs_open(paths->items, paths->count, &inputs, &files));
    if (pg_inputs_count(files) == 0)
        status = pg_err(PG_ERR_INVALID, "option '--load-inputs': '%s' holds no iteration", paths->items[0]);
    if (status == NULL)
        status = pg_inputs_get(files, 0, &loaded);
    if (status == NULL)
        status = pg_feed_fit(&loaded, inputs, out);
    if (status != NULL)
        pg_feed_deinit(out);
    pg_feed_deinit(&loaded);
    pg_inputs_close(files);
    return status;
}

pg_status pg_args_first_feed(const pg_args_data *data, const pg_args_model *model, pg_io_list inputs,
                             pg_feed *out)
{
    *out = (pg_feed){0};
    if (data->load_inputs.set)
        return first_loaded(&data->load_inputs, inputs, out);
    pg_loader_options options = data->options;
    options.shapes = model->input_shapes;
    options.n_shapes = model->n_input_shapes;
    return pg_loader_get(&options, inputs, 0, out);
}
