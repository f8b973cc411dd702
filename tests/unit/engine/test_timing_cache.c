/* Timing caches: what is kept, merged and refused. */
#include "unit/harness.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "engine/timing_cache.h"

static char path[64];

static void name_file(void)
{
    snprintf(path, sizeof path, "/tmp/pg_timing_%d.cache", (int)getpid());
    unlink(path);
}

static void put(pg_timing_cache *cache, const char *device, const char *tactic, const char *layer,
                uint64_t ns)
{
    pg_timing_cache_put(cache, pg_str_c(device), pg_str_c(tactic), pg_str_c(layer), ns);
}

static uint64_t get(const pg_timing_cache *cache, const char *device, const char *tactic, const char *layer)
{
    return pg_timing_cache_get(cache, pg_str_c(device), pg_str_c(tactic), pg_str_c(layer));
}

TEST(times_by_device_tactic_and_layer)
{
    pg_timing_cache cache = {0};
    put(&cache, "d", "taps", "Conv", 7);
    put(&cache, "d", "taps", "Conv", 5);
    put(&cache, "e", "taps", "Conv", 9);
    CHECK_INT(get(&cache, "d", "taps", "Conv"), 5);
    CHECK_INT(get(&cache, "e", "taps", "Conv"), 9);
    CHECK_INT(get(&cache, "d", "gather", "Conv"), 0);
    put(&cache, "d", "a\tb", "two\nlines", 3); /* a name may hold anything */
    CHECK_INT(get(&cache, "d", "a?b", "two?lines"), 3);
    pg_timing_cache_deinit(&cache);
}

TEST(writing_adds_to_the_file)
{
    pg_timing_cache first = {0}, second = {0}, all = {0};
    name_file();
    put(&first, "d", "taps", "Conv", 7);
    put(&first, "d", "gather", "Conv", 8);
    CHECK_OK(pg_timing_cache_write(&first, path));
    put(&second, "d", "gather", "Conv", 6);
    put(&second, "e", "gather", "Conv", 1);
    CHECK_OK(pg_timing_cache_write(&second, path));
    CHECK_OK(pg_timing_cache_read(&all, path));
    CHECK_INT(all.times.len, 3);
    CHECK_INT(get(&all, "d", "taps", "Conv"), 7);
    CHECK_INT(get(&all, "d", "gather", "Conv"), 6);
    CHECK_INT(get(&all, "e", "gather", "Conv"), 1);
    pg_timing_cache_deinit(&first);
    pg_timing_cache_deinit(&second);
    pg_timing_cache_deinit(&all);
    unlink(path);
}

TEST(a_damaged_file_changes_nothing)
{
    pg_timing_cache cache = {0}, read = {0};
    pg_buf text = {0};
    name_file();
    put(&cache, "d", "taps", "Conv float32[1]", 7);
    put(&cache, "d", "winograd", "Conv float32[1]", 8);
    CHECK_OK(pg_timing_cache_write(&cache, path));
    CHECK_OK(pg_file_read(path, 1 << 20, &text));
    for (size_t i = 0; i < text.len; i++) { /* every byte counts */
        text.ptr[i] ^= 1;
        pg_status status = pg_timing_cache_parse(&read, pg_buf_str(&text), "t");
        if (status == NULL)
            FAIL_TEST("byte %zu may be anything", i);
        pg_status_drop(status);
        text.ptr[i] ^= 1;
    }
    for (size_t length = 0; length < text.len; length++) {
        pg_status status = pg_timing_cache_parse(&read, (pg_str){text.ptr, length}, "t");
        if (status == NULL)
            FAIL_TEST("%zu bytes are enough", length);
        pg_status_drop(status);
    }
    CHECK_INT(read.times.len, 0);
    CHECK_OK(pg_timing_cache_parse(&read, pg_buf_str(&text), "t"));
    CHECK_INT(read.times.len, 2);
    CHECK_ERR(pg_timing_cache_read(&read, "/nonexistent/cache"), PG_ERR_NOT_FOUND, "/nonexistent/cache");
    CHECK_ERR(pg_timing_cache_write(&read, "/proc/none/cache"), PG_ERR_IO, "/proc/none");
    pg_buf_deinit(&text);
    pg_timing_cache_deinit(&cache);
    pg_timing_cache_deinit(&read);
    unlink(path);
}

TEST_MAIN(RUN(times_by_device_tactic_and_layer); RUN(writing_adds_to_the_file);
          RUN(a_damaged_file_changes_nothing);)
