#include "tools/inspect_data.h"

#include "args/args.h"
#include "data/files.h"
#include "log/log.h"
#include "tensor/stats_text.h"
#include "tensor/text.h"
#include "tools/tools.h"

typedef struct show_args {
    const char *path;
    bool all, values, histogram, statistics;
    pg_opt_int items, line_width;
} show_args;

static const pg_option rows[] = {
    {"path", PG_FIELD(show_args, path), .flags = PG_OPTION_PATH | PG_OPTION_REQUIRED,
     .help = "a file of inputs, outputs or accuracy results, or a folder of one file per iteration"},
    {"-a --all", PG_FIELD(show_args, all), .help = "show every iteration, not only the first"},
    {"-s --show-values", PG_FIELD(show_args, values), .help = "show the values of the tensors too"},
    {"--histogram", PG_FIELD(show_args, histogram), .help = "show how the values are distributed"},
    {"-n --num-items", PG_FIELD(show_args, items), .metavar = "NUM", .default_text = "3",
     .help = "values to show at the beginning and the end of each dimension; -1 = all"},
    {"--line-width", PG_FIELD(show_args, line_width), .metavar = "NUM", .default_text = "75",
     .help = "characters per line of values; -1 = lines break at the end of dimensions only"},
    {"--statistics", PG_FIELD(show_args, statistics), .flags = PG_OPTION_OURS,
     .help = "show the statistics of the tensors; they always are"},
};
static const pg_group group_show = {NULL, rows, PG_COUNT(rows)};

typedef struct data_args {
    pg_args_logging logging;
    show_args show;
} data_args;

static const pg_group_use groups[] = {
    {&pg_group_logging, offsetof(data_args, logging)},
    {&group_show, offsetof(data_args, show)},
};

/* ---- One value ---- */

static pg_text_options text_options(const show_args *args)
{
    pg_text_options options = pg_text_defaults;
    if (args->items.set)
        options.edge_items = args->items.value;
    if (args->line_width.set)
        options.line_width = args->line_width.value;
    return options;
}

/* `indent` is the level of what stands below the tensor's line. */
static pg_status put_tensor(const show_args *args, pg_str name, const pg_tensor *tensor, int indent,
                            pg_buf *out)
{
    pg_buf_pad(out, ' ', (size_t)(indent - 1) * 4);
    pg_buf_putc(out, '\n');
    pg_buf_pad(out, ' ', (size_t)(indent - 1) * 4);
    pg_buf_printf(out, "%" PG_STR_FMT " [dtype=%s, shape=", PG_STR_ARG(name), pg_dtype_name(tensor->dtype));
    pg_shape_text(out, tensor->rank, tensor->dims);
    pg_buf_puts(out, "] | Stats: ");
    PG_TRY(pg_tensor_stats_text(out, tensor));
    pg_buf block = {0};
    if (args->histogram) {
        pg_histogram histogram;
        pg_tensor_histogram(tensor, NULL, &histogram);
        pg_histogram_text(&block, &histogram);
        pg_buf_putc(out, '\n');
        pg_text_indent(out, pg_buf_str(&block), indent);
    }
    if (args->values) {
        pg_text_options options = text_options(args);
        pg_buf_clear(&block);
        pg_tensor_text(&block, tensor, &options);
        pg_buf_putc(out, '\n');
        pg_text_indent(out, pg_buf_str(&block), indent);
    }
    pg_buf_deinit(&block);
    return NULL;
}

static pg_status put_value(const show_args *args, pg_str name, const pg_value *value, int indent, pg_buf *out,
                           pg_arena *arena);

/* The items of a sequence or map, named after it: "x[0]", "x['key']". */
static pg_status put_items(const show_args *args, pg_str name, const pg_value *value, int indent, pg_buf *out,
                           pg_arena *arena)
{
    bool is_map = value->kind == PG_VALUE_MAP;
    size_t count = is_map ? value->map.count : value->sequence.count;
    pg_buf_pad(out, ' ', (size_t)(indent - 1) * 4);
    pg_buf_putc(out, '\n');
    pg_buf_pad(out, ' ', (size_t)(indent - 1) * 4);
    pg_buf_printf(out, "%" PG_STR_FMT " [%s of %zu]", PG_STR_ARG(name), is_map ? "map" : "sequence", count);
    for (size_t i = 0; i < count; i++) {
        pg_buf key = {0};
        if (is_map && value->map.keys->dtype == PG_STRING)
            pg_text_quote(&key, ((const pg_str *)value->map.keys->data)[i]);
        else if (is_map)
            pg_tensor_text_element(&key, value->map.keys, i);
        else
            pg_buf_printf(&key, "%zu", i);
        const char *item = pg_arena_printf(arena, "%" PG_STR_FMT "[%s]", PG_STR_ARG(name), pg_buf_cstr(&key));
        pg_buf_deinit(&key);
        PG_TRY(put_value(args, pg_str_c(item), is_map ? &value->map.items[i] : &value->sequence.items[i],
                         indent, out, arena));
    }
    return NULL;
}

