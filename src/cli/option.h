/* Command-line options as data. One row states everything about an option; the parser, the help text, the
 * completion and the dump all read the rows.
 *
 *     typedef struct pg_args_data { pg_opt_int seed; pg_arg_list val_range; } pg_args_data;
 *     static const pg_option rows[] = {
 *         {"--seed", PG_FIELD(pg_args_data, seed), .help = "first seed of the random inputs"},
 *         {"--val-range", PG_FIELD(pg_args_data, val_range), .metavar = "RANGE", .help = "..."},
 *     };
 *     const pg_group pg_group_data = {"Data Loader", rows, PG_COUNT(rows), .finish = finish_data};
 *
 * A group's values are one struct; a command has a struct of such structs and lists the groups with their
 * offsets. To add an option: add a field and a row. What the field's type is decides how many words the
 * option takes and how they are checked:
 *
 *     bool         no word; true once given
 *     int          no word; counts how often it was given
 *     const char * one word; NULL when not given
 *     pg_opt_int, pg_opt_float    one word, checked
 *     pg_opt_text  an optional word
 *     pg_arg_list  one word or more; `.arity` changes that
 *
 * Words are borrowed from argv. */
#ifndef PG_CLI_OPTION_H
#define PG_CLI_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"

typedef struct pg_opt_int {
    bool set;
    int64_t value;
} pg_opt_int;
typedef struct pg_opt_float {
    bool set;
    double value;
} pg_opt_float;
/* `text` is NULL when the option was given without its word and the row has no `.implied`. */
typedef struct pg_opt_text {
    bool set;
    const char *text;
} pg_opt_text;
typedef struct pg_arg_list {
    bool set;
    const char **items; /* in the command's arena */
    size_t count;
    const size_t *starts; /* index of the first word of each use that counts */
    size_t n_uses;
} pg_arg_list;
/* The words of one use. */
static inline pg_arg_list pg_arg_list_use(const pg_arg_list *list, size_t use)
{
    size_t end = use + 1 < list->n_uses ? list->starts[use + 1] : list->count;
    return (pg_arg_list){
        .set = true, .items = list->items + list->starts[use], .count = end - list->starts[use]};
}

typedef enum pg_arg_type {
    PG_ARG_FLAG,
    PG_ARG_COUNT,
    PG_ARG_TEXT,
    PG_ARG_INT,
    PG_ARG_FLOAT,
    PG_ARG_MAYBE,
    PG_ARG_LIST,
} pg_arg_type;

typedef enum pg_arity {
    PG_ARITY_BY_TYPE = 0,
    PG_ARITY_NONE = '0',
    PG_ARITY_ONE = '1',
    PG_ARITY_OPTIONAL = '?',
    PG_ARITY_ANY = '*',
    PG_ARITY_SOME = '+',
    PG_ARITY_REST = 'R', /* everything after it, options too */
} pg_arity;

enum pg_option_flags {
    PG_OPTION_REQUIRED = 1,
    /* A list whose uses add up. Without words (PG_ARITY_NONE) each use adds the option's own name without its
     * dashes, so that several options share one ordered list. */
    PG_OPTION_APPEND = 2,
    PG_OPTION_FIRST_WINS = 4, /* later uses change nothing; otherwise the last use wins */
    /* Not an option of the peer: an abbreviation means it only where no other option fits, so that commands
     * written for the peer stay unambiguous. */
    PG_OPTION_OURS = 8,
    PG_OPTION_HIDDEN = 16,   /* not in the help text */
    PG_OPTION_PATH = 32,     /* completes to file names */
    PG_OPTION_INTEGERS = 64, /* every word of the list is a whole number */
    /* Beside the choices, "name:value" is taken too. */
    PG_OPTION_NAMED_TOO = 128,
};

/* What the words of an option look like, where their kind alone does not say it. Checked before anything that the
 * option needs is looked for; see cli/values.h. */
typedef enum pg_syntax {
    PG_SYNTAX_ANY,
    PG_SYNTAX_SHAPES,      /* name:[1,3,224] */
    PG_SYNTAX_BYTES,       /* 16M */
    PG_SYNTAX_NAMED_BYTES, /* workspace:16M */
    PG_SYNTAX_NAMED,       /* name:value */
    PG_SYNTAX_SHARE,       /* 16M, or 50% */
} pg_syntax;

typedef struct pg_option {
    const char *names; /* "--iterations --iters"; without dashes: a positional */
    pg_arg_type type;
    size_t offset; /* of the field in the group's values; not used when `missing` is set */
    const char *metavar;
    const char *help;
    pg_arity arity;
    pg_syntax syntax;
    const char *choices;      /* "a|b|c" */
    const char *default_text; /* what holds when the option is not given; shown by the help */
    const char *implied;      /* word of a pg_opt_text given without one */
    const char *exclusive;    /* rows of one command with the same text here exclude each other */
    const char *missing;      /* names what this version lacks for it: using the option is an error */
    const char *deprecated;   /* a warning shown on use: what to write instead */
    unsigned flags;
} pg_option;

#define PG_ARG_TYPE_OF(field) \
    _Generic((field),                 \
        bool: PG_ARG_FLAG,            \
        int: PG_ARG_COUNT,            \
        const char *: PG_ARG_TEXT,    \
        pg_opt_int: PG_ARG_INT,       \
        pg_opt_float: PG_ARG_FLOAT,   \
        pg_opt_text: PG_ARG_MAYBE,    \
        pg_arg_list: PG_ARG_LIST)
#define PG_FIELD(type_, member) \
    .type = PG_ARG_TYPE_OF(((type_ *)0)->member), .offset = offsetof(type_, member)

