/* The texts that option values are written in.
 *
 *     scalar      12  1.5  inf  1_000  "text"  [1,2,3]
 *     name:value  cut at the last colon: names may hold colons; without a colon the value is for every name
 *     shape       x:[1,3,224]  x:1x3x224  [1,3]
 *     bytes       16000000  16e6  16M (K, M, G: powers of 1024)
 *
 * Errors are PG_ERR_INVALID, start with the option's name and quote the text that is wrong. Results point
 * into the text and the arena. */
#ifndef PG_CLI_VALUES_H
#define PG_CLI_VALUES_H

#include "cli/option.h"

/* As Python's int() and float(): blanks around it, single underscores between digits. */
bool pg_value_int(pg_str text, int64_t *out);
bool pg_value_float(pg_str text, double *out);

typedef enum pg_scalar_kind { PG_SCALAR_INT, PG_SCALAR_FLOAT, PG_SCALAR_TEXT, PG_SCALAR_LIST } pg_scalar_kind;
typedef struct pg_scalar pg_scalar;
struct pg_scalar {
    pg_scalar_kind kind;
    int64_t integer;
    double number; /* also set for integers */
    pg_str text;   /* texts: without their quotes */
    pg_scalar *items;
    size_t count;
};
/* Never fails: what is neither number nor list is a text. "[]" is a list of one empty text. */
pg_scalar pg_value_scalar(pg_str text, pg_arena *arena);
static inline bool pg_scalar_is_number(const pg_scalar *scalar)
{
    return scalar->kind == PG_SCALAR_INT || scalar->kind == PG_SCALAR_FLOAT;
}

typedef struct pg_name_value {
    pg_str name; /* empty: for every name that has no value of its own */
    pg_str value;
} pg_name_value;
pg_name_value pg_value_split(pg_str text);

/* Splits every word and refuses the same name twice. */
PG_MUST_USE pg_status pg_values_by_name(const char *option, const pg_arg_list *list, pg_arena *arena,
                                        pg_name_value **out, size_t *out_count);

/* A shape: dims >= 0, or -1 where the text leaves a dim open. */
typedef struct pg_name_shape {
    pg_str name; /* may be a wildcard; empty: for the model's only input */
    size_t rank;
    const int64_t *dims;
} pg_name_shape;
/* A dim that is neither a number nor open ("", "-1", "?", "none", "null", "dynamic") is an error that names
 * it. A name given twice is one too. */
PG_MUST_USE pg_status pg_values_shapes(const char *option, const pg_arg_list *list, pg_arena *arena,
                                       pg_name_shape **out, size_t *out_count);

/* The error for a word that is none of `names`: lists them, and the nearest one. */
PG_MUST_USE pg_status pg_value_not_one_of(const char *option, pg_str word, const char *const *names,
                                          size_t count);

/* A fraction is cut. */
PG_MUST_USE pg_status pg_value_bytes(const char *option, pg_str text, int64_t *out);

/* "script.py:function"; `function` is empty when the text names none. */
void pg_value_script(pg_str text, pg_str *out_path, pg_str *out_function);

#endif
