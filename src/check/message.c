/* ONNX Runtime's messages, cut down as the peer cuts them: what names a place in the runtime's sources or
 * repeats the node goes, the reason stays. */
#include "check/lint.h"

static pg_str find_last(pg_str text, const char *part)
{
    pg_str want = pg_str_c(part);
    for (size_t end = text.len; end >= want.len; end--)
        if (memcmp(text.ptr + end - want.len, want.ptr, want.len) == 0)
            return pg_str_sub(text, end - want.len, end);
    return (pg_str){NULL, 0};
}

static void remove_all(pg_buf *text, const char *part)
{
    size_t length = strlen(part), out = 0;
    for (size_t i = 0; i < text->len;) {
        if (text->len - i >= length && memcmp(text->ptr + i, part, length) == 0)
            i += length;
        else
            text->ptr[out++] = text->ptr[i++];
    }
    text->len = out;
    if (text->ptr != NULL)
        text->ptr[out] = '\0';
}

/* What comes behind the last `part`; the whole text without one. */
static pg_str behind_last(pg_str text, const char *part)
{
    pg_str found = find_last(text, part);
    return found.ptr == NULL ? text : pg_str_sub(text, (size_t)(found.ptr + found.len - text.ptr), text.len);
}

/* "Node (name) Op (type) [ShapeInferenceError]" */
static pg_str cut_shape_error(pg_str text)
{
    pg_str end = find_last(text, ") [ShapeInferenceError]");
    if (!pg_str_starts(text, PG_STR("Node (")) || end.ptr == NULL)
        return text;
    pg_str head = pg_str_sub(text, 0, (size_t)(end.ptr - text.ptr));
    return pg_str_contains(head, PG_STR(") Op (")) ? behind_last(text, ") [ShapeInferenceError]") : text;
}

/* Whether "<digits> onnxruntime::...(" follows. */
static bool is_source_line(pg_str rest)
{
    size_t i = 0;
    while (i < rest.len && rest.ptr[i] >= '0' && rest.ptr[i] <= '9')
        i++;
    pg_str name = pg_str_sub(rest, i, rest.len);
    return i > 0 && pg_str_starts(name, PG_STR(" onnxruntime::")) && pg_str_find(name, '(') != SIZE_MAX;
}

/* "path/file.cc:12 onnxruntime::function(arguments)", up to the last parenthesis. */
static pg_str cut_source_line(pg_str text)
{
    size_t slash = pg_str_find(text, '/'), close = pg_str_rfind(text, ')');
    for (size_t i = slash; slash != SIZE_MAX && close != SIZE_MAX && i + 4 <= close; i++)
        if (memcmp(text.ptr + i, ".cc:", 4) == 0 && is_source_line(pg_str_sub(text, i + 4, close)))
            return pg_str_sub(text, close + 1, text.len);
    return text;
}

static pg_str cut_node_line(pg_str text)
{
    return pg_str_starts(text, PG_STR("In Node, ")) ? behind_last(text, ", Error ") : text;
}

void pg_lint_prune(pg_str text, bool is_status, pg_buf *out)
{
    static const char *const words[] = {" : ",
                                        "This is an invalid model. ",
                                        "Error: ",
                                        "Failed to load model with error: ",
                                        "Exception caught: ",
                                        "Exception during loading: "};
    pg_buf work = {0};
    pg_buf_add_str(&work, text);
    for (size_t i = 0; is_status && i < work.len; i++)
        if (work.ptr[i] == '"')
            work.ptr[i] = '`';
    for (size_t i = 0; is_status && i < PG_COUNT(words); i++)
        remove_all(&work, words[i]);
    remove_all(&work, "\n");
    pg_str rest = cut_shape_error(pg_buf_str(&work));
    rest = cut_source_line(rest);
    rest = cut_node_line(rest);
    pg_buf_add_str(out, behind_last(rest, "Status Message: "));
    pg_buf_deinit(&work);
}
