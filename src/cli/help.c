#include "cli/help.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buf.h"

enum { HELP_COLUMN = 24, MIN_WIDTH = 40 };

static size_t page_width(void)
{
    const char *columns = getenv("COLUMNS");
    struct winsize size;
    int64_t width = 0;
    if (columns == NULL || !pg_str_to_i64(pg_str_c(columns), &width) || width <= 0)
        width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
    width -= 2;
    return width < MIN_WIDTH ? MIN_WIDTH : (size_t)width;
}

/* Adds words after *column, going to a new line at `indent` where they do not fit. */
static void add_wrapped(pg_buf *out, pg_str text, size_t indent, size_t *column)
{
    size_t width = page_width();
    pg_str word;
    bool first = true;
    while (pg_str_split(&text, ' ', &word)) {
        if (word.len == 0)
            continue;
        if (!first && *column + 1 + word.len > width) {
            pg_buf_putc(out, '\n');
            pg_buf_pad(out, ' ', indent);
            *column = indent;
        } else if (!first) {
            pg_buf_putc(out, ' ');
            ++*column;
        }
        pg_buf_add_str(out, word);
        *column += word.len;
        first = false;
    }
}

static void add_paragraphs(pg_buf *out, const char *text, size_t indent)
{
    pg_str rest = pg_str_c(text), line;
    while (pg_str_split(&rest, '\n', &line)) {
        size_t column = indent;
        if (line.len > 0) {
            pg_buf_pad(out, ' ', indent);
            if (line.ptr[0] == ' ')
                pg_buf_add_str(out, line); /* an example, as it is */
            else
                add_wrapped(out, line, indent, &column);
        }
        pg_buf_putc(out, '\n');
    }
}

/* ---- One option ---- */

static char *choices_text(const pg_option *row, pg_arena *arena)
{
    char *text = pg_arena_printf(arena, "{%s}", row->choices);
    for (char *c = text; *c != '\0'; c++)
        if (*c == '|')
            *c = ',';
    return text;
}

char *pg_help_words(const pg_option *row, pg_arena *arena)
{
    const char *word = row->choices != NULL ? choices_text(row, arena) : pg_option_metavar(row, arena);
    switch (pg_option_arity(row)) {
    case PG_ARITY_ONE:
        return pg_arena_printf(arena, " %s", word);
    case PG_ARITY_OPTIONAL:
        return pg_arena_printf(arena, " [%s]", word);
    case PG_ARITY_ANY:
        return pg_arena_printf(arena, " [%s ...]", word);
    case PG_ARITY_SOME:
        return pg_arena_printf(arena, " %s ...", word);
    case PG_ARITY_REST:
        return pg_arena_printf(arena, " ...");
    default:
        return pg_arena_printf(arena, "%s", "");
    }
}

void pg_help_add_head(pg_buf *out, const pg_bound_option *option, pg_arena *arena)
{
    if (pg_option_is_positional(option->row)) {
        pg_buf_puts(out, pg_option_metavar(option->row, arena));
        return;
    }
    const char *words = pg_help_words(option->row, arena);
    for (size_t i = 0; i < option->n_names; i++)
        pg_buf_printf(out, "%s%" PG_STR_FMT "%s", i > 0 ? ", " : "", PG_STR_ARG(option->names[i]),
                      i + 1 == option->n_names ? words : "");
}

static void add_entry(pg_buf *out, size_t indent, pg_str head, const char *help)
{
    size_t column = indent + head.len;
    pg_buf_pad(out, ' ', indent);
    pg_buf_add_str(out, head);
    if (help == NULL || help[0] == '\0') {
        pg_buf_putc(out, '\n');
        return;
    }
    if (column + 2 > HELP_COLUMN) {
        pg_buf_putc(out, '\n');
        column = 0;
    }
    pg_buf_pad(out, ' ', HELP_COLUMN - column);
    column = HELP_COLUMN;
    add_wrapped(out, pg_str_c(help), HELP_COLUMN, &column);
    pg_buf_putc(out, '\n');
}

void pg_help_add_text(pg_buf *out, const pg_bound_option *option)
{
    const pg_option *row = option->row;
    pg_buf_puts(out, row->help != NULL ? row->help : "");
    if (row->default_text != NULL)
        pg_buf_printf(out, " (default: %s)", row->default_text);
    if (option->required && !pg_option_is_positional(row))
        pg_buf_puts(out, " (required)");
    if (option->missing != NULL)
        pg_buf_printf(out, " [not available: needs %s]", option->missing);
    if (row->deprecated != NULL)
        pg_buf_printf(out, " [deprecated: use %s]", row->deprecated);
}

