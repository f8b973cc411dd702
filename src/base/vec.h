/* Growable arrays of any type.
 *
 *     PG_VEC(int) numbers = {0};
 *     *PG_VEC_ADD(&numbers) = 7;             // zeroed slot
 *     for (size_t i = 0; i < numbers.len; i++) use(numbers.items[i]);
 *     PG_VEC_FREE(&numbers);
 */
#ifndef PG_BASE_VEC_H
#define PG_BASE_VEC_H

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define PG_VEC(type)     \
    struct {             \
        type *items;     \
        size_t len, cap; \
    }

static inline void *pg_vec_grow_(void *items, size_t *cap, size_t want, size_t size)
{
    if (want <= *cap)
        return items;
    size_t grown = *cap > 0 ? *cap * 2 : 8;
    *cap = grown > want ? grown : want;
    return pg_realloc(items, *cap, size);
}

#define PG_VEC_RESERVE(vec, want) \
    ((vec)->items = pg_vec_grow_((vec)->items, &(vec)->cap, (want), sizeof *(vec)->items))
/* A pointer to a new zeroed element at the end. */
#define PG_VEC_ADD(vec)                                                                               \
    (PG_VEC_RESERVE(vec, (vec)->len + 1), memset(&(vec)->items[(vec)->len], 0, sizeof *(vec)->items), \
     &(vec)->items[(vec)->len++])
#define PG_VEC_PUSH(vec, value) \
    (PG_VEC_RESERVE(vec, (vec)->len + 1), (void)((vec)->items[(vec)->len++] = (value)))
#define PG_VEC_FREE(vec) (free((vec)->items), (vec)->items = NULL, (vec)->len = (vec)->cap = 0)

#endif
