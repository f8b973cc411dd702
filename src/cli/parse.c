/* argparse's algorithm: words are first classified as options or arguments, then consumed from left to right,
 * positionals as early as they can be filled. */
#include <string.h>

#include "base/buf.h"
#include "base/vec.h"
#include "cli/option.h"
#include "cli/values.h"

/* What a word is: an argument, an option, or the "--" that ends options. */
typedef enum word_kind { WORD_ARGUMENT, WORD_OPTION, WORD_END } word_kind;

typedef struct word {
    word_kind kind;
    const char *text;
    pg_bound_option *option; /* NULL for an option that no row has */
    bool is_help;
    pg_str spelling;      /* of the option, without "=..." */
    const char *explicit; /* the text glued to the option; NULL without */
} word;

typedef struct parser {
    pg_bound_options options;
    word *words;
    size_t n_words;
    pg_arena *arena;
    pg_parse_result *result;
    bool *seen; /* per option */
    bool exact_names;
    PG_VEC(const char *) unrecognized;
    PG_VEC(const pg_bound_option *) used;
    PG_VEC(pg_option_use) uses;
    size_t next_positional;
} parser;

static bool is_negative_number(const char *text)
{
    double value;
    return text[0] == '-' && ((text[1] >= '0' && text[1] <= '9') || text[1] == '.') &&
           pg_str_to_f64(pg_str_c(text), &value);
}

/* ---- Which option a word is ---- */

static const pg_str help_names[] = {{"-h", 2}, {"--help", 6}};

static pg_bound_option *find_exact(const parser *p, pg_str name, bool *out_help)
{
    for (size_t i = 0; i < PG_COUNT(help_names); i++)
        if (pg_str_eq(name, help_names[i]))
            *out_help = true;
    for (size_t i = 0; i < p->options.count; i++)
        for (size_t j = 0; j < p->options.items[i].n_names; j++)
            if (pg_str_eq(p->options.items[i].names[j], name) &&
                !pg_option_is_positional(p->options.items[i].row))
                return &p->options.items[i];
    return NULL;
}

typedef struct match {
    pg_bound_option *option;
    pg_str spelling;
} match;
typedef PG_VEC(match) match_list;

static bool is_choice(const pg_option *row, const char *value)
{
    pg_str rest = pg_str_c(row->choices), part;
    while (row->choices != NULL && pg_str_split(&rest, '|', &part))
        if (pg_str_is(part, value))
            return true;
    return false;
}

static void add_prefix_matches(const parser *p, pg_str prefix, bool ours, match_list *out)
{
    if (!ours && pg_str_starts(help_names[1], prefix))
        *PG_VEC_ADD(out) = (match){NULL, help_names[1]};
    for (size_t i = 0; i < p->options.count; i++) {
        pg_bound_option *option = &p->options.items[i];
        if (pg_option_is_positional(option->row) || option->ours != ours)
            continue;
        for (size_t j = 0; j < option->n_names; j++)
            if (pg_str_starts(option->names[j], prefix))
                *PG_VEC_ADD(out) = (match){option, option->names[j]};
    }
}

/* As argparse, every spelling counts: two names of one option make a prefix ambiguous. */
static pg_status find_prefix(const parser *p, const char *text, pg_str prefix, word *out)
{
    match_list matches = {0};
    pg_status status = NULL;
    if (p->exact_names)
        return NULL;
    add_prefix_matches(p, prefix, false, &matches);
    if (matches.len == 0)
        add_prefix_matches(p, prefix, true, &matches);
    if (matches.len > 1) {
        pg_buf names = {0};
        for (size_t i = 0; i < matches.len; i++)
            pg_buf_printf(&names, "%s%" PG_STR_FMT, i > 0 ? ", " : "", PG_STR_ARG(matches.items[i].spelling));
        status = pg_err(PG_ERR_USAGE, "ambiguous option: %s could match %s", text, pg_buf_cstr(&names));
        pg_buf_deinit(&names);
    } else if (matches.len == 1) {
        out->option = matches.items[0].option;
        out->is_help = out->option == NULL;
        out->spelling = matches.items[0].spelling;
    }
    PG_VEC_FREE(&matches);
    return status;
}

/* The peer's option that an option of ours hides, being what the peer's may be shortened to: with a word that is
 * none of ours but one of its own, the peer's is meant. NULL if there is none. */
