/* Data movement by boxes: every operator here is one or more strided copies. */
#include <string.h>

#include "base/alloc.h"
#include "native/internal.h"
#include "native/ops/move.h"
#include "tensor/dtype_convert.h"

/* Strides of a tensor's logical dims, whatever its layout. */
static void logical_strides(const pg_tensor *tensor, int64_t *out)
{
    int64_t stored[PG_MAX_RANK], strides[PG_MAX_RANK];
    size_t rank = tensor->rank;
    pg_storage_dims(tensor, stored);
    pg_strides(rank, stored, strides);
    bool last = tensor->layout == PG_CHANNELS_LAST && rank > 2;
    for (size_t i = 0; i < rank; i++)
        out[i] = strides[!last || i == 0 ? i : i == 1 ? rank - 1 : i - 1];
}

/* ---- Transpose ---- */

static pg_status read_permutation(const pg_op *op, size_t rank, size_t *out)
{
    const int64_t *perm;
    size_t n;
    bool used[PG_MAX_RANK] = {false};
    PG_TRY(pg_op_attr_is(op, "perm", &perm, &n));
    if (perm != NULL && n != rank && !(n == 0 && rank == 0))
        return pg_op_err(op, PG_ERR_INVALID, "attribute 'perm' has %zu elements for an input of rank %zu", n,
                         rank);
    for (size_t i = 0; i < rank; i++) {
        int64_t axis = perm != NULL ? perm[i] : (int64_t)(rank - 1 - i);
        PG_TRY(pg_op_axis(op, axis, rank, &out[i]));
        if (used[out[i]])
            return pg_op_err(op, PG_ERR_INVALID, "attribute 'perm' has axis %zu twice", out[i]);
        used[out[i]] = true;
    }
    return NULL;
}

/* Elements at these strides are a channels-last tensor already: the transposition from N, H, W, C that comes
 * before convolutions. */
static bool lie_channels_last(const pg_op *op, const pg_tensor *x, size_t rank, const int64_t *dims,
                              const int64_t *strides)
{
    pg_tensor last = {.rank = (uint16_t)rank, .layout = PG_CHANNELS_LAST};
    int64_t wanted[PG_MAX_RANK];
    if (x->dtype != PG_F32 || rank < 4 || op->session->options.no_optimization)
        return false;
    memcpy(last.dims, dims, rank * sizeof *dims);
    logical_strides(&last, wanted);
    for (size_t i = 0; i < rank; i++)
        if (dims[i] != 1 && strides[i] != wanted[i])
            return false;
    return true;
}

static pg_status run_transpose(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    size_t perm[PG_MAX_RANK], rank = x->rank;
    int64_t from[PG_MAX_RANK], dims[PG_MAX_RANK], strides[PG_MAX_RANK], to[PG_MAX_RANK];
    PG_TRY(read_permutation(op, rank, perm));
    logical_strides(x, from);
    for (size_t i = 0; i < rank; i++) {
        dims[i] = x->dims[perm[i]];
        strides[i] = from[perm[i]];
    }
    pg_strides(rank, dims, to);
    bool moved = false;
    for (size_t i = 0; i < rank; i++)
        moved |= dims[i] != 1 && strides[i] != to[i];
    if (!moved) { /* the elements already lie in the new order */
        PG_TRY(pg_op_out_view(op, 0, 0, rank, dims));
        op->out[0].tensor.layout = PG_ROW_MAJOR;
        return NULL;
    }
    if (lie_channels_last(op, x, rank, dims, strides)) {
        PG_TRY(pg_op_out_view(op, 0, 0, rank, dims));
        op->out[0].tensor.layout = PG_CHANNELS_LAST;
        return NULL;
    }
    const void *elements;
    pg_move out;
    PG_TRY(pg_move_in(op, x, &elements));
    PG_TRY(pg_move_out(op, 0, x->dtype, rank, dims, &out));
    pg_copy_strided(out.data, to, elements, strides, rank, dims, out.size);
    return pg_move_done(&out);
}

