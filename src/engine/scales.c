#include "engine/scales.h"

#include <math.h>

#include "base/file.h"

/* TensorRT's names: of the class, and of the algorithm in a cache's first line. */
static const struct {
    const char *class_name, *algorithm;
} calibrators[PG_CALIBRATORS] = {
    [PG_CALIBRATOR_ENTROPY2] = {"IInt8EntropyCalibrator2", "EntropyCalibration2"},
    [PG_CALIBRATOR_ENTROPY] = {"IInt8EntropyCalibrator", "EntropyCalibration"},
    [PG_CALIBRATOR_MINMAX] = {"IInt8MinMaxCalibrator", "MinMaxCalibration"},
    [PG_CALIBRATOR_LEGACY] = {"IInt8LegacyCalibrator", "LegacyCalibration"},
};

/* What the first line says of the library; TensorRT itself looks at the algorithm only. */
#define CACHE_VERSION "100000"
#define CACHE_LIMIT (64u << 20)

const char *pg_calibrator_class(pg_calibrator calibrator)
{
    return calibrators[calibrator].class_name;
}

pg_status pg_calibrator_parse(pg_str class_name, pg_calibrator *out)
{
    if (pg_str_starts(class_name, PG_STR("trt.")))
        class_name = pg_str_sub(class_name, 4, class_name.len);
    for (unsigned i = 0; i < PG_CALIBRATORS; i++)
        if (pg_str_is(class_name, calibrators[i].class_name)) {
            *out = (pg_calibrator)i;
            return NULL;
        }
    return pg_err(PG_ERR_INVALID,
                  "'%" PG_STR_FMT "' is no calibrator class; there are IInt8EntropyCalibrator2, "
                  "IInt8EntropyCalibrator, IInt8MinMaxCalibrator and IInt8LegacyCalibrator",
                  PG_STR_ARG(class_name));
}

/* ---- The set ---- */

void pg_scales_deinit(pg_scales *scales)
{
    PG_VEC_FREE(&scales->items);
    pg_map_deinit(&scales->by_tensor);
    pg_arena_deinit(&scales->arena);
}

void pg_scales_put(pg_scales *scales, pg_str tensor, float value)
{
    size_t known = pg_map_index(&scales->by_tensor, tensor);
    if (known != SIZE_MAX) {
        scales->items.items[known].value = value;
        return;
    }
    pg_str name = pg_arena_str(&scales->arena, tensor);
    PG_VEC_PUSH(&scales->items, ((pg_scale){name, value, 0}));
    pg_map_put(&scales->by_tensor, name, NULL);
}

float pg_scales_get(const pg_scales *scales, pg_str tensor)
{
    size_t known = pg_map_index(&scales->by_tensor, tensor);
    return known != SIZE_MAX ? scales->items.items[known].value : 0;
}

double pg_scales_noise(const pg_scales *scales, pg_str tensor)
{
    size_t known = pg_map_index(&scales->by_tensor, tensor);
    return known != SIZE_MAX ? scales->items.items[known].noise : 0;
}

/* ---- The file ---- */

static pg_status read_head(pg_str line, const char *path, pg_calibrator *out)
{
    size_t dash = pg_str_rfind(line, '-');
    if (pg_str_starts(line, PG_STR("TRT-")) && dash > 3)
        for (unsigned i = 0; i < PG_CALIBRATORS; i++)
            if (pg_str_is(pg_str_sub(line, dash + 1, line.len), calibrators[i].algorithm)) {
                *out = (pg_calibrator)i;
                return NULL;
            }
    return pg_err(
        PG_ERR_INVALID,
        "'%s' is no calibration cache: its first line is not 'TRT-<version>-<algorithm>' with one of "
        "the algorithms EntropyCalibration2, EntropyCalibration, MinMaxCalibration and "
        "LegacyCalibration",
        path);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool read_hex(pg_str digits, float *out)
{
    uint32_t bits = 0;
    if (digits.len == 0 || digits.len > 8)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        int digit = hex_digit(digits.ptr[i]);
        if (digit < 0)
            return false;
        bits = bits << 4 | (uint32_t)digit;
    }
    memcpy(out, &bits, sizeof bits);
    return true;
}

static pg_status read_line(pg_str line, size_t number, const char *path, pg_scales *out)
{
    size_t colon = pg_str_rfind(line, ':');
    float value;
    if (colon == SIZE_MAX || colon == 0)
        return pg_err(PG_ERR_INVALID, "'%s', line %zu: expected '<tensor>: <scale in hexadecimal>'", path,
                      number);
    if (!read_hex(pg_str_trim(pg_str_sub(line, colon + 1, line.len)), &value))
        return pg_err(PG_ERR_INVALID,
                      "'%s', line %zu: the scale of '%" PG_STR_FMT "' is not up to 8 hexadecimal digits",
                      path, number, PG_STR_ARG(pg_str_sub(line, 0, colon)));
    if (!isfinite(value) || value < 0)
        return pg_err(PG_ERR_INVALID,
                      "'%s', line %zu: the scale of '%" PG_STR_FMT
                      "' is %g; a scale is finite and not negative",
                      path, number, PG_STR_ARG(pg_str_sub(line, 0, colon)), (double)value);
    if (value > 0) /* TensorRT writes 0 for tensors that it saw no values of */
        pg_scales_put(out, pg_str_sub(line, 0, colon), value);
    return NULL;
}

pg_status pg_scales_read(const char *path, pg_scales *out, pg_calibrator *out_calibrator)
{
    pg_buf bytes = {0};
    pg_status status = pg_file_read(path, CACHE_LIMIT, &bytes);
    pg_str rest = pg_buf_str(&bytes), line;
    *out = (pg_scales){0};
    *out_calibrator = PG_CALIBRATORS;
    for (size_t number = 1; status == NULL && bytes.len > 0 && pg_str_split(&rest, '\n', &line); number++) {
        line = pg_str_trim(line);
        if (number == 1)
            status = read_head(line, path, out_calibrator);
        else if (line.len > 0)
            status = read_line(line, number, path, out);
    }
    pg_buf_deinit(&bytes);
    if (status != NULL)
        pg_scales_deinit(out);
    return status;
}

pg_status pg_scales_write(const pg_scales *scales, pg_calibrator calibrator, const char *path)
{
    pg_buf text = {0};
    pg_buf_printf(&text, "TRT-" CACHE_VERSION "-%s\n", calibrators[calibrator].algorithm);
    for (size_t i = 0; i < scales->items.len; i++) {
        const pg_scale *scale = &scales->items.items[i];
        uint32_t bits;
        memcpy(&bits, &scale->value, sizeof bits);
        pg_buf_add_str(&text, scale->tensor);
        pg_buf_printf(&text, ": %x\n", (unsigned)bits);
    }
    pg_status status = pg_file_write(path, pg_buf_str(&text));
    pg_buf_deinit(&text);
    return status;
}
