/* A runner in a process of its own: the same interface, and a runtime that crashes takes only that process along.
 *
 * The child is a copy of this process with the inner runner not yet active. Questions are one byte, and for an
 * inference the feed; answers are the inputs and outputs as the runtime states them, or the outputs of an
 * inference and its time. Both sides are the same program, so numbers are sent as they lie in memory. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/child.h"
#include "runner/internal.h"

enum { ASK_ACTIVATE = 'a', ASK_INFER = 'i', MOST_DEPTH = 32 };

typedef struct process_runner {
    pg_runner base;
    pg_runner_ops ops; /* the prefix is the inner runner's */
    pg_runner *inner;  /* never active on this side */
    pg_child *child;   /* NULL while not active */
    pg_arena arena;    /* of what was answered on activation */
    pg_io_list inputs, outputs;
} process_runner;

/* ---- Writing ---- */

static void put_u64(pg_buf *out, uint64_t number)
{
    pg_buf_add(out, &number, sizeof number);
}

static void put_str(pg_buf *out, pg_str text)
{
    put_u64(out, text.len);
    pg_buf_add_str(out, text);
}

static void put_tensor(pg_buf *out, const pg_tensor *tensor)
{
    put_u64(out, tensor->dtype);
    put_u64(out, tensor->rank);
    pg_buf_add(out, tensor->dims, tensor->rank * sizeof *tensor->dims);
    if (tensor->dtype != PG_STRING) {
        pg_buf_add(out, tensor->data, pg_tensor_bytes(tensor));
        return;
    }
    for (uint64_t i = 0; i < pg_tensor_count(tensor); i++)
        put_str(out, ((const pg_str *)tensor->data)[i]);
}

static void put_value(pg_buf *out, const pg_value *value)
{
    put_u64(out, value->kind);
    put_u64(out, value->elem);
    if (value->kind == PG_VALUE_TENSOR) {
        put_tensor(out, &value->tensor);
    } else if (value->kind == PG_VALUE_SEQUENCE) {
        put_u64(out, value->sequence.count);
        for (size_t i = 0; i < value->sequence.count; i++)
            put_value(out, &value->sequence.items[i]);
    } else if (value->kind == PG_VALUE_MAP) {
        put_u64(out, value->map.count);
        put_tensor(out, value->map.keys);
        for (size_t i = 0; i < value->map.count; i++)
            put_value(out, &value->map.items[i]);
    }
}

static void put_feed(pg_buf *out, const pg_feed *feed)
{
    put_u64(out, feed->count);
    for (size_t i = 0; i < feed->count; i++) {
        put_str(out, pg_str_c(feed->items[i].name));
        put_value(out, &feed->items[i].value);
    }
}

static void put_type(pg_buf *out, const pg_type *type)
{
    put_u64(out, type->kind);
    put_u64(out, type->elem);
    put_u64(out, (uint32_t)type->data_type);
    put_u64(out, type->has_shape);
    put_u64(out, type->has_shape ? type->rank : 0);
    for (size_t i = 0; type->has_shape && i < type->rank; i++) {
        put_u64(out, type->dims[i].has_value);
        put_u64(out, (uint64_t)type->dims[i].value);
        put_str(out, type->dims[i].name);
    }
    put_u64(out, type->inner != NULL);
    if (type->inner != NULL)
        put_type(out, type->inner);
}

static void put_list(pg_buf *out, pg_io_list list)
{
    put_u64(out, list.count);
    for (size_t i = 0; i < list.count; i++) {
        put_str(out, list.items[i].name);
        put_type(out, &list.items[i].type);
    }
}

/* ---- Reading: a runtime may have written over the child's memory, so nothing is trusted ---- */

typedef struct reader {
    pg_str rest;
    bool bad;
} reader;

static pg_str get_bytes(reader *in, uint64_t size)
{
    if (in->bad || size > in->rest.len) {
        in->bad = true;
        return PG_STR_EMPTY;
    }
    pg_str bytes = {in->rest.ptr, (size_t)size};
    in->rest.ptr += size;
    in->rest.len -= (size_t)size;
    return bytes;
}

static uint64_t get_u64(reader *in)
{
    uint64_t number = 0;
    pg_str bytes = get_bytes(in, sizeof number);
    if (!in->bad)
        memcpy(&number, bytes.ptr, sizeof number);
    return number;
}

static pg_str get_str(reader *in)
{
    return get_bytes(in, get_u64(in));
}

/* A count of things that take a byte or more each. */
static size_t get_count(reader *in)
{
    uint64_t count = get_u64(in);
    in->bad = in->bad || count > in->rest.len;
    return in->bad ? 0 : (size_t)count;
}