/* ---- Concat ---- */

/* All inputs are channels-last: the output may stay so. */
static pg_status common_layout(pg_op *op, size_t axis, size_t rank, int64_t *dims, pg_layout *layout)
{
    const pg_tensor *first = pg_op_in(op, 0);
    *layout = rank > 2 ? PG_CHANNELS_LAST : PG_ROW_MAJOR;
    for (size_t i = 0; i < rank; i++)
        dims[i] = i == axis ? 0 : first->dims[i];
    for (size_t k = 0; k < op->n_in; k++) {
        const pg_tensor *in = pg_op_in(op, k);
        if (in->dtype != first->dtype || in->rank != rank)
            return pg_op_err(op, PG_ERR_INVALID, "input %zu has another type or rank than input 0", k);
        for (size_t i = 0; i < rank; i++)
            if (i != axis && in->dims[i] != dims[i])
                return pg_op_err(op, PG_ERR_INVALID,
                                 "dimension %zu of input %zu is %lld, but that of input 0 is %lld", i, k,
                                 (long long)in->dims[i], (long long)dims[i]);
        if (pg_add_overflow((uint64_t)dims[axis], (uint64_t)in->dims[axis], (uint64_t *)&dims[axis]) ||
            dims[axis] < 0)
            return pg_op_err(op, PG_ERR_LIMIT, "the output's size overflows");
        if (in->layout != PG_CHANNELS_LAST)
            *layout = PG_ROW_MAJOR;
    }
    return NULL;
}

static pg_status run_concat(pg_op *op)
{
    PG_TRY(pg_op_need(op, op->n_in > 0 ? op->n_in : 1));
    const pg_tensor *first = pg_op_in(op, 0);
    int64_t axis_value, dims[PG_MAX_RANK], to[PG_MAX_RANK], from[PG_MAX_RANK];
    size_t axis, rank = first->rank;
    pg_layout layout;
    pg_move out;
    if (op->opset >= 4 && pg_node_attr(op->node, "axis") == NULL)
        return pg_op_err(op, PG_ERR_INVALID, "attribute 'axis' is missing");
    PG_TRY(pg_op_attr_i(op, "axis", 1, &axis_value));
    PG_TRY(pg_op_axis(op, axis_value, rank, &axis));
    PG_TRY(common_layout(op, axis, rank, dims, &layout));
    PG_TRY(pg_move_out(op, 0, first->dtype, rank, dims, &out));
    pg_tensor described = {.rank = (uint16_t)rank, .layout = (uint16_t)layout};
    memcpy(described.dims, dims, sizeof described.dims);
    logical_strides(&described, to);
    if (out.tensor != NULL)
        out.tensor->layout = (uint16_t)layout;
    bool packed = pg_dtype_get(first->dtype)->bits < 8;
    void *spread = NULL;
    if (packed)
        PG_TRY(pg_op_scratch(op, out.count, &spread));
    /* Storage order, so that neighbouring elements are copied together. */
    size_t order[PG_MAX_RANK];
    for (size_t i = 0; i < rank; i++)
        order[i] = layout == PG_ROW_MAJOR || i == 0 ? i : i + 1 < rank ? i + 1 : 1;
    char *next = out.data;
    for (size_t k = 0; k < op->n_in; k++) {
        const pg_tensor *in = pg_op_in(op, k);
        const void *elements = in->data;
        int64_t ds[PG_MAX_RANK], ss[PG_MAX_RANK], box[PG_MAX_RANK];
        if (packed) {
            pg_unpack(in->dtype, in->data, 0, pg_tensor_count(in), spread);
            elements = spread;
        }
        logical_strides(in, from);
        for (size_t i = 0; i < rank; i++) {
            ds[i] = to[order[i]];
            ss[i] = from[order[i]];
            box[i] = in->dims[order[i]];
        }
        pg_copy_strided(next, ds, elements, ss, rank, box, out.size);
        next += (size_t)(in->dims[axis] * to[axis]) * out.size;
    }
    return pg_move_done(&out);
}

