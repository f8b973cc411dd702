/* Any bytes as a timing cache. What was read is the same after writing and reading. */
#include <string.h>
#include <unistd.h>

#include "engine/timing_cache.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char path[] = "/tmp/pg_fuzz_timing.cache";
    pg_timing_cache cache = {0}, again = {0};
    pg_status status = pg_timing_cache_parse(&cache, (pg_str){(const char *)data, size}, "fuzz");
    if (status == NULL && cache.times.len > 0 && cache.times.len < 100) {
        unlink(path);
        pg_status bad = pg_timing_cache_write(&cache, path);
        FUZZ_CHECK(bad == NULL);
        bad = pg_timing_cache_read(&again, path);
        FUZZ_CHECK(bad == NULL && again.times.len == cache.times.len);
        for (size_t i = 0; i < cache.times.len; i++) {
            const uint64_t *ns = pg_map_find(&again.times, cache.times.entries[i].key);
            FUZZ_CHECK(ns != NULL && *ns == *(const uint64_t *)cache.times.entries[i].value);
        }
        unlink(path);
    }
    pg_status_drop(status);
    pg_timing_cache_deinit(&cache);
    pg_timing_cache_deinit(&again);
    return 0;
}
