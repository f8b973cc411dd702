#include "json/base64.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "base/threads.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define HAVE_AVX2_PATH 1
#endif

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum { BAD = 255, QUADS_PER_TASK = 1 << 16 };

/* Value of a character, BAD when it has none. */
static inline unsigned value_of(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26u;
    if (c >= '0' && c <= '9')
        return c - '0' + 52u;
    return c == '+' ? 62u : c == '/' ? 63u : (unsigned)BAD;
}

static void encode_triple(const uint8_t *in, char *out)
{
    unsigned word = (unsigned)in[0] << 16 | (unsigned)in[1] << 8 | in[2];
    out[0] = alphabet[word >> 18];
    out[1] = alphabet[word >> 12 & 63];
    out[2] = alphabet[word >> 6 & 63];
    out[3] = alphabet[word & 63];
}

#ifdef HAVE_AVX2_PATH
/* Encodes 24 bytes a step while 28 are readable; returns the bytes done. Each 32-bit lane holds three bytes;
 * four shifts spread them to four 6-bit values, and ranges of values are moved to their characters by adding
 * the differences between neighbouring ranges. */
__attribute__((target("avx2"))) static uint64_t encode_avx2(const uint8_t *in, uint64_t size, char *out)
{
    const __m256i spread = _mm256_setr_epi8(2, 1, 0, -1, 5, 4, 3, -1, 8, 7, 6, -1, 11, 10, 9, -1, 2, 1, 0, -1,
                                            5, 4, 3, -1, 8, 7, 6, -1, 11, 10, 9, -1);
    uint64_t done = 0;
    for (; done + 28 <= size; done += 24, out += 32) {
        __m128i low = _mm_loadu_si128((const __m128i *)(const void *)(in + done));
        __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(in + done + 12));
        __m256i words = _mm256_shuffle_epi8(_mm256_set_m128i(high, low), spread);
        __m256i v = _mm256_and_si256(_mm256_srli_epi32(words, 18), _mm256_set1_epi32(0x3f));
        v = _mm256_or_si256(v, _mm256_and_si256(_mm256_srli_epi32(words, 4), _mm256_set1_epi32(0x3f00)));
        v = _mm256_or_si256(v, _mm256_and_si256(_mm256_slli_epi32(words, 10), _mm256_set1_epi32(0x3f0000)));
        v = _mm256_or_si256(v, _mm256_and_si256(_mm256_slli_epi32(words, 24), _mm256_set1_epi32(0x3f000000)));
        __m256i text = _mm256_add_epi8(v, _mm256_set1_epi8('A'));
#define ABOVE(limit, step) \
    _mm256_and_si256(_mm256_cmpgt_epi8(v, _mm256_set1_epi8(limit)), _mm256_set1_epi8(step))
        text = _mm256_add_epi8(text, ABOVE(25, 'a' - 'A' - 26));
        text = _mm256_add_epi8(text, ABOVE(51, '0' - 'a' - 26));
        text = _mm256_add_epi8(text, ABOVE(61, '+' - '0' - 10));
        text = _mm256_add_epi8(text, ABOVE(62, '/' - '+' - 1));
#undef ABOVE
        _mm256_storeu_si256((__m256i *)(void *)out, text);
    }
    return done;
}

/* Decodes 8 quads a step and never writes past 3 * quads bytes; returns the quads done, stopping before a
 * step with a bad character. The upper half of a character picks the allowed range and the distance to its
 * value; only '/' and the three characters between '+' and '/' need extra care. */
__attribute__((target("avx2"))) static uint64_t decode_avx2(const char *text, uint64_t quads, uint8_t *out)
{
#define TWICE(...) _mm256_setr_epi8(__VA_ARGS__, __VA_ARGS__)
    const __m256i lowest =
        TWICE(127, 127, '+', '0', 'A', 'P', 'a', 'p', 127, 127, 127, 127, 127, 127, 127, 127);
    const __m256i highest = TWICE(0, 0, '/', '9', 'O', 'Z', 'o', 'z', 0, 0, 0, 0, 0, 0, 0, 0);
    const __m256i distance =
        TWICE(0, 0, 62 - '+', 52 - '0', -'A', -'A', 26 - 'a', 26 - 'a', 0, 0, 0, 0, 0, 0, 0, 0);
    const __m256i order = TWICE(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);
#undef TWICE
    uint64_t done = 0;
    for (; done + 11 <= quads; done += 8, out += 24) {
        __m256i c = _mm256_loadu_si256((const __m256i *)(const void *)(text + done * 4));
        __m256i upper = _mm256_and_si256(_mm256_srli_epi32(c, 4), _mm256_set1_epi8(15));
        __m256i bad = _mm256_or_si256(_mm256_cmpgt_epi8(_mm256_shuffle_epi8(lowest, upper), c),
                                      _mm256_cmpgt_epi8(c, _mm256_shuffle_epi8(highest, upper)));
        __m256i slash = _mm256_cmpeq_epi8(c, _mm256_set1_epi8('/'));
        bad = _mm256_or_si256(
            bad, _mm256_andnot_si256(slash, _mm256_and_si256(_mm256_cmpgt_epi8(c, _mm256_set1_epi8('+')),
                                                             _mm256_cmpgt_epi8(_mm256_set1_epi8('/'), c))));
        if (!_mm256_testz_si256(bad, bad))
            break;
        __m256i v = _mm256_add_epi8(c, _mm256_shuffle_epi8(distance, upper));
        v = _mm256_sub_epi8(v, _mm256_and_si256(slash, _mm256_set1_epi8('/' - '+' - 1)));
        v = _mm256_maddubs_epi16(v, _mm256_set1_epi16(0x0140));  /* first * 64 + second */
        v = _mm256_madd_epi16(v, _mm256_set1_epi32(0x00011000)); /* first pair * 4096 + second pair */
        v = _mm256_shuffle_epi8(v, order);                       /* 12 bytes at the start of each half */
        v = _mm256_permutevar8x32_epi32(v, _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 3, 7));
        _mm256_storeu_si256((__m256i *)(void *)out, v);
    }
    return done;
}
#endif

