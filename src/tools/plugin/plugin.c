#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args/args.h"
#include "base/child.h"
#include "json/json.h"
#include "log/log.h"
#include "tools/plugin/internal.h"
#include "tools/tools.h"

typedef struct plugin_args {
    pg_args_logging logging;
    pg_args_model model;
    pg_args_onnx_shapes shapes;
    pg_args_onnx onnx;
    pg_args_data data;
    const char *folder, *output, *config;
    pg_arg_list include, exclude;
} plugin_args;

#define FOLDER_ROW                                                            \
    {                                                                         \
        "--plugin-dir", PG_FIELD(plugin_args, folder),                        \
            .flags = PG_OPTION_PATH | PG_OPTION_REQUIRED, .metavar = "DIR",   \
            .help = "folder with one folder per plugin, in each a pattern.py" \
    }
#define CHOICE_ROWS                                                                             \
    {"--include", PG_FIELD(plugin_args, include), .metavar = "NAME", .exclusive = "plugins",    \
     .help = "these plugins only"},                                                             \
    {                                                                                           \
        "--exclude", PG_FIELD(plugin_args, exclude), .metavar = "NAME", .exclusive = "plugins", \
                                                     .help = "not these plugins"                \
    }

static const pg_option list_rows[] = {FOLDER_ROW, CHOICE_ROWS};
static const pg_option match_rows[] = {
    FOLDER_ROW,
    CHOICE_ROWS,
    {"-o --output", PG_FIELD(plugin_args, output), .flags = PG_OPTION_PATH, .metavar = "FILE",
     .help = "where to write the matches (default: config.yaml beside the model)"},
};
static const pg_option replace_rows[] = {
    FOLDER_ROW,
    {"-o --output", PG_FIELD(plugin_args, output), .flags = PG_OPTION_PATH, .metavar = "FILE",
     .help = "where to save the model (default: replaced.onnx beside the model)"},
    {"--config", PG_FIELD(plugin_args, config), .flags = PG_OPTION_PATH, .metavar = "FILE",
     .help = "what 'plugin match' wrote (default: config.yaml beside the model)"},
};
static const pg_group list_group = {NULL, list_rows, PG_COUNT(list_rows)};
static const pg_group match_group = {NULL, match_rows, PG_COUNT(match_rows)};
static const pg_group replace_group = {NULL, replace_rows, PG_COUNT(replace_rows)};

/* Spellings of old documents are for older commands. */
static const char not_of_data[] = "--int-min --int-max --float-min --float-max --data-loader-func-name";
static const char not_of_onnx[] = "--mark-all --exclude-outputs";

#define GROUPS(own)                                                                           \
    {                                                                                         \
        {&pg_group_logging, offsetof(plugin_args, logging)},                                  \
            {&pg_group_model, offsetof(plugin_args, model), .required = "model_file"},        \
            {&pg_group_onnx_shapes, offsetof(plugin_args, shapes)},                           \
            {&pg_group_onnx, offsetof(plugin_args, onnx), .without = not_of_onnx},            \
            {&pg_group_data, offsetof(plugin_args, data), .without = not_of_data}, {&own, 0}, \
    }
static const pg_group_use list_groups[] = GROUPS(list_group);
static const pg_group_use match_groups[] = GROUPS(match_group);
static const pg_group_use replace_groups[] = GROUPS(replace_group);

/* ---- Which plugins ---- */

typedef struct names {
    const char **items;
    size_t count;
} names;

static bool lists(const pg_arg_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], name) == 0)
            return true;
    return false;
}

static bool holds(const names *all, const char *name)
{
    pg_arg_list list = {.items = all->items, .count = all->count};
    return lists(&list, name);
}

static pg_status check_known(const char *option, const pg_arg_list *list, const names *all,
                             const char *folder)
{
    for (size_t i = 0; i < list->count; i++)
        if (!holds(all, list->items[i]))
            return pg_err(PG_ERR_NOT_FOUND,
                          "option '%s': there is no plugin '%s' (a folder with a pattern.py) in '%s'", option,
                          list->items[i], folder);
    return NULL;
}

