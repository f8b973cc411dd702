/* What a fuzz driver is made of. Each fuzz_<name>.c defines LLVMFuzzerTestOneInput; clang's libFuzzer calls
 * it with inputs of its own (make fuzz), tests/fuzz/replay.c with the files of tests/fuzz/seeds/<name> (make
 * check). */
#ifndef PG_TESTS_FUZZ_H
#define PG_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that must hold for every input. */
#define FUZZ_CHECK(condition) ((condition) ? (void)0 : abort())

#endif
