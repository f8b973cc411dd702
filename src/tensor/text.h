/* Arrays as text, exactly as NumPy 2 prints them with str(): 8 digits at most, the shortest that identify a
 * value in its type, one width per array, scientific form when the range asks for it, "..." in large arrays.
 * Types of ml_dtypes (bfloat16, the 8 and 4-bit floats, int4 ...) print as plain words, as they do there. */
#ifndef PG_TENSOR_TEXT_H
#define PG_TENSOR_TEXT_H

#include "base/buf.h"
#include "tensor/tensor.h"

typedef struct pg_text_options {
    int64_t threshold;  /* arrays of more elements are summarised; -1 = none */
    int64_t edge_items; /* shown at each end of a summarised dimension; -1 = all */
    int64_t line_width; /* in characters; -1 = lines break at the end of dimensions only */
} pg_text_options;

/* NumPy's: 1000, 3, 75. */
extern const pg_text_options pg_text_defaults;

/* str(array). Several lines are joined by line feeds, without one at the end. A rank-0 tensor is its bare
 * value (strings without quotes), an array without elements is "[]". NULL options are the defaults. */
void pg_tensor_text(pg_buf *out, const pg_tensor *tensor, const pg_text_options *options);
/* str() of one element, as a NumPy scalar. */
void pg_tensor_text_element(pg_buf *out, const pg_tensor *tensor, uint64_t index);

/* Python's repr(str) of UTF-8 text: quoted with ' (or " when that saves escapes), control and format
 * characters escaped. Bytes that are not UTF-8 appear as \xNN. */
void pg_text_quote(pg_buf *out, pg_str text);
/* `block` with every line moved right by `levels` * 4 blanks, empty lines too; a final line feed is dropped.
 */
void pg_text_indent(pg_buf *out, pg_str block, int levels);

#endif
