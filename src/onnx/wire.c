#include "onnx/wire.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"

enum { MAX_VARINT = 10, MAX_FIELD_NUMBER = (1 << 29) - 1 };

pg_wire_cursor pg_wire_open_message(pg_wire_source source, const pg_wire_message *message)
{
    pg_wire_cursor cursor = {.source = source};
    if (message->edited) {
        cursor.edited = message->fields;
        cursor.last = message->n_fields > 0 ? message->fields + message->n_fields : message->fields;
    } else if (message->span.len > 0) {
        cursor.next = message->span.ptr;
        cursor.end = message->span.ptr + message->span.len;
    }
    return cursor;
}

pg_wire_cursor pg_wire_open(pg_wire_source source, pg_str span)
{
    const pg_wire_message message = {.span = span};
    return pg_wire_open_message(source, &message);
}

pg_wire_message pg_wire_sub(const pg_wire_field *field, const pg_wire_type *type)
{
    return field->message != NULL ? *field->message : (pg_wire_message){.type = type, .span = field->bytes};
}

/* " at byte 12", or nothing for bytes outside the source. */
static void add_offset(pg_buf *out, const pg_wire_cursor *cursor, const char *at)
{
    uintptr_t offset = (uintptr_t)at - (uintptr_t)cursor->source.base;
    if (cursor->source.base != NULL && offset <= cursor->source.size)
        pg_buf_printf(out, " at byte %llu", (unsigned long long)offset);
}

PG_PRINTF(3, 4)
static bool fail(pg_wire_cursor *cursor, const char *at, const char *format, ...)
{
    char what[128];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (cursor->status == NULL) {
        pg_buf where = {0};
        add_offset(&where, cursor, at);
        cursor->status = pg_err(PG_ERR_INVALID, "damaged protobuf: %s%s", what, pg_buf_cstr(&where));
        pg_buf_deinit(&where);
    }
    return false;
}

/* False at the end of the bytes or after ten of them; *at moves on success only. */
static inline bool take_varint(const char **at, const char *end, uint64_t *out)
{
    const char *next = *at;
    uint64_t value = 0;
    for (int i = 0; i < MAX_VARINT && next < end; i++) {
        uint8_t byte = (uint8_t)*next++;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *out = value;
            *at = next;
            return true;
        }
    }
    return false;
}

static bool read_varint(pg_wire_cursor *cursor, uint64_t *out)
{
    if (take_varint(&cursor->next, cursor->end, out))
        return true;
    bool cut = cursor->end - cursor->next < MAX_VARINT;
    return fail(cursor, cursor->next, cut ? "a number that ends early" : "a number of more than ten bytes");
}

static bool read_tag(pg_wire_cursor *cursor, pg_wire_field *out)
{
    const char *start = cursor->next;
    uint64_t tag;
    if (!read_varint(cursor, &tag))
        return false;
    if (tag >> 3 == 0 || tag >> 3 > MAX_FIELD_NUMBER)
        return fail(cursor, start, "an invalid field number");
    out->number = (uint32_t)(tag >> 3);
    out->kind = (pg_wire_kind)(tag & 7);
    return true;
}

static bool read_fixed(pg_wire_cursor *cursor, size_t size, uint64_t *out)
{
    if ((size_t)(cursor->end - cursor->next) < size)
        return fail(cursor, cursor->next, "a number that ends early");
    *out = 0;
    memcpy(out, cursor->next, size);
    cursor->next += size;
    return true;
}

static bool read_bytes(pg_wire_cursor *cursor, pg_str *out)
{
    const char *start = cursor->next;
    uint64_t length, left;
    if (!read_varint(cursor, &length))
        return false;
    left = (uint64_t)(cursor->end - cursor->next);
    if (length > left)
        return fail(cursor, start, "a field of %llu bytes where %llu are left", (unsigned long long)length,
                    (unsigned long long)left);
    *out = (pg_str){cursor->next, length};
    cursor->next += length;
    return true;
}

