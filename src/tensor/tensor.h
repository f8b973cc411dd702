/* Dense tensors: a type, dimensions and bytes, row-major. The bytes belong to a counted buffer or are
 * borrowed.
 *
 *     pg_tensor t = {0};
 *     PG_TRY(pg_tensor_alloc(&t, PG_F32, 2, (int64_t[]){2, 3}));
 *     float *values = t.data;
 *     pg_tensor_deinit(&t);
 *
 * Copying the struct does not copy or keep the bytes: pg_tensor_share does. Strings are elements of type
 * pg_str whose text lives in the same buffer (pg_tensor_alloc_strings). */
#ifndef PG_TENSOR_TENSOR_H
#define PG_TENSOR_TENSOR_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/status.h"
#include "tensor/dtype.h"

enum { PG_MAX_RANK = 16, PG_TENSOR_ALIGNMENT = 64 };

/* Counted bytes; `release` frees the bytes and whatever `context` stands for (a heap block, a file map, a
 * pool's block). */
typedef struct pg_buffer pg_buffer;
struct pg_buffer {
    atomic_int refs;
    void (*release)(pg_buffer *buffer); /* frees the pg_buffer itself too */
    void *context;
    uint64_t size; /* bytes available at `data` */
    void *data;
};
pg_buffer *pg_buffer_ref(pg_buffer *buffer); /* NULL stays NULL */
void pg_buffer_unref(pg_buffer *buffer);     /* NULL is fine */
/* Heap memory, aligned to PG_TENSOR_ALIGNMENT, not initialised. NULL when there is no memory. */
pg_buffer *pg_buffer_new(uint64_t size);

/* How elements lie in memory. Channels-last: logical dims N,C,D1..Dn are stored N,D1..Dn,C. Only the native
 * engine makes such tensors; everything that leaves it is row-major. */
typedef enum pg_layout { PG_ROW_MAJOR = 0, PG_CHANNELS_LAST = 1 } pg_layout;

typedef struct pg_tensor {
    pg_dtype dtype;
    uint16_t rank;
    uint16_t layout; /* pg_layout */
    int64_t dims[PG_MAX_RANK];
    void *data;        /* NULL only without bytes */
    pg_buffer *buffer; /* owner of data; NULL when borrowed */
} pg_tensor;

/* Number of elements: 1 for rank 0. Dimensions of an allocated tensor are never negative and never overflow.
 */
uint64_t pg_tensor_count(const pg_tensor *tensor);
uint64_t pg_tensor_bytes(const pg_tensor *tensor);
/* Whether row-major and channels-last order the elements alike: one channel, or one position. */
bool pg_tensor_layouts_agree(const pg_tensor *tensor);
/* Product of dims; false on overflow or a negative dim. */
bool pg_dims_count(size_t rank, const int64_t *dims, uint64_t *out);

/* Sets every field; bytes are not initialised (strings are empty). PG_ERR_INVALID for negative dims,
 * PG_ERR_LIMIT for a rank above PG_MAX_RANK or a size that overflows, PG_ERR_NO_MEMORY. On error the tensor
 * is zeroed. */
PG_MUST_USE pg_status pg_tensor_alloc(pg_tensor *tensor, pg_dtype dtype, size_t rank, const int64_t *dims);
/* Copies the texts into the tensor's own buffer; `texts` has the product of dims elements. */
PG_MUST_USE pg_status pg_tensor_alloc_strings(pg_tensor *tensor, size_t rank, const int64_t *dims,
                                              const pg_str *texts);
/* A view over bytes that outlive it. Same errors as alloc. */
PG_MUST_USE pg_status pg_tensor_borrow(pg_tensor *tensor, pg_dtype dtype, size_t rank, const int64_t *dims,
                                       const void *data);
void pg_tensor_deinit(pg_tensor *tensor); /* a zeroed tensor is fine */
/* The same bytes, one more owner. A borrowed tensor stays borrowed. */
pg_tensor pg_tensor_share(const pg_tensor *tensor);
PG_MUST_USE pg_status pg_tensor_copy(pg_tensor *out, const pg_tensor *tensor);
/* Same bytes under other dims with the same product. */
PG_MUST_USE pg_status pg_tensor_reshape(pg_tensor *tensor, size_t rank, const int64_t *dims);
bool pg_tensor_same_shape(const pg_tensor *a, const pg_tensor *b);

/* "(1, 3)", "(5,)", "()" as Python prints a tuple. */
void pg_shape_text(pg_buf *out, size_t rank, const int64_t *dims);

/* Element `index` of any real type as a double (strings and complex: 0); for small tensors, not for loops
 * over data. */
double pg_tensor_get_f64(const pg_tensor *tensor, uint64_t index);
/* Element of an integer or bool type. */
int64_t pg_tensor_get_i64(const pg_tensor *tensor, uint64_t index);

#endif
