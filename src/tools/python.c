#include "tools/python.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "log/log.h"
#include "tensor/number_text.h"
#include "tools/tools.h"

void pg_python_deinit(pg_python *py)
{
    pg_buf_deinit(&py->body);
}

void pg_python_need(pg_python *py, const char *module, const char *name)
{
    for (size_t i = 0; i < py->n_imports; i++) {
        const pg_python_import *known = &py->imports[i];
        bool same_name =
            known->name == name || (known->name != NULL && name != NULL && strcmp(known->name, name) == 0);
        if (same_name && strcmp(known->module, module) == 0)
            return;
    }
    PG_ASSERT(py->n_imports < PG_PYTHON_IMPORTS);
    py->imports[py->n_imports++] = (pg_python_import){module, name};
}

/* ---- Literals ---- */

void pg_python_text(pg_buf *out, pg_str text)
{
    pg_buf_putc(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '"' || c == '\\')
            pg_buf_printf(out, "\\%c", c);
        else if (c < ' ' || c == 0x7f)
            pg_buf_printf(out, "\\%03o", c);
        else
            pg_buf_putc(out, (char)c);
    }
    pg_buf_putc(out, '"');
}

void pg_python_number(pg_buf *out, double value, bool integer, const char *infinity, const char *nan)
{
    if (isnan(value))
        pg_buf_puts(out, nan);
    else if (isinf(value))
        pg_buf_printf(out, "%s%s", value < 0 ? "-" : "", infinity);
    else if (integer)
        pg_buf_printf(out, "%.0f", value);
    else
        pg_text_repr(out, value);
}

void pg_python_texts(pg_buf *out, const char *const *items, size_t count)
{
    pg_buf_putc(out, '[');
    for (size_t i = 0; i < count; i++) {
        pg_buf_puts(out, i > 0 ? ", " : "");
        pg_python_text(out, pg_str_c(items[i]));
    }
    pg_buf_putc(out, ']');
}

void pg_python_keyword(pg_buf *out, const char *keyword, const char *text)
{
    if (text == NULL)
        return;
    pg_buf_printf(out, ", %s=", keyword);
    pg_python_text(out, pg_str_c(text));
}

void pg_python_true(pg_buf *out, const char *keyword, bool value)
{
    if (value)
        pg_buf_printf(out, ", %s=True", keyword);
}

void pg_python_call(pg_python *py, const char *target, const char *call, const pg_buf *arguments)
{
    const char *rest = pg_buf_cstr(arguments);
    pg_buf_printf(&py->body, "%s%s = %s(%s)\n", py->indent, target, call,
                  strncmp(rest, ", ", 2) == 0 ? rest + 2 : rest);
}

/* ---- The model ---- */

static bool selects(const pg_output_selection *selection)
{
    return selection->mark_all || selection->n_names + selection->n_op_types + selection->n_exclude > 0;
}

static void put_outputs(pg_python *py, const pg_output_selection *selection)
{
    pg_buf arguments = {0};
    if (!selects(selection))
        return;
    pg_python_need(py, "polygraphy.backend.onnx", "ModifyOutputs");
    pg_buf_puts(&arguments, "model");
    if (selection->mark_all) {
        pg_python_need(py, "polygraphy", "constants");
        pg_buf_puts(&arguments, ", outputs=constants.MARK_ALL");
    } else if (selection->n_names > 0) {
        pg_buf_puts(&arguments, ", outputs=");
        pg_python_texts(&arguments, selection->names, selection->n_names);
    }
    if (selection->n_exclude > 0) {
        pg_buf_puts(&arguments, ", exclude_outputs=");
        pg_python_texts(&arguments, selection->exclude, selection->n_exclude);
    }
    if (selection->n_op_types > 0) {
        pg_buf_puts(&arguments, ", mark_types=");
        pg_python_texts(&arguments, selection->op_types, selection->n_op_types);
    }
    pg_python_call(py, "model", "ModifyOutputs", &arguments);
    pg_buf_deinit(&arguments);
}

