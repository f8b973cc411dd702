/* The pictures of `inspect model`: a page for a browser, DOT, SVG. */
#ifndef PG_TOOLS_INSPECT_VISUAL_H
#define PG_TOOLS_INSPECT_VISUAL_H

#include "cli/option.h"
#include "onnx/onnx.h"

typedef struct pg_visual_args {
    bool visual;
    pg_opt_int port;
    const char *page, *dot, *svg;
} pg_visual_args;
extern const pg_group pg_group_visual;

/* Before the model is loaded: that the files can be written. */
PG_MUST_USE pg_status pg_visual_check(const pg_visual_args *args);
/* Writes the files, or serves the page until Ctrl-C. */
PG_MUST_USE pg_status pg_visual_show(const pg_visual_args *args, const pg_model *model);

#endif
