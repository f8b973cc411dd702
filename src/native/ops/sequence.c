/* Sequences and optionals. */
#include "base/alloc.h"
#include "native/internal.h"
#include "native/ops/slices.h"

static pg_status need_sequence(const pg_op *op, size_t i, const pg_value **out)
{
    *out = pg_op_in_value(op, i);
    if (*out == NULL || (*out)->kind != PG_VALUE_SEQUENCE)
        return pg_op_err(op, PG_ERR_INVALID, "input %zu must be a sequence", i);
    return NULL;
}

/* A position input counted from the end when negative; [0, limit]. */
static pg_status read_position(const pg_op *op, size_t i, size_t limit, size_t *out)
{
    int64_t at;
    size_t count;
    PG_TRY(pg_op_ints(op, i, &at, 1, &count));
    if (count != 1)
        return pg_op_err(op, PG_ERR_INVALID, "the position must be one integer");
    int64_t from_start = at < 0 ? at + (int64_t)limit : at;
    if (from_start < 0 || from_start > (int64_t)limit)
        return pg_op_err(op, PG_ERR_INVALID, "position %lld is outside a sequence of %zu", (long long)at,
                         limit);
    *out = (size_t)from_start;
    return NULL;
}

static pg_value new_sequence(size_t count, pg_dtype elem)
{
    pg_value value = {.kind = PG_VALUE_SEQUENCE, .elem = elem};
    value.sequence.items = pg_calloc(count, sizeof *value.sequence.items);
    value.sequence.count = count;
    return value;
}

static pg_status run_construct(pg_op *op)
{
    PG_TRY(pg_op_need(op, op->n_in));
    pg_value sequence = new_sequence(op->n_in, op->n_in > 0 ? op->in[0]->elem : PG_UNDEFINED);
    for (size_t i = 0; i < op->n_in; i++)
        sequence.sequence.items[i] = pg_value_share(op->in[i]);
    pg_op_out_value(op, 0, sequence);
    return NULL;
}

static pg_status run_empty(pg_op *op)
{
    int64_t dtype;
    PG_TRY(pg_op_attr_i(op, "dtype", PG_F32, &dtype));
    pg_op_out_value(op, 0, new_sequence(0, (pg_dtype)dtype));
    return NULL;
}

static pg_status run_length(pg_op *op)
{
    const pg_value *sequence;
    pg_tensor *out;
    PG_TRY(need_sequence(op, 0, &sequence));
    PG_TRY(pg_op_out(op, 0, PG_I64, 0, NULL, &out));
    *(int64_t *)out->data = (int64_t)sequence->sequence.count;
    return NULL;
}

static pg_status run_at(pg_op *op)
{
    const pg_value *sequence;
    size_t at;
    PG_TRY(need_sequence(op, 0, &sequence));
    size_t count = sequence->sequence.count;
    PG_TRY(read_position(op, 1, count, &at));
    if (at == count)
        return pg_op_err(op, PG_ERR_INVALID, "position %zu is outside a sequence of %zu", at, count);
    pg_op_out_value(op, 0, pg_value_share(&sequence->sequence.items[at]));
    return NULL;
}

static pg_status run_insert(pg_op *op)
{
    const pg_value *sequence;
    PG_TRY(need_sequence(op, 0, &sequence));
    const pg_value *item = pg_op_in_value(op, 1);
    size_t count = sequence->sequence.count, at = count;
    if (item == NULL || item->kind != PG_VALUE_TENSOR)
        return pg_op_err(op, PG_ERR_INVALID, "input 1 must be a tensor");
    if (count > 0 && sequence->sequence.items[0].kind == PG_VALUE_TENSOR &&
        sequence->sequence.items[0].tensor.dtype != item->tensor.dtype)
        return pg_op_err(op, PG_ERR_INVALID, "input 1 has the type %s in a sequence of %s",
                         pg_dtype_name(item->tensor.dtype),
                         pg_dtype_name(sequence->sequence.items[0].tensor.dtype));
    if (pg_op_in(op, 2) != NULL)
        PG_TRY(read_position(op, 2, count, &at));
    pg_value result = new_sequence(count + 1, item->tensor.dtype);
    for (size_t i = 0; i <= count; i++)
        result.sequence.items[i] = pg_value_share(i == at ? item : &sequence->sequence.items[i - (i > at)]);
    pg_op_out_value(op, 0, result);
    return NULL;
}

