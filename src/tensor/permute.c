#include "tensor/permute.h"

#include <string.h>

bool pg_permutation_find(const pg_tensor *tensor, size_t rank, const int64_t *dims, size_t *perm)
{
    bool used[PG_MAX_RANK] = {false};
    for (size_t i = 0; i < rank; i++) {
        size_t axis = 0;
        while (axis < tensor->rank && (used[axis] || tensor->dims[axis] != dims[i]))
            axis++;
        if (axis == tensor->rank)
            return false;
        used[axis] = true;
        perm[i] = axis;
    }
    return rank == tensor->rank;
}

/* Elements of `size` bytes; the innermost axis is copied with its stride. */
static void permute_elements(const pg_tensor *from, const size_t *perm, pg_tensor *to, size_t size)
{
    size_t strides[PG_MAX_RANK], stride = size, rank = from->rank;
    for (size_t axis = rank; axis-- > 0;) {
        strides[axis] = stride;
        stride *= (size_t)from->dims[axis];
    }
    int64_t index[PG_MAX_RANK] = {0};
    const char *source = from->data;
    char *target = to->data;
    uint64_t count = pg_tensor_count(to);
    for (uint64_t i = 0; i < count; i++) {
        memcpy(target, source, size);
        target += size;
        for (size_t axis = rank; axis-- > 0;) {
            source += strides[perm[axis]];
            if (++index[axis] < to->dims[axis])
                break;
            source -= strides[perm[axis]] * (size_t)to->dims[axis];
            index[axis] = 0;
        }
    }
}

pg_status pg_tensor_permute(const pg_tensor *tensor, const size_t *perm, pg_tensor *out)
{
    unsigned bits = pg_dtype_get(tensor->dtype)->bits;
    int64_t dims[PG_MAX_RANK];
    if (bits < 8)
        return pg_err(PG_ERR_UNSUPPORTED, "the axes of tensors of type %s cannot be permuted",
                      pg_dtype_name(tensor->dtype));
    for (size_t i = 0; i < tensor->rank; i++)
        dims[i] = tensor->dims[perm[i]];
    PG_TRY(pg_tensor_alloc(out, tensor->dtype, tensor->rank, dims));
    permute_elements(tensor, perm, out, bits / 8);
    if (tensor->dtype == PG_STRING) { /* the texts must live in the result's own buffer */
        pg_tensor texts = *out;
        pg_status status = pg_tensor_alloc_strings(out, tensor->rank, dims, texts.data);
        pg_tensor_deinit(&texts);
        return status;
    }
    return NULL;
}
