/* libpolygraphy: ONNX models on several runtimes, and how far apart their answers are.
 *
 * The library does what `polygraphy run` does, for programs. Link with `pkg-config --cflags --libs polygraphy`.
 *
 * Functions return POLYGRAPHY_OK or the kind of error; polygraphy_error_message then says what failed, on which
 * file, tensor or node. After an error the results of the call are NULL or untouched, so there is nothing to free.
 * Every object that a function hands out through a `**out` parameter belongs to the caller, who frees it with the
 * function named there; freeing NULL is fine. Texts and structs reached through a `const` pointer belong to the object
 * that they were asked of and live as long as it does.
 *
 * Structs of options begin with their size, so that they can grow: start from the INIT macro of each. NULL stands for
 * the defaults. The library is used by one thread at a time; it uses further threads itself. */
#ifndef POLYGRAPHY_H
#define POLYGRAPHY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Symbols that programs may use. */
#define POLYGRAPHY_API __attribute__((visibility("default")))

/* ==== Errors, version and log ==== */

/* What kind of thing went wrong. */
typedef enum polygraphy_code {
    POLYGRAPHY_OK = 0,
    POLYGRAPHY_INVALID,     /* an argument, a file or a model is wrong */
    POLYGRAPHY_NOT_FOUND,   /* a file or a name that should exist does not */
    POLYGRAPHY_IO,          /* the system could not read or write */
    POLYGRAPHY_UNAVAILABLE, /* a runtime is not installed */
    POLYGRAPHY_UNSUPPORTED, /* understood, but this library or the runtime cannot do it */
    POLYGRAPHY_RUNTIME,     /* a runtime failed; the message holds its own words */
    POLYGRAPHY_LIMIT,       /* a documented limit was exceeded */
    POLYGRAPHY_NO_MEMORY,   /* memory of tensor size could not be had */
    POLYGRAPHY_INTERRUPTED, /* the work was stopped from outside */
} polygraphy_code;

/* What failed in the calling thread's last call that did not return POLYGRAPHY_OK; "" when none did. Valid until the
 * thread's next call. */
POLYGRAPHY_API const char *polygraphy_error_message(void);

/* The library's version, "0.1.0". */
POLYGRAPHY_API const char *polygraphy_version(void);

/* How much the library says on standard output. */
typedef enum polygraphy_log_level {
    POLYGRAPHY_LOG_EXTRA_VERBOSE = 0,
    POLYGRAPHY_LOG_VERBOSE = 10,
    POLYGRAPHY_LOG_INFO = 20,
    POLYGRAPHY_LOG_WARNING = 30,
    POLYGRAPHY_LOG_ERROR = 40,
    POLYGRAPHY_LOG_SILENT = 50,
} polygraphy_log_level;

/* Lines below `level` are not printed. A library that nobody asked is silent. */
POLYGRAPHY_API void polygraphy_set_log_level(polygraphy_log_level level);

/* Frees a text that a function handed out as `char **out`. */
POLYGRAPHY_API void polygraphy_free_text(char *text);

/* ==== Arrays ==== */

/* Element types. The numbers are those of ONNX's TensorProto.DataType. */
typedef enum polygraphy_dtype {
    POLYGRAPHY_UNDEFINED = 0,
    POLYGRAPHY_FLOAT32 = 1,
    POLYGRAPHY_UINT8 = 2,
    POLYGRAPHY_INT8 = 3,
    POLYGRAPHY_UINT16 = 4,
    POLYGRAPHY_INT16 = 5,
    POLYGRAPHY_INT32 = 6,
    POLYGRAPHY_INT64 = 7,
    POLYGRAPHY_STRING = 8,
    POLYGRAPHY_BOOL = 9,
    POLYGRAPHY_FLOAT16 = 10,
    POLYGRAPHY_FLOAT64 = 11,
    POLYGRAPHY_UINT32 = 12,
    POLYGRAPHY_UINT64 = 13,
    POLYGRAPHY_COMPLEX64 = 14,
    POLYGRAPHY_COMPLEX128 = 15,
    POLYGRAPHY_BFLOAT16 = 16,
    POLYGRAPHY_FLOAT8E4M3FN = 17,
    POLYGRAPHY_FLOAT8E4M3FNUZ = 18,
    POLYGRAPHY_FLOAT8E5M2 = 19,
    POLYGRAPHY_FLOAT8E5M2FNUZ = 20,
    POLYGRAPHY_UINT4 = 21,
    POLYGRAPHY_INT4 = 22,
    POLYGRAPHY_FLOAT4E2M1 = 23,
    POLYGRAPHY_FLOAT8E8M0 = 24,
    POLYGRAPHY_UINT2 = 25,
    POLYGRAPHY_INT2 = 26,
} polygraphy_dtype;

