/* Chain, an operator of the engine's own: elementwise nodes in one walk over their data. Blocks of elements that stay
 * in the first-level cache go through one part after the other, by the parts' own functions (element.h), so results
 * are those of the nodes alone, bit for bit. */
#include <stdatomic.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "native/ops/chain.h"

/* ---- Blocks ---- */

typedef struct loop_run {
    const chain_program *program;
    const chain_loop *loop;
    char *const *bases; /* of each value that is in memory */
} loop_run;

typedef struct block {
    char *at[CHAIN_MOST_SLOTS];
    int64_t steps[CHAIN_MOST_SLOTS];
} block;

static void run_steps(const loop_run *run, const block *b, size_t n)
{
    const chain_loop *loop = run->loop;
    for (size_t i = 0; i < loop->n_steps; i++) {
        const pg_element *f = &run->program->steps.items[loop->steps[i]].f;
        const void *x[PG_ELEMENT_MOST];
        int64_t steps[PG_ELEMENT_MOST];
        for (size_t k = 0; k < f->n_in; k++) {
            x[k] = b->at[loop->x[i][k]];
            steps[k] = b->steps[loop->x[i][k]];
        }
        f->row(f, b->at[loop->z[i]], x, n, steps);
    }
}

/* A loop of one element repeats all its operands, as the walks of single nodes do. */
static int64_t whole_step(const chain_loop *loop)
{
    return loop->count != 1;
}

static void set_slots(const loop_run *run, block *b, char *room)
{
    for (size_t i = 0; i < run->loop->n_slots; i++) {
        const chain_slot *slot = &run->loop->slots[i];
        const bool inside = slot->kind == CHAIN_REGISTER || slot->kind == CHAIN_TILE;
        b->at[i] = inside ? room + slot->room : run->bases[slot->value];
        b->steps[i] = slot->kind == CHAIN_ONE ? 0 : whole_step(run->loop);
    }
}

typedef struct row_run {
    const loop_run *run;
    block block;
} row_run;

/* A row in which every repeated operand stands still or advances one by one. */
static void run_row(void *context, uint64_t at, size_t n, const int64_t *offsets, const int64_t *steps)
{
    row_run *rows = context;
    const loop_run *run = rows->run;
    const chain_loop *loop = run->loop;
    block *b = &rows->block;
    for (size_t done = 0, width; done < n; done += width) {
        width = PG_MIN(loop->block, n - done);
        for (size_t i = 0; i < loop->n_slots; i++) {
            const chain_slot *slot = &loop->slots[i];
            if (slot->kind == CHAIN_WHOLE) {
                b->at[i] = run->bases[slot->value] + (at + done) * slot->size;
            } else if (slot->kind == CHAIN_ROW) {
                b->steps[i] = steps[slot->walk];
                b->at[i] = run->bases[slot->value] +
                           (offsets[slot->walk] + (int64_t)done * b->steps[i]) * (int64_t)slot->size;
            }
        }
        run_steps(run, b, width);
    }
}

static void run_rows(void *context, size_t begin, size_t end)
{
    _Alignas(64) char room[CHAIN_ROOM];
    row_run rows;
    rows.run = context;
    set_slots(rows.run, &rows.block, room);
    pg_walk_range(&rows.run->loop->walk, begin, end, run_row, &rows);
}

/* ---- Blocks of short rows ---- */

typedef struct tile_copy {
    char *to;
    const char *from;
    size_t size;
    uint64_t first;
} tile_copy;

#define REPEAT(T)                           \
    do {                                    \
        T value, *y = (T *)to;              \
        memcpy(&value, from, sizeof value); \
        for (size_t i = 0; i < n; i++)      \
            y[i] = value;                   \
    } while (0)

static void copy_row(void *context, uint64_t at, size_t n, const int64_t *offsets, const int64_t *steps)
{
    const tile_copy *copy = context;
    char *to = copy->to + (at - copy->first) * copy->size;
    const char *from = copy->from + offsets[0] * (int64_t)copy->size;
    if (steps[0] != 0)
        memcpy(to, from, n * copy->size);
    else if (copy->size == 4)
        REPEAT(uint32_t);
    else if (copy->size == 1)
        REPEAT(uint8_t);
    else if (copy->size == 2)
        REPEAT(uint16_t);
    else
        REPEAT(uint64_t);
}

static void run_blocks(void *context, size_t begin, size_t end)
{
    _Alignas(64) char room[CHAIN_ROOM];
    const loop_run *run = context;
    const chain_loop *loop = run->loop;
    block b;
    set_slots(run, &b, room);
    for (size_t k = begin; k < end; k++) {
        const uint64_t at = (uint64_t)k * loop->block;
        const size_t n = (size_t)PG_MIN((uint64_t)loop->block, loop->count - at);
        for (size_t i = 0; i < loop->n_slots; i++) {
            const chain_slot *slot = &loop->slots[i];
            if (slot->kind == CHAIN_WHOLE)
                b.at[i] = run->bases[slot->value] + at * slot->size;
            if (slot->kind != CHAIN_TILE || (slot->periodic && k != begin))
                continue;
            tile_copy copy = {b.at[i], run->bases[slot->value], slot->size, at};
            pg_walk_range(&loop->tiles[slot->index], at, at + n, copy_row, &copy);
        }
        run_steps(run, &b, n);
    }
}

