/* What a tensor is, as a number: two tensors with one number come from the same operators on the same inputs
 * and weights, whatever they are called. */
#include <stdlib.h>
#include <zlib.h>

#include "delta/internal.h"
#include "onnx/wire.h"

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t x = (a ^ (b + 0x9e3779b97f4a7c15ull + (a << 6) + (a >> 2))) * 0xff51afd7ed558ccdull;
    return x ^ (x >> 32);
}

/* ---- Weights ---- */

static uint64_t hash_elements(const pg_tensor *tensor)
{
    uint64_t hash = 0, bytes = pg_tensor_bytes(tensor);
    const pg_str *texts = tensor->data;
    if (tensor->dtype != PG_STRING)
        return bytes > 0 ? crc32_z(0, tensor->data, bytes) : 0;
    for (uint64_t i = 0; i < pg_tensor_count(tensor); i++)
        hash = mix(hash, pg_str_hash(texts[i]));
    return hash;
}

static uint64_t hash_weight(const pg_model *model, const pg_weight *weight)
{
    uint64_t hash = mix(3, (uint64_t)weight->data_type);
    pg_tensor tensor;
    for (uint32_t i = 0; i < weight->rank; i++)
        hash = mix(hash, (uint64_t)weight->dims[i]);
    pg_status status = pg_weight_load(model, weight, &tensor);
    if (status != NULL) { /* not at hand: where it lies stands for what it is */
        pg_status_drop(status);
        return mix(mix(hash, pg_str_hash(weight->location)), weight->offset);
    }
    hash = mix(hash, hash_elements(&tensor));
    pg_tensor_deinit(&tensor);
    return hash;
}

/* ---- Nodes ---- */

static void hash_side(pg_side *side);

static uint64_t hash_body(pg_side *side, const pg_graph *graph)
{
    pg_arena arena = {0};
    pg_side body;
    uint64_t hash = 5;
    pg_side_of_graph(side->model, graph, &arena, &body);
    body.outer = side;
    for (size_t i = 0; i < body.n_outputs; i++)
        hash = mix(hash, pg_side_hash(&body, body.outputs[i]));
    pg_side_deinit(&body);
    pg_arena_deinit(&arena);
    return hash;
}

static uint64_t hash_attr(pg_side *side, const pg_attr *attr)
{
    uint64_t hash = mix(pg_str_hash(attr->name), (uint64_t)attr->type);
    if (attr->type == PG_ATTR_GRAPH && attr->graph != NULL)
        return mix(hash, hash_body(side, attr->graph));
    if (attr->type == PG_ATTR_TENSOR && attr->tensor != NULL)
        return mix(hash, hash_weight(side->model, attr->tensor));
    pg_buf bytes = {0};
    pg_wire_write_buf(attr->wire, &bytes);
    hash = mix(hash, pg_str_hash(pg_buf_str(&bytes)));
    pg_buf_deinit(&bytes);
    return hash;
}

uint64_t pg_node_hash(pg_side *side, const pg_node *node)
{
    uint64_t attrs = 0;
    for (size_t i = 0; i < node->n_attrs; i++)
        attrs += hash_attr(side, &node->attrs[i]); /* in any order */
    return mix(mix(pg_str_hash(node->op_type), pg_str_hash(node->domain)), attrs);
}

static void put_hash(pg_side *side, pg_str name, uint64_t hash)
{
    if (name.len > 0)
        pg_map_put(&side->hashes, name, (void *)(uintptr_t)hash);
}

static void hash_side(pg_side *side)
{
    side->is_hashed = true;
    for (size_t i = 0; i < side->n_inputs; i++)
        put_hash(side, side->inputs[i], mix(7, side->input_ids != NULL ? side->input_ids[i] : i));
    for (size_t i = 0; i < side->weights.len; i++)
        put_hash(side, side->weights.entries[i].key,
                 hash_weight(side->model, side->weights.entries[i].value));
    for (size_t i = 0; i < side->n_nodes; i++) {
        const pg_node *node = &side->nodes[i];
        uint64_t hash = pg_node_hash(side, node);
        for (size_t k = 0; k < node->n_inputs; k++)
            hash = mix(hash, node->inputs[k].len > 0 ? pg_side_hash(side, node->inputs[k]) : 11);
        for (size_t k = 0; k < node->n_outputs; k++)
            put_hash(side, node->outputs[k], mix(hash, k));
    }
}

uint64_t pg_side_hash(pg_side *side, pg_str name)
{
    for (; side != NULL; side = side->outer) {
        if (!side->is_hashed)
            hash_side(side);
        size_t at = pg_map_index(&side->hashes, name);
        if (at != SIZE_MAX)
            return (uint64_t)(uintptr_t)side->hashes.entries[at].value;
    }
    return mix(13, pg_str_hash(name));
}