/* "float32", "int64", ...; "undefined" for numbers that are no type. */
POLYGRAPHY_API const char *polygraphy_dtype_name(polygraphy_dtype dtype);

/* A dense array: a type, dimensions and elements in row-major order. Types below 8 bits are packed, the first element
 * in the low bits. Arrays are counted: each owner calls polygraphy_array_unref once. */
typedef struct polygraphy_array polygraphy_array;

/* An array with memory of its own, not initialised; fill it through polygraphy_array_data. Negative dimensions and
 * more than 16 of them are refused. Not for strings. */
POLYGRAPHY_API polygraphy_code polygraphy_array_new(polygraphy_dtype dtype, size_t rank, const int64_t *dims,
                                                    polygraphy_array **out);

/* An array of strings; `texts` has one text per element, in UTF-8, and is copied. */
POLYGRAPHY_API polygraphy_code polygraphy_array_new_strings(size_t rank, const int64_t *dims,
                                                            const char *const *texts, polygraphy_array **out);

/* An array over memory of the caller, which is not copied. When the last owner lets go, `release(context)` is called;
 * with a NULL `release` the memory simply has to outlive the array. On error `release` is not called. */
POLYGRAPHY_API polygraphy_code polygraphy_array_wrap(polygraphy_dtype dtype, size_t rank, const int64_t *dims,
                                                     void *data, void (*release)(void *context),
                                                     void *context, polygraphy_array **out);

/* One more owner of the same array. */
POLYGRAPHY_API polygraphy_array *polygraphy_array_ref(polygraphy_array *array);

/* One owner less; the last one frees it. */
POLYGRAPHY_API void polygraphy_array_unref(polygraphy_array *array);

/* Type, number of dimensions, dimensions, elements and bytes of an array. */
POLYGRAPHY_API polygraphy_dtype polygraphy_array_dtype(const polygraphy_array *array);
POLYGRAPHY_API size_t polygraphy_array_rank(const polygraphy_array *array);
POLYGRAPHY_API const int64_t *polygraphy_array_dims(const polygraphy_array *array);
POLYGRAPHY_API uint64_t polygraphy_array_count(const polygraphy_array *array);
POLYGRAPHY_API uint64_t polygraphy_array_bytes(const polygraphy_array *array);

/* The elements; NULL for arrays of strings. Arrays that a runner, a file or a model handed out may share their memory
 * with others and must not be written to. */
POLYGRAPHY_API void *polygraphy_array_data(const polygraphy_array *array);

/* Element `index` of an array of strings and its length in bytes; it need not end with a zero byte. NULL for other
 * types and indices outside. */
POLYGRAPHY_API const char *polygraphy_array_string(const polygraphy_array *array, uint64_t index,
                                                   size_t *out_length);

/* The elements as NumPy prints them. Free with polygraphy_free_text. */
POLYGRAPHY_API polygraphy_code polygraphy_array_text(const polygraphy_array *array, char **out);

/* One array from a .npy or .pb file, or the only one of a .json, .npz or .safetensors file. */
POLYGRAPHY_API polygraphy_code polygraphy_array_load(const char *path, polygraphy_array **out);

/* Writes one array; the format is the extension's. `name` is kept where the format has names, and may be NULL. */
POLYGRAPHY_API polygraphy_code polygraphy_array_save(const polygraphy_array *array, const char *path,
                                                     const char *name);

/* ==== Feeds ==== */

