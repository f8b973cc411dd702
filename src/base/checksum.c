#include "base/checksum.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/threads.h"

enum { LANES = 8, GROUP = LANES * sizeof(uint32_t), BLOCK = 1 << 20 };

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash ^= value + 0x9e3779b97f4a7c15u + (hash << 6) + (hash >> 2);
    return hash * 0xff51afd7ed558ccdu;
}

static void add_group(const void *bytes, uint64_t *first, uint64_t *second)
{
    uint32_t words[LANES];
    memcpy(words, bytes, sizeof words);
    for (unsigned l = 0; l < LANES; l++) {
        first[l] += words[l];
        second[l] += first[l];
    }
}

static uint64_t block_sum(const uint8_t *bytes, uint64_t size)
{
    uint64_t first[LANES] = {0}, second[LANES] = {0}, hash = size, at = 0;
    for (; at + GROUP <= size; at += GROUP)
        add_group(bytes + at, first, second);
    if (at < size) {
        uint8_t rest[GROUP] = {0};
        memcpy(rest, bytes + at, size - at);
        add_group(rest, first, second);
    }
    for (unsigned l = 0; l < LANES; l++)
        hash = mix(mix(hash, first[l]), second[l]);
    return hash;
}

typedef struct sums {
    const uint8_t *bytes;
    uint64_t size;
    uint64_t *of_block;
} sums;

static void sum_blocks(void *context, size_t begin, size_t end)
{
    const sums *s = context;
    for (size_t b = begin; b < end; b++) {
        uint64_t at = (uint64_t)b * BLOCK, rest = s->size - at;
        s->of_block[b] = block_sum(s->bytes + at, rest < BLOCK ? rest : BLOCK);
    }
}

uint64_t pg_checksum(const void *bytes, uint64_t size)
{
    size_t blocks = (size_t)((size + BLOCK - 1) / BLOCK);
    sums s = {bytes, size, pg_calloc(blocks + 1, sizeof(uint64_t))};
    pg_parallel_for(blocks, 1, sum_blocks, &s);
    uint64_t hash = size;
    for (size_t b = 0; b < blocks; b++)
        hash = mix(hash, s.of_block[b]);
    free(s.of_block);
    return hash;
}
