/* Strings, maps, arenas, statuses, files, children and loops. */
#include "unit/harness.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/child.h"
#include "base/file.h"
#include "base/map.h"
#include "base/threads.h"

TEST(status_keeps_context)
{
    pg_status status = pg_err(PG_ERR_IO, "could not read '%s'", "f");
    status = pg_status_context(status, "while loading %d", 7);
    CHECK_STR(pg_status_message(status), "could not read 'f' (while loading 7)");
    CHECK_INT(pg_status_code(status), PG_ERR_IO);
    status = pg_status_first(status, pg_err(PG_ERR_INVALID, "later"));
    CHECK_INT(pg_status_code(status), PG_ERR_IO);
    pg_status_drop(status);
    CHECK(pg_status_context(NULL, "nothing") == NULL);
}

TEST(numbers_are_parsed_whole)
{
    int64_t i;
    uint64_t u;
    double d;
    CHECK(pg_str_to_i64(PG_STR(" -12 "), &i) && i == -12);
    CHECK(pg_str_to_i64(PG_STR("-9223372036854775808"), &i) && i == INT64_MIN);
    CHECK(!pg_str_to_i64(PG_STR("9223372036854775808"), &i));
    CHECK(!pg_str_to_i64(PG_STR("1x"), &i));
    CHECK(!pg_str_to_i64(PG_STR(""), &i));
    CHECK(pg_str_to_u64(PG_STR("18446744073709551615"), &u) && u == UINT64_MAX);
    CHECK(!pg_str_to_u64(PG_STR("18446744073709551616"), &u));
    CHECK(pg_str_to_f64(PG_STR("1e-5"), &d) && d == 1e-5);
    CHECK(pg_str_to_f64(PG_STR("inf"), &d) && d == INFINITY);
    CHECK(!pg_str_to_f64(PG_STR("0x10"), &d));
    CHECK(!pg_str_to_f64(PG_STR("1 2"), &d));
}

TEST(wildcards_match_as_fnmatch)
{
    static const struct {
        const char *pattern, *text;
        bool match;
    } cases[] = {{"*", "", true},      {"a*c", "abbc", true}, {"a*c", "abcd", false},
                 {"?b", "ab", true},   {"[ab]x", "bx", true}, {"[!ab]x", "bx", false},
                 {"[a-c]", "b", true}, {"[", "[", true},      {"*a*b*", "xaxbx", true},
                 {"a", "", false},     {"[]]", "]", true},    {"**", "abc", true},
                 {"a[b", "a[b", true}};
    for (size_t i = 0; i < PG_COUNT(cases); i++)
        if (pg_str_wildcard(pg_str_c(cases[i].pattern), pg_str_c(cases[i].text)) != cases[i].match)
            FAIL_TEST("'%s' against '%s'", cases[i].pattern, cases[i].text);
}

TEST(split_and_trim)
{
    pg_str rest = PG_STR("a,,b,"), part;
    size_t count = 0;
    while (pg_str_split(&rest, ',', &part))
        count++;
    CHECK_INT(count, 4);
    CHECK(pg_str_is(pg_str_trim(PG_STR("\t x y \n")), "x y"));
    CHECK_INT(pg_str_distance(PG_STR("input"), PG_STR("inptu"), 3), 1);
    CHECK_INT(pg_str_distance(PG_STR("abc"), PG_STR("xyz"), 1), 2);
}

TEST(paths)
{
    pg_arena arena = {0};
    CHECK(pg_str_is(pg_path_extension(PG_STR("a/b.tar.gz")), ".gz"));
    CHECK(pg_str_is(pg_path_extension(PG_STR("a.b/c")), ""));
    CHECK(pg_str_is(pg_path_extension(PG_STR(".hidden")), ""));
    CHECK_STR(pg_path_dirname(&arena, PG_STR("/b")), "/");
    CHECK_STR(pg_path_dirname(&arena, PG_STR("b")), ".");
    CHECK_STR(pg_path_join(&arena, PG_STR("a"), PG_STR("/b")), "/b");
    CHECK_STR(pg_path_join(&arena, PG_STR("a/"), PG_STR("b")), "a/b");
    pg_arena_deinit(&arena);
}

TEST(map_keeps_order_and_finds_all)
{
    pg_arena arena = {0};
    pg_map map = {0};
    for (size_t i = 0; i < 5000; i++)
        CHECK(pg_map_put(&map, pg_str_c(pg_arena_printf(&arena, "key%zu", i)), (void *)(i + 1)));
    CHECK(!pg_map_put(&map, PG_STR("key77"), NULL));
    CHECK_INT(map.len, 5000);
    CHECK(pg_map_has(&map, PG_STR("key77")) && pg_map_find(&map, PG_STR("key77")) == NULL);
    CHECK_INT((size_t)pg_map_find(&map, PG_STR("key4999")), 5000);
    CHECK_INT(pg_map_index(&map, PG_STR("key123")), 123);
    CHECK(!pg_map_has(&map, PG_STR("none")));
    pg_map_deinit(&map);
    pg_arena_deinit(&arena);
}

