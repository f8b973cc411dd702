#include "onnx/internal.h"

/* Most functions read a message twice: once to count the repeated fields, once to fill arrays of that size. A
 * field whose kind is not the expected one is skipped like an unknown one, as protobuf readers do; of a
 * repeated singular field the last one counts. */

static pg_status enter(pg_parser *parser)
{
    if (parser->depth++ < PG_WIRE_MAX_DEPTH)
        return NULL;
    return pg_err(PG_ERR_LIMIT, "messages nested more than %d deep", PG_WIRE_MAX_DEPTH);
}

static void leave(pg_parser *parser)
{
    parser->depth--;
}

/* The message in a field, for as long as the model lives. */
static const pg_wire_message *keep(pg_parser *parser, const pg_wire_type *type, const pg_wire_field *from)
{
    if (from->message != NULL)
        return from->message;
    pg_wire_message *message = PG_ARENA_NEW(parser->arena, pg_wire_message);
    *message = pg_wire_sub(from, type);
    return message;
}

/* How often each field occurs, by number. */
typedef struct field_counts {
    size_t of[PG_PB_MAX_FIELD + 1];
} field_counts;

static pg_status count_fields(const pg_parser *parser, const pg_wire_message *message, field_counts *out)
{
    *out = (field_counts){0};
    pg_wire_cursor cursor = pg_wire_open_message(parser->source, message);
    for (pg_wire_field field; pg_wire_next(&cursor, &field);)
        if (field.number <= PG_PB_MAX_FIELD)
            out->of[field.number]++;
    return cursor.status;
}

#define NEW_ARRAY(parser, type, count) \
    ((count) > 0 ? PG_ARENA_ARRAY((parser)->arena, type, (count)) : (type *)NULL)

/* The number list of field `number`: int64 for varints, float for PG_WIRE_FIXED32. */
static pg_status read_numbers(pg_parser *parser, const pg_wire_message *message, uint32_t number,
                              pg_wire_kind kind, void *out_list, uint64_t *out_count)
{
    size_t width = kind == PG_WIRE_FIXED32 ? 4 : 8;
    PG_TRY(pg_wire_count_numbers(parser->source, message, number, kind, out_count));
    void *list = *out_count > 0 ? pg_arena_alloc(parser->arena, *out_count, width) : NULL;
    memcpy(out_list, &list, sizeof list);
    return pg_wire_read_numbers(parser->source, message, number, kind, width, list, *out_count);
}

static pg_status parse_dim(pg_parser *parser, const pg_wire_field *from, pg_dim *out)
{
    const pg_wire_message message = pg_wire_sub(from, &pg_pb_dim);
    pg_wire_cursor cursor = pg_wire_open_message(parser->source, &message);
    for (pg_wire_field field; pg_wire_next(&cursor, &field);) {
        if (field.number == PG_PB_DIM_VALUE && field.kind == PG_WIRE_VARINT)
            *out = (pg_dim){.has_value = true, .value = (int64_t)field.value};
        else if (field.number == PG_PB_DIM_PARAM && field.kind == PG_WIRE_BYTES)
            *out = (pg_dim){.name = field.bytes};
    }
    return cursor.status;
}

static pg_status parse_shape(pg_parser *parser, const pg_wire_field *from, pg_type *out)
{
    const pg_wire_message message = pg_wire_sub(from, &pg_pb_shape);
    field_counts counts;
    PG_TRY(count_fields(parser, &message, &counts));
    pg_dim *dims = NEW_ARRAY(parser, pg_dim, counts.of[PG_PB_SHAPE_DIM]);
    out->has_shape = true;
    out->rank = 0;
    out->dims = dims;
    pg_wire_cursor cursor = pg_wire_open_message(parser->source, &message);
    for (pg_wire_field field; pg_wire_next(&cursor, &field);)
        if (field.number == PG_PB_SHAPE_DIM && field.kind == PG_WIRE_BYTES)
            PG_TRY(parse_dim(parser, &field, &dims[out->rank++]));
    return cursor.status;
}

static pg_status parse_type(pg_parser *parser, const pg_wire_field *from, pg_type *out);

