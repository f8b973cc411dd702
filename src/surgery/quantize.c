#include "surgery/quantize.h"

#include <math.h>

#include "base/alloc.h"
#include "onnx/build.h"
#include "shapes/shapes.h"
#include "surgery/internal.h"
#include "tensor/dtype_convert.h"

enum {
    CHANNELS_SINCE = 13,
    FLOAT8_SINCE = 19
}; /* before it QuantizeLinear knows no channels; com.microsoft's does */

#define CONTRIB "com.microsoft"

/* One tensor of the main graph. */
typedef struct tensor_info {
    const pg_weight *weight; /* an initializer */
    const pg_node *maker;    /* NULL: an input or an initializer */
    float scale;             /* of an activation; 0 = none */
    size_t reads;            /* by nodes, subgraphs and the graph's outputs */
    size_t quantized_reads;  /* of a weight: by nodes that read its int8 form */
    double noise;            /* of a quantized weight */
    pg_str dequantized;      /* name of the float32 tensor behind the int8 one, once it was made */
} tensor_info;

typedef struct pass {
    const pg_model *model;
    const pg_quantize_options *options;
    pg_arena *arena; /* of the new model */
    pg_map tensors;  /* -> tensor_info in `scratch` */
    pg_arena scratch;
    bool *chosen; /* per node */
    bool contrib; /* the operators are com.microsoft's */
    pg_wire_message *graph;
    size_t names_made;
    pg_quantize_report report;
} pass;

/* ---- What nodes are ---- */

/* A join is a sum or product of two activations; a mean has a scale of its own, what only moves elements has not. */
typedef enum role { ROLE_NONE, ROLE_PRODUCT, ROLE_JOIN, ROLE_MEAN, ROLE_CONCAT, ROLE_MOVE } role;