static void put_save(pg_python *py, const pg_args_onnx_save *save)
{
    pg_buf arguments = {0};
    pg_python_need(py, "polygraphy.backend.onnx", "SaveOnnx");
    pg_buf_puts(&arguments, "model");
    pg_python_keyword(&arguments, "path", save->path);
    if (save->external.set) /* an empty name is the package's default name */
        pg_python_keyword(&arguments, "external_data_path",
                          save->external.text != NULL ? save->external.text : "");
    if (save->options.has_threshold)
        pg_buf_printf(&arguments, ", size_threshold=%llu", (unsigned long long)save->options.size_threshold);
    if (save->per_tensor)
        pg_buf_puts(&arguments, ", all_tensors_to_one_file=False");
    pg_python_call(py, "model", "SaveOnnx", &arguments);
    pg_buf_deinit(&arguments);
}

static void put_load(pg_python *py, const char *path, const pg_args_onnx *onnx)
{
    pg_buf arguments = {0};
    pg_python_need(py, "polygraphy.backend.onnx", "OnnxFromPath");
    pg_python_text(&arguments, pg_str_c(path));
    pg_python_keyword(&arguments, "external_data_dir", onnx->external_data_dir);
    pg_python_true(&arguments, "ignore_external_data", onnx->ignore_external_data);
    pg_python_call(py, "model", "OnnxFromPath", &arguments);
    pg_buf_deinit(&arguments);
}

bool pg_python_model(pg_python *py, const pg_args_model *model, const pg_args_onnx *onnx,
                     const pg_args_onnx_shapes *shapes, const pg_args_onnx_save *save)
{
    const char *path = pg_path_absolute(py->arena, pg_str_c(model->path));
    bool saves = save != NULL && save->path != NULL, infers = shapes != NULL && shapes->infer;
    if (onnx->external_data_dir == NULL && !onnx->ignore_external_data && !selects(&onnx->selection) &&
        !onnx->fp16 && !infers && !saves) {
        pg_buf_printf(&py->body, "%smodel = ", py->indent);
        pg_python_text(&py->body, pg_str_c(path));
        pg_buf_putc(&py->body, '\n');
        return true;
    }
    put_load(py, path, onnx);
    if (infers) {
        pg_python_need(py, "polygraphy.backend.onnx", "InferShapes");
        pg_buf_printf(&py->body, "%smodel = InferShapes(model%s)\n", py->indent,
                      shapes->no_onnxruntime ? ", allow_onnxruntime=False" : "");
    }
    put_outputs(py, &onnx->selection);
    if (onnx->fp16) {
        pg_python_need(py, "polygraphy.backend.onnx", "ConvertToFp16");
        pg_buf_printf(&py->body, "%smodel = ConvertToFp16(model)\n", py->indent);
    }
    if (saves)
        put_save(py, save);
    return false;
}

/* ---- Inputs ---- */

pg_status pg_python_check_json(const char *option, const char *path)
{
    pg_str extension = pg_path_extension(pg_str_c(path));
    if (extension.len == 0 || pg_str_is(extension, ".json") || pg_path_is_dir(path))
        return NULL;
    return pg_err(PG_ERR_UNSUPPORTED,
                  "option '%s': '%s' cannot be expressed in a Python script: Polygraphy's package knows "
                  ".json files and "
                  "folders only",
                  option, path);
}

static void put_shapes(pg_python *py, const pg_args_model *model, pg_buf *out)
{
    if (model->n_input_shapes == 0)
        return;
    pg_python_need(py, "polygraphy.common", "TensorMetadata");
    pg_buf_puts(out, ", input_metadata=TensorMetadata()");
    for (size_t i = 0; i < model->n_input_shapes; i++) {
        const pg_input_shape *shape = &model->input_shapes[i];
        pg_buf_puts(out, ".add(");
        pg_python_text(out, shape->name);
        pg_buf_puts(out, ", None, [");
        for (size_t d = 0; d < shape->rank; d++)
            pg_buf_printf(out, "%s%lld", d > 0 ? ", " : "", (long long)shape->dims[d]);
        pg_buf_puts(out, "])");
    }
}

static void put_bound(pg_buf *out, const pg_range_bound *bound)
{
    pg_python_number(out, bound->real, bound->is_integer, "float(\"inf\")", "float(\"nan\")");
}

static void put_ranges(const pg_loader_options *options, pg_buf *out)
{
    if (options->n_ranges == 0)
        return;
    pg_buf_puts(out, ", val_range={");
    for (size_t i = 0; i < options->n_ranges; i++) {
        pg_buf_puts(out, i > 0 ? ", " : "");
        pg_python_text(out, options->ranges[i].name);
        pg_buf_puts(out, ": (");
        put_bound(out, &options->ranges[i].low);
        pg_buf_puts(out, ", ");
        put_bound(out, &options->ranges[i].high);
        pg_buf_putc(out, ')');
    }
    pg_buf_putc(out, '}');
}

