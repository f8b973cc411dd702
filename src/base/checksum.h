/* A fast checksum of large parts of files: it finds damage, it does not keep out those who mean harm.
 *
 * Per block of 1 MiB two sums over its 32-bit words, the second of the first's partial sums, in eight lanes so that the
 * compiler uses vectors: as fast as memory is read. The blocks' results are mixed in order, so they may be computed on all
 * threads. Bytes behind the last whole group of lanes count as if zeros followed. */
#ifndef PG_BASE_CHECKSUM_H
#define PG_BASE_CHECKSUM_H

#include <stdint.h>

uint64_t pg_checksum(const void *bytes, uint64_t size);

#endif
