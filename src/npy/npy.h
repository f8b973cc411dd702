/* numpy's files: .npy (one array) and .npz (a zip archive of them).
 *
 * Element types numpy lacks are written as its own save does, as raw bytes: bfloat16 as '<V2', the 8-bit and
 * narrower ones as '<V1' with one element per byte. Reading takes '<V2' as bfloat16, the only 2-byte type
 * that is stored so; '<V1' does not say which type it was and is read as uint8 unless the caller knows better
 * (pg_npy_header.dtype may be set before decoding). Strings are '<U' (UCS-4; text loses NULs at its end,
 * bytes that are not UTF-8 travel as U+DC80 to U+DCFF), and 'S' is read too. Arrays in Fortran order or the
 * other byte order are converted. Pickled objects are refused: no code from a file is ever run. */
#ifndef PG_NPY_NPY_H
#define PG_NPY_NPY_H

#include "base/file.h"
#include "base/status.h"
#include "tensor/tensor.h"

enum {
    PG_NPY_PREFIX = 12,          /* bytes that tell how long the header is */
    PG_NPY_MAX_HEADER = 1 << 16, /* longest header text that is read */
};

typedef struct pg_npy_header {
    pg_dtype dtype;
    unsigned rank;
    int64_t dims[PG_MAX_RANK];
    bool fortran;       /* first index varies fastest */
    bool swapped;       /* the other byte order */
    char kind;          /* numpy's kind letter: 'f', 'U', 'V', ... */
    uint64_t item_size; /* bytes per element in the file */
    uint64_t size;      /* of the header: where the elements start */
    uint64_t data_size; /* bytes of all elements in the file */
} pg_npy_header;

/* Length of the header from the first PG_NPY_PREFIX bytes (fewer only if the file is shorter). */
PG_MUST_USE pg_status pg_npy_header_size(const void *bytes, uint64_t available, uint64_t *out);
/* Versions 1 to 3. PG_ERR_INVALID with the byte offset for a malformed or cut header; PG_ERR_UNSUPPORTED
 * naming the descriptor for structured types, objects, dates and extended precision. Does not look at the
 * elements. */
PG_MUST_USE pg_status pg_npy_parse_header(const void *bytes, uint64_t available, pg_npy_header *out);
/* True when the elements in the file are the bytes of the tensor. */
bool pg_npy_is_plain(const pg_npy_header *header);
/* Tensor of any supported array from its elements (header->data_size bytes). */
PG_MUST_USE pg_status pg_npy_decode(const pg_npy_header *header, const void *data, pg_tensor *out);
/* A whole .npy in memory. Plain and aligned elements are not copied when `owner` keeps the bytes: the tensor
 * is then one more owner. Without an owner they are copied. */
PG_MUST_USE pg_status pg_npy_read(const void *bytes, uint64_t size, pg_buffer *owner, pg_tensor *out);
/* True when the file's type did not tell the element type ('<V1'), so the caller may know better. */
bool pg_npy_is_ambiguous(const pg_npy_header *header);

/* A counted buffer over a mapped file; takes the map over and closes it with the last owner. */
pg_buffer *pg_buffer_from_map(pg_file_map *map);

/* What is written for a tensor: the header's text and the elements, as few bytes of memory as possible. */
typedef struct pg_npy_image {
    pg_buf header;
    const void *data; /* the tensor's own bytes, or `converted` */
    uint64_t data_size;
    void *converted; /* owned; strings and sub-byte types */
} pg_npy_image;
/* Version 1.0, padded as numpy pads. The image borrows the tensor. PG_ERR_NO_MEMORY. */
PG_MUST_USE pg_status pg_npy_image_make(const pg_tensor *tensor, pg_npy_image *out);
void pg_npy_image_deinit(pg_npy_image *image);
/* Whether writing keeps the element type when it is read back. */
bool pg_npy_keeps_type(pg_dtype dtype);
void pg_npy_write(pg_writer *file, const pg_npy_image *image);

/* ---- .npz ---- */

typedef struct pg_npz_member {
    pg_str name;   /* without ".npy" */
    bool is_array; /* its name ended in ".npy" */
    bool deflated;
    uint32_t crc;
    uint64_t offset; /* of its first byte in the file */
    uint64_t packed, size;
} pg_npz_member;

/* A read-only archive. Views live until it is closed; tensors read from it keep what they need. */
typedef struct pg_npz {
    pg_buffer *file;
    char *path;
    pg_arena arena;
    pg_npz_member *members;
    size_t count;
    pg_str comment; /* of the archive */
} pg_npz;

enum { PG_NPZ_MAX_MEMBERS = 1 << 20, PG_NPZ_MAX_COMMENT = 65535 };

/* Stored and deflated members, zip64. Encrypted or split archives and other methods are PG_ERR_UNSUPPORTED by
 * name; damaged ones PG_ERR_INVALID with the byte offset. */
PG_MUST_USE pg_status pg_npz_open(const char *path, pg_npz *out);
/* The same over bytes in memory, kept by `owner`. */
PG_MUST_USE pg_status pg_npz_open_memory(const void *bytes, uint64_t size, pg_buffer *owner, const char *name,
                                         pg_npz *out);
/* Checks the CRC. Stored members that are aligned are views of the file. */
PG_MUST_USE pg_status pg_npz_read(const pg_npz *npz, const pg_npz_member *member, pg_tensor *out);
void pg_npz_close(pg_npz *npz);

/* Writes stored members whose elements start at multiples of 64. */
typedef struct pg_npz_writer {
    pg_writer *file;
    pg_buf directory; /* central directory so far */
    uint64_t count;
} pg_npz_writer;

void pg_npz_begin(pg_npz_writer *npz, pg_writer *file);
PG_MUST_USE pg_status pg_npz_add(pg_npz_writer *npz, pg_str name, const pg_tensor *tensor);
/* The comment is at most PG_NPZ_MAX_COMMENT bytes. Does not commit the file. */
void pg_npz_end(pg_npz_writer *npz, pg_str comment);
/* For giving up before the end. */
void pg_npz_writer_deinit(pg_npz_writer *npz);

#endif
