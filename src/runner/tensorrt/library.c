/* Which library, which version of it, which tables. */
#include "runner/tensorrt/internal.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "log/log.h"

#define PATH_VARIABLE "POLYGRAPHY_TENSORRT"
#define RTX_VARIABLE "POLYGRAPHY_USE_TENSORRT_RTX"

/* ---- Search ---- */

typedef struct product_row {
    bool rtx;
    const char *name, *install;
    const char *package; /* pattern below site-packages */
    const char *names[3];
    const char *stem, *parser_stem; /* file names up to what follows ".so" */
} product_row;

static const product_row products[] = {
    {false,
     "TensorRT",
     "install TensorRT 10 or 11",
     "tensorrt_libs/libnvinfer.so.1[01]*",
     {"libnvinfer.so.11", "libnvinfer.so.10"},
     "libnvinfer.so",
     "libnvonnxparser.so"},
    {true,
     "TensorRT-RTX",
     "install it with 'python3 -m pip install tensorrt-rtx-cu13-libs'",
     "tensorrt_rtx_libs/libtensorrt_rtx.so*",
     {"libtensorrt_rtx.so.1"},
     "libtensorrt_rtx.so",
     "libtensorrt_onnxparser_rtx.so"},
};

/* A library that was found: the path to open, and whose it is. */
typedef struct place {
    const product_row *product;
    char *path; /* owned */
} place;

static const product_row *product_of_file(pg_str path)
{
    for (size_t i = 0; i < PG_COUNT(products); i++)
        if (pg_str_starts(pg_path_basename(path), pg_str_c(products[i].stem)))
            return &products[i];
    return NULL;
}

static bool is_wanted(pg_trt_choice choice, const product_row *product)
{
    const char *rtx = getenv(RTX_VARIABLE);
    if (choice == PG_TRT_AUTO && rtx != NULL && rtx[0] != '\0' && strcmp(rtx, "0") != 0)
        return product->rtx;
    return choice == PG_TRT_AUTO || product->rtx == (choice == PG_TRT_RTX);
}

static char *copy_of(const char *text)
{
    return pg_strndup(text, strlen(text));
}

/* The highest library of a folder. */
static char *library_in_folder(const char *folder)
{
    pg_arena arena = {0};
    char **names, *best = NULL;
    size_t count;
    pg_status status = pg_path_list(folder, &arena, &names, &count);
    for (size_t i = 0; status == NULL && i < count; i++)
        if (product_of_file(pg_str_c(names[i])) != NULL && (best == NULL || strverscmp(names[i], best) > 0))
            best = names[i];
    if (best != NULL)
        best = copy_of(pg_path_join(&arena, pg_str_c(folder), pg_str_c(best)));
    pg_status_drop(status);
    pg_arena_deinit(&arena);
    return best;
}

static pg_status find_named(const char *named, place *out)
{
    out->path = pg_path_is_dir(named) ? library_in_folder(named) : copy_of(named);
    if (out->path == NULL)
        return pg_err(PG_ERR_UNAVAILABLE, "the folder '%s' in " PATH_VARIABLE " has no library of TensorRT",
                      named);
    if (!pg_path_exists(out->path))
        return pg_err(PG_ERR_UNAVAILABLE, "'%s' in " PATH_VARIABLE " does not exist", named);
    out->product = product_of_file(pg_str_c(out->path));
    if (out->product == NULL)
        return pg_err(PG_ERR_UNAVAILABLE,
                      "'%s' in " PATH_VARIABLE " is no library of TensorRT: its name starts with neither "
                      "'libnvinfer.so' nor 'libtensorrt_rtx.so'",
                      named);
    return NULL;
}

/* Opening is the only way to ask the loader; it is what would be done next anyway. */
static bool loader_has(const char *name)
{
    pg_dylib library;
    pg_status status = pg_dylib_open(&library, name);
    bool found = status == NULL;
    if (found)
        pg_dylib_close(&library);
    pg_status_drop(status);
    return found;
}

static bool find_product(const product_row *product, place *out)
{
    out->product = product;
    out->path = pg_dylib_find_in_site_packages(product->package);
    for (size_t i = 0; out->path == NULL && i < PG_COUNT(product->names) && product->names[i] != NULL; i++)
        if (loader_has(product->names[i]))
            out->path = copy_of(product->names[i]);
    return out->path != NULL;
}

static pg_status not_found(pg_trt_choice choice)
{
    const product_row *one = NULL;
    for (size_t i = 0; i < PG_COUNT(products); i++)
        if (is_wanted(choice, &products[i]))
            one = one == NULL ? &products[i] : products;
    bool both = choice == PG_TRT_AUTO && one == products;
    return pg_err(PG_ERR_UNAVAILABLE, "%s found: %s, or name the library in " PATH_VARIABLE,
                  both       ? "neither TensorRT nor TensorRT-RTX was"
                  : one->rtx ? "TensorRT-RTX was not"
                             : "TensorRT was not",
                  both ? "install one, for example with 'python3 -m pip install tensorrt-rtx-cu13-libs'"
                       : one->install);
}

