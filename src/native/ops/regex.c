/* Parsing into a tree, compiling into a program, and running all of its threads in step (regex.h). */
#include "native/ops/regex.h"

#include "base/arena.h"
#include "base/vec.h"

enum {
    MOST_REPEATS = 1000,
    MOST_DEPTH = 250,
    MOST_INSTRUCTIONS = 100000,
    LAST_CHARACTER = 0x10ffff,
    BAD_BYTE = 0x110000, /* added to a byte that begins no character */
    LAST_VALUE = BAD_BYTE + 255,
    END_OF_TEXT = 0x7fffffff,
};

/* ---- Tree ---- */

typedef enum node_kind { EMPTY, SET, ASSERT, CONCAT, EITHER, REPEAT } node_kind;
typedef enum assertion { AT_START, AT_END, LINE_START, LINE_END, WORD_EDGE, NO_WORD_EDGE } assertion;

typedef struct range {
    int32_t first, last;
} range;
typedef struct char_set {
    PG_VEC(range) ranges;
    bool inverted;
} char_set;

typedef struct tree tree;
struct tree {
    node_kind kind;
    assertion assertion;
    size_t set; /* in pg_regex.sets */
    tree *left, *right;
    int least, most; /* most -1: no bound */
};

/* ---- Program ---- */

typedef enum opcode { READ, FORK, JUMP, CHECK, DONE } opcode;
typedef struct instruction {
    opcode code;
    uint32_t a, b; /* READ: the set; FORK, JUMP: targets; CHECK: the assertion */
} instruction;

typedef struct thread_list {
    uint32_t *items;
    size_t len;
} thread_list;

struct pg_regex {
    PG_VEC(char_set) sets;
    PG_VEC(instruction) program;
    thread_list now, next;
    uint32_t *stack, *mark; /* mark[i] == round: instruction i was added in this round */
    uint32_t round;
};

typedef struct parser {
    pg_regex *regex;
    pg_arena arena;
    pg_str pattern;
    size_t at;
    int depth, steps;
    bool fold, multi_line, dot_all;
    pg_status status;
} parser;

/* ---- Characters ---- */

/* The character at *at, which moves on. */
static int32_t next_character(pg_str text, size_t *at)
{
    const uint8_t *p = (const uint8_t *)text.ptr + *at;
    size_t left = text.len - *at;
    int more = p[0] < 0x80 ? 0 : p[0] >= 0xc2 && p[0] < 0xe0 ? 1 : p[0] >= 0xe0 && p[0] < 0xf0 ? 2 : -1;
    if (p[0] >= 0xf0 && p[0] < 0xf5)
        more = 3;
    if (more < 0 || (size_t)more >= left) {
        (*at)++;
        return BAD_BYTE + p[0];
    }
    int32_t value = more == 0 ? p[0] : p[0] & (0x3f >> more);
    for (int i = 1; i <= more; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            (*at)++;
            return BAD_BYTE + p[0];
        }
        value = value << 6 | (p[i] & 0x3f);
    }
    *at += (size_t)more + 1;
    return value;
}

static bool is_word(int32_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool set_has(const char_set *set, int32_t c)
{
    for (size_t i = 0; i < set->ranges.len; i++)
        if (c >= set->ranges.items[i].first && c <= set->ranges.items[i].last)
            return !set->inverted;
    return set->inverted;
}

/* ---- Sets ---- */

static void add_range(char_set *set, int32_t first, int32_t last)
{
    PG_VEC_PUSH(&set->ranges, ((range){first, last}));
}

/* Adds the other case of the letters in the last range. */
static void fold_last(char_set *set)
{
    range r = set->ranges.items[set->ranges.len - 1];
    int32_t upper_first = PG_MAX(r.first, 'A'), upper_last = PG_MIN(r.last, 'Z');
    int32_t lower_first = PG_MAX(r.first, 'a'), lower_last = PG_MIN(r.last, 'z');
    if (upper_first <= upper_last)
        add_range(set, upper_first + 32, upper_last + 32);
    if (lower_first <= lower_last)
        add_range(set, lower_first - 32, lower_last - 32);
}

typedef struct named_set {
    const char *name;
    range ranges[4]; /* ended by {0, 0} unless full */
} named_set;

static const named_set perl_sets[] = {
    {"d", {{'0', '9'}}},
    {"s", {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}}},
    {"w", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
};
static const named_set posix_sets[] = {
    {"alnum", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}},
    {"alpha", {{'A', 'Z'}, {'a', 'z'}}},
    {"ascii", {{0, 127}}},
    {"blank", {{'\t', '\t'}, {' ', ' '}}},
    {"cntrl", {{0, 31}, {127, 127}}},
    {"digit", {{'0', '9'}}},
    {"graph", {{'!', '~'}}},
    {"lower", {{'a', 'z'}}},
    {"print", {{' ', '~'}}},
    {"punct", {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}},
    {"space", {{'\t', '\r'}, {' ', ' '}}},
    {"upper", {{'A', 'Z'}}},
    {"word", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
    {"xdigit", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}},
};

