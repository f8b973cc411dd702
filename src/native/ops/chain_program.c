#include "native/ops/chain.h"

#include "base/alloc.h"
#include "native/ops/move.h"
#include "native/ops/simd.h"

/* ---- Values ---- */

/* Types whose elements are 1 to 8 whole bytes that can be copied. */
static bool is_plain(pg_dtype dtype)
{
    const unsigned bits = dtype != PG_UNDEFINED && dtype != PG_STRING ? pg_dtype_get(dtype)->bits : 0;
    return bits == 8 || bits == 16 || bits == 32 || bits == 64;
}

static bool add_value(chain_program *p, pg_dtype dtype, size_t rank, const int64_t *dims, size_t *out)
{
    chain_value *value = PG_VEC_ADD(&p->values);
    value->dtype = dtype;
    value->rank = rank;
    value->step = SIZE_MAX;
    value->last = SIZE_MAX;
    memcpy(value->dims, dims, rank * sizeof *dims);
    *out = p->values.len - 1;
    if (!is_plain(dtype) || !pg_dims_count(rank, dims, &value->count) || value->count == 0)
        return false;
    value->size = pg_dtype_get(dtype)->bits / 8;
    return true;
}

static bool add_step(chain_program *p, const pg_element *f, const size_t *x, size_t rank, const int64_t *dims,
                     size_t *out)
{
    if (!add_value(p, f->result, rank, dims, out))
        return false;
    p->values.items[*out].step = p->steps.len;
    chain_step *step = PG_VEC_ADD(&p->steps);
    step->f = *f;
    step->z = *out;
    for (size_t k = 0; k < f->n_in; k++) {
        step->x[k] = x[k];
        p->values.items[x[k]].used = true;
        p->values.items[x[k]].last = p->steps.len - 1;
    }
    return true;
}

/* The value in another type, by a step of its own. */
static bool convert(chain_program *p, size_t from, pg_dtype to, size_t *out)
{
    const chain_value value = p->values.items[from];
    *out = from;
    if (value.dtype == to)
        return true;
    if (to == PG_F32 && value.widened != 0) {
        *out = value.widened;
        return true;
    }
    const pg_element f = pg_element_cast(value.dtype, to, &pg_cast_onnx);
    if (!add_step(p, &f, &from, value.rank, value.dims, out))
        return false;
    if (to == PG_F32)
        p->values.items[from].widened = *out;
    return true;
}

/* ---- Parts ---- */

/* A part's inputs as its kernel may see them: types and dims of values; elements of the chain's own inputs. */
typedef struct part_view {
    size_t values[PG_ELEMENT_MOST];
    pg_value stubs[PG_ELEMENT_MOST], *pointers[PG_ELEMENT_MOST];
    pg_tensor widened[PG_ELEMENT_MOST]; /* owned */
    pg_dtype half;                      /* results of float32 are rounded to it; PG_UNDEFINED: they stay */
} part_view;

static bool view_input(const chain_program *p, const pg_op *chain, bool half_via_f32, part_view *view,
                       size_t k)
{
    const size_t index = view->values[k];
    const chain_value *value = &p->values.items[index];
    pg_tensor stub = {.dtype = value->dtype, .rank = (uint16_t)value->rank};
    memcpy(stub.dims, value->dims, sizeof stub.dims);
    if (index < p->n_in)
        stub.data = pg_op_in(chain, index)->data;
    if (half_via_f32 && pg_is_half(value->dtype)) {
        if (view->half == PG_UNDEFINED)
            view->half = value->dtype;
        stub.dtype = PG_F32;
        if (stub.data != NULL && value->count == 1) {
            pg_status status = pg_tensor_cast(pg_op_in(chain, index), PG_F32, NULL, &view->widened[k]);
            if (status != NULL) {
                pg_status_drop(status);
                return false;
            }
            stub.data = view->widened[k].data;
        } else {
            stub.data = NULL;
        }
    }
    view->stubs[k] = pg_value_of_tensor(stub);
    view->pointers[k] = &view->stubs[k];
    return true;
}

static bool describe(const pg_plan_node *part, part_view *view, pg_element *f)
{
    pg_op op = part->op;
    op.in = view->pointers;
    op.element = f;
    pg_status status = part->kernel->run(&op);
    const bool described = status == NULL;
    pg_status_drop(status);
    return described;
}