/* ---- Split ---- */

/* Lengths from the attribute (before 13), input 1 (before 2 and from 13 on), or an even division. */
static pg_status split_lengths(pg_op *op, int64_t size, const int64_t **out, size_t *count)
{
    const int64_t *listed;
    int64_t n_outputs;
    PG_TRY(pg_op_attr_is(op, "split", &listed, count));
    *out = listed;
    if (listed != NULL)
        return NULL;
    void *scratch;
    const pg_tensor *given = op->opset < 2 || op->opset >= 13 ? pg_op_in(op, 1) : NULL;
    if (given != NULL && given->dtype != PG_I64)
        return pg_op_bad_type(op, 1);
    if (given != NULL) {
        *out = given->data;
        *count = (size_t)pg_tensor_count(given);
        return NULL;
    }
    PG_TRY(pg_op_attr_i(op, "num_outputs", (int64_t)op->n_out, &n_outputs));
    if (n_outputs < 1 || n_outputs != (int64_t)op->n_out)
        return pg_op_err(op, PG_ERR_INVALID, "attribute 'num_outputs' is %lld for %zu outputs",
                         (long long)n_outputs, op->n_out);
    int64_t part = (size + n_outputs - 1) / n_outputs, left = size;
    if (op->opset < 18 && size % n_outputs != 0)
        return pg_op_err(op, PG_ERR_INVALID, "axis of size %lld does not divide into %lld parts",
                         (long long)size, (long long)n_outputs);
    *count = (size_t)n_outputs;
    PG_TRY(pg_op_scratch(op, *count * sizeof(int64_t), &scratch));
    for (size_t i = 0; i < *count; i++, left -= PG_MIN(part, left))
        ((int64_t *)scratch)[i] = PG_MIN(part, left);
    *out = scratch;
    return NULL;
}

static pg_status run_split(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    const int64_t *lengths;
    int64_t axis_value, from[PG_MAX_RANK], total = 0;
    size_t axis, count;
    PG_TRY(pg_op_attr_i(op, "axis", 0, &axis_value));
    PG_TRY(pg_op_axis(op, axis_value, x->rank, &axis));
    PG_TRY(split_lengths(op, x->dims[axis], &lengths, &count));
    if (count != op->n_out)
        return pg_op_err(op, PG_ERR_INVALID, "there are %zu lengths for %zu outputs", count, op->n_out);
    const void *elements;
    PG_TRY(pg_move_in(op, x, &elements));
    pg_strides(x->rank, x->dims, from);
    for (size_t k = 0; k < count; k++) {
        if (lengths[k] < 0 || lengths[k] > x->dims[axis] - total)
            return pg_op_err(op, PG_ERR_INVALID, "the lengths exceed axis %zu of size %lld", axis,
                             (long long)x->dims[axis]);
        total += lengths[k];
    }
    if (total != x->dims[axis])
        return pg_op_err(op, PG_ERR_INVALID, "the lengths sum to %lld, but axis %zu has size %lld",
                         (long long)total, axis, (long long)x->dims[axis]);
    const char *next = elements;
    for (size_t k = 0; k < op->n_out; k++) {
        pg_move out;
        int64_t dims[PG_MAX_RANK], to[PG_MAX_RANK];
        memcpy(dims, x->dims, sizeof dims);
        dims[axis] = lengths[k];
        if (pg_op_out_wanted(op, k)) {
            PG_TRY(pg_move_out(op, k, x->dtype, x->rank, dims, &out));
            pg_strides(x->rank, dims, to);
            pg_copy_strided(out.data, to, next, from, x->rank, dims, out.size);
            PG_TRY(pg_move_done(&out));
        }
        next += (size_t)(lengths[k] * from[axis]) * pg_move_size(x->dtype);
    }
    return NULL;
}

