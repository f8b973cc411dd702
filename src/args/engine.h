/* Between the files that turn option values into the build of an engine: engine.c builds, each other file
 * (engine_*.c) fills the part of the configuration that it is named after. */
#ifndef PG_ARGS_ENGINE_H
#define PG_ARGS_ENGINE_H

#include "args/args.h"
#include "data/files.h"

/* An error for the first option that only TensorRT can follow, with the reason. */
PG_MUST_USE pg_status pg_args_engine_refuse(const pg_args_trt *trt, pg_arena *arena);

/* The part of a configuration that says what the engine's file holds. */
PG_MUST_USE pg_status pg_args_engine_plan(const pg_args_trt_config *config, pg_build_config *build);
/* engine_tactics.c: sources, caches and replays; and the replay that a build leaves. */
PG_MUST_USE pg_status pg_args_engine_tactics(const pg_args_build *args, pg_arena *arena,
                                             pg_build_config *build);
PG_MUST_USE pg_status pg_args_engine_save_tactics(const pg_args_build *args, const pg_engine *engine);
/* Fills what the configuration says of types: those that are allowed, and those of single layers. */
PG_MUST_USE pg_status pg_args_engine_precisions(const pg_args_trt *trt, pg_arena *arena,
                                                pg_build_config *build);

/* Inputs to calibrate with: the files of --load-inputs, or generated ones. */
typedef struct pg_args_feeds {
    const pg_args_data *data;
    const pg_args_model *shapes_of; /* --input-shapes for what is generated; NULL: the inputs' own shapes */

    /* While open */
    pg_loader_options options;
    pg_io_list inputs; /* borrowed */
    pg_inputs *files;  /* NULL: generated */
    size_t count;
} pg_args_feeds;
PG_MUST_USE pg_status pg_args_feeds_open(void *feeds, pg_io_list inputs);
/* A pg_feed_source. */
PG_MUST_USE pg_status pg_args_feeds_next(void *feeds, size_t index, pg_feed *out, bool *end);
void pg_args_feeds_close(void *feeds);
/* Fills in what the engine says of its layers, and notes on options that change nothing here. */
PG_MUST_USE pg_status pg_args_engine_notes(const pg_trt_options *options, pg_arena *arena,
                                           pg_build_config *build);
/* Fills in borders and debug tensors for the network's graph. */
PG_MUST_USE pg_status pg_args_engine_io(const pg_args_trt *trt, const pg_graph *graph, pg_arena *arena,
                                        pg_build_config *build);

#endif
