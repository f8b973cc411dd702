#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void out_of_memory(size_t count, size_t size)
{
    fprintf(stderr, "[!] out of memory: %zu bytes could not be allocated\n", count * size);
    _Exit(1);
}

void *pg_calloc(size_t count, size_t size)
{
    void *pointer = calloc(count > 0 ? count : 1, size > 0 ? size : 1);
    if (pointer == NULL)
        out_of_memory(count, size);
    return pointer;
}

void *pg_realloc(void *pointer, size_t count, size_t size)
{
    uint64_t bytes;
    void *grown = pg_mul_overflow(count, size, &bytes) ? NULL : realloc(pointer, bytes > 0 ? bytes : 1);
    if (grown == NULL)
        out_of_memory(count, size);
    return grown;
}

char *pg_strndup(const char *text, size_t length)
{
    char *copy = pg_realloc(NULL, length + 1, 1);
    if (length > 0)
        memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}
