#include "cli/values.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "tensor/tensor.h"

/* The text without underscores between digits; false when one stands elsewhere or it is too long. */
static bool drop_underscores(pg_str text, char *buffer, size_t size, pg_str *out)
{
    size_t n = 0;
    text = pg_str_trim(text);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '_') {
            if (i == 0 || i + 1 >= text.len || !isdigit((unsigned char)text.ptr[i - 1]) ||
                !isdigit((unsigned char)text.ptr[i + 1]))
                return false;
            continue;
        }
        if (n + 1 >= size)
            return false;
        buffer[n++] = text.ptr[i];
    }
    buffer[n] = '\0';
    *out = (pg_str){buffer, n};
    return n > 0;
}

bool pg_value_int(pg_str text, int64_t *out)
{
    char buffer[64];
    pg_str digits;
    return drop_underscores(text, buffer, sizeof buffer, &digits) && pg_str_to_i64(digits, out);
}

bool pg_value_float(pg_str text, double *out)
{
    char buffer[400];
    pg_str digits;
    if (!drop_underscores(text, buffer, sizeof buffer, &digits))
        return false;
    /* Python knows no hexadecimal here. */
    return pg_str_find(digits, 'x') == SIZE_MAX && pg_str_find(digits, 'X') == SIZE_MAX &&
           pg_str_to_f64(digits, out);
}

static pg_str strip_chars(pg_str text, const char *chars)
{
    while (text.len > 0 && strchr(chars, text.ptr[0]) != NULL)
        text = pg_str_sub(text, 1, text.len);
    while (text.len > 0 && strchr(chars, text.ptr[text.len - 1]) != NULL)
        text.len--;
    return text;
}

static pg_scalar atom(pg_str text)
{
    pg_scalar out = {.kind = PG_SCALAR_TEXT};
    if (pg_value_int(text, &out.integer)) {
        out.kind = PG_SCALAR_INT;
        out.number = (double)out.integer;
    } else if (pg_value_float(text, &out.number)) {
        out.kind = PG_SCALAR_FLOAT;
    }
    out.text = strip_chars(text, "\"'");
    return out;
}

pg_scalar pg_value_scalar(pg_str text, pg_arena *arena)
{
    text = pg_str_trim(text);
    pg_str inner = strip_chars(text, "[]");
    if (inner.len == text.len)
        return atom(text);
    if (inner.ptr == NULL || inner.len == 0)
        inner = PG_STR("");
    pg_scalar list = {.kind = PG_SCALAR_LIST};
    list.items = PG_ARENA_ARRAY(arena, pg_scalar, inner.len + 1);
    pg_str part;
    while (pg_str_split(&inner, ',', &part))
        list.items[list.count++] = pg_value_scalar(part, arena);
    return list;
}

pg_name_value pg_value_split(pg_str text)
{
    size_t colon = pg_str_rfind(text, ':');
    if (colon == SIZE_MAX)
        return (pg_name_value){PG_STR_EMPTY, text};
    return (pg_name_value){pg_str_sub(text, 0, colon), pg_str_sub(text, colon + 1, text.len)};
}

static pg_status repeated(const char *option, pg_str name)
{
    if (name.len == 0)
        return pg_err(
            PG_ERR_INVALID,
            "option '%s' has two values that are not for a name; write 'name:value' for all but one", option);
    return pg_err(PG_ERR_INVALID, "option '%s' has two values for '%" PG_STR_FMT "'", option,
                  PG_STR_ARG(name));
}

pg_status pg_values_by_name(const char *option, const pg_arg_list *list, pg_arena *arena, pg_name_value **out,
                            size_t *out_count)
{
    pg_name_value *items = PG_ARENA_ARRAY(arena, pg_name_value, list->count + 1);
    for (size_t i = 0; i < list->count; i++) {
        items[i] = pg_value_split(pg_str_c(list->items[i]));
        for (size_t j = 0; j < i; j++)
            if (pg_str_eq(items[i].name, items[j].name))
                return repeated(option, items[i].name);
    }
    *out = items;
    *out_count = list->count;
    return NULL;
}

/* ---- Shapes ---- */

static bool is_open_dim(pg_str text)
{
    static const char *const words[] = {"", "-1", "?", "none", "null", "dynamic"};
    for (size_t i = 0; i < PG_COUNT(words); i++)
        if (pg_str_eq_nocase(text, pg_str_c(words[i])))
            return true;
    return false;
}

static pg_status parse_dim(const char *option, const char *word, pg_str text, int64_t *out)
{
    pg_str dim = strip_chars(pg_str_trim(text), "\"'");
    if (is_open_dim(dim)) {
        *out = -1;
        return NULL;
    }
    if (pg_value_int(dim, out) && *out >= 0)
        return NULL;
    return pg_err(PG_ERR_INVALID, "option '%s': dim '%" PG_STR_FMT "' of '%s' is not a number", option,
                  PG_STR_ARG(dim), word);
}

