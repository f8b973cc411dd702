/* `inspect diff-tactics`, and `debug diff-tactics` for two files. */
#include <string.h>

#include "args/args.h"
#include "base/map.h"
#include "base/vec.h"
#include "data/tactics.h"
#include "log/log.h"
#include "tensor/text.h"
#include "tools/tools.h"

/* ---- The choices of many replays, by layer ---- */

typedef PG_VEC(const char *) names;

typedef struct choices {
    pg_arena *arena;
    names paths;     /* of the replays that were read */
    pg_map by_layer; /* pg_map of the texts of the layer's choices */
} choices;

static void choices_deinit(choices *all)
{
    for (size_t i = 0; i < all->by_layer.len; i++)
        pg_map_deinit(all->by_layer.entries[i].value);
    pg_map_deinit(&all->by_layer);
    PG_VEC_FREE(&all->paths);
}

static void add_choice(choices *all, const pg_tactic *tactic)
{
    pg_buf text = {0};
    pg_map *of_layer = pg_map_find(&all->by_layer, tactic->layer);
    if (of_layer == NULL) {
        of_layer = PG_ARENA_NEW(all->arena, pg_map);
        pg_map_put(&all->by_layer, tactic->layer, of_layer);
    }
    pg_tactic_text(&text, tactic);
    if (!pg_map_has(of_layer, pg_buf_str(&text)))
        pg_map_put(of_layer, pg_arena_str(all->arena, pg_buf_str(&text)), NULL);
    pg_buf_deinit(&text);
}

/* Files that are no replays lie beside them as a rule: they are skipped. */
static void read_file(choices *all, const char *path)
{
    pg_tactic_replay replay;
    PG_LOG_INFO("Loading tactic replay file from %s", path);
    pg_status status = pg_tactics_load(path, all->arena, &replay);
    if (status != NULL) {
        PG_LOG_VERBOSE("%s does not look like a tactic replay file, skipping.", path);
        PG_LOG(PG_EXTRA_VERBOSE, "%s", pg_status_message(status));
        pg_status_drop(status);
        return;
    }
    PG_VEC_PUSH(&all->paths, path);
    for (size_t i = 0; i < replay.count; i++)
        add_choice(all, &replay.items[i]);
}

enum { MAX_FOLDER_DEPTH = 64 }; /* links may lead back up */

static pg_status read_path(choices *all, const char *path, int depth)
{
    char **entries;
    size_t count;
    if (!pg_path_is_dir(path)) {
        read_file(all, path);
        return NULL;
    }
    if (depth == MAX_FOLDER_DEPTH)
        return pg_err(PG_ERR_LIMIT, "'%s' is more than %d folders deep", path, MAX_FOLDER_DEPTH);
    PG_TRY(pg_path_list(path, all->arena, &entries, &count));
    for (size_t i = 0; i < count; i++)
        if (entries[i][0] != '.')
            PG_TRY(read_path(all, pg_path_join(all->arena, pg_str_c(path), pg_str_c(entries[i])), depth + 1));
    return NULL;
}

static pg_status read_side(choices *all, const char *path, const char *side, const char *title)
{
    if (!pg_path_exists(path))
        PG_LOG_WARNING("There is no file or folder '%s' to read %s tactic replays from.", path, side);
    PG_TRY(read_path(all, path, 0));
    PG_LOG_INFO("Loaded %zu %s tactic replays.", all->paths.len, side);
    if (PG_LOG_ENABLED(PG_VERBOSE)) {
        pg_buf list = {0};
        for (size_t i = 0; i < all->paths.len; i++) {
            pg_buf_puts(&list, i > 0 ? ", " : "");
            pg_text_quote(&list, pg_str_c(all->paths.items[i]));
        }
        PG_LOG_VERBOSE("%s tactic replays: [%s]", title, pg_buf_cstr(&list));
        pg_buf_deinit(&list);
    }
    return NULL;
}

/* The choices of a layer that the other side never made, as a list; false when there are none. */
static bool put_others(pg_buf *out, const pg_map *mine, const pg_map *theirs)
{
    size_t count = 0;
    pg_buf_putc(out, '[');
    for (size_t i = 0; i < mine->len; i++) {
        if (theirs != NULL && pg_map_has(theirs, mine->entries[i].key))
            continue;
        pg_buf_puts(out, count++ > 0 ? ", " : "");
        pg_text_quote(out, mine->entries[i].key);
    }
    pg_buf_putc(out, ']');
    return count > 0;
}

/* ---- inspect diff-tactics ---- */

typedef struct own_args {
    const char *dir, *good, *bad;
} own_args;

static const pg_option rows[] = {
    {"--dir", PG_FIELD(own_args, dir), .flags = PG_OPTION_PATH,
     .help = "folder that holds a folder 'good' and a folder 'bad' of tactic replay files, as `debug build` "
             "sorts them"},
    {"--good", PG_FIELD(own_args, good), .flags = PG_OPTION_PATH,
     .help = "a good tactic replay file, or a folder of them (default: 'good' in --dir)"},
    {"--bad", PG_FIELD(own_args, bad), .flags = PG_OPTION_PATH,
     .help = "a bad tactic replay file, or a folder of them (default: 'bad' in --dir)"},
};
static const pg_group group_own = {NULL, rows, PG_COUNT(rows)};

typedef struct diff_args {
    pg_args_logging logging;
    own_args own;
} diff_args;

static const pg_group_use groups[] = {
    {&pg_group_logging, offsetof(diff_args, logging)},
    {&group_own, offsetof(diff_args, own)},
};