/* ---- Slice ---- */

typedef struct slice {
    int64_t start[PG_MAX_RANK], step[PG_MAX_RANK], dims[PG_MAX_RANK];
} slice;

/* Ends beyond the tensor mean its end. A start before it means element 0 in both directions, which is where
 * the standard differs from Python. */
static pg_status slice_axis(const pg_op *op, const pg_tensor *x, slice *s, size_t axis, int64_t start,
                            int64_t end, int64_t step)
{
    int64_t size = x->dims[axis];
    if (step == 0)
        return pg_op_err(op, PG_ERR_INVALID, "the step of axis %zu is 0", axis);
    if (step == INT64_MIN)
        step = INT64_MIN + 1;
    int64_t low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
    start = start < 0 ? (start < -size ? PG_MIN(0, high) : PG_MAX(start + size, low)) : PG_MIN(start, high);
    end = end < 0 ? (end < -size ? low : PG_MAX(end + size, low)) : PG_MIN(end, high);
    int64_t span = step > 0 ? end - start : start - end, stride = step > 0 ? step : -step;
    s->start[axis] = start;
    s->step[axis] = step;
    s->dims[axis] = span > 0 ? (span - 1) / stride + 1 : 0;
    return NULL;
}

/* Starts, ends, axes and steps: attributes before opset 10 (without steps), inputs from then on. */
static pg_status read_slice(const pg_op *op, const pg_tensor *x, slice *out)
{
    int64_t values[4][PG_MAX_RANK];
    const int64_t *lists[4] = {NULL};
    size_t counts[4] = {0};
    static const char *const names[3] = {"starts", "ends", "axes"};
    for (size_t k = 0; k < 4; k++) {
        if (op->opset < 10 && k < 3) {
            PG_TRY(pg_op_attr_is(op, names[k], &lists[k], &counts[k]));
        } else if (op->opset >= 10 && (k < 2 || pg_op_in(op, k + 1) != NULL)) {
            PG_TRY(pg_op_ints(op, k + 1, values[k], PG_MAX_RANK, &counts[k]));
            lists[k] = values[k];
        }
    }
    size_t n = counts[0];
    if (counts[1] != n || (lists[2] != NULL && counts[2] != n) || (lists[3] != NULL && counts[3] != n) ||
        (lists[2] == NULL && n > x->rank))
        return pg_op_err(op, PG_ERR_INVALID, "starts, ends, axes and steps differ in length");
    for (size_t i = 0; i < x->rank; i++) {
        out->start[i] = 0;
        out->step[i] = 1;
        out->dims[i] = x->dims[i];
    }
    bool seen[PG_MAX_RANK] = {false};
    for (size_t k = 0; k < n; k++) {
        size_t axis;
        PG_TRY(pg_op_axis(op, lists[2] != NULL ? lists[2][k] : (int64_t)k, x->rank, &axis));
        if (seen[axis])
            return pg_op_err(op, PG_ERR_INVALID, "axis %zu is listed twice", axis);
        seen[axis] = true;
        PG_TRY(slice_axis(op, x, out, axis, lists[0][k], lists[1][k], lists[3] != NULL ? lists[3][k] : 1));
    }
    return NULL;
}