static pg_status parse_tensor_type(pg_parser *parser, const pg_wire_field *from, pg_type *out)
{
    const pg_wire_message message = pg_wire_sub(from, &pg_pb_type_tensor);
    pg_wire_cursor cursor = pg_wire_open_message(parser->source, &message);
    for (pg_wire_field field; pg_wire_next(&cursor, &field);) {
        if (field.number == PG_PB_TYPE_TENSOR_ELEM && field.kind == PG_WIRE_VARINT)
            out->elem = pg_dtype_of_number(out->data_type = (int32_t)field.value);
        else if (field.number == PG_PB_TYPE_TENSOR_SHAPE && field.kind == PG_WIRE_BYTES)
            PG_TRY(parse_shape(parser, &field, out));
    }
    return cursor.status;
}

/* Sequences and optionals hold their element type in field 1, maps their key type there and the value type in
 * field 2. */
static pg_status parse_container_type(pg_parser *parser, const pg_wire_field *from, uint32_t inner_number,
                                      pg_type *out)
{
    const pg_wire_message message = pg_wire_sub(from, &pg_pb_type_elem);
    pg_wire_cursor cursor = pg_wire_open_message(parser->source, &message);
    for (pg_wire_field field; pg_wire_next(&cursor, &field);) {
        if (field.number == inner_number && field.kind == PG_WIRE_BYTES) {
            pg_type *inner = PG_ARENA_NEW(parser->arena, pg_type);
            PG_TRY(parse_type(parser, &field, inner));
            out->inner = inner;
        } else if (field.number == PG_PB_TYPE_MAP_KEY && field.kind == PG_WIRE_VARINT) {
            out->elem = pg_dtype_of_number(out->data_type = (int32_t)field.value);
        }
    }
    return cursor.status;
}

static pg_status parse_type_case(pg_parser *parser, const pg_wire_field *field, pg_type *out)
{
    switch (field->number) {
    case PG_PB_TYPE_TENSOR:
        *out = (pg_type){.kind = PG_TYPE_TENSOR};
        return parse_tensor_type(parser, field, out);
    case PG_PB_TYPE_SPARSE:
        *out = (pg_type){.kind = PG_TYPE_SPARSE_TENSOR};
        return parse_tensor_type(parser, field, out);
    case PG_PB_TYPE_SEQUENCE:
        *out = (pg_type){.kind = PG_TYPE_SEQUENCE};
        return parse_container_type(parser, field, PG_PB_TYPE_INNER, out);
    case PG_PB_TYPE_OPTIONAL:
        *out = (pg_type){.kind = PG_TYPE_OPTIONAL};
        return parse_container_type(parser, field, PG_PB_TYPE_INNER, out);
    case PG_PB_TYPE_MAP:
        *out = (pg_type){.kind = PG_TYPE_MAP};
        return parse_container_type(parser, field, PG_PB_TYPE_MAP_VALUE, out);
    case PG_PB_TYPE_OPAQUE:
        *out = (pg_type){.kind = PG_TYPE_OPAQUE};
        return NULL;
    default:
        return NULL;
    }
}

static pg_status parse_type(pg_parser *parser, const pg_wire_field *from, pg_type *out)
{
    const pg_wire_message message = pg_wire_sub(from, &pg_pb_type);
    PG_TRY(enter(parser));
    pg_wire_cursor cursor = pg_wire_open_message(parser->source, &message);
    for (pg_wire_field field; pg_wire_next(&cursor, &field);)
        if (field.kind == PG_WIRE_BYTES)
            PG_TRY(parse_type_case(parser, &field, out));
    leave(parser);
    return cursor.status;
}

pg_status pg_parse_value_info(pg_parser *parser, const pg_wire_field *from, pg_value_info *out)
{
    const pg_wire_message *message = keep(parser, &pg_pb_value_info, from);
    out->wire = message;
    pg_wire_cursor cursor = pg_wire_open_message(parser->source, message);
    for (pg_wire_field field; pg_wire_next(&cursor, &field);) {
        if (field.kind != PG_WIRE_BYTES)
            continue;
        if (field.number == PG_PB_VALUE_NAME)
            out->name = field.bytes;
        else if (field.number == PG_PB_VALUE_DOC)
            out->doc = field.bytes;
        else if (field.number == PG_PB_VALUE_TYPE)
            PG_TRY(parse_type(parser, &field, &out->type));
    }
    return cursor.status;
}

