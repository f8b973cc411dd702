/* Calibrators of TensorRT 10: the builder asks for batches of inputs in device memory and finds ranges from what
 * it sees, or it gets the ranges of a cache, which is TensorRT's own text. */
#include "runner/tensorrt/internal.h"

#include "base/file.h"
#include "log/log.h"

enum { MAX_CACHE = 64 << 20 };

/* Keeps the first error: the library cannot carry it. */
static void note_failure(pg_trt_calibrator *self, pg_status status)
{
    if (self->failed == NULL)
        self->failed = status;
    else
        pg_status_drop(status);
}

/* ---- Batches ---- */

static pg_status open_device(pg_trt_calibrator *self)
{
    PG_TRY(pg_cuda_get(&self->cuda));
    PG_TRY(pg_cuda_check(self->cuda, self->cuda->stream_create(&self->stream, 1), "create a stream"));
    self->buffers = PG_ARENA_ARRAY(&self->arena, pg_cuda_buffer, self->inputs.count + 1);
    if (self->options->feeds.open == NULL)
        return pg_err(PG_ERR_INVALID,
                      "option '--int8' needs data to calibrate with, or a --calibration-cache");
    PG_TRY(self->options->feeds.open(self->options->feeds.context, self->inputs));
    self->is_open = true;
    return NULL;
}

static pg_status copy_input(pg_trt_calibrator *self, size_t index, void **out)
{
    const pg_io *input = &self->inputs.items[index];
    const pg_value *value = pg_feed_find(&self->feed, input->name);
    if (value == NULL || value->kind != PG_VALUE_TENSOR)
        return pg_err(PG_ERR_INVALID,
                      "calibration: iteration %zu has no tensor for the input '%" PG_STR_FMT "'",
                      self->batches, PG_STR_ARG(input->name));
    const pg_tensor *tensor = &value->tensor;
    bool fits = tensor->dtype == input->type.elem && tensor->rank == input->type.rank;
    for (size_t d = 0; fits && d < tensor->rank; d++)
        fits = tensor->dims[d] == input->type.dims[d].value;
    if (!fits) {
        pg_buf wanted = {0}, found = {0};
        for (size_t d = 0; d < input->type.rank; d++)
            pg_buf_printf(&wanted, "%s%lld", d > 0 ? ", " : "", (long long)input->type.dims[d].value);
        pg_shape_text(&found, tensor->rank, tensor->dims);
        pg_status status =
            pg_err(PG_ERR_INVALID,
                   "calibration: iteration %zu has %s %s for the input '%" PG_STR_FMT
                   "', but the engine is calibrated with %s (%s): data has to have the opt shapes of the "
                   "last profile",
                   self->batches, pg_dtype_name(tensor->dtype), pg_buf_cstr(&found), PG_STR_ARG(input->name),
                   pg_dtype_name(input->type.elem), pg_buf_cstr(&wanted));
        pg_buf_deinit(&wanted);
        pg_buf_deinit(&found);
        return status;
    }
    pg_cuda_buffer *buffer = &self->buffers[index];
    size_t size = (size_t)pg_tensor_bytes(tensor);
    PG_TRY(pg_cuda_buffer_fit(self->cuda, buffer, PG_MAX(size, (size_t)1)));
    *out = (void *)(uintptr_t)buffer->address;
    return size == 0
               ? NULL
               : pg_cuda_check(self->cuda,
                               self->cuda->copy_to_device(buffer->address, tensor->data, size, self->stream),
                               "copy a calibration batch");
}

static pg_status next_batch(pg_trt_calibrator *self, void **bindings, const char *const *names, int32_t count,
                            bool *out_end)
{
    if (!self->is_open)
        PG_TRY(open_device(self));
    PG_TRY(self->options->feeds.next(self->options->feeds.context, self->batches, &self->feed, out_end));
    if (*out_end)
        return self->batches > 0 ? NULL
                                 : pg_err(PG_ERR_INVALID,
                                          "calibration has no data: give --load-inputs that holds inputs, or "
                                          "--iterations of at least 1");
    for (int32_t i = 0; i < count; i++) {
        size_t at = 0;
        while (at < self->inputs.count && !pg_str_is(self->inputs.items[at].name, names[i]))
            at++;
        if (at == self->inputs.count)
            return pg_err(PG_ERR_RUNTIME,
                          "calibration: the library asks for an input '%s' that the network lacks", names[i]);
        PG_TRY(copy_input(self, at, &bindings[i]));
    }
    self->batches++;
    return pg_cuda_check(self->cuda, self->cuda->stream_wait(self->stream), "copy a calibration batch");
}