static void put_random(pg_python *py, const pg_args_data *data, const pg_args_model *model)
{
    pg_buf arguments = {0};
    if (data->seed.set)
        pg_buf_printf(&arguments, ", seed=%lld", (long long)data->seed.value);
    if (data->iterations.set)
        pg_buf_printf(&arguments, ", iterations=%lld", (long long)data->iterations.value);
    put_shapes(py, model, &arguments);
    put_ranges(&data->options, &arguments);
    pg_python_need(py, "polygraphy.comparator", "DataLoader");
    pg_python_call(py, "data_loader", "DataLoader", &arguments);
    pg_buf_deinit(&arguments);
}

pg_status pg_python_loader(pg_python *py, const pg_args_data *data, const pg_args_model *model)
{
    if (!data->load_inputs.set) {
        put_random(py, data, model);
        return NULL;
    }
    pg_buf arguments = {0};
    for (size_t i = 0; i < data->load_inputs.count; i++)
        PG_TRY(pg_python_check_json("--load-inputs", data->load_inputs.items[i]));
    pg_python_texts(&arguments, data->load_inputs.items, data->load_inputs.count);
    pg_python_need(py, "polygraphy.comparator", "StreamingDataLoader");
    pg_python_call(py, "data_loader", "StreamingDataLoader", &arguments);
    pg_buf_deinit(&arguments);
    return NULL;
}

/* ---- The whole ---- */

void pg_python_command_line(pg_buf *out)
{
    for (const char *c = pg_tools_command_line(); *c != '\0'; c++)
        pg_buf_putc(out, (unsigned char)*c < ' ' ? ' ' : *c);
}

static int compare_imports(const void *a, const void *b)
{
    const pg_python_import *x = a, *y = b;
    int order = strcmp(x->module, y->module);
    return order != 0 ? order : strcmp(x->name != NULL ? x->name : "", y->name != NULL ? y->name : "");
}

static void put_imports(const pg_python *py, pg_buf *out)
{
    pg_python_import sorted[PG_PYTHON_IMPORTS];
    memcpy(sorted, py->imports, sizeof sorted);
    qsort(sorted, py->n_imports, sizeof *sorted, compare_imports);
    for (size_t i = 0; i < py->n_imports; i++) {
        bool again = i > 0 && sorted[i].name != NULL && strcmp(sorted[i].module, sorted[i - 1].module) == 0;
        if (sorted[i].name == NULL)
            pg_buf_printf(out, "import %s", sorted[i].module);
        else if (again)
            pg_buf_printf(out, ", %s", sorted[i].name);
        else
            pg_buf_printf(out, "from %s import %s", sorted[i].module, sorted[i].name);
        bool goes_on = i + 1 < py->n_imports && sorted[i + 1].name != NULL && sorted[i].name != NULL &&
                       strcmp(sorted[i].module, sorted[i + 1].module) == 0;
        pg_buf_puts(out, goes_on ? "" : "\n");
    }
}

void pg_python_head(const pg_python *py, const char *what, pg_buf *out)
{
    pg_buf command = {0};
    pg_buf_printf(out, "#!/usr/bin/env python3\n\"\"\"%s\n\n    ", what);
    pg_python_command_line(&command);
    for (size_t i = 0; i < command.len; i++) { /* nothing that ends the text or is an escape */
        if (command.ptr[i] == '\\' || command.ptr[i] == '"')
            pg_buf_putc(out, '\\');
        pg_buf_putc(out, command.ptr[i]);
    }
    pg_buf_deinit(&command);
    pg_buf_puts(out, "\n\"\"\"\n\n");
    put_imports(py, out);
}

pg_status pg_python_write(const char *path, const pg_buf *text, bool executable)
{
    if (strcmp(path, "-") == 0) {
        fwrite(text->ptr, 1, text->len, stdout);
        return NULL;
    }
    PG_TRY(pg_file_write(path, pg_buf_str(text)));
    struct stat now;
    if (executable && stat(path, &now) == 0 && S_ISREG(now.st_mode) && chmod(path, now.st_mode | 0111) != 0)
        PG_LOG_WARNING("'%s' could not be made executable", path);
    PG_LOG_INFO("Writing script to: %s", path);
    return NULL;
}
