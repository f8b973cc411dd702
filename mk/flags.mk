# Compiler and linker flags per profile. What is written here is all that decides how code is compiled.
WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Wformat=2 \
	-Wundef -Wwrite-strings -Wno-unused-parameter -Wno-format-nonliteral -Wno-missing-field-initializers
CPPFLAGS := -Isrc -Iinclude -D_GNU_SOURCE
# The same objects make the program and the shared library, whose only symbols are those of include/polygraphy.h.
CFLAGS := -std=c17 -g $(WARNINGS) -fno-math-errno -fvisibility=hidden -fPIC
# Floating point follows IEEE 754 as written: no fused multiply-add unless a kernel asks for it.
CFLAGS += -ffp-contract=off
LDFLAGS := -pthread
LDLIBS := -lm -lz -ldl

# With sanitizers gcc's flow analysis sees paths and ranges that do not exist: warnings built on it are for the plain builds.
ifeq ($(PROFILE),release)
CFLAGS += -O2 -ftree-vectorize
else ifeq ($(PROFILE),debug)
CFLAGS += -O0 -g3
else ifeq ($(PROFILE),asan)
CFLAGS += -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all -Wno-maybe-uninitialized -Wno-format-truncation
LDFLAGS += -fsanitize=address,undefined
else ifeq ($(PROFILE),tsan)
CFLAGS += -O1 -fno-omit-frame-pointer -fsanitize=thread -Wno-maybe-uninitialized -Wno-format-truncation
LDFLAGS += -fsanitize=thread
else ifeq ($(PROFILE),fuzz)
# The parsers, the engine and what they stand on, compiled by clang; warnings are gcc's business.
FUZZED := $(addprefix src/,base/% log/% tensor/% npy/% json/% onnx/% shapes/% surgery/% data/% native/% engine/% runner/runner.c runner/feed.c)
CFLAGS := -std=c17 -g -O1 -w -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=undefined
LDFLAGS += -fsanitize=fuzzer,address,undefined
else
$(error unknown PROFILE '$(PROFILE)': release, debug, asan, tsan or fuzz)
endif
ifneq ($(PROFILE),fuzz)
FUZZ_MAIN := tests/fuzz/replay.c
endif

# Kernels are loops over data: let the compiler vectorise them whatever it costs in code size. Nobody reads the
# floating-point exception flags, so a lane that is masked out may raise them.
ifeq ($(PROFILE),release)
$(OUT)/obj/native/ops/%.o: CFLAGS += -O3 -fno-trapping-math
endif

# clang has no `#pragma GCC target`: the instruction sets of src/native/simd/ are given per file. Its checks take a quarter
# of an hour over their unrolled loops; those of addresses alone, made by calls, take seconds (gcc makes all in `make check`).
ifeq ($(PROFILE),fuzz)
$(OUT)/obj/native/simd/avx2.o $(OUT)/obj/native/simd/avx512.o: CFLAGS := $(filter-out -fsanitize=%,$(CFLAGS)) \
	-fsanitize=address -mllvm -asan-instrumentation-with-call-threshold=0
$(OUT)/obj/native/simd/avx2.o: CFLAGS += -mavx2 -mfma -mf16c
$(OUT)/obj/native/simd/avx512.o: CFLAGS += -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mavx512bf16 -mfma
endif
