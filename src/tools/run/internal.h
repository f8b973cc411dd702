/* The pieces of `polygraphy run`:
 *
 *     run.c      the command: its options, the checks between them, the order of the work
 *     rules.c    what the options must satisfy together
 *     engine.c   engines that the built-in engine runs
 *     infer.c    runners: made, activated, fed; latencies
 *     source.c   where the inputs come from
 *     save.c     what is written: inputs, outputs, report
 *     profile.c  where the built-in engine's time goes
 *     probe.c    extra runs of the built-in engine
 *     ranges.c   values that smaller types cannot hold; where NaN and Inf come from
 *     noise.c    tolerances measured from rounding alone
 *     judge.c    validation and comparison of live and loaded runs
 *     reports.c  reports for people and for continuous integration
 *     describe.c names, types and shapes as text
 *     script*.c  --gen-script: the command as a program
 *     saved.c    `inspect diff`: the comparison alone, of saved outputs
 */
#ifndef PG_TOOLS_RUN_INTERNAL_H
#define PG_TOOLS_RUN_INTERNAL_H

#include "args/args.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/vec.h"
#include "data/files.h"
#include "data/loader.h"
#include "report/report.h"
#include "native/watch.h"

typedef struct run_args {
    pg_args_logging logging;
    pg_args_runners runners;
    pg_args_model model;
    pg_args_onnx_save onnx_save;
    pg_args_onnx_shapes onnx_shapes;
    pg_args_onnx onnx;
    pg_args_onnxrt onnxrt;
    pg_args_native native;
    pg_args_trt trt;
    pg_args_ranges ranges;
    pg_args_data data;
    pg_args_inference inference;
    pg_args_postprocess postprocess;
    pg_args_compare compare;
    pg_args_simple simple;
    pg_args_indices indices;
    pg_args_thresholds thresholds;
    pg_args_reports reports;
    pg_args_script script;
} run_args;

/* ---- run.c ---- */

/* Everything after the options were checked for what a model and runners need: inference where there are runners,
 * comparison, reports. */
PG_MUST_USE pg_status run_execute(const run_args *args, pg_arena *arena);

/* ---- rules.c ---- */

/* What a run needs: a model for its runners, and options that fit them. */
PG_MUST_USE pg_status run_check(const run_args *args, pg_arena *arena);
/* What every comparison needs: paths that do not overlap and can be written to, functions that there are. */
PG_MUST_USE pg_status run_check_comparison(const run_args *args, pg_arena *arena);
/* Inputs and outputs that options name must be the model's. */
PG_MUST_USE pg_status run_check_names(const run_args *args, const pg_model *model);

/* ---- source.c ---- */

/* Iterations of inputs; any of them can be asked for at any time. */
typedef struct run_source {
    pg_io_list inputs; /* of the runner it was opened for */
    pg_inputs *files;  /* of --load-inputs; NULL: random ones */
    pg_loader_options options;
    pg_input_shape *shapes; /* of `options`; owned */
    size_t count;           /* iterations */
} run_source;

/* Inputs for `runner`, which is active and stays so until the source is closed. The struct must not move. Random
 * inputs have the shapes of the command line, else the optimal ones of the engine (may be NULL). */
PG_MUST_USE pg_status run_source_open(run_source *source, const run_args *args, pg_runner *runner,
                                      const pg_engine *engine);
PG_MUST_USE pg_status run_source_get(run_source *source, size_t index, pg_feed *out);
/* What the random inputs will look like, when the user said something about it. */
void run_source_announce(const run_args *args);
void run_source_close(run_source *source);

/* ---- save.c ---- */

typedef struct run_savers {
    const run_args *args;
    pg_inputs_writer *inputs;
    size_t n_inputs;   /* iterations seen */
    bool keep_outputs; /* something is made from them at the end */
    bool by_iteration; /* outputs go to a file of their own after each iteration */
    bool finished;
    pg_run_results outputs;
} run_savers;

/* Folders of one file per iteration must be new or empty. */
PG_MUST_USE pg_status run_savers_check(const run_args *args);
PG_MUST_USE pg_status run_savers_open(run_savers *savers, const run_args *args);
PG_MUST_USE pg_status run_savers_add_inputs(run_savers *savers, size_t index, const pg_feed *feed);
/* Keeps another owner of the outputs when they are to be saved. */
void run_savers_add_outputs(run_savers *savers, pg_str runner, const pg_iteration *iteration);
/* After the last runner on an input. */
PG_MUST_USE pg_status run_savers_end_iteration(run_savers *savers, size_t index);
/* Writes what was collected, once: further calls do nothing. After a failure only what is not empty. */
PG_MUST_USE pg_status run_savers_finish(run_savers *savers, bool failed);
PG_MUST_USE pg_status run_save_report(const run_args *args, const pg_run_results *outputs,
                                      const pg_comparison *comparison);
PG_MUST_USE pg_status run_save_accuracy(const run_args *args, const pg_comparison *comparison);
void run_savers_close(run_savers *savers);

/* ---- infer.c ---- */

typedef struct run_latencies {
    PG_VEC(double) seconds;
} run_latencies;

typedef struct run_live {
    pg_runner **runners;
    run_latencies *latencies;     /* one per runner */
    struct pg_profile **profiles; /* one per runner; NULL where none is taken */
    bool profiled;
    size_t count;
    pg_engine *engine; /* counted: of the first runner that has one of the built-in engine; may be NULL */
} run_live;