static pg_bound_option *find_hidden(const parser *p, const pg_bound_option *ours, const word *w)
{
    const char *value = w->explicit != NULL ? w->explicit : w < p->words + p->n_words - 1 ? w[1].text : NULL;
    match_list matches = {0};
    if (ours == NULL || !ours->ours || ours->row->choices == NULL || value == NULL ||
        is_choice(ours->row, value))
        return NULL;
    add_prefix_matches(p, w->spelling, false, &matches);
    pg_bound_option *hidden =
        matches.len == 1 && matches.items[0].option != NULL && is_choice(matches.items[0].option->row, value)
            ? matches.items[0].option
            : NULL;
    PG_VEC_FREE(&matches);
    return hidden;
}

static pg_status classify_long(const parser *p, word *out)
{
    pg_str text = pg_str_c(out->text);
    size_t equals = pg_str_find(text, '=');
    pg_str name = pg_str_sub(text, 0, equals);
    char *dashed = pg_arena_cstr(p->arena, name);
    for (char *c = dashed + 2; *c != '\0'; c++)
        if (*c == '_')
            *c = '-';
    out->spelling = pg_str_c(dashed);
    out->option = find_exact(p, out->spelling, &out->is_help);
    if (out->option == NULL && !out->is_help)
        PG_TRY(find_prefix(p, out->text, out->spelling, out));
    if ((out->option != NULL || out->is_help) && equals != SIZE_MAX)
        out->explicit = text.ptr + equals + 1;
    pg_bound_option *hidden = find_hidden(p, out->option, out);
    if (hidden != NULL)
        out->option = hidden;
    return NULL;
}

static void classify_short(const parser *p, word *out)
{
    pg_str text = pg_str_c(out->text);
    out->spelling = text;
    out->option = find_exact(p, text, &out->is_help);
    if (out->option != NULL || out->is_help)
        return;
    out->spelling = pg_str_sub(text, 0, 2);
    out->option = find_exact(p, out->spelling, &out->is_help);
    if (out->option != NULL || out->is_help)
        out->explicit = text.ptr + 2;
}

static pg_status classify(const parser *p, word *out)
{
    const char *text = out->text;
    if (text[0] != '-' || text[1] == '\0')
        return NULL;
    if (text[1] == '-')
        PG_TRY(classify_long(p, out));
    else
        classify_short(p, out);
    bool known = out->option != NULL || out->is_help;
    if (known || !(is_negative_number(text) || strchr(text, ' ') != NULL))
        out->kind = WORD_OPTION;
    return NULL;
}

static pg_status classify_all(parser *p, const char *const *words, size_t n_words)
{
    p->words = PG_ARENA_ARRAY(p->arena, word, n_words + 1);
    p->n_words = n_words;
    bool ended = false;
    for (size_t i = 0; i < n_words; i++)
        p->words[i].text = words[i];
    for (size_t i = 0; i < n_words; i++) {
        if (ended)
            continue;
        if (strcmp(words[i], "--") == 0) {
            p->words[i].kind = WORD_END;
            ended = true;
        } else {
            PG_TRY(classify(p, &p->words[i]));
        }
    }
    return NULL;
}

/* ---- Storing ---- */

static pg_status check_choice(const parser *p, const pg_bound_option *option, const char *value)
{
    const char *names[32];
    size_t count = 0;
    if (is_choice(option->row, value) ||
        ((option->row->flags & PG_OPTION_NAMED_TOO) != 0 && strchr(value, ':') != NULL))
        return NULL;
    pg_str rest = pg_str_c(option->row->choices), part;
    pg_buf list = {0};
    while (count < PG_COUNT(names) && pg_str_split(&rest, '|', &part)) {
        pg_buf_printf(&list, "%s'%" PG_STR_FMT "'", count > 0 ? ", " : "", PG_STR_ARG(part));
        names[count++] = pg_arena_cstr(p->arena, part);
    }
    const char *near = pg_suggest(pg_str_c(value), names, count);
    pg_status status =
        pg_err(PG_ERR_USAGE, "argument %s: invalid choice: '%s' (choose from %s)%s%s%s",
               pg_option_label(option->row, p->arena), value, pg_buf_cstr(&list),
               near != NULL ? "; did you mean '" : "", near != NULL ? near : "", near != NULL ? "'?" : "");
    pg_buf_deinit(&list);
    return status;
}

static pg_status check_word(const parser *p, const pg_bound_option *option, const char *value)
{
    int64_t integer;
    double number;
    bool is_integer = option->row->type == PG_ARG_INT || (option->row->flags & PG_OPTION_INTEGERS) != 0;
    if (is_integer && !pg_value_int(pg_str_c(value), &integer))
        return pg_err(PG_ERR_USAGE, "argument %s: invalid int value: '%s'",
                      pg_option_label(option->row, p->arena), value);
    if (option->row->type == PG_ARG_FLOAT && !pg_value_float(pg_str_c(value), &number))
        return pg_err(PG_ERR_USAGE, "argument %s: invalid float value: '%s'",
                      pg_option_label(option->row, p->arena), value);
    if ((option->row->flags & PG_OPTION_PATH) != 0 && value[0] == '\0')
        return pg_err(PG_ERR_USAGE, "argument %s: the path is empty", pg_option_label(option->row, p->arena));
    return option->row->choices != NULL ? check_choice(p, option, value) : NULL;
}