static bool get_batch(pg_trt_calibrator *self, void **bindings, const char *const *names, int32_t count)
{
    bool end = false;
    pg_status status = next_batch(self, bindings, names, count, &end);
    pg_feed_deinit(&self->feed);
    if (status != NULL)
        note_failure(self, status);
    return status == NULL && !end;
}

static int32_t get_batch_size(const pg_trt_calibrator *self)
{
    (void)self;
    return 1; /* networks say their batch themselves */
}

/* ---- Cache ---- */

/* A file that is not there, or is empty, gives no ranges: then there will be a new one. */
static pg_status read_cache(pg_trt_calibrator *self)
{
    const char *path = self->options->calibration_cache;
    pg_scales scales = {0};
    pg_calibrator found = PG_CALIBRATORS;
    if (path == NULL || !pg_path_exists(path))
        return NULL;
    PG_TRY(pg_file_read(path, MAX_CACHE, &self->cache));
    if (self->cache.len == 0) {
        PG_LOG_WARNING("The calibration cache '%s' is empty: it will be made anew.", path);
        return NULL;
    }
    pg_status status = pg_scales_read(path, &scales, &found);
    pg_scales_deinit(&scales);
    PG_TRY(status);
    if (found != self->options->calibration.calibrator)
        PG_LOG_WARNING("The calibration cache '%s' was made by %s, not %s: the library makes it anew.", path,
                       pg_calibrator_class(found),
                       pg_calibrator_class(self->options->calibration.calibrator));
    else
        PG_LOG_INFO("Using the calibration cache '%s'.", path);
    return NULL;
}

static const void *hand_over_cache(pg_trt_calibrator *self, size_t *out_length)
{
    *out_length = self->cache.len;
    return self->cache.len > 0 ? self->cache.ptr : NULL;
}

static void write_cache(pg_trt_calibrator *self, const void *bytes, size_t length)
{
    const char *path = self->options->calibration_cache;
    PG_LOG_INFO("Calibrated with %zu batch(es) of data.", self->batches);
    if (path == NULL)
        return;
    PG_LOG(PG_FINISH, "Saving calibration cache to %s", path);
    pg_status status = pg_file_write(path, (pg_str){bytes, length});
    if (status != NULL)
        note_failure(self, status);
}

/* ---- The classes ---- */

static double get_quantile(const pg_trt_calibrator *self)
{
    return self->options->calibration.quantile;
}

static double get_cutoff(const pg_trt_calibrator *self)
{
    return self->options->calibration.regression_cutoff;
}

/* Histograms are not kept. */
static const void *read_no_histogram(pg_trt_calibrator *self, size_t *out_length)
{
    (void)self;
    *out_length = 0;
    return NULL;
}

static void write_no_histogram(pg_trt_calibrator *self, const void *bytes, size_t length)
{
    (void)self, (void)bytes, (void)length;
}

/* CalibrationAlgoType */
#define ALGORITHM(function, number)                  \
    static int32_t function(pg_trt_calibrator *self) \
    {                                                \
        (void)self;                                  \
        return number;                               \
    }
ALGORITHM(is_legacy, 0)
ALGORITHM(is_entropy, 1)
ALGORITHM(is_entropy2, 2)
ALGORITHM(is_minmax, 3)

#define CALIBRATOR(info, algorithm)                                             \
    TRT_INTERFACE(info), TRT_FUNCTION(get_batch_size), TRT_FUNCTION(get_batch), \
        TRT_FUNCTION(hand_over_cache), TRT_FUNCTION(write_cache), TRT_FUNCTION(algorithm)
TRT_INTERFACE_INFO(legacy_info, "IInt8Calibrator")
TRT_INTERFACE_INFO(entropy_info, "IInt8EntropyCalibrator")
TRT_INTERFACE_INFO(entropy2_info, "IInt8EntropyCalibrator2")
TRT_INTERFACE_INFO(minmax_info, "IInt8MinMaxCalibrator")
TRT_VTABLE(legacy_vtable, CALIBRATOR(legacy_info, is_legacy), TRT_FUNCTION(get_quantile),
           TRT_FUNCTION(get_cutoff), TRT_FUNCTION(read_no_histogram), TRT_FUNCTION(write_no_histogram));
