/* Quoted and indented text. */
#include "base/alloc.h"
#include "tensor/text.h"

/* Code points that Python's repr escapes: controls, format characters, blanks other than U+0020, surrogates
 * and private use. Unassigned code points are written as they are. */
static const uint32_t escaped[][2] = {
    {0x80, 0xa0},       {0xad, 0xad},         {0x600, 0x605},     {0x61c, 0x61c},     {0x6dd, 0x6dd},
    {0x70f, 0x70f},     {0x890, 0x891},       {0x8e2, 0x8e2},     {0x1680, 0x1680},   {0x180e, 0x180e},
    {0x2000, 0x200f},   {0x2028, 0x202f},     {0x205f, 0x2064},   {0x2066, 0x206f},   {0x3000, 0x3000},
    {0xd800, 0xf8ff},   {0xfeff, 0xfeff},     {0xfff9, 0xfffb},   {0x110bd, 0x110bd}, {0x110cd, 0x110cd},
    {0x13430, 0x13438}, {0x1bca0, 0x1bca3},   {0x1d173, 0x1d17a}, {0xe0001, 0xe0001}, {0xe0020, 0xe007f},
    {0xf0000, 0xffffd}, {0x100000, 0x10fffd},
};

static bool is_escaped(uint32_t code)
{
    if (code < 0x20 || code == 0x7f)
        return true;
    for (size_t i = 0; i < PG_COUNT(escaped); i++)
        if (code >= escaped[i][0] && code <= escaped[i][1])
            return true;
    return false;
}

/* Length of the UTF-8 sequence at text[i], 0 when it is not one. */
static size_t decode(pg_str text, size_t i, uint32_t *out)
{
    static const uint32_t lowest[5] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = (uint8_t)text.ptr[i];
    size_t length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 0;
    if (length == 0 || first > 0xf4 || length > text.len - i)
        return 0;
    uint32_t code = length == 1 ? first : first & (0x7fu >> length);
    for (size_t k = 1; k < length; k++) {
        if (((uint8_t)text.ptr[i + k] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | ((uint8_t)text.ptr[i + k] & 0x3f);
    }
    *out = code;
    return code >= lowest[length] && code <= 0x10ffff ? length : 0;
}

static void put_escape(pg_buf *out, uint32_t code)
{
    switch (code) {
    case '\n':
        pg_buf_puts(out, "\\n");
        break;
    case '\r':
        pg_buf_puts(out, "\\r");
        break;
    case '\t':
        pg_buf_puts(out, "\\t");
        break;
    default:
        pg_buf_printf(out, code < 0x100 ? "\\x%02x" : code < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)code);
        break;
    }
}

void pg_text_quote(pg_buf *out, pg_str text)
{
    bool single = pg_str_find(text, '\'') != SIZE_MAX, twofold = pg_str_find(text, '"') != SIZE_MAX;
    char quote = single && !twofold ? '"' : '\'';
    pg_buf_putc(out, quote);
    for (size_t i = 0; i < text.len;) {
        uint32_t code;
        size_t length = decode(text, i, &code);
        if (length == 0) {
            put_escape(out, (uint8_t)text.ptr[i++]);
            continue;
        }
        if (code == '\\' || code == (uint32_t)quote)
            pg_buf_putc(out, '\\');
        if (is_escaped(code))
            put_escape(out, code);
        else
            pg_buf_add(out, text.ptr + i, length);
        i += length;
    }
    pg_buf_putc(out, quote);
}

void pg_text_indent(pg_buf *out, pg_str block, int levels)
{
    size_t begin = 0;
    do {
        size_t end = begin;
        while (end < block.len && block.ptr[end] != '\n')
            end++;
        if (begin > 0)
            pg_buf_putc(out, '\n');
        pg_buf_pad(out, ' ', (size_t)levels * 4);
        if (end > begin)
            pg_buf_add(out, block.ptr + begin, end - begin);
        begin = end + 1;
    } while (begin < block.len);
}
