/* A model as text for version control. */
#include <zlib.h>

#include "delta/internal.h"
#include "onnx/text.h"

static uint32_t checksum_of(const pg_tensor *tensor)
{
    uLong sum = crc32(0, NULL, 0);
    if (tensor->dtype == PG_STRING) {
        const pg_str *texts = tensor->data;
        for (uint64_t i = 0; i < pg_tensor_count(tensor); i++)
            sum = crc32_z(sum, (const Bytef *)texts[i].ptr, texts[i].len);
        return (uint32_t)sum;
    }
    uint64_t bytes = pg_tensor_bytes(tensor);
    return (uint32_t)(bytes > 0 ? crc32_z(sum, tensor->data, bytes) : sum);
}

static void put_weight(const pg_model *model, const pg_weight *weight, pg_buf *out)
{
    const char *type = pg_onnx_type_name(weight->data_type);
    pg_tensor tensor;
    pg_buf_printf(out, "\n%" PG_STR_FMT " [dtype=%s, shape=", PG_STR_ARG(weight->name),
                  type != NULL ? type : "unknown");
    pg_shape_text(out, weight->rank, weight->dims);
    pg_status status = pg_weight_load(model, weight, &tensor);
    if (status == NULL) {
        pg_buf_printf(out, ", crc32=%08x]", checksum_of(&tensor));
        pg_tensor_deinit(&tensor);
    } else if (weight->storage == PG_STORED_EXTERNAL) {
        pg_buf_printf(out, ", file='%" PG_STR_FMT "', offset=%llu]", PG_STR_ARG(weight->location),
                      (unsigned long long)weight->offset);
    } else {
        pg_buf_puts(out, ", unreadable]");
    }
    pg_status_drop(status);
}

void pg_delta_textconv(const pg_model *model, pg_buf *out)
{
    const pg_model_text_options options = {.layers = true, .attrs = true};
    const pg_graph *graph = model->graph;
    pg_buf_printf(out, "IR version: %lld | Producer: %" PG_STR_FMT " %" PG_STR_FMT "\n",
                  (long long)model->ir_version, PG_STR_ARG(model->producer_name),
                  PG_STR_ARG(model->producer_version));
    for (size_t i = 0; i < model->n_metadata; i++)
        pg_buf_printf(out, "Metadata | %" PG_STR_FMT ": %" PG_STR_FMT "\n",
                      PG_STR_ARG(model->metadata[i].key), PG_STR_ARG(model->metadata[i].value));
    pg_model_text(model, &options, out);
    pg_buf_printf(out, "\n\n---- Checksums of %zu Initializer(s) ----", graph->n_weights);
    for (size_t i = 0; i < graph->n_weights; i++)
        put_weight(model, &graph->weights[i], out);
    pg_buf_putc(out, '\n');
}
