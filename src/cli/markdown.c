/* The reference of all options: each group once, since most commands share theirs. */
#include <string.h>

#include "base/vec.h"
#include "cli/help.h"

/* A command that can be used, and its rows. */
typedef struct entry {
    const char *name; /* "inspect model" */
    const pg_command *command;
    pg_bound_options options;
} entry;

typedef struct reference {
    pg_arena *arena;
    pg_buf *out;
    PG_VEC(entry) entries;
    PG_VEC(const pg_group *) groups; /* in order of their first use */
} reference;

static void collect(reference *ref, const pg_command *command, const char *name)
{
    if (command->missing == NULL && (command->children == NULL || name[0] == '\0'))
        PG_VEC_PUSH(&ref->entries, ((entry){name, command, pg_options_bind(command, NULL, ref->arena)}));
    for (const pg_command *const *child = command->children; child != NULL && *child != NULL; child++)
        collect(ref, *child,
                pg_arena_printf(ref->arena, "%s%s%s", name, name[0] != '\0' ? " " : "", (*child)->name));
}

static bool has_group(const entry *one, const pg_group *group)
{
    for (size_t i = 0; i < one->options.count; i++)
        if (one->options.items[i].group == group)
            return true;
    return false;
}

static const pg_bound_option *find_row(const entry *one, const pg_option *row)
{
    for (size_t i = 0; i < one->options.count; i++)
        if (one->options.items[i].row == row)
            return &one->options.items[i];
    return NULL;
}

static void list_groups(reference *ref)
{
    for (size_t e = 0; e < ref->entries.len; e++)
        for (size_t i = 0; i < ref->entries.items[e].options.count; i++) {
            const pg_group *group = ref->entries.items[e].options.items[i].group;
            bool known = false;
            for (size_t g = 0; g < ref->groups.len; g++)
                known = known || ref->groups.items[g] == group;
            if (!known)
                PG_VEC_PUSH(&ref->groups, group);
        }
}

/* ---- Markdown ---- */

/* In a cell of a table: bars and angle brackets would be markup. */
static void add_text(pg_buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("|<>*_`", *text) != NULL)
            pg_buf_putc(out, '\\');
        pg_buf_putc(out, *text == '\n' ? ' ' : *text);
    }
}

/* Between backquotes only the bar means something in a table. */
static void add_code(pg_buf *out, const char *text)
{
    pg_buf_putc(out, '`');
    for (; *text != '\0'; text++) {
        if (*text == '|')
            pg_buf_putc(out, '\\');
        pg_buf_putc(out, *text);
    }
    pg_buf_putc(out, '`');
}

static const char *title_of(const reference *ref, const pg_group *group)
{
    if (group->title != NULL)
        return group->title;
    for (size_t e = 0; e < ref->entries.len; e++)
        if (has_group(&ref->entries.items[e], group))
            return ref->entries.items[e].name[0] != '\0'
                       ? pg_arena_printf(ref->arena, "Options of `%s`", ref->entries.items[e].name)
                       : "Options before the command";
    return "";
}

static void add_commands_with(reference *ref, const pg_group *group, const pg_option *row)
{
    bool first = true;
    for (size_t e = 0; e < ref->entries.len; e++) {
        const entry *one = &ref->entries.items[e];
        if (row != NULL ? find_row(one, row) == NULL : !has_group(one, group))
            continue;
        pg_buf_printf(ref->out, "%s`%s`", first ? "" : ", ", one->name[0] != '\0' ? one->name : "polygraphy");
        first = false;
    }
}

static bool only_some_have(const reference *ref, const pg_group *group, const pg_option *row)
{
    for (size_t e = 0; e < ref->entries.len; e++)
        if (has_group(&ref->entries.items[e], group) && find_row(&ref->entries.items[e], row) == NULL)
            return true;
    return false;
}

static void add_row(reference *ref, const pg_group *group, const pg_option *row)
{
    const pg_bound_option *option = NULL;
    pg_buf head = {0}, text = {0};
    for (size_t e = 0; e < ref->entries.len && option == NULL; e++)
        option = find_row(&ref->entries.items[e], row);
    if (option == NULL)
        return;
    pg_help_add_head(&head, option, ref->arena);
    pg_help_add_text(&text, option);
    pg_buf_puts(ref->out, "| ");
    add_code(ref->out, pg_buf_cstr(&head));
    pg_buf_puts(ref->out, " | ");
    add_text(ref->out, pg_buf_cstr(&text));
    if (only_some_have(ref, group, row)) {
        pg_buf_puts(ref->out, text.len > 0 ? "; only " : "only ");
        add_commands_with(ref, group, row);
    }
    pg_buf_puts(ref->out, " |\n");
    pg_buf_deinit(&head);
    pg_buf_deinit(&text);
}

static void add_group(reference *ref, const pg_group *group)
{
    pg_buf_printf(ref->out, "\n## %s\n\nIn ", title_of(ref, group));
    add_commands_with(ref, group, NULL);
    pg_buf_puts(ref->out, ".\n");
    if (group->description != NULL)
        pg_buf_printf(ref->out, "\n%s\n", group->description);
    pg_buf_puts(ref->out, "\n| option | what it does |\n| --- | --- |\n");
    for (size_t i = 0; i < group->n_options; i++)
        if ((group->options[i].flags & PG_OPTION_HIDDEN) == 0)
            add_row(ref, group, &group->options[i]);
}

static void add_commands(reference *ref)
{
    pg_buf_puts(ref->out, "| command | what it does |\n| --- | --- |\n");
    for (size_t e = 0; e < ref->entries.len; e++) {
        const entry *one = &ref->entries.items[e];
        if (one->name[0] == '\0')
            continue;
        pg_buf_printf(ref->out, "| `%s` | ", one->name);
        add_text(ref->out, one->command->summary);
        pg_buf_puts(ref->out, " |\n");
    }
}

static void add_examples(reference *ref)
{
    pg_buf_puts(ref->out, "\n## Examples\n\n```\n");
    for (size_t e = 0; e < ref->entries.len; e++)
        if (ref->entries.items[e].command->examples != NULL)
            pg_buf_printf(ref->out, "%s\n", ref->entries.items[e].command->examples);
    pg_buf_puts(ref->out, "```\n");
}

void pg_help_markdown(const pg_command *root, pg_arena *arena)
{
    pg_buf out = {0};
    reference ref = {.arena = arena, .out = &out};
    collect(&ref, root, "");
    list_groups(&ref);
    pg_buf_puts(&out, "# Options\n\nMade from the option tables of the program by `make docs`; `polygraphy "
                      "COMMAND --help` and the manual "
                      "pages say the\nsame. Every command takes `-h`, `--help`. Long names may be shortened "
                      "while they stay unique; "
                      "`_` means `-`.\n\n");
    add_commands(&ref);
    for (size_t g = 0; g < ref.groups.len; g++)
        add_group(&ref, ref.groups.items[g]);
    add_examples(&ref);
    fwrite(out.ptr, 1, out.len, stdout);
    PG_VEC_FREE(&ref.entries);
    PG_VEC_FREE(&ref.groups);
    pg_buf_deinit(&out);
}
