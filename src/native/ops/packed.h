/* Constant weights in the form that products read.
 *
 * Small ones, and those whose elements were computed or decoded, are packed when the session is made and their
 * elements given back. Large ones in the model's file wait: the first run packs each into one room that all
 * share and forgets it, so that a single run touches little memory; the second run keeps what it packs. The
 * file's pages leave this process after each packing. Sessions of engines do not wait, and find forms that the
 * engine's file has (native/forms.h): those are used where they are.
 *
 *     PG_TRY(packed_begin(op, "matrix", inputs, bytes, PACKED_MAY_WAIT, &state->packed));    in prepare
 *     PG_TRY(packed_room(op, &state->packed, &room, &fresh));                                in run
 *     if (fresh) {
 *         ... pack into room ...
 *         packed_filled(op, &state->packed);
 *     }
 *
 * Not deferred: packed_is_due answers true and prepare itself goes through the second step. The kernel's row says
 * PG_KERNEL_PACKS_n for these inputs. */
#ifndef PG_NATIVE_OPS_PACKED_H
#define PG_NATIVE_OPS_PACKED_H

#include "native/forms.h"
#include "native/kernel.h"

typedef struct packed_weights {
    const char *kind; /* a literal: the way of packing, where a node has several */
    void *memory;     /* NULL until they are kept */
    uint64_t bytes;
    unsigned inputs; /* bit i: input i is packed */
    enum {
        PACKED_IN_PREPARE,
        PACKED_NOT_YET,
        PACKED_ONCE,
        PACKED_KEPT,
        PACKED_STORED,    /* memory is the engine file's */
        PACKED_NOT_CHOSEN /* the engine has another form for this node */
    } state;
    pg_form *form; /* when stored */
} packed_weights;

typedef enum packed_wait { PACKED_AT_ONCE, PACKED_MAY_WAIT } packed_wait;

/* `inputs` as bits; all of them are constant. Errors: a form of another size, weights without elements. */
PG_MUST_USE pg_status packed_begin(const pg_op *op, const char *kind, unsigned inputs, uint64_t bytes,
                                   packed_wait wait, packed_weights *out);
static inline bool packed_is_due(const packed_weights *packed)
{
    return packed->state == PACKED_IN_PREPARE;
}
/* Where the packed weights are, aligned to 64 bytes; *fresh: the caller fills the room first. Valid until
 * `run` returns. PG_ERR_NO_MEMORY; PG_ERR_INVALID for damage. */
PG_MUST_USE pg_status packed_room(const pg_op *op, packed_weights *packed, void **room, bool *fresh);
void packed_filled(pg_op *op, const packed_weights *packed);
void packed_free(packed_weights *packed);

#endif
