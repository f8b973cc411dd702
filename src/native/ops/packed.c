#include "native/ops/packed.h"

#include <stdlib.h>
#include <string.h>

#include "native/internal.h"
#include "native/ops/nn.h"

enum { WORTH_WAITING = 64 * 1024 }; /* bytes */

static bool is_input(unsigned inputs, size_t i)
{
    return (inputs >> i & 1) != 0;
}

/* Nothing can be packed of weights that have no elements. */
static pg_status need_elements(const pg_op *op, unsigned inputs)
{
    for (size_t i = 0; inputs >> i != 0; i++)
        if (is_input(inputs, i) && pg_op_in(op, i) != NULL && pg_tensor_is_hollow(pg_op_in(op, i)))
            return pg_op_err(op, PG_ERR_INVALID,
                             "the engine's file has neither the elements of '%" PG_STR_FMT
                             "' nor the packed form that is wanted here; build the engine again",
                             PG_STR_ARG(op->node->inputs[i]));
    return NULL;
}

/* What the engine's file has for this node. */
static pg_status find_stored(const pg_op *op, packed_weights *packed)
{
    const pg_forms *forms = op->session->options.forms;
    if (forms == NULL || op->place == 0)
        return NULL;
    pg_form *form = pg_forms_find(forms, op->place - 1, packed->kind);
    if (form == NULL) {
        if (pg_forms_find(forms, op->place - 1, NULL) != NULL)
            packed->state = PACKED_NOT_CHOSEN;
        return NULL;
    }
    if (form->size != packed->bytes)
        return pg_op_err(op, PG_ERR_INVALID,
                         "the engine's file has %llu bytes of packed weights where %llu are needed; build "
                         "the engine again",
                         (unsigned long long)form->size, (unsigned long long)packed->bytes);
    packed->form = form;
    packed->memory = (void *)form->bytes;
    packed->state = PACKED_STORED;
    for (size_t i = 0; packed->inputs >> i != 0; i++)
        if (is_input(packed->inputs, i))
            ((uint8_t *)op->in_flags)[i] |= PG_IN_STORED;
    return NULL;
}

pg_status packed_begin(const pg_op *op, const char *kind, unsigned inputs, uint64_t bytes, packed_wait wait,
                       packed_weights *out)
{
    *out = (packed_weights){.kind = kind, .bytes = bytes, .inputs = inputs, .state = PACKED_IN_PREPARE};
    PG_TRY(find_stored(op, out));
    if (out->state != PACKED_IN_PREPARE)
        return NULL;
    PG_TRY(need_elements(op, inputs));
    bool waits = wait == PACKED_MAY_WAIT && bytes >= WORTH_WAITING && !op->session->options.for_engine;
    for (size_t i = 0; inputs >> i != 0; i++)
        if (is_input(inputs, i))
            waits &= pg_op_in_file(op, i);
    const bool tuning = op->session->options.tuning; /* runs many times: kept from the first one on */
    if (waits)
        out->state = tuning ? PACKED_ONCE : PACKED_NOT_YET;
    if (waits && !tuning)
        pg_op_room_size(op, bytes);
    return NULL;
}

pg_status packed_room(const pg_op *op, packed_weights *packed, void **room, bool *fresh)
{
    *fresh = packed->memory == NULL;
    if (packed->state == PACKED_STORED) {
        *room = packed->memory;
        return pg_forms_check(op->session->options.forms, packed->form);
    }
    if (packed->state == PACKED_NOT_CHOSEN && *fresh)
        PG_TRY(need_elements(op, packed->inputs));
    if (packed->state == PACKED_NOT_YET) {
        packed->state = PACKED_ONCE;
        *room = pg_op_room(op, packed->bytes);
    } else {
        if (packed->state == PACKED_ONCE)
            pg_op_room_free(op);
        if (*fresh)
            packed->memory = nn_alloc(packed->bytes);
        if (*fresh && packed->memory != NULL && op->session->options.for_engine)
            memset(packed->memory, 0, packed->bytes); /* what a form leaves open is saved, too */
        packed->state = PACKED_KEPT;
        *room = packed->memory;
    }
    return *room != NULL ? NULL
                         : pg_op_err(op, PG_ERR_NO_MEMORY, "no memory for %llu bytes of packed weights",
                                     (unsigned long long)packed->bytes);
}

void packed_filled(pg_op *op, const packed_weights *packed)
{
    if (packed->state == PACKED_KEPT && op->session->options.for_engine && op->place != 0)
        PG_VEC_PUSH(&op->session->made, ((pg_made_form){.form = {.node = op->place - 1,
                                                                 .kind = pg_str_c(packed->kind),
                                                                 .size = packed->bytes,
                                                                 .bytes = packed->memory},
                                                        .inputs = packed->inputs}));
    for (size_t i = 0; packed->inputs >> i != 0; i++)
        if (is_input(packed->inputs, i)) {
            pg_op_consume(op, i);
            pg_op_forget(op, i);
        }
}

void packed_free(packed_weights *packed)
{
    if (packed->state != PACKED_STORED)
        free(packed->memory);
    packed->memory = NULL;
}
