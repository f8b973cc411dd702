/* Reading .npz archives: the end record, the central directory, stored and deflated members. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/threads.h"
#include "npy/internal.h"

enum {
    END_SIG = 0x06054b50,
    END64_SIG = 0x06064b50,
    LOCATOR_SIG = 0x07064b50,
    ENTRY_SIG = 0x02014b50,
    LOCAL_SIG = 0x04034b50,
    END_SIZE = 22,
    END64_SIZE = 56,
    LOCATOR_SIZE = 20,
    ENTRY_SIZE = 46,
    LOCAL_SIZE = 30,
    CRC_BLOCK = 1 << 22,
    MOST_EXPANSION = 1032, /* of deflate, by its definition */
};

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const uint8_t *p)
{
    return get16(p) | (uint32_t)get16(p + 2) << 16;
}

static uint64_t get64(const uint8_t *p)
{
    return get32(p) | (uint64_t)get32(p + 4) << 32;
}

typedef struct crc_job {
    const uint8_t *bytes;
    uint64_t size;
    uint32_t *parts;
} crc_job;

static void crc_blocks(void *context, size_t begin, size_t end)
{
    crc_job *job = context;
    for (size_t i = begin; i < end; i++) {
        uint64_t at = (uint64_t)i * CRC_BLOCK;
        job->parts[i] =
            (uint32_t)crc32_z(0, job->bytes + at, (z_size_t)PG_MIN(job->size - at, (uint64_t)CRC_BLOCK));
    }
}

uint32_t pg_zip_crc(uint32_t crc, const void *bytes, uint64_t size)
{
    if (size == 0)
        return crc; /* zlib would start anew for a null pointer */
    if (size < 2 * CRC_BLOCK)
        return (uint32_t)crc32_z(crc, bytes, (z_size_t)size);
    size_t blocks = (size_t)((size + CRC_BLOCK - 1) / CRC_BLOCK);
    crc_job job = {.bytes = bytes, .size = size, .parts = pg_calloc(blocks, sizeof *job.parts)};
    pg_parallel_for(blocks, 1, crc_blocks, &job);
    for (size_t i = 0; i < blocks; i++) {
        uint64_t length = PG_MIN(size - (uint64_t)i * CRC_BLOCK, (uint64_t)CRC_BLOCK);
        crc = (uint32_t)crc32_combine(crc, job.parts[i], (z_off_t)length);
    }
    free(job.parts);
    return crc;
}

/* Where the members are listed. */
typedef struct directory {
    uint64_t offset, size, count;
} directory;

static pg_status damaged(const pg_npz *npz, const char *what, uint64_t offset)
{
    return pg_err(PG_ERR_INVALID, "'%s' is not a readable .npz archive: %s at byte %llu", npz->path, what,
                  (unsigned long long)offset);
}

static pg_status find_end(pg_npz *npz, const uint8_t *bytes, uint64_t size, uint64_t *out)
{
    uint64_t lowest = size > END_SIZE + PG_NPZ_MAX_COMMENT ? size - END_SIZE - PG_NPZ_MAX_COMMENT : 0;
    for (uint64_t at = size >= END_SIZE ? size - END_SIZE + 1 : 0; at-- > lowest;)
        if (get32(bytes + at) == END_SIG && get16(bytes + at + 20) <= size - at - END_SIZE) {
            npz->comment = (pg_str){(const char *)bytes + at + END_SIZE, get16(bytes + at + 20)};
            *out = at;
            return NULL;
        }
    return damaged(npz, "its end record is missing (the file may be cut short)", size);
}

static pg_status read_end64(const pg_npz *npz, const uint8_t *bytes, uint64_t end, directory *out)
{
    if (end < LOCATOR_SIZE || get32(bytes + end - LOCATOR_SIZE) != LOCATOR_SIG)
        return NULL;
    uint64_t at = get64(bytes + end - LOCATOR_SIZE + 8);
    if (at > end || end - at < END64_SIZE || get32(bytes + at) != END64_SIG)
        return damaged(npz, "a bad zip64 end record", end - LOCATOR_SIZE);
    *out = (directory){
        .count = get64(bytes + at + 32), .size = get64(bytes + at + 40), .offset = get64(bytes + at + 48)};
    return NULL;
}