static pg_status parse_pair(const pg_parser *parser, const pg_wire_field *from, pg_pair *out)
{
    const pg_wire_message message = pg_wire_sub(from, &pg_pb_pair);
    pg_wire_cursor cursor = pg_wire_open_message(parser->source, &message);
    for (pg_wire_field field; pg_wire_next(&cursor, &field);) {
        if (field.kind != PG_WIRE_BYTES)
            continue;
        if (field.number == PG_PB_PAIR_KEY)
            out->key = field.bytes;
        else if (field.number == PG_PB_PAIR_VALUE)
            out->value = field.bytes;
    }
    return cursor.status;
}

static pg_status parse_external(const pg_parser *parser, const pg_wire_field *from, pg_weight *out)
{
    pg_pair pair = {0};
    PG_TRY(parse_pair(parser, from, &pair));
    uint64_t *number = pg_str_is(pair.key, "offset")   ? &out->offset
                       : pg_str_is(pair.key, "length") ? &out->length
                                                       : NULL;
    if (pg_str_is(pair.key, "location"))
        out->location = pair.value;
    else if (number != NULL && !pg_str_to_u64(pair.value, number))
        return pg_err(PG_ERR_INVALID,
                      "external data with '%" PG_STR_FMT "' as its %" PG_STR_FMT ", a number is needed",
                      PG_STR_ARG(pair.value), PG_STR_ARG(pair.key));
    return NULL;
}

static void parse_weight_number(const pg_wire_field *field, pg_weight *out)
{
    if (field->number == PG_PB_TENSOR_DATA_TYPE) {
        out->data_type = (int32_t)field->value;
        out->dtype = pg_dtype_of_number(out->data_type);
    } else if (field->number == PG_PB_TENSOR_LOCATION && field->value == 1) {
        out->storage = PG_STORED_EXTERNAL;
    }
}

pg_status pg_parse_weight(pg_parser *parser, const pg_wire_field *from, pg_weight *out)
{
    const pg_wire_message *message = keep(parser, &pg_pb_tensor, from);
    out->wire = message;
    out->storage = PG_STORED_TYPED;
    out->length = UINT64_MAX;
    bool has_raw = false;
    pg_wire_cursor cursor = pg_wire_open_message(parser->source, message);
    for (pg_wire_field field; pg_wire_next(&cursor, &field);) {
        if (field.kind == PG_WIRE_VARINT) {
            parse_weight_number(&field, out);
        } else if (field.kind == PG_WIRE_BYTES && field.number == PG_PB_TENSOR_RAW) {
            out->raw = field.bytes;
            has_raw = true;
        } else if (field.kind == PG_WIRE_BYTES && field.number == PG_PB_TENSOR_NAME) {
            out->name = field.bytes;
        } else if (field.kind == PG_WIRE_BYTES && field.number == PG_PB_TENSOR_DOC) {
            out->doc = field.bytes;
        } else if (field.kind == PG_WIRE_BYTES && field.number == PG_PB_TENSOR_EXTERNAL) {
            PG_TRY(parse_external(parser, &field, out));
        }
    }
    PG_TRY(cursor.status);
    if (has_raw && out->storage == PG_STORED_TYPED)
        out->storage = PG_STORED_RAW;
    uint64_t rank;
    PG_TRY(read_numbers(parser, message, PG_PB_TENSOR_DIMS, PG_WIRE_VARINT, &out->dims, &rank));
    if (rank > UINT32_MAX)
        return pg_err(PG_ERR_LIMIT, "tensor '%" PG_STR_FMT "' has %llu dimensions", PG_STR_ARG(out->name),
                      (unsigned long long)rank);
    out->rank = (uint32_t)rank;
    return NULL;
}

static pg_status parse_sparse(pg_parser *parser, const pg_wire_field *from, pg_sparse_weight *out)
{
    const pg_wire_message message = pg_wire_sub(from, &pg_pb_sparse_tensor);
    static const pg_wire_field empty;
    PG_TRY(pg_parse_weight(parser, &empty, &out->values));
    PG_TRY(pg_parse_weight(parser, &empty, &out->indices));
    pg_wire_cursor cursor = pg_wire_open_message(parser->source, &message);
    for (pg_wire_field field; pg_wire_next(&cursor, &field);) {
        if (field.kind != PG_WIRE_BYTES ||
            (field.number != PG_PB_SPARSE_VALUES && field.number != PG_PB_SPARSE_INDICES))
            continue;
        pg_weight *weight = field.number == PG_PB_SPARSE_VALUES ? &out->values : &out->indices;
        *weight = (pg_weight){0};
        PG_TRY(pg_parse_weight(parser, &field, weight));
    }
    PG_TRY(cursor.status);
    uint64_t rank;
    PG_TRY(read_numbers(parser, &message, PG_PB_SPARSE_DIMS, PG_WIRE_VARINT, &out->dims, &rank));
    out->rank = (uint32_t)PG_MIN(rank, (uint64_t)UINT32_MAX);
    return NULL;
}

