/* Shared by the files of this folder. */
#ifndef PG_DATA_INTERNAL_H
#define PG_DATA_INTERNAL_H

#include "base/vec.h"
#include "data/files.h"
#include "npy/npy.h"

/* ---- Formats ---- */

typedef enum pg_format {
    PG_FORMAT_JSON,
    PG_FORMAT_FOLDER,
    PG_FORMAT_NPZ,
    PG_FORMAT_SAFETENSORS,
    PG_FORMAT_NPY,
    PG_FORMAT_PB,
    PG_FORMAT_RAW,
} pg_format;

/* From the extension; other extensions than the known ones are JSON, as in the peer. An existing folder is
 * one whatever it is called. */
pg_format pg_format_of(const char *path);
/* Formats of one array without iterations or names. */
static inline bool pg_format_is_single(pg_format format)
{
    return format == PG_FORMAT_NPY || format == PG_FORMAT_PB || format == PG_FORMAT_RAW;
}
/* "a .npz archive", for messages. */
const char *pg_format_name(pg_format format);
/* The file's name without folder and extension; a view of `path`. */
pg_str pg_path_stem(const char *path);

/* ---- Places in a JSON document, kept on the stack while it is walked ---- */

typedef struct pg_place {
    const struct pg_place *up; /* NULL at the top */
    pg_str key;                /* empty: an index */
    size_t index;
} pg_place;
/* "'file': lst[0].outputs['y']: message at byte 12 (line 1)" */
PG_MUST_USE PG_PRINTF(5, 6) pg_status
    pg_place_err(pg_code code, const pg_json_doc *doc, const pg_place *place, const pg_json *value,
                 const char *format, ...);
/* Adds file, path and position to an error from a codec. */
PG_MUST_USE pg_status pg_place_context(pg_status status, const pg_json_doc *doc, const pg_place *place,
                                       const pg_json *value);

/* ---- Values in JSON ---- */

PG_MUST_USE pg_status pg_json_get_value(pg_json_doc *doc, const pg_place *place, const pg_json *json,
                                        pg_value *out);
/* An object of values by name; of two equal names the last wins. */
PG_MUST_USE pg_status pg_json_get_feed(pg_json_doc *doc, const pg_place *place, const pg_json *json,
                                       pg_feed *out);
/* A whole document of run results; what was read before an error stays in *out. */
PG_MUST_USE pg_status pg_json_get_results(pg_json_doc *doc, pg_run_results *out);
PG_MUST_USE pg_status pg_json_put_value(pg_json_writer *writer, const pg_value *value);

/* ---- Archives: .npz and .safetensors behind one interface ---- */

typedef struct pg_st_entry {
    pg_str name;
    pg_dtype dtype;
    size_t rank;
    int64_t dims[PG_MAX_RANK];
    uint64_t offset; /* in the file */
} pg_st_entry;

typedef struct pg_safetensors {
    pg_buffer *file;
    pg_arena arena;
    pg_st_entry *entries;
    size_t count;
    pg_str metadata; /* text under "polygraphy" */
} pg_safetensors;

/* The header is at most 100 MB; every offset is checked. */
PG_MUST_USE pg_status pg_safetensors_open(const char *path, pg_safetensors *out);
PG_MUST_USE pg_status pg_safetensors_open_memory(const void *bytes, uint64_t size, pg_buffer *owner,
                                                 const char *name, pg_safetensors *out);
PG_MUST_USE pg_status pg_safetensors_read(const pg_safetensors *file, const pg_st_entry *entry,
                                          pg_tensor *out);
void pg_safetensors_close(pg_safetensors *file);
/* Bytes are laid out widest type first, so that every array is aligned. `metadata` may be empty. */
PG_MUST_USE pg_status pg_safetensors_write(pg_writer *file, const pg_named_value *items, size_t count,
                                           pg_str metadata);

typedef struct pg_archive {
    pg_format format;
    pg_npz npz;
    pg_safetensors safetensors;
    char *path;
    size_t count;    /* arrays */
    pg_str metadata; /* JSON about iterations and runners; empty in files of other programs */
} pg_archive;
PG_MUST_USE pg_status pg_archive_open(const char *path, pg_archive *out);
pg_str pg_archive_name(const pg_archive *archive, size_t index);
PG_MUST_USE pg_status pg_archive_read(const pg_archive *archive, size_t index, pg_tensor *out);
void pg_archive_close(pg_archive *archive);
/* All values must be arrays: the first other one is PG_ERR_UNSUPPORTED by name. */
PG_MUST_USE pg_status pg_archive_write(const char *path, const pg_named_value *items, size_t count,
                                       pg_str metadata);

/* What metadata says about the names of the arrays: "<prefix>/<name>" each, or plain names. */
typedef struct pg_layout_runner {
    pg_str name;
    const char *prefix; /* unique among the runners */
    double *runtimes;   /* NaN = not measured */
    size_t iterations;
} pg_layout_runner;
typedef struct pg_archive_layout {
    bool results; /* else inputs: one nameless runner */
    bool plain;   /* one iteration, names as they are */
    pg_layout_runner *runners;
    size_t n_runners;
} pg_archive_layout;
/* Texts live in the arena. Files without metadata are one iteration of inputs with plain names. */
PG_MUST_USE pg_status pg_layout_parse(const pg_archive *archive, pg_arena *arena, pg_archive_layout *out);
/* Which runner and iteration an array belongs to and its name there. */
PG_MUST_USE pg_status pg_layout_place(const pg_archive *archive, const pg_archive_layout *layout,
                                      size_t index, size_t *out_runner, size_t *out_iteration,
                                      pg_str *out_name);
/* Sets the prefixes from the names. */
void pg_layout_name(pg_archive_layout *layout, pg_arena *arena);
void pg_layout_write(const pg_archive_layout *layout, pg_buf *out);

/* ---- Single arrays ---- */

/* A path with what was written around it: "name:path:dtype:[dims]". */
typedef struct pg_data_spec {
    pg_str name; /* empty when not given */
    char *path;
    pg_dtype dtype; /* PG_UNDEFINED when not given */
    bool has_shape;
    size_t rank;
    int64_t dims[PG_MAX_RANK];
} pg_data_spec;
/* Finds the split whose path exists; PG_ERR_NOT_FOUND when none does. Texts live in the arena. */
PG_MUST_USE pg_status pg_spec_parse(const char *text, pg_arena *arena, pg_data_spec *out);
PG_MUST_USE pg_status pg_single_load(const pg_data_spec *spec, const pg_type *expected, pg_tensor *out,
                                     char **out_name);
PG_MUST_USE pg_status pg_single_save(const char *path, pg_str name, const pg_value *value);

/* ---- Folders of iterations ---- */

/* The .json files of a folder, sorted; PG_ERR_NOT_FOUND when there are none. Paths live in the arena. */
PG_MUST_USE pg_status pg_folder_list(const char *folder, pg_arena *arena, char ***out_paths,
                                     size_t *out_count);
/* Creates the folder, or makes sure that it is empty. */
PG_MUST_USE pg_status pg_folder_prepare(const char *folder);
char *pg_folder_file(const char *folder, size_t index, pg_arena *arena);

#endif
