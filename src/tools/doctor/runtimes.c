#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "base/child.h"
#include "base/dylib.h"
#include "base/file.h"
#include "native/onednn/onednn.h"
#include "runner/runner.h"
#include "runner/tensorrt/tensorrt.h"
#include "tools/doctor/internal.h"

/* ---- Where things are ---- */

const char *doctor_mapped(pg_arena *arena, const char *stem)
{
    pg_buf maps = {0};
    const char *found = NULL;
    pg_status status = pg_file_read("/proc/self/maps", 1 << 24, &maps);
    pg_str rest = pg_buf_str(&maps), line;
    while (status == NULL && found == NULL && pg_str_split(&rest, '\n', &line)) {
        size_t slash = pg_str_find(line, '/');
        pg_str path = slash == SIZE_MAX ? PG_STR_EMPTY : pg_str_sub(line, slash, line.len);
        if (path.len > 0 && pg_str_starts(pg_path_basename(path), pg_str_c(stem)))
            found = pg_arena_cstr(arena, path);
    }
    pg_status_drop(status);
    pg_buf_deinit(&maps);
    return found;
}

const char *doctor_program(pg_arena *arena, const char *name)
{
    const char *path = getenv("PATH");
    pg_str rest = pg_str_c(path != NULL ? path : ""), folder;
    while (pg_str_split(&rest, ':', &folder)) {
        const char *file = pg_arena_printf(arena, "%" PG_STR_FMT "/%s", PG_STR_ARG(folder), name);
        if (folder.len > 0 && access(file, X_OK) == 0 && !pg_path_is_dir(file))
            return file;
    }
    return NULL;
}

static const char *how_found(pg_arena *arena, const char *variable, const char *path)
{
    const char *named = variable != NULL ? getenv(variable) : NULL;
    if (named != NULL && named[0] != '\0' && strcmp(named, "auto") != 0)
        return pg_arena_printf(arena, "named in %s", variable);
    pg_str text = pg_str_c(path);
    if (pg_str_contains(text, PG_STR("/site-packages/")) || pg_str_contains(text, PG_STR("/dist-packages/")))
        return "a package of the active Python environment";
    return "the loader's search path";
}

static const char *keep_message(doctor_report *report, pg_status status)
{
    const char *text = pg_arena_printf(&report->arena, "%s", pg_status_message(status));
    pg_status_drop(status);
    return text;
}

/* ---- Runtimes ---- */

static void find_onnxrt(doctor_report *report)
{
    doctor_part *part = PG_VEC_ADD(&report->parts);
    pg_onnxrt_found found = {0};
    part->name = "ONNX Runtime";
    part->disables = "run --onnxrt; check lint uses the built-in engine instead";
    part->todo = "python3 -m pip install onnxruntime, or name the library in POLYGRAPHY_ONNXRUNTIME";
    pg_status status = pg_onnxrt_find(NULL, &found);
    part->found = status == NULL;
    if (status != NULL) {
        part->problem = keep_message(report, status);
        return;
    }
    part->version = found.version;
    part->path = doctor_mapped(&report->arena, "libonnxruntime.so");
    if (part->path == NULL)
        part->path = found.path;
    part->how = how_found(&report->arena, "POLYGRAPHY_ONNXRUNTIME", part->path);
    part->details = pg_arena_printf(&report->arena, "providers: %s", found.providers);
}

static void find_onednn(doctor_report *report)
{
    doctor_part *part = PG_VEC_ADD(&report->parts);
    part->name = "oneDNN";
    part->disables = "nothing: some convolutions of the built-in engine run with its own code instead";
    part->todo = "python3 -m pip install onednn-cpu-gomp, then POLYGRAPHY_ONEDNN=auto";
    pg_onednn_configure(NULL, true);
    part->found = pg_onednn_available();
    part->version = pg_onednn_version();
    part->problem = pg_onednn_reason();
    if (!part->found)
        return;
    part->path = doctor_mapped(&report->arena, "libdnnl.so");
    if (part->path != NULL)
        part->how = how_found(&report->arena, "POLYGRAPHY_ONEDNN", part->path);
    if (getenv("POLYGRAPHY_ONEDNN") == NULL)
        part->details = "not used: POLYGRAPHY_ONEDNN is not set";
}

static void find_tensorrt(doctor_report *report, bool rtx)
{
    doctor_part *part = PG_VEC_ADD(&report->parts);
    pg_trt_found found = {0};
    pg_trt_choice choice = rtx ? PG_TRT_RTX : PG_TRT_TENSORRT;
    part->name = rtx ? "TensorRT-RTX" : "TensorRT";
    part->disables =
        rtx ? "engines of TensorRT-RTX"
            : "engines of TensorRT; run --trt uses TensorRT-RTX if there is one, else the built-in engine";
    part->todo =
        rtx ? "python3 -m pip install tensorrt-rtx-cu13-libs, or name the library in POLYGRAPHY_TENSORRT"
            : "python3 -m pip install tensorrt, or name the library in POLYGRAPHY_TENSORRT";
    pg_status status = pg_trt_find(choice);
    part->found = status == NULL;
    if (status == NULL)
        status = pg_trt_describe(choice, &found);
    if (status != NULL) {
        part->problem = keep_message(report, status);
        return;
    }
    part->version = found.version;
    part->path = pg_arena_printf(&report->arena, "%s", found.path);
    part->how = how_found(&report->arena, "POLYGRAPHY_TENSORRT", part->path);
    part->details =
        found.has_parser ? "with its ONNX parser" : "without its ONNX parser: models cannot be built";
}