typedef struct pg_group {
    const char *title;
    const pg_option *options;
    size_t n_options;
    const char *description; /* may be NULL */
    /* Checks the values and turns their text into what the command uses; memory comes from the arena, which
     * lives as long as the command. May be NULL. */
    PG_MUST_USE pg_status (*finish)(void *values, pg_arena *arena);
} pg_group;

/* A group as one command has it. */
typedef struct pg_group_use {
    const pg_group *group;
    size_t offset;        /* of the group's values in the command's */
    const char *without;  /* names of rows this command does not have, separated by blanks; may be NULL */
    const char *required; /* names of rows this command cannot do without; may be NULL */
    /* The command reads the words of these rows itself, from the parse: they have no values, are not finished, and
     * it takes those of missing systems too. */
    bool as_words;
    const char *ours; /* names of rows that the peer's command does not have; may be NULL */
} pg_group_use;

typedef struct pg_command pg_command;
typedef struct pg_parse_result pg_parse_result;
struct pg_command {
    const char *name, *summary;
    const char *description; /* paragraphs of the help text; may be NULL */
    const char *examples;    /* command lines of the help text, one per line; may be NULL */
    const pg_group_use *groups;
    size_t n_groups;
    size_t values_size;
    /* Looks at the values before the RUNNING line: warnings about options that do nothing together. May be
     * NULL. */
    void (*prepare)(const void *values);
    /* PG_ERR_FAILED when the work ran and its check did not pass; the message was already logged. */
    PG_MUST_USE pg_status (*run)(void *values, pg_arena *arena);
    /* In place of run, for a command with groups `as_words`. */
    PG_MUST_USE pg_status (*write)(void *values, const pg_parse_result *parsed, pg_arena *arena);
    /* Whether RUNNING and PASSED / FAILED lines enclose it, unless `bare` says otherwise; bare may be NULL. */
    bool brackets;
    bool (*bare)(const void *values);
    const char *missing;               /* names what this version lacks for it; run is NULL */
    bool exact_names;                  /* long options cannot be shortened */
    const pg_command *const *children; /* NULL-terminated; commands with children have no run */
};

/* ---- Rows as one command sees them ---- */

typedef struct pg_bound_option {
    const pg_option *row;
    const pg_group *group;
    void *field;         /* NULL when there are no values or the row is missing */
    const char *missing; /* what the command lacks for it, or NULL */
    bool required, ours;
    size_t n_names;
    pg_str names[4];
    /* After a parse: the name the option was first given by, and the words of its last use. */
    pg_str used_as;
    const char *const *words;
    size_t n_words;
} pg_bound_option;

typedef struct pg_bound_options {
    pg_bound_option *items;
    size_t count;
} pg_bound_options;

/* All rows of a command in the order of its groups; `values` may be NULL. */
pg_bound_options pg_options_bind(const pg_command *command, void *values, pg_arena *arena);
static inline bool pg_option_is_positional(const pg_option *option)
{
    return option->names[0] != '-';
}
/* Whether the row's field in the group's values was given on the command line. */
bool pg_option_is_set(const pg_option *option, const void *values);
pg_arity pg_option_arity(const pg_option *option);
/* "--iterations/--iters". */
char *pg_option_label(const pg_option *option, pg_arena *arena);
/* Warns of each option of the group that was given, since it does nothing: "..., <reason>." */
void pg_group_warn_idle(const pg_group *group, const void *values, const char *reason);
/* The row's metavar, or the first long name in capitals; for positionals their name. */
char *pg_option_metavar(const pg_option *option, pg_arena *arena);

/* ---- Parsing ---- */

/* An option on the command line with its words, which are in the command's arena. */
typedef struct pg_option_use {
    const pg_bound_option *option;
    const char *const *words;
    size_t n_words;
} pg_option_use;

struct pg_parse_result {
    bool help;                 /* -h or --help was given; nothing else was checked */
    const char **unrecognized; /* words that no option or positional takes */
    size_t n_unrecognized;
    const pg_bound_option **used; /* each row that was given, in order of its first use */
    size_t n_used;
    const pg_option_use *uses; /* in the command line's order */
    size_t n_uses;
};

/* Fills `values` (zeroed by the caller) from words. Rules are argparse's: long options may be shortened to a
 * unique prefix, "--name=word", clusters of short flags, "--" ends the options, numbers may be negative,
 * lists take all words up to the next option. "_" in a name means "-". Errors are PG_ERR_USAGE with
 * argparse's text.
 */
PG_MUST_USE pg_status pg_options_parse(const pg_command *command, const char *const *words, size_t n_words,
                                       void *values, pg_arena *arena, pg_parse_result *out);
/* After a parse: `finish` of every group, and an error for the first used row that this version lacks. */
PG_MUST_USE pg_status pg_options_finish(const pg_command *command, void *values,
                                        const pg_parse_result *parsed, pg_arena *arena);

/* For commands with children: the index of the word that names the child, n_words when there is none. The
 * words before it are options of the command's own groups and fill `values`. */
PG_MUST_USE pg_status pg_options_find_child(const pg_command *command, const char *const *words,
                                            size_t n_words, void *values, pg_arena *arena, size_t *out_index,
                                            pg_parse_result *out);

/* The candidate nearest to `word` if it is near enough to be meant, else NULL. */
const char *pg_suggest(pg_str word, const char *const *candidates, size_t count);
/* The option spelling nearest to a word that was not recognised, else NULL. */
const char *pg_options_suggest(const pg_command *command, const char *word, pg_arena *arena);

#endif
