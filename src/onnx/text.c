#include "onnx/text.h"

#include "base/alloc.h"
#include "log/log.h"
#include "onnx/internal.h"
#include "tensor/number_text.h"
#include "tensor/text.h"

typedef struct printer {
    const pg_model *model;
    pg_model_text_options options;
    pg_arena arena;
} printer;

/* What is known of a tensor: its declaration or its weight. */
typedef struct tensor_note {
    const pg_value_info *info;
    const pg_weight *weight;
} tensor_note;

/* The tensors that a graph can name. Maps hold pg_value_info (inputs, outputs) or tensor_note. */
typedef struct scope {
    const struct scope *parent;
    pg_map tensors, weights, inputs, outputs;
} scope;

/* Lines */

/* Cuts the next line off, at any of the ends of line that Python's str.splitlines knows. */
static bool next_line(pg_str *rest, pg_str *out)
{
    if (rest->len == 0)
        return false;
    for (size_t i = 0; i < rest->len; i++) {
        const uint8_t *at = (const uint8_t *)rest->ptr + i;
        size_t left = rest->len - i, end = 0;
        if (at[0] == '\r' && left > 1 && at[1] == '\n')
            end = 2;
        else if ((at[0] >= '\n' && at[0] <= '\r') || (at[0] >= 0x1c && at[0] <= 0x1e))
            end = 1;
        else if (at[0] == 0xc2 && left > 1 && at[1] == 0x85)
            end = 2;
        else if (at[0] == 0xe2 && left > 2 && at[1] == 0x80 && (at[2] == 0xa8 || at[2] == 0xa9))
            end = 3;
        if (end > 0) {
            *out = pg_str_sub(*rest, 0, i);
            *rest = pg_str_sub(*rest, i + end, rest->len);
            return true;
        }
    }
    *out = *rest;
    *rest = PG_STR_EMPTY;
    return true;
}

static void add_indented(pg_buf *out, pg_str block, size_t levels)
{
    pg_str line;
    pg_buf_pad(out, ' ', 4 * levels);
    for (bool first = true; next_line(&block, &line); first = false) {
        if (!first) {
            pg_buf_putc(out, '\n');
            pg_buf_pad(out, ' ', 4 * levels);
        }
        pg_buf_add_str(out, line);
    }
}

/* Types and shapes */

const char *pg_onnx_type_name(int32_t data_type)
{
    static const char *const names[PG_DTYPE_COUNT] = {
        [PG_F32] = "float32",
        [PG_U8] = "uint8",
        [PG_I8] = "int8",
        [PG_U16] = "uint16",
        [PG_I16] = "int16",
        [PG_I32] = "int32",
        [PG_I64] = "int64",
        [PG_STRING] = "string",
        [PG_BOOL] = "bool",
        [PG_F16] = "float16",
        [PG_F64] = "float64",
        [PG_U32] = "uint32",
        [PG_U64] = "uint64",
        [PG_BF16] = "bfloat16",
        [PG_F8E4M3FN] = "float8e4m3fn",
        [PG_F8E4M3FNUZ] = "float8e4m3fnuz",
        [PG_F8E5M2] = "float8e5m2",
        [PG_F8E5M2FNUZ] = "float8e5m2fnuz",
        [PG_I4] = "int4",
    };
    return data_type >= 0 && data_type < PG_DTYPE_COUNT ? names[data_type] : NULL;
}

static int32_t type_number(tensor_note note)
{
    if (note.weight != NULL)
        return note.weight->data_type;
    /* Only tensors have an element type here; other kinds of values print as number 0. */
    return note.info->type.kind == PG_TYPE_TENSOR ? note.info->type.data_type : 0;
}

static void warn_of_type(int32_t number)
{
    if (pg_onnx_type_name(number) == NULL)
        PG_LOG_ONCE(
            PG_WARNING,
            "Could not convert: %d to a corresponding Polygraphy data type. Leaving this type in its source "
            "format.",
            number);
}

