/* `template`: Python scripts to start from, for Polygraphy's package.
 *
 *     words.c        the words of options that this program only writes down
 *     trt_network.c  load_network(builder, network, parser)
 *     trt_config.c   load_config(builder, network, config)
 *     onnx_gs.c      a graph of onnx-graphsurgeon
 *
 * What a script does is the user's; that the options are written into it is this program's. The options of
 * TensorRT are read as words: nothing here runs it. */
#ifndef PG_TOOLS_TEMPLATE_INTERNAL_H
#define PG_TOOLS_TEMPLATE_INTERNAL_H

#include "cli/values.h"
#include "tools/python.h"

#define TEMPLATE_TRT "polygraphy.backend.trt"

/* The words of an option's last use; NULL when it was not given. */
const pg_option_use *template_find(const pg_parse_result *parsed, const char *name);
bool template_given(const pg_parse_result *parsed, const char *name);
/* Its only word, or NULL. */
const char *template_word(const pg_parse_result *parsed, const char *name);
/* "trt.Class.NAME" of a name in any case; without a class "trt.name". PG_ERR_INVALID when it cannot be a name. */
PG_MUST_USE pg_status template_enum(pg_buf *out, const char *option, const char *class_name, pg_str name);
/* ", keyword=[trt.Class.A, trt.Class.B]" */
PG_MUST_USE pg_status template_enums(pg_buf *out, const pg_option_use *use, const char *option,
                                     const char *keyword, const char *class_name);
/* InvokeFromScript("file.py", name="function"); `function` where the text names none. */
void template_invoke(pg_python *py, pg_buf *out, const char *text, const char *function);

/* An ONNX model and nothing else. */
PG_MUST_USE pg_status template_check_model(const pg_args_model *model);

#endif
