/* The command list. To add a command: its own file (or folder) here with a const pg_command, one line in the
 * list of its parent in list.c, and its option groups in args/. */
#ifndef PG_TOOLS_TOOLS_H
#define PG_TOOLS_TOOLS_H

#include "cli/exit.h"
#include "cli/option.h"

typedef struct pg_root_args {
    bool version, dump_options, dump_markdown;
    pg_opt_text completion, dump_man;
    pg_arg_list complete;
} pg_root_args;
extern const pg_command pg_command_root;

extern const pg_command pg_command_convert;
extern const pg_command pg_command_data_concat;
extern const pg_command pg_command_diff;
extern const pg_command pg_command_doctor;
extern const pg_command pg_command_data_merge;
extern const pg_command pg_command_check_accuracy;
extern const pg_command pg_command_check_compatibility;
extern const pg_command pg_command_check_lint;
extern const pg_command pg_command_debug_diff_tactics;
extern const pg_command pg_command_inspect_capability;
extern const pg_command pg_command_inspect_data;
extern const pg_command pg_command_inspect_diff;
extern const pg_command pg_command_inspect_diff_tactics;
extern const pg_command pg_command_inspect_model;
extern const pg_command pg_command_inspect_sparsity;
extern const pg_command pg_command_inspect_tactics;
extern const pg_command pg_command_run;

extern const pg_command pg_command_plugin_list;
extern const pg_command pg_command_plugin_match;
extern const pg_command pg_command_plugin_replace;
extern const pg_command pg_command_template_onnx_gs;
extern const pg_command pg_command_template_trt_config;
extern const pg_command pg_command_template_trt_network;

/* The words of the command line as typed, joined by blanks. */
const char *pg_tools_command_line(void);
/* What `diff A B` does, without runners. */
PG_MUST_USE pg_status pg_tools_diff_models(const char *a, const char *b);
/* The whole program: parses, runs one command, prints the final error. */
pg_exit pg_tools_main(int argc, char **argv);

#endif
