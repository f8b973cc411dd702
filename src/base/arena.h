/* Memory freed all at once: a bump allocator. Allocation never fails (base/alloc.h). Not thread-safe. */
#ifndef PG_BASE_ARENA_H
#define PG_BASE_ARENA_H

#include <stddef.h>

#include "base/status.h"
#include "base/str.h"

typedef struct pg_arena_block pg_arena_block;

typedef struct pg_arena {
    pg_arena_block *blocks; /* newest first */
    char *next, *end;
    size_t total; /* bytes handed out */
} pg_arena;

/* A zeroed struct is an empty arena. */
void pg_arena_init(pg_arena *arena);
void pg_arena_deinit(pg_arena *arena);
/* Zeroed, aligned to 16. `count * size` is checked. */
void *pg_arena_alloc(pg_arena *arena, size_t count, size_t size);
#define PG_ARENA_NEW(arena, type) ((type *)pg_arena_alloc((arena), 1, sizeof(type)))
#define PG_ARENA_ARRAY(arena, type, count) ((type *)pg_arena_alloc((arena), (count), sizeof(type)))
/* Copies with a zero byte after the text. */
pg_str pg_arena_str(pg_arena *arena, pg_str text);
char *pg_arena_cstr(pg_arena *arena, pg_str text);
PG_PRINTF(2, 3) char *pg_arena_printf(pg_arena *arena, const char *format, ...);

#endif
