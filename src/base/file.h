/* Files: read-only maps, whole reads, atomic writes and path pieces. Errors name the path. */
#ifndef PG_BASE_FILE_H
#define PG_BASE_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "base/str.h"

/* A file's bytes, mapped read-only and private. An empty file has data NULL and size 0. */
typedef struct pg_file_map {
    const uint8_t *data;
    uint64_t size;
    char *path;             /* owned; for messages */
    uint64_t device, inode; /* which file it is, so that writing over it can be noticed */
} pg_file_map;

/* PG_ERR_NOT_FOUND when it does not exist, PG_ERR_INVALID for a folder, PG_ERR_IO otherwise. */
PG_MUST_USE pg_status pg_file_map_open(const char *path, pg_file_map *out);
void pg_file_map_close(pg_file_map *map); /* a zeroed or closed map is fine */
/* These bytes will hardly be read again: their pages leave this process (reading them brings them back). Does
 * nothing for bytes that are not in the map. */
void pg_file_map_forget(const pg_file_map *map, const void *bytes, uint64_t size);

/* Appends a whole file; PG_ERR_LIMIT above `limit` bytes. Works for pipes too. */
PG_MUST_USE pg_status pg_file_read(const char *path, uint64_t limit, pg_buf *out);

bool pg_path_exists(const char *path);
bool pg_path_is_dir(const char *path);
PG_MUST_USE pg_status pg_file_size(const char *path, uint64_t *out);
/* Creates a folder and its parents; fine when it exists. */
PG_MUST_USE pg_status pg_path_make_dirs(const char *path);
/* Sorted names in a folder without "." and ".."; texts live in the arena. */
PG_MUST_USE pg_status pg_path_list(const char *path, pg_arena *arena, char ***out_names, size_t *out_count);
/* "a/b.tar.gz" -> ".gz"; "a.b/c" -> ""; ".x" -> "". */
pg_str pg_path_extension(pg_str path);
pg_str pg_path_basename(pg_str path);
/* "a/b" -> "a", "b" -> ".", "/b" -> "/". */
char *pg_path_dirname(pg_arena *arena, pg_str path);
/* `name` when it is absolute, else "folder/name". */
char *pg_path_join(pg_arena *arena, pg_str folder, pg_str name);

/* From the root, without ".", ".." and doubled slashes; links are not followed and nothing need exist. */
char *pg_path_absolute(pg_arena *arena, pg_str path);

/* Writes beside the target and renames over it on commit, so the target is the old file or the whole new one,
 * whatever happens. Parents are created. Abandoning (or never committing) removes the temporary file. Special
 * files (/dev/stdout, pipes) are written directly.
 *
 *     PG_TRY(pg_writer_open(&writer, path));
 *     pg_writer_add(&writer, bytes, size);           // errors are kept and reported by the commit
 *     PG_TRY(pg_writer_commit(&writer));             // flush, fsync, rename; closes in any case
 */
typedef struct pg_writer {
    int fd; /* -1 when closed */
    char *path, *temporary;
    bool nameless;   /* the temporary file gets its name at the commit */
    uint64_t offset; /* bytes added so far */
    char *buffer;
    size_t buffered;
    int error; /* first errno */
} pg_writer;

PG_MUST_USE pg_status pg_writer_open(pg_writer *writer, const char *path);
void pg_writer_add(pg_writer *writer, const void *bytes, uint64_t size);
void pg_writer_add_str(pg_writer *writer, pg_str text);
/* Bytes [offset, offset + size) of an open file by copy_file_range where the file system can, else by
 * reading. */
void pg_writer_add_file_range(pg_writer *writer, int source_fd, uint64_t offset, uint64_t size);
/* `size` bytes that `fill` makes: it is called for disjoint pieces [begin, begin + length) with room for
 * them, each of `piece` bytes but the last, from several threads and in any order. */
typedef void (*pg_fill_fn)(void *context, uint64_t begin, uint64_t length, char *out);
void pg_writer_add_filled(pg_writer *writer, uint64_t size, uint64_t piece, pg_fill_fn fill, void *context);
/* Zero bytes up to a multiple of `alignment`. */
void pg_writer_align(pg_writer *writer, uint64_t alignment);
PG_MUST_USE pg_status pg_writer_commit(pg_writer *writer);
/* Closes and removes the temporary file; fine after a commit. */
void pg_writer_abandon(pg_writer *writer);
PG_MUST_USE pg_status pg_file_write(const char *path, pg_str bytes);
/* Fails when `path` could not be written at the end of long work: checks the folder or its nearest existing
 * parent. */
PG_MUST_USE pg_status pg_file_check_writable(const char *path);

#endif