/* Sorted, so that the same folder gives the same file. */
static pg_status find_plugins(const plugin_args *args, pg_arena *arena, names *out)
{
    char **entries;
    size_t count;
    PG_TRY_CTX(pg_path_list(args->folder, arena, &entries, &count), "option '--plugin-dir'");
    names all = {PG_ARENA_ARRAY(arena, const char *, count + 1), 0};
    for (size_t i = 0; i < count; i++)
        if (pg_path_exists(pg_arena_printf(arena, "%s/%s/pattern.py", args->folder, entries[i])))
            all.items[all.count++] = entries[i];
    PG_TRY(check_known("--include", &args->include, &all, args->folder));
    PG_TRY(check_known("--exclude", &args->exclude, &all, args->folder));
    out->items = PG_ARENA_ARRAY(arena, const char *, count + 1);
    for (size_t i = 0; i < all.count; i++)
        if ((!args->include.set || lists(&args->include, all.items[i])) &&
            !lists(&args->exclude, all.items[i]))
            out->items[out->count++] = all.items[i];
    return NULL;
}

/* ---- The child ---- */

/* The active environment's Python. */
static const char *python(pg_arena *arena)
{
    const char *environment = getenv("VIRTUAL_ENV");
    bool active = environment != NULL && environment[0] != '\0';
    char *path = active ? pg_arena_printf(arena, "%s/bin/python3", environment) : NULL;
    return path != NULL && pg_path_exists(path) ? path : "python3";
}

/* One line of what the child says. */
static pg_status tell_line(const pg_json *root, pg_arena *arena, const char *mode, pg_buf *counts)
{
    pg_str plugin = PG_STR_EMPTY, missing = PG_STR_EMPTY, where = PG_STR_EMPTY;
    int64_t count = 0, of = 0;
    const pg_json *lacks = pg_json_find(root, "missing"), *name = pg_json_find(root, "plugin");
    const pg_json *executable = pg_json_find(root, "python"), *number = pg_json_find(root, "count");
    const pg_json *all = pg_json_find(root, "of");
    if (lacks != NULL && executable != NULL && pg_json_text(lacks, arena, &missing) &&
        pg_json_text(executable, arena, &where))
        return pg_err(
            PG_ERR_UNAVAILABLE,
            "patterns are Python code on graphs of onnx-graphsurgeon, and '%" PG_STR_FMT
            "' lacks the modules %" PG_STR_FMT
            ": install onnx, onnx-graphsurgeon and pyyaml there, or activate an environment that has them",
            PG_STR_ARG(where), PG_STR_ARG(missing));
    if (name == NULL || number == NULL || !pg_json_text(name, arena, &plugin) || !pg_json_i64(number, &count))
        return pg_err(PG_ERR_RUNTIME,
                      "the Python process answered something else than the matches of a plugin");
    if (strcmp(mode, "replace") != 0) {
        pg_buf_printf(counts, "%s'%" PG_STR_FMT "': %lld", counts->len > 0 ? ", " : "", PG_STR_ARG(plugin),
                      (long long)count);
        return NULL;
    }
    PG_LOG_INFO("replaced %lld instances of %" PG_STR_FMT " plugin", (long long)count, PG_STR_ARG(plugin));
    if (all != NULL && pg_json_i64(all, &of) && of != count)
        PG_LOG_WARNING("%lld of the %lld instances of '%" PG_STR_FMT "' were not replaced.",
                       (long long)(of - count), (long long)of, PG_STR_ARG(plugin));
    return NULL;
}

static pg_status tell_all(pg_str said, pg_arena *arena, const char *mode, pg_buf *counts)
{
    pg_str line;
    while (pg_str_split(&said, '\n', &line)) {
        pg_json root;
        if (line.len == 0)
            continue;
        PG_TRY(pg_json_parse(line.ptr, line.len, "the answer of the Python process", arena, &root));
        PG_TRY(tell_line(&root, arena, mode, counts));
    }
    return NULL;
}

