/* Operators that read or change shapes, and those that make tensors from nothing. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "native/internal.h"
#include "native/ops/move.h"
#include "tensor/dtype_convert.h"

/* ---- Shape and Size ---- */

static pg_status run_shape(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    int64_t rank = x->rank, start, end;
    PG_TRY(pg_op_attr_i(op, "start", 0, &start));
    PG_TRY(pg_op_attr_i(op, "end", rank, &end));
    start = PG_MAX(0, PG_MIN(rank, start < 0 ? start + rank : start));
    end = PG_MAX(start, PG_MIN(rank, end < 0 ? end + rank : end));
    pg_tensor *y;
    int64_t count = end - start;
    PG_TRY(pg_op_out(op, 0, PG_I64, 1, &count, &y));
    if (count > 0)
        memcpy(y->data, x->dims + start, (size_t)count * sizeof *x->dims);
    return NULL;
}

static pg_status run_size(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    pg_tensor *y;
    PG_TRY(pg_op_out(op, 0, PG_I64, 0, NULL, &y));
    *(int64_t *)y->data = (int64_t)pg_tensor_count(pg_op_in(op, 0));
    return NULL;
}

/* ---- The same elements under another shape ---- */

/* A 0 stands for the input's dim unless `allow_zero`; one -1 stands for what is left. */
static pg_status resolve_shape(const pg_op *op, const pg_tensor *x, bool allow_zero, size_t rank,
                               int64_t *dims)
{
    size_t unknown = rank;
    uint64_t known = 1, count = pg_tensor_count(x);
    for (size_t i = 0; i < rank; i++) {
        if (dims[i] == 0 && !allow_zero) {
            if (i >= x->rank)
                return pg_op_err(op, PG_ERR_INVALID,
                                 "dimension %zu of the new shape is copied, but the input has rank %d", i,
                                 x->rank);
            dims[i] = x->dims[i];
        }
        if (dims[i] == -1 && unknown < rank)
            return pg_op_err(op, PG_ERR_INVALID, "the new shape has more than one -1");
        if (dims[i] < -1)
            return pg_op_err(op, PG_ERR_INVALID, "dimension %zu of the new shape is %lld", i,
                             (long long)dims[i]);
        if (dims[i] == -1)
            unknown = i;
        else if (pg_mul_overflow(known, (uint64_t)dims[i], &known))
            return pg_op_err(op, PG_ERR_INVALID, "the new shape's size overflows");
    }
    if (unknown < rank) {
        if (known == 0 || count % known != 0)
            return pg_op_err(
                op, PG_ERR_INVALID,
                "%llu elements cannot be divided evenly among %llu to find the dimension given as -1",
                (unsigned long long)count, (unsigned long long)known);
        dims[unknown] = (int64_t)(count / known);
    }
    return NULL;
}

static pg_status run_reshape(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    int64_t dims[PG_MAX_RANK], allow_zero;
    size_t rank;
    if (op->opset < 5) {
        const int64_t *shape;
        PG_TRY(pg_op_attr_is(op, "shape", &shape, &rank));
        if (rank > PG_MAX_RANK)
            return pg_op_err(op, PG_ERR_LIMIT, "the new shape has %zu dimensions", rank);
        if (rank > 0)
            memcpy(dims, shape, rank * sizeof *dims);
    } else {
        PG_TRY(pg_op_ints(op, 1, dims, PG_MAX_RANK, &rank));
    }
    PG_TRY(pg_op_attr_i(op, "allowzero", 0, &allow_zero));
    PG_TRY(resolve_shape(op, x, allow_zero != 0, rank, dims));
    return pg_op_out_view(op, 0, 0, rank, dims);
}