static pg_status run_slice(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    slice s;
    PG_TRY(read_slice(op, x, &s));
    if (memcmp(s.dims, x->dims, x->rank * sizeof *s.dims) == 0) {
        bool whole = true;
        for (size_t i = 0; i < x->rank; i++)
            whole &= s.step[i] == 1 || x->dims[i] <= 1;
        if (whole)
            return pg_op_out_view(op, 0, 0, x->rank, x->dims);
    }
    const void *elements;
    pg_move out;
    int64_t from[PG_MAX_RANK], to[PG_MAX_RANK], first = 0;
    PG_TRY(pg_move_in(op, x, &elements));
    PG_TRY(pg_move_out(op, 0, x->dtype, x->rank, s.dims, &out));
    if (out.count == 0)
        return pg_move_done(&out);
    pg_strides(x->rank, x->dims, from);
    pg_strides(x->rank, s.dims, to);
    for (size_t i = 0; i < x->rank; i++) {
        first += s.start[i] * from[i];
        from[i] = s.dims[i] > 1 ? from[i] * s.step[i] : 0;
    }
    pg_copy_strided(out.data, to, (const char *)elements + first * (int64_t)out.size, from, x->rank, s.dims,
                    out.size);
    return pg_move_done(&out);
}

/* ---- Expand and Tile ---- */

static pg_status run_expand(pg_op *op)
{
    PG_TRY(pg_op_need(op, 2));
    const pg_tensor *x = pg_op_in(op, 0);
    pg_tensor shape = {0};
    int64_t dims[PG_MAX_RANK], from[PG_MAX_RANK], to[PG_MAX_RANK], stride = 1;
    size_t n, rank;
    PG_TRY(pg_op_ints(op, 1, shape.dims, PG_MAX_RANK, &n));
    shape.rank = (uint16_t)n;
    for (size_t i = 0; i < n; i++)
        if (shape.dims[i] < 0)
            return pg_op_err(op, PG_ERR_INVALID, "the shape to expand to has the size %lld at %zu",
                             (long long)shape.dims[i], i);
    PG_TRY(pg_op_broadcast(op, x, &shape, &rank, dims));
    if (rank == x->rank && memcmp(dims, x->dims, rank * sizeof *dims) == 0)
        return pg_op_out_view(op, 0, 0, rank, dims);
    const void *elements;
    pg_move out;
    PG_TRY(pg_move_in(op, x, &elements));
    PG_TRY(pg_move_out(op, 0, x->dtype, rank, dims, &out));
    for (size_t i = rank; i-- > 0;) {
        int64_t dim = i + x->rank >= rank ? x->dims[i + x->rank - rank] : 1;
        from[i] = dim == 1 ? 0 : stride;
        stride *= dim;
    }
    pg_strides(rank, dims, to);
    pg_copy_strided(out.data, to, elements, from, rank, dims, out.size);
    return pg_move_done(&out);
}

/* Of opset 1, where repeats and axes have the data's type. */
static pg_status one_count(const pg_op *op, size_t i, int64_t *out)
{
    const pg_tensor *t = pg_op_in(op, i);
    if (t == NULL || pg_tensor_count(t) != 1)
        return pg_op_err(op, PG_ERR_INVALID, "input %zu must be one number", i);
    if (!pg_dtype_is_float(t->dtype) && !pg_dtype_is_integer(t->dtype))
        return pg_op_bad_type(op, i);
    const double value = pg_tensor_get_f64(t, 0);
    if (!(value > -0x1p53 && value < 0x1p53))
        return pg_op_err(op, PG_ERR_INVALID, "input %zu is %g", i, value);
    *out = (int64_t)value;
    return NULL;
}

static pg_status read_repeats(const pg_op *op, size_t rank, int64_t *repeats)
{
    size_t n;
    if (op->opset >= 6) {
        PG_TRY(pg_op_ints(op, 1, repeats, PG_MAX_RANK, &n));
        if (n != rank)
            return pg_op_err(op, PG_ERR_INVALID, "there are %zu repeats for a tensor of rank %zu", n, rank);
        return NULL;
    }
    int64_t tiles, given;
    size_t axis;
    PG_TRY(one_count(op, 1, &tiles));
    PG_TRY(one_count(op, 2, &given));
    PG_TRY(pg_op_axis(op, given, rank, &axis));
    for (size_t i = 0; i < rank; i++)
        repeats[i] = i == axis ? tiles : 1;
    return NULL;
}