static pg_status damaged(void)
{
    return pg_err(PG_ERR_RUNTIME, "the answer of the runtime's process is damaged");
}

static pg_status get_strings(reader *in, size_t rank, const int64_t *dims, pg_tensor *out)
{
    uint64_t count;
    if (!pg_dims_count(rank, dims, &count) || count > in->rest.len)
        return damaged();
    pg_str *texts = pg_calloc(count + 1, sizeof *texts);
    for (uint64_t i = 0; i < count; i++)
        texts[i] = get_str(in);
    pg_status status = in->bad ? damaged() : pg_tensor_alloc_strings(out, rank, dims, texts);
    free(texts);
    return status;
}

static pg_status get_tensor(reader *in, pg_tensor *out)
{
    int64_t dims[PG_MAX_RANK];
    uint64_t dtype = get_u64(in), rank = get_u64(in);
    if (in->bad || dtype >= PG_DTYPE_COUNT || rank > PG_MAX_RANK)
        return damaged();
    pg_str bytes = get_bytes(in, rank * sizeof *dims);
    if (in->bad)
        return damaged();
    memcpy(dims, bytes.ptr, bytes.len);
    if (dtype == PG_STRING)
        return get_strings(in, (size_t)rank, dims, out);
    uint64_t count, size;
    if (!pg_dims_count((size_t)rank, dims, &count) || !pg_dtype_bytes((pg_dtype)dtype, count, &size))
        return damaged();
    bytes = get_bytes(in, size);
    if (in->bad)
        return damaged();
    PG_TRY(pg_tensor_alloc(out, (pg_dtype)dtype, (size_t)rank, dims));
    if (size > 0)
        memcpy(out->data, bytes.ptr, size);
    return NULL;
}

static pg_status get_value(reader *in, int depth, pg_value *out);

static pg_status get_items(reader *in, int depth, pg_value *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        PG_TRY(get_value(in, depth + 1, &items[i]));
    return NULL;
}

/* What was read before an error is in *out, to be freed. */
static pg_status get_value(reader *in, int depth, pg_value *out)
{
    uint64_t kind = get_u64(in), elem = get_u64(in);
    if (in->bad || kind > PG_VALUE_MAP || elem >= PG_DTYPE_COUNT || depth > MOST_DEPTH)
        return damaged();
    *out = (pg_value){.kind = (pg_value_kind)kind, .elem = (pg_dtype)elem};
    if (kind == PG_VALUE_TENSOR)
        return get_tensor(in, &out->tensor);
    if (kind == PG_VALUE_SEQUENCE) {
        size_t count = get_count(in);
        out->sequence.items = pg_calloc(count + 1, sizeof(pg_value));
        out->sequence.count = count;
        return get_items(in, depth, out->sequence.items, count);
    }
    if (kind == PG_VALUE_MAP) {
        size_t count = get_count(in);
        out->map.keys = PG_NEW(pg_tensor);
        out->map.items = pg_calloc(count + 1, sizeof(pg_value));
        out->map.count = count;
        PG_TRY(get_tensor(in, out->map.keys));
        return get_items(in, depth, out->map.items, count);
    }
    return NULL;
}

static pg_status get_feed(reader *in, pg_feed *out)
{
    size_t count = get_count(in);
    for (size_t i = 0; i < count; i++) {
        pg_str name = get_str(in);
        PG_TRY(get_value(in, 0, pg_feed_add(out, name, (pg_value){0})));
    }
    return in->bad ? damaged() : NULL;
}

static pg_status get_type(reader *in, pg_arena *arena, int depth, pg_type *out)
{
    out->kind = (pg_type_kind)get_u64(in);
    out->elem = (pg_dtype)get_u64(in);
    out->data_type = (int32_t)get_u64(in);
    out->has_shape = get_u64(in) != 0;
    out->rank = (uint32_t)get_count(in);
    pg_dim *dims = PG_ARENA_ARRAY(arena, pg_dim, out->rank + 1);
    for (size_t i = 0; i < out->rank; i++) {
        dims[i].has_value = get_u64(in) != 0;
        dims[i].value = (int64_t)get_u64(in);
        dims[i].name = pg_arena_str(arena, get_str(in));
    }
    out->dims = dims;
    bool nested = get_u64(in) != 0;
    if (in->bad || out->kind > PG_TYPE_OPAQUE || out->elem >= PG_DTYPE_COUNT || depth > MOST_DEPTH)
        return damaged();
    if (!nested)
        return NULL;
    pg_type *inner = PG_ARENA_NEW(arena, pg_type);
    out->inner = inner;
    return get_type(in, arena, depth + 1, inner);
}