static pg_status run_flatten(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    int64_t axis, rank = x->rank, dims[2] = {1, 1};
    PG_TRY(pg_op_attr_i(op, "axis", 1, &axis));
    if (axis < -rank || axis > rank)
        return pg_op_err(op, PG_ERR_INVALID, "axis %lld is outside [%lld, %lld]", (long long)axis,
                         (long long)-rank, (long long)rank);
    axis += axis < 0 ? rank : 0;
    for (int64_t i = 0; i < rank; i++)
        dims[i >= axis] *= x->dims[i];
    return pg_op_out_view(op, 0, 0, 2, dims);
}

/* Axes of Squeeze and Unsqueeze: an attribute before opset 13, input 1 from then on. */
static pg_status read_axes(const pg_op *op, int64_t *axes, size_t *count)
{
    const int64_t *listed;
    if (op->opset >= 13 && pg_op_in(op, 1) != NULL)
        return pg_op_ints(op, 1, axes, PG_MAX_RANK, count);
    PG_TRY(pg_op_attr_is(op, "axes", &listed, count));
    if (*count > PG_MAX_RANK)
        return pg_op_err(op, PG_ERR_LIMIT, "attribute 'axes' has %zu elements", *count);
    if (*count > 0)
        memcpy(axes, listed, *count * sizeof *axes);
    return NULL;
}

static pg_status run_squeeze(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    int64_t axes[PG_MAX_RANK], dims[PG_MAX_RANK];
    size_t n, rank = 0;
    bool drop[PG_MAX_RANK] = {false};
    PG_TRY(read_axes(op, axes, &n));
    for (size_t i = 0; i < x->rank && n == 0; i++)
        drop[i] = x->dims[i] == 1;
    for (size_t i = 0; i < n; i++) {
        size_t axis;
        PG_TRY(pg_op_axis(op, axes[i], x->rank, &axis));
        if (x->dims[axis] != 1)
            return pg_op_err(op, PG_ERR_INVALID, "axis %zu has size %lld, not 1", axis,
                             (long long)x->dims[axis]);
        drop[axis] = true;
    }
    for (size_t i = 0; i < x->rank; i++)
        if (!drop[i])
            dims[rank++] = x->dims[i];
    return pg_op_out_view(op, 0, 0, rank, dims);
}

static pg_status run_unsqueeze(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    int64_t axes[PG_MAX_RANK], dims[PG_MAX_RANK];
    size_t n, from = 0;
    bool added[PG_MAX_RANK] = {false};
    PG_TRY(read_axes(op, axes, &n));
    size_t rank = x->rank + n;
    if (rank > PG_MAX_RANK)
        return pg_op_err(op, PG_ERR_LIMIT, "the output would have %zu dimensions", rank);
    for (size_t i = 0; i < n; i++) {
        size_t axis;
        PG_TRY(pg_op_axis(op, axes[i], rank, &axis));
        if (added[axis])
            return pg_op_err(op, PG_ERR_INVALID, "axis %zu is given twice", axis);
        added[axis] = true;
    }
    for (size_t i = 0; i < rank; i++)
        dims[i] = added[i] ? 1 : x->dims[from++];
    return pg_op_out_view(op, 0, 0, rank, dims);
}

/* ---- Constants ---- */

static pg_status list_constant(pg_op *op, const pg_attr *attr)
{
    int64_t count = (int64_t)attr->count;
    bool is_list =
        attr->type == PG_ATTR_FLOATS || attr->type == PG_ATTR_INTS || attr->type == PG_ATTR_STRINGS;
    pg_tensor *y, text;
    switch (attr->type) {
    case PG_ATTR_FLOAT:
    case PG_ATTR_FLOATS:
        PG_TRY(pg_op_out(op, 0, PG_F32, is_list, &count, &y));
        if (!is_list)
            *(float *)y->data = attr->f;
        else if (count > 0)
            memcpy(y->data, attr->floats, (size_t)count * sizeof(float));
        return NULL;
    case PG_ATTR_INT:
    case PG_ATTR_INTS:
        PG_TRY(pg_op_out(op, 0, PG_I64, is_list, &count, &y));
        if (!is_list)
            *(int64_t *)y->data = attr->i;
        else if (count > 0)
            memcpy(y->data, attr->ints, (size_t)count * sizeof(int64_t));
        return NULL;
    case PG_ATTR_STRING:
    case PG_ATTR_STRINGS:
        PG_TRY(pg_tensor_alloc_strings(&text, is_list, &count, is_list ? attr->strings : &attr->s));
        pg_op_out_value(op, 0, pg_value_of_tensor(text));
        return NULL;
    default:
        return pg_op_err(op, PG_ERR_INVALID, "attribute '%" PG_STR_FMT "' has a type that is no constant",
                         PG_STR_ARG(attr->name));
    }
}

