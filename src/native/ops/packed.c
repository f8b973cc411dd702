#include "native/ops/packed.h"

#include <stdlib.h>

#include "native/internal.h"
#include "native/ops/nn.h"

enum { WORTH_WAITING = 64 * 1024 }; /* bytes */

void packed_begin(const pg_op *op, unsigned inputs, uint64_t bytes, packed_weights *out)
{
    bool in_file = bytes >= WORTH_WAITING;
    for (size_t i = 0; inputs >> i != 0; i++)
        if ((inputs >> i & 1) != 0)
            in_file &= pg_op_in_file(op, i);
    const bool tuning = op->session->options.tuning; /* runs many times: kept from the first one on */
    *out = (packed_weights){.bytes = bytes,
                            .inputs = inputs,
                            .state = !in_file ? PACKED_IN_PREPARE
                                     : tuning ? PACKED_ONCE
                                              : PACKED_NOT_YET};
    if (in_file && !tuning)
        pg_op_room_size(op, bytes);
}

pg_status packed_room(const pg_op *op, packed_weights *packed, void **room, bool *fresh)
{
    *fresh = packed->memory == NULL;
    if (packed->state == PACKED_NOT_YET) {
        packed->state = PACKED_ONCE;
        *room = pg_op_room(op, packed->bytes);
    } else {
        if (packed->state == PACKED_ONCE)
            pg_op_room_free(op);
        if (*fresh)
            packed->memory = nn_alloc(packed->bytes);
        packed->state = PACKED_KEPT;
        *room = packed->memory;
    }
    return *room != NULL ? NULL
                         : pg_op_err(op, PG_ERR_NO_MEMORY, "no memory for %llu bytes of packed weights",
                                     (unsigned long long)packed->bytes);
}

void packed_filled(pg_op *op, const packed_weights *packed)
{
    for (size_t i = 0; packed->inputs >> i != 0; i++)
        if ((packed->inputs >> i & 1) != 0) {
            pg_op_consume(op, i);
            pg_op_forget(op, i);
        }
}

void packed_free(packed_weights *packed)
{
    free(packed->memory);
    packed->memory = NULL;
}