/* Attributes */

/* Field that holds the value of each attribute type. */
static const uint8_t attr_field[] = {
    [PG_ATTR_FLOAT] = PG_PB_ATTR_FLOAT,
    [PG_ATTR_INT] = PG_PB_ATTR_INT,
    [PG_ATTR_STRING] = PG_PB_ATTR_STRING,
    [PG_ATTR_TENSOR] = PG_PB_ATTR_TENSOR,
    [PG_ATTR_GRAPH] = PG_PB_ATTR_GRAPH,
    [PG_ATTR_FLOATS] = PG_PB_ATTR_FLOATS,
    [PG_ATTR_INTS] = PG_PB_ATTR_INTS,
    [PG_ATTR_STRINGS] = PG_PB_ATTR_STRINGS,
    [PG_ATTR_TENSORS] = PG_PB_ATTR_TENSORS,
    [PG_ATTR_GRAPHS] = PG_PB_ATTR_GRAPHS,
    [PG_ATTR_SPARSE_TENSOR] = PG_PB_ATTR_SPARSE_TENSOR,
    [PG_ATTR_SPARSE_TENSORS] = PG_PB_ATTR_SPARSE_TENSORS,
    [PG_ATTR_TYPE] = PG_PB_ATTR_TYPE_PROTO,
    [PG_ATTR_TYPES] = PG_PB_ATTR_TYPE_PROTOS,
};

/* Parses every occurrence of an attribute's value field into one element of an array. */
typedef pg_status (*parse_element)(pg_parser *parser, const pg_wire_field *from, void *out);

static pg_status parse_elements(pg_parser *parser, const pg_wire_message *message, uint32_t number,
                                size_t size, parse_element parse, void **out, size_t *out_count)
{
    field_counts counts;
    PG_TRY(count_fields(parser, message, &counts));
    char *items = counts.of[number] > 0 ? pg_arena_alloc(parser->arena, counts.of[number], size) : NULL;
    pg_wire_cursor cursor = pg_wire_open_message(parser->source, message);
    *out = items;
    for (pg_wire_field field; pg_wire_next(&cursor, &field);)
        if (field.number == number && field.kind == PG_WIRE_BYTES)
            PG_TRY(parse(parser, &field, items + size * (*out_count)++));
    return cursor.status;
}

static pg_status string_element(pg_parser *parser, const pg_wire_field *from, void *out)
{
    *(pg_str *)out = from->bytes;
    return NULL;
}

static pg_status weight_element(pg_parser *parser, const pg_wire_field *from, void *out)
{
    return pg_parse_weight(parser, from, out);
}

static pg_status sparse_element(pg_parser *parser, const pg_wire_field *from, void *out)
{
    return parse_sparse(parser, from, out);
}

static pg_status type_element(pg_parser *parser, const pg_wire_field *from, void *out)
{
    return parse_type(parser, from, out);
}

static pg_status graph_element(pg_parser *parser, const pg_wire_field *from, void *out)
{
    pg_graph *graph = PG_ARENA_NEW(parser->arena, pg_graph);
    *(const pg_graph **)out = graph;
    return pg_parse_graph(parser, from, graph);
}

static pg_status parse_attr_scalar(const pg_parser *parser, const pg_wire_message *message, pg_attr *out)
{
    pg_wire_cursor cursor = pg_wire_open_message(parser->source, message);
    for (pg_wire_field field; pg_wire_next(&cursor, &field);) {
        if (field.number != attr_field[out->type])
            continue;
        if (out->type == PG_ATTR_FLOAT && field.kind == PG_WIRE_FIXED32)
            memcpy(&out->f, &field.value, sizeof out->f);
        else if (out->type == PG_ATTR_INT && field.kind == PG_WIRE_VARINT)
            out->i = (int64_t)field.value;
        else if (out->type == PG_ATTR_STRING && field.kind == PG_WIRE_BYTES)
            out->s = field.bytes;
    }
    return cursor.status;
}

