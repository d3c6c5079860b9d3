# Everything a newcomer or a machine runs. `make demo` and `make test` need Rust, Python 3.10+, make and a C compiler, nothing else;
# LangChain needs Python 3.11: its tests, and the agent of `make demo`, which leaves it out where there is none.
# Tools and environments live in .cache/, builds in target/; nothing is installed outside the checkout.

PYTHON ?= python3
CACHE := $(CURDIR)/.cache
UV := $(CACHE)/bootstrap/bin/uv
DENY := $(CACHE)/tools/bin/cargo-deny
RUST_SOURCES := Cargo.toml Cargo.lock $(shell find core server bindings-python/src -name '*.rs' -o -name '*.toml' -o -name '*.yaml' -path '*src*' 2>/dev/null)
PYTHON_SOURCES := pyproject.toml $(shell find bindings-python/python -name '*.py' -o -name '*.pyi' 2>/dev/null)
WHEEL := $(CACHE)/wheel/.built
export UV_CACHE_DIR := $(CACHE)/uv
export UV_PYTHON_DOWNLOADS := never
export PYTHONDONTWRITEBYTECODE := 1
export CARGO_TERM_COLOR ?= auto
# raw bytes for policy, conditions, values and ledger lines: a minute together
export COUNTERSEAL_FUZZ_SECONDS ?= 15

.PHONY: help demo agent-demo test lint rust-test python-test project-test framework-test bench soak requirements clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(CACHE)/demo/.installed ## guard AgentDojo's tools, replay its tasks and attacks, then run an agent that has to ask a person
	$(CACHE)/demo/bin/python examples/agentdojo/demo.py
	@echo; if $(UV) python find --quiet ">=3.11" >/dev/null 2>&1; then $(MAKE) --no-print-directory agent-demo; \
	  else echo "The second part, a LangGraph agent, is left out: LangChain needs Python 3.11 or newer, and there is none here."; fi

agent-demo: $(CACHE)/agent/.installed ## a LangGraph agent under the guard; asks at the terminal, without one a second process answers
	$(CACHE)/agent/bin/python examples/langgraph/guarded_agent.py

test: lint rust-test python-test project-test ## everything that must pass; long trials run a tenth of their length

lint: $(CACHE)/lint/.installed $(DENY) ## formatting, lints as errors, licences, stubs, file lengths, generated files
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
	$(DENY) --log-level error check bans licenses sources
	$(CACHE)/lint/bin/ruff format --check --quiet .
	$(CACHE)/lint/bin/ruff check --quiet .
	$(CACHE)/lint/bin/mypy
	$(CACHE)/lint/bin/python -m mypy.stubtest counterseal --mypy-config-file pyproject.toml --allowlist bindings-python/stubtest-allowlist.txt

rust-test: ## the core, the ledger and the command line; locks in every order of threads (loom)
	cargo test --workspace --exclude counterseal-python --locked

python-test: $(WHEEL) $(UV) ## the Python package on every interpreter of the machine
	$(PYTHON) tests/interpreters.py --uv $(UV) --cache $(CACHE) --wheel-dir $(CACHE)/wheel --requirements tests/requirements/test.txt -- bindings-python/tests tests/replay

project-test: $(CACHE)/test/.installed $(CACHE)/peers/.installed $(CACHE)/demo/.installed $(CACHE)/agent/.installed framework-test ## oracle, bad inputs, many processes on one home, defects, examples, the repository's own rules
	$(CACHE)/test/bin/python -m pytest -q tests/oracle tests/bad tests/processes tests/defects tests/repository tests/examples
	$(CACHE)/demo/bin/python -m pytest -q examples/agentdojo
	$(CACHE)/agent/bin/python -m pytest -q examples/langgraph

framework-test: $(CACHE)/langchain/.installed $(CACHE)/langchain-core/.unpacked ## the contract of adapters; LangChain's own tool tests with the guard on
	$(CACHE)/langchain/bin/python -m pytest -q -p no:asyncio tests/contract --adapter langchain
	$(CACHE)/langchain/bin/python -m pytest -q -p no:asyncio tests/frameworks
	cd $(CACHE)/langchain-core && PYTHONPATH=$(CURDIR)/tests/frameworks $(CACHE)/langchain/bin/python -m pytest -q -p no:cacheprovider -p guard_on \
	  tests/unit_tests/test_tools.py tests/unit_tests/test_tools_postponed_annotations.py

