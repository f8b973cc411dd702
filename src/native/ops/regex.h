/* Regular expressions in RE2's syntax, for whole matches: does all of a text match a pattern?
 *
 * Patterns become a program of an automaton that reads the text once, all alternatives side by side, so time
 * grows with pattern times text and no pattern can blow up. Which of several matches is meant (greedy or not,
 * leftmost) makes no difference to a whole match.
 *
 * Known: literals, escapes, ".", classes with ranges, \d \s \w \D \S \W, [[:name:]],
 * groups (plain, (?:), (?P<name>), (?flags) with i m s U), | * + ? {n,m} and their lazy forms,
 * ^ $ \A \z \b \B, \Q...\E. Text and pattern are UTF-8; a byte that is none counts as one character. */
#ifndef PG_NATIVE_OPS_REGEX_H
#define PG_NATIVE_OPS_REGEX_H

#include <stdbool.h>

#include "base/status.h"
#include "base/str.h"

typedef struct pg_regex pg_regex;

/* PG_ERR_INVALID for a malformed pattern, PG_ERR_UNSUPPORTED for what is not known here, PG_ERR_LIMIT for one
 * that is too large; with the byte offset. */
PG_MUST_USE pg_status pg_regex_new(pg_str pattern, pg_regex **out);
void pg_regex_free(pg_regex *regex); /* NULL is fine */
/* Not for several threads at once: the automaton's states are kept in the regex. */
bool pg_regex_matches(pg_regex *regex, pg_str text);

#endif