static pg_status find(pg_trt_choice choice, place *out)
{
    *out = (place){0};
    const char *named = getenv(PATH_VARIABLE);
    if (named != NULL && named[0] != '\0') {
        PG_TRY(find_named(named, out));
        if (is_wanted(choice, out->product))
            return NULL;
        return pg_err(PG_ERR_UNAVAILABLE, "'%s' in " PATH_VARIABLE " is %s, but %s is asked for", named,
                      out->product->name, out->product->rtx ? "TensorRT" : "TensorRT-RTX");
    }
    for (size_t i = 0; i < PG_COUNT(products); i++)
        if (is_wanted(choice, &products[i]) && find_product(&products[i], out))
            return NULL;
    return not_found(choice);
}

pg_status pg_trt_find(pg_trt_choice choice)
{
    place found;
    pg_status status = find(choice, &found);
    free(found.path);
    return status;
}

pg_status pg_trt_describe(pg_trt_choice choice, pg_trt_found *out)
{
    pg_trt *trt;
    PG_TRY(pg_trt_get(choice, &trt));
    *out = (pg_trt_found){trt->product, trt->version, trt->core.path, trt->parser.handle != NULL};
    return NULL;
}

/* ---- Versions ---- */

/* Versions whose vtables are known; later minor versions append, earlier ones lack what was appended. */
static const struct {
    bool rtx;
    int major, first_minor, last_minor;
    trt_family family;
} versions[] = {
    {false, 10, 16, 16, TRT_10},
    {false, 11, 1, 1, TRT_11},
    {true, 1, 4, 4, TRT_RTX_1_4},
    {true, 1, 5, 6, TRT_RTX_1_5},
};

static pg_status choose_family(pg_trt *trt, const place *found, int major, int minor)
{
    pg_buf known = {0};
    for (size_t i = 0; i < PG_COUNT(versions); i++) {
        if (versions[i].rtx != found->product->rtx)
            continue;
        if (versions[i].major == major && minor >= versions[i].first_minor &&
            minor <= versions[i].last_minor) {
            trt->family = versions[i].family;
            pg_buf_deinit(&known);
            return NULL;
        }
        for (int m = versions[i].first_minor; m <= versions[i].last_minor; m++)
            pg_buf_printf(&known, "%s%d.%d", known.len > 0 ? ", " : "", versions[i].major, m);
    }
    pg_status status = pg_err(PG_ERR_UNSUPPORTED,
                              "%s %s in '%s' is a version whose interface is not known here: install one of "
                              "%s",
                              trt->product, trt->version, found->path, pg_buf_cstr(&known));
    pg_buf_deinit(&known);
    return status;
}

static pg_status read_version(pg_trt *trt, const place *found)
{
    struct {
        int32_t (*major)(void), (*minor)(void), (*patch)(void), (*number)(void);
    } get;
    const pg_dylib_symbol symbols[] = {
        {"getInferLibMajorVersion", offsetof(__typeof__(get), major), false},
        {"getInferLibMinorVersion", offsetof(__typeof__(get), minor), false},
        {"getInferLibPatchVersion", offsetof(__typeof__(get), patch), false},
        {"getInferLibVersion", offsetof(__typeof__(get), number), false},
    };
    PG_TRY(pg_dylib_load(&trt->core, symbols, PG_COUNT(symbols), &get));
    snprintf(trt->version, sizeof trt->version, "%d.%d.%d", get.major(), get.minor(), get.patch());
    trt->number = get.number();
    return choose_family(trt, found, get.major(), get.minor());
}

/* ---- Loading ---- */

/* The parser lies beside the library under the same version. */
static pg_status open_parser(pg_trt *trt, const place *found)
{
    pg_arena arena = {0};
    pg_str path = pg_str_c(found->path), name = pg_path_basename(path);
    pg_str suffix = pg_str_sub(name, strlen(found->product->stem), name.len);
    char *parser = pg_arena_printf(&arena, "%.*s%s%" PG_STR_FMT, (int)(path.len - name.len), path.ptr,
                                   found->product->parser_stem, PG_STR_ARG(suffix));
    pg_status status = pg_dylib_open(&trt->parser, parser);
    pg_arena_deinit(&arena);
    return pg_status_context(status, "the ONNX parser that belongs to '%s'", found->path);
}

