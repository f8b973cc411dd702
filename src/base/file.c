#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "base/vec.h"

enum { WRITE_BUFFER = 1 << 18 };

static pg_status open_error(const char *path, int error)
{
    if (error == ENOENT || error == ENOTDIR)
        return pg_err(PG_ERR_NOT_FOUND, "no such file: '%s'", path);
    return pg_err_errno(PG_ERR_IO, error, "could not open '%s'", path);
}

static pg_status open_for_reading(const char *path, int *out_fd, struct stat *out_info)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return open_error(path, errno);
    if (fstat(fd, out_info) != 0) {
        int error = errno;
        close(fd);
        return open_error(path, error);
    }
    if (S_ISDIR(out_info->st_mode)) {
        close(fd);
        return pg_err(PG_ERR_INVALID, "'%s' is a folder, a file is needed", path);
    }
    *out_fd = fd;
    return NULL;
}

pg_status pg_file_map_open(const char *path, pg_file_map *out)
{
    *out = (pg_file_map){0};
    int fd;
    struct stat info;
    PG_TRY(open_for_reading(path, &fd, &info));
    if (!S_ISREG(info.st_mode)) {
        close(fd);
        return pg_err(PG_ERR_INVALID, "'%s' is not a regular file", path);
    }
    void *data = NULL;
    if (info.st_size > 0)
        data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    int error = errno;
    close(fd);
    if (data == MAP_FAILED)
        return pg_err_errno(PG_ERR_IO, error, "could not map '%s'", path);
    *out = (pg_file_map){.data = data,
                         .size = (uint64_t)info.st_size,
                         .path = pg_strndup(path, strlen(path)),
                         .device = info.st_dev,
                         .inode = info.st_ino};
    return NULL;
}

void pg_file_map_close(pg_file_map *map)
{
    if (map->data != NULL)
        munmap((void *)map->data, map->size);
    free(map->path);
    *map = (pg_file_map){0};
}

void pg_file_map_forget(const pg_file_map *map, const void *bytes, uint64_t size)
{
    const uintptr_t start = (uintptr_t)map->data, at = (uintptr_t)bytes;
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    if (map->data == NULL || at < start || at - start > map->size || size > map->size - (at - start))
        return;
    const uintptr_t first = (at + page - 1) / page * page, last = (at + size) / page * page;
    if (first < last)
        madvise((void *)first, last - first, MADV_DONTNEED); /* only a hint: failure costs nothing */
}

pg_status pg_file_read(const char *path, uint64_t limit, pg_buf *out)
{
    int fd;
    struct stat info;
    PG_TRY(open_for_reading(path, &fd, &info));
    pg_status status = NULL;
    uint64_t total = 0;
    for (;;) {
        pg_buf_reserve(out, 1 << 16);
        ssize_t got = read(fd, out->ptr + out->len, 1 << 16);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            status = pg_err_errno(PG_ERR_IO, errno, "could not read '%s'", path);
        if (got <= 0)
            break;
        out->len += (size_t)got;
        out->ptr[out->len] = '\0';
        total += (uint64_t)got;
        if (total > limit) {
            status = pg_err(PG_ERR_LIMIT, "'%s' is larger than %llu bytes", path, (unsigned long long)limit);
            break;
        }
    }
    close(fd);
    return status;
}

bool pg_path_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

bool pg_path_is_dir(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

pg_status pg_file_size(const char *path, uint64_t *out)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return open_error(path, errno);
    *out = (uint64_t)info.st_size;
    return NULL;
}

