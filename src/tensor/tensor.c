#include "tensor/tensor.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

pg_buffer *pg_buffer_ref(pg_buffer *buffer)
{
    if (buffer != NULL)
        atomic_fetch_add_explicit(&buffer->refs, 1, memory_order_relaxed);
    return buffer;
}

void pg_buffer_unref(pg_buffer *buffer)
{
    if (buffer != NULL && atomic_fetch_sub_explicit(&buffer->refs, 1, memory_order_acq_rel) == 1)
        buffer->release(buffer);
}

static void free_heap_buffer(pg_buffer *buffer)
{
    free(buffer->data);
    free(buffer);
}

pg_buffer *pg_buffer_new(uint64_t size)
{
    pg_buffer *buffer = malloc(sizeof *buffer);
    uint64_t rounded;
    if (buffer == NULL)
        return NULL;
    if (pg_add_overflow(PG_MAX(size, (uint64_t)1), PG_TENSOR_ALIGNMENT - 1, &rounded)) {
        free(buffer);
        return NULL;
    }
    rounded = rounded / PG_TENSOR_ALIGNMENT * PG_TENSOR_ALIGNMENT;
    void *data = aligned_alloc(PG_TENSOR_ALIGNMENT, rounded);
    if (data == NULL) {
        free(buffer);
        return NULL;
    }
    *buffer = (pg_buffer){.release = free_heap_buffer, .size = size, .data = data};
    atomic_init(&buffer->refs, 1);
    return buffer;
}

bool pg_tensor_layouts_agree(const pg_tensor *tensor)
{
    int64_t positions = 1;
    for (size_t i = 2; i < tensor->rank; i++)
        positions *= tensor->dims[i] == 1 ? 1 : 2;
    return tensor->rank < 3 || tensor->dims[1] == 1 || positions == 1;
}

bool pg_dims_count(size_t rank, const int64_t *dims, uint64_t *out)
{
    uint64_t count = 1;
    bool empty = false;
    for (size_t i = 0; i < rank; i++) {
        if (dims[i] < 0)
            return false;
        if (dims[i] == 0)
            empty = true;
        else if (pg_mul_overflow(count, (uint64_t)dims[i], &count))
            return false;
    }
    *out = empty ? 0 : count;
    return true;
}

uint64_t pg_tensor_count(const pg_tensor *tensor)
{
    uint64_t count = 1;
    for (size_t i = 0; i < tensor->rank; i++)
        count *= (uint64_t)tensor->dims[i];
    return count;
}

uint64_t pg_tensor_bytes(const pg_tensor *tensor)
{
    uint64_t bytes = 0;
    (void)pg_dtype_bytes(tensor->dtype, pg_tensor_count(tensor), &bytes);
    return bytes;
}

/* Checks type, rank and dims and fills them in; data stays NULL. */
static pg_status describe(pg_tensor *tensor, pg_dtype dtype, size_t rank, const int64_t *dims,
                          uint64_t *out_bytes)
{
    *tensor = (pg_tensor){0};
    uint64_t count, bytes;
    if (rank > PG_MAX_RANK)
        return pg_err(PG_ERR_LIMIT, "a tensor of rank %zu is beyond the limit of %d dimensions", rank,
                      PG_MAX_RANK);
    for (size_t i = 0; i < rank; i++)
        if (dims[i] < 0)
            return pg_err(PG_ERR_INVALID, "dimension %zu of a tensor is negative: %lld", i,
                          (long long)dims[i]);
    if (dtype == PG_UNDEFINED || dtype >= PG_DTYPE_COUNT)
        return pg_err(PG_ERR_INVALID, "a tensor needs an element type, found number %d", (int)dtype);
    if (!pg_dims_count(rank, dims, &count) || !pg_dtype_bytes(dtype, count, &bytes) || bytes > INT64_MAX)
        return pg_err(PG_ERR_LIMIT, "a tensor's size overflows 63 bits");
    tensor->dtype = dtype;
    tensor->rank = (uint16_t)rank;
    if (rank > 0)
        memcpy(tensor->dims, dims, rank * sizeof *dims);
    *out_bytes = bytes;
    return NULL;
}

static pg_status attach_memory(pg_tensor *tensor, uint64_t bytes)
{
    tensor->buffer = pg_buffer_new(bytes);
    if (tensor->buffer == NULL) {
        pg_buf shape = {0};
        pg_shape_text(&shape, tensor->rank, tensor->dims);
        pg_status status =
            pg_err(PG_ERR_NO_MEMORY, "no memory for a %s tensor of shape %s (%llu bytes)",
                   pg_dtype_name(tensor->dtype), pg_buf_cstr(&shape), (unsigned long long)bytes);
        pg_buf_deinit(&shape);
        *tensor = (pg_tensor){0};
        return status;
    }
    tensor->data = tensor->buffer->data;
    return NULL;
}