static bool attr_is_single(pg_attr_type type)
{
    return type == PG_ATTR_TENSOR || type == PG_ATTR_GRAPH || type == PG_ATTR_SPARSE_TENSOR ||
           type == PG_ATTR_TYPE;
}

static pg_status parse_attr_messages(pg_parser *parser, const pg_wire_message *message, pg_attr *out)
{
    static const struct {
        size_t size;
        parse_element parse;
    } rows[] = {
        [PG_ATTR_STRINGS] = {sizeof(pg_str), string_element},
        [PG_ATTR_TENSOR] = {sizeof(pg_weight), weight_element},
        [PG_ATTR_TENSORS] = {sizeof(pg_weight), weight_element},
        [PG_ATTR_GRAPH] = {sizeof(pg_graph *), graph_element},
        [PG_ATTR_GRAPHS] = {sizeof(pg_graph *), graph_element},
        [PG_ATTR_SPARSE_TENSOR] = {sizeof(pg_sparse_weight), sparse_element},
        [PG_ATTR_SPARSE_TENSORS] = {sizeof(pg_sparse_weight), sparse_element},
        [PG_ATTR_TYPE] = {sizeof(pg_type), type_element},
        [PG_ATTR_TYPES] = {sizeof(pg_type), type_element},
    };
    void *items = NULL;
    PG_TRY(parse_elements(parser, message, attr_field[out->type], rows[out->type].size, rows[out->type].parse,
                          &items, &out->count));
    if (out->count > 1 && attr_is_single(out->type)) {
        items = (char *)items + rows[out->type].size * (out->count - 1);
        out->count = 1;
    }
    switch (out->type) {
    case PG_ATTR_STRINGS:
        out->strings = items;
        break;
    case PG_ATTR_TENSOR:
    case PG_ATTR_TENSORS:
        out->tensor = items;
        break;
    case PG_ATTR_GRAPH:
        out->graph = out->count > 0 ? *(const pg_graph **)items : NULL;
        break;
    case PG_ATTR_GRAPHS:
        out->graphs = items;
        break;
    case PG_ATTR_SPARSE_TENSOR:
    case PG_ATTR_SPARSE_TENSORS:
        out->sparse = items;
        break;
    default:
        out->types = items;
    }
    return NULL;
}

/* A value that must be there: a TENSOR attribute without a tensor would be a trap for every reader. A
 * reference to a function's attribute has none. */
static pg_status check_attr_value(const pg_attr *attr)
{
    if (!attr_is_single(attr->type) || attr->count > 0 || attr->ref.len > 0)
        return NULL;
    return pg_err(PG_ERR_INVALID, "attribute '%" PG_STR_FMT "' has no value of its type",
                  PG_STR_ARG(attr->name));
}

static pg_status parse_attr_value(pg_parser *parser, const pg_wire_message *message, pg_attr *out)
{
    uint64_t count = 0;
    switch (out->type) {
    case PG_ATTR_UNDEFINED:
        return NULL;
    case PG_ATTR_FLOAT:
    case PG_ATTR_INT:
    case PG_ATTR_STRING:
        return parse_attr_scalar(parser, message, out);
    case PG_ATTR_FLOATS:
        PG_TRY(read_numbers(parser, message, PG_PB_ATTR_FLOATS, PG_WIRE_FIXED32, &out->floats, &count));
        out->count = count;
        return NULL;
    case PG_ATTR_INTS:
        PG_TRY(read_numbers(parser, message, PG_PB_ATTR_INTS, PG_WIRE_VARINT, &out->ints, &count));
        out->count = count;
        return NULL;
    default:
        PG_TRY(parse_attr_messages(parser, message, out));
        return check_attr_value(out);
    }
}

/* Models of the first format version state no type; the value's field tells it. */
static pg_attr_type type_from_fields(const field_counts *counts)
{
    for (size_t type = 1; type < PG_COUNT(attr_field); type++)
        if (counts->of[attr_field[type]] > 0)
            return (pg_attr_type)type;
    return PG_ATTR_UNDEFINED;
}

