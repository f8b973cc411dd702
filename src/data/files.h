/* Data files: inputs, results of runs, single arrays. The extension picks the format:
 *
 * - .json: the peer's files, both directions, byte for byte.
 * - no extension: a folder of 0000000000.json, 0000000001.json, ..., one iteration each; it must be empty or absent when written.
 * - .npz: any number of arrays; iterations and runners are described in the archive's comment.
 * - .safetensors: the same, described in its metadata.
 * - .npy, .pb: one array (.pb: a TensorProto).
 * - .bin, .raw, .dat: one array's bytes and nothing else: type and shape come from the model's input or from the path
 *   ("x.bin:float32:[1,3]").
 *
 * What a format cannot hold is refused by name (several arrays in a .npy, a sequence in a .npz), never dropped. Files are mapped;
 * arrays that lie in a file as they lie in memory are not copied, base64 is decoded straight into the array. Errors name the
 * file, the place in it (lst[0][1][3].outputs['y']) and the byte offset.
 *
 * Values that are not arrays, which the peer cannot save, exist in JSON only: a sequence is a list of values, a map is
 * {"map_keys": array, "map_values": [value, ...]}, an absent optional is null. Types numpy cannot name are written with an extra
 * member "dtype" beside "array" (the peer ignores it), so they survive the way back. */
#ifndef PG_DATA_FILES_H
#define PG_DATA_FILES_H

#include "json/json.h"
#include "runner/runner.h"
#include "tensor/value.h"

/* Whether the file or folder of a path, as it is read below, is there. */
PG_MUST_USE pg_status pg_data_check_path(const char *path);

/* ---- Inputs ---- */

/* Iterations of inputs from one or more files. The structure is read when they are opened, the arrays when
 * they are asked for. */
typedef struct pg_inputs pg_inputs;

/* Each path is a file or folder; their iterations follow one another. A path may be "name:path", which names
 * the array of a .npy, .pb or raw file; without a name it belongs to the sole input in `expected`, or else to
 * the input called as the file. Such files fill one iteration until a name repeats: "x:a.npy y:b.npy" is one
 * iteration, "x:a.npy x:b.npy" are two. `expected` may be NULL; it must outlive the inputs. A file of run
 * results is refused with a hint.
 */
PG_MUST_USE pg_status pg_inputs_open(const char *const *paths, size_t n_paths, const pg_io_list *expected,
                                     pg_inputs **out);
size_t pg_inputs_count(const pg_inputs *inputs);
PG_MUST_USE pg_status pg_inputs_get(pg_inputs *inputs, size_t index,
                                    pg_feed *out); /* out: zeroed; caller's */
void pg_inputs_close(pg_inputs *inputs);           /* NULL is fine */

/* Saves iteration by iteration; JSON and folders stream, other formats are written at the end. Opening fails
 * early when the path cannot be written. */
typedef struct pg_inputs_writer pg_inputs_writer;
PG_MUST_USE pg_status pg_inputs_create(const char *path, pg_inputs_writer **out);
PG_MUST_USE pg_status pg_inputs_add(pg_inputs_writer *writer, const pg_feed *feed);
PG_MUST_USE pg_status pg_inputs_finish(pg_inputs_writer *writer); /* frees the writer in any case */
void pg_inputs_abandon(pg_inputs_writer *writer);                 /* writes nothing; NULL is fine */
PG_MUST_USE pg_status pg_inputs_save(const char *path, const pg_feed *feeds, size_t count);

/* ---- Results of runs ---- */

/* Appends the runners of a file or folder to *io. In a folder, iterations of equally named runners follow one
 * another. A file of other formats than JSON that does not describe its runners is one iteration of one
 * runner called as the file. On error *io keeps what it had. */
PG_MUST_USE pg_status pg_results_load(const char *path, pg_run_results *io);
PG_MUST_USE pg_status pg_results_save(const char *path, const pg_run_results *results);
/* Moves the iterations of `from` behind those of the equally named runners in *into (new runners are
 * appended) and leaves `from` empty. */
void pg_results_concat(pg_run_results *into, pg_run_results *from);

/* A readable report as one JSON object: values as nested lists under "inference_results" by runner and
 * output, the rows under "comparison_results". */
typedef struct pg_report_row {
    pg_str name; /* of the output */
    double max_error, mean_error;
    bool passed;
} pg_report_row;
PG_MUST_USE pg_status pg_results_save_report(const char *path, const pg_run_results *results,
                                             const pg_report_row *rows, size_t n_rows);

/* ---- Either ---- */

typedef enum pg_data_kind { PG_DATA_INPUTS, PG_DATA_RESULTS, PG_DATA_ACCURACY } pg_data_kind;
/* What a file or folder holds. Formats that do not say so hold inputs. PG_ERR_INVALID for anything else. */
PG_MUST_USE pg_status pg_data_kind_of(const char *path, pg_data_kind *out);

/* One array of a .npy, .pb or raw file, or the only one of a .json, .npz or .safetensors file. `expected`
 * gives type and shape of raw bytes; it may be NULL for the others. */
PG_MUST_USE pg_status pg_data_load_tensor(const char *path, const pg_type *expected, pg_tensor *out);
/* By extension; `name` is kept where the format has names. */
PG_MUST_USE pg_status pg_data_save_tensor(const char *path, pg_str name, const pg_tensor *tensor);

/* ---- Pieces of JSON files, for other files that hold arrays ---- */

/* {"array": base64 of a .npy, "polygraphy_class": "ndarray"} */
PG_MUST_USE pg_status pg_data_put_tensor(pg_json_writer *writer, const pg_tensor *tensor);
PG_MUST_USE pg_status pg_data_put_results(pg_json_writer *writer, const pg_run_results *results);
/* An array object of a document; `doc` names the file and place in messages, `where` is the path so far. */
PG_MUST_USE pg_status pg_data_get_tensor(const pg_json_doc *doc, const pg_json *value, const char *where,
                                         pg_tensor *out);
/* The class of a typed object: its "polygraphy_class", or the name behind a legacy "__polygraphy_encoded_"
 * marker, aliases resolved; empty for others. */
pg_str pg_data_class(const pg_json *value);

#endif
