#include "base/map.h"

#include <stdlib.h>

#include "base/alloc.h"

void pg_map_deinit(pg_map *map)
{
    free(map->entries);
    free(map->slots);
    *map = (pg_map){0};
}

static void rebuild_slots(pg_map *map, size_t n_slots)
{
    free(map->slots);
    map->slots = pg_calloc(n_slots, sizeof *map->slots);
    map->n_slots = n_slots;
    for (size_t i = 0; i < map->len; i++) {
        size_t at = map->entries[i].hash & (n_slots - 1);
        while (map->slots[at] != 0)
            at = (at + 1) & (n_slots - 1);
        map->slots[at] = (uint32_t)(i + 1);
    }
}

size_t pg_map_index(const pg_map *map, pg_str key)
{
    if (map->len == 0)
        return SIZE_MAX;
    uint64_t hash = pg_str_hash(key);
    for (size_t at = hash & (map->n_slots - 1); map->slots[at] != 0; at = (at + 1) & (map->n_slots - 1)) {
        const pg_map_entry *entry = &map->entries[map->slots[at] - 1];
        if (entry->hash == hash && pg_str_eq(entry->key, key))
            return map->slots[at] - 1;
    }
    return SIZE_MAX;
}

bool pg_map_put(pg_map *map, pg_str key, void *value)
{
    size_t found = pg_map_index(map, key);
    if (found != SIZE_MAX) {
        map->entries[found].value = value;
        return false;
    }
    if (map->len == map->cap) {
        map->cap = PG_MAX(map->cap * 2, (size_t)8);
        map->entries = pg_realloc(map->entries, map->cap, sizeof *map->entries);
    }
    map->entries[map->len++] = (pg_map_entry){key, value, pg_str_hash(key)};
    if (map->len * 2 > map->n_slots) {
        rebuild_slots(map, PG_MAX(map->n_slots * 2, (size_t)16));
    } else {
        size_t at = map->entries[map->len - 1].hash & (map->n_slots - 1);
        while (map->slots[at] != 0)
            at = (at + 1) & (map->n_slots - 1);
        map->slots[at] = (uint32_t)map->len;
    }
    return true;
}

void *pg_map_find(const pg_map *map, pg_str key)
{
    size_t at = pg_map_index(map, key);
    return at != SIZE_MAX ? map->entries[at].value : NULL;
}

bool pg_map_has(const pg_map *map, pg_str key)
{
    return pg_map_index(map, key) != SIZE_MAX;
}
