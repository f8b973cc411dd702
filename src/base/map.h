/* Hash map from text to a pointer, in insertion order. Keys are borrowed: they must outlive the map. */
#ifndef PG_BASE_MAP_H
#define PG_BASE_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

typedef struct pg_map_entry {
    pg_str key;
    void *value;
    uint64_t hash;
} pg_map_entry;

/* A zeroed struct is an empty map. Iterate: for (size_t i = 0; i < map.len; i++) map.entries[i]. */
typedef struct pg_map {
    pg_map_entry *entries;
    uint32_t *slots; /* index + 1 into entries; 0 = free */
    size_t len, cap, n_slots;
} pg_map;

void pg_map_deinit(pg_map *map);
/* Adds or replaces; true when the key was new. */
bool pg_map_put(pg_map *map, pg_str key, void *value);
/* NULL when missing (pg_map_has tells a stored NULL from a missing key). */
void *pg_map_find(const pg_map *map, pg_str key);
bool pg_map_has(const pg_map *map, pg_str key);
/* Position in `entries`, or SIZE_MAX. */
size_t pg_map_index(const pg_map *map, pg_str key);

#endif
