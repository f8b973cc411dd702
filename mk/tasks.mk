# Tasks that are not compilation.
demo:
	@scripts/setup.sh demo
	@$(MAKE) --no-print-directory -s -j2 all
	@scripts/demo.sh

check:
	@scripts/setup.sh check
	@$(MAKE) --no-print-directory -s -j2 PROFILE=release tests
	@$(MAKE) --no-print-directory -s -j2 PROFILE=asan tests
	@$(MAKE) --no-print-directory -s -j2 PROFILE=tsan tests
	@scripts/check.sh

# The figures of docs/benchmarks.md: make bench > docs/benchmarks.md
bench:
	@scripts/setup.sh check >&2
	@$(MAKE) --no-print-directory -s -j2 PROFILE=release tests >&2
	@python3 scripts/bench.py

accuracy:
	@$(MAKE) --no-print-directory -s -j2 PROFILE=release tests all >&2
	@python3 scripts/accuracy.py

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

lint:
	clang-format --dry-run --Werror $$(git ls-files '*.c' '*.h')

compile_commands.json: $(SOURCES)
	@scripts/compile_commands.py $(CPPFLAGS) $(CFLAGS) -- $(SOURCES) > $@

# make fuzz [DRIVER=json] [RUNS=1000000]: each driver with libFuzzer, from its seeds and what earlier runs found
# (build/fuzz/corpus). A finding is a file in build/fuzz; once fixed it becomes a seed.
DRIVER ?= $(FUZZ_SOURCES:tests/fuzz/fuzz_%.c=%)
RUNS ?= 1000000
fuzz:
	@$(MAKE) --no-print-directory -s PROFILE=fuzz CC=clang fuzz-programs
	@for name in $(DRIVER); do \
		mkdir -p build/fuzz/corpus/$$name; \
		echo "fuzz_$$name: $(RUNS) runs"; \
		build/fuzz/tests/fuzz/fuzz_$$name -runs=$(RUNS) -max_len=4096 -timeout=10 -rss_limit_mb=2048 \
			-verbosity=0 -print_final_stats=1 -artifact_prefix=build/fuzz/$$name- \
			build/fuzz/corpus/$$name tests/fuzz/seeds/$$name || exit 1; \
	done