static pg_status parse_attr(pg_parser *parser, const pg_wire_field *from, pg_attr *out)
{
    const pg_wire_message *message = keep(parser, &pg_pb_attr, from);
    out->wire = message;
    PG_TRY(enter(parser));
    field_counts counts = {0};
    uint64_t type = 0;
    pg_wire_cursor cursor = pg_wire_open_message(parser->source, message);
    for (pg_wire_field field; pg_wire_next(&cursor, &field);) {
        if (field.number <= PG_PB_MAX_FIELD)
            counts.of[field.number]++;
        if (field.kind == PG_WIRE_VARINT && field.number == PG_PB_ATTR_TYPE)
            type = field.value;
        else if (field.kind != PG_WIRE_BYTES)
            continue;
        else if (field.number == PG_PB_ATTR_NAME)
            out->name = field.bytes;
        else if (field.number == PG_PB_ATTR_REF)
            out->ref = field.bytes;
        else if (field.number == PG_PB_ATTR_DOC)
            out->doc = field.bytes;
    }
    PG_TRY(cursor.status);
    out->type = type > 0 && type < PG_COUNT(attr_field) ? (pg_attr_type)type : type_from_fields(&counts);
    PG_TRY(parse_attr_value(parser, message, out));
    leave(parser);
    return NULL;
}

/* Nodes, graphs, functions, models */

static pg_str domain_of(pg_str text)
{
    return pg_str_is(text, "ai.onnx") ? PG_STR_EMPTY : text;
}

static pg_status parse_node(pg_parser *parser, const pg_wire_field *from, pg_node *out)
{
    const pg_wire_message *message = keep(parser, &pg_pb_node, from);
    out->wire = message;
    PG_TRY(enter(parser));
    field_counts counts;
    PG_TRY(count_fields(parser, message, &counts));
    pg_str *inputs = NEW_ARRAY(parser, pg_str, counts.of[PG_PB_NODE_INPUT]);
    pg_str *outputs = NEW_ARRAY(parser, pg_str, counts.of[PG_PB_NODE_OUTPUT]);
    pg_attr *attrs = NEW_ARRAY(parser, pg_attr, counts.of[PG_PB_NODE_ATTR]);
    out->inputs = inputs;
    out->outputs = outputs;
    out->attrs = attrs;
    pg_wire_cursor cursor = pg_wire_open_message(parser->source, message);
    for (pg_wire_field field; pg_wire_next(&cursor, &field);) {
        if (field.kind != PG_WIRE_BYTES)
            continue;
        switch (field.number) {
        case PG_PB_NODE_INPUT:
            inputs[out->n_inputs++] = field.bytes;
            break;
        case PG_PB_NODE_OUTPUT:
            outputs[out->n_outputs++] = field.bytes;
            break;
        case PG_PB_NODE_NAME:
            out->name = field.bytes;
            break;
        case PG_PB_NODE_OP_TYPE:
            out->op_type = field.bytes;
            break;
        case PG_PB_NODE_ATTR:
            PG_TRY(parse_attr(parser, &field, &attrs[out->n_attrs++]));
            break;
        case PG_PB_NODE_DOC:
            out->doc = field.bytes;
            break;
        case PG_PB_NODE_DOMAIN:
            out->domain = domain_of(field.bytes);
            break;
        case PG_PB_NODE_OVERLOAD:
            out->overload = field.bytes;
            break;
        }
    }
    leave(parser);
    return cursor.status;
}

static pg_status parse_graph_field(pg_parser *parser, const pg_wire_field *field, pg_graph *out)
{
    switch (field->number) {
    case PG_PB_GRAPH_NODE: {
        pg_node *node = (pg_node *)&out->nodes[out->n_nodes];
        node->index = out->n_nodes++;
        return parse_node(parser, field, node);
    }
    case PG_PB_GRAPH_NAME:
        out->name = field->bytes;
        return NULL;
    case PG_PB_GRAPH_DOC:
        out->doc = field->bytes;
        return NULL;
    case PG_PB_GRAPH_WEIGHT:
        return pg_parse_weight(parser, field, (pg_weight *)&out->weights[out->n_weights++]);
    case PG_PB_GRAPH_SPARSE_WEIGHT:
        return parse_sparse(parser, field, (pg_sparse_weight *)&out->sparse_weights[out->n_sparse_weights++]);
    case PG_PB_GRAPH_INPUT:
        return pg_parse_value_info(parser, field, (pg_value_info *)&out->inputs[out->n_inputs++]);
    case PG_PB_GRAPH_OUTPUT:
        return pg_parse_value_info(parser, field, (pg_value_info *)&out->outputs[out->n_outputs++]);
    case PG_PB_GRAPH_VALUE_INFO:
        return pg_parse_value_info(parser, field, (pg_value_info *)&out->value_infos[out->n_value_infos++]);
    default:
        return NULL;
    }
}

