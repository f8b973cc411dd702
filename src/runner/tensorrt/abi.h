/* The part of TensorRT's C++ interface that is used, declared by hand: no header of the library is needed.
 *
 * An API object is {its own vtable, the implementation}; what its methods do is forwarded to the
 * implementation's vtable, where a method is known by its slot. Which slot depends on the family: TensorRT 10
 * and 11, TensorRT-RTX up to 1.4 and from 1.5 on. Within a family slots are only appended. Structs of more
 * than 16 bytes are returned through memory, as in C.
 *
 *     trt_object *config = TRT_CALL(trt, builder_create_config, builder);
 *     TRT_CALL(trt, config_set_flag, config, flag);
 *     trt_delete(config);
 *
 * Memory that a call returns by name (const char *) belongs to the object. */
#ifndef PG_RUNNER_TENSORRT_ABI_H
#define PG_RUNNER_TENSORRT_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef enum trt_family { TRT_10, TRT_11, TRT_RTX_1_4, TRT_RTX_1_5, TRT_FAMILIES } trt_family;

typedef struct trt_object trt_object;
struct trt_object {
    void *const *vtable;
    trt_object *impl; /* parsers, their errors and the plugin registry have none */
    trt_object *own;  /* layers only: what is special to their type */
};

enum { TRT_MAX_RANK = 8 };
typedef struct trt_dims {
    int32_t rank; /* -1: not known */
    int64_t d[TRT_MAX_RANK];
} trt_dims;

/* Passed by value, on the stack; returned through memory. */
typedef struct trt_weights {
    int32_t dtype;
    const void *values;
    int64_t count;
} trt_weights;

typedef struct trt_interface_info {
    const char *kind;
    int32_t major, minor;
} trt_interface_info;

typedef void (*trt_function)(void);

/* Numbers that are the same in every family. */
enum { TRT_PROFILE_MIN, TRT_PROFILE_OPT, TRT_PROFILE_MAX };
enum { TRT_SEVERITY_INTERNAL_ERROR, TRT_SEVERITY_ERROR, TRT_SEVERITY_WARNING, TRT_SEVERITY_INFO };
enum { TRT_IO_INPUT = 1, TRT_IO_OUTPUT = 2 };
enum { TRT_ON_DEVICE, TRT_ON_HOST };
enum { TRT_FORMAT_ONELINE, TRT_FORMAT_JSON };
enum { TRT_CONTEXT_STATIC, TRT_CONTEXT_ON_PROFILE_CHANGE, TRT_CONTEXT_USER_MANAGED };
enum { TRT_DEVICE_GPU, TRT_DEVICE_DLA };

