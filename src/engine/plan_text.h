/* The description inside a plan file: JSON that states everything but the model. */
#ifndef PG_ENGINE_PLAN_TEXT_H
#define PG_ENGINE_PLAN_TEXT_H

#include "engine/engine.h"

/* `layout`: of the packed weights in the file; "" without. */
void pg_engine_describe(const pg_engine *engine, const char *layout, pg_buf *out);
/* Fills what pg_engine_describe wrote; everything is checked. `path` is for messages. */
PG_MUST_USE pg_status pg_engine_read_description(const void *bytes, uint64_t size, const char *path,
                                                 pg_engine *engine);

#endif