/* The last line of a traceback says what happened. */
static pg_status failed(const char *program, const pg_child_result *result)
{
    pg_str text = pg_str_trim(pg_buf_str(&result->err));
    size_t last = pg_str_rfind(text, '\n');
    pg_str line = last == SIZE_MAX ? text : pg_str_sub(text, last + 1, text.len);
    if (result->signal != 0)
        return pg_err(PG_ERR_RUNTIME, "'%s', which runs the patterns, crashed with signal %d (%s)", program,
                      result->signal, strsignal(result->signal));
    return pg_err(PG_ERR_RUNTIME, "a pattern failed in '%s': %" PG_STR_FMT, program, PG_STR_ARG(line));
}

static pg_status run_helper(const char *mode, const plugin_args *args, const char *model,
                            const names *plugins, pg_arena *arena, pg_buf *counts)
{
    const char *program = python(arena);
    const char **argv = PG_ARENA_ARRAY(arena, const char *, plugins->count + 9);
    const char *fixed[] = {program,
                           "-c",
                           plugin_helper,
                           mode,
                           args->folder,
                           model,
                           args->output != NULL ? args->output : "",
                           args->config != NULL ? args->config : ""};
    memcpy(argv, fixed, sizeof fixed);
    for (size_t i = 0; i < plugins->count; i++)
        argv[PG_COUNT(fixed) + i] = plugins->items[i];
    pg_child_result result;
    PG_TRY_CTX(pg_child_run(argv, &result), "patterns of plugins are Python code");
    fwrite(pg_buf_cstr(&result.err), 1, result.err.len, stderr);
    pg_status status = tell_all(pg_buf_str(&result.out), arena, mode, counts);
    if (status == NULL && (result.signal != 0 || result.exit_code != 0))
        status = failed(program, &result);
    pg_child_result_deinit(&result);
    return status;
}

/* ---- The model that the child reads ---- */

/* The file itself, or a copy of what the options make of it in a folder of its own. */
static pg_status model_file(const plugin_args *args, pg_arena *arena, const char **out, char **out_folder)
{
    pg_model *model;
    *out = args->model.path;
    *out_folder = NULL;
    PG_TRY(pg_args_load_onnx(&args->model, &args->onnx, &args->shapes, false, &model));
    pg_status status = NULL;
    if (pg_model_is_modified(model) || args->onnx.external_data_dir != NULL) {
        const char *root = getenv("TMPDIR");
        char *folder = pg_arena_printf(arena, "%s/polygraphy-XXXXXX", root != NULL ? root : "/tmp");
        if (mkdtemp(folder) == NULL)
            status = pg_err(PG_ERR_IO, "could not create the folder '%s'", folder);
        else
            *out_folder = folder;
        *out = pg_arena_printf(arena, "%s/model.onnx", folder);
        if (status == NULL)
            status = pg_model_save(model, *out, NULL);
    }
    pg_model_unref(model);
    return status;
}

static void remove_copy(const char *folder)
{
    pg_arena arena = {0};
    char **entries;
    size_t count = 0;
    if (folder == NULL)
        return;
    pg_status status = pg_path_list(folder, &arena, &entries, &count);
    for (size_t i = 0; status == NULL && i < count; i++)
        unlink(pg_arena_printf(&arena, "%s/%s", folder, entries[i]));
    pg_status_drop(status);
    rmdir(folder);
    pg_arena_deinit(&arena);
}

/* ---- The commands ---- */

static char *beside_model(const plugin_args *args, const char *name, pg_arena *arena)
{
    char *path = pg_path_absolute(arena, pg_str_c(args->model.path));
    return pg_path_join(arena, pg_str_c(pg_path_dirname(arena, pg_str_c(path))), pg_str_c(name));
}

