#include "native/ops/move.h"

#include <string.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "native/ops/simd.h"
#include "native/simd/simd.h"
#include "tensor/dtype_convert.h"

size_t pg_move_size(pg_dtype dtype)
{
    unsigned bits = pg_dtype_get(dtype)->bits;
    return bits < 8 ? 1 : bits / 8;
}

static bool is_packed(pg_dtype dtype)
{
    unsigned bits = pg_dtype_get(dtype)->bits;
    return bits > 0 && bits < 8;
}

pg_status pg_move_in(pg_op *op, const pg_tensor *tensor, const void **out)
{
    *out = tensor->data;
    if (!is_packed(tensor->dtype))
        return NULL;
    void *spread;
    uint64_t count = pg_tensor_count(tensor);
    PG_TRY(pg_op_scratch(op, count, &spread));
    pg_unpack(tensor->dtype, tensor->data, 0, count, spread);
    *out = spread;
    return NULL;
}

pg_status pg_move_out(pg_op *op, size_t index, pg_dtype dtype, size_t rank, const int64_t *dims, pg_move *out)
{
    *out = (pg_move){.op = op, .index = index, .dtype = dtype, .rank = rank, .size = pg_move_size(dtype)};
    if (rank > PG_MAX_RANK)
        return pg_op_err(op, PG_ERR_LIMIT, "an output of rank %zu is beyond the limit of %d dimensions", rank,
                         PG_MAX_RANK);
    if (rank > 0)
        memcpy(out->dims, dims, rank * sizeof *dims);
    if (!pg_dims_count(rank, dims, &out->count) || out->count > INT64_MAX / 16)
        return pg_op_err(op, PG_ERR_LIMIT, "the size of output %zu overflows", index);
    if (dtype != PG_STRING) {
        PG_TRY(pg_op_out(op, index, dtype, rank, dims, &out->tensor));
        out->data = out->tensor->data;
    }
    if (dtype == PG_STRING || is_packed(dtype)) {
        PG_TRY(pg_op_scratch(op, out->count * out->size, &out->data));
        memset(out->data, 0, out->count * out->size);
    }
    return NULL;
}

pg_status pg_move_done(pg_move *move)
{
    if (is_packed(move->dtype))
        pg_pack(move->dtype, move->data, move->tensor->data, 0, move->count);
    if (move->dtype != PG_STRING)
        return NULL;
    pg_tensor strings;
    PG_TRY(pg_tensor_alloc_strings(&strings, move->rank, move->dims, move->data));
    pg_op_out_value(move->op, move->index, pg_value_of_tensor(strings));
    return NULL;
}

void pg_strides(size_t rank, const int64_t *dims, int64_t *out)
{
    int64_t stride = 1;
    for (size_t i = rank; i-- > 0;) {
        out[i] = stride;
        stride *= dims[i];
    }
}

/* A box whose dims of one are gone and whose neighbouring dims are merged where both sides allow it. */
typedef struct box {
    size_t rank, size;
    int64_t dims[PG_MAX_RANK], ds[PG_MAX_RANK], ss[PG_MAX_RANK];
    char *dst;
    const char *src;
    bool tiled; /* the last two dims are transposed */
} box;

static void box_init(box *b, size_t rank, const int64_t *dims, const int64_t *ds, const int64_t *ss)
{
    b->rank = 0;
    for (size_t i = 0; i < rank; i++) {
        size_t last = b->rank - 1;
        if (dims[i] == 1)
            continue;
        if (b->rank > 0 && b->ds[last] == ds[i] * dims[i] && b->ss[last] == ss[i] * dims[i]) {
            b->dims[last] *= dims[i];
            b->ds[last] = ds[i];
            b->ss[last] = ss[i];
            continue;
        }
        b->dims[b->rank] = dims[i];
        b->ds[b->rank] = ds[i];
        b->ss[b->rank++] = ss[i];
    }
}

