#include "cli/option.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "cli/values.h"
#include "log/log.h"

static bool names_contain(const char *list, pg_str name)
{
    pg_str rest = pg_str_c(list), part;
    while (list != NULL && pg_str_split(&rest, ' ', &part))
        if (pg_str_eq(part, name))
            return true;
    return false;
}

static void bind_row(const pg_group_use *use, const pg_option *row, void *values, pg_bound_options *out)
{
    pg_bound_option bound = {.row = row, .group = use->group};
    pg_str rest = pg_str_c(row->names), part;
    while (bound.n_names < PG_COUNT(bound.names) && pg_str_split(&rest, ' ', &part))
        bound.names[bound.n_names++] = part;
    if (names_contain(use->without, bound.names[0]))
        return;
    bound.required = (row->flags & PG_OPTION_REQUIRED) != 0 || names_contain(use->required, bound.names[0]);
    bound.ours = (row->flags & PG_OPTION_OURS) != 0 || names_contain(use->ours, bound.names[0]);
    bound.missing = use->as_words ? NULL : row->missing;
    if (values != NULL && row->missing == NULL && !use->as_words)
        bound.field = (char *)values + use->offset + row->offset;
    out->items[out->count++] = bound;
}

pg_bound_options pg_options_bind(const pg_command *command, void *values, pg_arena *arena)
{
    size_t total = 0;
    for (size_t i = 0; i < command->n_groups; i++)
        total += command->groups[i].group->n_options;
    pg_bound_options out = {.items = PG_ARENA_ARRAY(arena, pg_bound_option, total + 1)};
    for (size_t i = 0; i < command->n_groups; i++)
        for (size_t j = 0; j < command->groups[i].group->n_options; j++)
            bind_row(&command->groups[i], &command->groups[i].group->options[j], values, &out);
    return out;
}

bool pg_option_is_set(const pg_option *option, const void *values)
{
    const void *field = (const char *)values + option->offset;
    switch (option->type) {
    case PG_ARG_FLAG:
        return *(const bool *)field;
    case PG_ARG_COUNT:
        return *(const int *)field > 0;
    case PG_ARG_TEXT:
        return *(const char *const *)field != NULL;
    case PG_ARG_INT:
        return ((const pg_opt_int *)field)->set;
    case PG_ARG_FLOAT:
        return ((const pg_opt_float *)field)->set;
    case PG_ARG_MAYBE:
        return ((const pg_opt_text *)field)->set;
    case PG_ARG_LIST:
        return ((const pg_arg_list *)field)->set;
    }
    return false;
}

pg_arity pg_option_arity(const pg_option *option)
{
    if (option->arity != PG_ARITY_BY_TYPE)
        return option->arity;
    switch (option->type) {
    case PG_ARG_FLAG:
    case PG_ARG_COUNT:
        return PG_ARITY_NONE;
    case PG_ARG_MAYBE:
        return PG_ARITY_OPTIONAL;
    case PG_ARG_LIST:
        return PG_ARITY_SOME;
    default:
        return PG_ARITY_ONE;
    }
}

char *pg_option_label(const pg_option *option, pg_arena *arena)
{
    pg_str names = pg_str_c(option->names);
    char *label = pg_arena_cstr(arena, names);
    for (char *c = label; *c != '\0'; c++)
        if (*c == ' ')
            *c = '/';
    return label;
}

void pg_group_warn_idle(const pg_group *group, const void *values, const char *reason)
{
    pg_arena arena = {0};
    for (size_t i = 0; i < group->n_options; i++)
        if (group->options[i].missing == NULL && pg_option_is_set(&group->options[i], values))
            PG_LOG_WARNING("Option: %s does nothing here: %s.", pg_option_label(&group->options[i], &arena),
                           reason);
    pg_arena_deinit(&arena);
}

char *pg_option_metavar(const pg_option *option, pg_arena *arena)
{
    if (option->metavar != NULL)
        return pg_arena_cstr(arena, pg_str_c(option->metavar));
    pg_str rest = pg_str_c(option->names), part = PG_STR_EMPTY;
    while (pg_str_split(&rest, ' ', &part) && part.ptr[0] == '-' && !pg_str_starts(part, PG_STR("--")))
        continue;
    if (part.ptr[0] != '-')
        return pg_arena_cstr(arena, part);
    char *name = pg_arena_cstr(arena, pg_str_sub(part, 2, part.len));
    for (char *c = name; *c != '\0'; c++)
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
    return name;
}

static const char *name_of(const pg_bound_option *option, pg_arena *arena)
{
    return pg_arena_cstr(arena, option->used_as.len > 0 ? option->used_as : option->names[0]);
}

static pg_status check_bytes(const char *name, pg_str text)
{
    int64_t bytes;
    return pg_value_bytes(name, text, &bytes);
}

