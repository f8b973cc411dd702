#include <ctype.h>
#include <string.h>

#include "tools/template/internal.h"

static bool has_name(const pg_bound_option *option, const char *name)
{
    for (size_t i = 0; i < option->n_names; i++)
        if (pg_str_is(option->names[i], name))
            return true;
    return false;
}

const pg_option_use *template_find(const pg_parse_result *parsed, const char *name)
{
    for (size_t i = parsed->n_uses; i-- > 0;)
        if (has_name(parsed->uses[i].option, name))
            return &parsed->uses[i];
    return NULL;
}

bool template_given(const pg_parse_result *parsed, const char *name)
{
    return template_find(parsed, name) != NULL;
}

const char *template_word(const pg_parse_result *parsed, const char *name)
{
    const pg_option_use *use = template_find(parsed, name);
    return use != NULL && use->n_words > 0 ? use->words[0] : NULL;
}

/* ---- TensorRT's names ---- */

pg_status template_enum(pg_buf *out, const char *option, const char *class_name, pg_str name)
{
    bool good = name.len > 0 && !isdigit((unsigned char)name.ptr[0]);
    for (size_t i = 0; i < name.len; i++)
        good = good && (isalnum((unsigned char)name.ptr[i]) || name.ptr[i] == '_');
    if (!good)
        return pg_err(PG_ERR_INVALID,
                      "option '%s': '%" PG_STR_FMT "' is no name of TensorRT's: letters, digits and '_'",
                      option, PG_STR_ARG(name));
    pg_buf_printf(out, "trt.%s%s", class_name != NULL ? class_name : "", class_name != NULL ? "." : "");
    for (size_t i = 0; i < name.len; i++)
        pg_buf_putc(out, (char)(class_name != NULL ? toupper((unsigned char)name.ptr[i]) : name.ptr[i]));
    return NULL;
}

pg_status template_enums(pg_buf *out, const pg_option_use *use, const char *option, const char *keyword,
                         const char *class_name)
{
    pg_buf_printf(out, ", %s=[", keyword);
    for (size_t i = 0; i < use->n_words; i++) {
        pg_buf_puts(out, i > 0 ? ", " : "");
        PG_TRY(template_enum(out, option, class_name, pg_str_c(use->words[i])));
    }
    pg_buf_putc(out, ']');
    return NULL;
}

void template_invoke(pg_python *py, pg_buf *out, const char *text, const char *function)
{
    pg_str path, named;
    pg_value_script(pg_str_c(text), &path, &named);
    pg_python_need(py, "polygraphy.backend.common", "InvokeFromScript");
    pg_buf_puts(out, "InvokeFromScript(");
    pg_python_text(out, path);
    pg_buf_puts(out, ", name=");
    pg_python_text(out, named.len > 0 ? named : pg_str_c(function));
    pg_buf_putc(out, ')');
}

pg_status template_check_model(const pg_args_model *model)
{
    static const char *const others[] = {".engine", ".plan", ".py"};
    pg_str extension = model->path != NULL ? pg_path_extension(pg_str_c(model->path)) : PG_STR_EMPTY;
    bool onnx = model->type == NULL || strcmp(model->type, "onnx") == 0;
    for (size_t i = 0; model->type == NULL && i < PG_COUNT(others); i++)
        onnx = onnx && !pg_str_is(extension, others[i]);
    if (model->path == NULL || onnx)
        return NULL;
    return pg_err(PG_ERR_UNSUPPORTED, "'%s' is no ONNX model: a script is made from one, or from nothing",
                  model->path);
}
