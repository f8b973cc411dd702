/* Weight streaming: packed weights stay in the engine's file, and leave memory after a layer has read them, but for as many
 * as the budget has room for. Layers run in the same order every time, so a fixed set stays: any other choice would drop
 * weights just before they are read again. */
#include "engine/internal.h"
#include "log/log.h"

static void leave(void *context, const pg_form *form)
{
    const pg_engine *engine = context;
    if (!form->stays)
        pg_file_map_forget(&engine->map, form->bytes, form->size);
}

uint64_t pg_engine_packed_bytes(const pg_engine *engine)
{
    uint64_t total = 0;
    for (size_t i = 0; i < engine->forms.count; i++)
        total += engine->forms.items[i].size;
    return total;
}

/* The first weights stay, as long as there is room for them beside the largest of the others. */
static uint64_t choose(pg_forms *forms, uint64_t budget)
{
    uint64_t stay = 0, largest = 0;
    for (size_t i = 0; i < forms->count; i++)
        largest = PG_MAX(largest, forms->items[i].size);
    for (size_t i = 0; i < forms->count; i++) {
        const uint64_t size = forms->items[i].size;
        forms->items[i].stays = budget >= largest && size <= budget - largest - stay;
        stay += forms->items[i].stays ? size : 0;
    }
    return stay;
}

pg_status pg_engine_stream(pg_engine *engine, uint64_t budget)
{
    if (!engine->weight_streaming)
        return pg_err(PG_ERR_INVALID, "the engine was built without --weight-streaming");
    if (!engine->lowered)
        return pg_err(
            PG_ERR_UNSUPPORTED,
            "the engine's weights are packed in memory here, not in its file; build it on this processor");
    if (budget >= pg_engine_packed_bytes(engine))
        return NULL;
    const uint64_t stay = choose(&engine->forms, budget);
    engine->forms.used = leave;
    engine->forms.context = engine;
    PG_LOG_INFO("Weight streaming: %llu of %llu bytes of weights stay in memory, the others are read from "
                "the engine's file "
                "each time.",
                (unsigned long long)stay, (unsigned long long)pg_engine_packed_bytes(engine));
    return NULL;
}
