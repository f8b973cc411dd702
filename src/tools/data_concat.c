#include <string.h>

#include "args/args.h"
#include "base/map.h"
#include "data/files.h"
#include "log/log.h"
#include "tools/tools.h"

typedef struct own_args {
    pg_arg_list paths;
    const char *output;
} own_args;

static const pg_option rows[] = {
    {"paths", PG_FIELD(own_args, paths), .arity = PG_ARITY_SOME, .flags = PG_OPTION_PATH | PG_OPTION_REQUIRED,
     .help = "files or folders of inputs, or of results of runs; all of one kind"},
    {"-o --output", PG_FIELD(own_args, output), .flags = PG_OPTION_PATH | PG_OPTION_REQUIRED,
     .help = "where to write the iterations of all of them, one after the other"},
};
static const pg_group group_own = {NULL, rows, PG_COUNT(rows)};

typedef struct concat_args {
    pg_args_logging logging;
    own_args own;
} concat_args;

static const pg_group_use groups[] = {
    {&pg_group_logging, offsetof(concat_args, logging)},
    {&group_own, offsetof(concat_args, own)},
};

/* ---- The names of the first iteration are what the others are held to ---- */

typedef struct reference {
    const char **names;
    size_t count;
} reference;

static void put_names(pg_buf *out, const char *const *names, size_t count)
{
    pg_buf_putc(out, '[');
    for (size_t i = 0; i < count; i++)
        pg_buf_printf(out, "%s'%s'", i > 0 ? ", " : "", names[i]);
    pg_buf_putc(out, ']');
}

static void warn_other_names(reference *known, const pg_feed *feed, const char *path, size_t index,
                             pg_arena *arena)
{
    const char **names = PG_ARENA_ARRAY(arena, const char *, feed->count + 1);
    bool same = known->names != NULL && known->count == feed->count;
    for (size_t i = 0; i < feed->count; i++) {
        names[i] = pg_arena_cstr(arena, pg_str_c(feed->items[i].name));
        same = same && strcmp(names[i], known->names[i]) == 0;
    }
    if (known->names == NULL) {
        *known = (reference){names, feed->count};
    } else if (!same) {
        pg_buf text = {0};
        pg_buf_puts(&text, "Note: Expected names: ");
        put_names(&text, known->names, known->count);
        pg_buf_puts(&text, ", but got: ");
        put_names(&text, names, feed->count);
        PG_LOG_WARNING("Iteration %zu from %s contains different tensor names than earlier iterations.\n%s.",
                       index, path, pg_buf_cstr(&text));
        pg_buf_deinit(&text);
    }
}

/* ---- Inputs go through one by one ---- */

static pg_status copy_inputs(const own_args *args, pg_inputs *const *inputs, pg_inputs_writer *writer,
                             pg_arena *arena)
{
    reference known = {0};
    for (size_t p = 0; p < args->paths.count; p++)
        for (size_t i = 0; i < pg_inputs_count(inputs[p]); i++) {
            pg_feed feed = {0};
            pg_status status = pg_inputs_get(inputs[p], i, &feed);
            if (status == NULL) {
                warn_other_names(&known, &feed, args->paths.items[p], i, arena);
                status = pg_inputs_add(writer, &feed);
            }
            pg_feed_deinit(&feed);
            PG_TRY(status);
        }
    return NULL;
}

static pg_status write_inputs(const own_args *args, pg_inputs *const *inputs, pg_arena *arena)
{
    pg_inputs_writer *writer;
    size_t total = 0;
    for (size_t p = 0; p < args->paths.count; p++)
        total += pg_inputs_count(inputs[p]);
    PG_TRY(pg_inputs_create(args->output, &writer));
    pg_status status = copy_inputs(args, inputs, writer, arena);
    if (status != NULL) {
        pg_inputs_abandon(writer);
        return status;
    }
    PG_LOG_INFO("Saving input file containing %zu iteration(s) to %s", total, args->output);
    return pg_inputs_finish(writer);
}

