/* Scales, grids, glyphs and files of pictures. */
#include <zlib.h>

#include "compare/internal.h"
#include "compare/plot/internal.h"
#include "compare/plot/picture.h"
#include "compare/plot/plot.h"
#include "compare/plot/png.h"
#include "unit/compare/support.h"

/* ---- Scales ---- */

static void check_ticks(double low, double high, bool log, const char *expected)
{
    pg_plot_scale scale = {low, high, log};
    pg_plot_tick ticks[PG_PLOT_TICKS];
    pg_buf text = {0};
    size_t count = pg_plot_ticks(&scale, 6, ticks);
    for (size_t i = 0; i < count; i++)
        pg_buf_printf(&text, "%s%s", i > 0 ? " " : "", ticks[i].text);
    CHECK_STR(pg_buf_cstr(&text), expected);
    pg_buf_deinit(&text);
}

TEST(ticks_are_round)
{
    check_ticks(0, 10, false, "0 2 4 6 8 10");
    check_ticks(-1, 1, false, "-1 -0.5 0 0.5 1");
    check_ticks(1e-7, 20, true, "1e-07 1e-05 0.001 0.1 10");
    check_ticks(0.2, 0.7, true, "0.2 0.3 0.4 0.5 0.6 0.7");
    check_ticks(2.3e-7, 6.7e-6, true, "1e-06 2e-06 3e-06 5e-06");
    check_ticks(5, 5, false, "5");
    check_ticks(1.00001, 1.00002, false, "1.00001 1.000012 1.000014 1.000016 1.000018 1.00002");
    check_ticks(-1e308, 1e308, false, "-1e+308 1e+308");
}

TEST(places)
{
    pg_plot_scale linear = {-1e308, 1e308, false}, log = {1e-3, 1e3, true}, point = {2, 2, false};
    CHECK_NEAR(pg_plot_place(&linear, 0), 0.5, 1e-12);
    CHECK_NEAR(pg_plot_place(&log, 1), 0.5, 1e-12);
    CHECK(pg_plot_place(&log, 0) == 0 && pg_plot_place(&log, 1e9) == 1);
    CHECK(pg_plot_place(&point, 2) == 0);
}

/* ---- Grids ---- */

static void make_grid(const pg_tensor *tensor, uint32_t width, uint32_t height, pg_plot_grid *out)
{
    pg_values values;
    CHECK_OK(pg_values_init(&values, tensor));
    pg_stat_source source = pg_values_source(&values);
    pg_plot_field field = {&source, 0, tensor->rank, tensor->dims};
    pg_plot_grid_make(&field, 0, (uint64_t)tensor->dims[0], (uint64_t)tensor->dims[1], width, height, out);
    pg_values_deinit(&values);
}

TEST(a_point_shows_the_largest)
{
    float data[4 * 6];
    for (size_t i = 0; i < 24; i++)
        data[i] = (float)i;
    data[8] = NAN;
    data[15] = INFINITY;
    pg_tensor tensor;
    pg_plot_grid grid;
    CHECK_OK(pg_tensor_borrow(&tensor, PG_F32, 2, (int64_t[]){4, 6}, data));
    make_grid(&tensor, 3, 2, &grid);
    CHECK(grid.width == 3 && grid.height == 2);
    CHECK(grid.values[0] == 7 && isnan(grid.values[1]) && grid.values[2] == 11);
    CHECK(grid.values[3] == 19 && isnan(grid.values[4]) && grid.values[5] == 23);
    pg_plot_grid_deinit(&grid);
    make_grid(&tensor, 100, 100, &grid);
    CHECK(grid.width == 6 && grid.height == 4 && grid.values[23] == 23);
    pg_plot_scale scale = {0, 23, false};
    pg_buf text = {0};
    pg_plot_grid_sketch(&text, &grid, &scale);
    CHECK(strncmp(pg_buf_cstr(&text), "     \u2591\n\u2591\u2591!", 14) == 0);
    pg_buf_deinit(&text);
    pg_plot_grid_deinit(&grid);
}

/* ---- PNG ---- */

