#include "args/args.h"
#include "tools/planned.h"
#include "tools/tools.h"

/* Options that every group of commands takes and hands to the command chosen. */
static const pg_group_use logging_use[] = {{&pg_group_logging, 0}};
#define COMMAND_GROUP(name_, summary_, children_)                            \
    static const pg_command name_ = {.name = #name_,                         \
                                     .summary = summary_,                    \
                                     .groups = logging_use,                  \
                                     .n_groups = PG_COUNT(logging_use),      \
                                     .values_size = sizeof(pg_args_logging), \
                                     .children = children_}

static const pg_command *const inspect_list[] = {
    &pg_command_inspect_model,        &pg_command_inspect_data,
    &pg_command_inspect_tactics,      &pg_command_inspect_capability,
    &pg_command_inspect_diff_tactics, &pg_command_inspect_sparsity,
    &pg_command_inspect_diff,         NULL};
static const pg_command *const check_list[] = {&pg_command_check_lint, &pg_command_check_accuracy,
                                               &pg_command_check_compatibility, NULL};
static const pg_command *const surgeon_list[] = {&pg_command_surgeon_extract,
                                                 &pg_command_surgeon_sanitize,
                                                 &pg_command_surgeon_insert,
                                                 &pg_command_surgeon_prune,
                                                 &pg_command_surgeon_weight_strip,
                                                 &pg_command_surgeon_weight_reconstruct,
                                                 NULL};
static const pg_command *const template_list[] = {
    &pg_command_template_trt_network, &pg_command_template_trt_config, &pg_command_template_onnx_gs,
    &pg_command_template_shard_hints, NULL};
static const pg_command *const debug_list[] = {&pg_command_debug_build,        &pg_command_debug_precision,
                                               &pg_command_debug_reduce,       &pg_command_debug_repeat,
                                               &pg_command_debug_diff_tactics, NULL};
static const pg_command *const data_list[] = {&pg_command_data_concat, &pg_command_data_merge, NULL};
static const pg_command *const plugin_list_[] = {&pg_command_plugin_match, &pg_command_plugin_list,
                                                 &pg_command_plugin_replace, &pg_command_plugin_autotune,
                                                 NULL};
static const pg_command *const multi_device_list[] = {&pg_command_multi_device_shard, NULL};

COMMAND_GROUP(inspect, "Print models, data and replay files.", inspect_list);
COMMAND_GROUP(check, "Check models and saved results.", check_list);
COMMAND_GROUP(surgeon, "Edit ONNX models.", surgeon_list);
COMMAND_GROUP(template, "Write script templates.", template_list);
COMMAND_GROUP(debug, "Find the cause of a failure.", debug_list);
COMMAND_GROUP(data, "Edit saved inputs and outputs.", data_list);
COMMAND_GROUP(plugin, "Find and replace plugin patterns.", plugin_list_);
static const pg_command multi_device = {.name = "multi-device",
                                        .summary = "Prepare models for several devices.",
                                        .groups = logging_use,
                                        .n_groups = PG_COUNT(logging_use),
                                        .values_size = sizeof(pg_args_logging),
                                        .children = multi_device_list};

static const pg_command *const root_list[] = {&pg_command_run,
                                              &pg_command_convert,
                                              &pg_command_diff,
                                              &inspect,
                                              &check,
                                              &surgeon,
                                              &template,
                                              &debug,
                                              &data,
                                              &plugin,
                                              &multi_device,
                                              &pg_command_doctor,
                                              NULL};

static const pg_option root_rows[] = {
    {"-v --version", PG_FIELD(pg_root_args, version), .help = "print the version and exit"},
    {"--completion", PG_FIELD(pg_root_args, completion), .metavar = "SHELL", .arity = PG_ARITY_ONE,
     .help = "print a completion script for bash, zsh or fish", .flags = PG_OPTION_OURS},
    {"--complete", PG_FIELD(pg_root_args, complete), .arity = PG_ARITY_REST,
     .flags = PG_OPTION_OURS | PG_OPTION_HIDDEN},
    {"--dump-options", PG_FIELD(pg_root_args, dump_options), .flags = PG_OPTION_OURS | PG_OPTION_HIDDEN,
     .help = "print every option of every command as tab-separated lines"},
    {"--dump-man", PG_FIELD(pg_root_args, dump_man), .metavar = "PAGE",
     .flags = PG_OPTION_OURS | PG_OPTION_HIDDEN, .help = "print a manual page, or the names of all"},
    {"--dump-markdown", PG_FIELD(pg_root_args, dump_markdown), .flags = PG_OPTION_OURS | PG_OPTION_HIDDEN,
     .help = "print the reference of all options"},
};
static const pg_group root_group = {NULL, root_rows, PG_COUNT(root_rows)};
static const pg_group_use root_use[] = {{&root_group, 0}};

const pg_command pg_command_root = {
    .name = "polygraphy",
    .summary =
        "Run models on several inference runtimes, compare what they answer, and find out where and why it "
        "differs.",
    .groups = root_use,
    .n_groups = PG_COUNT(root_use),
    .values_size = sizeof(pg_root_args),
    .children = root_list,
};