static bool is_one_of(const pg_node *node, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count && node->domain.len == 0; i++)
        if (pg_str_is(node->op_type, names[i]))
            return true;
    return false;
}
#define IS_ONE_OF(node, ...)                            \
    is_one_of(node, (const char *const[]){__VA_ARGS__}, \
              sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static bool is_nearest(const pg_node *node)
{
    const pg_attr *mode = pg_node_attr(node, "mode"),
                  *way = pg_node_attr(node, "coordinate_transformation_mode");
    return IS_ONE_OF(node, "Resize") && (mode == NULL || pg_str_is(mode->s, "nearest")) &&
           (way == NULL || !pg_str_is(way->s, "tf_crop_and_resize"));
}

static role role_of(const pg_node *node)
{
    if (IS_ONE_OF(node, "Conv", "Gemm", "MatMul"))
        return ROLE_PRODUCT;
    if (IS_ONE_OF(node, "MaxPool", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "DepthToSpace",
                  "SpaceToDepth") ||
        is_nearest(node))
        return ROLE_MOVE;
    if (IS_ONE_OF(node, "GlobalAveragePool", "AveragePool"))
        return ROLE_MEAN;
    if (IS_ONE_OF(node, "Concat"))
        return ROLE_CONCAT;
    return IS_ONE_OF(node, "Add", "Mul") ? ROLE_JOIN : ROLE_NONE;
}

/* How many of the first inputs take part. */
static size_t data_inputs(const pg_node *node, role as)
{
    return as == ROLE_CONCAT                    ? node->n_inputs
           : as == ROLE_MOVE || as == ROLE_MEAN ? 1
                                                : PG_MIN(node->n_inputs, 2);
}

static bool is_float8(const pass *p)
{
    return p->options->to == PG_F8E4M3FN;
}
static pg_dtype code_type(const pass *p)
{
    return is_float8(p) ? PG_F8E4M3FN : PG_I8;
}

static tensor_info *info_of(const pass *p, pg_str name)
{
    return name.len > 0 ? pg_map_find(&p->tensors, name) : NULL;
}

static bool is_float_weight(const tensor_info *info)
{
    return info != NULL && info->weight != NULL && info->weight->dtype == PG_F32;
}

/* Whether input i of a product is a weight with channels: its axis. */
static bool channel_axis(const pg_node *node, const tensor_info *info, size_t i, int64_t *out)
{
    if (i != 1 || !is_float_weight(info))
        return false;
    const pg_attr *trans = pg_node_attr(node, "transB");
    if (pg_str_is(node->op_type, "Conv"))
        *out = 0;
    else if (pg_str_is(node->op_type, "Gemm"))
        *out = trans != NULL && trans->i != 0 ? 0 : 1;
    else
        *out = (int64_t)info->weight->rank - 1;
    return pg_str_is(node->op_type, "MatMul") ? info->weight->rank == 2 : info->weight->rank >= 2;
}

/* ---- Choosing ---- */

static void list_tensors(pass *p)
{
    const pg_graph *graph = p->model->graph;
    for (size_t n = 0; n < graph->n_nodes; n++)
        for (size_t i = 0; i < graph->nodes[n].n_outputs; i++) {
            tensor_info *info = PG_ARENA_NEW(&p->scratch, tensor_info);
            info->weight = pg_surgery_constant(&graph->nodes[n]);
            info->maker = &graph->nodes[n];
            pg_map_put(&p->tensors, graph->nodes[n].outputs[i], info);
        }
    for (size_t i = 0; i < graph->n_inputs; i++)
        pg_map_put(&p->tensors, graph->inputs[i].name, PG_ARENA_NEW(&p->scratch, tensor_info));
    for (size_t i = 0; i < graph->n_weights; i++) {
        tensor_info *info = PG_ARENA_NEW(&p->scratch, tensor_info);
        info->weight = &graph->weights[i];
        pg_map_put(&p->tensors, graph->weights[i].name, info);
    }
    for (size_t i = 0; i < p->tensors.len; i++) {
        tensor_info *info = p->tensors.entries[i].value;
        if (info->weight == NULL)
            info->scale = p->options->scale_of(p->options->context, p->tensors.entries[i].key);
    }
}

static void count_read(void *pass_of, pg_str name)
{
    tensor_info *info = info_of(pass_of, name);
    if (info != NULL)
        info->reads++;
}

/* Whether every input that takes part can be quantized; sets the report's first tensor that cannot. */
static bool has_scales(pass *p, const pg_node *node, role as)
{
    size_t activations = 0;
    for (size_t i = 0; i < data_inputs(node, as); i++) {
        const tensor_info *info = info_of(p, node->inputs[i]);
        int64_t axis;
        if (as == ROLE_PRODUCT && channel_axis(node, info, i, &axis))
            continue;
        if (info == NULL || info->weight != NULL)
            return false;
        if (info->scale == 0) {
            p->report.no_scale += as == ROLE_PRODUCT;
            if (as == ROLE_PRODUCT && p->report.first_bare.len == 0)
                p->report.first_bare = node->inputs[i];
            return false;
        }
        activations++;
    }
    return activations > 0;
}

/* The node that makes a tensor; NULL for inputs and weights. */
static const pg_node *maker_of(const pass *p, pg_str name)
{
    const tensor_info *info = info_of(p, name);
    return info != NULL ? info->maker : NULL;
}

/* The only activation among the inputs of a node that works element by element; empty otherwise. */
static pg_str only_activation(const pass *p, const pg_node *node)
{
    pg_str found = PG_STR_EMPTY;
    if (!IS_ONE_OF(node, "Relu", "Clip", "HardSwish", "HardSigmoid", "Sigmoid", "Tanh", "LeakyRelu", "PRelu",
                   "Elu", "Gelu", "Erf", "Mish", "Softplus", "Pow", "Add", "Sub", "Mul", "Div"))
        return found;
    for (size_t i = 0; i < node->n_inputs; i++) {
        const tensor_info *info = info_of(p, node->inputs[i]);
        if (info == NULL || info->weight != NULL)
            continue;
        if (found.len > 0)
            return PG_STR_EMPTY;
        found = node->inputs[i];
    }
    return found;
}

/* Of x * f(x), spelt out: x; empty for other products. */
static pg_str gated(const pass *p, const pg_node *mul)
{
    enum { LONGEST = 8 };
    for (size_t side = 0; IS_ONE_OF(mul, "Mul") && side < 2; side++) {
        pg_str name = mul->inputs[side];
        const pg_node *maker = maker_of(p, name);
        for (size_t i = 0; i < LONGEST && maker != NULL && name.len > 0; i++) {
            if (pg_str_eq(name, mul->inputs[1 - side]))
                return name;
            name = only_activation(p, maker);
            maker = maker_of(p, name);
        }
        if (name.len > 0 && pg_str_eq(name, mul->inputs[1 - side]))
            return name;
    }
    return PG_STR_EMPTY;
}

/* The node whose result, perhaps behind activations, is this tensor. */
static const pg_node *origin_of(const pass *p, pg_str name)
{
    enum { LONGEST = 16 };
    const pg_node *maker = maker_of(p, name);
    for (size_t i = 0; i < LONGEST && maker != NULL; i++) {
        pg_str before = only_activation(p, maker);
        if (before.len == 0)
            before = gated(p, maker);
        if (before.len == 0)
            return maker;
        maker = maker_of(p, before);
    }
    return maker;
}

static bool is_chosen(const pass *p, const pg_node *node)
{
    return node != NULL && p->chosen[node - p->model->graph->nodes];
}

/* Nodes that chosen ones read directly, or behind a Relu or Clip, which joins codes as well. */
static void mark_read(pass *p, bool *read)
{
    const pg_graph *graph = p->model->graph;
    memset(read, 0, graph->n_nodes * sizeof *read);
    for (size_t n = 0; n < graph->n_nodes; n++)
        for (size_t i = 0; p->chosen[n] && i < data_inputs(&graph->nodes[n], role_of(&graph->nodes[n]));
             i++) {
            const pg_node *maker = maker_of(p, graph->nodes[n].inputs[i]);
            if (maker != NULL && IS_ONE_OF(maker, "Relu", "Clip"))
                maker = maker_of(p, maker->inputs[0]);
            if (maker != NULL)
                read[maker - graph->nodes] = true;
        }
}

/* Nodes beside products pay only between quantized ones. */
static bool pays(const pass *p, const pg_node *node, role as, const bool *read)
{
    if (!read[node - p->model->graph->nodes])
        return false;
    bool all = true, any = false;
    for (size_t i = 0; i < data_inputs(node, as); i++) {
        const bool from_codes = is_chosen(p, origin_of(p, node->inputs[i]));
        all &= from_codes;
        any |= from_codes;
    }
    return as == ROLE_CONCAT ? all : any;
}

static void choose_nodes(pass *p)
{
    const pg_graph *graph = p->model->graph;
    p->chosen = PG_ARENA_ARRAY(&p->scratch, bool, graph->n_nodes + 1);
    bool *read = PG_ARENA_ARRAY(&p->scratch, bool, graph->n_nodes + 1), changed = true;
    for (size_t n = 0; n < graph->n_nodes; n++) {
        const pg_node *node = &graph->nodes[n];
        const role as = role_of(node);
        p->chosen[n] = as != ROLE_NONE && (as == ROLE_PRODUCT || !is_float8(p)) && node->n_inputs > 0 &&
                       node->n_outputs == 1 &&
                       (p->options->wanted == NULL || p->options->wanted(p->options->context, node)) &&
                       has_scales(p, node, as) && !(as == ROLE_JOIN && gated(p, node).len > 0);
    }
    while (changed) {
        changed = false;
        mark_read(p, read);
        for (size_t n = 0; n < graph->n_nodes; n++) {
            const role as = role_of(&graph->nodes[n]);
            if (p->chosen[n] && as != ROLE_PRODUCT && !pays(p, &graph->nodes[n], as, read)) {
                p->chosen[n] = false;
                changed = true;
            }
        }
    }
    for (size_t n = 0; n < graph->n_nodes; n++) {
        const pg_node *node = &graph->nodes[n];
        p->report.nodes += p->chosen[n];
        if (p->chosen[n] && role_of(node) == ROLE_MOVE) /* it gives its scale on */
            info_of(p, node->outputs[0])->scale = info_of(p, node->inputs[0])->scale;
    }
}

/* ---- Making ---- */

static pg_str fresh(pass *p, pg_str base, const char *what)
{
    for (;; p->names_made++) {
        const char *name =
            p->names_made == 0
                ? pg_arena_printf(p->arena, "%" PG_STR_FMT "_%s", PG_STR_ARG(base), what)
                : pg_arena_printf(p->arena, "%" PG_STR_FMT "_%s_%zu", PG_STR_ARG(base), what, p->names_made);
        if (pg_map_has(&p->tensors, pg_str_c(name)))
            continue;
        p->names_made = 0;
        pg_map_put(&p->tensors, pg_str_c(name), PG_ARENA_NEW(&p->scratch, tensor_info));
        return pg_str_c(name);
    }
}

static void add_node(pass *p, const char *op_type, pg_str a, pg_str b, pg_str c, pg_str to, int64_t axis)
{
    const char *op = p->contrib ? pg_arena_printf(p->arena, CONTRIB "::%s", op_type) : op_type;
    pg_wire_message *node = pg_build_node(p->arena, p->graph, op, pg_arena_cstr(p->arena, to), "", "");
    pg_str inputs[] = {a, b, c};
    pg_wire_remove(node, PG_PB_NODE_INPUT);
    pg_wire_remove(node, PG_PB_NODE_OUTPUT);
    for (size_t i = 0; i < PG_COUNT(inputs); i++)
        if (inputs[i].len > 0)
            pg_wire_add_str(p->arena, node, PG_PB_NODE_INPUT, inputs[i]);
    pg_wire_add_str(p->arena, node, PG_PB_NODE_OUTPUT, to);
    if (axis >= 0)
        pg_build_attr_int(p->arena, node, "axis", axis);
}

static void add_weight(pass *p, pg_str name, pg_dtype dtype, size_t rank, const int64_t *dims,
                       const void *bytes, uint64_t size)
{
    pg_str raw = {bytes, (size_t)size};
    pg_build_weight(p->arena, p->graph,
                    pg_build_raw_tensor(p->arena, pg_arena_cstr(p->arena, name), dtype, rank, dims, raw));
}

/* One scale as a rank-0 weight, or `count` of them, and zero points of the same shape. */
static void add_scales(pass *p, const float *scales, size_t count, bool scalar, pg_str base,
                       pg_str *out_scale, pg_str *out_zero)
{
    int64_t dims[] = {(int64_t)count};
    float *kept = PG_ARENA_ARRAY(p->arena, float, count);
    int8_t *zeros = PG_ARENA_ARRAY(p->arena, int8_t, count);
    memcpy(kept, scales, count * sizeof *kept);
    *out_scale = fresh(p, base, "scale");
    *out_zero = fresh(p, base, "zero_point");
    add_weight(p, *out_scale, PG_F32, scalar ? 0 : 1, dims, kept, count * sizeof *kept);
    add_weight(p, *out_zero, code_type(p), scalar ? 0 : 1, dims, zeros, count); /* 0 is 0 in both types */
}

static pg_str quantize_activation(pass *p, pg_str name)
{
    tensor_info *info = info_of(p, name);
    pg_str scale, zero;
    if (info->dequantized.len > 0)
        return info->dequantized;
    add_scales(p, &info->scale, 1, true, name, &scale, &zero);
    pg_str quantized = fresh(p, name, "quantized");
    info->dequantized = fresh(p, name, "dequantized");
    add_node(p, "QuantizeLinear", name, scale, zero, quantized, -1);
    add_node(p, "DequantizeLinear", quantized, scale, zero, info->dequantized, -1);
    p->report.tensors++;
    return info->dequantized;
}

/* `count` weights as codes of one scale. Answers the power of what they lose. */
static double quantize_run(const float *values, size_t count, float scale, bool float8, uint8_t *out)
{
    const pg_cast_options options = {.saturate = true};
    double lost = 0;
    for (size_t i = 0; i < count; i++) {
        float back = values[i] / scale;
        if (float8) {
            pg_convert(PG_F32, &back, PG_F8E4M3FN, &out[i], 1, &options);
            pg_convert(PG_F8E4M3FN, &out[i], PG_F32, &back, 1, NULL);
        } else {
            back = fminf(fmaxf(rintf(back), -128), 127);
            out[i] = (uint8_t)(int8_t)back;
        }
        const double difference = (double)values[i] - (double)back * (double)scale;
        lost += difference * difference;
    }
    return lost;
}

/* Elements [outer][channel][inner] as codes, each channel by its own scale. Answers the noise. */
static double quantize_channels(const float *values, size_t outer, size_t channels, size_t inner, bool float8,
                                float *scales, uint8_t *out)
{
    const float largest = float8 ? 448 : 127;
    double power = 0, lost = 0;
    for (size_t c = 0; c < channels; c++) {
        float max = 0;
        for (size_t o = 0; o < outer; o++)
            for (size_t i = 0; i < inner; i++) {
                const float x = values[(o * channels + c) * inner + i];
                max = fmaxf(max, fabsf(x));
                power += (double)x * (double)x;
            }
        scales[c] = max > 0 && isfinite(max) ? max / largest : 1;
        for (size_t o = 0; o < outer; o++) {
            const size_t at = (o * channels + c) * inner;
            lost += quantize_run(values + at, inner, scales[c], float8, out + at);
        }
    }
    return power > 0 ? lost / power : 0;
}

static pg_status quantize_weight(pass *p, pg_str name, int64_t axis, pg_str *out)
{
    tensor_info *info = info_of(p, name);
    const pg_weight *weight = info->weight;
    pg_tensor tensor;
    pg_str scale, zero;
    if (info->dequantized.len > 0) {
        *out = info->dequantized;
        return NULL;
    }
    PG_TRY(pg_weight_load(p->model, weight, &tensor));
    size_t channels = (size_t)weight->dims[axis], outer = 1, inner = 1;
    for (uint32_t d = 0; d < weight->rank; d++)
        *((int64_t)d < axis ? &outer : &inner) *= (int64_t)d == axis ? 1 : (size_t)weight->dims[d];
    const size_t count = outer * channels * inner;
    if (is_float8(p)) { /* its steps follow the magnitude of each number: one scale is enough */
        outer = channels = 1;
        inner = count;
        axis = -1;
    }
    float *scales = PG_ARENA_ARRAY(&p->scratch, float, channels + 1);
    uint8_t *bytes = PG_ARENA_ARRAY(p->arena, uint8_t, count + 1);
    info->noise = quantize_channels(tensor.data, outer, channels, inner, is_float8(p), scales, bytes);
    pg_tensor_deinit(&tensor);
    add_scales(p, scales, channels, is_float8(p), name, &scale, &zero);
    pg_str quantized = fresh(p, name, "quantized");
    *out = info->dequantized = fresh(p, name, "dequantized");
    add_weight(p, quantized, code_type(p), weight->rank, weight->dims, bytes, count);
    add_node(p, "DequantizeLinear", quantized, scale, zero, *out, axis);
    p->report.weights++;
    return NULL;
}

static pg_status emit_node(pass *p, const pg_node *node, bool chosen)
{
    pg_wire_message *out = (pg_wire_message *)node->wire;
    if (chosen) {
        role as = role_of(node);
        pg_str *inputs = PG_ARENA_ARRAY(&p->scratch, pg_str, node->n_inputs);
        memcpy(inputs, node->inputs, node->n_inputs * sizeof *inputs);
        for (size_t i = 0; i < data_inputs(node, as); i++) {
            tensor_info *info = info_of(p, inputs[i]);
            int64_t axis;
            if (as == ROLE_PRODUCT && channel_axis(node, info, i, &axis))
                PG_TRY_CTX(quantize_weight(p, inputs[i], axis, &inputs[i]), "in weight '%" PG_STR_FMT "'",
                           PG_STR_ARG(node->inputs[i]));
            else
                inputs[i] = quantize_activation(p, inputs[i]);
        }
        const tensor_info *weight = as == ROLE_PRODUCT ? info_of(p, node->inputs[1]) : NULL;
        if (p->options->chosen != NULL)
            p->options->chosen(p->options->context, node, weight != NULL ? weight->noise : 0);
        PG_TRY(pg_wire_edit(p->arena, (pg_wire_source){0}, node->wire, &out));
        pg_wire_remove(out, PG_PB_NODE_INPUT);
        for (size_t i = 0; i < node->n_inputs; i++)
            pg_wire_add_str(p->arena, out, PG_PB_NODE_INPUT, inputs[i]);
    }
    pg_wire_add_message(p->arena, p->graph, PG_PB_GRAPH_NODE, out);
    return NULL;
}

/* Weights that only quantized nodes read go. */
static bool is_gone(const tensor_info *info)
{
    return info->quantized_reads > 0 && info->quantized_reads == info->reads;
}

static void count_quantized_reads(pass *p)
{
    const pg_graph *graph = p->model->graph;
    for (size_t n = 0; n < graph->n_nodes; n++) {
        int64_t axis;
        const pg_node *node = &graph->nodes[n];
        tensor_info *info = node->n_inputs > 1 ? info_of(p, node->inputs[1]) : NULL;
        if (p->chosen[n] && role_of(node) == ROLE_PRODUCT && channel_axis(node, info, 1, &axis))
            info->quantized_reads++;
    }
}

static void emit_weights(pass *p)
{
    const pg_graph *graph = p->model->graph;
    for (size_t i = 0; i < graph->n_weights; i++)
        if (!is_gone(info_of(p, graph->weights[i].name)))
            pg_wire_add_message(p->arena, p->graph, PG_PB_GRAPH_WEIGHT,
                                (pg_wire_message *)graph->weights[i].wire);
}

static pg_status emit_nodes(pass *p)
{
    const pg_graph *graph = p->model->graph;
    for (size_t n = 0; n < graph->n_nodes; n++) {
        const pg_node *node = &graph->nodes[n];
        if (pg_surgery_constant(node) == NULL || !is_gone(info_of(p, node->outputs[0])))
            PG_TRY(emit_node(p, node, p->chosen[n]));
    }
    return NULL;
}

bool pg_surgery_is_quantized(const pg_graph *graph)
{
    for (size_t n = 0; n < graph->n_nodes; n++)
        if (pg_str_is(graph->nodes[n].op_type, "QuantizeLinear") ||
            pg_str_is(graph->nodes[n].op_type, "DequantizeLinear"))
            return true;
    return false;
}

static pg_status rewrite(pass *p, pg_wire_message **out_root)
{
    const pg_graph *graph = p->model->graph;
    list_tensors(p);
    pg_surgery_each_read(graph, count_read, p);
    choose_nodes(p);
    PG_TRY(pg_model_edit(p->arena, p->model, out_root, &p->graph));
    p->contrib = pg_model_opset(p->model, PG_STR_EMPTY) < (is_float8(p) ? FLOAT8_SINCE : CHANNELS_SINCE);
    if (p->contrib && pg_model_opset(p->model, PG_STR(CONTRIB)) == 0)
        pg_build_opset(p->arena, *out_root, CONTRIB, 1);
    pg_wire_remove(p->graph, PG_PB_GRAPH_NODE);
    pg_wire_remove(p->graph, PG_PB_GRAPH_WEIGHT);
    count_quantized_reads(p);
    emit_weights(p);
    return emit_nodes(p);
}

pg_status pg_surgery_quantize(const pg_model *model, const pg_quantize_options *options,
                              pg_quantize_report *report, pg_model **out)
{
    pg_arena arena = {0};
    pass p = {.model = model, .options = options, .arena = &arena};
    pg_wire_message *root = NULL;
    if (report != NULL)
        *report = (pg_quantize_report){0};
    if (pg_surgery_is_quantized(model->graph)) {
        *out = pg_model_ref((pg_model *)model);
        return NULL;
    }
    pg_status status = rewrite(&p, &root);
    if (report != NULL)
        *report = p.report;
    pg_map_deinit(&p.tensors);
    pg_arena_deinit(&p.scratch);
    if (status == NULL)
        return pg_surgery_finish(&arena, root, model, out);
    pg_arena_deinit(&arena);
    return pg_status_context(status, "while quantizing to %s", pg_dtype_name(code_type(&p)));
}