static void run_loop(const chain_program *p, const chain_loop *loop, char *const *bases)
{
    loop_run run = {p, loop, bases};
    if (loop->by_rows) {
        pg_parallel_for((size_t)loop->count, loop->grain, run_rows, &run);
        return;
    }
    const size_t blocks = (size_t)((loop->count + loop->block - 1) / loop->block);
    pg_parallel_for(blocks, loop->grain / loop->block + 1, run_blocks, &run);
}

/* ---- The node ---- */

/* Whether the last step may write where input i is; steps before it may anyway. */
static bool overwrites(const chain_program *p, size_t i)
{
    const chain_step *last = &p->steps.items[p->values.items[p->result].step];
    bool reads = false;
    for (size_t k = 0; k < last->f.n_in; k++)
        reads |= last->x[k] == i;
    return last->f.in_place || !reads;
}

/* An input of the result's shape that nobody needs any more; n_in when there is none. */
static size_t find_donor(const pg_op *op, const chain_program *p)
{
    const chain_value *result = &p->values.items[p->result];
    for (size_t i = 0; i < op->n_in; i++) {
        const chain_value *value = &p->values.items[i];
        const pg_buffer *buffer = op->in[i]->tensor.buffer;
        if (value->used && value->size == result->size && overwrites(p, i) &&
            (op->in_flags[i] & PG_IN_LAST_USE) != 0 &&
            memcmp(value->storage, result->storage, p->rank * sizeof result->storage[0]) == 0 &&
            buffer != NULL && atomic_load_explicit(&buffer->refs, memory_order_acquire) == 1)
            return i;
    }
    return op->n_in;
}

static pg_status find_bases(pg_op *op, const chain_program *p, char **bases)
{
    const chain_value *result = &p->values.items[p->result];
    void *scratch = NULL;
    if (p->scratch > 0)
        PG_TRY(pg_op_scratch(op, p->scratch, &scratch));
    for (size_t i = 0; i < p->values.len; i++) {
        pg_operand operand = {0};
        if (i < p->n_in && p->values.items[i].used)
            PG_TRY(pg_operand_lay(op, pg_op_in(op, i), p->rank, p->layout, &operand));
        bases[i] = i < p->n_in                                  ? (char *)operand.data
                   : p->values.items[i].kept && scratch != NULL ? (char *)scratch + p->values.items[i].at
                                                                : NULL; /* of no elements */
    }
    pg_tensor *y;
    const size_t donor = find_donor(op, p);
    if (donor < op->n_in)
        PG_TRY(pg_op_out_reuse(op, 0, donor, result->dtype, result->rank, result->dims, &y));
    else
        PG_TRY(pg_op_out(op, 0, result->dtype, result->rank, result->dims, &y));
    y->layout = (uint16_t)p->layout;
    bases[p->result] = y->data;
    return NULL;
}

/* Nodes that observers have not asked for get the inputs to overwrite. */
static pg_status run_node_by_node(pg_op *op)
{
    pg_value *inputs = pg_calloc(op->n_in, sizeof *inputs);
    for (size_t i = 0; i < op->n_in; i++) {
        if ((op->in_flags[i] & PG_IN_LAST_USE) != 0 && op->session->observer == NULL) {
            inputs[i] = *op->in[i];
            *op->in[i] = (pg_value){0};
        } else if (op->in[i] != NULL) {
            inputs[i] = pg_value_share(op->in[i]);
        }
    }
    pg_status status = pg_op_run_subgraph(op, 0, inputs, op->n_in, op->out, 1);
    free(inputs);
    return status;
}

static pg_status run_chain(pg_op *op)
{
    chain_program *p = op->state;
    if (!chain_program_is_for(p, op)) {
        chain_program_free(p);
        op->state = p = chain_program_new(op);
    }
    if (!p->fits)
        return run_node_by_node(op);
    char **bases = pg_calloc(p->values.len, sizeof *bases);
    pg_status status = find_bases(op, p, bases);
    for (size_t l = 0; l < p->n_loops && status == NULL; l++)
        run_loop(p, &p->loops[l], bases);
    free(bases);
    return status;
}

static void release(void *state)
{
    chain_program_free(state);
}

const pg_kernel pg_kernels_chain[] = {
    {"pg", "Chain", 1, 0, run_chain, NULL, release, PG_KERNEL_ANY_LAYOUT},
    {0},
};