static void store_list(const parser *p, const pg_bound_option *option, const char *const *values,
                       size_t count)
{
    pg_arg_list *list = option->field;
    bool append = (option->row->flags & PG_OPTION_APPEND) != 0;
    size_t kept = append ? list->count : 0;
    const char *own_name = option->names[0].ptr + 2;
    bool adds_name = pg_option_arity(option->row) == PG_ARITY_NONE;
    if (adds_name)
        own_name = pg_arena_cstr(p->arena, pg_str_sub(option->names[0], 2, option->names[0].len));
    size_t added = adds_name ? 1 : count;
    const char **items = PG_ARENA_ARRAY(p->arena, const char *, kept + added + 1);
    for (size_t i = 0; i < kept; i++)
        items[i] = list->items[i];
    for (size_t i = 0; i < added; i++)
        items[kept + i] = adds_name ? own_name : values[i];
    size_t uses = append ? list->n_uses : 0;
    size_t *starts = PG_ARENA_ARRAY(p->arena, size_t, uses + 1);
    for (size_t i = 0; i < uses; i++)
        starts[i] = list->starts[i];
    starts[uses] = kept;
    *list = (pg_arg_list){true, items, kept + added, starts, uses + 1};
}

static void store(const parser *p, const pg_bound_option *option, const char *const *values, size_t count)
{
    const char *first = count > 0 ? values[0] : NULL;
    switch (option->row->type) {
    case PG_ARG_FLAG:
        *(bool *)option->field = true;
        break;
    case PG_ARG_COUNT:
        ++*(int *)option->field;
        break;
    case PG_ARG_TEXT:
        *(const char **)option->field = first;
        break;
    case PG_ARG_INT: {
        pg_opt_int *field = option->field;
        field->set = pg_value_int(pg_str_c(first), &field->value);
        break;
    }
    case PG_ARG_FLOAT: {
        pg_opt_float *field = option->field;
        field->set = pg_value_float(pg_str_c(first), &field->value);
        break;
    }
    case PG_ARG_MAYBE:
        *(pg_opt_text *)option->field = (pg_opt_text){true, first != NULL ? first : option->row->implied};
        break;
    case PG_ARG_LIST:
        store_list(p, option, values, count);
        break;
    }
}

static pg_status check_exclusive(const parser *p, const pg_bound_option *option)
{
    if (option->row->exclusive == NULL)
        return NULL;
    for (size_t i = 0; i < p->options.count; i++) {
        const pg_bound_option *other = &p->options.items[i];
        if (other != option && p->seen[i] && other->row->exclusive != NULL &&
            strcmp(other->row->exclusive, option->row->exclusive) == 0)
            return pg_err(PG_ERR_USAGE, "argument %s: not allowed with argument %s",
                          pg_option_label(option->row, p->arena), pg_option_label(other->row, p->arena));
    }
    return NULL;
}

static pg_status take(parser *p, pg_bound_option *option, const char *const *values, size_t count)
{
    size_t index = (size_t)(option - p->options.items);
    for (size_t i = 0; i < count; i++)
        PG_TRY(check_word(p, option, values[i]));
    if (pg_option_is_positional(option->row) && count == 0 && option->row->type == PG_ARG_TEXT)
        return NULL;
    PG_TRY(check_exclusive(p, option));
    bool again = p->seen[index];
    if (!again)
        PG_VEC_PUSH(&p->used, option);
    p->seen[index] = true;
    option->words = values;
    PG_VEC_PUSH(&p->uses, ((pg_option_use){option, values, count}));
    option->n_words = count;
    if (option->field != NULL && !(again && (option->row->flags & PG_OPTION_FIRST_WINS) != 0))
        store(p, option, values, count);
    return NULL;
}

/* ---- Consuming ---- */

static size_t count_arguments(const parser *p, size_t start)
{
    size_t end = start;
    while (end < p->n_words && p->words[end].kind == WORD_ARGUMENT)
        end++;
    return end - start;
}