static pg_status load(pg_trt *trt, const place *found)
{
    static const pg_dylib_symbol core[] = {
        {"createInferBuilder_INTERNAL", offsetof(pg_trt, create_builder), true},
        {"createInferRuntime_INTERNAL", offsetof(pg_trt, create_runtime), false},
        {"createInferRefitter_INTERNAL", offsetof(pg_trt, create_refitter), true},
        {"getPluginRegistry", offsetof(pg_trt, plugin_registry), true},
    };
    static const pg_dylib_symbol parser[] = {
        {"createNvOnnxParser_INTERNAL", offsetof(pg_trt, create_parser), false},
    };
    trt->product = found->product->name;
    PG_TRY(pg_dylib_open(&trt->core, found->path));
    PG_TRY(read_version(trt, found));
    PG_TRY(pg_dylib_load(&trt->core, core, PG_COUNT(core), trt));
    PG_TRY(open_parser(trt, found));
    PG_TRY(pg_dylib_load(&trt->parser, parser, PG_COUNT(parser), trt));
    pg_trt_errors_init(&trt->errors);
    pg_trt_logger_init(&trt->logger, trt->family, &trt->errors);
    PG_LOG_VERBOSE("Loaded %s | Version: %s | Path: %s", trt->product, trt->version, trt->core.path);
    return NULL;
}

static pthread_mutex_t loaded_lock = PTHREAD_MUTEX_INITIALIZER;
static pg_trt *loaded;
static place loaded_from;

/* The library stays mapped: threads and exit handlers of its own may still need it. */
static void forget(void)
{
    if (loaded != NULL) {
        pg_trt_errors_deinit(&loaded->errors);
        free(loaded->core.path);
        free(loaded->parser.path);
    }
    free(loaded);
    free(loaded_from.path);
    loaded = NULL;
    loaded_from = (place){0};
}

static pg_status load_first(const place *found)
{
    pg_trt *trt = PG_NEW(pg_trt);
    pg_status status = load(trt, found);
    if (status != NULL) {
        pg_dylib_close(&trt->parser);
        pg_dylib_close(&trt->core);
        free(trt);
        return status;
    }
    loaded = trt;
    loaded_from = *found;
    atexit(forget);
    return NULL;
}

pg_status pg_trt_get(pg_trt_choice choice, pg_trt **out)
{
    place found = {0};
    pthread_mutex_lock(&loaded_lock);
    bool known = loaded != NULL && is_wanted(choice, loaded_from.product);
    pg_status status = known ? NULL : find(choice, &found);
    if (status == NULL && !known && loaded != NULL)
        status = pg_err(PG_ERR_UNSUPPORTED, "one process can use only one of '%s' and '%s'", loaded_from.path,
                        found.path);
    else if (status == NULL && !known)
        status = load_first(&found);
    if (status != NULL)
        free(found.path);
    *out = loaded;
    pthread_mutex_unlock(&loaded_lock);
    return status;
}

/* ---- Errors ---- */

pg_status pg_trt_failed(pg_trt *trt, const char *what)
{
    pg_buf text = {0};
    bool told = pg_trt_errors_take(&trt->errors, &text);
    pg_status status = pg_err(PG_ERR_RUNTIME, "%s %s could not %s%s%s", trt->product, trt->version, what,
                              told ? ": " : "", pg_buf_cstr(&text));
    pg_buf_deinit(&text);
    return status;
}

pg_status pg_trt_lacks(const pg_trt *trt, const char *option, const char *what)
{
    return pg_err(PG_ERR_UNSUPPORTED, "option '%s': %s %s has no %s", option, trt->product, trt->version,
                  what);
}

pg_status pg_trt_option_enum(const pg_trt *trt, const char *option, trt_enum kind, pg_str name, int *out)
{
    *out = trt_enum_value(trt->family, kind, name);
    if (*out >= 0)
        return NULL;
    pg_buf choices = {0};
    trt_enum_choices(trt->family, kind, &choices);
    pg_status status =
        pg_err(PG_ERR_INVALID, "option '%s': %s %s has no %s '%" PG_STR_FMT "': there are %s", option,
               trt->product, trt->version, trt_enum_title(kind), PG_STR_ARG(name), pg_buf_cstr(&choices));
    pg_buf_deinit(&choices);
    return status;
}

pg_dtype pg_trt_dtype(int dtype)
{
    static const pg_dtype dtypes[] = {PG_F32,      PG_F16,  PG_I8,  PG_I32, PG_BOOL,   PG_U8,
                                      PG_F8E4M3FN, PG_BF16, PG_I64, PG_I4,  PG_F4E2M1, PG_F8E8M0};
    return dtype >= 0 && dtype < (int)PG_COUNT(dtypes) ? dtypes[dtype] : PG_UNDEFINED;
}

pg_type pg_trt_tensor_type(pg_arena *arena, pg_dtype dtype, const trt_dims *dims)
{
    pg_type type = {.kind = PG_TYPE_TENSOR, .elem = dtype, .data_type = (int32_t)dtype};
    type.has_shape = dims->rank >= 0;
    type.rank = dims->rank >= 0 ? (uint32_t)PG_MIN(dims->rank, (int32_t)TRT_MAX_RANK) : 0;
    pg_dim *out = PG_ARENA_ARRAY(arena, pg_dim, TRT_MAX_RANK);
    for (uint32_t i = 0; i < type.rank; i++)
        out[i] = (pg_dim){.has_value = dims->d[i] >= 0, .value = dims->d[i]};
    type.dims = out;
    return type;
}
