#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

enum { ALIGNMENT = 16, FIRST_BLOCK = 4096, LARGEST_STEP = 1 << 20 };

struct pg_arena_block {
    pg_arena_block *next;
    size_t size;
    _Alignas(16) char bytes[];
};

void pg_arena_init(pg_arena *arena)
{
    *arena = (pg_arena){0};
}

void pg_arena_deinit(pg_arena *arena)
{
    for (pg_arena_block *block = arena->blocks, *next; block != NULL; block = next) {
        next = block->next;
        free(block);
    }
    *arena = (pg_arena){0};
}

static void add_block(pg_arena *arena, size_t need)
{
    size_t size = arena->blocks != NULL ? PG_MIN(arena->blocks->size * 2, (size_t)LARGEST_STEP) : FIRST_BLOCK;
    size = PG_MAX(size, need);
    pg_arena_block *block = pg_calloc(1, sizeof *block + size);
    block->next = arena->blocks;
    block->size = size;
    arena->blocks = block;
    arena->next = block->bytes;
    arena->end = block->bytes + size;
}

void *pg_arena_alloc(pg_arena *arena, size_t count, size_t size)
{
    uint64_t bytes;
    if (pg_mul_overflow(count, size, &bytes) || pg_add_overflow(bytes, ALIGNMENT - 1, &bytes))
        PG_BUG("arena request of %zu x %zu bytes overflows", count, size);
    bytes = bytes / ALIGNMENT * ALIGNMENT;
    if (bytes == 0)
        bytes = ALIGNMENT;
    if (arena->next == NULL || (size_t)(arena->end - arena->next) < bytes)
        add_block(arena, bytes);
    void *pointer = arena->next;
    arena->next += bytes;
    arena->total += bytes;
    return pointer;
}

char *pg_arena_cstr(pg_arena *arena, pg_str text)
{
    char *copy = pg_arena_alloc(arena, text.len + 1, 1);
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    return copy;
}

pg_str pg_arena_str(pg_arena *arena, pg_str text)
{
    return (pg_str){pg_arena_cstr(arena, text), text.len};
}

char *pg_arena_printf(pg_arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0)
        PG_BUG("format '%s' failed", format);
    char *text = pg_arena_alloc(arena, (size_t)length + 1, 1);
    va_start(args, format);
    vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return text;
}