/* A dim of size d repeated r times is two dims, r and d, of which the first does not move in the source. */
static pg_status run_tile(pg_op *op)
{
    PG_TRY(pg_op_need(op, 2));
    const pg_tensor *x = pg_op_in(op, 0);
    int64_t repeats[PG_MAX_RANK], dims[PG_MAX_RANK], from[PG_MAX_RANK], to[PG_MAX_RANK];
    int64_t box[2 * PG_MAX_RANK], ss[2 * PG_MAX_RANK], ds[2 * PG_MAX_RANK];
    size_t n = 0;
    PG_TRY(read_repeats(op, x->rank, repeats));
    for (size_t i = 0; i < x->rank; i++) {
        uint64_t size;
        if (repeats[i] < 0 || pg_mul_overflow((uint64_t)x->dims[i], (uint64_t)repeats[i], &size) ||
            size > INT64_MAX)
            return pg_op_err(op, PG_ERR_INVALID, "axis %zu cannot be repeated %lld times", i,
                             (long long)repeats[i]);
        dims[i] = (int64_t)size;
    }
    const void *elements;
    pg_move out;
    PG_TRY(pg_move_in(op, x, &elements));
    PG_TRY(pg_move_out(op, 0, x->dtype, x->rank, dims, &out));
    if (out.count == 0)
        return pg_move_done(&out);
    pg_strides(x->rank, x->dims, from);
    pg_strides(x->rank, dims, to);
    for (size_t i = 0; i < x->rank; i++) {
        if (repeats[i] > 1) {
            box[n] = repeats[i];
            ss[n] = 0;
            ds[n++] = to[i] * x->dims[i];
        }
        if (x->dims[i] > 1) {
            box[n] = x->dims[i];
            ss[n] = from[i];
            ds[n++] = to[i];
        }
    }
    if (n > PG_MAX_RANK)
        return pg_op_err(op, PG_ERR_LIMIT, "repeating needs %zu dimensions, beyond the limit of %d", n,
                         PG_MAX_RANK);
    pg_copy_strided(out.data, ds, elements, ss, n, box, out.size);
    return pg_move_done(&out);
}

/* ---- DepthToSpace and SpaceToDepth ---- */