pg_status pg_parse_graph(pg_parser *parser, const pg_wire_field *from, pg_graph *out)
{
    const pg_wire_message *message = keep(parser, &pg_pb_graph, from);
    out->wire = message;
    PG_TRY(enter(parser));
    field_counts counts;
    PG_TRY(count_fields(parser, message, &counts));
    out->nodes = NEW_ARRAY(parser, pg_node, counts.of[PG_PB_GRAPH_NODE]);
    out->weights = NEW_ARRAY(parser, pg_weight, counts.of[PG_PB_GRAPH_WEIGHT]);
    out->sparse_weights = NEW_ARRAY(parser, pg_sparse_weight, counts.of[PG_PB_GRAPH_SPARSE_WEIGHT]);
    out->inputs = NEW_ARRAY(parser, pg_value_info, counts.of[PG_PB_GRAPH_INPUT]);
    out->outputs = NEW_ARRAY(parser, pg_value_info, counts.of[PG_PB_GRAPH_OUTPUT]);
    out->value_infos = NEW_ARRAY(parser, pg_value_info, counts.of[PG_PB_GRAPH_VALUE_INFO]);
    pg_wire_cursor cursor = pg_wire_open_message(parser->source, message);
    for (pg_wire_field field; pg_wire_next(&cursor, &field);)
        if (field.kind == PG_WIRE_BYTES)
            PG_TRY(parse_graph_field(parser, &field, out));
    leave(parser);
    return cursor.status;
}

static pg_status parse_opset(const pg_parser *parser, const pg_wire_field *from, pg_opset *out)
{
    const pg_wire_message message = pg_wire_sub(from, &pg_pb_opset);
    pg_wire_cursor cursor = pg_wire_open_message(parser->source, &message);
    for (pg_wire_field field; pg_wire_next(&cursor, &field);) {
        if (field.number == PG_PB_OPSET_DOMAIN && field.kind == PG_WIRE_BYTES)
            out->domain = domain_of(field.bytes);
        else if (field.number == PG_PB_OPSET_VERSION && field.kind == PG_WIRE_VARINT)
            out->version = (int64_t)field.value;
    }
    return cursor.status;
}

static pg_status parse_function_field(pg_parser *parser, const pg_wire_field *field, pg_function *out)
{
    switch (field->number) {
    case PG_PB_FUNCTION_NAME:
        out->name = field->bytes;
        return NULL;
    case PG_PB_FUNCTION_DOC:
        out->doc = field->bytes;
        return NULL;
    case PG_PB_FUNCTION_DOMAIN:
        out->domain = domain_of(field->bytes);
        return NULL;
    case PG_PB_FUNCTION_OVERLOAD:
        out->overload = field->bytes;
        return NULL;
    case PG_PB_FUNCTION_INPUT:
        ((pg_str *)out->inputs)[out->n_inputs++] = field->bytes;
        return NULL;
    case PG_PB_FUNCTION_OUTPUT:
        ((pg_str *)out->outputs)[out->n_outputs++] = field->bytes;
        return NULL;
    case PG_PB_FUNCTION_ATTR:
        ((pg_str *)out->attr_names)[out->n_attr_names++] = field->bytes;
        return NULL;
    case PG_PB_FUNCTION_ATTR_DEFAULT:
        return parse_attr(parser, field, (pg_attr *)&out->attr_defaults[out->n_attr_defaults++]);
    case PG_PB_FUNCTION_NODE: {
        pg_node *node = (pg_node *)&out->nodes[out->n_nodes];
        node->index = out->n_nodes++;
        return parse_node(parser, field, node);
    }
    case PG_PB_FUNCTION_OPSET:
        return parse_opset(parser, field, (pg_opset *)&out->opsets[out->n_opsets++]);
    case PG_PB_FUNCTION_VALUE_INFO:
        return pg_parse_value_info(parser, field, (pg_value_info *)&out->value_infos[out->n_value_infos++]);
    default:
        return NULL;
    }
}