/* An ordered list of named values: the inputs of one inference, or its outputs. */
typedef struct polygraphy_feed polygraphy_feed;

/* An empty feed. Free with polygraphy_feed_free. */
POLYGRAPHY_API polygraphy_code polygraphy_feed_new(polygraphy_feed **out);
POLYGRAPHY_API void polygraphy_feed_free(polygraphy_feed *feed);

/* Puts an array under a name, in place of one that is there. The feed becomes another owner of the array. */
POLYGRAPHY_API polygraphy_code polygraphy_feed_set(polygraphy_feed *feed, const char *name,
                                                   const polygraphy_array *array);

/* Number of values, and the name of each; NULL outside. */
POLYGRAPHY_API size_t polygraphy_feed_count(const polygraphy_feed *feed);
POLYGRAPHY_API const char *polygraphy_feed_name(const polygraphy_feed *feed, size_t index);

/* A value as an array. POLYGRAPHY_NOT_FOUND for a name or index that is not there, POLYGRAPHY_UNSUPPORTED for a
 * sequence or map. Free with polygraphy_array_unref. */
POLYGRAPHY_API polygraphy_code polygraphy_feed_get(const polygraphy_feed *feed, const char *name,
                                                   polygraphy_array **out);
POLYGRAPHY_API polygraphy_code polygraphy_feed_at(const polygraphy_feed *feed, size_t index,
                                                  polygraphy_array **out);

/* ==== Models ==== */

/* An ONNX model, mapped and not read: its size costs no memory. */
typedef struct polygraphy_model polygraphy_model;

/* How a model file is read. */
typedef struct polygraphy_model_options {
    size_t struct_size;
    const char *external_data_dir; /* where external weights lie; NULL: beside the model */
    bool ignore_external_data;     /* structure only */
} polygraphy_model_options;
#define POLYGRAPHY_MODEL_OPTIONS_INIT \
    ((polygraphy_model_options){.struct_size = sizeof(polygraphy_model_options)})

/* Reads a model. Free with polygraphy_model_free. */
POLYGRAPHY_API polygraphy_code polygraphy_model_load(const char *path,
                                                     const polygraphy_model_options *options,
                                                     polygraphy_model **out);

/* The same from bytes in memory, which must outlive the model and all that is made from it. */
POLYGRAPHY_API polygraphy_code polygraphy_model_parse(const void *bytes, size_t size, polygraphy_model **out);
POLYGRAPHY_API void polygraphy_model_free(polygraphy_model *model);

/* How a model is written. */
typedef struct polygraphy_save_options {
    size_t struct_size;
    bool external_data;        /* move weights to a file beside the model */
    const char *external_name; /* of that file; NULL: the model's name with ".data" */
    bool file_per_weight;      /* instead of one for all */
    bool has_size_threshold;
    uint64_t size_threshold; /* smaller weights stay in the model (default: 1024 bytes) */
} polygraphy_save_options;
#define POLYGRAPHY_SAVE_OPTIONS_INIT \
    ((polygraphy_save_options){.struct_size = sizeof(polygraphy_save_options)})

/* Writes the model beside `path` and renames it, so that the file is the old one or the whole new one. */
POLYGRAPHY_API polygraphy_code polygraphy_model_save(const polygraphy_model *model, const char *path,
                                                     const polygraphy_save_options *options);

/* A dimension of a stated shape. */
typedef struct polygraphy_dim {
    int64_t value;      /* -1 while open */
    const char *symbol; /* of an open dimension; NULL when it has none */
} polygraphy_dim;

/* What is stated of an input, an output or a weight. */
typedef struct polygraphy_tensor_info {
    const char *name;
    bool is_tensor; /* false: a sequence, map or optional, of which nothing else is told */
    polygraphy_dtype dtype;
    bool has_shape;
    size_t rank;
    const polygraphy_dim *dims;
} polygraphy_tensor_info;

/* A node. An input's name is "" where an optional one is left out. */
typedef struct polygraphy_node {
    const char *name, *op_type, *domain;
    size_t n_inputs, n_outputs, n_attributes;
    const char *const *inputs, *const *outputs, *const *attributes; /* names */
} polygraphy_node;

