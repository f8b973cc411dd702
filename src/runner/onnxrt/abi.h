/* The part of ONNX Runtime's C interface that is used, declared by hand: no header of the runtime is needed.
 *
 * The library exports OrtGetApiBase(). Its GetApi(version) answers a table of function pointers to which new
 * versions only append, so a function is known by its slot number. Functions that can fail return a status
 * that must be released; NULL is success. Names are UTF-8. */
#ifndef PG_RUNNER_ONNXRT_ABI_H
#define PG_RUNNER_ONNXRT_ABI_H

#include <stddef.h>
#include <stdint.h>

typedef struct ort_status ort_status;
typedef struct ort_env ort_env;
typedef struct ort_session ort_session;
typedef struct ort_session_options ort_session_options;
typedef struct ort_run_options ort_run_options;
typedef struct ort_value ort_value;
typedef struct ort_memory_info ort_memory_info;
typedef struct ort_allocator ort_allocator;
typedef struct ort_type_info ort_type_info;
typedef struct ort_tensor_info ort_tensor_info; /* element type and shape */
typedef struct ort_map_info ort_map_info;
typedef struct ort_sequence_info ort_sequence_info;
typedef struct ort_optional_info ort_optional_info;
typedef struct ort_cuda_options ort_cuda_options;
typedef struct ort_tensorrt_options ort_tensorrt_options;

enum { ORT_API_VERSION_USED = 16 }; /* the first that has every slot below; asked of ONNX Runtime 1.16 on */

enum { ORT_NO_SUCH_FILE = 3, ORT_NOT_IMPLEMENTED = 9 };

enum {
    ORT_TYPE_UNKNOWN = 0,
    ORT_TYPE_TENSOR = 1,
    ORT_TYPE_SEQUENCE = 2,
    ORT_TYPE_MAP = 3,
    ORT_TYPE_OPAQUE = 4,
    ORT_TYPE_SPARSE_TENSOR = 5,
    ORT_TYPE_OPTIONAL = 6,
};

/* Element types have ONNX's numbers up to 23; then the two lists differ. */
enum { ORT_ELEM_U2 = 24, ORT_ELEM_I2 = 25, ORT_ELEM_F8E8M0 = 26 };

enum { ORT_LOG_VERBOSE, ORT_LOG_INFO, ORT_LOG_WARNING, ORT_LOG_ERROR, ORT_LOG_FATAL };
enum { ORT_ALLOCATOR_ARENA = 1, ORT_MEMORY_DEFAULT = 0 };

typedef void (*ort_log_fn)(void *context, int severity, const char *category, const char *log_id,
                           const char *location, const char *message);

