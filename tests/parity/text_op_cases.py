"""Text operators: cases for op_oracle.py."""
import numpy as np


def texts(*items, shape=None):
    array = np.array(items, dtype=object)
    return array.reshape(shape) if shape is not None else array


PATTERNS = {
    "literal": "abc", "dot": "a.c", "either": "ab|cd|", "star": "a*b", "plus_lazy": "a+?b*?", "counts": "a{2,3}b{2}c{1,}",
    "digits": r"\d+-\D+", "words": r"\w+\s\W\S*", "group": r"(ab|c(?:d|e)+)*f?", "named": r"(?P<year>\d{4})-(?P<m>\d\d)",
    "class": r"[a-c\d_]+[^a-z]", "class_bracket": "[]a]+", "class_dash": "[a-]+", "posix": "[[:alpha:]]+[[:^digit:]]",
    "fold": "(?i)aBc[d-f]", "fold_group": "(?i:ab)c", "dot_all": "(?s)a.b", "multi": "(?m)^a$\n^b$", "anchors": "^abc$",
    "word_edge": r"\bab\b \Bc", "quote": r"\Qa.b*\E+", "hex": r"\x41\x{e9}", "octal": r"\101", "escape": r"\.\*\t",
    "brace": "a{,3}", "utf8": "é+.", "empty": "", "mail": r"[\w.+-]+@[\w-]+\.[a-z]{2,}", "any": "(?s).*",
    "nested": "((a|b)*(c|d)*)*e", "none": "[^\\s\\S]", "start": r"\Aab\z", "alternate_empty": "(|a)+b",
}
SUBJECTS = ["", "abc", "a.c", "ab", "cd", "aab", "aabb", "aabbc", "aaabbccc", "12-ab", "ab *c", "a\n", "abcdeabf", "2024-05", "a1_Z",
            "]a]", "a-a", "abC", "ABCe", "abcF", "ABc", "a\nb", "ab cd", "a.b***", "a.b**", "Aé", "A", ".*\t", "a{,3}", "ééx", "é",
            "me@host.org", "me@host", "abcde", "ababccddabe", "b", "aab ", "naïve"]


def add_texts(add):
    subjects = texts(*SUBJECTS)
    for name, pattern in PATTERNS.items():
        add(f"regex_{name}", "RegexFullMatch", [subjects], {"pattern": pattern})
    for name, pattern in {"open": "(a", "close": "a)", "repeat": "*a", "twice": "a**", "class": "[a", "escape": "\\y",
                          "backwards": "[b-a]", "counts": "a{3,2}", "much": "a{1001}", "look": "(?=a)", "back": r"(a)\1"}.items():
        add(f"regex_refused_{name}", "RegexFullMatch", [subjects], {"pattern": pattern}, refused=True)
    # Left out, since ONNX Runtime differs from the standard's reference: tabs are no white space to it, and an empty text
    # has no parts rather than one when a delimiter is given.
    words = ["a b c", " a  b c ", "x", "abc", "a,b,,c", ",a,", "a, b , c", "  ", "a::b::::c"]
    for delimiter in (None, "", ",", "::", "a"):
        for most in (None, 0, 1, 2):
            attributes = {}
            if delimiter is not None:
                attributes["delimiter"] = delimiter
            if most is not None:
                attributes["maxsplit"] = most
            add(f"split_{delimiter}_{most}", "StringSplit", [texts(*words, shape=(3, 3))], attributes, n_outputs=2)
    add("concat", "StringConcat", [texts("a", "b", "", "é", shape=(2, 2)), texts("x", "", shape=(2, 1))])
    add("split_empty", "StringSplit", [texts("", "a")], n_outputs=2)
    # The locale is one that needs no language pack.
    days = texts("Monday", "Tuesday", "monday", "ÉTÉ", "Straße", "été", "ß")
    for sensitive in (0, 1):
        for action in ("NONE", "LOWER", "UPPER"):
            attributes = {"case_change_action": action, "is_case_sensitive": sensitive, "locale": "C.utf8", "stopwords": ["monday", "ÉTÉ"]}
            add(f"normalize_{sensitive}_{action}", "StringNormalizer", [days], attributes)
            add(f"normalize_all_gone_{sensitive}_{action}", "StringNormalizer", [texts("monday")], attributes)


def add_ngrams(add):
    pool = dict(ngram_counts=[0, 3], ngram_indexes=[2, 0, 1, 5, 3, 4], pool_int64s=[1, 2, 3, 1, 2, 2, 3, 4, 4],
                weights=[.5, 2., 3., 4., 5., 6.])
    rng = np.random.default_rng(0)
    for mode in ("TF", "IDF", "TFIDF"):
        for low, high, skip in ((1, 1, 0), (1, 2, 0), (1, 2, 3), (2, 2, 1), (2, 2, 100)):
            attributes = dict(pool, mode=mode, min_gram_length=low, max_gram_length=high, max_skip_count=skip)
            tokens = rng.integers(1, 5, (3, 9))
            add(f"ngrams_{mode}_{low}{high}{skip}", "TfIdfVectorizer", [tokens], attributes)
            add(f"ngrams_row_{mode}_{low}{high}{skip}", "TfIdfVectorizer", [tokens[0].astype(np.int32)], attributes)
    names = dict(ngram_counts=[0, 2], ngram_indexes=[0, 1, 2], pool_strings=["a", "b", "a", "b"], mode="TF", min_gram_length=1,
                 max_gram_length=2, max_skip_count=1)
    add("ngrams_text", "TfIdfVectorizer", [texts("a", "b", "c", "a", "a", "b", shape=(2, 3))], names)
    add("ngrams_short_row", "TfIdfVectorizer", [texts("a", shape=(1, 1))], names)


def cases(add):
    add_texts(add)
    add_ngrams(add)
