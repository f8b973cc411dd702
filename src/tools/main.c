#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/interrupt.h"
#include "base/version.h"
#include "cli/help.h"
#include "log/log.h"
#include "tools/tools.h"

enum { MAX_CHILDREN = 32 };

/* The command line on its way to a leaf command. */
typedef struct invocation {
    const pg_command *command;
    const char *program; /* "polygraphy inspect model" */
    const char **words;
    size_t n_words;
    const char *whole; /* as typed, for the bracket lines */
    pg_arena *arena;
    bool done; /* answered by the root or a help text */
} invocation;

static char *join(int argc, char **argv, pg_arena *arena)
{
    pg_buf text = {0};
    for (int i = 0; i < argc; i++)
        pg_buf_printf(&text, "%s%s", i > 0 ? " " : "", argv[i]);
    char *joined = pg_arena_cstr(arena, pg_buf_str(&text));
    pg_buf_deinit(&text);
    return joined;
}

static const char *command_line = "";

const char *pg_tools_command_line(void)
{
    return command_line;
}

/* ---- What the root itself answers ---- */

static pg_status answer_root(invocation *in, const pg_root_args *args)
{
    if (args->version) {
        printf("Polygraphy | Version: %s | Compatible with: %s\n", PG_VERSION, PG_PEER_VERSION);
    } else if (args->dump_options) {
        pg_help_dump(&pg_command_root, in->arena);
    } else if (args->dump_markdown) {
        pg_help_markdown(&pg_command_root, in->arena);
    } else if (args->dump_man.set) {
        PG_TRY(pg_help_man(&pg_command_root, args->dump_man.text, in->arena));
    } else if (args->complete.set) {
        if (!pg_help_complete(&pg_command_root, args->complete.items, args->complete.count, in->arena))
            return pg_err(PG_ERR_FAILED, "no file is expected");
    } else if (args->completion.set) {
        PG_TRY(pg_help_completion_script(args->completion.text));
    } else {
        return NULL;
    }
    in->done = true;
    return NULL;
}

static void print_exit_statuses(void)
{
    puts("\nexit statuses:");
#define PRINT_ROW(name, number, text) printf("  %-5d %s\n", number, text);
    PG_EXIT_TABLE(PRINT_ROW)
#undef PRINT_ROW
}

static void answer_help(invocation *in)
{
    pg_help_print(in->command, in->program, in->arena);
    if (in->command == &pg_command_root)
        print_exit_statuses();
    in->done = true;
}

/* ---- From the root to the leaf ---- */

static pg_status no_such_child(const pg_command *command, const char *word)
{
    const char *names[MAX_CHILDREN];
    size_t count = pg_command_child_names(command, names, PG_COUNT(names));
    const char *near = pg_suggest(pg_str_c(word), names, count);
    pg_buf list = {0};
    for (size_t i = 0; i < count; i++)
        pg_buf_printf(&list, "%s'%s'", i > 0 ? ", " : "", names[i]);
    pg_status status =
        pg_err(PG_ERR_USAGE, "argument %s: invalid choice: '%s' (choose from %s)%s%s%s",
               command == &pg_command_root ? "tools" : "subtool", word, pg_buf_cstr(&list),
               near != NULL ? "; did you mean '" : "", near != NULL ? near : "", near != NULL ? "'?" : "");
    pg_buf_deinit(&list);
    return status;
}

/* Goes one level down: the words before the child's name are handed to the child, who knows them too. */
static pg_status descend(invocation *in)
{
    const pg_command *command = in->command;
    pg_parse_result parsed;
    size_t index;
    void *values = pg_arena_alloc(in->arena, 1, command->values_size);
    PG_TRY(pg_options_find_child(command, in->words, in->n_words, values, in->arena, &index, &parsed));
    if (parsed.help) {
        answer_help(in);
        return NULL;
    }
    if (command == &pg_command_root) {
        PG_TRY(answer_root(in, values));
        if (in->done)
            return NULL;
    }
    if (index == in->n_words)
        return pg_err(PG_ERR_USAGE, "the following arguments are required: %s",
                      command == &pg_command_root ? "tools" : "subtool");
    const pg_command *child = pg_command_find_child(command, in->words[index]);
    if (child == NULL)
        return no_such_child(command, in->words[index]);
    const char **words = PG_ARENA_ARRAY(in->arena, const char *, in->n_words);
    size_t n = 0;
    for (size_t i = 0; i < in->n_words; i++)
        if (i != index)
            words[n++] = in->words[i];
    *in = (invocation){
        child, pg_arena_printf(in->arena, "%s %s", in->program, child->name), words, n, in->whole, in->arena};
    return NULL;
}

/* ---- The leaf ---- */