pg_status pg_path_make_dirs(const char *path)
{
    char *copy = pg_strndup(path, strlen(path));
    pg_status status = NULL;
    for (char *at = copy + 1; status == NULL; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        char saved = *at;
        *at = '\0';
        if (copy[0] != '\0' && mkdir(copy, 0777) != 0 && errno != EEXIST && !pg_path_is_dir(copy))
            status = pg_err_errno(PG_ERR_IO, errno, "could not create the folder '%s'", copy);
        else if (errno == EEXIST && !pg_path_is_dir(copy) && pg_path_exists(copy))
            status = pg_err(PG_ERR_IO, "'%s' is a file, a folder is needed", copy);
        errno = 0;
        *at = saved;
        if (saved == '\0')
            break;
    }
    free(copy);
    return status;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

pg_status pg_path_list(const char *path, pg_arena *arena, char ***out_names, size_t *out_count)
{
    DIR *folder = opendir(path);
    if (folder == NULL)
        return open_error(path, errno);
    PG_VEC(char *) names = {0};
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            PG_VEC_PUSH(&names, pg_arena_cstr(arena, pg_str_c(entry->d_name)));
    closedir(folder);
    if (names.len > 0)
        qsort(names.items, names.len, sizeof *names.items, compare_names);
    *out_names = PG_ARENA_ARRAY(arena, char *, names.len);
    for (size_t i = 0; i < names.len; i++)
        (*out_names)[i] = names.items[i];
    *out_count = names.len;
    PG_VEC_FREE(&names);
    return NULL;
}

pg_str pg_path_basename(pg_str path)
{
    size_t slash = pg_str_rfind(path, '/');
    return slash == SIZE_MAX ? path : pg_str_sub(path, slash + 1, path.len);
}

pg_str pg_path_extension(pg_str path)
{
    pg_str name = pg_path_basename(path);
    size_t dot = pg_str_rfind(name, '.');
    return dot == SIZE_MAX || dot == 0 ? PG_STR_EMPTY : pg_str_sub(name, dot, name.len);
}

char *pg_path_dirname(pg_arena *arena, pg_str path)
{
    size_t slash = pg_str_rfind(path, '/');
    if (slash == SIZE_MAX)
        return pg_arena_cstr(arena, PG_STR("."));
    return pg_arena_cstr(arena, slash == 0 ? PG_STR("/") : pg_str_sub(path, 0, slash));
}

char *pg_path_absolute(pg_arena *arena, pg_str path)
{
    char folder[PATH_MAX];
    if (!pg_str_starts(path, PG_STR("/")) && getcwd(folder, sizeof folder) != NULL)
        path = pg_str_c(pg_path_join(arena, pg_str_c(folder), path));
    char *out = pg_arena_alloc(arena, path.len + 2, 1);
    size_t length = 0;
    pg_str part;
    while (pg_str_split(&path, '/', &part)) {
        if (pg_str_is(part, "..")) {
            while (length > 0 && out[--length] != '/')
                continue;
        } else if (part.len > 0 && !pg_str_is(part, ".")) {
            out[length++] = '/';
            memcpy(out + length, part.ptr, part.len);
            length += part.len;
        }
    }
    if (length == 0)
        out[length++] = '/';
    out[length] = '\0';
    return out;
}

char *pg_path_join(pg_arena *arena, pg_str folder, pg_str name)
{
    if (folder.len == 0 || (name.len > 0 && name.ptr[0] == '/'))
        return pg_arena_cstr(arena, name);
    const char *slash = folder.ptr[folder.len - 1] == '/' ? "" : "/";
    return pg_arena_printf(arena, "%" PG_STR_FMT "%s%" PG_STR_FMT, PG_STR_ARG(folder), slash,
                           PG_STR_ARG(name));
}

/* Where the system can, the file has no name until it is whole: whatever ends this process leaves nothing. */
static void open_beside(pg_writer *writer, const char *path, const char *folder, pg_arena *arena)
{
    writer->fd = access("/proc/self/fd", X_OK) == 0 ? open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666) : -1;
    writer->nameless = writer->fd >= 0;
    if (writer->nameless)
        return;
    char *temporary = pg_arena_printf(arena, "%s.tmp-XXXXXX", path);
    writer->fd = mkostemp(temporary, O_CLOEXEC);
    if (writer->fd < 0)
        return;
    mode_t mask = umask(0);
    umask(mask);
    (void)fchmod(writer->fd, 0666 & ~mask);
    writer->temporary = pg_strndup(temporary, strlen(temporary));
}

/* Gives a nameless file a name beside the target. */
static int name_file(pg_writer *writer)
{
    static atomic_uint count;
    char source[64];
    snprintf(source, sizeof source, "/proc/self/fd/%d", writer->fd);
    for (int attempt = 0; attempt < 100; attempt++) {
        pg_buf name = {0};
        pg_buf_printf(&name, "%s.tmp-%ld-%u", writer->path, (long)getpid(), atomic_fetch_add(&count, 1));
        if (linkat(AT_FDCWD, source, AT_FDCWD, name.ptr, AT_SYMLINK_FOLLOW) == 0) {
            writer->temporary = name.ptr;
            return 0;
        }
        pg_buf_deinit(&name);
        if (errno != EEXIST)
            break;
    }
    return errno;
}