/* How many of the following arguments the option takes. */
static pg_status count_taken(const parser *p, const pg_bound_option *option, size_t start, size_t *out)
{
    size_t available = count_arguments(p, start);
    const char *wanted = NULL;
    switch (pg_option_arity(option->row)) {
    case PG_ARITY_ONE:
        *out = 1;
        wanted = available < 1 ? "expected one argument" : NULL;
        break;
    case PG_ARITY_OPTIONAL:
        *out = PG_MIN(available, 1);
        break;
    case PG_ARITY_ANY:
        *out = available;
        break;
    case PG_ARITY_SOME:
        *out = available;
        wanted = available < 1 ? "expected at least one argument" : NULL;
        break;
    case PG_ARITY_REST:
        *out = p->n_words - start;
        break;
    default:
        *out = 0;
    }
    if (wanted != NULL)
        return pg_err(PG_ERR_USAGE, "argument %s: %s", pg_option_label(option->row, p->arena), wanted);
    return NULL;
}

static pg_status take_words(parser *p, pg_bound_option *option, size_t start, size_t count)
{
    const char **values = PG_ARENA_ARRAY(p->arena, const char *, count + 1);
    for (size_t i = 0; i < count; i++)
        values[i] = p->words[start + i].text;
    return take(p, option, values, count);
}

/* "-vvq" and "-ofile": flags one by one until one takes a word. */
static pg_status take_explicit(parser *p, const word *w)
{
    pg_bound_option *option = w->option;
    const char *rest = w->explicit;
    pg_str spelling = w->spelling;
    while (pg_option_arity(option->row) == PG_ARITY_NONE) {
        if (spelling.len > 2 || rest[0] == '\0')
            return pg_err(PG_ERR_USAGE, "argument %s: ignored explicit argument '%s'",
                          pg_option_label(option->row, p->arena), rest);
        PG_TRY(take(p, option, NULL, 0));
        char name[3] = {'-', rest[0], '\0'};
        bool help = false;
        pg_bound_option *next = find_exact(p, pg_str_c(name), &help);
        if (help) {
            p->result->help = true;
            return NULL;
        }
        if (next == NULL)
            return pg_err(PG_ERR_USAGE, "argument %s: ignored explicit argument '%s'",
                          pg_option_label(option->row, p->arena), rest);
        option = next;
        rest++;
        if (rest[0] == '\0')
            return pg_option_arity(option->row) == PG_ARITY_ONE ||
                           pg_option_arity(option->row) == PG_ARITY_SOME
                       ? pg_err(PG_ERR_USAGE, "argument %s: expected one argument",
                                pg_option_label(option->row, p->arena))
                       : take(p, option, NULL, 0);
    }
    const char **values = PG_ARENA_ARRAY(p->arena, const char *, 1);
    values[0] = rest;
    return take(p, option, values, 1);
}

static pg_status consume_option(parser *p, size_t *position)
{
    const word *w = &p->words[*position];
    ++*position;
    if (w->is_help) {
        p->result->help = true;
        return NULL;
    }
    if (w->option == NULL) {
        PG_VEC_PUSH(&p->unrecognized, w->text);
        return NULL;
    }
    if (w->option->used_as.len == 0)
        w->option->used_as = w->spelling;
    if (w->explicit != NULL)
        return take_explicit(p, w);
    size_t count;
    PG_TRY(count_taken(p, w->option, *position, &count));
    PG_TRY(take_words(p, w->option, *position, count));
    *position += count;
    return NULL;
}

static pg_bound_option *positional_at(const parser *p, size_t index)
{
    for (size_t i = 0; i < p->options.count; i++)
        if (pg_option_is_positional(p->options.items[i].row) && index-- == 0)
            return &p->options.items[i];
    return NULL;
}

static size_t least(const pg_bound_option *option)
{
    pg_arity arity = pg_option_arity(option->row);
    return arity == PG_ARITY_ONE || arity == PG_ARITY_SOME || option->required ? 1 : 0;
}

static size_t most(const pg_bound_option *option)
{
    pg_arity arity = pg_option_arity(option->row);
    return arity == PG_ARITY_ONE || arity == PG_ARITY_OPTIONAL ? 1 : SIZE_MAX;
}

/* Fills as many positionals as the arguments from *position to the next option allow, each with as many as it
 * can take while the ones after it still get what they need. */
static pg_status consume_positionals(parser *p, size_t *position)
{
    if (*position < p->n_words && p->words[*position].kind == WORD_END)
        ++*position;
    size_t available = count_arguments(p, *position);
    size_t fit = 0, needed = 0;
    for (pg_bound_option *o; (o = positional_at(p, p->next_positional + fit)) != NULL; fit++) {
        if (needed + least(o) > available)
            break;
        needed += least(o);
    }
    for (size_t i = 0; i < fit; i++) {
        pg_bound_option *option = positional_at(p, p->next_positional);
        needed -= least(option);
        size_t count = PG_MIN(most(option), available - needed);
        PG_TRY(take_words(p, option, *position, count));
        *position += count;
        available -= count;
        p->next_positional++;
    }
    return NULL;
}