/* X(whose vtable, name, result, arguments, slot in TensorRT 10, 11, TensorRT-RTX 1.4, 1.5); -1: not there. */
#define TRT_FUNCTIONS(X)                                                                                     \
    X(IMPL, memory_data, void *, (void *self), 2, 2, 2, 2)                                                   \
    X(IMPL, memory_size, size_t, (void *self), 3, 3, 3, 3)                                                   \
    X(IMPL, builder_create_config, trt_object *, (void *self), 7, 5, 7, 5)                                   \
    X(IMPL, builder_create_network, trt_object *, (void *self, uint32_t flags), 8, 6, 8, 6)                  \
    X(IMPL, builder_create_profile, trt_object *, (void *self), 9, 7, 9, 7)                                  \
    X(IMPL, builder_set_error_recorder, void, (void *self, void *recorder), 10, 8, 10, 8)                    \
    X(IMPL, builder_build, trt_object *, (void *self, trt_object *network, trt_object *config), 14, 11, 14,  \
      11)                                                                                                    \
    X(IMPL, builder_set_max_threads, bool, (void *self, int32_t count), 17, 14, 17, 14)                      \
    X(IMPL, builder_get_max_threads, int32_t, (void *self), 18, 15, 18, 15)                                  \
    X(IMPL, builder_n_dla_cores, int32_t, (void *self), 5, 3, 5, 3)                                          \
    X(IMPL, config_set_engine_capability, void, (void *self, int32_t capability), 4, 4, 4, 4)                \
    X(IMPL, config_get_engine_capability, int32_t, (void *self), 5, 5, 5, 5)                                 \
    X(IMPL, config_set_flag, void, (void *self, int32_t flag), 11, 9, 9, 9)                                  \
    X(IMPL, config_clear_flag, void, (void *self, int32_t flag), 10, 8, 8, 8)                                \
    X(IMPL, config_get_flag, bool, (void *self, int32_t flag), 12, 10, 10, 10)                               \
    X(IMPL, config_set_default_device, void, (void *self, int32_t device), 20, 18, 18, 18)                   \
    X(IMPL, config_set_dla_core, void, (void *self, int32_t core), 18, 16, 16, 16)                           \
    X(IMPL, config_add_profile, int32_t, (void *self, const trt_object *profile), 25, 23, 23, 23)            \
    X(IMPL, config_set_profiling_verbosity, void, (void *self, int32_t verbosity), 27, 25, 25, 25)           \
    X(IMPL, config_get_profiling_verbosity, int32_t, (void *self), 28, 26, 26, 26)                           \
    X(IMPL, config_set_tactic_sources, bool, (void *self, uint32_t sources), 38, 27, 27, 27)                 \
    X(IMPL, config_get_tactic_sources, uint32_t, (void *self), 39, 28, 28, 28)                               \
    X(IMPL, config_create_timing_cache, trt_object *, (void *self, const void *bytes, size_t size), 40, 29,  \
      29, 29)                                                                                                \
    X(IMPL, config_set_timing_cache, bool, (void *self, const trt_object *cache, bool ignore_mismatch), 41,  \
      30, 30, 30)                                                                                            \
    X(IMPL, config_get_timing_cache, const trt_object *, (void *self), 42, 31, 31, 31)                       \
    X(IMPL, config_set_pool_limit, void, (void *self, int32_t pool, size_t bytes), 43, 32, 32, 32)           \
    X(IMPL, config_get_pool_limit, size_t, (void *self, int32_t pool), 44, 33, 33, 33)                       \
    X(IMPL, config_set_preview, void, (void *self, int32_t feature, bool on), 45, 34, 34, 34)                \
    X(IMPL, config_get_preview, bool, (void *self, int32_t feature), 46, 35, 35, 35)                         \
    X(IMPL, config_set_level, void, (void *self, int32_t level), 47, 36, 36, 36)                             \
    X(IMPL, config_get_level, int32_t, (void *self), 48, 37, 37, 37)                                         \
    X(IMPL, config_set_hardware_compatibility, void, (void *self, int32_t level), 49, 38, 38, 38)            \
    X(IMPL, config_get_hardware_compatibility, int32_t, (void *self), 50, 39, 39, 39)                        \
    X(IMPL, config_set_max_aux_streams, void, (void *self, int32_t count), 54, 43, 43, 43)                   \
    X(IMPL, config_get_max_aux_streams, int32_t, (void *self), 55, 44, 44, 44)                               \
    X(IMPL, config_set_progress_monitor, void, (void *self, void *monitor), 56, 45, 45, 45)                  \
    X(IMPL, config_set_runtime_platform, void, (void *self, int32_t platform), 58, 47, 47, 47)               \
    X(IMPL, config_get_runtime_platform, int32_t, (void *self), 59, 48, 48, 48)                              \
    X(IMPL, config_set_tiling_level, bool, (void *self, int32_t level), 62, 51, 51, 51)                      \
    X(IMPL, config_get_tiling_level, int32_t, (void *self), 63, 52, 52, 52)                                  \
    X(IMPL, config_set_n_capabilities, bool, (void *self, int32_t count), -1, -1, 55, 55)                    \
    X(IMPL, config_set_capability, bool, (void *self, int32_t capability, int32_t index), -1, -1, 57, 57)    \
    X(IMPL, config_get_capability, int32_t, (void *self, int32_t index), -1, -1, 58, 58)                     \
    X(IMPL, config_set_quantization_flag, void, (void *self, int32_t flag), 36, -1, -1, -1)                  \
    X(IMPL, config_clear_quantization_flag, void, (void *self, int32_t flag), 35, -1, -1, -1)                \
    X(IMPL, config_set_calibrator, void, (void *self, void *calibrator), 6, -1, -1, -1)                      \
    X(IMPL, config_set_calibration_profile, bool, (void *self, const trt_object *profile), 31, -1, -1, -1)   \
    X(IMPL, config_set_selector, void, (void *self, void *selector), 29, -1, -1, -1)                         \
    X(IMPL, choice_name, const char *, (void *self), 2, -1, -1, -1)                                          \
    X(IMPL, choice_n_inputs, int32_t, (void *self), 4, -1, -1, -1)                                           \
    X(IMPL, choice_n_outputs, int32_t, (void *self), 5, -1, -1, -1)                                          \
    X(IMPL, algorithm_variant, const trt_object *, (void *self), 2, -1, -1, -1)                              \
    X(IMPL, algorithm_info, const trt_object *, (void *self, int32_t index), 5, -1, -1, -1)                  \
    X(IMPL, variant_implementation, int64_t, (void *self), 2, -1, -1, -1)                                    \
    X(IMPL, variant_tactic, int64_t, (void *self), 3, -1, -1, -1)                                            \
    X(IMPL, info_dtype, int32_t, (void *self), 2, -1, -1, -1)                                                \
    X(IMPL, info_strides, trt_dims, (void *self), 3, -1, -1, -1)                                             \
    X(IMPL, info_vectorized_dim, int64_t, (void *self), 4, -1, -1, -1)                                       \
    X(IMPL, info_components, int64_t, (void *self), 5, -1, -1, -1)                                           \
    X(IMPL, timing_cache_serialize, trt_object *, (void *self), 2, 2, 2, 2)                                  \
    X(IMPL, profile_set_dims, bool, (void *self, const char *input, int32_t which, const trt_dims *dims), 2, \
      2, 2, 2)                                                                                               \
    X(IMPL, profile_get_dims, trt_dims, (void *self, const char *input, int32_t which), 3, 3, 3, 3)          \
    X(IMPL, profile_set_values, bool,                                                                        \
      (void *self, const char *input, int32_t which, const int64_t *values, int32_t count), 10, 8, 10, 8)    \
    X(IMPL, profile_is_valid, bool, (void *self), 9, 7, 9, 7)                                                \
    X(IMPL, network_add_input, trt_object *,                                                                 \
      (void *self, const char *name, int32_t dtype, const trt_dims *dims), 2, 2, 2, 2)                       \
    X(IMPL, network_mark_output, void, (void *self, trt_object *tensor), 3, 3, 3, 3)                         \
    X(IMPL, network_unmark_output, void, (void *self, trt_object *tensor), 26, 26, 26, 26)                   \
    X(IMPL, network_remove_tensor, void, (void *self, trt_object *tensor), 25, 25, 25, 25)                   \
    X(IMPL, network_n_layers, int32_t, (void *self), 12, 12, 12, 12)                                         \
    X(IMPL, network_layer, trt_object *, (void *self, int32_t index), 13, 13, 13, 13)                        \
    X(IMPL, network_n_inputs, int32_t, (void *self), 14, 14, 14, 14)                                         \
    X(IMPL, network_input, trt_object *, (void *self, int32_t index), 15, 15, 15, 15)                        \
    X(IMPL, network_n_outputs, int32_t, (void *self), 16, 16, 16, 16)                                        \
    X(IMPL, network_output, trt_object *, (void *self, int32_t index), 17, 17, 17, 17)                       \
    X(IMPL, network_set_name, void, (void *self, const char *name), 30, 30, 28, 28)                          \
    X(IMPL, network_get_name, const char *, (void *self), 31, 31, 29, 29)                                    \
    X(IMPL, network_get_flag, bool, (void *self, int32_t flag), 65, 62, 61, 60)                              \
    X(IMPL, network_mark_debug, bool, (void *self, trt_object *tensor), 69, 66, 65, 64)                      \
    X(IMPL, network_mark_unfused_debug, bool, (void *self), 79, 76, 75, 74)                                  \
    X(IMPL, tensor_name, const char *, (void *self), 3, 3, 3, 3)                                             \
    X(IMPL, tensor_dims, trt_dims, (void *self), 5, 5, 5, 5)                                                 \
    X(IMPL, tensor_dtype, int32_t, (void *self), 7, 6, 7, 6)                                                 \
    X(IMPL, tensor_set_dtype, void, (void *self, int32_t dtype), 6, -1, 6, -1)                               \
    X(IMPL, tensor_is_input, bool, (void *self), 9, 7, 8, 7)                                                 \
    X(IMPL, tensor_is_output, bool, (void *self), 10, 8, 9, 8)                                               \
    X(IMPL, tensor_set_formats, void, (void *self, uint32_t formats), 19, 13, 10, 9)                         \
    X(IMPL, tensor_is_shape, bool, (void *self), 21, 15, 12, 11)                                             \
    X(IMPL, tensor_dim_name, const char *, (void *self, int32_t index), 24, 18, 15, 14)                      \
    X(IMPL, layer_type, int32_t, (void *self), 2, 2, 2, 2)                                                   \
    X(IMPL, layer_name, const char *, (void *self), 4, 4, 4, 4)                                              \
    X(IMPL, layer_n_inputs, int32_t, (void *self), 5, 5, 5, 5)                                               \
    X(IMPL, layer_input, trt_object *, (void *self, int32_t index), 6, 6, 6, 6)                              \
    X(IMPL, layer_n_outputs, int32_t, (void *self), 7, 7, 7, 7)                                              \
    X(IMPL, layer_output, trt_object *, (void *self, int32_t index), 8, 8, 8, 8)                             \
    X(IMPL, layer_set_precision, void, (void *self, int32_t dtype), 10, -1, 10, -1)                          \
    X(OWN, activation_type, int32_t, (void *self), 3, 3, 3, 3)                                               \
    X(OWN, pooling_type, int32_t, (void *self), 3, 3, 3, 3)                                                  \
    X(OWN, boundary_attention, trt_object *, (void *self), 2, 2, 2, 2)                                       \
    X(IMPL, attention_set_decomposable, bool, (void *self, bool on), 15, 15, 15, 15)                         \
    X(IMPL, attention_get_decomposable, bool, (void *self), 16, 16, 16, 16)                                  \
    X(IMPL, runtime_deserialize, trt_object *, (void *self, const void *bytes, size_t size), 3, 3, 3, 3)     \
    X(IMPL, runtime_set_dla_core, void, (void *self, int32_t core), 5, 4, 5, 4)                              \
    X(IMPL, runtime_set_error_recorder, void, (void *self, void *recorder), 9, 8, 9, 8)                      \
    X(IMPL, runtime_set_max_threads, bool, (void *self, int32_t count), 12, 11, 12, 11)                      \
    X(IMPL, runtime_get_max_threads, int32_t, (void *self), 13, 12, 13, 12)                                  \
    X(IMPL, runtime_load_runtime, trt_object *, (void *self, const char *path), 20, 19, 20, 19)              \
    X(IMPL, runtime_set_host_code_allowed, void, (void *self, bool allowed), 21, 20, 21, 20)                 \
    X(IMPL, runtime_engine_validity, int32_t,                                                                \
      (void *self, const void *bytes, int64_t size, uint64_t *diagnostics), -1, -1, 25, 24)                  \
    X(IMPL, refitter_refit, bool, (void *self), 4, 4, 4, 4)                                                  \
    X(IMPL, refitter_set_error_recorder, void, (void *self, void *recorder), 11, 7, 11, 7)                   \
    X(IMPL, refitter_set_weights, bool, (void *self, const char *name, trt_weights weights), 13, 9, 13, 9)   \
    X(IMPL, refitter_get_missing, int32_t, (void *self, int32_t size, const char **names), 14, 10, 14, 10)   \
    X(IMPL, refitter_prototype, trt_weights, (void *self, const char *name), 26, 22, 26, 22)                 \
    X(IMPL, engine_n_layers, int32_t, (void *self), 3, 3, 3, 3)                                              \
    X(IMPL, engine_create_context, trt_object *, (void *self, int32_t strategy), 5, 5, 5, 5)                 \
    X(IMPL, engine_is_refittable, bool, (void *self), 8, 6, 6, 6)                                            \
    X(IMPL, engine_name, const char *, (void *self), 9, 7, 7, 7)                                             \
    X(IMPL, engine_n_profiles, int32_t, (void *self), 10, 8, 8, 8)                                           \
    X(IMPL, engine_create_inspector, trt_object *, (void *self), 18, 14, 16, 14)                             \
    X(IMPL, engine_shape, trt_dims, (void *self, const char *name), 19, 15, 17, 15)                          \
    X(IMPL, engine_dtype, int32_t, (void *self, const char *name), 20, 16, 18, 16)                           \
    X(IMPL, engine_location, int32_t, (void *self, const char *name), 21, 17, 19, 17)                        \
    X(IMPL, engine_is_shape_io, bool, (void *self, const char *name), 22, 18, 20, 18)                        \
    X(IMPL, engine_io_mode, int32_t, (void *self, const char *name), 23, 19, 21, 19)                         \
    X(IMPL, engine_format_text, const char *, (void *self, const char *name, int32_t profile), 37, 33, 35,   \
      33)                                                                                                    \
    X(IMPL, engine_format, int32_t, (void *self, const char *name, int32_t profile), 36, 32, 34, 32)         \
    X(IMPL, engine_vectorized_dim, int32_t, (void *self, const char *name, int32_t profile), 38, 34, 36, 34) \
    X(IMPL, engine_profile_shape, trt_dims, (void *self, const char *name, int32_t profile, int32_t which),  \
      29, 25, 27, 25)                                                                                        \
    X(IMPL, engine_profile_values, const int64_t *,                                                          \
      (void *self, const char *name, int32_t profile, int32_t which), 54, 46, 52, 46)                        \
    X(IMPL, engine_n_io, int32_t, (void *self), 30, 26, 28, 26)                                              \
    X(IMPL, engine_io_name, const char *, (void *self, int32_t index), 31, 27, 29, 27)                       \
    X(IMPL, engine_device_memory, int64_t, (void *self), 52, 44, 50, 44)                                     \
    X(IMPL, engine_device_memory_for, int64_t, (void *self, int32_t profile), 53, 45, 51, 45)                \
    X(IMPL, engine_is_debug_tensor, bool, (void *self, const char *name), 47, 39, 45, 39)                    \
    X(IMPL, engine_streamable_weights, int64_t, (void *self), 46, 38, 44, 38)                                \
    X(IMPL, engine_set_streaming_budget, bool, (void *self, int64_t bytes), 48, 40, 46, 40)                  \
    X(IMPL, engine_automatic_streaming_budget, int64_t, (void *self), 50, 42, 48, 42)                        \
    X(IMPL, engine_serialize, trt_object *, (void *self), 4, 4, 4, 4)                                        \
    X(IMPL, inspector_set_context, bool, (void *self, const trt_object *context), 3, 3, 3, 3)                \
    X(IMPL, inspector_layer, const char *, (void *self, int32_t index, int32_t format), 5, 5, 5, 5)          \
    X(IMPL, inspector_engine, const char *, (void *self, int32_t format), 6, 6, 6, 6)                        \
    X(IMPL, context_set_profiler, void, (void *self, void *profiler), 5, 5, 5, 5)                            \
    X(IMPL, context_set_error_recorder, void, (void *self, void *recorder), 14, 13, 14, 13)                  \
    X(IMPL, context_set_profile, bool, (void *self, int32_t profile, void *stream), 17, 16, 17, 16)          \
    X(IMPL, context_set_input_shape, bool, (void *self, const char *name, const trt_dims *dims), 21, 20, 21, \
      20)                                                                                                    \
    X(IMPL, context_shape, trt_dims, (void *self, const char *name), 22, 21, 22, 21)                         \
    X(IMPL, context_set_address, bool, (void *self, const char *name, void *address), 24, 23, 24, 23)        \
    X(IMPL, context_infer_shapes, int32_t, (void *self, int32_t count, const char **missing), 28, 27, 28,    \
      27)                                                                                                    \
    X(IMPL, context_set_output_allocator, bool, (void *self, const char *name, void *allocator), 32, 31, 32, \
      31)                                                                                                    \
    X(IMPL, context_max_output_size, int64_t, (void *self, const char *name), 34, 33, 34, 33)                \
    X(IMPL, context_enqueue, bool, (void *self, void *stream), 37, 36, 37, 36)                               \
    X(IMPL, context_set_debug_listener, bool, (void *self, void *listener), 43, 42, 43, 42)                  \
    X(IMPL, context_set_debug_state, bool, (void *self, bool on), 47, 46, 47, 46)                            \
    X(IMPL, context_set_tensor_debug_state, bool, (void *self, const char *name, bool on), 45, 44, 45, 44)   \
    X(IMPL, context_set_unfused_debug_state, bool, (void *self, bool on), 51, 50, 51, 50)                    \
    X(IMPL, context_device_memory_for_shapes, size_t, (void *self), 48, 47, 48, 47)                          \
    X(IMPL, context_set_device_memory, void, (void *self, void *memory, int64_t size), 49, 48, 49, 48)       \
    X(SELF, parser_parse, bool, (void *self, const void *bytes, size_t size, const char *path), 0, 0, 0, 0)  \
    X(SELF, parser_parse_file, bool, (void *self, const char *path, int severity), 1, 1, 1, 1)               \
    X(SELF, parser_n_errors, int, (void *self), 5, 3, 5, 3)                                                  \
    X(SELF, parser_error, const trt_object *, (void *self, int index), 6, 4, 6, 4)                           \
    X(SELF, parser_clear_errors, void, (void *self), 7, 5, 7, 5)                                             \
    X(SELF, parser_delete, void, (void *self), 9, 7, 9, 7)                                                   \
    X(SELF, parser_set_flag, void, (void *self, int32_t flag), 14, 12, 14, 12)                               \
    X(SELF, parser_clear_flag, void, (void *self, int32_t flag), 13, 11, 13, 11)                             \
    X(SELF, parser_get_flag, bool, (void *self, int32_t flag), 15, 13, 15, 13)                               \
    X(SELF, parser_supports_model, bool, (void *self, const void *bytes, size_t size, const char *path), 17, \
      15, 17, 15)                                                                                            \
    X(SELF, parser_n_subgraphs, int64_t, (void *self), 18, 16, 18, 16)                                       \
    X(SELF, parser_subgraph_supported, bool, (void *self, int64_t index), 19, 17, 19, 17)                    \
    X(SELF, parser_subgraph_nodes, int64_t *, (void *self, int64_t index, int64_t *out_count), 20, 18, 20,   \
      18)                                                                                                    \
    X(SELF, error_code, int32_t, (void *self), 0, 0, 0, 0)                                                   \
    X(SELF, error_text, const char *, (void *self), 1, 1, 1, 1)                                              \
    X(SELF, error_node, int, (void *self), 5, 5, 5, 5)                                                       \
    X(SELF, error_node_name, const char *, (void *self), 6, 6, 6, 6)                                         \
    X(SELF, error_operator, const char *, (void *self), 7, 7, 7, 7)                                          \
    X(SELF, registry_load_library, void *, (void *self, const char *path), 10, 6, 10, 6)

