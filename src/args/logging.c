#include "args/args.h"
#include "cli/values.h"
#include "log/log.h"

static const pg_option rows[] = {
    {"-v --verbose", PG_FIELD(pg_args_logging, verbose),
     .help = "say more; repeat it for more still: verbose, extra, super, ultra"},
    {"-q --quiet", PG_FIELD(pg_args_logging, quiet),
     .help = "say less; repeat it for less still: start, finish, warning, error, critical"},
    {"--extra-verbose", PG_FIELD(pg_args_logging, extra_verbose), .help = "the same as -vv",
     .flags = PG_OPTION_OURS},
    {"--verbosity", PG_FIELD(pg_args_logging, verbosity), .metavar = "[PATH:]LEVEL",
     .help =
         "a level by name (ultra_verbose, super_verbose, extra_verbose, verbose, info, start, finish, "
         "warning, error, critical), or a level for the messages of one source folder or file; the longest "
         "path that fits decides, e.g. --verbosity warning runner:info runner/onnxrt:verbose"},
    {"--silent", PG_FIELD(pg_args_logging, silent), .help = "print nothing but what ends the command"},
    {"--log-format", PG_FIELD(pg_args_logging, log_format), .choices = "timestamp|line-info|no-colors",
     .help = "add the time or the source line to each message; never use colours"},
    {"--log-file", PG_FIELD(pg_args_logging, log_file), .flags = PG_OPTION_PATH, .metavar = "PATH",
     .help = "write the same messages to a file too"},
};

static int steps_of(const pg_args_logging *args)
{
    return args->verbose + (args->extra_verbose ? 2 : 0) - args->quiet;
}

pg_severity pg_args_log_level(const pg_args_logging *args)
{
    static const pg_severity louder[] = {PG_INFO, PG_VERBOSE, PG_EXTRA_VERBOSE, PG_SUPER_VERBOSE,
                                         PG_ULTRA_VERBOSE};
    static const pg_severity quieter[] = {PG_INFO, PG_START, PG_FINISH, PG_WARNING, PG_ERROR, PG_CRITICAL};
    int steps = steps_of(args);
    if (args->silent)
        return PG_CRITICAL;
    if (steps >= 0)
        return louder[PG_MIN((size_t)steps, PG_COUNT(louder) - 1)];
    return quieter[PG_MIN((size_t)-steps, PG_COUNT(quieter) - 1)];
}

static pg_status set_by_path(const pg_args_logging *args)
{
    static const char *const names[] = {"ultra_verbose", "super_verbose", "extra_verbose", "verbose",
                                        "info",          "start",         "finish",        "warning",
                                        "error",         "critical"};
    for (size_t i = 0; i < args->verbosity.count; i++) {
        pg_name_value part = pg_value_split(pg_str_c(args->verbosity.items[i]));
        pg_severity severity;
        if (!pg_severity_parse(pg_str_trim(part.value), &severity))
            return pg_value_not_one_of("--verbosity", pg_str_trim(part.value), names, PG_COUNT(names));
        pg_log_set_severity(part.name, severity);
    }
    return NULL;
}

static void set_format(const pg_args_logging *args)
{
    pg_log_format format = {0};
    for (size_t i = 0; i < args->log_format.count; i++) {
        pg_str name = pg_str_c(args->log_format.items[i]);
        format.timestamp |= pg_str_is(name, "timestamp");
        format.line_info |= pg_str_is(name, "line-info");
        format.no_colors |= pg_str_is(name, "no-colors");
    }
    pg_log_set_format(format);
}

static pg_status finish(void *values, pg_arena *arena)
{
    const pg_args_logging *args = values;
    set_format(args);
    if (args->silent) {
        pg_log_set_severity(PG_STR_EMPTY, PG_CRITICAL);
    } else {
        PG_TRY(set_by_path(args));
        if (steps_of(args) != 0)
            pg_log_set_severity(PG_STR_EMPTY, pg_args_log_level(args));
    }
    return args->log_file != NULL ? pg_log_set_file(args->log_file) : NULL;
}

const pg_group pg_group_logging = {"Logging", rows, PG_COUNT(rows), .finish = finish};
