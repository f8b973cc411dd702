/* Manual pages from the option tables. */
#include <string.h>

#include "base/version.h"
#include "cli/exit.h"
#include "cli/help.h"

/* ---- Roff ---- */

/* Backslashes and hyphens are told from roff's own; a line must not start with a dot or an apostrophe. */
static void add_text(pg_buf *out, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        bool line_start = out->len == 0 || out->ptr[out->len - 1] == '\n';
        if (line_start && (*c == '.' || *c == '\''))
            pg_buf_puts(out, "\\&");
        if (*c == '\\')
            pg_buf_puts(out, "\\e");
        else if (*c == '-')
            pg_buf_puts(out, "\\-");
        else
            pg_buf_putc(out, *c);
    }
}

static void add_line(pg_buf *out, const char *text)
{
    add_text(out, text);
    pg_buf_putc(out, '\n');
}

/* Names of options bold, their words in italics. */
static void add_head(pg_buf *out, const pg_bound_option *option, pg_arena *arena)
{
    if (pg_option_is_positional(option->row)) {
        pg_buf_puts(out, "\\fI");
        add_text(out, pg_option_metavar(option->row, arena));
        pg_buf_puts(out, "\\fR\n");
        return;
    }
    for (size_t i = 0; i < option->n_names; i++) {
        pg_buf_puts(out, i > 0 ? ", \\fB" : "\\fB");
        add_text(out, pg_arena_cstr(arena, option->names[i]));
        pg_buf_puts(out, "\\fR");
    }
    pg_buf_puts(out, "\\fI");
    add_text(out, pg_help_words(option->row, arena));
    pg_buf_puts(out, "\\fR\n");
}

static void add_option(pg_buf *out, const pg_bound_option *option, pg_arena *arena)
{
    pg_buf text = {0};
    pg_help_add_text(&text, option);
    pg_buf_puts(out, ".TP\n");
    add_head(out, option, arena);
    add_line(out, pg_buf_cstr(&text));
    pg_buf_deinit(&text);
}

/* ---- Sections ---- */

static void add_options(pg_buf *out, const pg_command *command, pg_arena *arena)
{
    pg_bound_options options = pg_options_bind(command, NULL, arena);
    const pg_group *group = NULL;
    pg_buf_puts(out, ".SH OPTIONS\n.TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\nshow the options and exit\n");
    for (size_t i = 0; i < options.count; i++) {
        const pg_bound_option *option = &options.items[i];
        if ((option->row->flags & PG_OPTION_HIDDEN) != 0)
            continue;
        if (option->group != group && option->group->title != NULL) {
            pg_buf_puts(out, ".SS ");
            add_line(out, option->group->title);
            if (option->group->description != NULL)
                add_line(out, option->group->description);
        }
        group = option->group;
        add_option(out, option, arena);
    }
}

static void add_children(pg_buf *out, const pg_command *command, const char *page)
{
    if (command->children == NULL)
        return;
    pg_buf_puts(out, ".SH COMMANDS\n");
    for (const pg_command *const *child = command->children; *child != NULL; child++) {
        pg_buf_puts(out, ".TP\n\\fB");
        add_text(out, page);
        add_text(out, "-");
        add_text(out, (*child)->name);
        pg_buf_puts(out, "\\fR(1)\n");
        add_text(out, (*child)->summary);
        pg_buf_puts(out, (*child)->missing != NULL ? " [not available]\n" : "\n");
    }
}

static void add_examples(pg_buf *out, const char *examples)
{
    pg_str rest = pg_str_c(examples), line;
    if (examples == NULL)
        return;
    pg_buf_puts(out, ".SH EXAMPLES\n.nf\n");
    while (pg_str_split(&rest, '\n', &line)) {
        pg_buf text = {0};
        pg_buf_add_str(&text, line);
        add_line(out, pg_buf_cstr(&text));
        pg_buf_deinit(&text);
    }
    pg_buf_puts(out, ".fi\n");
}

static void add_exit_statuses(pg_buf *out)
{
    pg_buf_puts(out, ".SH EXIT STATUS\n");
#define ADD_ROW(name, number, text) pg_buf_printf(out, ".TP\n\\fB%d\\fR\n%s\n", number, text);
    PG_EXIT_TABLE(ADD_ROW)
#undef ADD_ROW
}

/* ---- Pages ---- */

static void add_page(pg_buf *out, const pg_command *command, const char *page, const char *program,
                     pg_arena *arena)
{
    pg_buf words = {0};
    pg_buf_puts(out, ".TH \"");
    for (const char *c = page; *c != '\0'; c++)
        pg_buf_putc(out, (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c));
    pg_buf_printf(out, "\" 1 \"\" \"polygraphy %s\" \"Polygraphy\"\n.SH NAME\n", PG_VERSION);
    add_text(out, page);
    pg_buf_puts(out, " \\- ");
    add_line(out, command->summary);
    pg_buf_puts(out, ".SH SYNOPSIS\n\\fB");
    add_text(out, program);
    pg_buf_puts(out, "\\fR ");
    pg_help_add_synopsis(&words, command, arena);
    add_line(out, pg_buf_cstr(&words));
    pg_buf_deinit(&words);
    if (command->description != NULL || command->missing != NULL) {
        pg_buf_puts(out, ".SH DESCRIPTION\n");
        if (command->description != NULL)
            add_line(out, command->description);
        if (command->missing != NULL)
            add_line(out,
                     pg_arena_printf(arena, "Not available in this version: it needs %s.", command->missing));
    }
    add_children(out, command, page);
    add_options(out, command, arena);
    add_examples(out, command->examples);
    add_exit_statuses(out);
    if (strcmp(page, "polygraphy") != 0)
        pg_buf_puts(out, ".SH SEE ALSO\n\\fBpolygraphy\\fR(1)\n");
}

typedef struct search {
    const char *wanted; /* NULL: list all */
    pg_buf *out;
    pg_arena *arena;
    bool found;
} search;

static void visit(search *s, const pg_command *command, const char *page, const char *program)
{
    if (s->wanted == NULL)
        pg_buf_printf(s->out, "%s\n", page);
    else if (strcmp(s->wanted, page) == 0) {
        s->found = true;
        add_page(s->out, command, page, program, s->arena);
    }
    for (const pg_command *const *child = command->children; child != NULL && *child != NULL; child++)
        visit(s, *child, pg_arena_printf(s->arena, "%s-%s", page, (*child)->name),
              pg_arena_printf(s->arena, "%s %s", program, (*child)->name));
}

pg_status pg_help_man(const pg_command *root, const char *page, pg_arena *arena)
{
    pg_buf out = {0};
    search s = {page, &out, arena, page == NULL};
    visit(&s, root, root->name, root->name);
    if (out.len > 0)
        fwrite(out.ptr, 1, out.len, stdout);
    pg_buf_deinit(&out);
    if (!s.found)
        return pg_err(PG_ERR_INVALID, "there is no manual page '%s'; '--dump-man' alone lists them", page);
    return NULL;
}