static void add_type(pg_buf *out, int32_t number)
{
    const char *name = pg_onnx_type_name(number);
    if (name != NULL)
        pg_buf_puts(out, name);
    else
        pg_buf_printf(out, "%d", number);
}

static void add_dim(pg_buf *out, const pg_dim *dim)
{
    if (dim->has_value)
        pg_buf_printf(out, "%lld", (long long)dim->value);
    else if (dim->name.ptr != NULL)
        pg_text_quote(out, dim->name);
    else
        pg_buf_puts(out, "-1");
}

void pg_dims_text(const pg_type *type, bool quoted, const char *unknown, pg_buf *out)
{
    for (uint32_t i = 0; i < type->rank; i++) {
        const pg_dim *dim = &type->dims[i];
        pg_buf_puts(out, i > 0 ? ", " : "");
        if (!dim->has_value && dim->name.len == 0)
            pg_buf_puts(out, unknown);
        else if (!dim->has_value && !quoted)
            pg_buf_add_str(out, dim->name);
        else
            add_dim(out, dim);
    }
}

/* The elements of a shape between `open` and `close`; Python's tuple of one has a comma. */
static void add_shape(pg_buf *out, tensor_note note, bool tuple)
{
    const pg_type *type = note.info != NULL ? &note.info->type : NULL;
    uint32_t rank = note.weight != NULL ? note.weight->rank : type->kind == PG_TYPE_TENSOR ? type->rank : 0;
    pg_buf_putc(out, tuple ? '(' : '[');
    for (uint32_t i = 0; i < rank; i++) {
        if (i > 0)
            pg_buf_puts(out, ", ");
        if (note.weight != NULL)
            pg_buf_printf(out, "%lld", (long long)note.weight->dims[i]);
        else
            add_dim(out, &type->dims[i]);
    }
    if (tuple && rank == 1)
        pg_buf_putc(out, ',');
    pg_buf_putc(out, tuple ? ')' : ']');
}

/* "name [dtype=float32, shape=(1, 'N')]", the bare name of a tensor of which nothing is known. */
static void add_tensor(pg_buf *out, pg_str name, const char *prefix, const tensor_note *note)
{
    pg_buf text = {0};
    pg_buf_printf(&text, "%s%" PG_STR_FMT " ", prefix, PG_STR_ARG(name));
    if (note != NULL) {
        pg_buf_puts(&text, "[dtype=");
        add_type(&text, type_number(*note));
        pg_buf_puts(&text, ", shape=");
        add_shape(&text, *note, true);
        pg_buf_putc(&text, ']');
    }
    pg_buf_add_str(out, pg_str_trim(pg_buf_str(&text)));
    pg_buf_deinit(&text);
}

/* Scopes */

static void note_value(printer *printer_, pg_map *map, const pg_value_info *info, const pg_weight *weight)
{
    tensor_note *note = PG_ARENA_NEW(&printer_->arena, tensor_note);
    *note = (tensor_note){info, weight};
    warn_of_type(type_number(*note));
    pg_map_put(map, info != NULL ? info->name : weight->name, note);
}

static void join(pg_map *into, const pg_map *from)
{
    for (size_t i = 0; i < from->len; i++)
        pg_map_put(into, from->entries[i].key, from->entries[i].value);
}