static void find_tensorflow(doctor_report *report)
{
    doctor_part *part = PG_VEC_ADD(&report->parts);
    char *path = pg_dylib_find_in_site_packages("tensorflow/libtensorflow_cc.so*");
    part->name = "TensorFlow";
    part->found = path != NULL;
    part->disables = "nothing yet: --tf is not available in this version";
    part->todo = "nothing";
    if (path == NULL) {
        part->problem = "the active Python environment has no package 'tensorflow'";
        return;
    }
    part->path = pg_arena_printf(&report->arena, "%s", path);
    part->how = how_found(&report->arena, NULL, path);
    part->details = "not used: --tf is not available in this version";
    free(path);
}

/* What `python3 --version` prints behind the name. */
static const char *python_version(doctor_report *report, const char *program)
{
    const char *argv[] = {program, "--version", NULL};
    pg_child_result result;
    const char *version = NULL;
    pg_status status = pg_child_run(argv, &result);
    if (status == NULL && result.signal == 0 && result.exit_code == 0) {
        pg_str text = pg_str_trim(pg_buf_str(&result.out));
        size_t blank = pg_str_rfind(text, ' ');
        version =
            pg_arena_cstr(&report->arena, blank == SIZE_MAX ? text : pg_str_sub(text, blank + 1, text.len));
    }
    if (status == NULL)
        pg_child_result_deinit(&result);
    pg_status_drop(status);
    return version;
}

static void find_python(doctor_report *report)
{
    doctor_part *part = PG_VEC_ADD(&report->parts);
    const char *environment = getenv("VIRTUAL_ENV");
    part->name = "Python";
    part->disables = "running the scripts that --gen-script writes, and finding runtimes in Python packages";
    part->todo = "apt install python3";
    if (environment != NULL && environment[0] != '\0') {
        part->path = pg_arena_printf(&report->arena, "%s/bin/python3", environment);
        part->how = "the environment in VIRTUAL_ENV";
    }
    if (part->path == NULL || access(part->path, X_OK) != 0) {
        part->path = doctor_program(&report->arena, "python3");
        part->how = "python3 on PATH";
    }
    part->version = part->path != NULL ? python_version(report, part->path) : NULL;
    part->found = part->version != NULL;
    if (!part->found)
        part->problem = part->path == NULL ? "there is no python3 on PATH" : "it does not start";
}

static void find_driver(doctor_report *report)
{
    doctor_part *part = PG_VEC_ADD(&report->parts);
    pg_dylib driver;
    int (*get_version)(int *);
    int version = 0;
    part->name = "CUDA driver";
    part->disables =
        "running engines of TensorRT, and GPU providers of ONNX Runtime; engines are still built";
    part->todo = "install NVIDIA's driver on a machine with an NVIDIA GPU";
    pg_status status = pg_dylib_open(&driver, "libcuda.so.1");
    if (status != NULL) {
        part->problem = keep_message(report, status);
        return;
    }
    void *symbol = pg_dylib_find(&driver, "cuDriverGetVersion");
    memcpy(&get_version, &symbol, sizeof symbol);
    if (symbol != NULL && get_version(&version) == 0 && version > 0) {
        part->found = true;
        part->version = pg_arena_printf(&report->arena, "%d.%d", version / 1000, version % 1000 / 10);
        part->path = doctor_mapped(&report->arena, "libcuda.so");
        part->how = "the loader's search path";
    } else {
        part->problem = "libcuda.so.1 is there, but does not answer";
    }
    pg_dylib_close(&driver);
}

/* ---- What is not a runtime ---- */

static void find_zlib(doctor_report *report)
{
    doctor_part *part = PG_VEC_ADD(&report->parts);
    *part = (doctor_part){.name = "zlib", .found = true, .version = zlibVersion(), .how = "linked"};
    part->path = doctor_mapped(&report->arena, "libz.so");
}

static void find_viewer(doctor_report *report)
{
    doctor_part *part = PG_VEC_ADD(&report->parts);
    bool desktop = getenv("DISPLAY") != NULL || getenv("WAYLAND_DISPLAY") != NULL;
    part->name = "picture viewer";
    part->path = doctor_program(&report->arena, "xdg-open");
    part->how = "xdg-open on PATH";
    part->disables =
        "windows of --show-heatmaps, --show-error-metrics-plot and --visual; terminals get a sketch";
    part->todo = "apt install xdg-utils, on a machine with a desktop";
    part->found = desktop && part->path != NULL;
    if (!part->found)
        part->problem = part->path == NULL
                            ? "there is no xdg-open on PATH"
                            : "neither DISPLAY nor WAYLAND_DISPLAY is set: there is no desktop";
}

void doctor_find_parts(doctor_report *report)
{
    find_onnxrt(report);
    find_onednn(report);
    find_tensorrt(report, false);
    find_tensorrt(report, true);
    find_tensorflow(report);
    find_python(report);
    find_driver(report);
    find_zlib(report);
    find_viewer(report);
}
