/* Sessions: threads, optimization level, execution providers, and how a model is handed over. */
#include "runner/onnxrt/internal.h"

#include "base/threads.h"
#include "base/vec.h"
#include "log/log.h"

/* ---- Optimization level ---- */

typedef struct level_row {
    const char *name;
    int level;
} level_row;
static const level_row levels[] = {
    {"ORT_DISABLE_ALL", 0},   {"ORT_ENABLE_BASIC", 1}, {"ORT_ENABLE_EXTENDED", 2},
    {"ORT_ENABLE_LAYOUT", 3}, {"ORT_ENABLE_ALL", 99},
};

static pg_status set_level(const pg_ort *ort, pg_str name, ort_session_options *options)
{
    if (name.len == 0)
        return NULL;
    for (size_t i = 0; i < PG_COUNT(levels); i++)
        if (pg_str_eq_nocase(name, pg_str_c(levels[i].name)))
            return pg_ort_status(ort, ort->api.set_optimization_level(options, levels[i].level));
    pg_buf names = {0};
    for (size_t i = 0; i < PG_COUNT(levels); i++)
        pg_buf_printf(&names, "%s%s", i > 0 ? ", " : "", levels[i].name);
    pg_status status = pg_err(PG_ERR_INVALID, "no graph optimization level '%" PG_STR_FMT "': there are %s",
                              PG_STR_ARG(name), names.ptr);
    pg_buf_deinit(&names);
    return status;
}

/* ---- Execution providers ---- */

typedef struct available {
    char **names;
    int count;
} available;

/* "['AzureExecutionProvider', 'CPUExecutionProvider']" */
static void list_text(pg_buf *out, const char *const *names, size_t count)
{
    pg_buf_putc(out, '[');
    for (size_t i = 0; i < count; i++)
        pg_buf_printf(out, "%s'%s'", i > 0 ? ", " : "", names[i]);
    pg_buf_putc(out, ']');
}

static const char *match_provider(const available *all, pg_str wanted)
{
    for (int i = 0; i < all->count; i++)
        if (pg_str_eq_nocase(pg_str_c(all->names[i]), wanted))
            return all->names[i];
    for (int i = 0; i < all->count; i++)
        if (pg_str_contains_nocase(pg_str_c(all->names[i]), wanted))
            return all->names[i];
    return NULL;
}

static pg_status no_provider(const pg_ort *ort, const available *all, pg_str wanted)
{
    pg_buf names = {0};
    list_text(&names, (const char *const *)all->names, (size_t)all->count);
    pg_status status =
        pg_err(PG_ERR_UNAVAILABLE,
               "ONNX Runtime %s in '%s' has no execution provider '%" PG_STR_FMT "': available are %s",
               ort->version, ort->dylib.path, PG_STR_ARG(wanted), names.ptr);
    pg_buf_deinit(&names);
    return status;
}

static pg_status append_cuda(const pg_ort *ort, ort_session_options *options)
{
    ort_cuda_options *cuda = NULL;
    ORT_TRY(ort, ort->api.create_cuda_options(&cuda));
    pg_status status = pg_ort_status(ort, ort->api.append_cuda(options, cuda));
    ort->api.release_cuda_options(cuda);
    return status;
}

static pg_status append_tensorrt(const pg_ort *ort, ort_session_options *options)
{
    ort_tensorrt_options *tensorrt = NULL;
    ORT_TRY(ort, ort->api.create_tensorrt_options(&tensorrt));
    pg_status status = pg_ort_status(ort, ort->api.append_tensorrt(options, tensorrt));
    ort->api.release_tensorrt_options(tensorrt);
    return status;
}

/* The CPU needs no call; CUDA and TensorRT have calls of their own; the others go by their short name. */
static pg_status append_provider(const pg_ort *ort, const char *name, ort_session_options *options)
{
    pg_str full = pg_str_c(name), suffix = PG_STR("ExecutionProvider");
    if (pg_str_is(full, "CPUExecutionProvider"))
        return NULL;
    if (pg_str_is(full, "CUDAExecutionProvider"))
        return append_cuda(ort, options);
    if (pg_str_is(full, "TensorrtExecutionProvider"))
        return append_tensorrt(ort, options);
    char text[64];
    pg_str stem = pg_str_ends(full, suffix) ? pg_str_sub(full, 0, full.len - suffix.len) : full;
    if (pg_str_is(full, "AzureExecutionProvider"))
        stem = PG_STR("AZURE");
    snprintf(text, sizeof text, "%" PG_STR_FMT, PG_STR_ARG(stem));
    return pg_ort_status(ort, ort->api.append_provider(options, text, NULL, NULL, 0));
}

