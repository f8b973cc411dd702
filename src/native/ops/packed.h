/* Constant weights in the form that products read.
 *
 * Small ones, and those whose elements were computed or decoded, are packed when the session is made and their
 * elements given back. Large ones in the model's file wait: the first run packs each into one room that all
 * share and forgets it, so that a single run touches little memory; the second run keeps what it packs. The
 * file's pages leave this process after each packing.
 *
 *     PG_TRY(packed_begin(op, inputs, bytes, &state->packed));               in prepare
 *     PG_TRY(packed_room(op, &state->packed, &room, &fresh));                in run
 *     if (fresh) {
 *         ... pack into room ...
 *         packed_filled(op, &state->packed);
 *     }
 *
 * Not deferred: packed_is_due answers true and prepare itself goes through the second step. */
#ifndef PG_NATIVE_OPS_PACKED_H
#define PG_NATIVE_OPS_PACKED_H

#include "native/kernel.h"

typedef struct packed_weights {
    void *memory; /* NULL until they are kept */
    uint64_t bytes;
    unsigned inputs; /* bit i: input i is packed */
    enum { PACKED_IN_PREPARE, PACKED_NOT_YET, PACKED_ONCE, PACKED_KEPT } state;
} packed_weights;

/* `inputs` as bits; all of them are constant. */
void packed_begin(const pg_op *op, unsigned inputs, uint64_t bytes, packed_weights *out);
static inline bool packed_is_due(const packed_weights *packed)
{
    return packed->state == PACKED_IN_PREPARE;
}
/* Where the packed weights are, aligned to 64 bytes; *fresh: the caller fills the room first. Valid until
 * `run` returns. PG_ERR_NO_MEMORY. */
PG_MUST_USE pg_status packed_room(const pg_op *op, packed_weights *packed, void **room, bool *fresh);
void packed_filled(pg_op *op, const packed_weights *packed);
void packed_free(packed_weights *packed);

#endif