static pg_status get_list(reader *in, pg_arena *arena, pg_io_list *out)
{
    size_t count = get_count(in);
    pg_io *items = PG_ARENA_ARRAY(arena, pg_io, count + 1);
    for (size_t i = 0; i < count; i++) {
        items[i].name = pg_arena_str(arena, get_str(in));
        PG_TRY(get_type(in, arena, 0, &items[i].type));
    }
    *out = (pg_io_list){items, count};
    return in->bad ? damaged() : NULL;
}

/* ---- The child's side ---- */

static pg_status answer_activate(pg_runner *inner, pg_buf *out)
{
    PG_TRY(inner->ops->activate(inner));
    inner->active = true;
    put_str(out, pg_str_c(inner->runtime));
    put_list(out, inner->ops->inputs(inner));
    put_list(out, inner->ops->outputs(inner));
    return NULL;
}

static pg_status answer_infer(pg_runner *inner, reader *in, pg_buf *out)
{
    pg_feed feed = {0}, outputs = {0};
    pg_status status = get_feed(in, &feed);
    if (status == NULL)
        status = inner->ops->infer(inner, &feed, &outputs);
    if (status == NULL) {
        pg_buf_add(out, &inner->seconds, sizeof inner->seconds);
        put_feed(out, &outputs);
    }
    pg_feed_deinit(&feed);
    pg_feed_deinit(&outputs);
    return status;
}

static pg_status answer(void *context, pg_str question, pg_buf *out)
{
    pg_runner *inner = context;
    reader in = {pg_str_sub(question, 1, question.len), false};
    if (question.len == 0)
        return damaged();
    return question.ptr[0] == ASK_ACTIVATE ? answer_activate(inner, out) : answer_infer(inner, &in, out);
}

/* ---- The parent's side ---- */

static void deactivate(pg_runner *runner)
{
    process_runner *self = (process_runner *)runner;
    pg_child_stop(self->child);
    self->child = NULL;
    pg_arena_deinit(&self->arena);
    self->arena = (pg_arena){0};
    self->inputs = self->outputs = (pg_io_list){0};
}

static pg_status ask_activate(process_runner *self, pg_buf *said)
{
    PG_TRY(pg_child_ask(self->child, PG_STR("a"), said));
    reader in = {pg_buf_str(said), false};
    pg_str runtime = get_str(&in);
    PG_TRY(get_list(&in, &self->arena, &self->inputs));
    PG_TRY(get_list(&in, &self->arena, &self->outputs));
    free(self->base.runtime);
    self->base.runtime = runtime.len > 0 ? pg_strndup(runtime.ptr, runtime.len) : NULL;
    return NULL;
}

static pg_status activate(pg_runner *runner)
{
    process_runner *self = (process_runner *)runner;
    pg_buf said = {0};
    PG_TRY(pg_child_start(runner->name, answer, self->inner, &self->child));
    pg_status status = ask_activate(self, &said);
    pg_buf_deinit(&said);
    if (status != NULL)
        deactivate(runner);
    return status;
}

static pg_io_list list_inputs(pg_runner *runner)
{
    return ((process_runner *)runner)->inputs;
}

static pg_io_list list_outputs(pg_runner *runner)
{
    return ((process_runner *)runner)->outputs;
}

static pg_status infer(pg_runner *runner, const pg_feed *feed, pg_feed *out)
{
    process_runner *self = (process_runner *)runner;
    pg_buf question = {0}, said = {0};
    pg_buf_putc(&question, ASK_INFER);
    put_feed(&question, feed);
    pg_status status = pg_child_ask(self->child, pg_buf_str(&question), &said);
    pg_buf_deinit(&question);
    if (status == NULL) {
        reader in = {pg_buf_str(&said), false};
        pg_str seconds = get_bytes(&in, sizeof runner->seconds);
        if (!in.bad)
            memcpy(&runner->seconds, seconds.ptr, seconds.len);
        status = get_feed(&in, out);
    }
    pg_buf_deinit(&said);
    return status;
}

static void destroy(pg_runner *runner)
{
    process_runner *self = (process_runner *)runner;
    pg_runner_free(self->inner);
    free(self);
}

pg_runner *pg_runner_in_process(pg_runner *inner)
{
    process_runner *self = PG_NEW(process_runner);
    self->inner = inner;
    self->ops =
        (pg_runner_ops){inner->ops->prefix, activate, list_inputs, list_outputs, infer, deactivate, destroy};
    self->base = (pg_runner){.ops = &self->ops, .name = pg_strndup(inner->name, strlen(inner->name))};
    return &self->base;
}
