# Tasks that are not compilation.
format:
	clang-format-14 -i $$(git ls-files '*.c' '*.h') 2>/dev/null || clang-format -i $$(git ls-files '*.c' '*.h')

lint:
	clang-format --dry-run --Werror $$(git ls-files '*.c' '*.h')
