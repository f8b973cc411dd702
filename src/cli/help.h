/* What the option tables say to people and to other programs. All of it goes to standard output unless said.
 */
#ifndef PG_CLI_HELP_H
#define PG_CLI_HELP_H

#include <stdio.h>

#include "cli/option.h"

/* `program` is the command's full name: "polygraphy inspect model". */
void pg_help_print(const pg_command *command, const char *program, pg_arena *arena);
/* "usage: ..." in at most a few lines. */
void pg_help_usage(FILE *out, const pg_command *command, const char *program, pg_arena *arena);
/* One line per option of every command below `root`, tab-separated, with a header line. */
void pg_help_dump(const pg_command *root, pg_arena *arena);
/* Candidates for the last of the words, one per line: commands, options or choices; nothing where a file is
 * expected. */
void pg_help_complete(const pg_command *root, const char *const *words, size_t n_words, pg_arena *arena);
/* A script for bash, zsh or fish that asks the program itself; PG_ERR_INVALID for another shell. */
PG_MUST_USE pg_status pg_help_completion_script(const char *shell);

const pg_command *pg_command_find_child(const pg_command *command, const char *name);
size_t pg_command_child_names(const pg_command *command, const char **out, size_t most);

#endif