static void open_scope(printer *printer_, const pg_graph *graph, const scope *parent, scope *out)
{
    pg_map weight_names = {0};
    *out = (scope){.parent = parent};
    for (size_t i = 0; i < graph->n_weights; i++)
        pg_map_put(&weight_names, graph->weights[i].name, NULL);
    for (size_t i = 0; i < graph->n_inputs; i++)
        if (!pg_map_has(&weight_names, graph->inputs[i].name))
            note_value(printer_, &out->inputs, &graph->inputs[i], NULL);
    for (size_t i = 0; i < graph->n_outputs; i++)
        note_value(printer_, &out->outputs, &graph->outputs[i], NULL);
    for (size_t i = 0; i < graph->n_weights; i++)
        note_value(printer_, &out->weights, NULL, &graph->weights[i]);
    for (size_t i = 0; i < graph->n_value_infos; i++)
        note_value(printer_, &out->tensors, &graph->value_infos[i], NULL);
    join(&out->tensors, &out->weights);
    join(&out->tensors, &out->inputs);
    join(&out->tensors, &out->outputs);
    pg_map_deinit(&weight_names);
}

static void close_scope(scope *scope_)
{
    pg_map_deinit(&scope_->tensors);
    pg_map_deinit(&scope_->weights);
    pg_map_deinit(&scope_->inputs);
    pg_map_deinit(&scope_->outputs);
}

static const tensor_note *find_note(const scope *scope_, pg_str name)
{
    for (; scope_ != NULL; scope_ = scope_->parent) {
        const tensor_note *note = pg_map_find(&scope_->tensors, name);
        if (note != NULL)
            return note;
    }
    return NULL;
}

/* Values */

static void add_values(printer *printer_, pg_buf *out, const pg_weight *weight, size_t levels)
{
    pg_tensor tensor;
    pg_buf text = {0};
    pg_status status = pg_weight_load(printer_->model, weight, &tensor);
    if (status != NULL) {
        PG_LOG_ONCE(PG_ERROR, "Failed to load weights.\nNote: Error was: %s", pg_status_message(status));
        pg_buf_puts(&text, "<error: failed to load weights>");
        pg_status_drop(status);
    } else {
        pg_tensor_text(&text, &tensor, NULL);
        pg_tensor_deinit(&tensor);
    }
    add_indented(out, pg_buf_str(&text), levels);
    pg_buf_deinit(&text);
}

static void add_map(pg_buf *out, const pg_map *map)
{
    pg_buf_putc(out, '{');
    for (size_t i = 0; i < map->len; i++) {
        if (i > 0)
            pg_buf_puts(out, ",\n ");
        add_tensor(out, map->entries[i].key, "", map->entries[i].value);
    }
    pg_buf_putc(out, '}');
}

static void add_weights(printer *printer_, const pg_graph *graph, const scope *scope_, pg_buf *out)
{
    pg_buf_printf(out, "---- %zu Initializer(s) ----\n", graph->n_weights);
    if (!printer_->options.weights) {
        if (printer_->options.layers) {
            add_map(out, &scope_->weights);
            pg_buf_putc(out, '\n');
        }
        pg_buf_putc(out, '\n');
        return;
    }
    for (size_t i = 0; i < graph->n_weights; i++) {
        const pg_weight *weight = &graph->weights[i];
        pg_buf_printf(out, "Initializer | %" PG_STR_FMT " [dtype=", PG_STR_ARG(weight->name));
        add_type(out, weight->data_type);
        pg_buf_puts(out, ", shape=");
        add_shape(out, (tensor_note){.weight = weight}, false);
        pg_buf_puts(out, "] | Values:\n");
        add_values(printer_, out, weight, 1);
        pg_buf_puts(out, "\n\n");
    }
    if (graph->n_weights == 0)
        pg_buf_puts(out, "{}\n\n");
}

/* Attributes */

static void add_graph(printer *printer_, const pg_graph *graph, const scope *parent, size_t level,
                      pg_buf *out);

