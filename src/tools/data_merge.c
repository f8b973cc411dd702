#include "args/args.h"
#include "base/vec.h"
#include "data/files.h"
#include "log/log.h"
#include "tools/tools.h"

typedef struct own_args {
    pg_arg_list paths;
    const char *output;
} own_args;

static const pg_option rows[] = {
    {"paths", PG_FIELD(own_args, paths), .arity = PG_ARITY_SOME, .flags = PG_OPTION_PATH | PG_OPTION_REQUIRED,
     .help = "files or folders of inputs or of results of runs; of results with several runners, later "
             "runners replace tensors of the same name"},
    {"-o --output", PG_FIELD(own_args, output), .flags = PG_OPTION_PATH | PG_OPTION_REQUIRED,
     .help = "where to write the inputs that hold the tensors of all of them"},
};
static const pg_group group_own = {NULL, rows, PG_COUNT(rows)};

typedef struct merge_args {
    pg_args_logging logging;
    own_args own;
} merge_args;

static const pg_group_use groups[] = {
    {&pg_group_logging, offsetof(merge_args, logging)},
    {&group_own, offsetof(merge_args, own)},
};

/* What tensors come from: a file of inputs, read as it goes, or one runner of a file of results. */
typedef struct source {
    const char *path;
    pg_inputs *inputs;               /* owned; NULL for a runner */
    const pg_runner_results *runner; /* of the list of loaded results */
} source;

typedef struct merge {
    const own_args *args;
    PG_VEC(source) sources;
    pg_run_results *results; /* by path */
    size_t iterations;       /* of the longest source */
} merge;

static void merge_deinit(merge *m)
{
    for (size_t i = 0; i < m->sources.len; i++)
        pg_inputs_close(m->sources.items[i].inputs);
    for (size_t p = 0; p < m->args->paths.count; p++)
        pg_run_results_deinit(&m->results[p]);
    PG_VEC_FREE(&m->sources);
}

static size_t source_count(const source *from)
{
    return from->inputs != NULL ? pg_inputs_count(from->inputs) : from->runner->count;
}

static void add_source(merge *m, source from)
{
    size_t count = source_count(&from);
    if (m->iterations > 0 && count != m->iterations)
        PG_LOG_WARNING("The provided files have different numbers of iterations.\nNote: Inputs currently "
                       "contains %zu iterations, but the data in %s contains %zu iterations. Some iterations "
                       "will contain incomplete data. ",
                       m->iterations, from.path, count);
    m->iterations = PG_MAX(m->iterations, count);
    PG_VEC_PUSH(&m->sources, from);
}

static pg_status open_path(merge *m, size_t p)
{
    source from = {.path = m->args->paths.items[p]};
    pg_data_kind kind;
    PG_TRY(pg_data_kind_of(from.path, &kind));
    if (kind == PG_DATA_ACCURACY)
        return pg_err(PG_ERR_INVALID,
                      "'%s' holds accuracy results: only inputs and results of runs can be joined",
                      from.path);
    if (kind == PG_DATA_INPUTS) {
        PG_TRY(pg_inputs_open(&from.path, 1, NULL, &from.inputs));
        add_source(m, from);
        return NULL;
    }
    PG_TRY(pg_results_load(from.path, &m->results[p]));
    for (size_t r = 0; r < m->results[p].count; r++) {
        from.runner = &m->results[p].items[r];
        add_source(m, from);
    }
    return NULL;
}

/* Moves the values of `from` into *into, replacing those of the same name. */
static void update(pg_feed *into, pg_feed *from, const char *path)
{
    for (size_t i = 0; i < from->count; i++) {
        pg_value *there = pg_feed_find(into, pg_str_c(from->items[i].name));
        if (there != NULL) {
            PG_LOG_ONCE(PG_WARNING,
                        "Overwriting input '%s' while merging data from %s. If you intended to concatenate "
                        "iterations, consider using `data concat` instead.",
                        from->items[i].name, path);
            pg_value_deinit(there);
            *there = from->items[i].value;
        } else {
            pg_feed_add(into, pg_str_c(from->items[i].name), from->items[i].value);
        }
        from->items[i].value = (pg_value){0};
    }
}

static pg_status merge_iteration(const merge *m, size_t index, pg_feed *out)
{
    for (size_t s = 0; s < m->sources.len; s++) {
        const source *from = &m->sources.items[s];
        pg_feed feed = {0};
        if (index >= source_count(from))
            continue;
        if (from->inputs != NULL)
            PG_TRY(pg_inputs_get(from->inputs, index, &feed));
        else
            feed = pg_feed_share(&from->runner->items[index].outputs);
        update(out, &feed, from->path);
        pg_feed_deinit(&feed);
    }
    return NULL;
}

static pg_status write_all(const merge *m)
{
    pg_inputs_writer *writer;
    PG_TRY(pg_inputs_create(m->args->output, &writer));
    for (size_t i = 0; i < m->iterations; i++) {
        pg_feed feed = {0};
        pg_status status = merge_iteration(m, i, &feed);
        if (status == NULL)
            status = pg_inputs_add(writer, &feed);
        pg_feed_deinit(&feed);
        if (status != NULL) {
            pg_inputs_abandon(writer);
            return status;
        }
    }
    PG_LOG_INFO("Saving input file containing %zu iteration(s) to %s", m->iterations, m->args->output);
    return pg_inputs_finish(writer);
}

static pg_status run(void *values, pg_arena *arena)
{
    merge m = {.args = &((const merge_args *)values)->own};
    m.results = PG_ARENA_ARRAY(arena, pg_run_results, m.args->paths.count);
    pg_status status = pg_file_check_writable(m.args->output);
    for (size_t p = 0; p < m.args->paths.count && status == NULL; p++)
        status = open_path(&m, p);
    if (status == NULL)
        status = write_all(&m);
    merge_deinit(&m);
    return status;
}

const pg_command pg_command_data_merge = {
    .name = "merge",
    .summary = "Join the tensors of several files, iteration by iteration, into one file of inputs.",
    .description =
        "The first iteration of the result holds the tensors of the first iteration of every file, and so "
        "on. What a run saved becomes input of the next one:\n"
        "\n"
        "  polygraphy data merge in.json out.json -o both.json\n"
        "  polygraphy run second.onnx --native --load-inputs both.json",
    .examples = "polygraphy data merge in.json out.json -o merged.json",
    .groups = groups,
    .n_groups = PG_COUNT(groups),
    .values_size = sizeof(merge_args),
    .run = run,
};
