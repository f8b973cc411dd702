/* Protobuf's wire format over bytes that stay where they are: a checked cursor for reading, and a message
 * tree for edits whose untouched parts are spans of the original, so that an unedited message is written back
 * byte for byte, unknown fields included.
 *
 *     pg_wire_cursor cursor = pg_wire_open(source, span);
 *     for (pg_wire_field field; pg_wire_next(&cursor, &field);)
 *         if (field.number == 2 && field.kind == PG_WIRE_BYTES)
 *             name = field.bytes;
 *     PG_TRY(cursor.status);                       // a damaged field ends the loop as the end does
 *
 * Lengths are 64 bits wide and checked against what is left; messages nest at most PG_WIRE_MAX_DEPTH deep. */
#ifndef PG_ONNX_WIRE_H
#define PG_ONNX_WIRE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "base/str.h"

enum { PG_WIRE_MAX_DEPTH = 100 };

typedef enum pg_wire_kind {
    PG_WIRE_VARINT = 0,
    PG_WIRE_FIXED64 = 1,
    PG_WIRE_BYTES = 2,
    PG_WIRE_GROUP = 3, /* obsolete; skipped whole */
    PG_WIRE_FIXED32 = 5,
} pg_wire_kind;

typedef struct pg_wire_message pg_wire_message;
typedef struct pg_wire_type pg_wire_type;

typedef struct pg_wire_field {
    uint32_t number;
    pg_wire_kind kind;
    uint64_t value; /* numbers */
    pg_str bytes;   /* PG_WIRE_BYTES: the payload */
    pg_str span;    /* tag and payload as they lie in the file; ptr NULL for a field that was made here */
    pg_wire_message *message; /* of an edited message: replaces `bytes` */
} pg_wire_field;

/* The bytes that offsets in messages are counted in; damage elsewhere (in memory) is reported without one. */
typedef struct pg_wire_source {
    const char *base;
    uint64_t size;
} pg_wire_source;

typedef struct pg_wire_cursor {
    const char *next, *end;             /* of a span */
    const pg_wire_field *edited, *last; /* of an edited message */
    pg_wire_source source;
    pg_status status; /* set when pg_wire_next found damage; the caller takes it */
} pg_wire_cursor;

pg_wire_cursor pg_wire_open(pg_wire_source source, pg_str span);
/* Reads a span of a file or an edited message alike. */
pg_wire_cursor pg_wire_open_message(pg_wire_source source, const pg_wire_message *message);
/* False at the end and on damage. */
bool pg_wire_next(pg_wire_cursor *cursor, pg_wire_field *out);
/* The message that a field holds. */
pg_wire_message pg_wire_sub(const pg_wire_field *field, const pg_wire_type *type);

/* Values of a repeated number field, packed or not: how many there are in a message, and the values
 * themselves, `width` low bytes each (8, 4, 2 or 1; the fixed kinds: their own size). `kind` is the kind of
 * one value. */
PG_MUST_USE pg_status pg_wire_count_numbers(pg_wire_source source, const pg_wire_message *message,
                                            uint32_t number, pg_wire_kind kind, uint64_t *out);
PG_MUST_USE pg_status pg_wire_read_numbers(pg_wire_source source, const pg_wire_message *message,
                                           uint32_t number, pg_wire_kind kind, size_t width, void *out,
                                           uint64_t capacity);

/* Which fields of a message are messages themselves. */
typedef struct pg_wire_child {
    uint32_t number; /* 0 ends the list */
    const pg_wire_type *type;
} pg_wire_child;
struct pg_wire_type {
    const char *name;
    pg_wire_child children[9]; /* ended by a zero */
};
const pg_wire_type *pg_wire_child_type(const pg_wire_type *type, uint32_t number); /* NULL: no message */

/* A message: its span while it is as in the file, else a list of fields. Trees live in an arena. */
struct pg_wire_message {
    const pg_wire_type *type;
    pg_str span; /* payload without its own tag and length; meaningless once edited */
    pg_wire_field *fields;
    uint32_t n_fields, cap_fields;
    bool edited;
};

/* An empty message to add fields to. */
pg_wire_message *pg_wire_new(pg_arena *arena, const pg_wire_type *type);
/* A copy of `message` that can be edited: its fields one level deep, sub-messages still spans. */
PG_MUST_USE pg_status pg_wire_edit(pg_arena *arena, pg_wire_source source, const pg_wire_message *message,
                                   pg_wire_message **out);
/* Appends to an edited message. Texts are borrowed: they must live as long as the tree. */
pg_wire_field *pg_wire_add(pg_arena *arena, pg_wire_message *message, uint32_t number, pg_wire_kind kind);
void pg_wire_add_int(pg_arena *arena, pg_wire_message *message, uint32_t number, int64_t value);
void pg_wire_add_float(pg_arena *arena, pg_wire_message *message, uint32_t number, float value);
void pg_wire_add_str(pg_arena *arena, pg_wire_message *message, uint32_t number, pg_str text);
void pg_wire_add_message(pg_arena *arena, pg_wire_message *message, uint32_t number, pg_wire_message *child);
/* Removes every field of a number; returns how many there were. */
size_t pg_wire_remove(pg_wire_message *message, uint32_t number);

/* The bytes of a message, in order, as a sequence of spans. */
typedef void (*pg_wire_emit_fn)(void *context, const void *bytes, uint64_t size);
uint64_t pg_wire_size(const pg_wire_message *message);
void pg_wire_write(const pg_wire_message *message, pg_wire_emit_fn emit, void *context);
void pg_wire_write_buf(const pg_wire_message *message, pg_buf *out);

/* Plain encoding into a buffer. */
void pg_wire_put_varint(pg_buf *out, uint64_t value);
void pg_wire_put_int(pg_buf *out, uint32_t number, int64_t value);
void pg_wire_put_bytes(pg_buf *out, uint32_t number, const void *bytes, uint64_t size);

#endif