/* Where element `at` of a sparse tensor goes: indices are flat, or one row of coordinates per element. */
static pg_status sparse_position(const pg_op *op, const pg_sparse_weight *sparse, const pg_tensor *indices,
                                 uint64_t at, uint64_t *out)
{
    const int64_t *row = indices->data;
    uint64_t flat = 0;
    size_t width = indices->rank == 2 ? sparse->rank : 1;
    row += at * width;
    for (size_t i = 0; i < width; i++) {
        uint64_t dim = 1;
        if (width > 1 || sparse->rank == 1)
            dim = (uint64_t)sparse->dims[i];
        else if (!pg_dims_count(sparse->rank, sparse->dims, &dim))
            dim = 0;
        if (row[i] < 0 || (uint64_t)row[i] >= dim)
            return pg_op_err(op, PG_ERR_INVALID, "index %lld of the sparse tensor is out of range",
                             (long long)row[i]);
        flat = flat * dim + (uint64_t)row[i];
    }
    *out = flat;
    return NULL;
}

static pg_status fill_sparse(pg_op *op, const pg_sparse_weight *sparse, const pg_tensor *values,
                             const pg_tensor *indices)
{
    uint64_t count = pg_tensor_count(values), wanted = pg_tensor_count(indices);
    pg_move out;
    const void *elements;
    if (indices->dtype != PG_I64 || wanted != count * (indices->rank == 2 ? sparse->rank : 1))
        return pg_op_err(op, PG_ERR_INVALID, "the sparse tensor's indices do not fit its values");
    PG_TRY(pg_move_in(op, values, &elements));
    PG_TRY(pg_move_out(op, 0, values->dtype, sparse->rank, sparse->dims, &out));
    memset(out.data, 0, out.count * out.size);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t at = 0;
        PG_TRY(sparse_position(op, sparse, indices, i, &at));
        memcpy((char *)out.data + at * out.size, (const char *)elements + i * out.size, out.size);
    }
    return pg_move_done(&out);
}

static pg_status sparse_constant(pg_op *op, const pg_sparse_weight *sparse)
{
    pg_tensor values, indices;
    PG_TRY(pg_weight_load(op->session->model, &sparse->values, &values));
    pg_status status = pg_weight_load(op->session->model, &sparse->indices, &indices);
    if (status == NULL) {
        status = fill_sparse(op, sparse, &values, &indices);
        pg_tensor_deinit(&indices);
    }
    pg_tensor_deinit(&values);
    return status;
}

static pg_status run_constant(pg_op *op)
{
    const pg_attr *attr = op->node->n_attrs > 0 ? &op->node->attrs[0] : NULL;
    if (attr == NULL)
        return pg_op_err(op, PG_ERR_INVALID, "there is no value among the attributes");
    if (attr->type == PG_ATTR_SPARSE_TENSOR)
        return sparse_constant(op, attr->sparse);
    if (attr->type != PG_ATTR_TENSOR)
        return list_constant(op, attr);
    pg_tensor tensor;
    PG_TRY(pg_weight_load(op->session->model, attr->tensor, &tensor));
    pg_op_out_value(op, 0, pg_value_of_tensor(tensor));
    return NULL;
}

