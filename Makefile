# The course's commands. `make help` lists them.
# Needs Python >= 3.11, git and make; everything else is installed into .venv.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help lab test check lint unit answers sync nbval students solved notebooks site demo browser reference bench clean

PY := .venv/bin/python
LAB := .venv/.lab# what a student needs is installed
READY := .venv/.ready# and what tests, grading and the site need
ALL := lab,test,site
LATEST ?=
ARGS ?=
LESSON ?= home
PROFILE ?= laptop
export JUPYTER_PLATFORM_DIRS := 1
export PYTHONWARNINGS := ignore::DeprecationWarning:nbgrader

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / && $$1 != "help" {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The environment, made where there is none, and in it the extras that the argument names. LATEST=1 takes the newest versions of
# everything instead of the tested ones.
define environment
	@found=; for p in python3 python3.13 python3.12 python3.11; do \
	  if command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then found=$$p; break; fi; done; \
	if [ -z "$$found" ]; then echo "no Python >= 3.11 found (looked for python3, python3.13, python3.12, python3.11): install one and run make again"; exit 1; fi; \
	[ -x $(PY) ] || $$found -m venv .venv || { rm -rf .venv; \
	  echo "no environment could be made with $$found: the lines above say why (Debian, Ubuntu: apt install python3-venv)"; exit 1; }
	$(PY) -m pip install --quiet --disable-pip-version-check -e '.[$(1)]' $(if $(LATEST),--upgrade,-c constraints.txt)
	@touch $@
endef

$(LAB): pyproject.toml constraints.txt
	$(call environment,lab)

$(READY): pyproject.toml constraints.txt
	$(call environment,$(ALL))

lab: $(LAB) ## begin here: install if needed and open the course's home, or a lesson (LESSON=02; on a server ARGS=--no-browser)
	@$(PY) -m course_lib lab "$(LESSON)" $(ARGS)

# Two at a time, one thread each; what each prints is kept together where this make can do so (since version 4).
TOGETHER := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
test: lint sync ## the whole check: lint, unit tests, notebooks in sync, every notebook run
	OMP_NUM_THREADS=1 $(MAKE) --no-print-directory -j2 $(TOGETHER) unit answers students solved
	@echo "all checks passed"

check: $(READY) lint ## the quick check: lint and the unit tests that take no time
	$(PY) -m pytest -m "not slow" tests/unit

lint: $(READY)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

# What the exercises' checks say to right and wrong answers: two fifths of the tests' time, so they run beside the rest.
ANSWERS := tests/unit/test_checks.py tests/unit/test_right_answers.py tests/unit/test_answer_types.py
unit: $(READY)
	$(PY) -m pytest tests $(ANSWERS:%=--ignore=%)

answers: $(READY)
	$(PY) -m pytest $(ANSWERS)

sync: $(READY) ## fail if a notebook differs from its source in lessons/
	$(PY) lessons/build.py --check

nbval: students solved ## run every notebook in notebooks/ and solutions/ in profile smoke

# In notebooks/ answers are missing and the course's own stand in; in solutions/ they must be right (COURSE_STRICT=1).
NBVAL := -m pytest -p nbval_kernels --nbval-lax --nbval-current-env --nbval-cell-timeout=300
students: $(READY) sync
	COURSE_PROFILE=smoke PYTHONPATH=tests $(PY) $(NBVAL) notebooks

solved: $(READY) sync
	COURSE_PROFILE=smoke COURSE_STRICT=1 PYTHONPATH=tests $(PY) $(NBVAL) solutions

notebooks: $(READY) ## build notebooks/ and solutions/ from lessons/
	$(PY) lessons/build.py

# A lesson whose cells have not changed is not run again in the same profile; `rm -r site` forgets all runs.
site: $(READY) sync ## the executed lessons as pages in site/html (two at a time; PROFILE=smoke is quicker)
	rm -rf site/source site/html
	mkdir -p site/source/notebooks
	cp lessons/site/* site/source/
	cp CONTRIBUTING.md site/source/contributing.md
	cp notebooks/*.ipynb site/source/notebooks/
	COURSE_PROFILE=$(PROFILE) OMP_NUM_THREADS=1 $(PY) -m sphinx -W --keep-going -q -j 2 -d site/doctrees site/source site/html
	@echo "site/html/index.html: $$(du -sh site/html | cut -f1)"

demo: $(LAB) ## a page to track in your own video or with the webcam (ARGS="--port=8888 --no-browser" on a server)
	$(PY) -m pip install --quiet --disable-pip-version-check -e '.[demo]' -c constraints.txt
	$(PY) -m voila lessons/pages/demo.ipynb $(ARGS)

browser: $(READY) ## drive the widgets in Chromium: JupyterLab, Notebook, Voilà (needs chromium and chromedriver)
	$(PY) -m pip install --quiet --disable-pip-version-check -e '.[browser]' -c constraints.txt
	$(PY) -m pytest tests/browser

reference: .reference/.ready ## OpenCV with its own trackers, beside the environment, for comparisons

.reference/.ready: $(READY) constraints.txt
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target .reference \
	  "opencv-contrib-python-headless==$$(sed -n 's/^opencv-python==//p' constraints.txt)"
	@touch $@

bench: $(READY) reference ## speed and accuracy beside outside references, one thread
	OMP_NUM_THREADS=1 PYTHONPATH=.reference $(PY) benchmarks/metrics.py
	OMP_NUM_THREADS=1 PYTHONPATH=.reference $(PY) benchmarks/classical.py
	OMP_NUM_THREADS=1 $(PY) benchmarks/siamfc_speed.py

clean: ## remove what can be made again (my_work/, runs/ and data/ stay)
	rm -rf .pytest_cache .ruff_cache .hypothesis .reference
	find course_lib tests lessons data_scripts benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