static pg_status run_erase(pg_op *op)
{
    const pg_value *sequence;
    PG_TRY(need_sequence(op, 0, &sequence));
    size_t count = sequence->sequence.count, at = count - 1;
    if (count == 0)
        return pg_op_err(op, PG_ERR_INVALID, "the sequence is empty");
    if (pg_op_in(op, 1) != NULL)
        PG_TRY(read_position(op, 1, count, &at));
    if (at == count)
        return pg_op_err(op, PG_ERR_INVALID, "position %zu is outside a sequence of %zu", at, count);
    pg_value result = new_sequence(count - 1, sequence->elem);
    for (size_t i = 0; i + 1 < count; i++)
        result.sequence.items[i] = pg_value_share(&sequence->sequence.items[i + (i >= at)]);
    pg_op_out_value(op, 0, result);
    return NULL;
}

static pg_status run_concat(pg_op *op)
{
    const pg_value *sequence;
    int64_t axis, new_axis;
    size_t at;
    PG_TRY(need_sequence(op, 0, &sequence));
    size_t count = sequence->sequence.count;
    if (count == 0)
        return pg_op_err(op, PG_ERR_INVALID, "the sequence is empty");
    if (pg_node_attr(op->node, "axis") == NULL)
        return pg_op_err(op, PG_ERR_INVALID, "attribute 'axis' is missing");
    PG_TRY(pg_op_attr_i(op, "axis", 0, &axis));
    PG_TRY(pg_op_attr_i(op, "new_axis", 0, &new_axis));
    pg_value *items = sequence->sequence.items;
    pg_tensor **tensors = pg_calloc(count, sizeof *tensors), joined;
    pg_status status = pg_op_axis(op, axis, items[0].tensor.rank + (new_axis != 0), &at);
    for (size_t i = 0; i < count && status == NULL; i++) {
        tensors[i] = &items[i].tensor;
        status = items[i].kind != PG_VALUE_TENSOR ? pg_op_err(op, PG_ERR_INVALID, "item %zu is no tensor", i)
                                                  : pg_layout_convert(op->session, tensors[i], PG_ROW_MAJOR);
    }
    if (status == NULL)
        status = pg_slice_join(op, tensors, count, at, new_axis != 0, false, &joined);
    if (status == NULL)
        pg_op_out_value(op, 0, pg_value_of_tensor(joined));
    free(tensors);
    return status;
}

/* Length of part `i` of an axis of `total`: given sizes, or equal parts with a shorter last one. */
static pg_status part_sizes(const pg_op *op, int64_t total, int64_t **out_sizes, size_t *out_count)
{
    const pg_tensor *split = pg_op_in(op, 1);
    uint64_t n_given = split != NULL ? pg_tensor_count(split) : 0;
    if (split != NULL && split->rank > 0) {
        int64_t sum = 0;
        int64_t *sizes = pg_calloc(n_given, sizeof *sizes);
        for (uint64_t i = 0; i < n_given; i++) {
            sizes[i] = pg_tensor_get_i64(split, i);
            if (sizes[i] < 0 || sizes[i] > total - sum) {
                free(sizes);
                return pg_op_err(op, PG_ERR_INVALID, "input 1: part %llu exceeds the axis of %lld",
                                 (unsigned long long)i, (long long)total);
            }
            sum += sizes[i];
        }
        if (sum != total) {
            free(sizes);
            return pg_op_err(op, PG_ERR_INVALID, "input 1: the parts add up to %lld, not to the axis of %lld",
                             (long long)sum, (long long)total);
        }
        *out_sizes = sizes;
        *out_count = n_given;
        return NULL;
    }
    int64_t size = split != NULL ? pg_tensor_get_i64(split, 0) : 1;
    if (size <= 0)
        return pg_op_err(op, PG_ERR_INVALID, "the part size %lld is not positive", (long long)size);
    size_t count = (size_t)(total / size + (total % size != 0));
    int64_t *sizes = pg_calloc(count, sizeof *sizes);
    for (size_t i = 0; i < count; i++)
        sizes[i] = PG_MIN(size, total - (int64_t)i * size);
    *out_sizes = sizes;
    *out_count = count;
    return NULL;
}

static pg_status run_split(pg_op *op)
{
    int64_t axis, keep, *sizes, begin = 0;
    size_t at, count;
    PG_TRY(pg_op_need(op, 1));
    const pg_tensor *tensor = pg_op_in(op, 0), *split = pg_op_in(op, 1);
    if (split != NULL && split->dtype != PG_I64 && split->dtype != PG_I32)
        return pg_op_bad_type(op, 1);
    PG_TRY(pg_op_attr_i(op, "axis", 0, &axis));
    PG_TRY(pg_op_attr_i(op, "keepdims", 1, &keep));
    PG_TRY(pg_op_axis(op, axis, tensor->rank, &at));
    PG_TRY(part_sizes(op, tensor->dims[at], &sizes, &count));
    pg_value result = new_sequence(count, tensor->dtype);
    pg_status status = NULL;
    for (size_t i = 0; i < count && status == NULL; i++) {
        pg_tensor part;
        status = pg_slice_take(op, tensor, at, begin, sizes[i], split == NULL && keep == 0, &part);
        if (status == NULL)
            result.sequence.items[i] = pg_value_of_tensor(part);
        begin += sizes[i];
    }
    free(sizes);
    if (status != NULL) {
        pg_value_deinit(&result);
        return status;
    }
    pg_op_out_value(op, 0, result);
    return NULL;
}

