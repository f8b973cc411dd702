#include "native/forms.h"

#include <stdio.h>
#include <string.h>

#include "base/checksum.h"
#include "native/simd/simd.h"

/* Of the ways in which kernels pack: to be raised with any change of what packed bytes mean. */
#define PACKING "1"

static size_t first_of(const pg_forms *forms, uint32_t node)
{
    size_t low = 0, high = forms->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (forms->items[middle].node < node)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

pg_form *pg_forms_find(const pg_forms *forms, uint32_t node, const char *kind)
{
    for (size_t i = first_of(forms, node); i < forms->count && forms->items[i].node == node; i++)
        if (kind == NULL || pg_str_is(forms->items[i].kind, kind))
            return &forms->items[i];
    return NULL;
}

pg_status pg_forms_check(const pg_forms *forms, pg_form *form)
{
    if (form->checked)
        return NULL;
    if (pg_checksum(form->bytes, form->size) != form->checksum)
        return pg_err(PG_ERR_INVALID,
                      "the plan file '%s' is damaged: the checksum of packed weights ('%" PG_STR_FMT
                      "' of layer %u) does not fit; build the engine again",
                      forms->path, PG_STR_ARG(form->kind), form->node);
    form->checked = true;
    return NULL;
}

void pg_forms_node_ran(const pg_forms *forms, uint32_t node)
{
    if (forms->used == NULL)
        return;
    for (size_t i = first_of(forms, node); i < forms->count && forms->items[i].node == node; i++)
        forms->used(forms->context, &forms->items[i]);
}

const char *pg_forms_layout(void)
{
    static _Thread_local char text[64];
    snprintf(text, sizeof text, "%s-" PACKING, pg_simd_best()->name);
    return text;
}

void pg_forms_lacking(pg_str layout, char *out, size_t room)
{
    pg_str rest = layout, name = PG_STR_EMPTY;
    out[0] = '\0';
    if (pg_str_split(&rest, '-', &name))
        pg_simd_lacking(name, out, room);
}