/* Sizes and offset that do not fit 32 bits stand in an extra field, in this order, each only when needed. */
static bool read_zip64_field(const uint8_t *extra, size_t length, pg_npz_member *member, uint64_t *local)
{
    while (length >= 4) {
        size_t size = get16(extra + 2);
        if (size > length - 4)
            return false;
        const uint8_t *at = extra + 4, *end = at + size;
        if (get16(extra) == 1) {
            uint64_t *const fields[] = {&member->size, &member->packed, local};
            for (size_t i = 0; i < PG_COUNT(fields); i++)
                if (*fields[i] == UINT32_MAX) {
                    if (end - at < 8)
                        return false;
                    *fields[i] = get64(at);
                    at += 8;
                }
        }
        extra += 4 + size;
        length -= 4 + size;
    }
    return true;
}

static pg_status locate_bytes(const pg_npz *npz, const uint8_t *bytes, uint64_t size, uint64_t local,
                              pg_npz_member *member)
{
    if (local > size || size - local < LOCAL_SIZE || get32(bytes + local) != LOCAL_SIG)
        return damaged(npz, "a member's local header is missing", local);
    uint64_t begin = local + LOCAL_SIZE + get16(bytes + local + 26) + get16(bytes + local + 28);
    if (begin > size || member->packed > size - begin)
        return damaged(npz, "a member reaches beyond the file's end", local);
    member->offset = begin;
    return NULL;
}

static pg_status check_method(const pg_npz *npz, const uint8_t *entry, pg_npz_member *member)
{
    unsigned flags = get16(entry + 8), method = get16(entry + 10);
    if ((flags & 1) != 0)
        return pg_err(PG_ERR_UNSUPPORTED, "member '%" PG_STR_FMT "' of '%s' is encrypted",
                      PG_STR_ARG(member->name), npz->path);
    if (method != 0 && method != 8)
        return pg_err(PG_ERR_UNSUPPORTED,
                      "member '%" PG_STR_FMT
                      "' of '%s' is compressed by method %u; stored and deflated ones are read",
                      PG_STR_ARG(member->name), npz->path, method);
    member->deflated = method == 8;
    bool fits = member->deflated ? member->size / MOST_EXPANSION <= member->packed + 1
                                 : member->size == member->packed;
    if (!fits)
        return pg_err(PG_ERR_INVALID,
                      "member '%" PG_STR_FMT "' of '%s' states %llu bytes, which its %llu cannot hold",
                      PG_STR_ARG(member->name), npz->path, (unsigned long long)member->size,
                      (unsigned long long)member->packed);
    return NULL;
}

/* Reads the entry at *at and moves past it. */
static pg_status read_entry(const pg_npz *npz, const uint8_t *bytes, uint64_t size, uint64_t *at,
                            uint64_t end, pg_npz_member *member)
{
    const uint8_t *entry = bytes + *at;
    if (end - *at < ENTRY_SIZE || get32(entry) != ENTRY_SIG)
        return damaged(npz, "a bad entry in its directory", *at);
    uint64_t name = get16(entry + 28), extra = get16(entry + 30), comment = get16(entry + 32);
    if (end - *at - ENTRY_SIZE < name + extra + comment)
        return damaged(npz, "an entry in its directory is cut short", *at);
    uint64_t local = get32(entry + 42);
    *member = (pg_npz_member){.name = {(const char *)entry + ENTRY_SIZE, name},
                              .crc = get32(entry + 16),
                              .packed = get32(entry + 20),
                              .size = get32(entry + 24)};
    if (!read_zip64_field(entry + ENTRY_SIZE + name, extra, member, &local))
        return damaged(npz, "a bad extra field in its directory", *at);
    member->is_array = pg_str_ends(member->name, PG_STR(".npy"));
    if (member->is_array)
        member->name.len -= 4;
    *at += ENTRY_SIZE + name + extra + comment;
    PG_TRY(check_method(npz, entry, member));
    return locate_bytes(npz, bytes, size, local, member);
}

static pg_status read_members(pg_npz *npz, const uint8_t *bytes, uint64_t size, const directory *dir)
{
    if (dir->offset > size || dir->size > size - dir->offset)
        return damaged(npz, "its directory lies beyond the file's end", dir->offset);
    if (dir->count > PG_NPZ_MAX_MEMBERS || dir->count > dir->size / ENTRY_SIZE)
        return damaged(npz, "its directory states too many members", dir->offset);
    npz->members = PG_ARENA_ARRAY(&npz->arena, pg_npz_member, dir->count);
    pg_map names = {0};
    pg_status status = NULL;
    uint64_t at = dir->offset, end = dir->offset + dir->size;
    for (uint64_t i = 0; i < dir->count && status == NULL; i++) {
        pg_npz_member *member = &npz->members[npz->count++];
        status = read_entry(npz, bytes, size, &at, end, member);
        if (status == NULL && member->is_array && !pg_map_put(&names, member->name, member))
            status = pg_err(PG_ERR_INVALID, "'%s' holds two arrays called '%" PG_STR_FMT "'", npz->path,
                            PG_STR_ARG(member->name));
    }
    pg_map_deinit(&names);
    return status;
}

