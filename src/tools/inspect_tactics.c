#include "args/args.h"
#include "data/tactics.h"
#include "log/log.h"
#include "tools/tools.h"

typedef struct own_args {
    const char *path;
} own_args;

static const pg_option rows[] = {
    {"tactic_replay", PG_FIELD(own_args, path), .flags = PG_OPTION_PATH | PG_OPTION_REQUIRED,
     .help = "a tactic replay file, as --save-tactics writes them"},
};
static const pg_group group_own = {NULL, rows, PG_COUNT(rows)};

typedef struct tactics_args {
    pg_args_logging logging;
    own_args own;
} tactics_args;

static const pg_group_use groups[] = {
    {&pg_group_logging, offsetof(tactics_args, logging)},
    {&group_own, offsetof(tactics_args, own)},
};

static pg_status run(void *values, pg_arena *arena)
{
    const own_args *args = &((const tactics_args *)values)->own;
    pg_tactic_replay replay;
    pg_buf text = {0};
    PG_LOG_INFO("Loading tactic replay file from %s", args->path);
    PG_TRY(pg_tactics_load(args->path, arena, &replay));
    for (size_t i = 0; i < replay.count; i++) {
        pg_buf_printf(&text, "%sLayer: %" PG_STR_FMT "\n    Algorithm: ", i > 0 ? "\n" : "",
                      PG_STR_ARG(replay.items[i].layer));
        pg_tactic_text(&text, &replay.items[i]);
    }
    PG_LOG_INFO("%s", pg_buf_cstr(&text));
    pg_buf_deinit(&text);
    return NULL;
}

const pg_command pg_command_inspect_tactics = {
    .name = "tactics",
    .summary = "Print a tactic replay file.",
    .description = "Shows which kernel was chosen for each layer of an engine. TensorRT is not needed.",
    .examples = "polygraphy inspect tactics replay.json",
    .groups = groups,
    .n_groups = PG_COUNT(groups),
    .values_size = sizeof(tactics_args),
    .run = run,
};