/* Type numbers of attributes that state one, by the standard's own names. */
static void add_type_attr(pg_buf *out, int64_t number)
{
    pg_dtype dtype = number > 0 && number < PG_DTYPE_COUNT ? (pg_dtype)number : PG_UNDEFINED;
    const char *name = dtype == PG_F32   ? "float32"
                       : dtype == PG_F64 ? "float64"
                       : number == 27    ? "float6e2m3"
                       : number == 28    ? "float6e3m2"
                                         : pg_dtype_get(dtype)->onnx_name;
    if (dtype == PG_UNDEFINED && number != 0 && number != 27 && number != 28) {
        pg_buf_printf(out, "%lld", (long long)number);
        return;
    }
    for (; *name != '\0'; name++)
        pg_buf_putc(out, (char)(*name >= 'A' && *name <= 'Z' ? *name - 'A' + 'a' : *name));
}

static bool states_a_type(pg_str name)
{
    return pg_str_is(name, "to") || pg_str_is(name, "dtype") || pg_str_is(name, "target_type");
}

static void add_list(pg_buf *out, const pg_attr *attr)
{
    pg_buf_putc(out, '[');
    for (size_t i = 0; i < attr->count; i++) {
        if (i > 0)
            pg_buf_puts(out, ", ");
        if (attr->type == PG_ATTR_FLOATS)
            pg_text_repr(out, (double)attr->floats[i]);
        else if (attr->type == PG_ATTR_INTS)
            pg_buf_printf(out, "%lld", (long long)attr->ints[i]);
        else
            pg_text_quote(out, attr->strings[i]);
    }
    pg_buf_putc(out, ']');
}

static void add_tensor_attr(printer *printer_, const pg_weight *weight, pg_buf *out)
{
    pg_buf_puts(out, "Tensor: [dtype=");
    add_type(out, weight->data_type);
    pg_buf_puts(out, ", shape=");
    add_shape(out, (tensor_note){.weight = weight}, false);
    pg_buf_putc(out, ']');
    if (printer_->options.weights) {
        pg_buf_puts(out, " | Values:\n");
        add_values(printer_, out, weight, 1);
    }
}

/* False, with a warning, for kinds of attributes that have no text. */
static bool is_printable(const pg_attr *attr)
{
    static const char *const names[] = {[PG_ATTR_UNDEFINED] = "UNDEFINED",
                                        [PG_ATTR_TENSORS] = "TENSORS",
                                        [PG_ATTR_GRAPHS] = "GRAPHS",
                                        [PG_ATTR_SPARSE_TENSOR] = "SPARSE_TENSOR",
                                        [PG_ATTR_SPARSE_TENSORS] = "SPARSE_TENSORS",
                                        [PG_ATTR_TYPE] = "TYPE_PROTO",
                                        [PG_ATTR_TYPES] = "TYPE_PROTOS"};
    if (names[attr->type] == NULL)
        return true;
    PG_LOG_WARNING("Attribute of type %s is currently unsupported. Skipping attribute.", names[attr->type]);
    return false;
}

static void add_attr_value(printer *printer_, const pg_attr *attr, const scope *scope_, size_t level,
                           pg_buf *out)
{
    switch (attr->type) {
    case PG_ATTR_FLOAT:
        pg_text_repr(out, (double)attr->f);
        break;
    case PG_ATTR_INT:
        if (states_a_type(attr->name))
            add_type_attr(out, attr->i);
        else
            pg_buf_printf(out, "%lld", (long long)attr->i);
        break;
    case PG_ATTR_STRING:
        pg_buf_add_str(out, attr->s);
        break;
    case PG_ATTR_TENSOR:
        if (attr->tensor != NULL)
            add_tensor_attr(printer_, attr->tensor, out);
        break;
    case PG_ATTR_GRAPH:
        pg_buf_putc(out, '\n');
        if (attr->graph != NULL)
            add_graph(printer_, attr->graph, scope_, level + 2, out);
        break;
    default:
        add_list(out, attr);
    }
}