static char *scratch_folder(pg_arena *arena)
{
    char *folder = pg_arena_printf(arena, "/tmp/polygraphy-test-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    return folder;
}

TEST(writer_replaces_only_on_commit)
{
    pg_arena arena = {0};
    char *folder = scratch_folder(&arena), *path = pg_arena_printf(&arena, "%s/sub/f.txt", folder);
    CHECK_OK(pg_file_write(path, PG_STR("old")));
    pg_writer writer;
    CHECK_OK(pg_writer_open(&writer, path));
    pg_writer_add_str(&writer, PG_STR("new content"));
    pg_writer_abandon(&writer);
    pg_buf text = {0};
    CHECK_OK(pg_file_read(path, 100, &text));
    CHECK_STR(pg_buf_cstr(&text), "old");
    char **names;
    size_t count;
    CHECK_OK(pg_path_list(pg_path_dirname(&arena, pg_str_c(path)), &arena, &names, &count));
    CHECK_INT(count, 1);
    CHECK_OK(pg_writer_open(&writer, path));
    pg_writer_add_str(&writer, PG_STR("ab"));
    pg_writer_align(&writer, 8);
    CHECK_OK(pg_writer_commit(&writer));
    pg_buf_clear(&text);
    CHECK_OK(pg_file_read(path, 100, &text));
    CHECK_INT(text.len, 8);
    CHECK_ERR(pg_file_read(path, 4, &text), PG_ERR_LIMIT, "larger than 4 bytes");
    CHECK_ERR(pg_writer_open(&writer, folder), PG_ERR_IO, "is a folder");
    CHECK_ERR(pg_file_check_writable(pg_arena_printf(&arena, "%s/x", path)), PG_ERR_IO, "is not a folder");
    pg_buf_deinit(&text);
    unlink(path);
    rmdir(pg_path_dirname(&arena, pg_str_c(path)));
    rmdir(folder);
    pg_arena_deinit(&arena);
}

/* A full disk: the old file stays, nothing is left beside it. */
TEST(full_disk_keeps_the_old_file)
{
    pg_writer writer;
    CHECK_OK(pg_writer_open(&writer, "/dev/full"));
    pg_writer_add_str(&writer, PG_STR("text"));
    CHECK_ERR(pg_writer_commit(&writer), PG_ERR_IO, "No space left on device");
}

TEST(maps_and_missing_files)
{
    pg_file_map map;
    CHECK_ERR(pg_file_map_open("/nonexistent/file", &map), PG_ERR_NOT_FOUND,
              "no such file: '/nonexistent/file'");
    CHECK_ERR(pg_file_map_open("/tmp", &map), PG_ERR_INVALID, "is a folder");
    CHECK_OK(pg_file_map_open("/proc/self/exe", &map));
    CHECK(map.size > 100 && memcmp(map.data, "\177ELF", 4) == 0);
    pg_file_map_close(&map);
    pg_file_map_close(&map);
}

TEST(child_results)
{
    pg_child_result result;
    CHECK_OK(
        pg_child_run((const char *const[]){"sh", "-c", "echo out; echo err >&2; exit 5", NULL}, &result));
    CHECK_INT(result.exit_code, 5);
    CHECK_STR(pg_buf_cstr(&result.out), "out\n");
    CHECK_STR(pg_buf_cstr(&result.err), "err\n");
    pg_child_result_deinit(&result);
    CHECK_OK(pg_child_run((const char *const[]){"sh", "-c", "kill -9 $$", NULL}, &result));
    CHECK_INT(result.signal, 9);
    pg_child_result_deinit(&result);
    CHECK_ERR(pg_child_run((const char *const[]){"no-such-program-here", NULL}, &result), PG_ERR_NOT_FOUND,
              "no-such-program-here");
    pg_child_result_deinit(&result);
}

typedef struct sums {
    atomic_ullong total;
    atomic_int nested;
} sums;

static void add_nested(void *context, size_t begin, size_t end)
{
    atomic_fetch_add((atomic_int *)context, (int)(end - begin));
}

static void add_range(void *context, size_t begin, size_t end)
{
    sums *s = context;
    unsigned long long sum = 0;
    for (size_t i = begin; i < end; i++)
        sum += i;
    atomic_fetch_add(&s->total, sum);
    pg_parallel_for(3, 1, add_nested, &s->nested);
}

TEST(loops_cover_the_range_once)
{
    for (unsigned threads = 1; threads <= 4; threads++) {
        pg_threads_set(threads);
        for (size_t count = 0; count < 3000; count = count * 3 + 1) {
            sums s = {0};
            pg_parallel_for(count, 7, add_range, &s);
            CHECK_INT(atomic_load(&s.total), count > 0 ? count * (count - 1) / 2 : 0);
            CHECK_INT(atomic_load(&s.nested) % 3, 0);
        }
    }
    pg_threads_set(0);
    CHECK(pg_threads() >= 1);
}

TEST_MAIN(RUN(status_keeps_context); RUN(numbers_are_parsed_whole); RUN(wildcards_match_as_fnmatch);
          RUN(split_and_trim); RUN(paths); RUN(map_keeps_order_and_finds_all);
          RUN(writer_replaces_only_on_commit); RUN(full_disk_keeps_the_old_file); RUN(maps_and_missing_files);
          RUN(child_results); RUN(loops_cover_the_range_once);)