/* Adds the steps of one part; `makes` is its result. */
static bool add_described(chain_program *p, const pg_op *part, part_view *view, const pg_element *f,
                          size_t *makes)
{
    size_t rank = 0, x[PG_ELEMENT_MOST];
    int64_t dims[PG_MAX_RANK];
    for (size_t k = 0; k < f->n_in; k++) {
        const pg_dtype type = f->takes[k] != PG_UNDEFINED ? f->takes[k] : view->stubs[k].tensor.dtype;
        if (!convert(p, view->values[k], type, &x[k]))
            return false;
        const chain_value *value = &p->values.items[x[k]];
        pg_status status = pg_broadcast_dims(part, &rank, dims, value->rank, value->dims);
        const bool joined = status == NULL;
        pg_status_drop(status);
        if (!joined)
            return false;
    }
    if (!add_step(p, f, x, rank, dims, makes))
        return false;
    return view->half == PG_UNDEFINED || f->result != PG_F32 || convert(p, *makes, view->half, makes);
}

/* values[slot] says which value each slot of the parts' plan holds. */
static bool add_part(chain_program *p, const pg_op *chain, const pg_plan_node *part, size_t *values)
{
    pg_element f = {0};
    const pg_value *slots = chain->subgraphs[0]->frame.values;
    const bool via_f32 = (part->kernel->flags & PG_KERNEL_HALF_VIA_F32) != 0;
    part_view view = {.half = via_f32 ? part->half : PG_UNDEFINED};
    bool fits = part->op.n_in <= PG_ELEMENT_MOST;
    for (size_t k = 0; k < part->op.n_in && fits; k++) {
        if (part->op.in[k] == NULL)
            continue;
        view.values[k] = values[part->op.in[k] - slots];
        fits = view_input(p, chain, via_f32, &view, k);
    }
    fits = fits && describe(part, &view, &f) &&
           add_described(p, &part->op, &view, &f, &values[part->op.out - slots]);
    for (size_t k = 0; k < PG_ELEMENT_MOST; k++)
        pg_tensor_deinit(&view.widened[k]);
    return fits;
}

static bool add_inputs(chain_program *p, const pg_op *op)
{
    for (size_t i = 0; i < op->n_in; i++) {
        size_t index;
        const pg_tensor *tensor = pg_op_in(op, i);
        if (tensor == NULL)
            return false;
        p->inputs[i] = (pg_tensor){.dtype = tensor->dtype, .rank = tensor->rank, .layout = tensor->layout};
        memcpy(p->inputs[i].dims, tensor->dims, tensor->rank * sizeof tensor->dims[0]);
        p->n_in = i + 1;
        if (!add_value(p, tensor->dtype, tensor->rank, tensor->dims, &index))
            return false;
    }
    return true;
}

static bool add_parts(chain_program *p, const pg_op *op)
{
    const pg_plan *parts = op->subgraphs[0];
    size_t *values = pg_calloc(parts->n_slots, sizeof *values);
    bool fits = true;
    for (size_t i = 0; i < op->n_in; i++)
        values[parts->inputs[i]] = i;
    for (size_t i = 0; i < parts->n_nodes && fits; i++)
        fits = add_part(p, op, &parts->nodes[i], values);
    p->result = fits ? values[parts->outputs[0] - parts->frame.values] : 0;
    free(values);
    return fits;
}

/* ---- Layout ---- */

/* Channels-last when an input of the result's rank is. */
static bool choose_layout(chain_program *p)
{
    p->rank = p->values.items[p->result].rank;
    p->layout = PG_ROW_MAJOR;
    for (size_t i = 0; i < p->n_in && p->rank > 2; i++)
        if (p->values.items[i].used && p->inputs[i].layout == PG_CHANNELS_LAST &&
            p->inputs[i].rank == p->rank)
            p->layout = PG_CHANNELS_LAST;
    size_t converted = 0;
    for (size_t i = 0; i < p->n_in; i++)
        converted += p->values.items[i].used && !pg_operand_lies(&p->inputs[i], p->rank, p->layout);
    for (size_t i = 0; i < p->values.len; i++) {
        chain_value *value = &p->values.items[i];
        if (value->rank > p->rank)
            return false;
        pg_tensor shape = {.rank = (uint16_t)p->rank, .layout = (uint16_t)p->layout};
        for (size_t d = 0, more = p->rank - value->rank; d < p->rank; d++)
            shape.dims[d] = d < more ? 1 : value->dims[d - more];
        pg_storage_dims(&shape, value->storage);
    }
    return converted <= CHAIN_MOST_CONVERTED;
}

