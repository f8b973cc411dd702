#include "engine/timing_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/file.h"

#define FIRST_WORDS "polygraphy timing cache"
enum { FORMAT = 1, MOST_BYTES = 64 << 20, MOST_KEY = 64 << 10 };

void pg_timing_cache_deinit(pg_timing_cache *cache)
{
    pg_map_deinit(&cache->times);
    pg_arena_deinit(&cache->arena);
    *cache = (pg_timing_cache){0};
}

/* ---- Times ---- */

static void add_plain(pg_buf *out, pg_str text)
{
    for (size_t i = 0; i < text.len; i++)
        pg_buf_putc(out, (unsigned char)text.ptr[i] < ' ' ? '?' : text.ptr[i]);
}

static void make_key(pg_buf *out, pg_str device, pg_str tactic, pg_str layer)
{
    add_plain(out, device);
    pg_buf_putc(out, '\t');
    add_plain(out, tactic);
    pg_buf_putc(out, '\t');
    add_plain(out, layer);
}

uint64_t pg_timing_cache_get(const pg_timing_cache *cache, pg_str device, pg_str tactic, pg_str layer)
{
    pg_buf key = {0};
    make_key(&key, device, tactic, layer);
    const uint64_t *ns = pg_map_find(&cache->times, pg_buf_str(&key));
    pg_buf_deinit(&key);
    return ns != NULL ? *ns : 0;
}

static void put_key(pg_timing_cache *cache, pg_str key, uint64_t ns)
{
    uint64_t *known = pg_map_find(&cache->times, key);
    if (known == NULL) {
        known = PG_ARENA_NEW(&cache->arena, uint64_t);
        pg_map_put(&cache->times, pg_arena_str(&cache->arena, key), known);
    }
    *known = ns;
}

void pg_timing_cache_put(pg_timing_cache *cache, pg_str device, pg_str tactic, pg_str layer, uint64_t ns)
{
    pg_buf key = {0};
    make_key(&key, device, tactic, layer);
    if (key.len <= MOST_KEY)
        put_key(cache, pg_buf_str(&key), ns);
    pg_buf_deinit(&key);
}

/* ---- Reading ---- */

static uint32_t crc_of(pg_str text)
{
    return (uint32_t)crc32(crc32(0, NULL, 0), (const Bytef *)text.ptr, (uInt)text.len);
}

static pg_status damaged(const char *path, const char *what)
{
    return pg_err(
        PG_ERR_INVALID,
        "the timing cache '%s' is damaged: %s; remove it, and the next build times its layers again", path,
        what);
}

static pg_status check_first_line(pg_str line, const char *path)
{
    const pg_str words = PG_STR(FIRST_WORDS " ");
    uint64_t format;
    if (!pg_str_starts(line, words) || !pg_str_to_u64(pg_str_sub(line, words.len, line.len), &format))
        return pg_err(PG_ERR_INVALID,
                      "'%s' is no timing cache of the built-in engine (TensorRT's cannot be read here)",
                      path);
    if (format != FORMAT)
        return pg_err(PG_ERR_UNSUPPORTED,
                      "'%s' is a timing cache of format %llu; this program reads format %d: remove it", path,
                      (unsigned long long)format, FORMAT);
    return NULL;
}

/* Cuts the last line off; it must be the one that states what the text before it is. */
static pg_status check_last_line(pg_str *text, const char *path, uint64_t *out_count)
{
    size_t start = text->len > 0 ? text->len - 1 : 0;
    while (start > 0 && text->ptr[start - 1] != '\n')
        start--;
    pg_str line = pg_str_sub(*text, start, text->len), word, count, crc;
    const bool ended = pg_str_ends(line, PG_STR("\n"));
    line = pg_str_trim(line);
    uint64_t sum = 0;
    if (!ended || !pg_str_split(&line, ' ', &word) || !pg_str_is(word, "end") ||
        !pg_str_split(&line, ' ', &count) || !pg_str_to_u64(count, out_count) ||
        !pg_str_split(&line, ' ', &crc) || !pg_str_to_u64(crc, &sum) || line.len > 0)
        return damaged(path, "its last line is missing");
    text->len = start;
    return sum == crc_of(*text) ? NULL : damaged(path, "its checksum does not fit");
}