/* The body runs once per item; inputs that are sequences go in item by item, tensors as they are. */
static pg_status run_map(pg_op *op)
{
    const pg_value *first;
    PG_TRY(need_sequence(op, 0, &first));
    if (op->n_subgraphs != 1 || pg_plan_inputs(op->subgraphs[0]) != op->n_in ||
        pg_plan_outputs(op->subgraphs[0]) < op->n_out)
        return pg_op_err(op, PG_ERR_INVALID, "the body's inputs and outputs do not fit the node's");
    size_t count = first->sequence.count;
    pg_value *inputs = pg_calloc(op->n_in, sizeof *inputs), *outputs = pg_calloc(op->n_out, sizeof *outputs);
    pg_value *results = pg_calloc(op->n_out, sizeof *results);
    pg_status status = NULL;
    for (size_t o = 0; o < op->n_out; o++)
        results[o] = new_sequence(count, PG_UNDEFINED);
    for (size_t i = 0; i < count && status == NULL; i++) {
        for (size_t k = 0; k < op->n_in && status == NULL; k++) {
            const pg_value *in = pg_op_in_value(op, k);
            if (in != NULL && in->kind == PG_VALUE_SEQUENCE && in->sequence.count != count)
                status = pg_op_err(op, PG_ERR_INVALID, "inputs 0 and %zu have %zu and %zu items", k, count,
                                   in->sequence.count);
            else if (in != NULL)
                inputs[k] = pg_value_share(in->kind == PG_VALUE_SEQUENCE ? &in->sequence.items[i] : in);
        }
        if (status == NULL)
            status = pg_op_run_subgraph(op, 0, inputs, op->n_in, outputs, op->n_out);
        for (size_t o = 0; o < op->n_out && status == NULL; o++) {
            results[o].elem = outputs[o].elem;
            results[o].sequence.items[i] = outputs[o];
            outputs[o] = (pg_value){0};
        }
    }
    for (size_t o = 0; o < op->n_out; o++) {
        if (status == NULL)
            pg_op_out_value(op, o, results[o]);
        else
            pg_value_deinit(&results[o]);
    }
    for (size_t k = 0; k < op->n_in; k++)
        pg_value_deinit(&inputs[k]);
    free(inputs);
    free(outputs);
    free(results);
    return status;
}

/* ---- Optionals: an absent one is a value of kind PG_VALUE_NONE ---- */

static bool has_value(const pg_op *op)
{
    const pg_value *value = pg_op_in_value(op, 0);
    return value != NULL && value->kind != PG_VALUE_NONE;
}

static pg_status run_optional(pg_op *op)
{
    if (has_value(op))
        pg_op_out_value(op, 0, pg_value_share(op->in[0]));
    return NULL;
}

static pg_status run_optional_get(pg_op *op)
{
    if (!has_value(op))
        return pg_op_err(op, PG_ERR_INVALID, "the optional has no value");
    pg_op_out_value(op, 0, pg_value_share(op->in[0]));
    return NULL;
}

static pg_status run_optional_has(pg_op *op)
{
    pg_tensor *out;
    PG_TRY(pg_op_out(op, 0, PG_BOOL, 0, NULL, &out));
    *(uint8_t *)out->data = has_value(op);
    return NULL;
}

const pg_kernel pg_kernels_sequence[] = {
    {"", "SequenceConstruct", 11, 0, run_construct},
    {"", "SequenceEmpty", 11, 0, run_empty},
    {"", "SequenceLength", 11, 0, run_length},
    {"", "SequenceAt", 11, 0, run_at},
    {"", "SequenceInsert", 11, 0, run_insert},
    {"", "SequenceErase", 11, 0, run_erase},
    {"", "ConcatFromSequence", 11, 0, run_concat},
    {"", "SplitToSequence", 11, 0, run_split},
    {"", "SequenceMap", 17, 0, run_map},
    {"", "Optional", 15, 0, run_optional},
    {"", "OptionalGetElement", 15, 0, run_optional_get},
    {"", "OptionalHasElement", 15, 0, run_optional_has},
    {0},
};