static pg_status run_constant_of_shape(pg_op *op)
{
    int64_t dims[PG_MAX_RANK];
    size_t rank;
    float zero = 0;
    pg_tensor value;
    PG_TRY(pg_op_ints(op, 0, dims, PG_MAX_RANK, &rank));
    const pg_attr *attr = pg_node_attr(op->node, "value");
    if (attr != NULL && attr->type != PG_ATTR_TENSOR)
        return pg_op_err(op, PG_ERR_INVALID, "attribute 'value' is no tensor");
    if (attr != NULL)
        PG_TRY(pg_weight_load(op->session->model, attr->tensor, &value));
    else
        PG_TRY(pg_tensor_borrow(&value, PG_F32, 0, NULL, &zero));
    pg_move out;
    const void *element;
    pg_status status = pg_tensor_count(&value) == 1
                           ? pg_move_in(op, &value, &element)
                           : pg_op_err(op, PG_ERR_INVALID, "attribute 'value' does not have one element");
    if (status == NULL)
        status = pg_move_out(op, 0, value.dtype, rank, dims, &out);
    if (status == NULL) {
        pg_fill(out.data, element, out.count, out.size);
        status = pg_move_done(&out);
    }
    pg_tensor_deinit(&value);
    return status;
}

/* ---- Range, EyeLike, Trilu ---- */

static pg_status run_range(pg_op *op)
{
    PG_TRY(pg_op_need(op, 3));
    const pg_tensor *in[3] = {pg_op_in(op, 0), pg_op_in(op, 1), pg_op_in(op, 2)};
    pg_dtype dtype = in[0]->dtype;
    for (size_t i = 0; i < 3; i++) {
        if (in[i]->dtype != dtype ||
            !(dtype == PG_F32 || dtype == PG_F64 || dtype == PG_I16 || dtype == PG_I32 || dtype == PG_I64))
            return pg_op_bad_type(op, i);
        if (pg_tensor_count(in[i]) != 1)
            return pg_op_err(op, PG_ERR_INVALID, "input %zu must be one number", i);
    }
    bool real = pg_dtype_is_float(dtype);
    double from = pg_tensor_get_f64(in[0], 0), step = pg_tensor_get_f64(in[2], 0);
    int64_t from_int = real ? 0 : pg_tensor_get_i64(in[0], 0),
            step_int = real ? 0 : pg_tensor_get_i64(in[2], 0);
    double steps = ceil((pg_tensor_get_f64(in[1], 0) - from) / step);
    if (step == 0 || !(steps < 9e15))
        return pg_op_err(op, PG_ERR_INVALID, "a range from %g to %g by %g has no end", from,
                         pg_tensor_get_f64(in[1], 0), step);
    int64_t count = steps > 0 ? (int64_t)steps : 0;
    pg_tensor *y;
    PG_TRY(pg_op_out(op, 0, dtype, 1, &count, &y));
    for (int64_t i = 0; i < count; i++) {
        int64_t whole = (int64_t)((uint64_t)from_int + (uint64_t)i * (uint64_t)step_int);
        if (dtype == PG_F32)
            ((float *)y->data)[i] = (float)(from + (double)i * step);
        else if (dtype == PG_F64)
            ((double *)y->data)[i] = from + (double)i * step;
        else if (dtype == PG_I16)
            ((int16_t *)y->data)[i] = (int16_t)whole;
        else if (dtype == PG_I32)
            ((int32_t *)y->data)[i] = (int32_t)whole;
        else
            ((int64_t *)y->data)[i] = whole;
    }
    return NULL;
}

