#include <string.h>

#include "args/args.h"

static const pg_option rows[] = {
    {"--no-onednn", PG_FIELD(pg_args_native, no_onednn), .help = "portable kernels only",
     .flags = PG_OPTION_OURS},
    {"--onednn-library", PG_FIELD(pg_args_native, onednn), .metavar = "PATH",
     .help = "the libdnnl to use for some convolutions; needs --threads 1",
     .flags = PG_OPTION_OURS | PG_OPTION_PATH},
    {"--no-native-optimization", PG_FIELD(pg_args_native, no_optimization),
     .help = "run every node as it is written: no fusion, no other layouts", .flags = PG_OPTION_OURS},
    {"--native-precision", PG_FIELD(pg_args_native, precision), .choices = "float32|bfloat16|float64",
     .default_text = "float32", .flags = PG_OPTION_OURS,
     .help =
         "float64 computes every floating-point tensor in double with compensated sums: the reference that "
         "tells which of two runtimes is off; slower. bfloat16 rounds the factors of products with weights "
         "to "
         "bfloat16 and adds in float32: up to twice as fast where the processor has AVX512_BF16, slower "
         "elsewhere"},
    {"--fp32", PG_FIELD(pg_args_native, fp32), .flags = PG_OPTION_OURS,
     .help = "float32, which is what runners compute in when no option says otherwise; not with another "
             "precision"},
    {"--native-loop-limit", PG_FIELD(pg_args_native, loop_limit), .metavar = "N", .flags = PG_OPTION_OURS,
     .help = "a Loop that does not end within N iterations is an error (default: 2^31)"},
    {"--native-time-limit", PG_FIELD(pg_args_native, time_limit), .metavar = "SECONDS",
     .flags = PG_OPTION_OURS,
     .help =
         "an inference that takes longer is an error, told by the next node or iteration (default: none)"},
    {"--profile", PG_FIELD(pg_args_native, profile), .metavar = "N", .implied = "20", .flags = PG_OPTION_OURS,
     .help = "after the run, the N nodes and operators that took the most time (default: 20)"},
    {"--save-profile", PG_FIELD(pg_args_native, save_profile), .metavar = "FILE",
     .help = "save the times of all nodes as JSON", .flags = PG_OPTION_OURS | PG_OPTION_PATH},
};

static pg_status parse_profile(pg_args_native *args)
{
    int64_t most = 0;
    args->profiles = args->profile.set || args->save_profile != NULL;
    if (!args->profile.set)
        return NULL;
    if (!pg_value_int(pg_str_c(args->profile.text), &most) || most < 1)
        return pg_err(PG_ERR_INVALID, "option '--profile': '%s' is not a number of rows above 0",
                      args->profile.text);
    args->profile_rows = (size_t)most;
    return NULL;
}

static pg_status parse_limits(pg_args_native *args)
{
    if (args->loop_limit.set && args->loop_limit.value < 1)
        return pg_err(PG_ERR_INVALID,
                      "option '--native-loop-limit': %lld is not a number of iterations above 0",
                      (long long)args->loop_limit.value);
    if (args->time_limit.set && !(args->time_limit.value > 0 && args->time_limit.value <= 1e9))
        return pg_err(PG_ERR_INVALID,
                      "option '--native-time-limit': %g is not a number of seconds above 0, up to 1e9",
                      args->time_limit.value);
    args->options.max_loop_iterations = args->loop_limit.set ? (uint64_t)args->loop_limit.value : 0;
    args->options.max_seconds = args->time_limit.set ? args->time_limit.value : 0;
    return NULL;
}

static pg_status finish(void *values, pg_arena *arena)
{
    pg_args_native *args = values;
    args->options = (pg_native_options){
        .no_onednn = args->no_onednn, .no_optimization = args->no_optimization, .onednn = args->onednn};
    args->options.bfloat16 = args->precision != NULL && strcmp(args->precision, "bfloat16") == 0;
    args->options.float64 = args->precision != NULL && strcmp(args->precision, "float64") == 0;
    if (args->fp32 && (args->options.float64 || args->options.bfloat16))
        return pg_err(PG_ERR_INVALID, "options '--fp32' and '--native-precision %s' exclude each other",
                      args->precision);
    PG_TRY(parse_limits(args));
    return parse_profile(args);
}

const pg_group pg_group_native = {"Built-in Engine", rows, PG_COUNT(rows), .finish = finish};