pg_status pg_writer_open(pg_writer *writer, const char *path)
{
    *writer = (pg_writer){.fd = -1};
    pg_arena arena = {0};
    char *folder = pg_path_dirname(&arena, pg_str_c(path));
    pg_status status = NULL;
    struct stat info;
    bool special = stat(path, &info) == 0 && !S_ISREG(info.st_mode);
    if (special && S_ISDIR(info.st_mode))
        PG_TRY_GOTO(status, pg_err(PG_ERR_IO, "could not write '%s': it is a folder", path));
    if (!special) {
        PG_TRY_GOTO(status, pg_path_make_dirs(folder));
        open_beside(writer, path, folder, &arena);
    } else {
        writer->fd = open(path, O_WRONLY | O_CLOEXEC);
    }
    if (writer->fd < 0)
        PG_TRY_GOTO(status, pg_err_errno(PG_ERR_IO, errno, "could not write '%s'", path));
    writer->path = pg_strndup(path, strlen(path));
    writer->buffer = pg_realloc(NULL, WRITE_BUFFER, 1);
done:
    pg_arena_deinit(&arena);
    return status;
}

static void write_all(pg_writer *writer, const char *bytes, uint64_t size)
{
    while (size > 0 && writer->error == 0) {
        ssize_t done = write(writer->fd, bytes, PG_MIN(size, (uint64_t)1 << 30));
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0) {
            writer->error = errno;
            return;
        }
        bytes += done;
        size -= (uint64_t)done;
    }
}

static void flush(pg_writer *writer)
{
    write_all(writer, writer->buffer, writer->buffered);
    writer->buffered = 0;
}

void pg_writer_add(pg_writer *writer, const void *bytes, uint64_t size)
{
    writer->offset += size;
    if (writer->buffered + size > WRITE_BUFFER)
        flush(writer);
    if (size >= WRITE_BUFFER) {
        write_all(writer, bytes, size);
    } else if (size > 0) {
        memcpy(writer->buffer + writer->buffered, bytes, size);
        writer->buffered += size;
    }
}

void pg_writer_add_str(pg_writer *writer, pg_str text)
{
    pg_writer_add(writer, text.ptr, text.len);
}

void pg_writer_add_file_range(pg_writer *writer, int source_fd, uint64_t offset, uint64_t size)
{
    flush(writer);
    off_t from = (off_t)offset;
    bool can_copy = true;
    writer->offset += size;
    while (size > 0 && writer->error == 0) {
        ssize_t done = -1;
        if (can_copy)
            done = copy_file_range(source_fd, &from, writer->fd, NULL, PG_MIN(size, (uint64_t)1 << 30), 0);
        if (done <= 0) {
            can_copy = false;
            done = pread(source_fd, writer->buffer, PG_MIN(size, (uint64_t)WRITE_BUFFER), from);
            if (done < 0 && errno == EINTR)
                continue;
            if (done <= 0) {
                writer->error = done < 0 ? errno : EIO;
                return;
            }
            write_all(writer, writer->buffer, (uint64_t)done);
            from += done;
        }
        size -= (uint64_t)done;
    }
}

typedef struct fill_job {
    pg_writer *writer;
    uint64_t size, piece, start; /* start: where the bytes begin in the file */
    pg_fill_fn fill;
    void *context;
    atomic_int error;
} fill_job;

static void fill_pieces(void *context, size_t begin, size_t end)
{
    fill_job *job = context;
    char *room = pg_realloc(NULL, job->piece, 1);
    for (size_t i = begin; i < end && atomic_load(&job->error) == 0; i++) {
        uint64_t at = i * job->piece, length = PG_MIN(job->piece, job->size - at);
        job->fill(job->context, at, length, room);
        for (uint64_t done = 0; done < length;) {
            ssize_t wrote =
                pwrite(job->writer->fd, room + done, length - done, (off_t)(job->start + at + done));
            if (wrote < 0 && errno == EINTR)
                continue;
            if (wrote < 0) {
                atomic_store(&job->error, errno);
                break;
            }
            done += (uint64_t)wrote;
        }
    }
    free(room);
}

