/* Whether an engine's file holds its network as it runs, with packed weights. */
#include "base/alloc.h"
#include "engine/internal.h"
#include "log/log.h"

enum { LITTLE = 256 * 1024 };

bool pg_engine_is_packed(const pg_weight *weight)
{
    return weight->storage == PG_STORED_EXTERNAL && pg_str_is(weight->location, PG_PACKED_LOCATION);
}

static uint64_t plain_weights(const pg_model *model)
{
    uint64_t total = 0, size;
    for (size_t i = 0; i < model->graph->n_weights; i++)
        if (!pg_engine_is_packed(&model->graph->weights[i]) &&
            pg_weight_bytes(&model->graph->weights[i], &size))
            total += size;
    return total;
}

static uint64_t packed_weights(const pg_session *session)
{
    uint64_t total = 0;
    pg_form *forms;
    size_t count = pg_session_forms(session, &forms);
    for (size_t i = 0; i < count; i++)
        total += forms[i].size;
    free(forms);
    return total;
}

void pg_engine_lower(pg_engine *engine)
{
    pg_model *net;
    pg_status status = pg_session_lower(engine->session, &net);
    if (status != NULL) {
        PG_LOG_VERBOSE("The engine keeps plain weights: %s.", pg_status_message(status));
        pg_status_drop(status);
        return;
    }
    const uint64_t plain = plain_weights(engine->model),
                   packed = packed_weights(engine->session) + plain_weights(net);
    if (packed > plain + plain / 2 + LITTLE && !engine->weight_streaming) {
        PG_LOG_VERBOSE("The engine keeps plain weights: packed they take %llu bytes instead of %llu.",
                       (unsigned long long)packed, (unsigned long long)plain);
        pg_model_unref(net);
        return;
    }
    engine->net = net;
    pg_session_freeze(engine->session);
}
