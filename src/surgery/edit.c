#include "surgery/internal.h"

pg_status pg_surgery_finish(pg_arena *arena, pg_wire_message *root, const pg_model *base, pg_model **out)
{
    return pg_model_from_wire(arena, root, base, base->path != NULL ? base->path : "model", out);
}