/* Patterns see no inputs. */
static void warn_idle(const plugin_args *args)
{
    for (size_t i = 0; i < pg_group_data.n_options; i++) {
        const pg_option *row = &pg_group_data.options[i];
        if (row->missing == NULL && pg_option_is_set(row, &args->data))
            PG_LOG_WARNING("Option: %s does nothing here: patterns are found in the model alone.",
                           row->names);
    }
    if (args->model.input_shapes_text.set)
        PG_LOG_WARNING(
            "Option: --input-shapes/--inputs does nothing here: the model keeps the shapes of its inputs.");
}

static pg_status work(const char *mode, const plugin_args *args, pg_arena *arena, pg_buf *counts)
{
    names plugins = {0};
    const char *model;
    char *copy;
    warn_idle(args);
    if (strcmp(mode, "replace") == 0 && !pg_path_is_dir(args->folder))
        return pg_err(PG_ERR_NOT_FOUND, "option '--plugin-dir': there is no folder '%s'", args->folder);
    if (strcmp(mode, "replace") != 0)
        PG_TRY(find_plugins(args, arena, &plugins));
    if (args->output != NULL)
        PG_TRY(pg_file_check_writable(args->output));
    for (size_t i = 0; i < plugins.count; i++)
        PG_LOG_INFO("checking %s in model", plugins.items[i]);
    pg_status status = model_file(args, arena, &model, &copy);
    if (status == NULL)
        status = run_helper(mode, args, model, &plugins, arena, counts);
    remove_copy(copy);
    return status;
}

static pg_status find(const char *mode, const plugin_args *args, pg_arena *arena)
{
    pg_buf counts = {0};
    pg_status status = work(mode, args, arena, &counts);
    if (status == NULL) {
        PG_LOG_INFO("the following plugins matched:");
        PG_LOG_INFO("{%s}", pg_buf_cstr(&counts));
    }
    pg_buf_deinit(&counts);
    return status;
}

static pg_status run_list(void *values, pg_arena *arena)
{
    return find("list", values, arena);
}

static pg_status run_match(void *values, pg_arena *arena)
{
    plugin_args *args = values;
    if (args->output == NULL)
        args->output = beside_model(args, "config.yaml", arena);
    PG_TRY(find("match", args, arena));
    PG_LOG_INFO("Matching subgraphs saved to %s", args->output);
    return NULL;
}

static pg_status run_replace(void *values, pg_arena *arena)
{
    plugin_args *args = values;
    pg_buf counts = {0};
    if (args->output == NULL)
        args->output = beside_model(args, "replaced.onnx", arena);
    if (args->config == NULL)
        args->config = beside_model(args, "config.yaml", arena);
    if (!pg_path_exists(args->config))
        return pg_err(PG_ERR_NOT_FOUND,
                      "there is no '%s': let 'plugin match' write it, or name it with --config",
                      args->config);
    pg_status status = work("replace", args, arena, &counts);
    pg_buf_deinit(&counts);
    return status;
}

#define PLUGIN(id, name_, summary_, description_, example, groups_, run_) \
    const pg_command id = {.name = name_,                                 \
                           .summary = summary_,                           \
                           .description = description_,                   \
                           .examples = example,                           \
                           .groups = groups_,                             \
                           .n_groups = PG_COUNT(groups_),                 \
                           .values_size = sizeof(plugin_args),            \
                           .run = run_}

PLUGIN(pg_command_plugin_list, "list", "Count plugin patterns in a model.",
       "Patterns are Python files that get a graph of onnx-graphsurgeon; they run in the active "
       "environment's python3.",
       "polygraphy plugin list model.onnx --plugin-dir plugins", list_groups, run_list);
PLUGIN(pg_command_plugin_match, "match", "Find plugin patterns in a model.",
       "What is found is written as config.yaml, for 'plugin replace' to read; it may be edited before.",
       "polygraphy plugin match model.onnx --plugin-dir plugins -o config.yaml", match_groups, run_match);
PLUGIN(pg_command_plugin_replace, "replace", "Replace plugin patterns in a model.",
       "Each instance in the configuration becomes one node, or what the pattern's own replace_with_plugin "
       "makes of it.",
       "polygraphy plugin replace model.onnx --plugin-dir plugins --config config.yaml -o replaced.onnx",
       replace_groups, run_replace);