/* "nanoseconds \t device \t tactic \t layer" */
static bool split_line(pg_str line, uint64_t *out_ns, pg_str *out_key)
{
    pg_str number, part, rest;
    if (!pg_str_split(&line, '\t', &number) || !pg_str_to_u64(number, out_ns) || *out_ns == 0)
        return false;
    *out_key = rest = line;
    for (int i = 0; i < 3; i++)
        if (!pg_str_split(&rest, '\t', &part) || part.len == 0)
            return false;
    return rest.len == 0 && line.len <= MOST_KEY;
}

pg_status pg_timing_cache_parse(pg_timing_cache *cache, pg_str text, const char *path)
{
    pg_str line, key, lines;
    uint64_t count = 0, found = 0, ns;
    size_t first = pg_str_find(text, '\n');
    PG_TRY(check_first_line(pg_str_sub(text, 0, PG_MIN(first, text.len)), path));
    PG_TRY(check_last_line(&text, path, &count));
    lines = pg_str_sub(text, first + 1, text.len);
    for (pg_str rest = lines; pg_str_split(&rest, '\n', &line);)
        if (line.len > 0 && (!split_line(line, &ns, &key) || ++found > count))
            return damaged(path, "one of its lines is no time of a layer");
    if (found != count)
        return damaged(path, "it has not as many times as it states");
    for (pg_str rest = lines; pg_str_split(&rest, '\n', &line);)
        if (split_line(line, &ns, &key))
            put_key(cache, key, ns);
    return NULL;
}

pg_status pg_timing_cache_read(pg_timing_cache *cache, const char *path)
{
    pg_buf text = {0};
    pg_status status = pg_file_read(path, MOST_BYTES, &text);
    if (status == NULL)
        status = pg_timing_cache_parse(cache, pg_buf_str(&text), path);
    pg_buf_deinit(&text);
    return status;
}

/* ---- Writing ---- */

static pg_status write_times(const pg_timing_cache *cache, const char *path)
{
    pg_buf text = {0};
    pg_writer file;
    pg_buf_printf(&text, "%s %d\n", FIRST_WORDS, FORMAT);
    for (size_t i = 0; i < cache->times.len; i++)
        pg_buf_printf(&text, "%llu\t%" PG_STR_FMT "\n",
                      (unsigned long long)*(const uint64_t *)cache->times.entries[i].value,
                      PG_STR_ARG(cache->times.entries[i].key));
    const uint32_t crc = crc_of(pg_buf_str(&text));
    pg_buf_printf(&text, "end %zu %u\n", cache->times.len, crc);
    pg_status status =
        text.len <= MOST_BYTES
            ? pg_writer_open(&file, path)
            : pg_err(PG_ERR_LIMIT, "the timing cache '%s' would have more than %d bytes: remove it", path,
                     MOST_BYTES);
    if (status == NULL) {
        pg_writer_add(&file, text.ptr, text.len);
        status = pg_writer_commit(&file);
    }
    pg_buf_deinit(&text);
    return status;
}

/* Other builds wait for the file's folder, so that nothing is left beside the file. */
static pg_status lock_folder(const char *path, int *out)
{
    pg_arena arena = {0};
    const char *folder = pg_path_dirname(&arena, pg_str_c(path));
    pg_status status = pg_path_make_dirs(folder);
    *out = status == NULL ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    while (*out >= 0 && flock(*out, LOCK_EX) != 0 && errno == EINTR) {
    }
    if (status == NULL && *out < 0)
        status = pg_err(PG_ERR_IO, "cannot open the folder '%s': %s", folder, strerror(errno));
    pg_arena_deinit(&arena);
    return status;
}

pg_status pg_timing_cache_write(const pg_timing_cache *cache, const char *path)
{
    pg_timing_cache all = {0};
    int lock;
    pg_status status = lock_folder(path, &lock);
    if (status == NULL && pg_path_exists(path))
        status = pg_timing_cache_read(&all, path);
    for (size_t i = 0; status == NULL && i < cache->times.len; i++)
        put_key(&all, cache->times.entries[i].key, *(const uint64_t *)cache->times.entries[i].value);
    if (status == NULL)
        status = write_times(&all, path);
    if (lock >= 0)
        close(lock);
    pg_timing_cache_deinit(&all);
    return pg_status_context(status, "while saving the timing cache '%s'", path);
}