PG_MUST_USE pg_status run_live_new(run_live *live, const run_args *args, pg_model *model, pg_arena *arena);
PG_MUST_USE pg_status run_live_activate(pg_runner *runner);
PG_MUST_USE pg_status run_live_warm_up(pg_runner *runner, size_t runs, const pg_feed *feed);
/* One iteration; `out` is zeroed and then the caller's. */
PG_MUST_USE pg_status run_live_infer(run_live *live, size_t which, const pg_feed *feed, pg_iteration *out);
/* At the end of a runner's work, while it is active: the percentiles of one that ran more than once, the
 * memory and the profile of the built-in engine. */
void run_live_log_end(const run_live *live, size_t which, const run_args *args);
/* Fills the number of iterations and the times. */
void run_live_latency(const run_live *live, size_t which, pg_report_run *out);
void run_live_log_completed(const run_live *live, size_t which);
void run_live_free(run_live *live);

/* ---- profile.c ---- */

/* Around each timed inference. */
void run_profile_begin(run_live *live, size_t which);
void run_profile_end(run_live *live, size_t which);
/* The `most` rows of each table; 0 = nothing. */
void run_profile_log(const run_live *live, size_t which, size_t most);
/* --save-profile; the file's fields are in docs/engine-modes.md. */
PG_MUST_USE pg_status run_profile_save(const run_args *args, const run_live *live);

/* ---- probe.c ---- */

/* A run of the built-in engine beside the runners, on the inputs that they get. Made after the runners, whose
 * names count up. */
typedef struct run_probe {
    pg_runner *runner;
    run_source source;
} run_probe;

/* To be closed after a failure too. */
PG_MUST_USE pg_status run_probe_open(run_probe *probe, const run_args *args, pg_model *model,
                                     const pg_native_options *options);
/* On iteration `index`; the observer may be NULL. */
PG_MUST_USE pg_status run_probe_infer(run_probe *probe, size_t index, const pg_observer *observer,
                                      pg_feed *out);
void run_probe_close(run_probe *probe);
/* One run in float32, every node as it is written. */
PG_MUST_USE pg_status run_probe_watch(const run_args *args, pg_model *model, size_t index, pg_watch *watch);

/* ---- ranges.c ---- */

/* --range-report and --save-range-report. */
PG_MUST_USE pg_status run_ranges(const run_args *args, pg_model *model);
/* Logs which node made the first NaN or Inf of iteration `index`, or why that cannot be told. */
void run_blame(const run_args *args, pg_model *model, size_t index);

/* ---- noise.c ---- */

/* --tolerance auto: adds measured tolerances to the options of `simple` and says why they are what they are.
 * No session may be active. */
PG_MUST_USE pg_status run_tolerances(const run_args *args, pg_model *model, pg_arena *arena,
                                     pg_compare_options *options);

/* ---- judge.c ---- */

/* The runs that are compared: live ones first, then one per loaded runner. */
typedef struct run_judge {
    const run_args *args;
    pg_comparison *comparison;
    pg_compare_options options; /* of the comparison, which borrows them */
    bool begun, invalid;        /* invalid: --validate ended the work at iteration `index` */
    size_t index;               /* of the next iteration */
    const pg_str *live_names;
    size_t n_live;
    bool loaded_read;
    pg_run_results loaded;
    PG_VEC(size_t) file_of; /* per loaded runner: which file of --load-outputs */
} run_judge;

PG_MUST_USE pg_status run_judge_init(run_judge *judge, const run_args *args, const pg_str *live_names,
                                     size_t n_live);
/* Judges the next iteration of every run: `live` are the live ones' (post-processed in place). *out_more:
 * false when there is nothing more to judge. */
PG_MUST_USE pg_status run_judge_next(run_judge *judge, pg_iteration *live, bool *out_more);
/* After the last live iteration: loaded runs may have more. */
PG_MUST_USE pg_status run_judge_end(run_judge *judge);
/* The summary; PG_ERR_FAILED when something did not match. */
PG_MUST_USE pg_status run_judge_verdict(run_judge *judge);
void run_judge_deinit(run_judge *judge);

/* ---- reports.c ---- */

typedef struct run_reports {
    const run_args *args;
    pg_arena arena;
    uint64_t started_ns;
    const char *started;
    pg_report_input *inputs; /* of the first iteration */
    size_t n_inputs;
} run_reports;

bool run_reports_wanted(const run_args *args);
void run_reports_begin(run_reports *reports, const run_args *args);
/* Of the first iteration; further calls do nothing. */
void run_reports_add_inputs(run_reports *reports, const pg_feed *feed);
/* `status` is how the run ended; it stays the caller's. `model` may be NULL: then the file that the command
 * line names is read once more, if it can be. */
PG_MUST_USE pg_status run_reports_write(run_reports *reports, const run_live *live, const run_judge *judge,
                                        const pg_model *model, pg_status status);
void run_reports_deinit(run_reports *reports);

/* ---- script.c ---- */

/* Writes the program that --gen-script asks for. PG_ERR_UNSUPPORTED for an option that the language cannot
 * express, by name. */
PG_MUST_USE pg_status run_script(const pg_command *command, run_args *args, pg_arena *arena);

/* ---- describe.c ---- */

/* "{x [dtype=float32, shape=(1, 3)],\n y [...]}" */
void run_describe_feed(pg_buf *out, const pg_feed *feed);
/* Each value as NumPy prints it, under its name, indented; starts with a line feed. */
void run_describe_values(pg_buf *out, const pg_feed *feed);

/* ---- engine.c ---- */

/* Whether a runner of --trt runs with the built-in engine; `file` is its engine, NULL for the model. */
bool run_is_native_engine(const run_args *args, const char *file);
/* That runner: on the engine of a file, or one built from the model (and saved if that was asked for). */
PG_MUST_USE pg_status run_new_engine_runner(const run_args *args, const char *file, pg_model *model,
                                            pg_arena *arena, run_live *live, pg_runner **out);

#endif
