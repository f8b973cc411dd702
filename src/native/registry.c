/* The operator table of the engine: every family's rows, found by domain, name and version. */
#include "native/internal.h"

#include <pthread.h>

static const pg_kernel *const families[] = {
    pg_kernels_internal,      pg_kernels_control,       pg_kernels_sequence,     pg_kernels_unary,
    pg_kernels_binary,        pg_kernels_elementwise,   pg_kernels_random,       pg_kernels_reduce,
    pg_kernels_softmax,       pg_kernels_loss,          pg_kernels_select,       pg_kernels_shape,
    pg_kernels_rearrange,     pg_kernels_gather,        pg_kernels_pad,          pg_kernels_index,
    pg_kernels_image,         pg_kernels_cast,          pg_kernels_matmul,       pg_kernels_conv,
    pg_kernels_pool,          pg_kernels_norm,          pg_kernels_rnn,          pg_kernels_resize,
    pg_kernels_quant,         pg_kernels_quant_conv,    pg_kernels_quant_matmul, pg_kernels_quant_codes,
    pg_kernels_ms_quant,      pg_kernels_act,           pg_kernels_attention,    pg_kernels_attention_found,
    pg_kernels_einsum,        pg_kernels_sample,        pg_kernels_signal,       pg_kernels_detect,
    pg_kernels_stateful,      pg_kernels_contrib_quant, pg_kernels_text,         pg_kernels_tfidf,
    pg_kernels_ml_features,   pg_kernels_ml_encode,     pg_kernels_ml_maps,      pg_kernels_ml_linear,
    pg_kernels_ml_trees,      pg_kernels_ml_svm,        pg_kernels_training,     pg_kernels_flex_attention,
    pg_kernels_ms_basic,      pg_kernels_ms_norm,       pg_kernels_ms_matmul,    pg_kernels_ms_attention,
    pg_kernels_image_decoder, pg_kernels_chain,
};

/* Rows with the same domain and operator are chained, newest family first. */
typedef struct row {
    const pg_kernel *kernel;
    struct row *next;
    char key[];
} row;

static pg_map rows;
static pg_arena rows_arena;
static pthread_once_t rows_once = PTHREAD_ONCE_INIT;

static pg_str make_key(char *buffer, size_t size, pg_str domain, pg_str op_type)
{
    if (domain.len + op_type.len + 1 > size)
        return PG_STR_EMPTY;
    if (op_type.len > 0)
        memcpy(buffer, op_type.ptr, op_type.len);
    buffer[op_type.len] = ' ';
    if (domain.len > 0)
        memcpy(buffer + op_type.len + 1, domain.ptr, domain.len);
    return (pg_str){buffer, domain.len + op_type.len + 1};
}

static void free_rows(void)
{
    pg_map_deinit(&rows);
    pg_arena_deinit(&rows_arena);
}

static void build_rows(void)
{
    for (size_t f = 0; f < PG_COUNT(families); f++)
        for (const pg_kernel *kernel = families[f]; kernel->op_type != NULL; kernel++) {
            size_t size = strlen(kernel->domain) + strlen(kernel->op_type) + 2;
            row *entry = pg_arena_alloc(&rows_arena, 1, sizeof *entry + size);
            pg_str key = make_key(entry->key, size, pg_str_c(kernel->domain), pg_str_c(kernel->op_type));
            entry->kernel = kernel;
            entry->next = pg_map_find(&rows, key);
            size_t at = pg_map_index(&rows, key);
            if (at == SIZE_MAX)
                pg_map_put(&rows, key, entry);
            else
                rows.entries[at].value = entry;
        }
    atexit(free_rows);
}

const pg_kernel *pg_kernel_find(pg_str domain, pg_str op_type, int64_t opset)
{
    char buffer[256];
    pthread_once(&rows_once, build_rows);
    pg_str key = make_key(buffer, sizeof buffer, domain, op_type);
    for (const row *entry = pg_map_find(&rows, key); entry != NULL; entry = entry->next)
        if (opset >= entry->kernel->since && (entry->kernel->until == 0 || opset <= entry->kernel->until))
            return entry->kernel;
    return NULL;
}

const pg_kernel *const *pg_kernel_families(size_t *count)
{
    *count = PG_COUNT(families);
    return families;
}
