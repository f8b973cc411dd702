/* The option tables for other programs: a dump, and candidates for a shell's completion. */
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

static void dump_option(const pg_command *command, const char *path, const pg_bound_option *option,
                        pg_buf *out)
{
    const pg_option *row = option->row;
    char arity = (char)pg_option_arity(row);
    if (option->required && arity == PG_ARITY_OPTIONAL)
        arity = PG_ARITY_ONE;
    pg_buf_printf(out, "%s\t%s\t%s\t%s\t%.*s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", path, row->names,
                  type_name(row), row->default_text != NULL ? row->default_text : "", arity != '1', &arity,
                  row->choices != NULL ? row->choices : "", row->implied != NULL ? row->implied : "",
                  option->required ? "yes" : "", row->exclusive != NULL ? row->exclusive : "",
                  option->group->title != NULL ? option->group->title : "",
                  row->missing != NULL ? row->missing : "", option->ours ? "ours" : "",
                  row->deprecated != NULL ? row->deprecated : "", command->exact_names ? "exact" : "");
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
                "deprecated\tnames\n");
    dump_command(root, "", arena, &out);
    fwrite(out.ptr, 1, out.len, stdout);
    pg_buf_deinit(&out);
}

/* ---- Completion ---- */

static void offer(pg_buf *out, pg_str candidate, pg_str prefix)
{
    if (pg_str_starts(candidate, prefix))
        pg_buf_printf(out, "%" PG_STR_FMT "\n", PG_STR_ARG(candidate));
}

static const pg_bound_option *option_of(const pg_bound_options *options, const char *name)
{
    for (size_t i = 0; i < options->count; i++)
        for (size_t j = 0; j < options->items[i].n_names; j++)
            if (pg_str_is(options->items[i].names[j], name))
                return &options->items[i];
    return NULL;
}

static void offer_choices(const pg_option *row, pg_str prefix, pg_buf *out)
{
    pg_str rest = pg_str_c(row->choices), part;
    while (row->choices != NULL && pg_str_split(&rest, '|', &part))
        offer(out, part, prefix);
}

static void offer_options(const pg_bound_options *options, pg_str prefix, pg_buf *out)
{
    offer(out, PG_STR("--help"), prefix);
    for (size_t i = 0; i < options->count; i++)
        for (size_t j = 0; j < options->items[i].n_names; j++)
            if (!pg_option_is_positional(options->items[i].row) &&
                (options->items[i].row->flags & PG_OPTION_HIDDEN) == 0)
                offer(out, options->items[i].names[j], prefix);
}

void pg_help_complete(const pg_command *root, const char *const *words, size_t n_words, pg_arena *arena)
{
    const pg_command *command = root, *child;
    size_t last = n_words > 0 ? n_words - 1 : 0;
    pg_str prefix = n_words > 0 ? pg_str_c(words[last]) : PG_STR("");
    const char *option_word = NULL;
    for (size_t i = 0; i < last; i++) {
        if (words[i][0] == '-')
            option_word = words[i];
        else if ((child = pg_command_find_child(command, words[i])) != NULL) {
            command = child;
            option_word = NULL;
        }
    }
    pg_buf out = {0};
    pg_bound_options options = pg_options_bind(command, NULL, arena);
    const pg_bound_option *current = option_word != NULL ? option_of(&options, option_word) : NULL;
    if (pg_str_starts(prefix, PG_STR("-"))) {
        offer_options(&options, prefix, &out);
    } else if (current != NULL && pg_option_arity(current->row) != PG_ARITY_NONE) {
        offer_choices(current->row, prefix, &out);
    } else {
        for (const pg_command *const *c = command->children; c != NULL && *c != NULL; c++)
            offer(&out, pg_str_c((*c)->name), prefix);
    }
    if (out.len > 0)
        fwrite(out.ptr, 1, out.len, stdout);
    pg_buf_deinit(&out);
}

pg_status pg_help_completion_script(const char *shell)
{
    if (strcmp(shell, "bash") == 0)
        fputs("_polygraphy() {\n"
              "    local IFS=$'\\n'\n"
              "    COMPREPLY=($(\"${COMP_WORDS[0]}\" --complete \"${COMP_WORDS[@]:1:COMP_CWORD}\" "
              "2>/dev/null))\n"
              "}\n"
              "complete -o default -F _polygraphy polygraphy\n",
              stdout);
    else if (strcmp(shell, "zsh") == 0)
        fputs("#compdef polygraphy\n"
              "local -a found\n"
              "found=(${(f)\"$(${words[1]} --complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)\"})\n"
              "(( $#found )) && compadd -a found || _files\n",
              stdout);
    else if (strcmp(shell, "fish") == 0)
        fputs("complete -c polygraphy -a '(polygraphy --complete (commandline -opc)[2..-1] (commandline "
              "-ct))'\n",
              stdout);
    else
        return pg_err(PG_ERR_INVALID, "no completion for the shell '%s': bash, zsh and fish have one", shell);
    return NULL;
}