static bool read_value(pg_wire_cursor *cursor, pg_wire_field *out)
{
    switch ((int)out->kind) {
    case PG_WIRE_VARINT:
        return read_varint(cursor, &out->value);
    case PG_WIRE_FIXED64:
        return read_fixed(cursor, 8, &out->value);
    case PG_WIRE_FIXED32:
        return read_fixed(cursor, 4, &out->value);
    case PG_WIRE_BYTES:
        return read_bytes(cursor, &out->bytes);
    default:
        return fail(cursor, cursor->next, "an invalid kind of field");
    }
}

/* Moves past a group's fields up to its own end mark. */
static bool skip_group(pg_wire_cursor *cursor, uint32_t number)
{
    enum { END_GROUP = 4 };
    uint32_t open[PG_WIRE_MAX_DEPTH] = {number};
    size_t depth = 1;
    while (depth > 0) {
        const char *start = cursor->next;
        pg_wire_field field = {0};
        if (start == cursor->end)
            return fail(cursor, start, "a group without an end");
        if (!read_tag(cursor, &field))
            return false;
        if (field.kind == PG_WIRE_GROUP) {
            if (depth == PG_WIRE_MAX_DEPTH)
                return fail(cursor, start, "groups nested too deep");
            open[depth++] = field.number;
        } else if ((int)field.kind == END_GROUP) {
            if (field.number != open[--depth])
                return fail(cursor, start, "the end of a group that is not open");
        } else if (!read_value(cursor, &field)) {
            return false;
        }
    }
    return true;
}

bool pg_wire_next(pg_wire_cursor *cursor, pg_wire_field *out)
{
    if (cursor->edited != cursor->last) {
        *out = *cursor->edited++;
        return true;
    }
    if (cursor->next == cursor->end || cursor->status != NULL)
        return false;
    const char *start = cursor->next;
    *out = (pg_wire_field){0};
    if (!read_tag(cursor, out))
        return false;
    if (out->kind == PG_WIRE_GROUP ? !skip_group(cursor, out->number) : !read_value(cursor, out))
        return false;
    out->span = (pg_str){start, (size_t)(cursor->next - start)};
    return true;
}

static size_t fixed_size(pg_wire_kind kind)
{
    return kind == PG_WIRE_FIXED64 ? 8 : 4;
}

/* How many packed numbers a payload holds. */
static bool count_packed(pg_wire_cursor *cursor, pg_str payload, pg_wire_kind kind, uint64_t *out)
{
    if (kind != PG_WIRE_VARINT) {
        *out = payload.len / fixed_size(kind);
        return payload.len % fixed_size(kind) == 0 ||
               fail(cursor, payload.ptr, "a packed list with part of a number");
    }
    uint64_t count = 0;
    for (size_t i = 0; i < payload.len; i++)
        count += (uint8_t)payload.ptr[i] < 0x80;
    *out = count;
    return payload.len == 0 || (uint8_t)payload.ptr[payload.len - 1] < 0x80 ||
           fail(cursor, payload.ptr, "a packed list with part of a number");
}

pg_status pg_wire_count_numbers(pg_wire_source source, const pg_wire_message *message, uint32_t number,
                                pg_wire_kind kind, uint64_t *out)
{
    *out = 0;
    pg_wire_cursor cursor = pg_wire_open_message(source, message);
    for (pg_wire_field field; pg_wire_next(&cursor, &field);) {
        uint64_t count = 1;
        if (field.number != number || (field.kind != kind && field.kind != PG_WIRE_BYTES))
            continue;
        if (field.kind == PG_WIRE_BYTES && !count_packed(&cursor, field.bytes, kind, &count))
            break;
        *out += count;
    }
    return cursor.status;
}

/* Numbers stored so far, one after another, `width` bytes each. */
typedef struct number_sink {
    char *next;
    size_t width;
    uint64_t left;
} number_sink;

static bool store(number_sink *sink, uint64_t value)
{
    if (sink->left == 0)
        return false;
    memcpy(sink->next, &value, sink->width); /* little-endian: the low bytes come first */
    sink->next += sink->width;
    sink->left--;
    return true;
}