/* ---- Loops ---- */

static bool same_storage(const chain_program *p, const int64_t *a, const int64_t *b)
{
    return memcmp(a, b, p->rank * sizeof *a) == 0;
}

/* A loop for each shape that steps make, by rising count: a value is never larger than what is made of it. */
static bool find_loops(chain_program *p)
{
    p->loops = pg_calloc(CHAIN_MOST_LOOPS, sizeof *p->loops);
    for (size_t s = 0; s < p->steps.len; s++) {
        const chain_value *z = &p->values.items[p->steps.items[s].z];
        size_t at = 0;
        while (at < p->n_loops && !same_storage(p, p->loops[at].storage, z->storage))
            at++;
        if (at < p->n_loops)
            continue;
        if (p->n_loops == CHAIN_MOST_LOOPS)
            return false;
        for (; at > 0 && p->loops[at - 1].count > z->count; at--)
            p->loops[at] = p->loops[at - 1];
        p->loops[at] = (chain_loop){.count = z->count};
        memcpy(p->loops[at].storage, z->storage, sizeof z->storage);
        p->n_loops++;
    }
    return true;
}

static void assign_steps(chain_program *p)
{
    for (size_t l = 0; l < p->n_loops; l++) {
        chain_loop *loop = &p->loops[l];
        loop->steps = pg_calloc(p->steps.len, sizeof *loop->steps);
        loop->x = pg_calloc(p->steps.len, sizeof *loop->x);
        loop->z = pg_calloc(p->steps.len, sizeof *loop->z);
        double cost = 0;
        for (size_t s = 0; s < p->steps.len; s++) {
            chain_value *z = &p->values.items[p->steps.items[s].z];
            if (!same_storage(p, loop->storage, z->storage))
                continue;
            z->loop = l;
            loop->steps[loop->n_steps++] = s;
            cost += 1.0 / (double)p->steps.items[s].f.grain;
        }
        loop->grain = (size_t)(1 / cost);
    }
}

/* What a later loop reads, and the result, is kept in memory. */
static void find_kept(chain_program *p)
{
    for (size_t s = 0; s < p->steps.len; s++) {
        const chain_step *step = &p->steps.items[s];
        for (size_t k = 0; k < step->f.n_in; k++) {
            chain_value *x = &p->values.items[step->x[k]];
            if (x->step != SIZE_MAX && x->loop != p->values.items[step->z].loop)
                x->kept = true;
        }
    }
    for (size_t i = p->n_in; i < p->values.len; i++)
        if (p->values.items[i].kept) {
            p->values.items[i].at = p->scratch;
            p->scratch += (p->values.items[i].count * p->values.items[i].size + 63) / 64 * 64;
        }
    p->values.items[p->result].kept = true;
}

/* ---- Slots ---- */

typedef struct slot_maker {
    chain_program *p;
    chain_loop *loop;
    size_t *slots; /* of each value; SIZE_MAX: none yet */
    bool full;
} slot_maker;

static size_t new_slot(slot_maker *m, chain_slot slot)
{
    if (m->loop->n_slots == CHAIN_MOST_SLOTS) {
        m->full = true;
        return 0;
    }
    m->loop->slots[m->loop->n_slots] = slot;
    return m->loop->n_slots++;
}