static pg_status concat_inputs(const own_args *args, pg_arena *arena)
{
    pg_inputs **inputs = PG_ARENA_ARRAY(arena, pg_inputs *, args->paths.count);
    pg_status status = NULL;
    for (size_t p = 0; p < args->paths.count && status == NULL; p++)
        status = pg_inputs_open(&args->paths.items[p], 1, NULL, &inputs[p]);
    if (status == NULL)
        status = write_inputs(args, inputs, arena);
    for (size_t p = 0; p < args->paths.count; p++)
        pg_inputs_close(inputs[p]);
    return status;
}

/* ---- Results ---- */

static reference *reference_of(pg_map *by_runner, const char *runner, pg_arena *arena)
{
    reference *known = pg_map_find(by_runner, pg_str_c(runner));
    if (known == NULL) {
        known = PG_ARENA_NEW(arena, reference);
        pg_map_put(by_runner, pg_arena_str(arena, pg_str_c(runner)), known);
    }
    return known;
}

static pg_status gather_results(const own_args *args, pg_run_results *out, pg_arena *arena)
{
    pg_map by_runner = {0};
    pg_status status = NULL;
    for (size_t p = 0; p < args->paths.count && status == NULL; p++) {
        pg_run_results one = {0};
        status = pg_results_load(args->paths.items[p], &one);
        for (size_t r = 0; r < one.count; r++)
            for (size_t i = 0; i < one.items[r].count; i++)
                warn_other_names(reference_of(&by_runner, one.items[r].name, arena),
                                 &one.items[r].items[i].outputs, args->paths.items[p], i, arena);
        pg_results_concat(out, &one);
    }
    pg_map_deinit(&by_runner);
    return status;
}

static pg_status concat_results(const own_args *args, pg_arena *arena)
{
    pg_run_results results = {0};
    pg_status status = gather_results(args, &results, arena);
    if (status == NULL) {
        PG_LOG_INFO("Saving output file containing concatenated iteration(s) to %s", args->output);
        status = pg_results_save(args->output, &results);
    }
    pg_run_results_deinit(&results);
    return status;
}

/* ---- Which of the two ---- */

static pg_status kind_of_all(const own_args *args, pg_data_kind *out)
{
    for (size_t p = 0; p < args->paths.count; p++) {
        pg_data_kind kind;
        PG_TRY(pg_data_kind_of(args->paths.items[p], &kind));
        if (kind == PG_DATA_ACCURACY)
            return pg_err(PG_ERR_INVALID,
                          "'%s' holds accuracy results: only inputs and results of runs can be joined",
                          args->paths.items[p]);
        if (p > 0 && kind != *out)
            return pg_err(
                PG_ERR_INVALID,
                "Cannot concatenate input data with output data. Please provide files of the same type.");
        *out = kind;
    }
    return NULL;
}

static pg_status run(void *values, pg_arena *arena)
{
    const own_args *args = &((const concat_args *)values)->own;
    pg_data_kind kind = PG_DATA_INPUTS;
    PG_TRY(pg_file_check_writable(args->output));
    PG_TRY(kind_of_all(args, &kind));
    return kind == PG_DATA_INPUTS ? concat_inputs(args, arena) : concat_results(args, arena);
}

const pg_command pg_command_data_concat = {
    .name = "concat",
    .summary = "Join the iterations of several files of inputs, or of results.",
    .description =
        "The iterations of the second file follow those of the first, and so on; results are joined by "
        "the name of their runner. For example:\n"
        "\n"
        "  polygraphy data concat monday.json tuesday.json -o both.json",
    .examples = "polygraphy data concat in.json in.json -o both.json",
    .groups = groups,
    .n_groups = PG_COUNT(groups),
    .values_size = sizeof(concat_args),
    .run = run,
};
