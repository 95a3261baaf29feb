# The commands of this project. `make demo` and `make test` are all that a newcomer needs.

# Python 3.11 or newer, whatever it is called here.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python3.14; do \
	if "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo "$$name"; break; fi; done)
RUN = .venv/bin/python

# Where Python is told to keep no compiled modules, the hundreds of processes that tests start would compile each anew.
export PYTHONDONTWRITEBYTECODE :=

# What changed last decides whether the environment is made again.
INSTALLED = .venv/installed

# For `make chaos`: how long faults are injected, which ones in which order, starts each second, and a file for the tables.
SECONDS = 180
SEED =
RATE = 8
MARKDOWN =

# For `make simulate`: how many stories, and which is the first.
SEEDS = 10000
FIRST = 0

# For `make test`: how many files of tests run at the same time (0: one after the other, in one process). Most tests wait
# for processes rather than compute, so a few more than there are processors.
WORKERS = 3

# For `make bench`: which scenarios (all unless named, as in ONLY="chain start"), small ones (QUICK=1), how many rounds.
ONLY =
QUICK =
ROUNDS =

# For `make protos`: where the declarations are that gRPC's messages are read from.
PROTOS = engine/api/grpc/proto

# For `make fuzz`: how long each parser is tried.
FUZZ_SECONDS = 60

.PHONY: fuzz help install demo test check protos bench chaos simulate mutations up down pins
.DEFAULT_GOAL := help

help: ## show these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

install: $(INSTALLED) ## make the pinned environment in .venv

$(INSTALLED): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer was not found; install it, or name it: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m deploy.environment .venv
	@touch $@

demo: $(INSTALLED) ## run the six workflows in one process, no server needed
	@$(RUN) -m demo.run

test: $(INSTALLED) ## run every test, on RabbitMQ and Postgres too (WORKERS)
	@$(RUN) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not alone"
	@$(RUN) -m pytest -m alone

check: $(INSTALLED) ## style, types, and who may import whom
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	.venv/bin/lint-imports --no-logo

protos: $(INSTALLED) ## compile the .proto files of the gRPC door
	@$(RUN) -m grpc_tools.protoc -I $(PROTOS) --include_imports --descriptor_set_out=$(PROTOS)/services.pb \
		$(patsubst $(PROTOS)/%,%,$(wildcard $(PROTOS)/*/*.proto))

bench: $(INSTALLED) ## what orchestration costs, on RabbitMQ and Postgres, beside bare Celery (ONLY, QUICK, ROUNDS)
	@$(RUN) -m benchmarks.run $(if $(ONLY),--only $(ONLY)) $(if $(QUICK),--quick) $(if $(ROUNDS),--rounds $(ROUNDS))

chaos: $(INSTALLED) ## minutes of kills, wipes, freezes and cut lines (SECONDS, SEED, RATE, MARKDOWN)
	@$(RUN) -m tests.chaos --seconds $(SECONDS) --rate $(RATE) $(if $(SEED),--seed $(SEED)) $(if $(MARKDOWN),--markdown $(MARKDOWN))

simulate: $(INSTALLED) ## stories of crashes, lost messages and wiped brokers on a simulated clock (SEEDS, FIRST)
	@$(RUN) -m tests.simulation --seeds $(SEEDS) --first $(FIRST)

mutations: $(INSTALLED) ## break the engine on purpose, one way after the other: the simulation has to notice
	@$(RUN) -m tests.simulation.mutations

fuzz: $(INSTALLED) ## inputs that break a parser, guided by coverage (FUZZ_SECONDS each; installs atheris)
	@$(RUN) -c 'import atheris' 2>/dev/null || .venv/bin/pip install -q -c constraints.txt '.[fuzz]'
	@$(RUN) -m tests.fuzz --seconds $(if $(filter command line,$(origin SECONDS)),$(SECONDS),$(FUZZ_SECONDS))

up: $(INSTALLED) ## start the real stack on this machine; writes .env
	@$(RUN) -m deploy.stack up

down: $(INSTALLED) ## stop what `make up` started; the data stays in .baton
	@$(RUN) -m deploy.stack down

pins: $(INSTALLED) ## write the versions of the environment to constraints.txt
	@$(RUN) -m deploy.environment --freeze > constraints.txt