static pg_status run_eye_like(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    int64_t dtype, k;
    PG_TRY(pg_op_attr_i(op, "dtype", x->dtype, &dtype));
    PG_TRY(pg_op_attr_i(op, "k", 0, &k));
    if (x->rank != 2)
        return pg_op_err(op, PG_ERR_INVALID, "input 0 has rank %d, not 2", x->rank);
    pg_dtype_kind kind = pg_dtype_kind_of((pg_dtype)dtype);
    if (kind == PG_KIND_NONE || kind == PG_KIND_STRING || kind == PG_KIND_COMPLEX)
        return pg_op_err(op, PG_ERR_INVALID, "attribute 'dtype' is %lld, not a number type",
                         (long long)dtype);
    pg_move out;
    char one[16];
    const float value = 1;
    PG_TRY(pg_move_out(op, 0, (pg_dtype)dtype, 2, x->dims, &out));
    pg_convert(PG_F32, &value, (pg_dtype)dtype, one, 1, NULL);
    memset(out.data, 0, out.count * out.size);
    for (int64_t i = 0; i < x->dims[0]; i++)
        if (k < INT64_MAX - i && i + k >= 0 && i + k < x->dims[1])
            memcpy((char *)out.data + (size_t)(i * x->dims[1] + i + k) * out.size, one, out.size);
    return pg_move_done(&out);
}

static pg_status run_trilu(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    const pg_tensor *x = pg_op_in(op, 0), *given = pg_op_in(op, 1);
    int64_t upper, k = 0;
    const void *from;
    pg_move out;
    PG_TRY(pg_op_attr_i(op, "upper", 1, &upper));
    if (given != NULL) {
        if (given->dtype != PG_I64 || pg_tensor_count(given) != 1)
            return pg_op_err(op, PG_ERR_INVALID, "input 1 must be one int64");
        k = *(const int64_t *)given->data;
    }
    if (x->rank < 2)
        return pg_op_err(op, PG_ERR_INVALID, "input 0 has rank %d, less than 2", x->rank);
    PG_TRY(pg_move_in(op, x, &from));
    PG_TRY(pg_move_out(op, 0, x->dtype, x->rank, x->dims, &out));
    int64_t rows = x->dims[x->rank - 2], columns = x->dims[x->rank - 1];
    k = PG_MAX(-rows - 1, PG_MIN(columns + 1, k));
    if (out.count > 0)
        memset(out.data, 0, out.count * out.size);
    for (uint64_t line = 0; columns > 0 && line < out.count / (uint64_t)columns; line++) {
        int64_t edge = (int64_t)(line % (uint64_t)rows) + k; /* the column on the diagonal */
        int64_t begin = upper != 0 ? PG_MAX(0, PG_MIN(columns, edge)) : 0;
        int64_t end = upper != 0 ? columns : PG_MAX(0, PG_MIN(columns, edge + 1));
        size_t at = (size_t)(line * (uint64_t)columns + (uint64_t)begin) * out.size;
        if (end > begin)
            memcpy((char *)out.data + at, (const char *)from + at, (size_t)(end - begin) * out.size);
    }
    return pg_move_done(&out);
}

enum { HALF = PG_KERNEL_HALF_VIA_F32, ANY = PG_KERNEL_ANY_LAYOUT };

const pg_kernel pg_kernels_shape[] = {
    {"", "Constant", 1, 0, run_constant, NULL, NULL, 0},
    {"", "ConstantOfShape", 9, 0, run_constant_of_shape, NULL, NULL, 0},
    {"", "EyeLike", 9, 0, run_eye_like, NULL, NULL, ANY},
    {"", "Flatten", 1, 0, run_flatten, NULL, NULL, 0},
    {"", "Range", 11, 0, run_range, NULL, NULL, HALF},
    {"", "Reshape", 1, 0, run_reshape, NULL, NULL, 0},
    {"", "Shape", 1, 0, run_shape, NULL, NULL, ANY},
    {"", "Size", 1, 0, run_size, NULL, NULL, ANY},
    {"", "Squeeze", 1, 0, run_squeeze, NULL, NULL, 0},
    {"", "Trilu", 14, 0, run_trilu, NULL, NULL, 0},
    {"", "Unsqueeze", 1, 0, run_unsqueeze, NULL, NULL, 0},
    {0},
};
