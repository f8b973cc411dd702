/* The option tables for other programs. */
#include <string.h>

#include "base/buf.h"
#include "cli/help.h"

const pg_command *pg_command_find_child(const pg_command *command, const char *name)
{
    for (const pg_command *const *child = command->children; child != NULL && *child != NULL; child++)
        if (strcmp((*child)->name, name) == 0)
            return *child;
    return NULL;
}

size_t pg_command_child_names(const pg_command *command, const char **out, size_t most)
{
    size_t count = 0;
    for (const pg_command *const *child = command->children; child != NULL && *child != NULL; child++)
        if (count < most)
            out[count++] = (*child)->name;
    return count;
}

/* ---- Dump ---- */

static const char *type_name(const pg_option *row)
{
    static const char *const names[] = {
        [PG_ARG_FLAG] = "bool",   [PG_ARG_COUNT] = "count", [PG_ARG_TEXT] = "str", [PG_ARG_INT] = "int",
        [PG_ARG_FLOAT] = "float", [PG_ARG_MAYBE] = "str",   [PG_ARG_LIST] = "str",
    };
    if (pg_option_arity(row) == PG_ARITY_NONE && row->type == PG_ARG_LIST)
        return "bool";
    return (row->flags & PG_OPTION_INTEGERS) != 0 ? "int" : names[row->type];
}

/* What else is known of the words. */
static const char *syntax_name(const pg_option *row)
{
    static const char *const names[] = {
        [PG_SYNTAX_ANY] = "",        [PG_SYNTAX_SHAPES] = "shapes",
        [PG_SYNTAX_BYTES] = "bytes", [PG_SYNTAX_NAMED_BYTES] = "named bytes",
        [PG_SYNTAX_NAMED] = "named", [PG_SYNTAX_SHARE] = "share",
    };
    return (row->flags & PG_OPTION_PATH) != 0 ? "path" : names[row->syntax];
}

static void dump_option(const pg_command *command, const char *path, const pg_bound_option *option,
                        pg_buf *out)
{
    const pg_option *row = option->row;
    char arity = (char)pg_option_arity(row);
    if (option->required && arity == PG_ARITY_OPTIONAL)
        arity = PG_ARITY_ONE;
    pg_buf_printf(out, "%s\t%s\t%s\t%s\t%.*s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", path, row->names,
                  type_name(row), row->default_text != NULL ? row->default_text : "", arity != '1', &arity,
                  row->choices != NULL ? row->choices : "", row->implied != NULL ? row->implied : "",
                  option->required ? "yes" : "", row->exclusive != NULL ? row->exclusive : "",
                  option->group->title != NULL ? option->group->title : "",
                  option->missing != NULL ? option->missing : "", option->ours ? "ours" : "",
                  row->deprecated != NULL ? row->deprecated : "", command->exact_names ? "exact" : "",
                  syntax_name(row));
}

static void dump_command(const pg_command *command, const char *path, pg_arena *arena, pg_buf *out)
{
    pg_bound_options options = pg_options_bind(command, NULL, arena);
    for (size_t i = 0; i < options.count; i++)
        dump_option(command, path[0] != '\0' ? path : "(root)", &options.items[i], out);
    for (const pg_command *const *child = command->children; child != NULL && *child != NULL; child++)
        dump_command(*child,
                     pg_arena_printf(arena, "%s%s%s", path, path[0] != '\0' ? " " : "", (*child)->name),
                     arena, out);
}

void pg_help_dump(const pg_command *root, pg_arena *arena)
{
    pg_buf out = {0};
    pg_buf_puts(&out,
                "tool\tflags\ttype\tdefault\tnargs\tchoices\tconst\trequired\tmutex\tgroup\tmissing\torigin\t"
                "deprecated\tnames\tsyntax\n");
    dump_command(root, "", arena, &out);
    fwrite(out.ptr, 1, out.len, stdout);
    pg_buf_deinit(&out);
}