void pg_attr_text(const pg_attr *attr, pg_buf *out)
{
    printer plain = {0};
    switch (attr->type) {
    case PG_ATTR_STRING:
        pg_text_quote(out, attr->s);
        break;
    case PG_ATTR_FLOAT:
    case PG_ATTR_INT:
    case PG_ATTR_FLOATS:
    case PG_ATTR_INTS:
    case PG_ATTR_STRINGS:
    case PG_ATTR_TENSOR:
        add_attr_value(&plain, attr, NULL, 0, out);
        break;
    case PG_ATTR_GRAPH:
        pg_buf_printf(out, "graph of %zu nodes", attr->graph != NULL ? attr->graph->n_nodes : (size_t)0);
        break;
    default:
        pg_buf_printf(out, "%zu values", attr->count);
    }
}

static void add_attrs(printer *printer_, const pg_node *node, const scope *scope_, size_t level, pg_buf *out)
{
    pg_map attrs = {0};
    for (size_t i = 0; i < node->n_attrs; i++)
        if (is_printable(&node->attrs[i]))
            pg_map_put(&attrs, node->attrs[i].name, (void *)&node->attrs[i]);
    pg_buf text = {0};
    pg_buf hidden = {0}; /* subgraphs are walked for their warnings even when attributes are not shown */
    bool show = printer_->options.layers && printer_->options.attrs;
    if (show && attrs.len > 0)
        pg_buf_puts(out, "    ---- Attributes ----\n");
    for (size_t i = 0; i < attrs.len; i++) {
        const pg_attr *attr = attrs.entries[i].value;
        if (!show) {
            if (attr->type == PG_ATTR_GRAPH)
                add_attr_value(printer_, attr, scope_, level, &hidden);
            continue;
        }
        pg_buf_clear(&text);
        pg_buf_printf(&text, "%" PG_STR_FMT "%s%" PG_STR_FMT " = ", PG_STR_ARG(node->name),
                      node->name.len > 0 ? "." : "", PG_STR_ARG(attr->name));
        add_attr_value(printer_, attr, scope_, level, &text);
        add_indented(out, pg_buf_str(&text), 1);
        pg_buf_putc(out, '\n');
    }
    pg_buf_deinit(&hidden);
    pg_buf_deinit(&text);
    pg_map_deinit(&attrs);
}

/* Nodes and graphs */

static void add_names(pg_buf *out, const pg_str *names, size_t count, const scope *scope_)
{
    pg_buf_putc(out, '{');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            pg_buf_puts(out, ",\n ");
        bool weight = pg_map_has(&scope_->weights, names[i]);
        add_tensor(out, names[i], weight ? "Initializer | " : "", find_note(scope_, names[i]));
    }
    pg_buf_putc(out, '}');
}

static void add_node_head(pg_buf *out, const pg_node *node, size_t index, const scope *scope_)
{
    bool both = node->n_inputs > 0 && node->n_outputs > 0;
    pg_buf names = {0}, block = {0};
    pg_buf_printf(out, "Node %-4zu | %" PG_STR_FMT " [Op: %" PG_STR_FMT "]\n", index, PG_STR_ARG(node->name),
                  PG_STR_ARG(node->op_type));
    add_names(&names, node->inputs, node->n_inputs, scope_);
    add_indented(out, pg_buf_str(&names), 1);
    if (both)
        pg_buf_putc(out, '\n');
    pg_buf_clear(&names);
    add_names(&names, node->outputs, node->n_outputs, scope_);
    add_indented(&block, pg_buf_str(&names), both);
    pg_buf_clear(&names);
    pg_buf_puts(&names, " -> ");
    pg_buf_add_str(&names, pg_str_trim(pg_buf_str(&block)));
    add_indented(out, pg_buf_str(&names), both);
    pg_buf_putc(out, '\n');
    pg_buf_deinit(&names);
    pg_buf_deinit(&block);
}

static void add_nodes(printer *printer_, const pg_graph *graph, const scope *scope_, size_t level,
                      pg_buf *out)
{
    pg_buf_printf(out, "---- %zu Node(s) ----\n", graph->n_nodes);
    for (size_t i = 0; i < graph->n_nodes; i++) {
        if (printer_->options.layers)
            add_node_head(out, &graph->nodes[i], i, scope_);
        add_attrs(printer_, &graph->nodes[i], scope_, level, out);
        if (printer_->options.layers)
            pg_buf_putc(out, '\n');
    }
}

