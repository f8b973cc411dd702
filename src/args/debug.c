/* Options of the loops that debug: which runs count as failures, where their files go, how often to go round. */
#include "args/args.h"
#include "args/missing.h"

#define LOOP "the debugging loop"

static const pg_option check_rows[] = {
    {"--check --check-inference", .type = PG_ARG_LIST, .arity = PG_ARITY_REST, .missing = LOOP,
     .metavar = "COMMAND",
     .help =
         "the command that tells good from bad, with all words after it; without it the answer is asked for"},
    {"--fail-code --fail-returncode", .type = PG_ARG_LIST, .missing = LOOP, .exclusive = "fail code",
     .flags = PG_OPTION_INTEGERS, .help = "exit statuses that are failures; all others are successes"},
    {"--ignore-fail-code --ignore-fail-returncode", .type = PG_ARG_LIST, .missing = LOOP,
     .exclusive = "fail code", .flags = PG_OPTION_INTEGERS, .help = "exit statuses that are no failures"},
    {"--fail-regex", .type = PG_ARG_LIST, .missing = LOOP,
     .help = "regular expressions: the output of a failure matches one of them"},
    {"--show-output", .type = PG_ARG_FLAG, .missing = LOOP, .exclusive = "show output",
     .help = "print the command's output when it passes, too"},
    {"--hide-fail-output", .type = PG_ARG_FLAG, .missing = LOOP, .exclusive = "show output",
     .help = "do not print the command's output when it fails"},
};
const pg_group pg_group_debug_check = {"Pass/Fail Reporting", check_rows, PG_COUNT(check_rows)};

static const pg_option artifact_rows[] = {
    {"--artifacts", .type = PG_ARG_LIST, .missing = LOOP, .flags = PG_OPTION_PATH,
     .help = "files to move to a folder of good or bad ones after each round"},
    {"--art-dir --artifacts-dir", .type = PG_ARG_TEXT, .missing = LOOP, .flags = PG_OPTION_PATH,
     .default_text = "polygraphy_artifacts", .help = "where these folders are"},
};
const pg_group pg_group_debug_artifacts = {"Artifact Sorting", artifact_rows, PG_COUNT(artifact_rows)};

static const pg_option loop_rows[] = {
    {"--no-remove-intermediate", .type = PG_ARG_FLAG, .missing = LOOP, .help = "keep that file at the end"},
    {"--iter-info --iteration-info", .type = PG_ARG_TEXT, .missing = LOOP, .flags = PG_OPTION_PATH,
     .help = "write the number of the round to a JSON file"},
    {"--until --num-iterations", .type = PG_ARG_TEXT, .missing = LOOP, .flags = PG_OPTION_REQUIRED,
     .help =
         "when to stop: good (at the first success), bad (at the first failure), or after so many rounds"},
    {"--load-debug-replay", .type = PG_ARG_TEXT, .missing = LOOP, .flags = PG_OPTION_PATH,
     .help = "do not try again what a saved replay has judged"},
    {"--save-debug-replay", .type = PG_ARG_TEXT, .missing = LOOP, .flags = PG_OPTION_PATH,
     .default_text = "polygraphy_debug_replay.json", .help = "save what each round was judged to be"},
};
const pg_group pg_group_debug_loop = {"Iterative Debugging", loop_rows, PG_COUNT(loop_rows)};