bench: $(CACHE)/peers/.installed $(CACHE)/langchain/.installed ## every figure of the report, side by side with the peers; writes bench/out/
	$(CACHE)/peers/bin/python -m bench

soak: export COUNTERSEAL_TRIALS := whole
soak: export COUNTERSEAL_FUZZ_SECONDS := 600
soak: rust-test python-test project-test ## the long trials whole

$(UV): tests/requirements/bootstrap.txt
	$(PYTHON) -m venv $(CACHE)/bootstrap
	$(CACHE)/bootstrap/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(DENY):
	cargo install cargo-deny --locked --version 0.20.2 --root $(CACHE)/tools --quiet

$(CACHE)/maturin/.installed: tests/requirements/maturin.txt $(UV)
	$(UV) venv --quiet --clear --python $(PYTHON) $(CACHE)/maturin
	$(UV) pip install --quiet --python $(CACHE)/maturin --require-hashes -r $<
	@touch $@

$(WHEEL): $(CACHE)/maturin/.installed $(RUST_SOURCES) $(PYTHON_SOURCES)
	@mkdir -p $(CACHE)/wheel && rm -f $(CACHE)/wheel/*.whl
	$(CACHE)/maturin/bin/maturin build --quiet --release --locked --out $(CACHE)/wheel
	@touch $@

define environment
$(CACHE)/$(1)/.installed: $(2) $(UV) $(WHEEL)
	$(UV) venv --quiet --clear --python $(or $(3),$(PYTHON)) $(CACHE)/$(1)
	$(foreach list,$(2),$(UV) pip install --quiet --python $(CACHE)/$(1) --no-deps --require-hashes -r $(list) &&) true
	$(UV) pip install --quiet --python $(CACHE)/$(1) --no-deps --reinstall $(CACHE)/wheel/*.whl
	@touch $$@
endef

$(eval $(call environment,lint,tests/requirements/lint.txt))
$(eval $(call environment,test,tests/requirements/test.txt))
$(eval $(call environment,peers,bench/peers/requirements.txt tests/defects/requirements-peers.txt))
$(eval $(call environment,demo,examples/agentdojo/requirements.txt tests/requirements/pytest.txt))
# these two need Python 3.11
$(eval $(call environment,langchain,tests/requirements/langchain.txt,">=3.11"))
$(eval $(call environment,agent,examples/langgraph/requirements.txt tests/requirements/pytest.txt,">=3.11"))

# the same release as the installed one, with its tests
$(CACHE)/langchain-core/.unpacked: tests/requirements/langchain.txt | $(CACHE)/langchain/.installed
	rm -rf $(@D) && mkdir -p $(@D)
	sed -n '/^langchain-core==/,/[^\\]$$/p' $< > $(@D)/source.txt
	$(CACHE)/langchain/bin/python -m pip download --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-binary :all: \
	  --require-hashes -r $(@D)/source.txt -d $(@D)
	tar -xzf $(@D)/*.tar.gz -C $(@D) --strip-components 1
	@touch $@

requirements: $(UV) ## rewrite the pinned lists from their .in files
	for list in bootstrap lint maturin pytest test; do \
	  $(UV) pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links tests/requirements/$$list.in -o tests/requirements/$$list.txt || exit 1; done
	$(UV) pip compile --quiet --universal --python-version 3.11 --override tests/requirements/langchain-overrides.txt --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links tests/requirements/langchain.in -o tests/requirements/langchain.txt
	$(UV) pip compile --quiet --universal --python-version 3.11 --override tests/requirements/langchain-overrides.txt --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links --constraints examples/agentdojo/requirements.txt --excludes examples/langgraph/requirements-left-out.txt \
	  examples/langgraph/requirements.in -o examples/langgraph/requirements.txt

clean: ## remove builds and caches
	rm -rf target $(CACHE) bench/out
