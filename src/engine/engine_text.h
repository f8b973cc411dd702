/* Engines as text, in the layout of the peer. */
#ifndef PG_ENGINE_ENGINE_TEXT_H
#define PG_ENGINE_ENGINE_TEXT_H

#include "engine/engine.h"

typedef struct pg_engine_text_options {
    bool layers, attrs, weights;
} pg_engine_text_options;

void pg_engine_text(const pg_engine *engine, const pg_engine_text_options *options, pg_buf *out);

#endif
