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

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

lint:
	clang-format --dry-run --Werror $$(git ls-files '*.c' '*.h')

compile_commands.json: $(SOURCES)
	@scripts/compile_commands.py $(CPPFLAGS) $(CFLAGS) -- $(SOURCES) > $@
