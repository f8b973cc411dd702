/* Heap memory for structure (names, nodes, lists): it is small, so running out ends the process with a
 * message. Memory of tensor size goes through tensor/tensor.h and reports PG_ERR_NO_MEMORY instead. */
#ifndef PG_BASE_ALLOC_H
#define PG_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Never NULL; the bytes are zero. `count * size` is checked for overflow. */
void *pg_calloc(size_t count, size_t size);
/* Never NULL; `pointer` may be NULL; new bytes are not initialised. */
void *pg_realloc(void *pointer, size_t count, size_t size);
/* A copy of `length` bytes with a zero byte after it. */
char *pg_strndup(const char *text, size_t length);

#define PG_NEW(type) ((type *)pg_calloc(1, sizeof(type)))
#define PG_COUNT(array) (sizeof(array) / sizeof(array)[0])

/* True on overflow; for sizes that come from a file. */
static inline bool pg_mul_overflow(uint64_t a, uint64_t b, uint64_t *out)
{
    return __builtin_mul_overflow(a, b, out);
}
static inline bool pg_add_overflow(uint64_t a, uint64_t b, uint64_t *out)
{
    return __builtin_add_overflow(a, b, out);
}

#define PG_MIN(a, b) ((a) < (b) ? (a) : (b))
#define PG_MAX(a, b) ((a) > (b) ? (a) : (b))

#endif