/* X(slot, result, name, arguments) */
#define ORT_SLOTS(X)                                                                                         \
    X(1, int, error_code, (const ort_status *))                                                              \
    X(2, const char *, error_message, (const ort_status *))                                                  \
    X(4, ort_status *, create_env, (ort_log_fn, void *, int severity, const char *id, ort_env **))           \
    X(7, ort_status *, create_session,                                                                       \
      (const ort_env *, const char *path, const ort_session_options *, ort_session **))                      \
    X(8, ort_status *, create_session_from_memory,                                                           \
      (const ort_env *, const void *model, size_t size, const ort_session_options *, ort_session **))        \
    X(9, ort_status *, run,                                                                                  \
      (ort_session *, const ort_run_options *, const char *const *input_names, const ort_value *const *,     \
       size_t n_inputs, const char *const *output_names, size_t n_outputs, ort_value **))                    \
    X(10, ort_status *, create_session_options, (ort_session_options **))                                    \
    X(23, ort_status *, set_optimization_level, (ort_session_options *, int))                                \
    X(24, ort_status *, set_intra_op_threads, (ort_session_options *, int))                                  \
    X(25, ort_status *, set_inter_op_threads, (ort_session_options *, int))                                  \
    X(30, ort_status *, input_count, (const ort_session *, size_t *))                                        \
    X(31, ort_status *, output_count, (const ort_session *, size_t *))                                       \
    X(33, ort_status *, input_type, (const ort_session *, size_t, ort_type_info **))                         \
    X(34, ort_status *, output_type, (const ort_session *, size_t, ort_type_info **))                        \
    X(36, ort_status *, input_name, (const ort_session *, size_t, ort_allocator *, char **))                 \
    X(37, ort_status *, output_name, (const ort_session *, size_t, ort_allocator *, char **))                \
    X(48, ort_status *, create_tensor,                                                                       \
      (ort_allocator *, const int64_t *dims, size_t rank, int elem, ort_value **))                           \
    X(49, ort_status *, create_tensor_over,                                                                  \
      (const ort_memory_info *, void *data, size_t size, const int64_t *dims, size_t rank, int elem,         \
       ort_value **))                                                                                        \
    X(51, ort_status *, tensor_data, (ort_value *, void **))                                                 \
    X(53, ort_status *, strings_size, (const ort_value *, size_t *))                                         \
    X(54, ort_status *, strings_content, (const ort_value *, void *, size_t, size_t *offsets, size_t))       \
    X(55, ort_status *, type_as_tensor, (const ort_type_info *, const ort_tensor_info **))                   \
    X(56, ort_status *, type_kind, (const ort_type_info *, int *))                                           \
    X(60, ort_status *, tensor_elem, (const ort_tensor_info *, int *))                                       \
    X(61, ort_status *, tensor_rank, (const ort_tensor_info *, size_t *))                                    \
    X(62, ort_status *, tensor_dims, (const ort_tensor_info *, int64_t *, size_t))                           \
    X(63, ort_status *, tensor_symbols, (const ort_tensor_info *, const char **, size_t))                    \
    X(65, ort_status *, value_tensor_info, (const ort_value *, ort_tensor_info **))                          \
    X(67, ort_status *, value_kind, (const ort_value *, int *))                                              \
    X(69, ort_status *, create_cpu_memory_info, (int allocator, int memory, ort_memory_info **))             \
    X(76, ort_status *, allocator_free, (ort_allocator *, void *))                                           \
    X(78, ort_status *, default_allocator, (ort_allocator **))                                               \
    X(80, ort_status *, value_item, (const ort_value *, int, ort_allocator *, ort_value **))                 \
    X(81, ort_status *, value_item_count, (const ort_value *, size_t *))                                     \
    X(82, ort_status *, create_container, (const ort_value *const *, size_t, int kind, ort_value **))        \
    X(92, void, release_env, (ort_env *))                                                                    \
    X(93, void, release_status, (ort_status *))                                                              \
    X(94, void, release_memory_info, (ort_memory_info *))                                                    \
    X(95, void, release_session, (ort_session *))                                                            \
    X(96, void, release_value, (ort_value *))                                                                \
    X(98, void, release_type, (ort_type_info *))                                                             \
    X(99, void, release_tensor_info, (ort_tensor_info *))                                                    \
    X(100, void, release_session_options, (ort_session_options *))                                           \
    X(103, ort_status *, type_as_map, (const ort_type_info *, const ort_map_info **))                        \
    X(104, ort_status *, type_as_sequence, (const ort_type_info *, const ort_sequence_info **))              \
    X(105, ort_status *, map_key, (const ort_map_info *, int *))                                             \
    X(106, ort_status *, map_value, (const ort_map_info *, ort_type_info **))                                \
    X(107, ort_status *, sequence_element, (const ort_sequence_info *, ort_type_info **))                    \
    X(125, ort_status *, available_providers, (char ***, int *))                                             \
    X(126, ort_status *, release_providers, (char **, int))                                                  \
    X(130, ort_status *, add_config, (ort_session_options *, const char *key, const char *value))            \
    X(170, ort_status *, append_tensorrt, (ort_session_options *, const ort_tensorrt_options *))             \
    X(171, ort_status *, create_tensorrt_options, (ort_tensorrt_options **))                                 \
    X(174, void, release_tensorrt_options, (ort_tensorrt_options *))                                         \
    X(192, ort_status *, has_value, (const ort_value *, int *))                                              \
    X(204, ort_status *, append_cuda, (ort_session_options *, const ort_cuda_options *))                     \
    X(205, ort_status *, create_cuda_options, (ort_cuda_options **))                                         \
    X(208, void, release_cuda_options, (ort_cuda_options *))                                                 \
    X(216, ort_status *, append_provider,                                                                    \
      (ort_session_options *, const char *name, const char *const *keys, const char *const *values, size_t)) \
    X(250, ort_status *, type_as_optional, (const ort_type_info *, const ort_optional_info **))              \
    X(251, ort_status *, optional_element, (const ort_optional_info *, ort_type_info **))                    \
    X(252, ort_status *, string_buffer, (ort_value *, size_t index, size_t size, char **))

#define ORT_MEMBER(slot, result, name, arguments) result(*name) arguments;
typedef struct ort_api {
    ORT_SLOTS(ORT_MEMBER)
} ort_api;
#undef ORT_MEMBER

typedef struct ort_api_base {
    void *const *(*get_api)(uint32_t version); /* the table; NULL for a version it does not know */
    const char *(*get_version)(void);          /* "1.31.1" */
} ort_api_base;

#endif