/* Inputs and outputs of the main graph, its nodes in the file's order, and its weights (initializers). The second
 * function of each pair answers NULL outside. */
POLYGRAPHY_API size_t polygraphy_model_input_count(const polygraphy_model *model);
POLYGRAPHY_API const polygraphy_tensor_info *polygraphy_model_input(const polygraphy_model *model,
                                                                    size_t index);
POLYGRAPHY_API size_t polygraphy_model_output_count(const polygraphy_model *model);
POLYGRAPHY_API const polygraphy_tensor_info *polygraphy_model_output(const polygraphy_model *model,
                                                                     size_t index);
POLYGRAPHY_API size_t polygraphy_model_node_count(const polygraphy_model *model);
POLYGRAPHY_API const polygraphy_node *polygraphy_model_node(const polygraphy_model *model, size_t index);
POLYGRAPHY_API size_t polygraphy_model_weight_count(const polygraphy_model *model);
POLYGRAPHY_API const polygraphy_tensor_info *polygraphy_model_weight(const polygraphy_model *model,
                                                                     size_t index);

/* The elements of weight `index`. They may lie in the mapped file and must not be written to. Free with
 * polygraphy_array_unref. */
POLYGRAPHY_API polygraphy_code polygraphy_model_weight_load(const polygraphy_model *model, size_t index,
                                                            polygraphy_array **out);

/* The version of a domain's operators, "" for the standard ones; 0 when the model does not import the domain. */
POLYGRAPHY_API int64_t polygraphy_model_opset(const polygraphy_model *model, const char *domain);

/* What polygraphy_model_text shows beyond names and counts. */
typedef enum polygraphy_text_flags {
    POLYGRAPHY_TEXT_LAYERS = 1,     /* nodes with their inputs and outputs, weights without values */
    POLYGRAPHY_TEXT_ATTRIBUTES = 2, /* with the layers */
    POLYGRAPHY_TEXT_WEIGHTS = 4,    /* values of weights */
} polygraphy_text_flags;

/* The model as `polygraphy inspect model` prints it. Free with polygraphy_free_text. */
POLYGRAPHY_API polygraphy_code polygraphy_model_text(const polygraphy_model *model, unsigned flags,
                                                     char **out);

/* Which tensors a model shall give out. `names` may hold wildcards and replace the list; `mark_all` replaces it by the
 * outputs of all nodes, `op_types` by those of nodes of these types; `exclude` takes some away again. */
typedef struct polygraphy_output_selection {
    size_t struct_size;
    const char *const *names;
    size_t n_names;
    bool mark_all;
    const char *const *op_types;
    size_t n_op_types;
    const char *const *exclude;
    size_t n_exclude;
} polygraphy_output_selection;
#define POLYGRAPHY_OUTPUT_SELECTION_INIT \
    ((polygraphy_output_selection){.struct_size = sizeof(polygraphy_output_selection)})

/* Models made from a model: with other outputs, with inferred types and shapes written into it, in float16. The new
 * one keeps what it needs of the old one, which may be freed. Free with polygraphy_model_free. */
POLYGRAPHY_API polygraphy_code polygraphy_model_select_outputs(const polygraphy_model *model,
                                                               const polygraphy_output_selection *selection,
                                                               polygraphy_model **out);
POLYGRAPHY_API polygraphy_code polygraphy_model_infer_shapes(const polygraphy_model *model,
                                                             polygraphy_model **out);
POLYGRAPHY_API polygraphy_code polygraphy_model_to_float16(const polygraphy_model *model,
                                                           polygraphy_model **out);

/* ==== Runners ==== */

/* A model on a runtime: "native" is the built-in engine, "onnxrt" is ONNX Runtime. */
typedef struct polygraphy_runner polygraphy_runner;

