/* What the option tables say to people and to other programs. All of it goes to standard output unless said.
 */
#ifndef PG_CLI_HELP_H
#define PG_CLI_HELP_H

#include <stdio.h>

#include "base/buf.h"
#include "cli/option.h"

/* `program` is the command's full name: "polygraphy inspect model". */
void pg_help_print(const pg_command *command, const char *program, pg_arena *arena);
/* "usage: ..." in at most a few lines. */
void pg_help_usage(FILE *out, const pg_command *command, const char *program, pg_arena *arena);
/* One line per option of every command below `root`, tab-separated, with a header line. */
void pg_help_dump(const pg_command *root, pg_arena *arena);
/* Candidates for the last of the words, one per line: commands, options or choices; none where a file is
 * expected. False when there are none because the user has to think of something. */
bool pg_help_complete(const pg_command *root, const char *const *words, size_t n_words, pg_arena *arena);
/* A script for bash, zsh or fish that asks the program itself; PG_ERR_INVALID for another shell. */
PG_MUST_USE pg_status pg_help_completion_script(const char *shell);

/* ---- The same for documents (man.c, markdown.c) ---- */

/* The manual page "polygraphy-inspect-model" in roff; without a name, the names of all pages, one per line.
 * PG_ERR_INVALID for another name. */
PG_MUST_USE pg_status pg_help_man(const pg_command *root, const char *page, pg_arena *arena);
/* The reference of all options in Markdown: each group once, with the commands that have it. */
void pg_help_markdown(const pg_command *root, pg_arena *arena);

/* ---- Pieces ---- */

/* The words after the option's name, with a blank before them: " [PATH ...]". */
char *pg_help_words(const pg_option *row, pg_arena *arena);
/* "-o, --output PATH". */
void pg_help_add_head(pg_buf *out, const pg_bound_option *option, pg_arena *arena);
/* What it does, its default, and what it lacks. */
void pg_help_add_text(pg_buf *out, const pg_bound_option *option);
/* "[-h] [options] model_file". */
void pg_help_add_synopsis(pg_buf *out, const pg_command *command, pg_arena *arena);

const pg_command *pg_command_find_child(const pg_command *command, const char *name);
size_t pg_command_child_names(const pg_command *command, const char **out, size_t most);

#endif