static uint32_t get_u32(const char *from)
{
    const unsigned char *p = (const unsigned char *)from;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Undoes the two filters that the writer uses. */
static void unfilter(uint8_t *raw, size_t row_size, size_t height, uint8_t *out)
{
    for (size_t y = 0; y < height; y++)
        for (size_t i = 0; i < row_size; i++) {
            const uint8_t *row = raw + y * (row_size + 1);
            uint8_t base = row[0] == 2 ? (y > 0 ? out[(y - 1) * row_size + i] : 0)
                                       : (i >= 3 ? out[y * row_size + i - 3] : 0);
            out[y * row_size + i] = (uint8_t)(row[1 + i] + base);
        }
}

TEST(png_files_hold_the_pixels)
{
    enum { W = 5, H = 4 };
    uint8_t rgb[W * H * 3], raw[(W * 3 + 1) * H], back[W * H * 3];
    for (size_t i = 0; i < sizeof rgb; i++)
        rgb[i] = (uint8_t)(i * i * 7);
    pg_buf png = {0};
    pg_png_write(&png, rgb, W, H);
    CHECK(memcmp(png.ptr, "\x89PNG\r\n\x1a\n", 8) == 0 && memcmp(png.ptr + 12, "IHDR", 4) == 0);
    CHECK(get_u32(png.ptr + 16) == W && get_u32(png.ptr + 20) == H);
    uLongf size = sizeof raw;
    uint32_t packed = get_u32(png.ptr + 33);
    CHECK(memcmp(png.ptr + 37, "IDAT", 4) == 0);
    CHECK_INT(uncompress(raw, &size, (const Bytef *)png.ptr + 41, packed), Z_OK);
    CHECK_INT(size, sizeof raw);
    unfilter(raw, W * 3, H, back);
    CHECK(memcmp(rgb, back, sizeof rgb) == 0);
    CHECK_INT(get_u32(png.ptr + 41 + packed), crc32(0, (const Bytef *)png.ptr + 37, packed + 4));
    pg_buf_deinit(&png);
}

/* ---- Words ---- */

TEST(glyphs_are_pairs_of_digits)
{
    for (unsigned c = 0; c < 256; c++) {
        const char *glyph = pg_font_glyph((unsigned char)c);
        size_t run = 0;
        for (; *glyph != '\0'; glyph++) {
            CHECK(*glyph == ' ' ? run % 2 == 0 : *glyph >= '0' && *glyph <= '8');
            run = *glyph == ' ' ? 0 : run + 1;
        }
        CHECK(run % 2 == 0);
    }
}

TEST(xml_takes_any_bytes)
{
    pg_buf text = {0};
    pg_svg_escape(&text, "a<b>&\"'\n\x01\x7f\xff\xc3\xa9\xc0\x80\xed\xa0\x80\xf0\x9f\x98\x80\xe2\x82");
    CHECK_STR(pg_buf_cstr(&text), "a&lt;b&gt;&amp;&quot;&#39;&#10;\uFFFD\uFFFD\uFFFD\u00e9\uFFFD\uFFFD"
                                  "\uFFFD\uFFFD\uFFFD\U0001F600\uFFFD\uFFFD");
    pg_buf_deinit(&text);
}

TEST(file_names)
{
    char *path = pg_plot_path("dir/sub", "a/b: c", ".svg"), name[400];
    CHECK_STR(path, "dir/sub/a_b: c.svg");
    free(path);
    memset(name, 'x', sizeof name);
    name[399] = '\0';
    path = pg_plot_path("d", name, ".svg");
    CHECK(strlen(path) <= 255 + 2 && strlen(path) > 200);
    free(path);
}

/* ---- Pictures of outputs ---- */

TEST(pictures_count_every_element)
{
    pg_value a = FLOATS(1, 2, 3, NAN, 5), b = FLOATS(1, 2.5f, 3, 4, INFINITY);
    pg_picture *picture;
    CHECK_OK(pg_picture_make(&a.tensor, &b.tensor, &picture));
    uint64_t values = 0, errors = 0;
    for (size_t i = 0; i < PG_PICTURE_BINS; i++) {
        values += picture->value0.counts[i];
        errors += picture->error.counts[i];
    }
    CHECK_INT(values + picture->value0.not_finite, 5);
    CHECK(picture->error.zeros == 2 && errors == 1 && picture->error.not_finite == 2);
    CHECK(picture->width == 5 && picture->height == 1 &&
          strncmp(picture->heatmap, "data:image/png;base64,iVBOR", 27) == 0);
    pg_picture_free(picture);
    pg_value_deinit(&a);
    pg_value_deinit(&b);
}

TEST_MAIN(be_silent(); RUN(ticks_are_round); RUN(places); RUN(a_point_shows_the_largest);
          RUN(png_files_hold_the_pixels); RUN(glyphs_are_pairs_of_digits); RUN(xml_takes_any_bytes);
          RUN(file_names); RUN(pictures_count_every_element);)