/* How a runner works. */
typedef struct polygraphy_runner_options {
    size_t struct_size;
    unsigned threads; /* 0: all processors that the process may use */
    /* onnxrt */
    const char *const *providers; /* by exact name or a part of it, in order of preference; none: the CPU */
    size_t n_providers;
    const char
        *optimization_level; /* "ORT_DISABLE_ALL", "ORT_ENABLE_BASIC", ...; NULL: the runtime's default */
    const char *library;     /* path of libonnxruntime; NULL: search */
    /* native */
    bool float64;                 /* compute every float tensor in double: the reference */
    bool no_optimization;         /* run every node as it is written */
    bool no_onednn;               /* portable kernels only */
    const char *onednn;           /* path of libdnnl; NULL: search */
    bool bfloat16;                /* round the factors of products with weights to bfloat16 */
    uint64_t max_loop_iterations; /* of one Loop; 0: 2^31 */
    double max_seconds;           /* of one inference; 0: no limit */
} polygraphy_runner_options;
#define POLYGRAPHY_RUNNER_OPTIONS_INIT \
    ((polygraphy_runner_options){.struct_size = sizeof(polygraphy_runner_options)})

/* Loads the runtime and gets the model ready. POLYGRAPHY_UNAVAILABLE when the runtime is not installed. The model may
 * be freed. Free with polygraphy_runner_close. */
POLYGRAPHY_API polygraphy_code polygraphy_runner_open(const polygraphy_model *model, const char *runtime,
                                                      const polygraphy_runner_options *options,
                                                      polygraphy_runner **out);
POLYGRAPHY_API void polygraphy_runner_close(polygraphy_runner *runner);

/* "onnxrt-runner-N0-11/21/26-08:14:32"; unique in the process. */
POLYGRAPHY_API const char *polygraphy_runner_name(const polygraphy_runner *runner);
/* "ONNX Runtime 1.31.1". */
POLYGRAPHY_API const char *polygraphy_runner_runtime(const polygraphy_runner *runner);

/* Inputs and outputs as the runtime states them; NULL outside. */
POLYGRAPHY_API size_t polygraphy_runner_input_count(const polygraphy_runner *runner);
POLYGRAPHY_API const polygraphy_tensor_info *polygraphy_runner_input(const polygraphy_runner *runner,
                                                                     size_t index);
POLYGRAPHY_API size_t polygraphy_runner_output_count(const polygraphy_runner *runner);
POLYGRAPHY_API const polygraphy_tensor_info *polygraphy_runner_output(const polygraphy_runner *runner,
                                                                      size_t index);

/* One inference. Inputs whose type or shape is nearly right are cast or reshaped, with a warning in the log.
 * `out_seconds`, the time of the inference alone, may be NULL. Free the outputs with polygraphy_feed_free. */
POLYGRAPHY_API polygraphy_code polygraphy_runner_infer(polygraphy_runner *runner, const polygraphy_feed *feed,
                                                       polygraphy_feed **out, double *out_seconds);

/* ==== Inputs ==== */

/* Iterations of inputs: random ones, or those of files. */
typedef struct polygraphy_inputs polygraphy_inputs;

/* The shape of an input; the name may hold wildcards, NULL is the only input. */
typedef struct polygraphy_input_shape {
    const char *name;
    size_t rank;
    const int64_t *dims;
} polygraphy_input_shape;

/* The range of an input's random values, both ends included for integers; a NULL name is every other input. */
typedef struct polygraphy_input_range {
    const char *name;
    double low, high;
} polygraphy_input_range;

/* What random inputs look like. */
typedef struct polygraphy_random_options {
    size_t struct_size;
    int64_t seed;      /* of the first iteration */
    size_t iterations; /* 0: one */
    const polygraphy_input_shape *shapes;
    size_t n_shapes;
    const polygraphy_input_range *ranges; /* default: 0 to 1 */
    size_t n_ranges;
} polygraphy_random_options;
#define POLYGRAPHY_RANDOM_OPTIONS_INIT \
    ((polygraphy_random_options){.struct_size = sizeof(polygraphy_random_options), .seed = 1})

/* Random inputs for a runner, bit for bit those of `polygraphy run`. The texts and arrays of the options must outlive
 * the inputs, and so must the runner. Free with polygraphy_inputs_free. */
POLYGRAPHY_API polygraphy_code polygraphy_inputs_random(const polygraphy_runner *runner,
                                                        const polygraphy_random_options *options,
                                                        polygraphy_inputs **out);