static bool store_packed(pg_wire_cursor *cursor, pg_str payload, pg_wire_kind kind, number_sink *sink)
{
    if (kind != PG_WIRE_VARINT) {
        uint64_t count;
        if (!count_packed(cursor, payload, kind, &count) || count > sink->left)
            return false;
        if (count > 0)
            memcpy(sink->next, payload.ptr, payload.len);
        sink->next += payload.len;
        sink->left -= count;
        return true;
    }
    const char *at = payload.ptr, *end = payload.len > 0 ? at + payload.len : at;
    for (uint64_t value; at < end;) {
        if (!take_varint(&at, end, &value))
            return fail(cursor, at, "a number of more than ten bytes");
        if (!store(sink, value))
            return false;
    }
    return true;
}

pg_status pg_wire_read_numbers(pg_wire_source source, const pg_wire_message *message, uint32_t number,
                               pg_wire_kind kind, size_t width, void *out, uint64_t capacity)
{
    number_sink sink = {.next = out, .width = width, .left = capacity};
    pg_wire_cursor cursor = pg_wire_open_message(source, message);
    for (pg_wire_field field; pg_wire_next(&cursor, &field);) {
        if (field.number != number)
            continue;
        if (field.kind == kind
                ? !store(&sink, field.value)
                : field.kind == PG_WIRE_BYTES && !store_packed(&cursor, field.bytes, kind, &sink))
            break;
    }
    return cursor.status;
}

const pg_wire_type *pg_wire_child_type(const pg_wire_type *type, uint32_t number)
{
    if (type == NULL)
        return NULL;
    for (const pg_wire_child *child = type->children; child->number != 0; child++)
        if (child->number == number)
            return child->type;
    return NULL;
}

/* Trees */

pg_wire_message *pg_wire_new(pg_arena *arena, const pg_wire_type *type)
{
    pg_wire_message *message = PG_ARENA_NEW(arena, pg_wire_message);
    message->type = type;
    message->edited = true;
    return message;
}

pg_wire_field *pg_wire_add(pg_arena *arena, pg_wire_message *message, uint32_t number, pg_wire_kind kind)
{
    PG_ASSERT(message->edited);
    if (message->n_fields == message->cap_fields) {
        PG_ASSERT(message->cap_fields <= UINT32_MAX / 2);
        uint32_t cap = message->cap_fields > 0 ? message->cap_fields * 2 : 4;
        pg_wire_field *fields = PG_ARENA_ARRAY(arena, pg_wire_field, cap);
        if (message->n_fields > 0)
            memcpy(fields, message->fields, message->n_fields * sizeof *fields);
        message->fields = fields;
        message->cap_fields = cap;
    }
    pg_wire_field *field = &message->fields[message->n_fields++];
    *field = (pg_wire_field){.number = number, .kind = kind};
    return field;
}

pg_status pg_wire_edit(pg_arena *arena, pg_wire_source source, const pg_wire_message *message,
                       pg_wire_message **out)
{
    pg_wire_message *copy = pg_wire_new(arena, message->type);
    *out = copy;
    pg_wire_cursor cursor = pg_wire_open_message(source, message);
    for (pg_wire_field field; pg_wire_next(&cursor, &field);)
        *pg_wire_add(arena, copy, 1, PG_WIRE_VARINT) = field;
    return cursor.status;
}

void pg_wire_add_int(pg_arena *arena, pg_wire_message *message, uint32_t number, int64_t value)
{
    pg_wire_add(arena, message, number, PG_WIRE_VARINT)->value = (uint64_t)value;
}

void pg_wire_add_float(pg_arena *arena, pg_wire_message *message, uint32_t number, float value)
{
    memcpy(&pg_wire_add(arena, message, number, PG_WIRE_FIXED32)->value, &value, sizeof value);
}

void pg_wire_add_str(pg_arena *arena, pg_wire_message *message, uint32_t number, pg_str text)
{
    pg_wire_add(arena, message, number, PG_WIRE_BYTES)->bytes = text;
}

void pg_wire_add_message(pg_arena *arena, pg_wire_message *message, uint32_t number, pg_wire_message *child)
{
    pg_wire_add(arena, message, number, PG_WIRE_BYTES)->message = child;
}

