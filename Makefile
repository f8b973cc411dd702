# Build: make [PROFILE=release|debug|asan|tsan] [CC=gcc]; the program is build/polygraphy (release) or
# build/<profile>/polygraphy. Tests: make check. See CONTRIBUTING.md.
PROFILE ?= release
CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
OUT := build/$(PROFILE)

include mk/flags.mk

SOURCES := $(sort $(shell find src -name '*.c'))
LIB_SOURCES := $(filter-out src/main.c,$(SOURCES))
ifeq ($(PROFILE),fuzz)
LIB_SOURCES := $(filter $(FUZZED),$(LIB_SOURCES))
endif
LIB_OBJECTS := $(LIB_SOURCES:src/%.c=$(OUT)/obj/%.o)
LIBRARY := $(OUT)/libpolygraphy.a
PROGRAM := $(OUT)/polygraphy

UNIT_SOURCES := $(sort $(shell find tests/unit -name 'test_*.c'))
UNIT_PROGRAMS := $(UNIT_SOURCES:tests/%.c=$(OUT)/tests/%)
TOOL_SOURCES := $(sort $(wildcard tests/tools/*.c))
TOOL_PROGRAMS := $(TOOL_SOURCES:tests/tools/%.c=$(OUT)/tests/tools/%)
FUZZ_SOURCES := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_PROGRAMS := $(FUZZ_SOURCES:tests/%.c=$(OUT)/tests/%)

.PHONY: all tests check demo bench format lint fuzz fuzz-programs clean install library uninstall
all: $(PROGRAM)
ifeq ($(PROFILE),release)
all: build/polygraphy
build/polygraphy: $(PROGRAM)
	@ln -sf release/polygraphy $@
endif

$(PROGRAM): $(OUT)/obj/main.o $(LIBRARY)
	@echo "  LD $@"
	@$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(LIBRARY): $(LIB_OBJECTS)
	@rm -f $@
	@$(AR) rcs $@ $^

$(OUT)/obj/%.o: src/%.c mk/flags.mk
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# A fuzz driver gets its main from libFuzzer, or from replay.c, which feeds it the seeds.
$(OUT)/tests/fuzz/%: tests/fuzz/%.c $(FUZZ_MAIN) $(LIBRARY)
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(CPPFLAGS) -Itests $(CFLAGS) -MMD -MP -o $@ $< $(FUZZ_MAIN) $(LIBRARY) $(LDFLAGS) $(LDLIBS)

$(OUT)/tests/%: tests/%.c $(LIBRARY)
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(CPPFLAGS) -Itests $(CFLAGS) -MMD -MP -o $@ $< $(LIBRARY) $(LDFLAGS) $(LDLIBS)

tests: all $(UNIT_PROGRAMS) $(TOOL_PROGRAMS) $(FUZZ_PROGRAMS)
fuzz-programs: $(FUZZ_PROGRAMS)

include mk/library.mk
include mk/tasks.mk
include mk/docs.mk

clean:
	rm -rf build

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