/* Scripts look for the first line; the suggestions follow below it. */
static pg_status report_unrecognized(const invocation *in, const pg_parse_result *parsed)
{
    pg_buf text = {0};
    for (size_t i = 0; i < parsed->n_unrecognized; i++)
        pg_buf_printf(&text, "%s'%s'", i > 0 ? ", " : "", parsed->unrecognized[i]);
    pg_buf_puts(&text, "]");
    for (size_t i = 0; i < parsed->n_unrecognized; i++) {
        const char *near = pg_options_suggest(in->command, parsed->unrecognized[i], in->arena);
        if (near != NULL)
            pg_buf_printf(&text, "\nDid you mean '%s' instead of '%s'?", near, parsed->unrecognized[i]);
    }
    PG_LOG_ERROR("Unrecognized Options: [%s", pg_buf_cstr(&text));
    pg_buf_deinit(&text);
    return pg_err(PG_ERR_FAILED, "unrecognized options");
}

static pg_status run_bracketed(const invocation *in, void *values)
{
    uint64_t started = pg_clock_ns();
    PG_LOG(PG_START, "RUNNING | Command: %s", in->whole);
    pg_status status = in->command->run(values, in->arena);
    if (status != NULL && pg_status_code(status) != PG_ERR_FAILED) {
        PG_LOG(PG_CRITICAL, "%s", pg_status_message(status));
        pg_code code = pg_status_code(status);
        pg_status_drop(status);
        status = pg_err(code == PG_ERR_INTERRUPTED ? code : PG_ERR_FAILED, "already printed");
    }
    PG_LOG(status == NULL ? PG_FINISH : PG_ERROR, "%s | Runtime: %.3fs | Command: %s",
           status == NULL ? "PASSED" : "FAILED", pg_clock_seconds_since(started), in->whole);
    return status;
}

static pg_status missing_command(const invocation *in)
{
    return pg_err(PG_ERR_UNSUPPORTED, "'%s' is not available in this version: it needs %s", in->program,
                  in->command->missing);
}

static pg_status run_leaf(invocation *in)
{
    const pg_command *command = in->command;
    pg_parse_result parsed;
    void *values = pg_arena_alloc(in->arena, 1, command->values_size);
    PG_TRY(pg_options_parse(command, in->words, in->n_words, values, in->arena, &parsed));
    if (parsed.help) {
        answer_help(in);
        return NULL;
    }
    if (command->missing != NULL && command->n_groups == 0)
        return missing_command(in);
    if (parsed.n_unrecognized > 0)
        return report_unrecognized(in, &parsed);
    PG_TRY(pg_options_finish(command, values, &parsed, in->arena));
    if (command->missing != NULL)
        return missing_command(in);
    if (command->prepare != NULL)
        command->prepare(values);
    if (command->write != NULL)
        return command->write(values, &parsed, in->arena);
    bool bare = command->bare != NULL && command->bare(values);
    return command->brackets && !bare ? run_bracketed(in, values) : command->run(values, in->arena);
}

/* ---- The end ---- */

static pg_exit conclude(const invocation *in, pg_status status)
{
    pg_exit code = PG_EXIT_FAILED;
    switch (pg_status_code(status)) {
    case PG_OK:
        code = PG_EXIT_PASSED;
        break;
    case PG_ERR_USAGE:
        pg_help_usage(stderr, in->command, in->program, in->arena);
        fprintf(stderr, "%s: error: %s\n", in->program, pg_status_message(status));
        code = PG_EXIT_USAGE;
        break;
    case PG_ERR_FAILED: /* already told */
        break;
    case PG_ERR_INTERRUPTED:
        code = PG_EXIT_INTERRUPTED;
        break;
    default:
        PG_LOG(PG_CRITICAL, "%s", pg_status_message(status));
    }
    pg_status_drop(status);
    return code;
}

pg_exit pg_tools_main(int argc, char **argv)
{
    pg_arena arena = {0};
    pg_status status = NULL;
    invocation in = {.command = &pg_command_root, .program = "polygraphy", .arena = &arena};
    pg_interrupt_install();
    in.whole = command_line = join(argc, argv, &arena);
    in.words = PG_ARENA_ARRAY(&arena, const char *, (size_t)argc + 1);
    for (int i = 1; i < argc; i++)
        in.words[in.n_words++] = argv[i];
    while (status == NULL && !in.done && in.command->children != NULL)
        status = descend(&in);
    if (status == NULL && !in.done)
        status = run_leaf(&in);
    pg_exit code = conclude(&in, status);
    if (fflush(stdout) != 0 && code == PG_EXIT_PASSED)
        code = PG_EXIT_FAILED;
    pg_log_close();
    command_line = "";
    pg_arena_deinit(&arena);
    return code;
}