/* The ranges of a named set, or with `inverted` those between them. */
static void add_named(char_set *set, const named_set *named, bool inverted, bool fold)
{
    int32_t from = 0;
    for (size_t i = 0; i < PG_COUNT(named->ranges); i++) {
        range r = named->ranges[i];
        if (r.last == 0)
            break;
        if (!inverted) {
            add_range(set, r.first, r.last);
            if (fold)
                fold_last(set);
        } else if (r.first > from) {
            add_range(set, from, r.first - 1);
        }
        from = r.last + 1;
    }
    if (inverted)
        add_range(set, from, LAST_VALUE);
}

/* ---- Parser ---- */

static PG_PRINTF(3, 4) void fail(parser *p, pg_code code, const char *format, ...)
{
    if (p->status != NULL)
        return;
    va_list args;
    va_start(args, format);
    pg_status reason = pg_err_v(code, format, args);
    va_end(args);
    p->status = pg_err(code, "pattern '%" PG_STR_FMT "': %s at byte %zu", PG_STR_ARG(p->pattern),
                       pg_status_message(reason), p->at);
    pg_status_drop(reason);
}

static bool more(const parser *p)
{
    return p->status == NULL && p->at < p->pattern.len;
}
static char peek(const parser *p)
{
    return p->at < p->pattern.len ? p->pattern.ptr[p->at] : '\0';
}
static bool take(parser *p, const char *text)
{
    pg_str rest = pg_str_sub(p->pattern, p->at, p->pattern.len);
    if (!pg_str_starts(rest, pg_str_c(text)))
        return false;
    p->at += strlen(text);
    return true;
}

static tree *new_tree(parser *p, node_kind kind, tree *left, tree *right)
{
    tree *t = PG_ARENA_NEW(&p->arena, tree);
    t->kind = kind;
    t->left = left;
    t->right = right;
    return t;
}

static char_set *new_set(parser *p, tree **out)
{
    *out = new_tree(p, SET, NULL, NULL);
    (*out)->set = p->regex->sets.len;
    return PG_VEC_ADD(&p->regex->sets);
}

static tree *new_assertion(parser *p, assertion what)
{
    tree *t = new_tree(p, ASSERT, NULL, NULL);
    t->assertion = what;
    return t;
}

static void add_character(parser *p, char_set *set, int32_t first, int32_t last)
{
    if (p->fold && last >= 128 && first <= LAST_CHARACTER && !(first == 0 && last >= LAST_CHARACTER))
        fail(p, PG_ERR_UNSUPPORTED, "letters beyond ASCII without regard to case");
    add_range(set, first, last);
    if (p->fold)
        fold_last(set);
}

