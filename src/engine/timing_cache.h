/* How long each tactic of a layer took, kept from one build to the next.
 *
 * A file is text: a line with the format, a line for each time, a line with their number and a checksum. What
 * is kept of other devices is not used, and not lost. Two builds may share a file: each adds its times to what is
 * there when it writes. */
#ifndef PG_ENGINE_TIMING_CACHE_H
#define PG_ENGINE_TIMING_CACHE_H

#include "base/arena.h"
#include "base/map.h"
#include "base/status.h"

/* A zeroed struct is an empty cache. */
typedef struct pg_timing_cache {
    pg_arena arena;
    pg_map times; /* "device \t tactic \t layer" -> uint64_t, nanoseconds */
} pg_timing_cache;

void pg_timing_cache_deinit(pg_timing_cache *cache);
/* Nanoseconds; 0 when it is not known. */
uint64_t pg_timing_cache_get(const pg_timing_cache *cache, pg_str device, pg_str tactic, pg_str layer);
/* Replaces what is known. Control characters in the texts become '?'. */
void pg_timing_cache_put(pg_timing_cache *cache, pg_str device, pg_str tactic, pg_str layer, uint64_t ns);
/* Adds the times of a file. PG_ERR_INVALID names what is damaged, PG_ERR_UNSUPPORTED another format,
 * PG_ERR_LIMIT more than 64 MiB; the cache is unchanged then. */
PG_MUST_USE pg_status pg_timing_cache_read(pg_timing_cache *cache, const char *path);
/* The same for bytes in memory; `path` is for messages. */
PG_MUST_USE pg_status pg_timing_cache_parse(pg_timing_cache *cache, pg_str text, const char *path);
/* Writes what the file has, and these times over it, while other builds wait. */
PG_MUST_USE pg_status pg_timing_cache_write(const pg_timing_cache *cache, const char *path);

#endif
