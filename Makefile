# make demo   pretrain on the images inside the package; a table and a report
# make test   all tests
# make test-fast  all but the slow ones
# make lint   style
# make docs   the documentation as a site, build/site/index.html
# make peers  what `python -m benchmarks` compares with: several GB
# Each makes the virtual environment first, if there is none.
PYTHON ?= python3
VENV := .venv
RUN := TF_CPP_MIN_LOG_LEVEL=3 $(VENV)/bin/python
# Whole files, in the order of tests/conftest.py: the slow ones first. Bytecode is
# kept, or every process that a test starts compiles the package again.
PYTEST := PYTHONDONTWRITEBYTECODE= $(RUN) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: demo test test-fast lint docs peers clean

demo: $(VENV)/.installed
	$(RUN) train.py --config=configs/quickstart.py --workdir=runs/quickstart

test: $(VENV)/.installed
	$(PYTEST)

test-fast: $(VENV)/.installed
	$(PYTEST) -m "not slow"

lint: $(VENV)/.installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

docs: $(VENV)/.installed
	$(VENV)/bin/mkdocs build --strict

peers: .venv-peers/.installed

.venv-peers/.installed:
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet \
		torch==2.14.1 torchvision==0.29.1 lightly onnxruntime
	touch $@

$(VENV)/.installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --upgrade pip
	$(VENV)/bin/python -m pip install --quiet --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) runs build dist *.egg-info