TRT_VTABLE(entropy_vtable, CALIBRATOR(entropy_info, is_entropy));
TRT_VTABLE(entropy2_vtable, CALIBRATOR(entropy2_info, is_entropy2));
TRT_VTABLE(minmax_vtable, CALIBRATOR(minmax_info, is_minmax));

static void *const *vtable_of(pg_calibrator calibrator)
{
    switch (calibrator) {
    case PG_CALIBRATOR_LEGACY:
        return TRT_VTABLE_START(legacy_vtable);
    case PG_CALIBRATOR_ENTROPY:
        return TRT_VTABLE_START(entropy_vtable);
    case PG_CALIBRATOR_MINMAX:
        return TRT_VTABLE_START(minmax_vtable);
    default:
        return TRT_VTABLE_START(entropy2_vtable);
    }
}

/* ---- Setting it ---- */

static bool is_quantized(pg_trt_network *network)
{
    pg_trt *trt = network->trt;
    for (int32_t i = 0; i < TRT_CALL(trt, network_n_layers, network->network); i++) {
        trt_object *layer = TRT_CALL(trt, network_layer, network->network, i);
        const char *type = trt_enum_name(trt->family, TRT_LAYER_TYPE, TRT_CALL(trt, layer_type, layer));
        if (type != NULL && (strcmp(type, "QUANTIZE") == 0 || strcmp(type, "DEQUANTIZE") == 0))
            return true;
    }
    return false;
}

/* Open sizes are those that the profile is tuned for. */
static void find_inputs(pg_trt_calibrator *self, pg_trt_network *network, trt_object *profile)
{
    pg_trt *trt = network->trt;
    int32_t count = TRT_CALL(trt, network_n_inputs, network->network);
    pg_io *items = PG_ARENA_ARRAY(&self->arena, pg_io, (size_t)count + 1);
    for (int32_t i = 0; i < count; i++) {
        trt_object *tensor = TRT_CALL(trt, network_input, network->network, i);
        const char *name = TRT_CALL(trt, tensor_name, tensor);
        trt_dims dims = TRT_CALL(trt, tensor_dims, tensor);
        if (profile != NULL && !TRT_CALL(trt, tensor_is_shape, tensor))
            dims = TRT_CALL(trt, profile_get_dims, profile, name, TRT_PROFILE_OPT);
        pg_dtype dtype = pg_trt_dtype(TRT_CALL(trt, tensor_dtype, tensor));
        items[i].name = pg_arena_str(&self->arena, pg_str_c(name));
        items[i].type = pg_trt_tensor_type(&self->arena, dtype, &dims);
    }
    self->inputs = (pg_io_list){items, (size_t)count};
}

pg_status pg_trt_set_calibrator(pg_trt_network *network, trt_object *config, const pg_trt_options *options,
                                trt_object *profile)
{
    pg_trt *trt = network->trt;
    pg_trt_calibrator *self = &network->calibrator;
    bool asked = pg_trt_asks_for(options, "--int8");
    if (!asked && options->calibration_cache != NULL)
        PG_LOG_WARNING("Option: --calibration-cache does nothing without --int8.");
    if (!asked || !TRT_HAS(trt, config_set_calibrator) || options->strongly_typed)
        return NULL; /* or the model has been quantized */
    if (is_quantized(network)) {
        PG_LOG_INFO("The network has quantization layers: their scales are used, and nothing is calibrated.");
        return NULL;
    }
    *self = (pg_trt_calibrator){
        .vtable = vtable_of(options->calibration.calibrator), .trt = trt, .options = options};
    find_inputs(self, network, profile);
    PG_TRY(read_cache(self));
    TRT_CALL(trt, config_set_calibrator, config, self);
    if (profile != NULL && !TRT_CALL(trt, config_set_calibration_profile, config, profile))
        return pg_trt_failed(trt, "set the profile to calibrate with");
    return NULL;
}

void pg_trt_calibrator_deinit(pg_trt_calibrator *self)
{
    for (size_t i = 0; self->buffers != NULL && i < self->inputs.count; i++)
        pg_cuda_buffer_deinit(self->cuda, &self->buffers[i]);
    if (self->stream != NULL)
        self->cuda->stream_destroy(self->stream);
    if (self->is_open)
        self->options->feeds.close(self->options->feeds.context);
    pg_feed_deinit(&self->feed);
    pg_buf_deinit(&self->cache);
    pg_arena_deinit(&self->arena);
    pg_status_drop(self->failed);
    *self = (pg_trt_calibrator){0};
}