/* Brings the dim along which the source is contiguous next to the last, so that both are walked in tiles. */
static void box_find_tiles(box *b)
{
    size_t last = b->rank - 1;
    if (b->rank < 2 || b->ds[last] != 1 || b->ss[last] == 1 || b->ss[last] == 0 || b->size > 8)
        return;
    size_t k = 0;
    while (k < last && b->ss[k] != 1)
        k++;
    if (k == last || b->dims[k] < 4 || b->dims[last] < 4)
        return;
    int64_t d = b->dims[k], ds = b->ds[k];
    for (; k + 1 < last; k++) {
        b->dims[k] = b->dims[k + 1];
        b->ds[k] = b->ds[k + 1];
        b->ss[k] = b->ss[k + 1];
    }
    b->dims[k] = d;
    b->ds[k] = ds;
    b->ss[k] = 1;
    b->tiled = true;
}

#define COPY_ROW(T)                                           \
    do {                                                      \
        T *to = (T *)dst;                                     \
        const T *from = (const T *)src;                       \
        for (int64_t i = 0; i < n; i++, to += ds, from += ss) \
            *to = *from;                                      \
    } while (0)

typedef struct two_words {
    uint64_t low, high;
} two_words;

static void copy_row(char *dst, int64_t ds, const char *src, int64_t ss, int64_t n, size_t size)
{
    if (ds == 1 && ss == 1) {
        memcpy(dst, src, (size_t)n * size);
        return;
    }
    if (ds == 1 && ss == 0) {
        pg_fill(dst, src, (uint64_t)n, size);
        return;
    }
    switch (size) {
    case 1:
        COPY_ROW(uint8_t);
        break;
    case 2:
        COPY_ROW(uint16_t);
        break;
    case 4:
        COPY_ROW(uint32_t);
        break;
    case 8:
        COPY_ROW(uint64_t);
        break;
    default:
        COPY_ROW(two_words);
        break;
    }
}

/* dst[i * ds + j] = src[i + j * ss], in tiles that stay in the first cache. */
#define COPY_TILES(T)                                                           \
    do {                                                                        \
        enum { TILE = 64 / sizeof(T) < 16 ? 16 : 64 / sizeof(T) };              \
        T *to = (T *)dst;                                                       \
        const T *from = (const T *)src;                                         \
        for (int64_t i0 = 0; i0 < ni; i0 += TILE)                               \
            for (int64_t j0 = 0; j0 < nj; j0 += TILE) {                         \
                int64_t i1 = PG_MIN(i0 + TILE, ni), j1 = PG_MIN(j0 + TILE, nj); \
                for (int64_t i = i0; i < i1; i++)                               \
                    for (int64_t j = j0; j < j1; j++)                           \
                        to[i * ds + j] = from[i + j * ss];                      \
            }                                                                   \
    } while (0)

static void copy_tiles(char *dst, int64_t ds, const char *src, int64_t ss, int64_t ni, int64_t nj,
                       size_t size)
{
    switch (size) {
    case 1:
        COPY_TILES(uint8_t);
        break;
    case 2:
        COPY_TILES(uint16_t);
        break;
    case 4:
        pg_simd_best()->transpose_32((const uint32_t *)src, (size_t)ss, (uint32_t *)dst, (size_t)ds,
                                     (size_t)nj, (size_t)ni);
        break;
    default:
        COPY_TILES(uint64_t);
        break;
    }
}

/* Ranges are over all dims but the last; in the tiled case the second last is walked in strips. */
static void copy_rows(void *context, size_t begin, size_t end)
{
    const box *b = context;
    size_t outer = b->rank - 1, last = b->rank - 1;
    int64_t index[PG_MAX_RANK], d = 0, s = 0;
    for (size_t i = outer, rest = begin; i-- > 0;) {
        index[i] = (int64_t)(rest % (size_t)b->dims[i]);
        rest /= (size_t)b->dims[i];
        d += index[i] * b->ds[i];
        s += index[i] * b->ss[i];
    }
    int64_t size = (int64_t)b->size;
    for (size_t row = begin; row < end;) {
        int64_t step = 1;
        char *dst = b->dst + d * size;
        const char *src = b->src + s * size;
        if (b->tiled) {
            step = PG_MIN(b->dims[last - 1] - index[last - 1], (int64_t)(end - row));
            copy_tiles(dst, b->ds[last - 1], src, b->ss[last], step, b->dims[last], b->size);
        } else {
            copy_row(dst, b->ds[last], src, b->ss[last], b->dims[last], b->size);
        }
        row += (size_t)step;
        for (size_t i = outer; i-- > 0; step = 1) {
            index[i] += step;
            d += step * b->ds[i];
            s += step * b->ss[i];
            if (index[i] < b->dims[i])
                break;
            d -= index[i] * b->ds[i];
            s -= index[i] * b->ss[i];
            index[i] = 0;
        }
    }
}

