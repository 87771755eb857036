.PHONY: help run test bench check-macos setup fuzz
.DEFAULT_GOAL := help

# The folder make was called in, also with `make -C`: the session's project.
HERE := $(if $(PWD),$(PWD),$(CURDIR))

help:
	@echo "make run           install what is missing, build, and start the app; without a display, a session here"
	@echo "                   make run ARGS='-- -p \"say hi\"' starts a session with these arguments"
	@echo "make test          everything that CI checks"
	@echo "make bench         how fast a session starts, beside a bare docker run"
	@echo "make fuzz          fuzz the merges, the archive reader and the protocol, ten minutes each"
	@echo "make check-macos   type-check for macOS from any machine"
	@echo "make setup         only install what 'run' and 'test' need"

run:
	@scripts/run.sh "$(HERE)" $(ARGS)

test:
	@scripts/test.sh

bench:
	@scripts/bench.sh

check-macos:
	@scripts/check-macos.sh

setup:
	@scripts/setup.sh run
	@scripts/setup.sh test

fuzz:
	@scripts/fuzz.sh $(SECONDS_EACH)
