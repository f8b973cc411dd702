#include "npy/npy.h"

#include <unistd.h>
#include <zlib.h>

#include "unit/harness.h"

static char path[] = "/tmp/pg-test-npz-XXXXXX";

static void write_two(pg_str comment)
{
    float values[] = {1, 2, 3};
    pg_str texts[] = {PG_STR("hi")};
    pg_tensor a, b;
    pg_writer file;
    pg_npz_writer npz;
    CHECK_OK(pg_tensor_borrow(&a, PG_F32, 1, (int64_t[]){3}, values));
    CHECK_OK(pg_tensor_alloc_strings(&b, 0, NULL, texts));
    CHECK_OK(pg_writer_open(&file, path));
    pg_npz_begin(&npz, &file);
    CHECK_OK(pg_npz_add(&npz, PG_STR("a/b:0"), &a));
    CHECK_OK(pg_npz_add(&npz, PG_STR("t\xc3\xa9xt"), &b));
    pg_npz_end(&npz, comment);
    CHECK_OK(pg_writer_commit(&file));
    pg_tensor_deinit(&b);
}

TEST(round_trip)
{
    pg_npz npz;
    pg_tensor t;
    write_two(PG_STR("hello"));
    CHECK_OK(pg_npz_open(path, &npz));
    CHECK_INT(npz.count, 2);
    CHECK(pg_str_is(npz.comment, "hello"));
    CHECK(pg_str_is(npz.members[0].name, "a/b:0") && npz.members[0].is_array);
    CHECK(pg_str_is(npz.members[1].name, "t\xc3\xa9xt"));
    CHECK_INT(npz.members[0].offset % 64, 0);
    CHECK_INT(npz.members[1].offset % 64, 0);
    CHECK_OK(pg_npz_read(&npz, &npz.members[0], &t));
    CHECK(t.buffer == npz.file); /* mapped, not copied */
    CHECK_NEAR(((float *)t.data)[2], 3, 0);
    pg_tensor_deinit(&t);
    CHECK_OK(pg_npz_read(&npz, &npz.members[1], &t));
    CHECK(pg_str_is(*(pg_str *)t.data, "hi"));
    pg_tensor_deinit(&t);
    pg_npz_close(&npz);
}

/* Every byte of a good archive is damaged in turn: an error or a good answer, never a crash. */
TEST(damage_is_noticed)
{
    pg_buf file = {0};
    write_two(PG_STR(""));
    CHECK_OK(pg_file_read(path, 1 << 20, &file));
    int noticed = 0;
    for (size_t i = 0; i < file.len; i++) {
        pg_npz npz;
        char saved = file.ptr[i];
        file.ptr[i] ^= 0x55;
        pg_status status = pg_npz_open_memory(file.ptr, file.len, NULL, "t.npz", &npz);
        bool open = status == NULL;
        for (size_t m = 0; open && m < npz.count; m++) {
            pg_tensor t;
            pg_buffer owner = {.refs = 2, .data = file.ptr, .size = file.len};
            npz.file = &owner;
            pg_status read = pg_npz_read(&npz, &npz.members[m], &t);
            if (read == NULL)
                pg_tensor_deinit(&t);
            status = pg_status_first(status, read);
            npz.file = NULL;
        }
        if (open)
            pg_npz_close(&npz);
        noticed += status != NULL;
        pg_status_drop(status);
        file.ptr[i] = saved;
    }
    CHECK(noticed > 350); /* the rest is padding and dates */
    for (size_t length = 0; length < file.len; length++) {
        pg_npz npz;
        pg_status status = pg_npz_open_memory(file.ptr, length, NULL, "t.npz", &npz);
        CHECK(status != NULL);
        pg_status_drop(status);
    }
    pg_buf_deinit(&file);
}

TEST(not_an_archive)
{
    pg_npz npz;
    CHECK_ERR(pg_npz_open_memory("", 0, NULL, "t.npz", &npz), PG_ERR_INVALID, "end record is missing");
    CHECK_ERR(pg_npz_open_memory("PK\x03\x04 and nothing more of it", 26, NULL, "t.npz", &npz),
              PG_ERR_INVALID, "'t.npz'");
}

/* One deflated member, made by hand. */
TEST(deflated_member)
{
    pg_buf npy = {0}, zip = {0};
    pg_buf_add(&npy, "\x93NUMPY\x01\x00\x38\x00", 10);
    pg_buf_puts(&npy, "{'descr': '|u1', 'fortran_order': False,'shape': (999,)}");
    CHECK_INT(npy.len, 10 + 56);
    pg_buf_pad(&npy, 'z', 999);
    uint8_t packed[256];
    z_stream stream = {
        .next_in = (Bytef *)npy.ptr, .avail_in = (uInt)npy.len, .next_out = packed, .avail_out = 256};
    CHECK_INT(deflateInit2(&stream, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    CHECK_INT(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    uint32_t crc = (uint32_t)crc32(0, (Bytef *)npy.ptr, (uInt)npy.len), size = (uint32_t)npy.len,
             small = (uint32_t)stream.total_out;
    uint8_t local[30] = {'P', 'K', 3, 4}, entry[46] = {'P', 'K', 1, 2}, end[22] = {'P', 'K', 5, 6};
    local[26] = entry[28] = 5;
    entry[10] = 8;
    memcpy(entry + 16, &crc, 4);
    memcpy(entry + 20, &small, 4);
    memcpy(entry + 24, &size, 4);
    end[8] = end[10] = 1;
    end[12] = 51;
    end[16] = (uint8_t)(35 + small);
    pg_buf_add(&zip, local, 30);
    pg_buf_puts(&zip, "x.npy");
    pg_buf_add(&zip, packed, small);
    pg_buf_add(&zip, entry, 46);
    pg_buf_puts(&zip, "x.npy");
    pg_buf_add(&zip, end, 22);
    pg_buffer *owner = pg_buffer_new(zip.len);
    memcpy(owner->data, zip.ptr, zip.len);
    pg_npz npz;
    pg_tensor t;
    CHECK_OK(pg_npz_open_memory(owner->data, zip.len, owner, "t.npz", &npz));
    CHECK_OK(pg_npz_read(&npz, &npz.members[0], &t));
    CHECK(pg_tensor_count(&t) == 999 && ((char *)t.data)[998] == 'z');
    pg_tensor_deinit(&t);
    ((char *)owner->data)[40] ^= 1;
    CHECK_ERR(pg_npz_read(&npz, &npz.members[0], &t), PG_ERR_INVALID, "member 'x' of 't.npz'");
    pg_npz_close(&npz);
    pg_buffer_unref(owner);
    pg_buf_deinit(&npy);
    pg_buf_deinit(&zip);
}

int main(int argc, char **argv)
{
    pg_test_only = argc > 1 ? argv[1] : NULL;
    close(mkstemp(path));
    RUN(round_trip);
    RUN(damage_is_noticed);
    RUN(not_an_archive);
    RUN(deflated_member);
    unlink(path);
    printf("1..%d\n", pg_test_number);
    return pg_test_failures > 0;
}