/* Inputs from files or folders, one after the other, as --load-inputs takes them. `runner` gives names and types to
 * files that have none; it may be NULL and must outlive the inputs. Free with polygraphy_inputs_free. */
POLYGRAPHY_API polygraphy_code polygraphy_inputs_load(const char *const *paths, size_t n_paths,
                                                      const polygraphy_runner *runner,
                                                      polygraphy_inputs **out);
POLYGRAPHY_API void polygraphy_inputs_free(polygraphy_inputs *inputs);

/* Number of iterations, and one of them; any may be asked for at any time. Free with polygraphy_feed_free. */
POLYGRAPHY_API size_t polygraphy_inputs_count(const polygraphy_inputs *inputs);
POLYGRAPHY_API polygraphy_code polygraphy_inputs_get(polygraphy_inputs *inputs, size_t index,
                                                     polygraphy_feed **out);

/* Writes all iterations, as --save-inputs does. */
POLYGRAPHY_API polygraphy_code polygraphy_inputs_save(polygraphy_inputs *inputs, const char *path);

/* ==== Results ==== */

/* The outputs of runs: one entry per runner, each with its iterations. */
typedef struct polygraphy_results polygraphy_results;

/* No results yet. Free with polygraphy_results_free. */
POLYGRAPHY_API polygraphy_code polygraphy_results_new(polygraphy_results **out);
POLYGRAPHY_API void polygraphy_results_free(polygraphy_results *results);

/* Appends the runs of a file (JSON, .npz, .safetensors, ...) or folder. After an error nothing was appended. */
POLYGRAPHY_API polygraphy_code polygraphy_results_load(polygraphy_results *results, const char *path);

/* Writes all runs; the format is the extension's. */
POLYGRAPHY_API polygraphy_code polygraphy_results_save(const polygraphy_results *results, const char *path);

/* Appends an iteration to the last run of that name, or begins a run. The results become another owner of the
 * outputs' arrays. `seconds` may be negative when it is not known. */
POLYGRAPHY_API polygraphy_code polygraphy_results_add(polygraphy_results *results, const char *runner,
                                                      const polygraphy_feed *outputs, double seconds);

/* Runs every iteration of the inputs on a runner and appends it all as one run. */
POLYGRAPHY_API polygraphy_code polygraphy_results_run(polygraphy_results *results, polygraphy_runner *runner,
                                                      polygraphy_inputs *inputs);

/* Runs, their names and iterations; NULL and 0 outside. */
POLYGRAPHY_API size_t polygraphy_results_count(const polygraphy_results *results);
POLYGRAPHY_API const char *polygraphy_results_runner(const polygraphy_results *results, size_t run);
POLYGRAPHY_API size_t polygraphy_results_iterations(const polygraphy_results *results, size_t run);

/* The outputs of one iteration. Free with polygraphy_feed_free. */
POLYGRAPHY_API polygraphy_code polygraphy_results_outputs(const polygraphy_results *results, size_t run,
                                                          size_t iteration, polygraphy_feed **out);

/* Whether no output has a NaN or an infinity; those that do are named in the log. */
POLYGRAPHY_API polygraphy_code polygraphy_results_validate(const polygraphy_results *results,
                                                           bool *out_valid);

/* Keep the `k` largest elements' indices along an axis (-1 is the last) of one output, or with a NULL `output` of all
 * others. */
typedef struct polygraphy_top_k {
    const char *output;
    int64_t k, axis;
} polygraphy_top_k;

/* Replaces outputs by the indices of their largest elements. An output without an entry stays. */
POLYGRAPHY_API polygraphy_code polygraphy_results_top_k(polygraphy_results *results,
                                                        const polygraphy_top_k *items, size_t n_items);

/* ==== Comparison ==== */

/* A number for one output, or with a NULL `output` for all others. */
typedef struct polygraphy_output_number {
    const char *output;
    double value;
} polygraphy_output_number;

/* A list of them. */
typedef struct polygraphy_output_numbers {
    const polygraphy_output_number *items;
    size_t count;
} polygraphy_output_numbers;