static pg_status parse_dims(const char *option, const char *word, pg_str text, char separator,
                            pg_arena *arena, pg_name_shape *out)
{
    int64_t *dims = PG_ARENA_ARRAY(arena, int64_t, PG_MAX_RANK);
    pg_str part;
    while (pg_str_split(&text, separator, &part)) {
        if (text.ptr == NULL && out->rank > 0 && pg_str_trim(part).len == 0)
            break; /* "[1,]" */
        if (out->rank == PG_MAX_RANK)
            return pg_err(PG_ERR_LIMIT, "option '%s': '%s' has more than %d dims", option, word, PG_MAX_RANK);
        PG_TRY(parse_dim(option, word, part, &dims[out->rank++]));
    }
    out->dims = dims;
    return NULL;
}

/* The text after the name: "[1,3]", "1x3", "1,3", or one number. */
static pg_status parse_shape(const char *option, const char *word, pg_str text, pg_arena *arena,
                             pg_name_shape *out)
{
    text = pg_str_trim(text);
    bool opens = pg_str_starts(text, PG_STR("[")) || pg_str_starts(text, PG_STR("("));
    bool closes = pg_str_ends(text, PG_STR("]")) || pg_str_ends(text, PG_STR(")"));
    if (opens != closes || text.len == 0)
        return pg_err(PG_ERR_INVALID, "option '%s': '%s' is not 'name:[d0,d1,...]'", option, word);
    if (opens)
        text = pg_str_trim(pg_str_sub(text, 1, text.len - 1));
    out->dims = PG_ARENA_ARRAY(arena, int64_t, 1);
    char separator = opens || pg_str_find(text, ',') != SIZE_MAX ? ',' : 'x';
    return text.len > 0 ? parse_dims(option, word, text, separator, arena, out) : NULL;
}

pg_status pg_values_shapes(const char *option, const pg_arg_list *list, pg_arena *arena, pg_name_shape **out,
                           size_t *out_count)
{
    pg_name_value *parts;
    PG_TRY(pg_values_by_name(option, list, arena, &parts, out_count));
    *out = PG_ARENA_ARRAY(arena, pg_name_shape, *out_count + 1);
    for (size_t i = 0; i < *out_count; i++) {
        (*out)[i].name = parts[i].name;
        PG_TRY(parse_shape(option, list->items[i], parts[i].value, arena, &(*out)[i]));
    }
    return NULL;
}

/* ---- Words of a list ---- */

pg_status pg_value_not_one_of(const char *option, pg_str word, const char *const *names, size_t count)
{
    pg_buf list = {0};
    const char *near = pg_suggest(word, names, count);
    for (size_t i = 0; i < count; i++)
        pg_buf_printf(&list, "%s%s", i > 0 ? ", " : "", names[i]);
    pg_status status = pg_err(PG_ERR_INVALID, "option '%s': '%" PG_STR_FMT "' is not one of %s%s%s%s", option,
                              PG_STR_ARG(word), pg_buf_cstr(&list), near != NULL ? "; did you mean '" : "",
                              near != NULL ? near : "", near != NULL ? "'?" : "");
    pg_buf_deinit(&list);
    return status;
}

/* ---- Sizes and scripts ---- */

pg_status pg_value_bytes(const char *option, pg_str text, int64_t *out)
{
    static const char suffixes[] = "KMG";
    pg_str digits = pg_str_trim(text);
    double number, scale = 1;
    for (size_t i = 0; digits.len > 0 && suffixes[i] != '\0'; i++) {
        if (toupper((unsigned char)digits.ptr[digits.len - 1]) == suffixes[i]) {
            digits.len--;
            scale = (double)(1ull << (10 * (i + 1)));
            break;
        }
    }
    if (!pg_value_float(digits, &number) || !(fabs(number * scale) < 0x1p63))
        return pg_err(PG_ERR_INVALID,
                      "option '%s': '%" PG_STR_FMT "' is not a number of bytes: write 16000000, 16e6, or 16M "
                      "(K, M, G)",
                      option, PG_STR_ARG(text));
    *out = (int64_t)(number * scale);
    return NULL;
}

void pg_value_script(pg_str text, pg_str *out_path, pg_str *out_function)
{
    size_t colon = pg_str_rfind(text, ':');
    *out_path = pg_str_sub(text, 0, colon);
    *out_function = colon == SIZE_MAX ? PG_STR_EMPTY : pg_str_sub(text, colon + 1, text.len);
}