enum { TRT_TARGET_IMPL, TRT_TARGET_SELF, TRT_TARGET_OWN };

#define TRT_ENUM(target, name, result, arguments, s10, s11, r14, r15) TRT_FN_##name,
typedef enum trt_fn { TRT_FUNCTIONS(TRT_ENUM) TRT_FN_COUNT } trt_fn;
#undef TRT_ENUM
#define TRT_TYPE(target, name, result, arguments, s10, s11, r14, r15) \
    typedef result(*trt_fn_##name) arguments;
TRT_FUNCTIONS(TRT_TYPE)
#undef TRT_TYPE

typedef struct trt_slot_row {
    const char *name;
    uint8_t target;
    int16_t slots[TRT_FAMILIES];
} trt_slot_row;
extern const trt_slot_row trt_slot_rows[TRT_FN_COUNT];

/* Aborts the program for a method that the family lacks: ask TRT_HAS first. */
trt_function trt_entry(trt_family family, trt_fn fn, const trt_object *object);
static inline trt_object *trt_target(trt_fn fn, const trt_object *object)
{
    uint8_t target = trt_slot_rows[fn].target;
    return target == TRT_TARGET_IMPL  ? object->impl
           : target == TRT_TARGET_OWN ? object->own
                                      : (trt_object *)(uintptr_t)object;
}
#define TRT_CALL(trt, name, object, ...)                                                                    \
    ((trt_fn_##name)trt_entry((trt)->family, TRT_FN_##name, (object)))(trt_target(TRT_FN_##name, (object)), \
                                                                       ##__VA_ARGS__)
#define TRT_HAS(trt, name) (trt_slot_rows[TRT_FN_##name].slots[(trt)->family] >= 0)

/* Ends any object but a parser (parser_delete); NULL is fine. */
void trt_delete(trt_object *object);

#endif
