/* What asks TensorRT whether it takes a model. */
#ifndef PG_TOOLS_TRT_ENGINE_H
#define PG_TOOLS_TRT_ENGINE_H

#include "check/lint.h"

/* The parser of TensorRT's library in a process of its own, or where none is found, the built-in engine, with a
 * warning. */
pg_lint_engine tools_trt_engine(void);

#endif
