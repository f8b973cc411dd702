/* JSON as Python's json module reads and writes it: bare NaN, Infinity and -Infinity are numbers, the last of
 * two equal keys wins. The reader works in place on a mapped file: strings and numbers stay where they are,
 * so a document costs memory for its structure only, and a long string costs one scan at memory speed.
 *
 *     pg_json_doc doc;
 *     PG_TRY(pg_json_open(path, &doc));
 *     const pg_json *name = pg_json_find(&doc.root, "runner_name");
 *     if (name != NULL && pg_json_text(name, &doc.arena, &text)) ...
 *     pg_json_close(&doc);
 *
 * Numbers are read and printed the same way under every locale. */
#ifndef PG_JSON_JSON_H
#define PG_JSON_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/status.h"
#include "base/str.h"

enum { PG_JSON_MAX_DEPTH = 128 };

typedef enum pg_json_kind {
    PG_JSON_NULL = 0,
    PG_JSON_BOOL,
    PG_JSON_NUMBER,
    PG_JSON_STRING,
    PG_JSON_ARRAY,
    PG_JSON_OBJECT,
} pg_json_kind;

typedef struct pg_json_member pg_json_member;
typedef struct pg_json {
    uint8_t kind;    /* pg_json_kind */
    bool truth;      /* of a bool */
    bool escaped;    /* the string holds backslashes: pg_json_text resolves them */
    size_t count;    /* items, members, or bytes of text */
    uint64_t offset; /* of its first character in the document, for messages */
    union {
        const char *text; /* a number as written; a string between its quotes */
        const struct pg_json *items;
        const pg_json_member *members; /* in file order, equal keys included */
    };
} pg_json;
struct pg_json_member {
    pg_str key; /* escapes resolved */
    pg_json value;
};

/* Parses a whole document; `name` is for messages. Views point into `bytes` and `arena`, which must outlive
 * *out. Errors name the document, what was expected, the byte offset and the line; depth is limited to
 * PG_JSON_MAX_DEPTH. A byte order mark at the start is skipped. */
PG_MUST_USE pg_status pg_json_parse(const void *bytes, uint64_t size, const char *name, pg_arena *arena,
                                    pg_json *out);

/* A mapped file and its document. */
typedef struct pg_json_doc {
    pg_file_map map;
    pg_arena arena;
    pg_json root;
} pg_json_doc;
PG_MUST_USE pg_status pg_json_open(const char *path, pg_json_doc *out);
void pg_json_close(pg_json_doc *doc); /* a zeroed document is fine */
/* 1-based line of a byte offset. */
uint64_t pg_json_line(const void *bytes, uint64_t size, uint64_t offset);

/* A member's value; NULL when the key is missing or `object` is not an object. */
const pg_json *pg_json_find(const pg_json *object, const char *key);
/* False when the value is of another kind. A string without escapes is a view of the document, else a copy in
 * the arena. Escaped lone surrogates U+DC80 to U+DCFF become the bytes 80 to FF (Python's "surrogateescape").
 */
bool pg_json_text(const pg_json *value, pg_arena *arena, pg_str *out);
bool pg_json_is(const pg_json *value, const char *text); /* a string without escapes, equal to text */
bool pg_json_f64(const pg_json *value, double *out);
bool pg_json_i64(const pg_json *value, int64_t *out); /* also false for 1.0 and 1e3 */
const char *pg_json_kind_name(pg_json_kind kind);     /* "a list", "an object", "a string", ... */

/* Shortest text that reads back as the same number, as Python's repr: "1e-05", "1.0", "NaN". */
enum { PG_JSON_NUMBER_SIZE = 40 };
void pg_json_f64_text(double value, char out[PG_JSON_NUMBER_SIZE]);
void pg_json_f32_text(float value, char out[PG_JSON_NUMBER_SIZE]); /* shortest for a float */

/* Writes a document piece by piece, byte for byte as Python's json.dump(indent=4): ASCII only, ", " only
 * where there is no indent, no final newline. Goes to a file or to memory; errors of a file are its commit's.
 * Calls must nest; a wrong order is a bug of the caller. */
typedef struct pg_json_writer {
    pg_writer *file; /* one of the two */
    pg_buf *memory;
    int indent; /* blanks per level; -1 = everything on one line */
    unsigned depth;
    bool after_key;
    bool has_items[PG_JSON_MAX_DEPTH + 1];
    char *block; /* base64: encoded text on its way out */
    uint8_t rest[3];
    unsigned n_rest;
} pg_json_writer;

void pg_json_to_file(pg_json_writer *writer, pg_writer *file, int indent);
void pg_json_to_memory(pg_json_writer *writer, pg_buf *memory, int indent);
void pg_json_begin_object(pg_json_writer *writer);
void pg_json_end_object(pg_json_writer *writer);
void pg_json_begin_array(pg_json_writer *writer);
void pg_json_end_array(pg_json_writer *writer);
void pg_json_key(pg_json_writer *writer, const char *key);
void pg_json_key_str(pg_json_writer *writer, pg_str key);
void pg_json_put_null(pg_json_writer *writer);
void pg_json_put_bool(pg_json_writer *writer, bool value);
void pg_json_put_i64(pg_json_writer *writer, int64_t value);
void pg_json_put_u64(pg_json_writer *writer, uint64_t value);
void pg_json_put_f64(pg_json_writer *writer, double value);
void pg_json_put_f32(pg_json_writer *writer, float value);
/* Text is UTF-8; a byte that is not becomes \udcXX, as Python writes names it could not decode. */
void pg_json_put_str(pg_json_writer *writer, pg_str text);
void pg_json_put_cstr(pg_json_writer *writer, const char *text);
/* A number already printed as JSON. */
void pg_json_put_number(pg_json_writer *writer, const char *text);
/* A string of base64, its bytes given in any number of pieces. */
void pg_json_begin_base64(pg_json_writer *writer);
void pg_json_add_base64(pg_json_writer *writer, const void *bytes, uint64_t size);
void pg_json_end_base64(pg_json_writer *writer);
/* `"key": value` in one call. */
void pg_json_field_str(pg_json_writer *writer, const char *key, pg_str value);
void pg_json_field_f64(pg_json_writer *writer, const char *key, double value);
void pg_json_field_i64(pg_json_writer *writer, const char *key, int64_t value);
void pg_json_field_bool(pg_json_writer *writer, const char *key, bool value);

#endif