pg_status pg_tensor_alloc(pg_tensor *tensor, pg_dtype dtype, size_t rank, const int64_t *dims)
{
    uint64_t bytes;
    PG_TRY(describe(tensor, dtype, rank, dims, &bytes));
    PG_TRY(attach_memory(tensor, bytes));
    if (dtype == PG_STRING)
        memset(tensor->data, 0, bytes);
    return NULL;
}

pg_status pg_tensor_alloc_strings(pg_tensor *tensor, size_t rank, const int64_t *dims, const pg_str *texts)
{
    uint64_t bytes;
    PG_TRY(describe(tensor, PG_STRING, rank, dims, &bytes));
    uint64_t count = pg_tensor_count(tensor), total = bytes;
    for (uint64_t i = 0; i < count; i++)
        if (pg_add_overflow(total, texts[i].len, &total))
            return pg_err(PG_ERR_LIMIT, "a string tensor's size overflows");
    PG_TRY(attach_memory(tensor, total));
    pg_str *elements = tensor->data;
    char *next = (char *)tensor->data + bytes;
    for (uint64_t i = 0; i < count; i++) {
        elements[i] = (pg_str){next, texts[i].len};
        if (texts[i].len > 0)
            memcpy(next, texts[i].ptr, texts[i].len);
        next += texts[i].len;
    }
    return NULL;
}

pg_status pg_tensor_borrow(pg_tensor *tensor, pg_dtype dtype, size_t rank, const int64_t *dims,
                           const void *data)
{
    uint64_t bytes;
    PG_TRY(describe(tensor, dtype, rank, dims, &bytes));
    tensor->data = (void *)data;
    return NULL;
}

void pg_tensor_deinit(pg_tensor *tensor)
{
    pg_buffer_unref(tensor->buffer);
    *tensor = (pg_tensor){0};
}

pg_tensor pg_tensor_share(const pg_tensor *tensor)
{
    pg_buffer_ref(tensor->buffer);
    return *tensor;
}

pg_status pg_tensor_copy(pg_tensor *out, const pg_tensor *tensor)
{
    if (tensor->dtype == PG_STRING)
        return pg_tensor_alloc_strings(out, tensor->rank, tensor->dims, tensor->data);
    PG_TRY(pg_tensor_alloc(out, tensor->dtype, tensor->rank, tensor->dims));
    out->layout = tensor->layout;
    uint64_t bytes = pg_tensor_bytes(tensor);
    if (bytes > 0)
        memcpy(out->data, tensor->data, bytes);
    return NULL;
}

pg_status pg_tensor_reshape(pg_tensor *tensor, size_t rank, const int64_t *dims)
{
    uint64_t count;
    if (rank > PG_MAX_RANK)
        return pg_err(PG_ERR_LIMIT, "a tensor of rank %zu is beyond the limit of %d dimensions", rank,
                      PG_MAX_RANK);
    if (!pg_dims_count(rank, dims, &count) || count != pg_tensor_count(tensor)) {
        pg_buf from = {0}, to = {0};
        pg_shape_text(&from, tensor->rank, tensor->dims);
        pg_shape_text(&to, rank, dims);
        pg_status status = pg_err(PG_ERR_INVALID, "a tensor of shape %s cannot become %s", pg_buf_cstr(&from),
                                  pg_buf_cstr(&to));
        pg_buf_deinit(&from);
        pg_buf_deinit(&to);
        return status;
    }
    tensor->rank = (uint16_t)rank;
    if (rank > 0)
        memmove(tensor->dims, dims, rank * sizeof *dims);
    return NULL;
}

bool pg_tensor_same_shape(const pg_tensor *a, const pg_tensor *b)
{
    return a->rank == b->rank && memcmp(a->dims, b->dims, a->rank * sizeof a->dims[0]) == 0;
}

void pg_shape_text(pg_buf *out, size_t rank, const int64_t *dims)
{
    pg_buf_putc(out, '(');
    for (size_t i = 0; i < rank; i++)
        pg_buf_printf(out, "%s%lld", i > 0 ? ", " : "", (long long)dims[i]);
    pg_buf_puts(out, rank == 1 ? ",)" : ")");
}