static void add_option(pg_buf *out, const pg_bound_option *option, pg_arena *arena)
{
    pg_buf head = {0}, help = {0};
    pg_help_add_head(&head, option, arena);
    pg_help_add_text(&help, option);
    add_entry(out, 2, pg_buf_str(&head), pg_buf_cstr(&help));
    pg_buf_deinit(&head);
    pg_buf_deinit(&help);
}

/* ---- Pages ---- */

void pg_help_add_synopsis(pg_buf *out, const pg_command *command, pg_arena *arena)
{
    pg_buf_puts(out, "[-h]");
    pg_bound_options options = pg_options_bind(command, NULL, arena);
    if (options.count > 0)
        pg_buf_puts(out, " [options]");
    for (size_t i = 0; i < options.count; i++) {
        const pg_bound_option *option = &options.items[i];
        if (!pg_option_is_positional(option->row) && option->required)
            pg_buf_printf(out, " %" PG_STR_FMT "%s", PG_STR_ARG(option->names[0]),
                          pg_help_words(option->row, arena));
    }
    for (size_t i = 0; i < options.count; i++) {
        const pg_bound_option *option = &options.items[i];
        if (pg_option_is_positional(option->row))
            pg_buf_printf(out, option->required ? " %s%s" : " [%s%s]", pg_option_metavar(option->row, arena),
                          pg_option_arity(option->row) == PG_ARITY_SOME ? " ..." : "");
    }
    if (command->children != NULL)
        pg_buf_puts(out, " command ...");
}

static void add_usage(pg_buf *out, const pg_command *command, const char *program, pg_arena *arena)
{
    size_t indent = strlen("usage: ") + strlen(program) + 1, column = indent;
    pg_buf words = {0};
    pg_help_add_synopsis(&words, command, arena);
    pg_buf_printf(out, "usage: %s ", program);
    add_wrapped(out, pg_buf_str(&words), indent, &column);
    pg_buf_putc(out, '\n');
    pg_buf_deinit(&words);
}

void pg_help_usage(FILE *out, const pg_command *command, const char *program, pg_arena *arena)
{
    pg_buf text = {0};
    add_usage(&text, command, program, arena);
    fwrite(text.ptr, 1, text.len, out);
    pg_buf_deinit(&text);
}

static void add_children(pg_buf *out, const pg_command *command)
{
    if (command->children == NULL)
        return;
    pg_buf_puts(out, "\ncommands:\n");
    for (const pg_command *const *child = command->children; *child != NULL; child++) {
        pg_buf help = {0};
        pg_buf_puts(&help, (*child)->summary);
        if ((*child)->missing != NULL)
            pg_buf_puts(&help, " [not available]");
        add_entry(out, 2, pg_str_c((*child)->name), pg_buf_cstr(&help));
        pg_buf_deinit(&help);
    }
}

static void add_examples(pg_buf *out, const char *examples)
{
    pg_str rest = pg_str_c(examples), line;
    while (pg_str_split(&rest, '\n', &line))
        pg_buf_printf(out, "  %" PG_STR_FMT "\n", PG_STR_ARG(line));
}

void pg_help_print(const pg_command *command, const char *program, pg_arena *arena)
{
    pg_buf out = {0};
    pg_bound_options options = pg_options_bind(command, NULL, arena);
    add_usage(&out, command, program, arena);
    pg_buf_putc(&out, '\n');
    add_paragraphs(&out, command->summary, 0);
    if (command->description != NULL) {
        pg_buf_putc(&out, '\n');
        add_paragraphs(&out, command->description, 0);
    }
    add_children(&out, command);
    pg_buf_puts(&out, "\noptions:\n");
    add_entry(&out, 2, PG_STR("-h, --help"), "show this text and exit");
    const pg_group *group = NULL;
    for (size_t i = 0; i < options.count; i++) {
        if ((options.items[i].row->flags & PG_OPTION_HIDDEN) != 0)
            continue;
        if (options.items[i].group != group && options.items[i].group->title != NULL) {
            pg_buf_printf(&out, "\n%s:\n", options.items[i].group->title);
            if (options.items[i].group->description != NULL)
                add_paragraphs(&out, options.items[i].group->description, 2);
        }
        group = options.items[i].group;
        add_option(&out, &options.items[i], arena);
    }
    if (command->examples != NULL) {
        pg_buf_puts(&out, "\nexamples:\n");
        add_examples(&out, command->examples);
    }
    fwrite(out.ptr, 1, out.len, stdout);
    fflush(stdout);
    pg_buf_deinit(&out);
}
