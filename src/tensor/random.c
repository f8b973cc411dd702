#include "tensor/random.h"

#include "base/alloc.h"
#include "tensor/dtype_convert.h"

/* ---- MT19937 (Matsumoto and Nishimura 1998) ---- */

enum { WORDS = 624, SHIFT = 397, BLOCK = 4096 };

void pg_random_seed(pg_random *random, uint32_t seed)
{
    for (uint32_t i = 0; i < WORDS; i++) {
        random->state[i] = seed;
        seed = 1812433253u * (seed ^ seed >> 30) + i + 1;
    }
    random->next = WORDS;
}

static void make_words(uint32_t *state)
{
    for (unsigned i = 0; i < WORDS; i++) {
        uint32_t bits = (state[i] & 0x80000000u) | (state[(i + 1) % WORDS] & 0x7fffffffu);
        state[i] = state[(i + SHIFT) % WORDS] ^ bits >> 1 ^ (bits % 2 != 0 ? 0x9908b0dfu : 0);
    }
}

uint32_t pg_random_u32(pg_random *random)
{
    if (random->next == WORDS) {
        make_words(random->state);
        random->next = 0;
    }
    uint32_t word = random->state[random->next++];
    word ^= word >> 11;
    word ^= word << 7 & 0x9d2c5680u;
    word ^= word << 15 & 0xefc60000u;
    return word ^ word >> 18;
}

double pg_random_f64(pg_random *random)
{
    uint32_t high = pg_random_u32(random) >> 5, low = pg_random_u32(random) >> 6;
    return (high * 0x1p26 + low) / 0x1p53;
}

void pg_random_fill_float(pg_random *random, double scale, double shift, pg_tensor *tensor)
{
    double values[BLOCK];
    uint64_t count = pg_tensor_count(tensor);
    size_t size = pg_dtype_get(tensor->dtype)->bits / 8;
    for (uint64_t begin = 0; begin < count; begin += BLOCK) {
        size_t n = (size_t)PG_MIN((uint64_t)BLOCK, count - begin);
        for (size_t i = 0; i < n; i++)
            values[i] = pg_random_f64(random) * scale + shift;
        pg_convert(PG_F64, values, tensor->dtype, (uint8_t *)tensor->data + begin * size, n, &pg_cast_numpy);
    }
}

/* ---- Integers: draws are masked to the bits of the range and rejected above it ---- */

/* Draws of 1, 8, 16 or 32 bits: pieces of one 32-bit draw, low bits first; each array starts a new one. */
typedef struct pieces {
    pg_random *random;
    uint32_t rest;
    unsigned left, bits;
} pieces;

static uint32_t next_piece(pieces *p)
{
    if (p->bits == 32)
        return pg_random_u32(p->random);
    if (p->left == 0) {
        p->rest = pg_random_u32(p->random);
        p->left = 32 / p->bits;
    }
    uint32_t piece = p->rest & ((1u << p->bits) - 1);
    p->rest >>= p->bits;
    p->left--;
    return piece;
}

static uint64_t mask_of(uint64_t range)
{
    for (unsigned shift = 1; shift < 64; shift *= 2)
        range |= range >> shift;
    return range;
}

/* Offsets from the low bound, at most `range` (above 0). */
static uint64_t next_offset(pieces *p, uint64_t range, uint64_t mask)
{
    uint64_t offset;
    do {
        if (range > UINT32_MAX) {
            offset = (uint64_t)pg_random_u32(p->random) << 32;
            offset |= pg_random_u32(p->random);
        } else {
            offset = next_piece(p);
        }
        offset &= mask;
    } while (offset > range);
    return offset;
}

void pg_random_fill_int(pg_random *random, int64_t low, int64_t high, pg_tensor *tensor)
{
    unsigned bits = pg_dtype_get(tensor->dtype)->bits;
    uint64_t count = pg_tensor_count(tensor), range = (uint64_t)high - (uint64_t)low, mask = mask_of(range);
    pieces p = {.random = random, .bits = tensor->dtype == PG_BOOL ? 1 : PG_MIN(bits, 32u)};
    PG_ASSERT(pg_dtype_is_integer(tensor->dtype) || tensor->dtype == PG_BOOL);
    PG_ASSERT(bits >= 8);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t value = (uint64_t)low + (range > 0 ? next_offset(&p, range, mask) : 0);
        switch (bits) {
        case 8:
            ((uint8_t *)tensor->data)[i] = (uint8_t)value;
            break;
        case 16:
            ((uint16_t *)tensor->data)[i] = (uint16_t)value;
            break;
        case 32:
            ((uint32_t *)tensor->data)[i] = (uint32_t)value;
            break;
        default:
            ((uint64_t *)tensor->data)[i] = value;
            break;
        }
    }
}
