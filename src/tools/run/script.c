#include "tools/python.h"
#include "tools/run/script.h"

/* ---- What can be expressed ---- */

/* Whether a language knows an option by any of its names. */
static bool names_it(const run_language *language, const pg_bound_option *option)
{
    pg_str rest = pg_str_c(language->options), part;
    while (pg_str_split(&rest, ' ', &part))
        for (size_t i = 0; i < option->n_names; i++)
            if (pg_str_eq(part, option->names[i]))
                return true;
    return false;
}

/* Options of one list without words of their own, as the runners are. */
static bool is_list_entry(const pg_option *row)
{
    return (row->flags & PG_OPTION_APPEND) != 0 && pg_option_arity(row) == PG_ARITY_NONE;
}

/* ... or knows another option that fills the same field. */
static bool expresses(const run_language *language, const pg_bound_options *options,
                      const pg_bound_option *option)
{
    bool known = names_it(language, option);
    for (size_t i = 0; !known && i < options->count; i++)
        known = options->items[i].field == option->field && !is_list_entry(option->row) &&
                names_it(language, &options->items[i]);
    return known;
}

/* A list entry is given when the list has its name. */
static bool is_given(const pg_bound_option *option)
{
    const pg_option *row = option->row;
    if (option->field == NULL)
        return false; /* this version lacks it: an error of its own */
    if (!pg_option_is_set(row, (const char *)option->field - row->offset))
        return false;
    if (!is_list_entry(row))
        return true;
    const pg_arg_list *list = option->field;
    for (size_t i = 0; i < list->count; i++)
        for (size_t n = 0; n < option->n_names; n++)
            if (pg_str_is(pg_str_sub(option->names[n], 2, option->names[n].len), list->items[i]))
                return true;
    return false;
}

static pg_status check(const pg_command *command, run_args *args, const run_language *language,
                       pg_arena *arena)
{
    const run_language *other = language == &run_language_c ? &run_language_python : &run_language_c;
    pg_bound_options options = pg_options_bind(command, args, arena);
    for (size_t i = 0; i < options.count; i++) {
        const pg_bound_option *option = &options.items[i];
        if (!is_given(option) || expresses(language, &options, option))
            continue;
        bool elsewhere = expresses(other, &options, option);
        return pg_err(PG_ERR_UNSUPPORTED, "option '%s' cannot be expressed in %s: leave it out%s%s",
                      pg_option_label(option->row, arena), language->name, elsewhere ? ", or write " : "",
                      elsewhere ? other->name : "");
    }
    return NULL;
}

pg_status run_script(const pg_command *command, run_args *args, pg_arena *arena)
{
    const char *path = args->script.path;
    bool is_c = pg_str_is(pg_path_extension(pg_str_c(path)), ".c");
    const run_language *language = is_c ? &run_language_c : &run_language_python;
    pg_buf text = {0};
    PG_TRY(check(command, args, language, arena));
    pg_status status = language->write(args, arena, &text);
    if (status == NULL)
        status = pg_python_write(path, &text, !is_c);
    pg_buf_deinit(&text);
    return status;
}
