/* Values without content. The C interface cannot make an empty sequence or an absent optional, but a model of
 * one node can: it is written here, run once and forgotten. */
#include "onnx/proto.h"
#include "runner/onnxrt/internal.h"

enum { IR_VERSION = 8, OPSET = 17 };

static void put_text(pg_buf *out, uint32_t field, const char *text)
{
    pg_wire_put_bytes(out, field, text, strlen(text));
}

/* Appends `part` as a sub-message and empties it. */
static void put_message(pg_buf *out, uint32_t field, pg_buf *part)
{
    pg_wire_put_bytes(out, field, part->ptr, part->len);
    pg_buf_deinit(part);
}

/* TypeProto: its one field holds a message whose first field is the element. */
static void put_type(pg_buf *out, const pg_type *type)
{
    pg_buf body = {0}, inner = {0};
    if (type->kind == PG_TYPE_TENSOR) {
        pg_wire_put_int(&body, PG_PB_TYPE_TENSOR_ELEM, type->elem);
        put_message(out, PG_PB_TYPE_TENSOR, &body);
        return;
    }
    put_type(&inner, type->inner);
    put_message(&body, PG_PB_TYPE_INNER, &inner);
    put_message(out, type->kind == PG_TYPE_OPTIONAL ? PG_PB_TYPE_OPTIONAL : PG_PB_TYPE_SEQUENCE, &body);
}

/* A type this file can write: sequences and optionals down to a tensor. */
static bool is_plain(const pg_type *type)
{
    while (type != NULL && (type->kind == PG_TYPE_SEQUENCE || type->kind == PG_TYPE_OPTIONAL))
        type = type->inner;
    return type != NULL && type->kind == PG_TYPE_TENSOR && type->elem != PG_UNDEFINED;
}

static void put_node(pg_buf *out, const pg_type *type)
{
    pg_buf node = {0}, attribute = {0}, inner = {0};
    bool sequence = type->kind == PG_TYPE_SEQUENCE;
    put_text(&node, PG_PB_NODE_OUTPUT, "y");
    put_text(&node, PG_PB_NODE_OP_TYPE, sequence ? "SequenceEmpty" : "Optional");
    put_text(&attribute, PG_PB_ATTR_NAME, sequence ? "dtype" : "type");
    if (sequence) {
        pg_wire_put_int(&attribute, PG_PB_ATTR_INT, type->inner->elem);
    } else {
        put_type(&inner, type->inner);
        put_message(&attribute, PG_PB_ATTR_TYPE_PROTO, &inner);
    }
    pg_wire_put_int(&attribute, PG_PB_ATTR_TYPE, sequence ? PG_ATTR_INT : PG_ATTR_TYPE);
    put_message(&node, PG_PB_NODE_ATTR, &attribute);
    put_message(out, PG_PB_GRAPH_NODE, &node);
}

static void put_model(pg_buf *out, const pg_type *type)
{
    pg_buf graph = {0}, value = {0}, inner = {0}, opset = {0};
    put_node(&graph, type);
    put_text(&graph, PG_PB_GRAPH_NAME, "empty");
    put_text(&value, PG_PB_VALUE_NAME, "y");
    put_type(&inner, type);
    put_message(&value, PG_PB_VALUE_TYPE, &inner);
    put_message(&graph, PG_PB_GRAPH_OUTPUT, &value);
    pg_wire_put_int(out, PG_PB_MODEL_IR_VERSION, IR_VERSION);
    put_message(out, PG_PB_MODEL_GRAPH, &graph);
    put_text(&opset, PG_PB_OPSET_DOMAIN, "");
    pg_wire_put_int(&opset, PG_PB_OPSET_VERSION, OPSET);
    put_message(out, PG_PB_MODEL_OPSET, &opset);
}

static pg_status run_model(const pg_ort *ort, const pg_buf *model, ort_value **out)
{
    static const char *const output_names[] = {"y"};
    ort_session_options *options = NULL;
    ort_session *session = NULL;
    pg_status status = NULL;
    ORT_TRY_GOTO(status, ort, ort->api.create_session_options(&options));
    ORT_TRY_GOTO(status, ort, ort->api.set_intra_op_threads(options, 1));
    ORT_TRY_GOTO(status, ort,
                 ort->api.create_session_from_memory(ort->env, model->ptr, model->len, options, &session));
    ORT_TRY_GOTO(status, ort, ort->api.run(session, NULL, NULL, NULL, 0, output_names, 1, out));
done:
    ort->api.release_session(session);
    ort->api.release_session_options(options);
    return status;
}

pg_status pg_ort_empty_value(const pg_ort *ort, const pg_value *value, const pg_type *type, ort_value **out)
{
    const pg_type element = {.kind = PG_TYPE_TENSOR, .elem = value->elem};
    const pg_type of_element = {.kind = PG_TYPE_SEQUENCE, .inner = &element};
    if (type == NULL && value->kind == PG_VALUE_SEQUENCE)
        type = &of_element;
    bool made = is_plain(type) && (type->kind == PG_TYPE_OPTIONAL ||
                                   (type->kind == PG_TYPE_SEQUENCE && type->inner->kind == PG_TYPE_TENSOR));
    if (!made)
        return pg_err(PG_ERR_UNSUPPORTED, "ONNX Runtime offers no way to pass an empty value of this type");
    pg_buf model = {0};
    put_model(&model, type);
    pg_status status = run_model(ort, &model, out);
    pg_buf_deinit(&model);
    return pg_status_context(status, "while making an empty value");
}