void pg_writer_add_filled(pg_writer *writer, uint64_t size, uint64_t piece, pg_fill_fn fill, void *context)
{
    flush(writer);
    if (writer->temporary == NULL) { /* a pipe or device has no positions */
        char *room = pg_realloc(NULL, piece, 1);
        for (uint64_t at = 0; at < size; at += piece) {
            fill(context, at, PG_MIN(piece, size - at), room);
            pg_writer_add(writer, room, PG_MIN(piece, size - at));
        }
        free(room);
        return;
    }
    fill_job job = {writer, size, piece, writer->offset, fill, context, 0};
    if (writer->error == 0)
        pg_parallel_for((size_t)((size + piece - 1) / piece), 1, fill_pieces, &job);
    writer->offset += size;
    if (writer->error == 0)
        writer->error = atomic_load(&job.error);
    if (lseek(writer->fd, (off_t)writer->offset, SEEK_SET) < 0 && writer->error == 0)
        writer->error = errno;
}

void pg_writer_align(pg_writer *writer, uint64_t alignment)
{
    static const char zeros[4096];
    uint64_t extra = (alignment - writer->offset % alignment) % alignment;
    for (; extra > 0; extra -= PG_MIN(extra, sizeof zeros))
        pg_writer_add(writer, zeros, PG_MIN(extra, sizeof zeros));
}

static void release_writer(pg_writer *writer)
{
    if (writer->fd >= 0)
        close(writer->fd);
    if (writer->temporary != NULL)
        unlink(writer->temporary);
    free(writer->temporary);
    free(writer->path);
    free(writer->buffer);
    *writer = (pg_writer){.fd = -1};
}

pg_status pg_writer_commit(pg_writer *writer)
{
    flush(writer);
    pg_status status = NULL;
    bool beside = writer->temporary != NULL || writer->nameless;
    if (writer->error == 0 && beside && fsync(writer->fd) != 0 && errno != EINVAL)
        writer->error = errno;
    if (writer->error == 0 && writer->nameless)
        writer->error = name_file(writer);
    if (close(writer->fd) != 0 && writer->error == 0)
        writer->error = errno;
    writer->fd = -1;
    if (writer->error == 0 && writer->temporary != NULL) {
        if (rename(writer->temporary, writer->path) != 0) {
            writer->error = errno;
        } else {
            free(writer->temporary);
            writer->temporary = NULL;
        }
    }
    if (writer->error != 0)
        status = pg_err_errno(PG_ERR_IO, writer->error, "could not write '%s'", writer->path);
    release_writer(writer);
    return status;
}

void pg_writer_abandon(pg_writer *writer)
{
    release_writer(writer);
}

pg_status pg_file_write(const char *path, pg_str bytes)
{
    pg_writer writer;
    PG_TRY(pg_writer_open(&writer, path));
    pg_writer_add_str(&writer, bytes);
    return pg_writer_commit(&writer);
}

pg_status pg_file_check_writable(const char *path)
{
    if (pg_path_is_dir(path))
        return pg_err(PG_ERR_IO, "could not write '%s': it is a folder", path);
    if (pg_path_exists(path) && access(path, W_OK) != 0)
        return pg_err_errno(PG_ERR_IO, errno, "could not write '%s'", path);
    pg_arena arena = {0};
    pg_status status = NULL;
    char *folder = pg_path_dirname(&arena, pg_str_c(path));
    while (!pg_path_exists(folder) && strcmp(folder, "/") != 0 && strcmp(folder, ".") != 0)
        folder = pg_path_dirname(&arena, pg_str_c(folder));
    if (!pg_path_is_dir(folder))
        status = pg_err(PG_ERR_IO, "could not write '%s': '%s' is not a folder", path, folder);
    else if (access(folder, W_OK) != 0)
        status = pg_err_errno(PG_ERR_IO, errno, "could not write '%s' (folder '%s')", path, folder);
    pg_arena_deinit(&arena);
    return status;
}
