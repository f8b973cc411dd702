#include "json/base64.h"

#include "base/alloc.h"
#include "unit/harness.h"

static void check_encode(const char *in, const char *expected)
{
    char out[64] = {0};
    pg_base64_encode(in, strlen(in), out);
    CHECK_STR(out, expected);
}

TEST(rfc_vectors)
{
    check_encode("", "");
    check_encode("f", "Zg==");
    check_encode("fo", "Zm8=");
    check_encode("foo", "Zm9v");
    check_encode("foob", "Zm9vYg==");
    check_encode("fooba", "Zm9vYmE=");
    check_encode("foobar", "Zm9vYmFy");
}

/* Every length up to a few vector steps, every range of it, against the bytes that went in. */
TEST(round_trip_of_all_ranges)
{
    uint8_t bytes[160], back[160];
    char text[256];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37 + i / 3);
    for (uint64_t size = 0; size <= sizeof bytes; size++) {
        pg_base64_encode(bytes, size, text);
        uint64_t length = pg_base64_encoded_size(size), total, bad;
        CHECK(pg_base64_decoded_size(text, length, &total) && total == size);
        for (uint64_t begin = 0; begin <= size; begin += 1 + begin / 7) {
            memset(back, 0xee, sizeof back);
            CHECK(pg_base64_decode(text, length, begin, size - begin, back, &bad));
            CHECK(memcmp(back, bytes + begin, size - begin) == 0);
            CHECK(size - begin == sizeof back || back[size - begin] == 0xee);
        }
    }
}

TEST(every_character_is_judged)
{
    char text[64];
    uint8_t out[64];
    uint64_t bad;
    for (int c = 0; c < 256; c++) {
        memset(text, 'A', sizeof text);
        text[5] = (char)c;
        bool valid = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
                     c == '/';
        CHECK_INT(pg_base64_decode(text, sizeof text, 0, 48, out, &bad), valid);
        if (!valid)
            CHECK_INT(bad, 5);
    }
}

TEST(bad_padding)
{
    uint64_t total, bad;
    uint8_t out[16];
    CHECK(!pg_base64_decoded_size("Zg=", 3, &total));
    CHECK(pg_base64_decoded_size("A===", 4, &total));
    CHECK(!pg_base64_decode("A===", 4, 0, total, out, &bad) && bad == 1);
    CHECK(pg_base64_decoded_size("Zg==Zg==", 8, &total));
    CHECK(!pg_base64_decode("Zg==Zg==", 8, 0, total, out, &bad) && bad == 2);
    CHECK(pg_base64_decoded_size("Zh==", 4, &total));
    CHECK(pg_base64_decode("Zh==", 4, 0, total, out, &bad) && out[0] == 'f');
}

TEST(large_with_threads)
{
    uint64_t size = 5000001, bad = 0, total;
    uint8_t *bytes = malloc(size), *back = malloc(size);
    for (uint64_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    uint64_t length = pg_base64_encoded_size(size);
    char *text = malloc(length);
    pg_base64_encode(bytes, size, text);
    CHECK(pg_base64_decoded_size(text, length, &total) && total == size);
    CHECK(pg_base64_decode(text, length, 128, size - 128, back, &bad));
    CHECK(memcmp(back, bytes + 128, size - 128) == 0);
    text[4000001] = '*';
    text[3000002] = '-';
    CHECK(!pg_base64_decode(text, length, 0, size, back, &bad));
    CHECK_INT(bad, 3000002);
    free(bytes);
    free(back);
    free(text);
}

TEST_MAIN(RUN(rfc_vectors); RUN(round_trip_of_all_ranges); RUN(every_character_is_judged); RUN(bad_padding);
          RUN(large_with_threads);)