/* A word for one output, or with a NULL `output` for all others. */
typedef struct polygraphy_output_word {
    const char *output, *word;
} polygraphy_output_word;

/* How outputs are compared. */
typedef struct polygraphy_compare_options {
    size_t struct_size;
    /* "simple" (the default), "indices", "l2", "cosine_similarity", "psnr", "snr". */
    const char *const *functions;
    size_t n_functions;
    bool no_shape_check; /* reorder or reshape instead of failing */
    bool fail_fast;      /* stop at the first mismatch */
    bool check_average;  /* judge each output by its average over the iterations */
    /* simple */
    bool infinities_compare_equal;
    polygraphy_output_numbers atol, rtol;      /* default 1e-5 */
    polygraphy_output_numbers error_quantile;  /* default 0.99 */
    const polygraphy_output_word *error_stats; /* "elemwise" (default), "max", "mean", "median", "quantile" */
    size_t n_error_stats;
    /* the other functions' limits */
    polygraphy_output_numbers index_tolerance, l2, cosine_similarity, psnr, snr;
} polygraphy_compare_options;
#define POLYGRAPHY_COMPARE_OPTIONS_INIT \
    ((polygraphy_compare_options){.struct_size = sizeof(polygraphy_compare_options)})

/* What one function found about one output in one iteration. Numbers that are not known are NaN. */
typedef struct polygraphy_output_result {
    const char *function;          /* as in the options */
    const char *output0, *output1; /* names in the first and the second run */
    bool passed;
    const char *problem; /* why nothing was compared, as different shapes; NULL when it was */
    uint64_t elements;
    uint64_t mismatches;                  /* elements beyond the tolerance (simple, indices) */
    double atol, rtol;                    /* simple, as all numbers up to required_rel: tolerances, */
    double max_abs, mean_abs, median_abs; /* |a - b|, */
    double max_rel, mean_rel, median_rel; /* |a - b| / |b|, */
    double required_abs, required_rel;    /* and the tolerance that alone would pass */
    double value, threshold;              /* of functions with one number per output */
} polygraphy_output_result;

/* Each run compared with the next. */
typedef struct polygraphy_comparison polygraphy_comparison;

/* Compares. A mismatch is a result, not an error; POLYGRAPHY_INVALID when two runs have no output in common or the
 * options name an output that does not exist. Free with polygraphy_comparison_free. */
POLYGRAPHY_API polygraphy_code polygraphy_compare(const polygraphy_results *results,
                                                  const polygraphy_compare_options *options,
                                                  polygraphy_comparison **out);
POLYGRAPHY_API void polygraphy_comparison_free(polygraphy_comparison *comparison);

/* Whether everything passed. */
POLYGRAPHY_API bool polygraphy_comparison_passed(const polygraphy_comparison *comparison);

/* Pairs of runs, their names, and the iterations compared; NULL and 0 outside. */
POLYGRAPHY_API size_t polygraphy_comparison_pairs(const polygraphy_comparison *comparison);
POLYGRAPHY_API const char *polygraphy_comparison_first(const polygraphy_comparison *comparison, size_t pair);
POLYGRAPHY_API const char *polygraphy_comparison_second(const polygraphy_comparison *comparison, size_t pair);
POLYGRAPHY_API size_t polygraphy_comparison_iterations(const polygraphy_comparison *comparison, size_t pair);

/* What was found in one iteration of a pair: one entry per function and output; 0 and NULL outside. */
POLYGRAPHY_API size_t polygraphy_comparison_output_count(const polygraphy_comparison *comparison, size_t pair,
                                                         size_t iteration);
POLYGRAPHY_API const polygraphy_output_result *
polygraphy_comparison_output(const polygraphy_comparison *comparison, size_t pair, size_t iteration,
                             size_t index);

/* Writes the numbers and verdicts, as --save-accuracy-results does. */
POLYGRAPHY_API polygraphy_code polygraphy_comparison_save(const polygraphy_comparison *comparison,
                                                          const char *path);

#ifdef __cplusplus
}
#endif

#endif
