/* How a Chain walks over its data, worked out once for the types, dims and layouts of its inputs.
 *
 * Values are the chain's inputs and what its steps make; a step is a part of the chain, or a conversion between
 * element types that a part needs. All values of one shape are made in one loop, smaller shapes first; what a larger
 * loop or nobody but the chain's reader reads is kept in memory, everything else lives in a room of the size of a
 * block that stays in the first-level cache. */
#ifndef PG_NATIVE_OPS_CHAIN_H
#define PG_NATIVE_OPS_CHAIN_H

#include "base/vec.h"
#include "native/internal.h"
#include "native/ops/element.h"
#include "native/ops/operands.h"

enum {
    CHAIN_ROOM = 32768, /* bytes of a block's values */
    CHAIN_BLOCK = 1024, /* elements, at most */
    CHAIN_LEAST = 64,   /* ... at least; a block is a multiple of it */
    CHAIN_SHORT = 256,  /* rows of fewer elements are repeated into the room */
    CHAIN_MOST_SLOTS = 64,
    CHAIN_MOST_LOOPS = 16,
    CHAIN_MOST_CONVERTED = 8, /* inputs whose layout does not fit */
};

typedef struct chain_value {
    pg_dtype dtype;
    size_t size; /* bytes per element */
    size_t rank;
    int64_t dims[PG_MAX_RANK];
    int64_t storage[PG_MAX_RANK]; /* dims of the chain's rank, in storage order */
    uint64_t count;
    size_t step;     /* that makes it; SIZE_MAX for inputs */
    size_t loop;     /* of that step */
    size_t last;     /* step that reads it last */
    bool used, kept; /* read by a step; kept in memory */
    uint64_t at;     /* of a kept value: byte in the scratch memory */
    size_t widened;  /* the value that has it in float32; 0 = none yet */
} chain_value;

typedef struct chain_step {
    pg_element f;
    size_t x[PG_ELEMENT_MOST], z; /* values */
} chain_step;

typedef enum chain_slot_kind {
    CHAIN_WHOLE, /* of the loop's shape, in memory */
    CHAIN_ONE,   /* one element, in memory */
    CHAIN_ROW,   /* repeated by the loop's walk, in memory */
    CHAIN_TILE,  /* repeated, copied into the room block by block */
    CHAIN_REGISTER,
} chain_slot_kind;

/* Where a step finds an operand. */
typedef struct chain_slot {
    chain_slot_kind kind;
    size_t value;   /* in memory */
    size_t size;    /* bytes per element */
    size_t walk;    /* CHAIN_ROW: operand of the loop's walk */
    size_t index;   /* CHAIN_REGISTER: which register; CHAIN_TILE: which tile */
    size_t room;    /* byte in the room */
    bool periodic;  /* CHAIN_TILE: the same in every block */
    uint64_t until; /* CHAIN_REGISTER: step after which it is free */
} chain_slot;

typedef struct chain_loop {
    uint64_t count;
    int64_t storage[PG_MAX_RANK];
    size_t n_steps, n_slots, n_tiles;
    size_t *steps;                    /* in order */
    size_t (*x)[PG_ELEMENT_MOST], *z; /* slots of each step */
    chain_slot slots[CHAIN_MOST_SLOTS];
    pg_walk *tiles; /* of each tile; merged */
    bool by_rows;
    pg_walk walk; /* by rows: with an operand for each CHAIN_ROW; merged */
    size_t block, grain;
} chain_loop;

typedef struct chain_program {
    /* What it was made for. */
    size_t n_in;
    pg_tensor *inputs; /* types, dims and layouts only */
    bool fits;         /* otherwise the chain runs node by node */
    size_t rank;
    pg_layout layout;
    PG_VEC(chain_value) values; /* the inputs first */
    PG_VEC(chain_step) steps;
    size_t n_loops;
    chain_loop *loops;
    size_t result; /* value */
    uint64_t scratch;
} chain_program;

/* Makes the program for the inputs that the chain has now; whether they fit is for the caller to see. */
chain_program *chain_program_new(const pg_op *op);
void chain_program_free(chain_program *program);
/* True when it was made for inputs like these. */
bool chain_program_is_for(const chain_program *program, const pg_op *op);

#endif
