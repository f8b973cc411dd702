/* Python scripts that commands write: literals, imports and the pieces that several of them share.
 *
 * A script is a body, put together first, and what it imports, known then. Calls append to py->body, which is
 * indented by the caller's `py->indent`. */
#ifndef PG_TOOLS_PYTHON_H
#define PG_TOOLS_PYTHON_H

#include "args/args.h"
#include "base/buf.h"

enum { PG_PYTHON_IMPORTS = 48 };

typedef struct pg_python_import {
    const char *module, *name; /* "import module" without a name; static texts */
} pg_python_import;

typedef struct pg_python {
    pg_arena *arena;
    pg_buf body;
    const char *indent;
    pg_python_import imports[PG_PYTHON_IMPORTS];
    size_t n_imports;
} pg_python;
void pg_python_deinit(pg_python *py);

/* Imports a name once. */
void pg_python_need(pg_python *py, const char *module, const char *name);

/* ---- Literals ---- */

/* In double quotes; the escapes are those that C has too. */
void pg_python_text(pg_buf *out, pg_str text);
/* A number that reads back, `integer` as typed; infinity and NaN are the words given, for C they are others. */
void pg_python_number(pg_buf *out, double value, bool integer, const char *infinity, const char *nan);
void pg_python_texts(pg_buf *out, const char *const *items, size_t count); /* ["a", "b"] */
/* Keyword arguments, each with ", " before it. A NULL text and a false flag are left out. */
void pg_python_keyword(pg_buf *out, const char *keyword, const char *text);
void pg_python_true(pg_buf *out, const char *keyword, bool value);
/* "target = call(arguments)"; arguments may begin with ", ". */
void pg_python_call(pg_python *py, const char *target, const char *call, const pg_buf *arguments);

/* ---- Shared pieces ---- */

/* model = ...: a loader of the model, changed and saved as asked (`save` may be NULL). Returns true, and makes it
 * the path itself, when nothing is to be done to the model. */
bool pg_python_model(pg_python *py, const pg_args_model *model, const pg_args_onnx *onnx,
                     const pg_args_onnx_shapes *shapes, const pg_args_onnx_save *save);
/* data_loader = ...: random or loaded inputs. PG_ERR_UNSUPPORTED for files that the package cannot read. */
PG_MUST_USE pg_status pg_python_loader(pg_python *py, const pg_args_data *data, const pg_args_model *model);
/* Fails for a file that Polygraphy's package cannot read or write: it knows .json files and folders. */
PG_MUST_USE pg_status pg_python_check_json(const char *option, const char *path);

/* ---- The whole ---- */

/* "#!/usr/bin/env python3", what it is, the command it comes from, and the imports. */
void pg_python_head(const pg_python *py, const char *what, pg_buf *out);
/* The words of the command line, control characters as blanks. */
void pg_python_command_line(pg_buf *out);
/* Writes a program; "-" is the standard output. */
PG_MUST_USE pg_status pg_python_write(const char *path, const pg_buf *text, bool executable);

#endif
