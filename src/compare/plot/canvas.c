#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "compare/plot/internal.h"

void pg_canvas_init(pg_canvas *canvas, uint32_t width, uint32_t height)
{
    *canvas = (pg_canvas){width, height, pg_calloc((size_t)width * height, 3)};
    memset(canvas->rgb, 255, (size_t)width * height * 3);
}

void pg_canvas_deinit(pg_canvas *canvas)
{
    free(canvas->rgb);
    *canvas = (pg_canvas){0};
}

void pg_canvas_blend(pg_canvas *canvas, int x, int y, const uint8_t rgb[3], double part)
{
    if (x < 0 || y < 0 || (uint32_t)x >= canvas->width || (uint32_t)y >= canvas->height)
        return;
    uint8_t *to = canvas->rgb + ((size_t)y * canvas->width + (size_t)x) * 3;
    for (int c = 0; c < 3; c++)
        to[c] = (uint8_t)lround(to[c] * (1 - part) + rgb[c] * part);
}

/* How far a point is from the line between two others. */
static double distance(double px, double py, double x0, double y0, double x1, double y1)
{
    double dx = x1 - x0, dy = y1 - y0, length = dx * dx + dy * dy;
    double t = length > 0 ? ((px - x0) * dx + (py - y0) * dy) / length : 0;
    t = fmax(0, fmin(1, t));
    return hypot(px - x0 - t * dx, py - y0 - t * dy);
}

/* A pixel is covered as far as the line's edge reaches into it. */
void pg_canvas_line(pg_canvas *canvas, double x0, double y0, double x1, double y1, double thickness,
                    const uint8_t rgb[3])
{
    double reach = thickness / 2 + 1;
    int left = (int)floor(fmin(x0, x1) - reach), right = (int)ceil(fmax(x0, x1) + reach);
    int top = (int)floor(fmin(y0, y1) - reach), bottom = (int)ceil(fmax(y0, y1) + reach);
    for (int y = top; y <= bottom; y++)
        for (int x = left; x <= right; x++) {
            double far = distance(x + 0.5, y + 0.5, x0, y0, x1, y1);
            double part = thickness / 2 + 0.5 - far;
            if (part > 0)
                pg_canvas_blend(canvas, x, y, rgb, fmin(part, 1));
        }
}

/* ---- Text ---- */

enum { ADVANCE = 6, CAPITAL = 6 }; /* in units of the glyphs' grid */

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

static double text_width(const char *text, double unit)
{
    size_t count = 0;
    for (; *text != '\0'; text++)
        count += !is_continuation(*text);
    return count > 0 ? ((double)count * ADVANCE - 2) * unit : 0;
}

/* Where the grid of one glyph lies. */
typedef struct pen {
    double x, y, unit;
    bool up;
} pen;

static void place_point(const pen *at, const char *digits, double *x, double *y)
{
    double along = (digits[0] - '0') * at->unit, down = (digits[1] - '0' - CAPITAL) * at->unit;
    *x = at->up ? at->x + down : at->x + along;
    *y = at->up ? at->y - along : at->y + down;
}

static void draw_glyph(pg_canvas *canvas, const pen *at, const char *strokes, const uint8_t rgb[3])
{
    bool is_down = false;
    double x0 = 0, y0 = 0;
    double thickness = fmax(at->unit * 0.85, 1);
    for (; strokes[0] != '\0';) {
        if (strokes[0] == ' ') {
            is_down = false;
            strokes++;
            continue;
        }
        double x, y;
        place_point(at, strokes, &x, &y);
        if (is_down)
            pg_canvas_line(canvas, x0, y0, x, y, thickness, rgb);
        x0 = x;
        y0 = y;
        is_down = true;
        strokes += 2;
    }
}

static void draw_text(pg_canvas *canvas, pen at, pg_anchor anchor, const char *text, const uint8_t rgb[3])
{
    double back = text_width(text, at.unit) * (anchor == PG_ANCHOR_START ? 0
                                               : anchor == PG_ANCHOR_END ? 1
                                                                         : 0.5);
    at.x -= at.up ? 0 : back;
    at.y += at.up ? back : 0;
    for (; *text != '\0'; text++) {
        if (is_continuation(*text))
            continue;
        draw_glyph(canvas, &at, pg_font_glyph((unsigned char)*text), rgb);
        at.x += at.up ? 0 : ADVANCE * at.unit;
        at.y -= at.up ? ADVANCE * at.unit : 0;
    }
}

void pg_canvas_text(pg_canvas *canvas, double x, double y, double size, pg_anchor anchor, const char *text,
                    const uint8_t rgb[3])
{
    draw_text(canvas, (pen){x, y, size / CAPITAL, false}, anchor, text, rgb);
}

void pg_canvas_text_up(pg_canvas *canvas, double x, double y, double size, pg_anchor anchor, const char *text,
                       const uint8_t rgb[3])
{
    draw_text(canvas, (pen){x, y, size / CAPITAL, true}, anchor, text, rgb);
}