static pg_status parse_function(pg_parser *parser, const pg_wire_field *from, pg_function *out)
{
    const pg_wire_message *message = keep(parser, &pg_pb_function, from);
    out->wire = message;
    PG_TRY(enter(parser));
    field_counts counts;
    PG_TRY(count_fields(parser, message, &counts));
    out->inputs = NEW_ARRAY(parser, pg_str, counts.of[PG_PB_FUNCTION_INPUT]);
    out->outputs = NEW_ARRAY(parser, pg_str, counts.of[PG_PB_FUNCTION_OUTPUT]);
    out->attr_names = NEW_ARRAY(parser, pg_str, counts.of[PG_PB_FUNCTION_ATTR]);
    out->attr_defaults = NEW_ARRAY(parser, pg_attr, counts.of[PG_PB_FUNCTION_ATTR_DEFAULT]);
    out->nodes = NEW_ARRAY(parser, pg_node, counts.of[PG_PB_FUNCTION_NODE]);
    out->opsets = NEW_ARRAY(parser, pg_opset, counts.of[PG_PB_FUNCTION_OPSET]);
    out->value_infos = NEW_ARRAY(parser, pg_value_info, counts.of[PG_PB_FUNCTION_VALUE_INFO]);
    pg_wire_cursor cursor = pg_wire_open_message(parser->source, message);
    for (pg_wire_field field; pg_wire_next(&cursor, &field);)
        if (field.kind == PG_WIRE_BYTES)
            PG_TRY(parse_function_field(parser, &field, out));
    leave(parser);
    return cursor.status;
}

static pg_status parse_model_bytes(pg_parser *parser, const pg_wire_field *field, pg_model *out)
{
    switch (field->number) {
    case PG_PB_MODEL_PRODUCER_NAME:
        out->producer_name = field->bytes;
        return NULL;
    case PG_PB_MODEL_PRODUCER_VERSION:
        out->producer_version = field->bytes;
        return NULL;
    case PG_PB_MODEL_DOMAIN:
        out->domain = field->bytes;
        return NULL;
    case PG_PB_MODEL_DOC:
        out->doc = field->bytes;
        return NULL;
    case PG_PB_MODEL_GRAPH: {
        if (out->graph != NULL)
            return pg_err(PG_ERR_UNSUPPORTED, "a model with its graph in several pieces is not supported");
        pg_graph *graph = PG_ARENA_NEW(parser->arena, pg_graph);
        out->graph = graph;
        return pg_parse_graph(parser, field, graph);
    }
    case PG_PB_MODEL_OPSET:
        return parse_opset(parser, field, (pg_opset *)&out->opsets[out->n_opsets++]);
    case PG_PB_MODEL_METADATA:
        return parse_pair(parser, field, (pg_pair *)&out->metadata[out->n_metadata++]);
    case PG_PB_MODEL_FUNCTION:
        return parse_function(parser, field, (pg_function *)&out->functions[out->n_functions++]);
    default:
        return NULL;
    }
}

pg_status pg_parse_model(pg_parser *parser, const pg_wire_message *message, pg_model *out)
{
    field_counts counts;
    PG_TRY(count_fields(parser, message, &counts));
    out->opsets = NEW_ARRAY(parser, pg_opset, counts.of[PG_PB_MODEL_OPSET]);
    out->metadata = NEW_ARRAY(parser, pg_pair, counts.of[PG_PB_MODEL_METADATA]);
    out->functions = NEW_ARRAY(parser, pg_function, counts.of[PG_PB_MODEL_FUNCTION]);
    pg_wire_cursor cursor = pg_wire_open_message(parser->source, message);
    for (pg_wire_field field; pg_wire_next(&cursor, &field);) {
        if (field.kind == PG_WIRE_BYTES)
            PG_TRY(parse_model_bytes(parser, &field, out));
        else if (field.kind == PG_WIRE_VARINT && field.number == PG_PB_MODEL_IR_VERSION)
            out->ir_version = (int64_t)field.value;
        else if (field.kind == PG_WIRE_VARINT && field.number == PG_PB_MODEL_MODEL_VERSION)
            out->model_version = (int64_t)field.value;
    }
    return cursor.status;
}