/* The sections of a graph, `level` steps to the right, without a line feed at the end. */
static void add_graph(printer *printer_, const pg_graph *graph, const scope *parent, size_t level,
                      pg_buf *out)
{
    const char *kind = parent != NULL ? "Subgraph" : "Graph";
    scope scope_;
    pg_buf text = {0};
    open_scope(printer_, graph, parent, &scope_);
    if (printer_->options.attrs && graph->doc.len > 0)
        pg_buf_printf(&text, "---- Docstring ----\n%" PG_STR_FMT "\n\n", PG_STR_ARG(graph->doc));
    pg_buf_printf(&text, "---- %zu %s Input(s) ----\n", scope_.inputs.len, kind);
    add_map(&text, &scope_.inputs);
    pg_buf_printf(&text, "\n\n---- %zu %s Output(s) ----\n", scope_.outputs.len, kind);
    add_map(&text, &scope_.outputs);
    pg_buf_puts(&text, "\n\n");
    add_weights(printer_, graph, &scope_, &text);
    add_nodes(printer_, graph, &scope_, level, &text);
    close_scope(&scope_);
    add_indented(out, pg_buf_str(&text), level);
    pg_buf_deinit(&text);
}

/* Opsets as the file spells them: the struct has "" for "ai.onnx". */
static void add_title(const pg_model *model, pg_buf *out)
{
    pg_map others = {0};
    int64_t opset = -1;
    size_t i = 0;
    pg_wire_source source = {0};
    pg_wire_cursor cursor = pg_wire_open_message(source, model->wire);
    for (pg_wire_field field; pg_wire_next(&cursor, &field);) {
        if (field.number != PG_PB_MODEL_OPSET || field.kind != PG_WIRE_BYTES)
            continue;
        const pg_wire_message message = pg_wire_sub(&field, &pg_pb_opset);
        pg_wire_cursor inner = pg_wire_open_message(source, &message);
        pg_str domain = PG_STR_EMPTY;
        for (pg_wire_field part; pg_wire_next(&inner, &part);)
            if (part.number == PG_PB_OPSET_DOMAIN && part.kind == PG_WIRE_BYTES)
                domain = part.bytes;
        const pg_opset *parsed = &model->opsets[i++];
        if (domain.len == 0)
            opset = parsed->version;
        else
            pg_map_put(&others, domain, (void *)parsed);
        pg_status_drop(inner.status);
    }
    pg_status_drop(cursor.status);
    pg_buf_printf(out, "Name: %" PG_STR_FMT " | ONNX Opset: ", PG_STR_ARG(model->graph->name));
    if (opset >= 0)
        pg_buf_printf(out, "%lld", (long long)opset);
    else
        pg_buf_puts(out, "Unknown");
    for (size_t j = 0; j < others.len; j++) {
        pg_buf_puts(out, j == 0 ? " | Other Opsets: {" : ", ");
        pg_text_quote(out, others.entries[j].key);
        pg_buf_printf(out, ": %lld", (long long)((const pg_opset *)others.entries[j].value)->version);
    }
    pg_buf_puts(out, others.len > 0 ? "}\n\n" : "\n\n");
    pg_map_deinit(&others);
}

void pg_model_text(const pg_model *model, const pg_model_text_options *options, pg_buf *out)
{
    printer state = {.model = model, .options = *options};
    pg_buf text = {0};
    add_title(model, &text);
    add_graph(&state, model->graph, NULL, 0, &text);
    pg_buf_add_str(out, pg_str_trim(pg_buf_str(&text)));
    pg_buf_deinit(&text);
    pg_arena_deinit(&state.arena);
}
