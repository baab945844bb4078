# cargo builds, make packages. All variables may be set on the command line.
PREFIX = /usr/local
BINDIR = $(PREFIX)/bin
LIBEXECDIR = $(PREFIX)/libexec/pumice
MANDIR = $(PREFIX)/share/man
DESTDIR =

CARGO = cargo
CARGOFLAGS = --locked
INSTALL = install
PROVE = prove
# Tests send signals, and what nohup(1) or a shell's background job ignores stays ignored.
CATCHING = env --default-signal=HUP,INT,QUIT

# The inventory of the package.
TOOLS = job-split overlay-pack tftp-stage serial-expect ssh-connect mn-broker mn-report
# What mn-run runs besides.
SCRIPTS = member clean roles/host roles/guest roles/watcher
MAN1 = job-split overlay-pack tftp-stage serial-expect ssh-connect mn-broker mn-report mn-run
MAN5 = mn-message
MAN7 = mn-exit mn-protocol pumice
PAGES = $(MAN1:%=man/%.1) $(MAN5:%=man/%.5) $(MAN7:%=man/%.7)

SHELL_SCRIPTS = tools/mn-run/mn-run $(SCRIPTS:%=tools/mn-run/%) .ci/run \
	tests/board/build tests/board/lab tests/board/packages-install tests/board/qemu-mustang tests/board/run-job tests/fresh \
	tests/pipe/lib.sh tests/pipe/mustang.sh tests/pipe/*.t tests/data/console/*.sh \
	tests/data/definitions/scripts/*.sh tests/data/definitions/*/*/scripts/*.sh tests/bench/lava/run-lava

all:
	$(CARGO) build --release $(CARGOFLAGS) $(TOOLS:%=--package %)

# All tests, one whole job on the virtual mustang included.
check: packages
	$(CARGO) build --release $(CARGOFLAGS) --workspace
	$(CATCHING) $(CARGO) test --release $(CARGOFLAGS) --workspace --quiet
	$(CATCHING) $(PROVE) tests/pipe

# The main job on the virtual mustang, to look at.
demo: packages all
	tests/board/run-job qemu --verbose

# What the numbers of the project are; target/bench.json has them for programs.
bench: packages
	$(CARGO) build --release $(CARGOFLAGS) --workspace
	target/release/pumice-bench

# Every ending of the main job on the board model, at many moments, and guests that are slow; half an hour.
endings: packages
	$(CARGO) build --release $(CARGOFLAGS) --workspace
	$(CATCHING) target/release/pumice-endings --full
	$(CATCHING) target/release/pumice-endings --delays 200

# The table of endings in mn-exit(7), from one run of each kind.
endings-table: packages
	$(CARGO) build --release $(CARGOFLAGS) --workspace
	$(CATCHING) target/release/pumice-endings --table

# Any input at all, to what reads the input of others; FUZZ_SECONDS for each target. Needs cargo-fuzz and a nightly compiler.
FUZZ_SECONDS = 60
fuzz:
	cd tests/fuzz && for target in targets/*.rs; do \
		name=$$(basename "$$target" .rs) && mkdir -p "corpus/$$name" && \
		$(CARGO) +nightly fuzz run --fuzz-dir . "$$name" "corpus/$$name" "seeds/$$name" -- \
			-max_total_time=$(FUZZ_SECONDS) -max_len=16384 || exit; \
	done

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets $(CARGOFLAGS) --quiet -- -D warnings
	cd tests/fuzz && $(CARGO) fmt --check && $(CARGO) clippy $(CARGOFLAGS) --quiet -- -D warnings
	shellcheck -x -P SCRIPTDIR $(SHELL_SCRIPTS)
	mandoc -Tlint -Wwarning $(PAGES)
	$(CARGO) deny --locked check bans licenses sources

# One text: the page that one reads first.
README.md: man/pumice.7
	{ printf '# pumice\n\n'; mandoc -Tmarkdown man/pumice.7 | sed -e '1,4d' -e '$$d' -e 's/^# /## /'; } >$@

packages:
	tests/board/packages-install

install: all
	$(INSTALL) -d '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(LIBEXECDIR)/roles' \
		'$(DESTDIR)$(MANDIR)/man1' '$(DESTDIR)$(MANDIR)/man5' '$(DESTDIR)$(MANDIR)/man7'
	$(INSTALL) -m 755 $(TOOLS:%=target/release/%) '$(DESTDIR)$(BINDIR)'
	sed 's|$$(dirname -- "$$0")|$(LIBEXECDIR)|' tools/mn-run/mn-run >target/release/mn-run
	$(INSTALL) -m 755 target/release/mn-run '$(DESTDIR)$(BINDIR)'
	for script in $(SCRIPTS); do \
		$(INSTALL) -m 755 "tools/mn-run/$$script" '$(DESTDIR)$(LIBEXECDIR)'/"$$script" || exit; \
	done
	$(INSTALL) -m 644 $(MAN1:%=man/%.1) '$(DESTDIR)$(MANDIR)/man1'
	$(INSTALL) -m 644 $(MAN5:%=man/%.5) '$(DESTDIR)$(MANDIR)/man5'
	$(INSTALL) -m 644 $(MAN7:%=man/%.7) '$(DESTDIR)$(MANDIR)/man7'

uninstall:
	cd '$(DESTDIR)$(BINDIR)' && rm -f $(TOOLS) mn-run
	cd '$(DESTDIR)$(LIBEXECDIR)' && rm -f $(SCRIPTS)
	-rmdir '$(DESTDIR)$(LIBEXECDIR)/roles' '$(DESTDIR)$(LIBEXECDIR)'
	cd '$(DESTDIR)$(MANDIR)' && rm -f $(MAN1:%=man1/%.1) $(MAN5:%=man5/%.5) $(MAN7:%=man7/%.7)

clean:
	$(CARGO) clean

.PHONY: all check demo bench endings endings-table fuzz lint packages install uninstall clean
