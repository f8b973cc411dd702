/* Regular expressions for whole matches: what matches, what does not, and what is refused. */
#include "unit/harness.h"

#include "base/clock.h"
#include "native/ops/regex.h"

static bool matches(const char *pattern, const char *text)
{
    pg_regex *regex = NULL;
    CHECK_OK(pg_regex_new(pg_str_c(pattern), &regex));
    const bool result = regex != NULL && pg_regex_matches(regex, pg_str_c(text));
    pg_regex_free(regex);
    return result;
}

static pg_status refusal(const char *pattern)
{
    pg_regex *regex = NULL;
    pg_status status = pg_regex_new(pg_str_c(pattern), &regex);
    if (status == NULL)
        pg_regex_free(regex);
    return status;
}

TEST(whole_texts_only)
{
    CHECK(matches("b+", "bbb"));
    CHECK(!matches("b+", "abbb"));
    CHECK(!matches("b+", "bbba"));
    CHECK(matches("", ""));
    CHECK(!matches("", "a"));
}

TEST(alternatives_and_repetitions)
{
    CHECK(matches("(ab|c(?:d|e)+)*f?", "abcdecdf"));
    CHECK(!matches("(ab|c(?:d|e)+)*f?", "abc"));
    CHECK(matches("a{2,3}", "aa") && matches("a{2,3}", "aaa") && !matches("a{2,3}", "aaaa"));
    CHECK(matches("a+?b*?", "aab"));
    CHECK(matches("a{,3}", "a{,3}"));
    CHECK(matches("(|a)+b", "aab"));
}

TEST(classes)
{
    CHECK(matches("[]a]+", "]a]") && matches("[a-]+", "a-") && matches("[^a-c]", "d") &&
          !matches("[^a-c]", "b"));
    CHECK(matches("\\d\\D\\w\\W\\s\\S", "1a_- x"));
    CHECK(matches("[[:alpha:]][[:^digit:]]", "a-") && !matches("[[:alpha:]]", "1"));
    CHECK(matches("[\\d-]+", "1-2"));
}

TEST(characters_are_utf8)
{
    CHECK(matches(".", "\xc3\xa9") && matches("\\x{e9}", "\xc3\xa9") &&
          matches("[\xc3\xa0-\xc3\xbf]", "\xc3\xa9"));
    CHECK(!matches(".", "\xc3\xa9\xc3\xa9"));
    CHECK(matches("..", "\xff\xfe")); /* bytes that are no characters count as one each */
    CHECK(matches(".", "\xf0\x9f\x98\x80"));
}

TEST(flags_end_with_their_group)
{
    CHECK(matches("(?i)aBc", "AbC") && matches("(?i:a)b", "Ab") && !matches("(?i:a)b", "AB"));
    CHECK(!matches("a.b", "a\nb") && matches("(?s)a.b", "a\nb"));
    CHECK(matches("(?m)^a$\n^b$", "a\nb") && !matches("^a$\n^b$", "a\nb"));
    CHECK(matches("\\Qa.b*\\E+", "a.b**") && !matches("\\Qa.b*\\E+", "a.b*a.b*"));
    CHECK(matches("\\bab\\b c\\Bd", "ab cd"));
}

TEST(no_pattern_blows_up)
{
    char text[2001];
    memset(text, 'a', 2000);
    text[2000] = '\0';
    const uint64_t start = pg_clock_ns();
    CHECK(!matches("(a*)*(a|aa)*(a?){50}b", text));
    CHECK(pg_clock_seconds_since(start) < 20); /* exponential time would be years */
}

TEST(malformed_patterns_are_refused)
{
    static const char *const wrong[] = {"(a",    "a)",  "*a",  "a**",    "[a",
                                        "[b-a]", "\\y", "a\\", "a{3,2}", "\\x{110000}"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CHECK_ERR(refusal(wrong[i]), PG_ERR_INVALID, "pattern '");
    CHECK_ERR(refusal("(?=a)"), PG_ERR_UNSUPPORTED, "'(?='");
    CHECK_ERR(refusal("(a)\\1"), PG_ERR_UNSUPPORTED, "'\\1'");
    CHECK_ERR(refusal("\\pL"), PG_ERR_UNSUPPORTED, "'\\p'");
    CHECK_ERR(refusal("a{1001}"), PG_ERR_LIMIT, "1000 repetitions");
    CHECK_ERR(refusal("((a{900}){900}){900}"), PG_ERR_LIMIT, "too large");
    CHECK_ERR(refusal("(((){900}){900}){900}"), PG_ERR_LIMIT, "too large");
}

TEST_MAIN(RUN(whole_texts_only); RUN(alternatives_and_repetitions); RUN(classes); RUN(characters_are_utf8);
          RUN(flags_end_with_their_group); RUN(no_pattern_blows_up); RUN(malformed_patterns_are_refused);)