/* Both are one copy between six dims: n, block row, block column, depth, row, column in some order. */
static pg_status rearrange_blocks(pg_op *op, bool to_space)
{
    PG_TRY(pg_op_need(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    int64_t b;
    pg_str mode;
    PG_TRY(pg_op_attr_i(op, "blocksize", 0, &b));
    PG_TRY(pg_op_attr_s(op, "mode", "DCR", &mode));
    bool depth_first = pg_str_is(mode, "CRD");
    if (x->rank != 4 || b < 1 || b > INT32_MAX ||
        (to_space ? x->dims[1] % (b * b) != 0 : x->dims[2] % b != 0 || x->dims[3] % b != 0))
        return pg_op_err(op, PG_ERR_INVALID,
                         "the input is not four-dimensional or does not divide into blocks of %lld",
                         (long long)b);
    if (!depth_first && !pg_str_is(mode, "DCR"))
        return pg_op_err(op, PG_ERR_INVALID, "attribute 'mode' is '%" PG_STR_FMT "', not DCR or CRD",
                         PG_STR_ARG(mode));
    int64_t n = x->dims[0], c = to_space ? x->dims[1] / (b * b) : x->dims[1];
    int64_t h = to_space ? x->dims[2] : x->dims[2] / b, w = to_space ? x->dims[3] : x->dims[3] / b;
    /* Strides of n, c, h, block row, w, block column on the side with space and on the side with depth. */
    int64_t box[6] = {n, c, h, b, w, b};
    int64_t space[6] = {c * h * b * w * b, h * b * w * b, b * w * b, w * b, b, 1};
    int64_t hw = h * w, bb = depth_first ? hw : c * hw, cc = depth_first ? b * b * hw : hw;
    int64_t depth[6] = {c * b * b * hw, cc, w, b * bb, 1, bb};
    int64_t out_space[4] = {n, c, h * b, w * b}, out_depth[4] = {n, c * b * b, h, w};
    const void *elements;
    pg_move out;
    PG_TRY(pg_move_in(op, x, &elements));
    PG_TRY(pg_move_out(op, 0, x->dtype, 4, to_space ? out_space : out_depth, &out));
    pg_copy_strided(out.data, to_space ? space : depth, elements, to_space ? depth : space, 6, box, out.size);
    return pg_move_done(&out);
}

static pg_status run_depth_to_space(pg_op *op)
{
    return rearrange_blocks(op, true);
}
static pg_status run_space_to_depth(pg_op *op)
{
    return rearrange_blocks(op, false);
}

/* ---- ReverseSequence ---- */

static pg_status run_reverse_sequence(pg_op *op)
{
    PG_TRY(pg_op_need(op, 2));
    const pg_tensor *x = pg_op_in(op, 0), *lengths = pg_op_in(op, 1);
    int64_t batch, time;
    PG_TRY(pg_op_attr_i(op, "batch_axis", 1, &batch));
    PG_TRY(pg_op_attr_i(op, "time_axis", 0, &time));
    if (x->rank < 2 || batch + time != 1 || batch < 0 || time < 0)
        return pg_op_err(op, PG_ERR_INVALID,
                         "batch_axis and time_axis must be 0 and 1 of an input of rank 2 or more");
    if (lengths->dtype != PG_I64 || lengths->rank != 1 || lengths->dims[0] != x->dims[batch])
        return pg_op_err(op, PG_ERR_INVALID, "input 1 must be one int64 length per batch");
    const void *elements;
    pg_move out;
    PG_TRY(pg_move_in(op, x, &elements));
    PG_TRY(pg_move_out(op, 0, x->dtype, x->rank, x->dims, &out));
    if (out.count == 0)
        return pg_move_done(&out);
    int64_t strides[PG_MAX_RANK];
    pg_strides(x->rank, x->dims, strides);
    size_t row = (size_t)strides[1] * out.size;
    for (int64_t b = 0; b < x->dims[batch]; b++) {
        int64_t length = ((const int64_t *)lengths->data)[b];
        if (length < 0 || length > x->dims[time])
            return pg_op_err(op, PG_ERR_INVALID, "length %lld of batch %lld is outside [0, %lld]",
                             (long long)length, (long long)b, (long long)x->dims[time]);
        for (int64_t t = 0; t < x->dims[time]; t++) {
            int64_t source = t < length ? length - 1 - t : t;
            size_t to = (size_t)(b * strides[batch] + t * strides[time]) * out.size;
            size_t from = (size_t)(b * strides[batch] + source * strides[time]) * out.size;
            memcpy((char *)out.data + to, (const char *)elements + from, row);
        }
    }
    return pg_move_done(&out);
}

enum { ANY = PG_KERNEL_ANY_LAYOUT };

const pg_kernel pg_kernels_rearrange[] = {
    {"", "Concat", 1, 0, run_concat, NULL, NULL, ANY},
    {"", "DepthToSpace", 1, 0, run_depth_to_space, NULL, NULL, 0},
    {"", "Expand", 8, 0, run_expand, NULL, NULL, 0},
    {"", "ReverseSequence", 10, 0, run_reverse_sequence, NULL, NULL, 0},
    {"", "Slice", 1, 0, run_slice, NULL, NULL, 0},
    {"", "SpaceToDepth", 1, 0, run_space_to_depth, NULL, NULL, 0},
    {"", "Split", 1, 0, run_split, NULL, NULL, 0},
    {"", "Tile", 1, 0, run_tile, NULL, NULL, 0},
    {"", "Transpose", 1, 0, run_transpose, NULL, NULL, ANY},
    {0},
};