static tree *literal(parser *p, int32_t c)
{
    tree *t;
    add_character(p, new_set(p, &t), c, c);
    return t;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* After "\x": two digits, or any number in braces. */
static int32_t hex_escape(parser *p)
{
    int32_t value = 0;
    int digits = 0;
    bool braces = take(p, "{");
    for (; more(p) && hex_digit(peek(p)) >= 0 && (braces || digits < 2); digits++, p->at++)
        value = PG_MIN(value * 16 + hex_digit(peek(p)), LAST_CHARACTER + 1);
    if (digits == 0 || (!braces && digits != 2) || (braces && !take(p, "}")) || value > LAST_CHARACTER)
        fail(p, PG_ERR_INVALID, "wrong hexadecimal escape");
    return PG_MIN(value, LAST_CHARACTER);
}

/* The character that an escape stands for; the backslash is behind. */
static int32_t escaped(parser *p)
{
    static const char names[] = "aftnrv", values[] = "\a\f\t\n\r\v";
    if (!more(p)) {
        fail(p, PG_ERR_INVALID, "a backslash ends the pattern");
        return 0;
    }
    char c = p->pattern.ptr[p->at];
    const char *name = c != '\0' ? strchr(names, c) : NULL;
    if (name != NULL) {
        p->at++;
        return values[name - names];
    }
    if (c == 'x') {
        p->at++;
        return hex_escape(p);
    }
    if (c == '0' || (c >= '1' && c <= '7' && p->at + 1 < p->pattern.len && p->pattern.ptr[p->at + 1] >= '0' &&
                     p->pattern.ptr[p->at + 1] <= '7')) {
        int32_t value = 0;
        for (int i = 0; i < 3 && more(p) && peek(p) >= '0' && peek(p) <= '7'; i++, p->at++)
            value = value * 8 + (peek(p) - '0');
        return value;
    }
    if (is_word((uint8_t)c) || (uint8_t)c >= 0x80) {
        pg_code code = strchr("pPC123456789", c) != NULL ? PG_ERR_UNSUPPORTED : PG_ERR_INVALID;
        fail(p, code, "escape '\\%c' is not %s", c, code == PG_ERR_INVALID ? "known" : "supported");
        return 0;
    }
    p->at++;
    return (uint8_t)c;
}

/* \d and its kind, after the backslash. */
static bool take_perl_set(parser *p, char_set *set)
{
    char c = peek(p);
    for (size_t i = 0; i < PG_COUNT(perl_sets); i++)
        if (c == perl_sets[i].name[0] || c == perl_sets[i].name[0] - 32) {
            p->at++;
            add_named(set, &perl_sets[i], c < 'a', false);
            return true;
        }
    return false;
}

/* [:name:] inside brackets. */
static bool take_posix_set(parser *p, char_set *set)
{
    pg_str rest = pg_str_sub(p->pattern, p->at, p->pattern.len);
    if (!pg_str_starts(rest, PG_STR("[:")))
        return false;
    size_t begin = 2;
    bool inverted = rest.len > 2 && rest.ptr[2] == '^';
    begin += inverted;
    for (size_t end = begin; end + 1 < rest.len; end++) {
        if (rest.ptr[end] != ':' || rest.ptr[end + 1] != ']')
            continue;
        for (size_t i = 0; i < PG_COUNT(posix_sets); i++)
            if (pg_str_is(pg_str_sub(rest, begin, end), posix_sets[i].name)) {
                add_named(set, &posix_sets[i], inverted, p->fold);
                p->at += end + 2;
                return true;
            }
        fail(p, PG_ERR_INVALID, "unknown character class");
        return true;
    }
    return false;
}

static int32_t class_character(parser *p)
{
    if (take(p, "\\"))
        return escaped(p);
    return next_character(p->pattern, &p->at);
}

/* After "[". */
static tree *parse_class(parser *p)
{
    tree *t;
    char_set set = {.inverted = take(p, "^")};
    size_t begin = p->at;
    while (more(p) && (peek(p) != ']' || p->at == begin)) {
        if (take_posix_set(p, &set))
            continue;
        size_t start = p->at;
        if (take(p, "\\") && take_perl_set(p, &set))
            continue;
        p->at = start;
        int32_t first = class_character(p), last = first;
        if (peek(p) == '-' && p->at + 1 < p->pattern.len && p->pattern.ptr[p->at + 1] != ']') {
            p->at++;
            if (more(p))
                last = class_character(p);
        }
        if (last < first)
            fail(p, PG_ERR_INVALID, "a range that runs backwards");
        add_character(p, &set, first, last);
    }
    if (!take(p, "]"))
        fail(p, PG_ERR_INVALID, "missing ']'");
    *new_set(p, &t) = set;
    return t;
}

static tree *parse_either(parser *p);

/* The letters of (?flags) or (?flags:; true when a group follows. */
static bool parse_flags(parser *p)
{
    bool value = true;
    for (; more(p); p->at++) {
        switch (peek(p)) {
        case 'i':
            p->fold = value;
            break;
        case 'm':
            p->multi_line = value;
            break;
        case 's':
            p->dot_all = value;
            break;
        case 'U':
            break;
        case '-':
            value = false;
            break;
        case ':':
            p->at++;
            return true;
        case ')':
            return false;
        default:
            fail(p, PG_ERR_UNSUPPORTED, "group '(?%c' is not supported", peek(p));
            return false;
        }
    }
    fail(p, PG_ERR_INVALID, "missing ')'");
    return false;
}

/* After "(". Flags set inside a group end with it. */
static tree *parse_group(parser *p)
{
    bool fold = p->fold, multi_line = p->multi_line, dot_all = p->dot_all;
    tree *inner;
    if (take(p, "?P<") || take(p, "?<")) {
        while (more(p) && is_word((uint8_t)peek(p)))
            p->at++;
        if (!take(p, ">"))
            fail(p, PG_ERR_UNSUPPORTED, "a group that looks around, or a wrong name");
    } else if (take(p, "?") && !parse_flags(p)) {
        p->at++;
        return new_tree(p, EMPTY, NULL, NULL); /* the flags hold until the enclosing group ends */
    }
    inner = parse_either(p);
    if (!take(p, ")"))
        fail(p, PG_ERR_INVALID, "missing ')'");
    p->fold = fold;
    p->multi_line = multi_line;
    p->dot_all = dot_all;
    return inner;
}

static tree *parse_escape(parser *p)
{
    static const struct {
        char name;
        assertion what;
    } assertions[] = {{'A', AT_START}, {'z', AT_END}, {'b', WORD_EDGE}, {'B', NO_WORD_EDGE}};
    for (size_t i = 0; i < PG_COUNT(assertions); i++)
        if (more(p) && peek(p) == assertions[i].name) {
            p->at++;
            return new_assertion(p, assertions[i].what);
        }
    char_set set = {0};
    if (take_perl_set(p, &set)) {
        tree *t;
        *new_set(p, &t) = set;
        return t;
    }
    return literal(p, escaped(p));
}

static tree *parse_atom(parser *p)
{
    tree *t;
    char c = peek(p);
    if (c == '*' || c == '+' || c == '?') {
        fail(p, PG_ERR_INVALID, "nothing to repeat");
        return new_tree(p, EMPTY, NULL, NULL);
    }
    if (take(p, "("))
        return parse_group(p);
    if (take(p, "["))
        return parse_class(p);
    if (take(p, "\\"))
        return parse_escape(p);
    if (take(p, "^"))
        return new_assertion(p, p->multi_line ? LINE_START : AT_START);
    if (take(p, "$"))
        return new_assertion(p, p->multi_line ? LINE_END : AT_END);
    if (take(p, ".")) {
        char_set *set = new_set(p, &t);
        if (!p->dot_all)
            add_range(set, '\n', '\n');
        set->inverted = true;
        return t;
    }
    return literal(p, next_character(p->pattern, &p->at));
}

static int parse_number(parser *p)
{
    int value = 0;
    for (; more(p) && peek(p) >= '0' && peek(p) <= '9'; p->at++)
        value = PG_MIN(value * 10 + (peek(p) - '0'), MOST_REPEATS + 1);
    return value;
}

/* {n}, {n,} or {n,m}; anything else in braces stands for itself. */
static bool parse_counts(parser *p, int *least, int *most)
{
    size_t begin = p->at++;
    bool digits = peek(p) >= '0' && peek(p) <= '9';
    *least = *most = parse_number(p);
    if (digits && take(p, ","))
        *most = peek(p) == '}' ? -1 : peek(p) >= '0' && peek(p) <= '9' ? parse_number(p) : -2;
    if (!digits || *most == -2 || !take(p, "}")) {
        p->at = begin;
        return false;
    }
    if (*least > MOST_REPEATS || *most > MOST_REPEATS)
        fail(p, PG_ERR_LIMIT, "more than %d repetitions", MOST_REPEATS);
    if (*most >= 0 && *most < *least)
        fail(p, PG_ERR_INVALID, "a range of repetitions that runs backwards");
    return true;
}

/* What follows an atom: a repetition of it, or nothing. */
static tree *parse_repeat(parser *p, tree *t)
{
    for (bool first = true; more(p); first = false) {
        int least = 0, most = -1;
        if (take(p, "*"))
            least = 0;
        else if (take(p, "+"))
            least = 1;
        else if (take(p, "?"))
            most = 1;
        else if (peek(p) != '{' || !parse_counts(p, &least, &most))
            break;
        if (!first)
            fail(p, PG_ERR_INVALID, "a repetition of a repetition");
        take(p, "?");
        t = new_tree(p, REPEAT, t, NULL);
        t->least = least;
        t->most = most;
    }
    return t;
}

/* After "\Q": characters up to "\E" stand for themselves. The last one is left to be repeated. */
static tree *parse_quoted(parser *p, tree **row)
{
    tree *last = new_tree(p, EMPTY, NULL, NULL);
    while (more(p) && !take(p, "\\E")) {
        *row = new_tree(p, CONCAT, *row, last);
        last = literal(p, next_character(p->pattern, &p->at));
    }
    return last;
}

static tree *parse_either(parser *p)
{
    tree *all = NULL;
    if (p->depth++ > MOST_DEPTH)
        fail(p, PG_ERR_LIMIT, "more than %d groups in each other", MOST_DEPTH);
    do {
        tree *row = new_tree(p, EMPTY, NULL, NULL);
        while (more(p) && peek(p) != '|' && peek(p) != ')') {
            tree *part = take(p, "\\Q") ? parse_quoted(p, &row) : parse_atom(p);
            row = new_tree(p, CONCAT, row, parse_repeat(p, part));
        }
        all = all == NULL ? row : new_tree(p, EITHER, all, row);
    } while (p->status == NULL && take(p, "|"));
    p->depth--;
    return all;
}

/* ---- Compiler ---- */

static uint32_t emit(pg_regex *regex, opcode code, uint32_t a)
{
    PG_VEC_PUSH(&regex->program, ((instruction){code, a, 0}));
    return (uint32_t)regex->program.len - 1;
}
static uint32_t here(const pg_regex *regex)
{
    return (uint32_t)regex->program.len;
}

static void compile(parser *p, const tree *t);

static void compile_optional(parser *p, const tree *t, bool loop)
{
    pg_regex *regex = p->regex;
    uint32_t fork = emit(regex, FORK, here(regex) + 1);
    compile(p, t);
    if (loop)
        emit(regex, JUMP, fork);
    regex->program.items[fork].b = here(regex);
}

/* The left spine of a long row or list of alternatives is walked in a loop, not by calls: it is as long as
 * the pattern. */
static void compile_spine(parser *p, const tree *t)
{
    PG_VEC(const tree *) parts = {0};
    node_kind kind = t->kind;
    for (; t->kind == kind; t = t->left)
        PG_VEC_PUSH(&parts, t->right);
    PG_VEC_PUSH(&parts, t);
    PG_VEC(uint32_t) exits = {0};
    for (size_t i = parts.len; i-- > 0;) {
        uint32_t fork = 0;
        bool alternative = kind == EITHER && i > 0;
        if (alternative)
            fork = emit(p->regex, FORK, here(p->regex) + 1);
        compile(p, parts.items[i]);
        if (!alternative)
            continue;
        PG_VEC_PUSH(&exits, emit(p->regex, JUMP, 0));
        p->regex->program.items[fork].b = here(p->regex);
    }
    for (size_t i = 0; i < exits.len; i++)
        p->regex->program.items[exits.items[i]].a = here(p->regex);
    PG_VEC_FREE(&parts);
    PG_VEC_FREE(&exits);
}

static void compile(parser *p, const tree *t)
{
    if (p->regex->program.len > MOST_INSTRUCTIONS || p->steps++ > 4 * MOST_INSTRUCTIONS)
        fail(p, PG_ERR_LIMIT, "the pattern is too large");
    if (p->status != NULL)
        return;
    switch (t->kind) {
    case EMPTY:
        break;
    case SET:
        emit(p->regex, READ, (uint32_t)t->set);
        break;
    case ASSERT:
        emit(p->regex, CHECK, (uint32_t)t->assertion);
        break;
    case CONCAT:
    case EITHER:
        compile_spine(p, t);
        break;
    case REPEAT:
        for (int i = 0; i < t->least; i++)
            compile(p, t->left);
        if (t->most < 0)
            compile_optional(p, t->left, true);
        for (int i = t->least; i < t->most; i++)
            compile_optional(p, t->left, false);
        break;
    }
}

pg_status pg_regex_new(pg_str pattern, pg_regex **out)
{
    pg_regex *regex = PG_NEW(pg_regex);
    parser p = {.regex = regex, .pattern = pattern};
    const tree *t = parse_either(&p);
    if (p.status == NULL && p.at < pattern.len)
        fail(&p, PG_ERR_INVALID, "a ')' too many");
    if (p.status == NULL) {
        compile(&p, t);
        emit(regex, DONE, 0);
    }
    pg_arena_deinit(&p.arena);
    if (p.status != NULL) {
        pg_regex_free(regex);
        return p.status;
    }
    const size_t n = regex->program.len;
    regex->now.items = pg_calloc(n, sizeof(uint32_t));
    regex->next.items = pg_calloc(n, sizeof(uint32_t));
    regex->stack = pg_calloc(2 * n + 1, sizeof(uint32_t));
    regex->mark = pg_calloc(n, sizeof(uint32_t));
    *out = regex;
    return NULL;
}

void pg_regex_free(pg_regex *regex)
{
    if (regex == NULL)
        return;
    for (size_t i = 0; i < regex->sets.len; i++)
        PG_VEC_FREE(&regex->sets.items[i].ranges);
    PG_VEC_FREE(&regex->sets);
    PG_VEC_FREE(&regex->program);
    free(regex->now.items);
    free(regex->next.items);
    free(regex->stack);
    free(regex->mark);
    free(regex);
}

/* ---- Running ---- */

typedef struct place {
    int32_t before, after; /* characters around it; END_OF_TEXT at the ends */
} place;

static bool holds(assertion what, place at)
{
    bool edge = is_word(at.before) != is_word(at.after);
    switch (what) {
    case AT_START:
        return at.before == END_OF_TEXT;
    case AT_END:
        return at.after == END_OF_TEXT;
    case LINE_START:
        return at.before == END_OF_TEXT || at.before == '\n';
    case LINE_END:
        return at.after == END_OF_TEXT || at.after == '\n';
    case WORD_EDGE:
        return edge;
    default:
        return !edge;
    }
}

/* Follows everything that reads nothing; true when the program can end here. */
static bool follow(pg_regex *regex, thread_list *list, uint32_t first, place at)
{
    bool done = false;
    size_t depth = 0;
    regex->stack[depth++] = first;
    while (depth > 0) {
        uint32_t i = regex->stack[--depth];
        if (regex->mark[i] == regex->round)
            continue;
        regex->mark[i] = regex->round;
        const instruction *in = &regex->program.items[i];
        if (in->code == READ)
            list->items[list->len++] = i;
        else if (in->code == DONE)
            done = true;
        else if (in->code == CHECK && holds((assertion)in->a, at))
            regex->stack[depth++] = i + 1;
        else if (in->code == JUMP || in->code == FORK)
            regex->stack[depth++] = in->a;
        if (in->code == FORK)
            regex->stack[depth++] = in->b;
    }
    return done;
}

static void next_round(pg_regex *regex)
{
    if (++regex->round == 0) {
        memset(regex->mark, 0, regex->program.len * sizeof *regex->mark);
        regex->round = 1;
    }
}

bool pg_regex_matches(pg_regex *regex, pg_str text)
{
    size_t at = 0;
    place here_now = {END_OF_TEXT, text.len > 0 ? next_character(text, &at) : END_OF_TEXT};
    regex->now.len = 0;
    next_round(regex);
    bool done = follow(regex, &regex->now, 0, here_now);
    while (here_now.after != END_OF_TEXT && regex->now.len > 0) {
        int32_t c = here_now.after;
        here_now = (place){c, at < text.len ? next_character(text, &at) : END_OF_TEXT};
        done = false;
        regex->next.len = 0;
        next_round(regex);
        for (size_t i = 0; i < regex->now.len; i++) {
            uint32_t read = regex->now.items[i];
            if (set_has(&regex->sets.items[regex->program.items[read].a], c))
                done |= follow(regex, &regex->next, read + 1, here_now);
        }
        thread_list swap = regex->now;
        regex->now = regex->next;
        regex->next = swap;
    }
    return done && here_now.after == END_OF_TEXT;
}
