# `make help` lists what there is. Every target makes the environment first; that takes seconds once it is there.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

BIN := .venv/bin
DISTILL := $(BIN)/distill

# Albumentations looks for a newer version of itself online on import; TensorFlow logs a page on import.
export NO_ALBUMENTATIONS_UPDATE := 1
export TF_CPP_MIN_LOG_LEVEL := 2

# Options of the targets below: make teacher DATA=data/WFLW PRESET=wflw CONFIG=configs/teacher.yaml NAME=teacher_wflw
GENERATED := data/generated
DATA ?= $(or $(firstword $(wildcard data/300W ../shared/data/300W)),$(GENERATED))
# A folder with faces.json is a manifest; any other is a public data set with its official split, or FORMAT=name.
MANIFEST = $(or $(wildcard $(DATA)/faces.json),$(filter $(GENERATED),$(DATA)))
PRESET ?= $(if $(FORMAT)$(MANIFEST),,300w)
BOXES ?= gt
TEACHER ?= runs/teacher/best.ckpt
MODEL ?= runs/student/best.ckpt
EXPORT ?= $(patsubst %/,%,$(dir $(MODEL)))/export
RUNTIME ?= 2.11.0
RESULT ?= $(patsubst %/,%,$(dir $(MODEL)))/evaluation.json
SUBMISSION ?= $(patsubst %/,%,$(dir $(MODEL)))/submission.zip

# The official subsets are used unless TRAIN or SUBSET name others; no test face is trained on.
FOLDER = $(if $(PRESET),--data.preset $(PRESET),--data.format $(or $(FORMAT),manifest)) --data.root "$(DATA)"
TRAINING = $(FOLDER) $(if $(TRAIN),--data.subset "$(TRAIN)")
TESTING = $(FOLDER) $(if $(SUBSET),--data.subset "$(SUBSET)")

# KD=none trains the baseline without a teacher; KD=NAME another distillation loss, of weight KD_WEIGHT.
KD ?=
KD_WEIGHT ?= 1
BASELINE = $(filter none,$(KD))
OTHER_KD = $(if $(KD),--kd.kind $(KD) --kd.weight $(KD_WEIGHT) --kd.cache.form none)
DISTILLED = $(if $(BASELINE),--kd.kind none,--teacher $(TEACHER) $(OTHER_KD))

# Several files in TEACHER are averaged. OPTIONS are any of the command, as for a teacher of 68 points:
# make student TEACHER=checkpoints/student_68_256.safetensors OPTIONS="--data.scheme ibug68"
OPTIONS ?=
# `make teacher RESUME=1` continues a training that was stopped.
CONTINUE = $(if $(RESUME),--resume)

.PHONY: help setup demo test pytest lint style types format lock docs doctor faces teacher student detector export check evaluate submission clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## make .venv from the lock (PYTHON=…, TORCH_INDEX=… for CUDA)
	@scripts/setup.sh

demo: setup ## everything on generated faces, in minutes: runs/demo/report.html
	@$(BIN)/python -m scripts.demo

test: style ## lint and every test (no network); types are checked beside the tests
	@$(MAKE) --no-print-directory -j 2 -o setup types pytest

pytest: setup
	$(BIN)/pytest -q -n auto --dist loadgroup

lint: style types ## style, types, direction of imports, words

style: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/codespell distill docs README.md CONTRIBUTING.md configs tests scripts

types: setup
	$(BIN)/mypy

format: setup ## format the code and fix what ruff can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: setup ## write requirements.lock from what is in .venv (needs uv)
	$(BIN)/python -m scripts.generate.lock

docs: setup ## the documentation site, for a browser: build/docs/site/index.html
	@$(BIN)/python -m scripts.generate.site

doctor: setup ## versions, conflicts, disk, device, in one block to paste
	@$(BIN)/python -m distill.doctor

faces: setup
	@echo "faces: $(DATA), $(or $(PRESET),$(FORMAT),manifest)$(if $(filter $(GENERATED),$(DATA)), (generated: no data/300W here),); choose others with DATA=… PRESET=…"
	@if [ "$(DATA)" = "$(GENERATED)" ] && [ ! -f "$(GENERATED)/faces.json" ]; then $(DISTILL) data synth $(GENERATED); fi

teacher: faces ## train a teacher (DATA=… PRESET=… CONFIG=… NAME=… RESUME=1)
	$(DISTILL) teacher --config $(or $(CONFIG),configs/teacher.yaml) --name $(or $(NAME),teacher) $(TRAINING) $(OPTIONS) $(CONTINUE)

student: faces ## distil a student (as above, and TEACHER=…; KD=none: the baseline)
	$(DISTILL) student --config $(or $(CONFIG),configs/student.yaml) --name $(or $(NAME),student$(if $(BASELINE),_baseline)) $(DISTILLED) $(TRAINING) $(OPTIONS) $(CONTINUE)

detector: setup ## train a face detector (CONFIG=… NAME=… WEIGHTS=mobilenet_v2-….pth RESUME=1)
	$(DISTILL) detector --config $(or $(CONFIG),configs/detector.yaml) --name $(or $(NAME),detector) $(if $(WEIGHTS),--model.weights "$(WEIGHTS)") $(CONTINUE)

export: faces ## MODEL=… to ONNX and TFLite, parity gates on the test faces of DATA=…
	$(DISTILL) export "$(MODEL)" --out "$(EXPORT)" $(TESTING)

check: setup ## would the exported model run on RUNTIME=2.11.0?
	$(DISTILL) check "$(EXPORT)/student_fp32.tflite" --runtime $(RUNTIME)

evaluate: faces ## NME and more of MODEL=… on the test faces of DATA=… (BOXES=gt|dataset|detector)
	$(DISTILL) evaluate "$(MODEL)" $(TESTING) --boxes $(BOXES) --json "$(RESULT)"

submission: setup ## the contest's zip, dry-run in a fresh environment
	$(DISTILL) submit "$(EXPORT)/student_fp16.tflite" --out "$(SUBMISSION)" $(if $(wildcard $(RESULT)),--results "$(RESULT)")

clean: ## remove caches and build leftovers; runs/, data/ and .venv stay
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis .wheels.part
	find . -path ./.venv -prune -o -path ./runs -prune -o -path ./data -prune -o -name __pycache__ -type d -exec rm -rf {} +
