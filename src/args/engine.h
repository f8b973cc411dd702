/* Between the files that turn option values into the build of an engine: engine.c builds, each other file
 * (engine_*.c) fills the part of the configuration that it is named after. */
#ifndef PG_ARGS_ENGINE_H
#define PG_ARGS_ENGINE_H

#include "args/args.h"

/* An error for the first option that only TensorRT can follow, with the reason. */
PG_MUST_USE pg_status pg_args_engine_refuse(const pg_args_trt *trt, pg_arena *arena);

#endif