/* The slot of a value in memory. */
static size_t memory_slot(slot_maker *m, size_t index)
{
    const chain_value *value = &m->p->values.items[index];
    chain_loop *loop = m->loop;
    if (m->slots[index] != SIZE_MAX)
        return m->slots[index];
    chain_slot slot = {.value = index, .size = value->size};
    if (same_storage(m->p, value->storage, loop->storage)) {
        slot.kind = CHAIN_WHOLE;
    } else if (value->count == 1) {
        slot.kind = CHAIN_ONE;
    } else if (loop->by_rows) {
        slot.kind = CHAIN_ROW;
        slot.walk = loop->walk.n;
        pg_walk_add(&loop->walk, m->p->rank, value->storage);
    } else {
        slot.kind = CHAIN_TILE;
        slot.index = loop->n_tiles++;
        pg_walk_init(&loop->tiles[slot.index], m->p->rank, loop->storage);
        pg_walk_add(&loop->tiles[slot.index], m->p->rank, value->storage);
        pg_walk_merge(&loop->tiles[slot.index]);
    }
    return m->slots[index] = new_slot(m, slot);
}

/* A register for what step s makes: one that it may overwrite, one that is free, or a new one. */
static size_t register_slot(slot_maker *m, size_t s)
{
    const chain_step *step = &m->p->steps.items[s];
    const chain_value *z = &m->p->values.items[step->z];
    const uint64_t until = z->last;
    size_t count = 0, found = SIZE_MAX;
    for (size_t k = 0; k < step->f.n_in && step->f.in_place; k++) {
        const chain_value *x = &m->p->values.items[step->x[k]];
        const size_t slot = m->slots[step->x[k]];
        if (m->loop->slots[slot].kind == CHAIN_REGISTER && x->last == s && x->size == z->size)
            found = slot;
    }
    for (size_t i = 0; i < m->loop->n_slots; i++) {
        if (m->loop->slots[i].kind != CHAIN_REGISTER)
            continue;
        count++;
        if (found == SIZE_MAX && m->loop->slots[i].until < s)
            found = i;
    }
    if (found == SIZE_MAX)
        found = new_slot(m, (chain_slot){.kind = CHAIN_REGISTER, .index = count});
    m->loop->slots[found].until = until;
    m->loop->slots[found].size = PG_MAX(m->loop->slots[found].size, z->size);
    return found;
}

static void place_step(slot_maker *m, size_t i)
{
    const size_t s = m->loop->steps[i];
    const chain_step *step = &m->p->steps.items[s];
    for (size_t k = 0; k < step->f.n_in; k++) {
        const chain_value *x = &m->p->values.items[step->x[k]];
        const bool in_memory = x->step == SIZE_MAX || x->kept;
        m->loop->x[i][k] = in_memory ? memory_slot(m, step->x[k]) : m->slots[step->x[k]];
    }
    const bool kept = m->p->values.items[step->z].kept;
    m->loop->z[i] = kept ? memory_slot(m, step->z) : register_slot(m, s);
    m->slots[step->z] = m->loop->z[i];
}

static void place_steps(slot_maker *m)
{
    for (size_t i = 0; i < m->p->values.len; i++)
        m->slots[i] = SIZE_MAX;
    for (size_t i = 0; i < m->loop->n_steps && !m->full; i++)
        place_step(m, i);
}

/* Elements after which an operand of a merged walk begins anew; 0 when it does not. */
static uint64_t period(const chain_loop *loop, const pg_walk *walk)
{
    return walk->strides[0][0] == 0 ? loop->count / (uint64_t)walk->dims[0] : 0;
}

static bool has_short_period(const chain_program *p, const chain_loop *loop, const chain_value *value)
{
    pg_walk walk;
    pg_walk_init(&walk, p->rank, loop->storage);
    pg_walk_add(&walk, p->rank, value->storage);
    pg_walk_merge(&walk);
    const uint64_t elements = period(loop, &walk);
    return elements > 0 && elements <= CHAIN_BLOCK / 2;
}

/* Repeated operands are read row by row where rows are long; the walk over them tells. But where all begin anew
 * within a block, several rows are done together. */
static bool has_long_rows(const chain_program *p, const chain_loop *loop)
{
    pg_walk walk;
    bool short_periods = true;
    pg_walk_init(&walk, p->rank, loop->storage);
    for (size_t i = 0; i < loop->n_steps; i++) {
        const chain_step *step = &p->steps.items[loop->steps[i]];
        for (size_t k = 0; k < step->f.n_in; k++) {
            const chain_value *x = &p->values.items[step->x[k]];
            if (same_storage(p, x->storage, loop->storage) || x->count == 1)
                continue;
            if (walk.n == PG_WALK_MOST)
                return false;
            pg_walk_add(&walk, p->rank, x->storage);
            short_periods = short_periods && has_short_period(p, loop, x);
        }
    }
    pg_walk_merge(&walk);
    return walk.n == 0 || (walk.dims[walk.rank - 1] >= CHAIN_SHORT && !short_periods);
}

