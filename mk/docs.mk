# Documents from the option tables: manual pages and completions under build/, the reference under docs/.
.PHONY: docs man
docs: man docs/options.md docs/operators.md

.PHONY: docs/options.md
docs/options.md: all
	@$(PROGRAM) --dump-markdown > build/options.md
	@cmp -s build/options.md $@ || cp build/options.md $@

man: all
	@mkdir -p build/man build/completions
	@rm -f build/man/*.1
	@for page in $$($(PROGRAM) --dump-man); do $(PROGRAM) --dump-man $$page > build/man/$$page.1 || exit 1; done
	@$(PROGRAM) --completion bash > build/completions/polygraphy.bash
	@$(PROGRAM) --completion zsh > build/completions/_polygraphy
	@$(PROGRAM) --completion fish > build/completions/polygraphy.fish

# The page of the built-in engine's operators; needs a Python with onnx and the standard's node test cases.
DOCS_PYTHON := $(or $(PG_PEER_PYTHON),python3)
.PHONY: docs/operators.md
docs/operators.md: tests
	@$(DOCS_PYTHON) scripts/operator_coverage.py --markdown build/operators.md
	@cmp -s build/operators.md $@ || cp build/operators.md $@