pg_status pg_npz_open_memory(const void *bytes, uint64_t size, pg_buffer *owner, const char *name,
                             pg_npz *out)
{
    *out = (pg_npz){.file = pg_buffer_ref(owner), .path = pg_strndup(name, strlen(name))};
    uint64_t end = 0;
    pg_status status = find_end(out, bytes, size, &end);
    if (status == NULL) {
        const uint8_t *record = (const uint8_t *)bytes + end;
        directory dir = {
            .count = get16(record + 10), .size = get32(record + 12), .offset = get32(record + 16)};
        if (get16(record + 4) != 0 && get16(record + 4) != UINT16_MAX)
            status = pg_err(PG_ERR_UNSUPPORTED, "'%s' is one part of a split archive", name);
        status = pg_status_first(status, read_end64(out, bytes, end, &dir));
        if (status == NULL)
            status = read_members(out, bytes, size, &dir);
    }
    if (status != NULL)
        pg_npz_close(out);
    return status;
}

pg_status pg_npz_open(const char *path, pg_npz *out)
{
    pg_file_map map;
    *out = (pg_npz){0};
    PG_TRY(pg_file_map_open(path, &map));
    pg_buffer *file = pg_buffer_from_map(&map);
    pg_status status = pg_npz_open_memory(file->data, file->size, file, path, out);
    pg_buffer_unref(file);
    return status;
}

void pg_npz_close(pg_npz *npz)
{
    pg_buffer_unref(npz->file);
    free(npz->path);
    pg_arena_deinit(&npz->arena);
    *npz = (pg_npz){0};
}

/* zlib counts in 32 bits, so both sides are fed in pieces. True when exactly `size` bytes came out. */
static bool inflate_all(const uint8_t *in, uint64_t packed, uint8_t *out, uint64_t size)
{
    const uint64_t most = 1u << 30;
    uint8_t spare;
    uint64_t made = 0;
    z_stream stream = {0};
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
        return false;
    int code = Z_OK;
    while (code == Z_OK) {
        if (stream.avail_in == 0 && packed > 0) {
            stream.next_in = (Bytef *)in;
            stream.avail_in = (uInt)PG_MIN(packed, most);
            in += stream.avail_in;
            packed -= stream.avail_in;
        }
        uint64_t room = PG_MIN(size - made, most);
        stream.next_out = room > 0 ? out + made : &spare;
        stream.avail_out = room > 0 ? (uInt)room : 1;
        uInt before = stream.avail_out;
        code = inflate(&stream, Z_NO_FLUSH);
        if (room == 0 && stream.avail_out == 0)
            code = Z_DATA_ERROR;
        made += room > 0 ? before - stream.avail_out : 0;
    }
    inflateEnd(&stream);
    return code == Z_STREAM_END && made == size;
}

static pg_status read_array(const pg_npz *npz, const pg_npz_member *member, pg_tensor *out)
{
    const uint8_t *bytes = (const uint8_t *)npz->file->data + member->offset;
    pg_buffer *owner = pg_buffer_ref(npz->file);
    pg_status status = NULL;
    if (member->deflated) {
        pg_buffer_unref(owner);
        owner = pg_buffer_new(member->size);
        if (owner == NULL)
            return pg_err(PG_ERR_NO_MEMORY, "no memory for %llu bytes", (unsigned long long)member->size);
        if (!inflate_all(bytes, member->packed, owner->data, member->size))
            PG_TRY_GOTO(status, pg_err(PG_ERR_INVALID, "its compressed bytes are damaged (from byte %llu on)",
                                       (unsigned long long)member->offset));
        bytes = owner->data;
    }
    if (pg_zip_crc(0, bytes, member->size) != member->crc)
        PG_TRY_GOTO(status,
                    pg_err(PG_ERR_INVALID, "its bytes do not match their checksum (from byte %llu on)",
                           (unsigned long long)member->offset));
    status = pg_npy_read(bytes, member->size, owner, out);
done:
    pg_buffer_unref(owner);
    return status;
}

pg_status pg_npz_read(const pg_npz *npz, const pg_npz_member *member, pg_tensor *out)
{
    *out = (pg_tensor){0};
    PG_TRY_CTX(read_array(npz, member, out), "member '%" PG_STR_FMT "' of '%s'", PG_STR_ARG(member->name),
               npz->path);
    return NULL;
}