static pg_status consume_all(parser *p)
{
    size_t position = 0;
    while (position < p->n_words && !p->result->help) {
        if (p->words[position].kind == WORD_OPTION) {
            PG_TRY(consume_option(p, &position));
            continue;
        }
        PG_TRY(consume_positionals(p, &position));
        while (position < p->n_words && p->words[position].kind == WORD_ARGUMENT)
            PG_VEC_PUSH(&p->unrecognized, p->words[position++].text);
    }
    return NULL;
}

static pg_status check_required(const parser *p)
{
    pg_buf names = {0};
    for (size_t i = 0; i < p->options.count; i++) {
        const pg_bound_option *option = &p->options.items[i];
        if (option->required && !p->seen[i])
            pg_buf_printf(&names, "%s%s", names.len > 0 ? ", " : "", pg_option_label(option->row, p->arena));
    }
    pg_status status = NULL;
    if (names.len > 0)
        status = pg_err(PG_ERR_USAGE, "the following arguments are required: %s", pg_buf_cstr(&names));
    pg_buf_deinit(&names);
    return status;
}

static void keep_lists(parser *p)
{
    pg_parse_result *result = p->result;
    result->n_unrecognized = p->unrecognized.len;
    result->unrecognized = PG_ARENA_ARRAY(p->arena, const char *, p->unrecognized.len + 1);
    for (size_t i = 0; i < p->unrecognized.len; i++)
        result->unrecognized[i] = p->unrecognized.items[i];
    result->n_used = p->used.len;
    result->used = PG_ARENA_ARRAY(p->arena, const pg_bound_option *, p->used.len + 1);
    for (size_t i = 0; i < p->used.len; i++)
        result->used[i] = p->used.items[i];
    result->n_uses = p->uses.len;
    pg_option_use *uses = PG_ARENA_ARRAY(p->arena, pg_option_use, p->uses.len + 1);
    for (size_t i = 0; i < p->uses.len; i++)
        uses[i] = p->uses.items[i];
    result->uses = uses;
    PG_VEC_FREE(&p->uses);
    PG_VEC_FREE(&p->unrecognized);
    PG_VEC_FREE(&p->used);
}

static void start(parser *p, const pg_command *command, void *values, pg_arena *arena, pg_parse_result *out)
{
    *out = (pg_parse_result){0};
    *p = (parser){.arena = arena, .result = out};
    p->exact_names = command->exact_names;
    p->options = pg_options_bind(command, values, arena);
    p->seen = PG_ARENA_ARRAY(arena, bool, p->options.count + 1);
}

pg_status pg_options_parse(const pg_command *command, const char *const *words, size_t n_words, void *values,
                           pg_arena *arena, pg_parse_result *out)
{
    parser p;
    start(&p, command, values, arena, out);
    pg_status status = classify_all(&p, words, n_words);
    if (status == NULL)
        status = consume_all(&p);
    if (status == NULL && !out->help)
        status = check_required(&p);
    keep_lists(&p);
    return status;
}

pg_status pg_options_find_child(const pg_command *command, const char *const *words, size_t n_words,
                                void *values, pg_arena *arena, size_t *out_index, pg_parse_result *out)
{
    parser p;
    start(&p, command, values, arena, out);
    *out_index = n_words;
    pg_status status = NULL, ambiguous = NULL;
    size_t position = 0, ambiguous_at = 0;
    p.words = PG_ARENA_ARRAY(arena, word, n_words + 1);
    p.n_words = n_words;
    for (size_t i = 0; i < n_words; i++)
        p.words[i].text = words[i];
    for (size_t i = 0; i < n_words; i++) {
        pg_status problem = classify(&p, &p.words[i]);
        if (problem != NULL && ambiguous == NULL) {
            ambiguous = problem;
            ambiguous_at = i;
        } else {
            pg_status_drop(problem);
        }
    }
    while (status == NULL && position < p.n_words && !out->help) {
        if (p.words[position].kind == WORD_ARGUMENT) {
            *out_index = position;
            break;
        }
        status = consume_option(&p, &position);
    }
    keep_lists(&p);
    /* Words after the child's name are the child's business. */
    if (ambiguous_at < *out_index)
        return pg_status_first(ambiguous, status);
    pg_status_drop(ambiguous);
    return status;
}