static void report_bad(const choices *good, const choices *bad)
{
    size_t found = 0;
    for (size_t i = 0; i < bad->by_layer.len; i++) {
        const pg_map_entry *layer = &bad->by_layer.entries[i];
        pg_buf list = {0};
        if (put_others(&list, layer->value, pg_map_find(&good->by_layer, layer->key))) {
            if (found++ == 0)
                PG_LOG_INFO("Found potentially bad tactics:");
            PG_LOG_INFO("Layer: %" PG_STR_FMT "\n    Algorithms: %s", PG_STR_ARG(layer->key),
                        pg_buf_cstr(&list));
        }
        pg_buf_deinit(&list);
    }
    if (found == 0)
        PG_LOG_INFO("Could not determine potentially bad tactics. Try providing more tactic replay files if "
                    "possible.");
}

static pg_status run(void *values, pg_arena *arena)
{
    const own_args *args = &((const diff_args *)values)->own;
    pg_str dir = pg_str_c(args->dir != NULL ? args->dir : "");
    choices good = {.arena = arena}, bad = {.arena = arena};
    const char *good_path = args->good != NULL ? args->good
                            : dir.len > 0      ? pg_path_join(arena, dir, PG_STR("good"))
                                               : "good";
    const char *bad_path = args->bad != NULL ? args->bad
                           : dir.len > 0     ? pg_path_join(arena, dir, PG_STR("bad"))
                                             : "bad";
    pg_status status = read_side(&good, good_path, "good", "Good");
    if (status == NULL)
        status = read_side(&bad, bad_path, "bad", "Bad");
    if (status == NULL)
        report_bad(&good, &bad);
    choices_deinit(&good);
    choices_deinit(&bad);
    return status;
}

const pg_command pg_command_inspect_diff_tactics = {
    .name = "diff-tactics",
    .summary = "Find the tactics that only bad replays have.",
    .description =
        "Reads all tactic replay files of a good and of a bad folder and shows, layer by layer, what "
        "only the bad ones chose.",
    .examples = "polygraphy inspect diff-tactics --dir replays",
    .groups = groups,
    .n_groups = PG_COUNT(groups),
    .values_size = sizeof(diff_args),
    .run = run,
};

/* ---- debug diff-tactics A B ---- */

typedef struct pair_args {
    pg_arg_list paths;
} pair_args;

static const pg_option pair_rows[] = {
    {"replays", PG_FIELD(pair_args, paths), .arity = PG_ARITY_SOME,
     .flags = PG_OPTION_PATH | PG_OPTION_REQUIRED, .help = "two tactic replay files"},
};
static const pg_group group_pair = {NULL, pair_rows, PG_COUNT(pair_rows)};

typedef struct diff_pair_args {
    pg_args_logging logging;
    pair_args own;
} diff_pair_args;

static const pg_group_use pair_groups[] = {
    {&pg_group_logging, offsetof(diff_pair_args, logging)},
    {&group_pair, offsetof(diff_pair_args, own)},
};

static pg_status read_one(choices *all, const char *path)
{
    pg_tactic_replay replay;
    PG_TRY(pg_tactics_load(path, all->arena, &replay));
    for (size_t i = 0; i < replay.count; i++)
        add_choice(all, &replay.items[i]);
    return NULL;
}

static bool report_layer(const char *const *paths, pg_str layer, const choices *sides)
{
    static const pg_map nothing;
    const pg_map *of[2];
    pg_buf text = {0};
    bool differs = false;
    for (int s = 0; s < 2; s++) {
        of[s] = pg_map_find(&sides[s].by_layer, layer);
        of[s] = of[s] != NULL ? of[s] : &nothing;
    }
    for (int s = 0; s < 2; s++) {
        pg_buf list = {0};
        if (put_others(&list, of[s], of[1 - s])) {
            differs = true;
            pg_buf_printf(&text, "\n    Only in %s: %s", paths[s], pg_buf_cstr(&list));
        }
        pg_buf_deinit(&list);
    }
    if (differs)
        PG_LOG_INFO("Layer: %" PG_STR_FMT "%s", PG_STR_ARG(layer), pg_buf_cstr(&text));
    pg_buf_deinit(&text);
    return differs;
}

static pg_status run_pair(void *values, pg_arena *arena)
{
    const pg_arg_list *paths = &((const diff_pair_args *)values)->own.paths;
    choices sides[2] = {{.arena = arena}, {.arena = arena}};
    pg_status status = NULL;
    if (paths->count != 2)
        return pg_err(PG_ERR_INVALID, "two tactic replay files were expected, got %zu", paths->count);
    for (int s = 0; s < 2 && status == NULL; s++)
        status = read_one(&sides[s], paths->items[s]);
    if (status == NULL) {
        size_t found = 0;
        for (int s = 0; s < 2; s++)
            for (size_t i = 0; i < sides[s].by_layer.len; i++) {
                pg_str layer = sides[s].by_layer.entries[i].key;
                if (s == 0 || !pg_map_has(&sides[0].by_layer, layer))
                    found += report_layer(paths->items, layer, sides);
            }
        PG_LOG_INFO("%zu layer(s) differ in their tactics.", found);
    }
    choices_deinit(&sides[0]);
    choices_deinit(&sides[1]);
    return status;
}

const pg_command pg_command_debug_diff_tactics = {
    .name = "diff-tactics",
    .summary = "Compare the tactics of two replay files.",
    .description =
        "Shows, layer by layer, which tactics only one of two builds chose. `inspect diff-tactics` "
        "does the same for folders of good and bad builds.",
    .examples = "polygraphy debug diff-tactics replays/good/1.json replays/bad/1.json",
    .groups = pair_groups,
    .n_groups = PG_COUNT(pair_groups),
    .values_size = sizeof(diff_pair_args),
    .run = run_pair,
};