static pg_status put_value(const show_args *args, pg_str name, const pg_value *value, int indent, pg_buf *out,
                           pg_arena *arena)
{
    switch (value->kind) {
    case PG_VALUE_TENSOR:
        return put_tensor(args, name, &value->tensor, indent, out);
    case PG_VALUE_SEQUENCE:
    case PG_VALUE_MAP:
        return put_items(args, name, value, indent, out, arena);
    case PG_VALUE_NONE:
        break;
    }
    pg_buf_pad(out, ' ', (size_t)(indent - 1) * 4);
    pg_buf_putc(out, '\n');
    pg_buf_pad(out, ' ', (size_t)(indent - 1) * 4);
    pg_buf_printf(out, "%" PG_STR_FMT " [absent]", PG_STR_ARG(name));
    return NULL;
}

/* ---- Iterations ---- */

static pg_status put_iteration(const show_args *args, const pg_feed *feed, size_t index, size_t count,
                               pg_buf *out, pg_arena *arena)
{
    int indent = 1;
    if (count > 1 && args->all) {
        pg_buf_printf(out, "\n-- Iteration: %zu", index);
        indent = 2;
    }
    for (size_t i = 0; i < feed->count; i++)
        PG_TRY(put_value(args, pg_str_c(feed->items[i].name), &feed->items[i].value, indent, out, arena));
    if (indent == 2)
        pg_buf_putc(out, '\n');
    return NULL;
}

static size_t shown(const show_args *args, size_t count)
{
    return args->all ? count : PG_MIN(count, (size_t)1);
}

static pg_status put_inputs(const show_args *args, pg_buf *out, pg_arena *arena)
{
    pg_inputs *inputs;
    PG_TRY(pg_inputs_open(&args->path, 1, NULL, &inputs));
    size_t count = pg_inputs_count(inputs);
    pg_status status = NULL;
    pg_buf_printf(out, "==== Data (%zu iterations) ====\n", count);
    for (size_t i = 0; status == NULL && i < shown(args, count); i++) {
        pg_feed feed = {0};
        status = pg_inputs_get(inputs, i, &feed);
        if (status == NULL)
            status = put_iteration(args, &feed, i, count, out, arena);
        pg_feed_deinit(&feed);
    }
    pg_inputs_close(inputs);
    return status;
}

static pg_status put_runners(const show_args *args, const pg_run_results *results, pg_buf *out,
                             pg_arena *arena)
{
    size_t width = 0;
    pg_buf_printf(out, "==== Run Results (%zu runners) ====\n\n", results->count);
    for (size_t r = 0; r < results->count; r++)
        width = PG_MAX(width, strlen(results->items[r].name));
    for (size_t r = 0; r < results->count; r++) {
        const pg_runner_results *runner = &results->items[r];
        pg_buf_printf(out, "---- %-*s (%zu iterations) ----\n", (int)width, runner->name, runner->count);
        for (size_t i = 0; i < shown(args, runner->count); i++)
            PG_TRY(put_iteration(args, &runner->items[i].outputs, i, runner->count, out, arena));
        pg_buf_putc(out, '\n');
    }
    return NULL;
}

static pg_status put_results(const show_args *args, pg_buf *out, pg_arena *arena)
{
    pg_run_results results = {0};
    pg_status status = pg_results_load(args->path, &results);
    if (status == NULL)
        status = put_runners(args, &results, out, arena);
    pg_run_results_deinit(&results);
    return status;
}

/* Says which files of a folder are read; a single file needs no line. */
static pg_status announce_folder(const char *path, const char *what, pg_arena *arena)
{
    char **names;
    size_t count;
    if (!pg_path_is_dir(path))
        return NULL;
    PG_TRY(pg_path_list(path, arena, &names, &count));
    for (size_t i = 0; i < count; i++)
        if (pg_str_is(pg_path_extension(pg_str_c(names[i])), ".json"))
            PG_LOG_INFO("Loading %s from %s", what, pg_path_join(arena, pg_str_c(path), pg_str_c(names[i])));
    return NULL;
}

static pg_status run(void *values, pg_arena *arena)
{
    const show_args *args = &((const data_args *)values)->show;
    pg_data_kind kind;
    pg_buf text = {0};
    PG_TRY(pg_data_kind_of(args->path, &kind));
    PG_TRY(announce_folder(args->path, kind == PG_DATA_INPUTS ? "input data" : "inference results", arena));
    pg_status status = kind == PG_DATA_INPUTS    ? put_inputs(args, &text, arena)
                       : kind == PG_DATA_RESULTS ? put_results(args, &text, arena)
                                                 : pg_inspect_accuracy(args->path, args->all, &text);
    if (status == NULL) {
        pg_str trimmed = pg_str_trim(pg_buf_str(&text));
        PG_LOG_INFO("%" PG_STR_FMT, PG_STR_ARG(trimmed));
    }
    pg_buf_deinit(&text);
    return status;
}

const pg_command pg_command_inspect_data = {
    .name = "data",
    .summary = "Print saved inputs, outputs and accuracy results.",
    .examples = "polygraphy inspect data out.json --show-values",
    .groups = groups,
    .n_groups = PG_COUNT(groups),
    .values_size = sizeof(data_args),
    .run = run,
};
