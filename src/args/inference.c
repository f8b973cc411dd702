#include "args/args.h"

static const pg_option rows[] = {
    {"--warm-up", PG_FIELD(pg_args_inference, warm_up_text), .metavar = "NUM", .default_text = "0",
     .help = "runs of each runner on the first input before anything is timed"},
    {"--warm-up-runs", PG_FIELD(pg_args_inference, warm_up_text), .metavar = "NUM",
     .help = "the same as --warm-up", .flags = PG_OPTION_OURS},
    {"--use-subprocess", PG_FIELD(pg_args_inference, subprocess),
     .help = "run each runner in a process of its own; a runtime that crashes is named, with the signal"},
    {"--save-inputs --save-input-data", PG_FIELD(pg_args_inference, save_inputs), .metavar = "PATH",
     .help =
         "save the inputs; the extension picks the format, without one a folder with a file per iteration",
     .flags = PG_OPTION_PATH},
    {"--save-input-blob", PG_FIELD(pg_args_inference, save_input_blob), .metavar = "DIR", .implied = ".",
     .help = "save the bytes of each input as DIR/<iteration>/<input>.bin", .flags = PG_OPTION_PATH},
    {"--save-outputs --save-results", PG_FIELD(pg_args_inference, save_outputs), .metavar = "PATH",
     .help =
         "save the outputs of all runners; the extension picks the format, without one a folder with a file "
         "per iteration",
     .flags = PG_OPTION_PATH},
};

static pg_status finish(void *values, pg_arena *arena)
{
    pg_args_inference *args = values;
    if (args->warm_up_text.value < 0)
        return pg_err(PG_ERR_INVALID, "option '--warm-up': %lld is negative",
                      (long long)args->warm_up_text.value);
    args->warm_up = (size_t)args->warm_up_text.value;
    return NULL;
}

const pg_group pg_group_inference = {"Comparator Inference", rows, PG_COUNT(rows), .finish = finish};
