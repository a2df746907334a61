# `make help` lists what there is to make. Each makes a virtual environment first (VENV) and installs what it needs into it.
VENV ?= .venv
PYTHON ?= python3
RUN = $(VENV)/bin/python cli.py
DEMO = --corpus sample --share 1 --block-size 32 --n-embd 64 --epochs 1 --batch-size 32
# Tests run side by side: threads of one that wait in a loop would take the cores from the others.
FEW_THREADS = OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive
INSTALL = $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help demo recordings test test-slow coverage lint docs bench spread cost clean

help: ## this list
	@awk -F ': .*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.installed ## train both models on the sample for about a minute, print their text, draw their figures
	rm -rf runs/demo
	$(RUN) train --model gpt $(DEMO) --out runs/demo/gpt
	$(RUN) train --model gpt_noattn $(DEMO) --out runs/demo/gpt_noattn
	$(RUN) generate --run runs/demo/gpt --prompt "TEODORA:" --tokens 300
	$(RUN) generate --run runs/demo/gpt_noattn --prompt "TEODORA:" --tokens 300
	@echo "The figures: runs/demo/gpt/figure.png and runs/demo/gpt_noattn/figure.png"

recordings: ## record the examples of examples/models anew on R torch, where R has it; else it says what is missing
	@if command -v Rscript >/dev/null; then Rscript examples/models/record.R parity_tests/modules; \
	  else echo "nothing is recorded: Rscript is not on the PATH. Install R 4.2 or newer, then its torch"; fi

test: $(VENV)/.installed-dev $(VENV)/.installed-system ## all tests but the slow ones
	$(FEW_THREADS) $(VENV)/bin/python -m pytest -n 2 --dist worksteal

test-slow: $(VENV)/.installed-dev $(VENV)/.installed-system ## the slow tests: hours, among them both exercises whole
	$(FEW_THREADS) $(VENV)/bin/python -m pytest -m slow

coverage: $(VENV)/.installed-dev $(VENV)/.installed-system ## the tests again, and which lines and branches they reach
	$(FEW_THREADS) $(VENV)/bin/python -m pytest -n 2 --dist worksteal --cov --cov-report term --cov-report html
	@echo "Line by line: htmlcov/index.html"

# The tools stand in .pre-commit-config.yaml and nowhere else; it finds them on the path.
lint: $(VENV)/.installed-dev docs ## every check of .pre-commit-config.yaml (mends what it can), actionlint, the site
	PATH="$(abspath $(VENV))/bin:$$PATH" $(VENV)/bin/pre-commit run --all-files --show-diff-on-failure
	@if PATH="$(abspath $(VENV))/bin:$$PATH" command -v actionlint >/dev/null; then \
	  PATH="$(abspath $(VENV))/bin:$$PATH" actionlint; else \
	  echo "actionlint is not installed: the workflows were held to GitHub's schema alone (see CONTRIBUTING.md)"; fi

docs: $(VENV)/.installed-dev ## the site, in site/, with every link checked
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict

bench: $(VENV)/.installed ## how fast training, generation and grading are here, as ratios
	$(VENV)/bin/python -m benchmarks.model
	$(VENV)/bin/python -m benchmarks.grading

spread: $(VENV)/.installed ## the course's spread over seeds after every epoch, and its mistakes, into data/: hours
	$(VENV)/bin/python -m benchmarks.spread

cost: $(VENV)/.installed ## what a step costs as block, width, batch and text grow: docs/cost.json and figures, some minutes
	$(VENV)/bin/python -m benchmarks.cost

clean: ## remove what the others made: the environment, runs/demo, build, dist, site, coverage
	rm -rf $(VENV) runs/demo build dist site htmlcov .coverage .coverage.*

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("pygpt needs Python 3.11 or newer: make PYTHON=python3.11 …" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -e .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(INSTALL) -e '.[test,lint,docs]'
	touch $@

# R for the live parity tests, bubblewrap for the grader's: what cannot be had is named, and its tests are skipped.
$(VENV)/.installed-system: $(VENV)/.installed-dev .ci/install_system
	bash .ci/install_system
	@$(INSTALL) -e '.[r]' || echo "rpy2 could not be installed: the tests that drive R are skipped"
	touch $@
