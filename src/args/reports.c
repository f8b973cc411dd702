/* Reports for people and for continuous integration. */
#include "args/args.h"

static const pg_option rows[] = {
    {"--report", PG_FIELD(pg_args_reports, html), .metavar = "PATH",
     .help = "write one HTML page: verdict, outputs, histograms and heatmaps of the differences",
     .flags = PG_OPTION_OURS | PG_OPTION_PATH},
    {"--junit", PG_FIELD(pg_args_reports, junit), .metavar = "PATH",
     .help = "write the verdicts as JUnit XML", .flags = PG_OPTION_OURS | PG_OPTION_PATH},
    {"--sarif", PG_FIELD(pg_args_reports, sarif), .metavar = "PATH",
     .help = "write what failed as SARIF 2.1.0", .flags = PG_OPTION_OURS | PG_OPTION_PATH},
    {"--json", PG_FIELD(pg_args_reports, json), .metavar = "PATH",
     .help = "write everything that was found as JSON, with a schema number",
     .flags = PG_OPTION_OURS | PG_OPTION_PATH},
};

const pg_group pg_group_reports = {"Reports", rows, PG_COUNT(rows)};