size_t pg_wire_remove(pg_wire_message *message, uint32_t number)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < message->n_fields; i++)
        if (message->fields[i].number != number)
            message->fields[kept++] = message->fields[i];
    size_t removed = message->n_fields - kept;
    message->n_fields = kept;
    return removed;
}

/* Writing */

static size_t encode_varint(uint64_t value, char *out)
{
    size_t n = 0;
    for (; value >= 0x80; value >>= 7)
        out[n++] = (char)(value | 0x80);
    out[n++] = (char)value;
    return n;
}

static uint64_t varint_size(uint64_t value)
{
    char bytes[MAX_VARINT];
    return encode_varint(value, bytes);
}

static uint64_t tag_of(const pg_wire_field *field)
{
    return (uint64_t)field->number << 3 | (uint64_t)field->kind;
}

static uint64_t field_size(const pg_wire_field *field)
{
    if (field->span.ptr != NULL && field->message == NULL)
        return field->span.len;
    uint64_t tag = varint_size(tag_of(field));
    if (field->kind == PG_WIRE_VARINT)
        return tag + varint_size(field->value);
    if (field->kind != PG_WIRE_BYTES)
        return tag + fixed_size(field->kind);
    uint64_t payload = field->message != NULL ? pg_wire_size(field->message) : field->bytes.len;
    return tag + varint_size(payload) + payload;
}

uint64_t pg_wire_size(const pg_wire_message *message)
{
    if (!message->edited)
        return message->span.len;
    uint64_t size = 0;
    for (uint32_t i = 0; i < message->n_fields; i++)
        size += field_size(&message->fields[i]);
    return size;
}

static void write_field(const pg_wire_field *field, pg_wire_emit_fn emit, void *context)
{
    if (field->span.ptr != NULL && field->message == NULL) {
        emit(context, field->span.ptr, field->span.len);
        return;
    }
    char head[2 * MAX_VARINT];
    size_t n = encode_varint(tag_of(field), head);
    if (field->kind == PG_WIRE_VARINT) {
        n += encode_varint(field->value, head + n);
        emit(context, head, n);
    } else if (field->kind != PG_WIRE_BYTES) {
        memcpy(head + n, &field->value, fixed_size(field->kind));
        emit(context, head, n + fixed_size(field->kind));
    } else {
        uint64_t payload = field->message != NULL ? pg_wire_size(field->message) : field->bytes.len;
        n += encode_varint(payload, head + n);
        emit(context, head, n);
        if (field->message != NULL)
            pg_wire_write(field->message, emit, context);
        else if (payload > 0)
            emit(context, field->bytes.ptr, payload);
    }
}

void pg_wire_write(const pg_wire_message *message, pg_wire_emit_fn emit, void *context)
{
    if (!message->edited) {
        if (message->span.len > 0)
            emit(context, message->span.ptr, message->span.len);
        return;
    }
    for (uint32_t i = 0; i < message->n_fields; i++)
        write_field(&message->fields[i], emit, context);
}

static void emit_to_buf(void *context, const void *bytes, uint64_t size)
{
    pg_buf_add(context, bytes, size);
}

void pg_wire_write_buf(const pg_wire_message *message, pg_buf *out)
{
    pg_buf_reserve(out, pg_wire_size(message));
    pg_wire_write(message, emit_to_buf, out);
}

void pg_wire_put_varint(pg_buf *out, uint64_t value)
{
    char bytes[MAX_VARINT];
    pg_buf_add(out, bytes, encode_varint(value, bytes));
}

void pg_wire_put_int(pg_buf *out, uint32_t number, int64_t value)
{
    pg_wire_put_varint(out, (uint64_t)number << 3 | PG_WIRE_VARINT);
    pg_wire_put_varint(out, (uint64_t)value);
}

void pg_wire_put_bytes(pg_buf *out, uint32_t number, const void *bytes, uint64_t size)
{
    pg_wire_put_varint(out, (uint64_t)number << 3 | PG_WIRE_BYTES);
    pg_wire_put_varint(out, size);
    pg_buf_add(out, bytes, size);
}