static uint64_t tile_period(const chain_loop *loop, const chain_slot *slot)
{
    return period(loop, &loop->tiles[slot->index]);
}

/* As many elements as the room holds, in whole periods where that works. */
static bool choose_block(chain_loop *loop)
{
    size_t bytes = 0;
    uint64_t longest = 0;
    for (size_t i = 0; i < loop->n_slots; i++) {
        const chain_slot *slot = &loop->slots[i];
        bytes += slot->kind == CHAIN_TILE || slot->kind == CHAIN_REGISTER ? slot->size : 0;
        if (slot->kind == CHAIN_TILE && tile_period(loop, slot) <= CHAIN_BLOCK)
            longest = PG_MAX(longest, tile_period(loop, slot));
    }
    size_t block = PG_MIN((size_t)CHAIN_BLOCK, (size_t)CHAIN_ROOM / PG_MAX(bytes, (size_t)1));
    block = block / CHAIN_LEAST * CHAIN_LEAST;
    if (block == 0)
        return false;
    const size_t stride = block;
    if (longest > 0 && longest <= block)
        block = block / longest * longest;
    loop->block = block;
    for (size_t i = 0, at = 0; i < loop->n_slots; i++) {
        chain_slot *slot = &loop->slots[i];
        if (slot->kind != CHAIN_TILE && slot->kind != CHAIN_REGISTER)
            continue;
        slot->room = at;
        at += stride * slot->size;
        if (slot->kind == CHAIN_TILE)
            slot->periodic = tile_period(loop, slot) > 0 && block % tile_period(loop, slot) == 0;
    }
    return true;
}

static bool place_loops(chain_program *p)
{
    size_t *slots = pg_calloc(p->values.len, sizeof *slots);
    bool fits = true;
    for (size_t l = 0; l < p->n_loops && fits; l++) {
        chain_loop *loop = &p->loops[l];
        loop->by_rows = has_long_rows(p, loop);
        pg_walk_init(&loop->walk, p->rank, loop->storage);
        loop->tiles = loop->by_rows ? NULL : pg_calloc(CHAIN_MOST_SLOTS, sizeof *loop->tiles);
        slot_maker m = {p, loop, slots, false};
        place_steps(&m);
        pg_walk_merge(&loop->walk);
        fits = !m.full && choose_block(loop);
    }
    free(slots);
    return fits;
}

/* ---- The whole ---- */

chain_program *chain_program_new(const pg_op *op)
{
    chain_program *p = PG_NEW(chain_program);
    p->inputs = pg_calloc(op->n_in, sizeof *p->inputs);
    p->fits = add_inputs(p, op) && add_parts(p, op) && choose_layout(p) && find_loops(p);
    if (!p->fits)
        return p;
    assign_steps(p);
    find_kept(p);
    p->fits = place_loops(p);
    return p;
}

void chain_program_free(chain_program *p)
{
    if (p == NULL)
        return;
    for (size_t l = 0; l < p->n_loops; l++) {
        free(p->loops[l].steps);
        free(p->loops[l].x);
        free(p->loops[l].z);
        free(p->loops[l].tiles);
    }
    free(p->loops);
    PG_VEC_FREE(&p->values);
    PG_VEC_FREE(&p->steps);
    free(p->inputs);
    free(p);
}

bool chain_program_is_for(const chain_program *p, const pg_op *op)
{
    if (p == NULL || p->n_in != op->n_in)
        return false;
    for (size_t i = 0; i < op->n_in; i++) {
        const pg_tensor *tensor = pg_op_in(op, i), *known = &p->inputs[i];
        if (tensor == NULL || tensor->dtype != known->dtype || tensor->layout != known->layout ||
            !pg_tensor_same_shape(tensor, known))
            return false;
    }
    return true;
}