static pg_status check_share(const char *name, pg_str text)
{
    double percent;
    if (!pg_str_ends(text, PG_STR("%")))
        return check_bytes(name, text);
    if (pg_value_float(pg_str_sub(text, 0, text.len - 1), &percent) && percent >= 0 && percent <= 100)
        return NULL;
    return pg_err(PG_ERR_INVALID, "option '%s': '%" PG_STR_FMT "' is not a percentage from 0%% to 100%%",
                  name, PG_STR_ARG(text));
}

static pg_status check_named(const char *name, const char *word, bool bytes)
{
    pg_name_value part = pg_value_split(pg_str_c(word));
    if (part.name.len == 0 || part.value.len == 0)
        return pg_err(PG_ERR_INVALID, "option '%s': '%s' is not 'name:%s'", name, word,
                      bytes ? "size" : "value");
    return bytes ? check_bytes(name, part.value) : NULL;
}

static pg_status check_shapes(const char *name, const pg_bound_option *option, pg_arena *arena)
{
    pg_arg_list list = {true, (const char **)option->words, option->n_words};
    pg_name_shape *shapes;
    size_t count;
    return pg_values_shapes(name, &list, arena, &shapes, &count);
}

/* Whether the words are what the row's syntax says. */
static pg_status check_syntax(const pg_bound_option *option, const char *name, pg_arena *arena)
{
    pg_syntax syntax = option->row->syntax;
    if (syntax == PG_SYNTAX_SHAPES)
        return check_shapes(name, option, arena);
    for (size_t i = 0; i < option->n_words; i++) {
        const char *word = option->words[i];
        if (syntax == PG_SYNTAX_BYTES)
            PG_TRY(check_bytes(name, pg_str_c(word)));
        else if (syntax == PG_SYNTAX_SHARE)
            PG_TRY(check_share(name, pg_str_c(word)));
        else if (syntax == PG_SYNTAX_NAMED || syntax == PG_SYNTAX_NAMED_BYTES)
            PG_TRY(check_named(name, word, syntax == PG_SYNTAX_NAMED_BYTES));
    }
    return NULL;
}

/* Wrong words of every option come before the first option whose system is missing. A command that is missing as a
 * whole says so itself. */
static pg_status check_used(const pg_command *command, const pg_parse_result *parsed, pg_arena *arena)
{
    for (size_t i = 0; i < parsed->n_used; i++) {
        const char *name = name_of(parsed->used[i], arena);
        PG_TRY(check_syntax(parsed->used[i], name, arena));
        if (parsed->used[i]->row->deprecated != NULL)
            PG_LOG_WARNING("%s is deprecated: use %s instead.", name, parsed->used[i]->row->deprecated);
    }
    for (size_t i = 0; i < parsed->n_used && command->missing == NULL; i++)
        if (parsed->used[i]->missing != NULL)
            return pg_err(PG_ERR_UNSUPPORTED, "option '%s' is not available in this version: it needs %s",
                          name_of(parsed->used[i], arena), parsed->used[i]->missing);
    return NULL;
}

pg_status pg_options_finish(const pg_command *command, void *values, const pg_parse_result *parsed,
                            pg_arena *arena)
{
    PG_TRY(check_used(command, parsed, arena));
    for (size_t i = 0; i < command->n_groups; i++)
        if (command->groups[i].group->finish != NULL && !command->groups[i].as_words)
            PG_TRY(command->groups[i].group->finish((char *)values + command->groups[i].offset, arena));
    return NULL;
}

const char *pg_suggest(pg_str word, const char *const *candidates, size_t count)
{
    size_t limit = word.len < 4 ? 1 : word.len < 9 ? 2 : 3, best = limit + 1;
    const char *found = NULL;
    for (size_t i = 0; i < count; i++) {
        size_t distance = pg_str_distance(word, pg_str_c(candidates[i]), limit);
        if (distance < best) {
            best = distance;
            found = candidates[i];
        }
    }
    return found;
}

const char *pg_options_suggest(const pg_command *command, const char *word, pg_arena *arena)
{
    pg_bound_options options = pg_options_bind(command, NULL, arena);
    pg_str text = pg_str_c(word);
    const char **names =
        PG_ARENA_ARRAY(arena, const char *, options.count *PG_COUNT(options.items->names) + 1);
    size_t count = 0;
    if (!pg_str_starts(text, PG_STR("-")))
        return NULL;
    for (size_t i = 0; i < options.count; i++)
        for (size_t j = 0; j < options.items[i].n_names; j++)
            if (options.items[i].names[j].len > 2 && !pg_option_is_positional(options.items[i].row))
                names[count++] = pg_arena_cstr(arena, options.items[i].names[j]);
    return pg_suggest(pg_str_sub(text, 0, pg_str_find(text, '=')), names, count);
}
