/* Completion for shells: the program itself says what may come next. */
#include <string.h>

#include "base/buf.h"
#include "cli/help.h"
#include "cli/values.h"

static void offer(pg_buf *out, pg_str candidate, pg_str prefix)
{
    if (pg_str_starts(candidate, prefix))
        pg_buf_printf(out, "%" PG_STR_FMT "\n", PG_STR_ARG(candidate));
}

static const pg_bound_option *option_of(const pg_bound_options *options, pg_str name)
{
    for (size_t i = 0; i < options->count; i++)
        for (size_t j = 0; j < options->items[i].n_names; j++)
            if (pg_str_eq(options->items[i].names[j], name))
                return &options->items[i];
    return NULL;
}

/* `before` is what the shell already has of the word: "--show=". */
static void offer_choices(const pg_option *row, pg_str before, pg_str prefix, pg_buf *out)
{
    pg_str rest = pg_str_c(row->choices), part;
    while (row->choices != NULL && pg_str_split(&rest, '|', &part))
        if (pg_str_starts(part, prefix))
            pg_buf_printf(out, "%" PG_STR_FMT "%" PG_STR_FMT "\n", PG_STR_ARG(before), PG_STR_ARG(part));
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

/* The words before the last one, as far as they matter. */
typedef struct state {
    const pg_command *command;
    const pg_bound_option *open; /* the option that takes the next word; NULL: none does */
    size_t n_positionals;        /* words of the command itself so far */
    pg_bound_options options;
} state;

static void enter(state *s, const pg_command *command, pg_arena *arena)
{
    *s = (state){.command = command, .options = pg_options_bind(command, NULL, arena)};
}

static void take_word(state *s, const char *word, pg_arena *arena)
{
    const pg_command *child;
    if (strcmp(word, "=") == 0) /* where the shell cuts "--name=word" in three */
        return;
    if (word[0] == '-' && word[1] != '\0') {
        s->open = strchr(word, '=') == NULL ? option_of(&s->options, pg_str_c(word)) : NULL;
        if (s->open != NULL && pg_option_arity(s->open->row) == PG_ARITY_NONE)
            s->open = NULL;
    } else if (s->open != NULL) {
        pg_arity arity = pg_option_arity(s->open->row);
        if (arity == PG_ARITY_ONE || arity == PG_ARITY_OPTIONAL)
            s->open = NULL;
    } else if ((child = pg_command_find_child(s->command, word)) != NULL) {
        enter(s, child, arena);
    } else {
        s->n_positionals++;
    }
}

/* The positional that the next word belongs to; NULL when there is none left. */
static const pg_bound_option *next_positional(const state *s)
{
    size_t place = 0;
    for (size_t i = 0; i < s->options.count; i++) {
        const pg_bound_option *option = &s->options.items[i];
        if (!pg_option_is_positional(option->row))
            continue;
        pg_arity arity = pg_option_arity(option->row);
        if (place++ == s->n_positionals || arity == PG_ARITY_ANY || arity == PG_ARITY_SOME)
            return option;
    }
    return NULL;
}

bool pg_help_complete(const pg_command *root, const char *const *words, size_t n_words, pg_arena *arena)
{
    state s;
    pg_buf out = {0};
    pg_str last = n_words > 0 ? pg_str_c(words[n_words - 1]) : PG_STR(""), before = PG_STR("");
    enter(&s, root, arena);
    for (size_t i = 0; i + 1 < n_words; i++)
        take_word(&s, words[i], arena);
    const pg_bound_option *open = s.open;
    size_t equals = pg_str_find(last, '=');
    if (pg_str_is(last, "=")) {
        last = PG_STR("");
    } else if (pg_str_starts(last, PG_STR("--")) && equals != SIZE_MAX) {
        open = option_of(&s.options, pg_str_sub(last, 0, equals));
        before = pg_str_sub(last, 0, equals + 1);
        last = pg_str_sub(last, equals + 1, last.len);
    } else if (pg_str_starts(last, PG_STR("-"))) {
        offer_options(&s.options, last, &out);
        open = NULL;
    }
    if (open == NULL && out.len == 0) {
        for (const pg_command *const *c = s.command->children; c != NULL && *c != NULL; c++)
            offer(&out, pg_str_c((*c)->name), last);
        open = s.command->children == NULL ? next_positional(&s) : NULL;
    }
    if (open != NULL)
        offer_choices(open->row, before, last, &out);
    bool useful = out.len > 0 || (open != NULL && (open->row->flags & PG_OPTION_PATH) != 0);
    if (out.len > 0)
        fwrite(out.ptr, 1, out.len, stdout);
    pg_buf_deinit(&out);
    return useful;
}

static const char bash_script[] =
    "_polygraphy() {\n"
    "    local IFS=$'\\n' text\n"
    "    text=$(\"${COMP_WORDS[0]}\" --complete \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null) ||\n"
    "        compopt +o default 2>/dev/null\n"
    "    COMPREPLY=($text)\n"
    "}\n"
    "complete -o default -F _polygraphy polygraphy\n";

static const char zsh_script[] =
    "#compdef polygraphy\n"
    "_polygraphy() {\n"
    "    local text rc\n"
    "    local -a found\n"
    "    text=\"$(\"${words[1]}\" --complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)\"\n"
    "    rc=$?\n"
    "    found=(${(f)text})\n"
    "    if (( $#found )); then\n"
    "        compadd -a found\n"
    "    elif (( rc == 0 )); then\n"
    "        _files\n"
    "    fi\n"
    "}\n"
    "if [[ ${funcstack[1]} == _polygraphy ]]; then\n"
    "    _polygraphy \"$@\"\n"
    "else\n"
    "    compdef _polygraphy polygraphy\n"
    "fi\n";

static const char fish_script[] = "function __polygraphy_complete\n"
                                  "    set -l words (commandline -opc) (commandline -ct)\n"
                                  "    set -l found ($words[1] --complete $words[2..-1] 2>/dev/null)\n"
                                  "    set -l rc $status\n"
                                  "    if test (count $found) -gt 0\n"
                                  "        printf '%s\\n' $found\n"
                                  "    else if test $rc -eq 0\n"
                                  "        __fish_complete_path (commandline -ct)\n"
                                  "    end\n"
                                  "end\n"
                                  "complete -c polygraphy -f -a '(__polygraphy_complete)'\n";

pg_status pg_help_completion_script(const char *shell)
{
    static const struct {
        const char *shell, *script;
    } scripts[] = {{"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script}};
    for (size_t i = 0; i < PG_COUNT(scripts); i++)
        if (strcmp(shell, scripts[i].shell) == 0) {
            fputs(scripts[i].script, stdout);
            return NULL;
        }
    const char *names[PG_COUNT(scripts)];
    for (size_t i = 0; i < PG_COUNT(scripts); i++)
        names[i] = scripts[i].shell;
    return pg_value_not_one_of("--completion", pg_str_c(shell), names, PG_COUNT(names));
}
