/* Shared by the files of this folder. */
#ifndef PG_NPY_INTERNAL_H
#define PG_NPY_INTERNAL_H

#include "npy/npy.h"

/* Appends a version 1.0 header, magic bytes included. */
void pg_npy_header_text(const char *descr, size_t rank, const int64_t *dims, pg_buf *out);
/* CRC-32 as in zip, computed by several threads for large blocks and continued from `crc`. */
uint32_t pg_zip_crc(uint32_t crc, const void *bytes, uint64_t size);

#endif
