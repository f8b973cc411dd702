#include "compare/plot/plot.h"

/* Length of the UTF-8 character at `text`, 0 when it is none that XML can hold. */
static size_t character_length(const unsigned char *text)
{
    size_t length = text[0] < 0x80 ? 1 : text[0] >= 0xC2 && text[0] < 0xE0 ? 2 : text[0] < 0xF0 ? 3 : 4;
    if (length == 1)
        return text[0] >= 0x20 && text[0] != 0x7F ? 1 : 0;
    if (text[0] < 0xC2 || text[0] > 0xF4)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    bool bad = (text[0] == 0xE0 && text[1] < 0xA0) || (text[0] == 0xED && text[1] >= 0xA0) ||
               (text[0] == 0xF0 && text[1] < 0x90) || (text[0] == 0xF4 && text[1] >= 0x90) ||
               (text[0] == 0xEF && text[1] == 0xBF && text[2] >= 0xBE);
    return bad ? 0 : length;
}

static const char *entity_of(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    case '\n':
        return "&#10;";
    case '\t':
        return "&#9;";
    default:
        return NULL;
    }
}

void pg_svg_escape(pg_buf *out, const char *text)
{
    while (*text != '\0') {
        const char *entity = entity_of(*text);
        size_t length = entity != NULL ? 1 : character_length((const unsigned char *)text);
        if (entity != NULL)
            pg_buf_puts(out, entity);
        else if (length == 0)
            pg_buf_puts(out, "\uFFFD");
        else
            pg_buf_add(out, text, length);
        text += length > 0 ? length : 1;
    }
}