static void copy_bytes(void *context, size_t begin, size_t end)
{
    const box *b = context;
    memcpy(b->dst + begin, b->src + begin, end - begin);
}

void pg_copy_strided(void *dst, const int64_t *dst_strides, const void *src, const int64_t *src_strides,
                     size_t rank, const int64_t *dims, size_t size)
{
    box b = {.size = size, .dst = dst, .src = src};
    for (size_t i = 0; i < rank; i++)
        if (dims[i] == 0)
            return;
    box_init(&b, rank, dims, dst_strides, src_strides);
    if (b.rank == 0) {
        memcpy(dst, src, size);
        return;
    }
    if (b.rank == 1 && b.ds[0] == 1 && b.ss[0] == 1) {
        pg_parallel_for((size_t)b.dims[0] * size, 1 << 20, copy_bytes, &b);
        return;
    }
    box_find_tiles(&b);
    size_t rows = 1;
    for (size_t i = 0; i + 1 < b.rank; i++)
        rows *= (size_t)b.dims[i];
    size_t grain = PG_GRAIN_CHEAP / (size_t)PG_MAX(b.dims[b.rank - 1], 1);
    pg_parallel_for(rows, PG_MAX(grain, b.tiled ? (size_t)16 : (size_t)1), copy_rows, &b);
}

void pg_fill(void *dst, const void *element, uint64_t count, size_t size)
{
    if (count == 0)
        return;
    if (size == 1) {
        memset(dst, *(const uint8_t *)element, count);
        return;
    }
    char *bytes = dst;
    memcpy(bytes, element, size);
    for (uint64_t done = 1; done < count;) {
        uint64_t more = PG_MIN(PG_MIN(done, count - done), (uint64_t)4096);
        memcpy(bytes + done * size, bytes, more * size);
        done += more;
    }
}

void pg_storage_dims(const pg_tensor *tensor, int64_t *out)
{
    size_t rank = tensor->rank;
    for (size_t i = 0; i < rank; i++)
        out[i] = tensor->dims[i];
    if (tensor->layout != PG_CHANNELS_LAST || rank < 3)
        return;
    for (size_t i = 1; i + 1 < rank; i++)
        out[i] = tensor->dims[i + 1];
    out[rank - 1] = tensor->dims[1];
}

pg_status pg_with_layout(pg_op *op, const pg_tensor *tensor, pg_layout layout, pg_tensor *storage,
                         const pg_tensor **out)
{
    *out = tensor;
    if (tensor->layout == layout)
        return NULL;
    *storage = *tensor;
    storage->buffer = NULL;
    storage->layout = (uint16_t)layout;
    *out = storage;
    size_t rank = tensor->rank;
    if (rank < 3)
        return NULL;
    size_t size = pg_move_size(tensor->dtype);
    PG_TRY(pg_op_scratch(op, pg_tensor_count(tensor) * size, &storage->data));
    int64_t rows[PG_MAX_RANK], last[PG_MAX_RANK], stored[PG_MAX_RANK], strides[PG_MAX_RANK];
    pg_strides(rank, tensor->dims, rows);
    pg_storage_dims(layout == PG_CHANNELS_LAST ? storage : tensor, stored);
    pg_strides(rank, stored, strides);
    last[0] = strides[0];
    last[1] = strides[rank - 1];
    for (size_t i = 2; i < rank; i++)
        last[i] = strides[i - 1];
    bool to_last = layout == PG_CHANNELS_LAST;
    /* Walk the destination in its own order, so that its last dim is contiguous. */
    int64_t dims[PG_MAX_RANK], ds[PG_MAX_RANK], ss[PG_MAX_RANK];
    for (size_t i = 0; i < rank; i++) {
        size_t from = !to_last || i == 0 ? i : i + 1 < rank ? i + 1 : 1;
        dims[i] = tensor->dims[from];
        ds[i] = to_last ? last[from] : rows[from];
        ss[i] = to_last ? rows[from] : last[from];
    }
    pg_copy_strided(storage->data, ds, tensor->data, ss, rank, dims, size);
    return NULL;
}