static bool listed(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (names[i] == name)
            return true;
    return false;
}

static pg_status choose_providers(const pg_ort *ort, const available *all, const pg_onnxrt_options *wanted,
                                  ort_session_options *options)
{
    static const pg_str cpu = {"CPUExecutionProvider", 20};
    const pg_str *names = wanted->n_providers > 0 ? wanted->providers : &cpu;
    size_t count = wanted->n_providers > 0 ? wanted->n_providers : 1;
    PG_VEC(const char *) chosen = {0};
    pg_status status = NULL;
    for (size_t i = 0; i < count; i++) {
        const char *name = match_provider(all, names[i]);
        if (name == NULL)
            PG_TRY_GOTO(status, no_provider(ort, all, names[i]));
        if (listed(chosen.items, chosen.len, name))
            continue;
        PG_VEC_PUSH(&chosen, name);
        PG_TRY_GOTO(status, pg_status_context(append_provider(ort, name, options),
                                              "while adding the execution provider '%s'", name));
    }
    pg_buf text = {0};
    list_text(&text, chosen.items, chosen.len);
    PG_LOG(PG_START, "Creating ONNX-Runtime Inference Session with providers: %s", text.ptr);
    pg_buf_deinit(&text);
done:
    PG_VEC_FREE(&chosen);
    return status;
}

static pg_status set_providers(const pg_ort *ort, const pg_onnxrt_options *wanted,
                               ort_session_options *options)
{
    available all = {0};
    ORT_TRY(ort, ort->api.available_providers(&all.names, &all.count));
    pg_status status = choose_providers(ort, &all, wanted, options);
    return pg_status_first(status, pg_ort_status(ort, ort->api.release_providers(all.names, all.count)));
}

/* ---- The model ---- */

static pg_status create_from_bytes(const pg_ort *ort, const pg_ort_bytes *model, ort_session_options *options,
                                   ort_session **out)
{
    if (model->folder != NULL)
        ORT_TRY(ort, ort->api.add_config(options, "session.model_external_initializers_file_folder_path",
                                         model->folder));
    return pg_ort_status(
        ort, ort->api.create_session_from_memory(ort->env, model->bytes.ptr, model->bytes.len, options, out));
}

static pg_status create_from_memory(const pg_ort *ort, const pg_model *model, ort_session_options *options,
                                    ort_session **out)
{
    pg_arena arena = {0};
    pg_ort_bytes bytes;
    pg_status status = pg_ort_model_bytes(model, &arena, &bytes);
    if (status == NULL)
        status = create_from_bytes(ort, &bytes, options, out);
    pg_buf_deinit(&bytes.storage);
    pg_arena_deinit(&arena);
    return status;
}

static pg_status create(const pg_ort *ort, const pg_model *model, ort_session_options *options,
                        ort_session **out)
{
    if (pg_ort_reads_path(model))
        return pg_ort_status(ort, ort->api.create_session(ort->env, model->path, options, out));
    return create_from_memory(ort, model, options, out);
}

static pg_status configure(const pg_ort *ort, const pg_onnxrt_options *wanted, ort_session_options *options)
{
    int threads = (int)(wanted->threads > 0 ? wanted->threads : pg_cpu_count());
    ORT_TRY(ort, ort->api.set_intra_op_threads(options, threads));
    ORT_TRY(ort, ort->api.set_inter_op_threads(options, threads));
    PG_TRY(set_level(ort, wanted->optimization_level, options));
    return set_providers(ort, wanted, options);
}

pg_status pg_ort_session_new(const pg_ort *ort, pg_model *model, const pg_onnxrt_options *options,
                             ort_session **out)
{
    ort_session_options *settings = NULL;
    pg_status status = NULL;
    *out = NULL;
    ORT_TRY(ort, ort->api.create_session_options(&settings));
    PG_TRY_GOTO(status, configure(ort, options, settings));
    PG_TRY_GOTO(status, pg_status_context(create(ort, model, settings, out), "while loading the model '%s'",
                                          model->path != NULL ? model->path : "in memory"));
done:
    ort->api.release_session_options(settings);
    return status;
}
