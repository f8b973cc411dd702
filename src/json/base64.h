/* Base64 (RFC 4648, with padding, no line breaks), at memory speed. */
#ifndef PG_JSON_BASE64_H
#define PG_JSON_BASE64_H

#include <stdbool.h>
#include <stdint.h>

/* Characters that `size` bytes take, padding included. */
static inline uint64_t pg_base64_encoded_size(uint64_t size)
{
    return (size / 3 + (size % 3 != 0)) * 4;
}
/* Writes exactly pg_base64_encoded_size(size) characters, no zero byte. */
void pg_base64_encode(const void *bytes, uint64_t size, char *out);

/* Bytes that `length` characters stand for, from the length and the padding alone. False when the length is
 * not a multiple of four. */
bool pg_base64_decoded_size(const char *text, uint64_t length, uint64_t *out);
/* Decodes bytes [begin, begin + size) of the content into `out`; the range must lie inside the decoded size.
 * Large ranges are decoded by several threads. False when a character of the range is not base64:
 * *out_bad_offset is then the position of the first such character in `text`. As in Python, the unused bits
 * before the padding may have any value. */
bool pg_base64_decode(const char *text, uint64_t length, uint64_t begin, uint64_t size, void *out,
                      uint64_t *out_bad_offset);

#endif