static bool have_avx2(void)
{
#ifdef HAVE_AVX2_PATH
    return __builtin_cpu_supports("avx2");
#else
    return false;
#endif
}

void pg_base64_encode(const void *bytes, uint64_t size, char *out)
{
    const uint8_t *in = bytes;
    uint64_t done = 0;
#ifdef HAVE_AVX2_PATH
    if (have_avx2())
        done = encode_avx2(in, size, out);
#endif
    out += done / 3 * 4;
    for (; done + 3 <= size; done += 3, out += 4)
        encode_triple(in + done, out);
    if (done == size)
        return;
    uint8_t last[3] = {in[done], done + 1 < size ? in[done + 1] : 0, 0};
    encode_triple(last, out);
    out[3] = '=';
    if (done + 1 == size)
        out[2] = '=';
}

bool pg_base64_decoded_size(const char *text, uint64_t length, uint64_t *out)
{
    if (length % 4 != 0)
        return false;
    *out = length / 4 * 3;
    if (length > 0 && text[length - 1] == '=')
        *out -= text[length - 2] == '=' ? 2 : 1;
    return true;
}

/* One quad into three bytes; `keep` of them matter, the characters behind the others may be padding. Returns
 * the index of a bad character, or 4. */
static unsigned decode_quad(const char *text, unsigned keep, uint8_t out[3])
{
    unsigned word = 0;
    for (unsigned i = 0; i < 4; i++) {
        unsigned value = value_of((unsigned char)text[i]);
        if (value == BAD) {
            if (i <= keep || text[i] != '=')
                return i;
            value = 0;
        }
        word = word << 6 | value;
    }
    out[0] = (uint8_t)(word >> 16);
    out[1] = (uint8_t)(word >> 8);
    out[2] = (uint8_t)word;
    return 4;
}

/* Whole quads without padding. Returns the offset of a bad character, or UINT64_MAX. */
static uint64_t decode_quads(const char *text, uint64_t quads, uint8_t *out)
{
    uint64_t done = 0;
#ifdef HAVE_AVX2_PATH
    if (have_avx2())
        done = decode_avx2(text, quads, out);
#endif
    for (; done < quads; done++) {
        unsigned bad = decode_quad(text + done * 4, 3, out + done * 3);
        if (bad < 4)
            return done * 4 + bad;
    }
    return UINT64_MAX;
}

typedef struct decode_job {
    const char *text;
    uint8_t *out;
    atomic_ullong bad;
} decode_job;

static void decode_task(void *context, size_t begin, size_t end)
{
    decode_job *job = context;
    uint64_t bad = decode_quads(job->text + begin * 4, end - begin, job->out + begin * 3);
    if (bad == UINT64_MAX)
        return;
    unsigned long long at = begin * 4 + bad, first = atomic_load(&job->bad);
    while (at < first && !atomic_compare_exchange_weak(&job->bad, &first, at))
        ;
}

/* Bytes [skip, skip + keep) of one quad. */
static bool decode_part(const char *text, uint64_t quad, unsigned skip, unsigned keep, uint8_t *out,
                        uint64_t *out_bad_offset)
{
    uint8_t bytes[3];
    unsigned bad = decode_quad(text + quad * 4, skip + keep, bytes);
    if (bad < 4) {
        *out_bad_offset = quad * 4 + bad;
        return false;
    }
    memcpy(out, bytes + skip, keep);
    return true;
}

bool pg_base64_decode(const char *text, uint64_t length, uint64_t begin, uint64_t size, void *out,
                      uint64_t *out_bad_offset)
{
    uint64_t total;
    if (!pg_base64_decoded_size(text, length, &total) || begin > total || size > total - begin)
        PG_BUG("base64 range outside the content");
    if (size == 0)
        return true;
    uint8_t *to = out;
    uint64_t quad = begin / 3, end = begin + size;
    if (begin % 3 != 0) {
        unsigned skip = (unsigned)(begin % 3), keep = (unsigned)PG_MIN((uint64_t)(3 - skip), size);
        if (!decode_part(text, quad, skip, keep, to, out_bad_offset))
            return false;
        to += keep;
        quad++;
    }
    if (quad >= end / 3 + (end % 3 != 0))
        return true;
    decode_job job = {.text = text + quad * 4, .out = to, .bad = UINT64_MAX};
    uint64_t quads = end / 3 - quad;
    pg_parallel_for(quads, QUADS_PER_TASK, decode_task, &job);
    unsigned long long bad = atomic_load(&job.bad);
    if (bad != UINT64_MAX) {
        *out_bad_offset = quad * 4 + bad;
        return false;
    }
    if (end % 3 != 0)
        return decode_part(text, quad + quads, 0, (unsigned)(end % 3), to + quads * 3, out_bad_offset);
    return true;
}
