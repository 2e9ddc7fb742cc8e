# Gatepost: the build.  The two commands that matter are `make run` and `make check`.
#
# Sources are found by folder, so a new file needs no line here.  Everything but the two main files
# goes into one archive that the programs, the unit tests and the fuzz targets link against.

MODE     ?= release
BUILD    := build/$(MODE)
CC       := gcc
PYTHON   := /usr/bin/python3
PREFIX   ?= /usr/local
SYSCONF  ?= /etc

PKGS     := libconfuse lmdb openssl libidn2 libseccomp libcap libsystemd libpcre2-8 libcares ldns \
            libarchive libgsasl libcrypt opendkim
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla \
            -Wno-override-init -Wno-missing-field-initializers
WERROR   ?= -Werror
# No strict aliasing: a struct sockaddr is read as what it is, a sockaddr_in or _in6, which the standard doesn't know.
STD      := -std=gnu17 -fno-strict-aliasing -D_GNU_SOURCE -I. -I$(BUILD) -DGATEPOST_SYSCONF='"$(SYSCONF)"'
HARDEN   := -fPIE -fstack-protector-strong -fstack-clash-protection -D_FORTIFY_SOURCE=2 \
            $(shell $(CC) -fcf-protection -E -x c /dev/null >/dev/null 2>&1 && echo -fcf-protection)
LDHARDEN := -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed

ifeq ($(MODE),asan)
OPT      := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -DGATEPOST_SANITIZED
HARDEN   := -fPIE
LDOPT    := -fsanitize=address,undefined
else ifeq ($(MODE),fuzz)
OPT      := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -DGATEPOST_SANITIZED
HARDEN   := -fPIE
LDOPT    := -fsanitize=address,undefined
else
# Whole-program optimisation for the daemon alone: 3 % less CPU a message, but each link takes seconds.
OPT      := -O2 -g -flto=auto -ffat-lto-objects
LDOPT    := -fno-lto
LTO      := -O2 -flto=auto
endif

CFLAGS   += $(STD) $(WARN) $(WERROR) $(OPT) $(HARDEN) -pthread -MMD -MP $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LDFLAGS  += $(LDHARDEN) $(LDOPT) -pthread
LDLIBS   += $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lm

# `make V=1` shows the whole commands.
ifeq ($(V),)
SAY = $(if $(findstring s,$(firstword -$(MAKEFLAGS))),@,@echo "  $(1) $(MODE)/$(2)";)
else
SAY =
endif

SRCS     := $(sort $(shell find shm policy worker master -name '*.c'))
MAINS    := master/main.c master/admin/main.c
LIBOBJS  := $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(MAINS),$(SRCS)))
LIB      := $(BUILD)/libgatepost.a
UNIT     := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/unit/test_*.c)))
# What several unit tests share: the other files beside them.
UNITHELP := $(patsubst %.c,$(BUILD)/%.o,$(filter-out tests/unit/test_%,$(sort $(wildcard tests/unit/*.c))))

# As many compilers as there are processors, where nobody has said -j (then "+" passes on what was said).
MANY = $(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

all: $(BUILD)/gatepostd $(BUILD)/gatepost

$(BUILD)/gatepostd: $(BUILD)/master/main.o $(LIB)
	$(call SAY,LD,$(@F))$(CC) $(LDFLAGS) $(LTO) -o $@ $< $(LIB) $(LDLIBS)

$(BUILD)/gatepost: $(BUILD)/master/admin/main.o $(LIB)
	$(call SAY,LD,$(@F))$(CC) $(LDFLAGS) -o $@ $< $(LIB) $(LDLIBS)

$(LIB): $(LIBOBJS)
	@rm -f $@
	@gcc-ar rcsP $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call SAY,CC,$*)$(CC) $(CFLAGS) -c -o $@ $<

# The files that switch stacks by longjmp: glibc's fortified longjmp aborts on a stack that is not its own, and nobody
# else's code is to be inlined into them.
$(BUILD)/worker/io/task.o $(BUILD)/worker/smtp/session.o: CFLAGS += -U_FORTIFY_SOURCE -fno-lto

unit-tests: $(UNIT)
# What sanitizers don't let happen (system call filters, valgrind) is tested in the plain build.
plain-tests: $(BUILD)/tests/unit/test_session \
	$(patsubst %.c,$(BUILD)/%,$(sort $(shell grep -l '"SKIP:' tests/unit/test_*.c)))
$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(UNITHELP) $(LIB)
	$(call SAY,LD,tests/unit/$*)$(CC) $(LDFLAGS) -o $@ $< $(UNITHELP) $(LIB) $(LDLIBS) $(shell pkg-config --libs check)

# Gatepost beside its peers, and what its parts cost (one program each; they print their figures).
# `make bench QUICK=1` takes two minutes; tests/bench/README.md says what is measured.
BENCH    := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/bench/*.c)))

bench:
	@tools/setup build bench
	+@$(MANY) MODE=release all bench-tools
	@tests/bench/bench $(if $(QUICK),--quick) build/release

bench-tools: $(BENCH)

$(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o $(LIB)
	$(call SAY,LD,tests/bench/$*)$(CC) $(LDFLAGS) -o $@ $< $(LIB) $(LDLIBS)

# --- the two commands -----------------------------------------------------------------------------
# Packages are installed first, and then make starts anew: what pkg-config says is read at its start.

run:
	tools/setup build run
	+@$(MANY) all
	@tools/run $(BUILD)

check:
	@tools/setup build check fuzz
	+@$(MANY) MODE=release all plain-tests
	+@$(MANY) MODE=asan all unit-tests bench-tools
	+@$(MANY) MODE=fuzz CC=clang fuzzers
	@tests/run build/asan $(ONLY)

# --- how sturdy -----------------------------------------------------------------------------------
# Builds the fuzz targets and runs each for FUZZ_SECONDS from its corpus.

FUZZERS  := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_SECONDS ?= 20

fuzz:
	@tools/setup build fuzz
	+@$(MANY) MODE=fuzz CC=clang run-fuzzers
fuzzers: $(FUZZERS)
# What a run finds anew goes into the first folder; what is kept stands in the second.
run-fuzzers: $(FUZZERS)
	@for f in $^; do name=$$(basename $$f | sed s/fuzz_//); mkdir -p build/corpus/$$name; \
		$$f -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=build/ \
			build/corpus/$$name $$(ls -d tests/fuzz/corpus/$$name 2>/dev/null) >build/fuzz-$$name.log 2>&1 || \
			{ tail -40 build/fuzz-$$name.log; exit 1; }; \
		echo "fuzz_$$name: $$(tail -1 build/fuzz-$$name.log)"; done
$(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(LIB)
	$(call SAY,LD,tests/fuzz/$*)$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $< $(LIB) $(LDLIBS)

# Random kills under load (tests/chaos/README.md), and a hundred reloads.  KILLS=n, SEED=n to have a run again.
KILLS ?= 1000

chaos:
	@tools/setup build check
	+@$(MANY) all
	@GATEPOST_BUILD=$(BUILD) PYTHONDONTWRITEBYTECODE=1 $(PYTHON) tests/chaos/chaos.py --kills $(KILLS) \
		$(if $(SEED),--seed $(SEED))
	@GATEPOST_BUILD=$(BUILD) RELOADS=100 $(PYTHON) -B -m pytest -q -p no:cacheprovider tests/e2e/test_reload.py -k under_load

# Every n-th call of a worker fails, on the plain build.  KINDS=memory,write for some only.
faults:
	@tools/setup build check
	+@$(MANY) MODE=release all
	@GATEPOST_BUILD=build/release PYTHONDONTWRITEBYTECODE=1 $(PYTHON) tests/chaos/faults.py \
		$(if $(KINDS),--kinds $(KINDS))

# --- documents: what they say of options, checks and replies is made from the tables of the code ------

MAN      := $(addprefix $(BUILD)/man/,$(sort $(notdir $(wildcard doc/*.[58]))))

man: $(MAN)

$(BUILD)/man/%: doc/% $(BUILD)/gendoc
	@mkdir -p $(@D)
	@$(BUILD)/gendoc $< >$@.new && mv $@.new $@

docs: $(BUILD)/gendoc
	@$(BUILD)/gendoc README.md >$(BUILD)/README.new && cat $(BUILD)/README.new >README.md

$(BUILD)/gendoc: $(BUILD)/tools/gendoc.o $(LIB)
	$(call SAY,LD,gendoc)$(CC) $(LDFLAGS) -o $@ $< $(LIB) $(LDLIBS)

# --- what keeps the code clean --------------------------------------------------------------------

SOURCES  := $(shell find shm policy worker master tests tools -name '*.[ch]')

lint:
	@tools/setup build lint check
	@$(MAKE) --no-print-directory lint-format lint-tidy lint-cppcheck lint-docs

lint-format:
	@clang-format --dry-run -Werror $(SOURCES)

lint-tidy: compile_commands.json
	@find shm policy worker master -name '*.c' | xargs -P $$(nproc) -n 4 clang-tidy --quiet 2>&1 >build/tidy.log; \
		if grep -E 'error:|warning:' build/tidy.log; then exit 1; fi; echo "clang-tidy: clean"

lint-cppcheck:
	cppcheck --quiet --std=c17 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
		--suppressions-list=tools/cppcheck.suppress -j $$(nproc) -D_GNU_SOURCE -D__x86_64__ -I. shm policy worker master

# The manuals are well-formed, and the tables in README.md are those of the code.
lint-docs: man
	mandoc -T lint -W warning $(MAN)
	@$(BUILD)/gendoc README.md | cmp -s - README.md || { echo "README.md: its tables are old: make docs"; exit 1; }

compile_commands.json: $(SRCS) Makefile tools/compile-commands
	@mkdir -p build
	@printf '%s\n' $(foreach flag,$(STD) $(WARN) $(shell pkg-config --cflags $(PKGS) 2>/dev/null),'$(subst ','\'',$(flag))') >build/flags
	@tools/compile-commands build/flags $(SRCS) >$@

# --- installing -----------------------------------------------------------------------------------

install: all man
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(SYSCONF)/gatepost \
		$(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)$(PREFIX)/lib/sysusers.d \
		$(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 755 $(BUILD)/gatepostd $(DESTDIR)$(PREFIX)/sbin/gatepostd
	install -m 755 $(BUILD)/gatepost $(DESTDIR)$(PREFIX)/bin/gatepost
	install -m 644 $(filter %.5,$(MAN)) $(DESTDIR)$(PREFIX)/share/man/man5/
	install -m 644 $(filter %.8,$(MAN)) $(DESTDIR)$(PREFIX)/share/man/man8/
	[ -e $(DESTDIR)$(SYSCONF)/gatepost/gatepost.conf ] || \
		install -m 640 etc/gatepost.conf $(DESTDIR)$(SYSCONF)/gatepost/gatepost.conf
	[ -e $(DESTDIR)$(SYSCONF)/gatepost/extensions ] || \
		install -m 644 etc/extensions $(DESTDIR)$(SYSCONF)/gatepost/extensions
	sed 's,@PREFIX@,$(PREFIX),' etc/gatepostd.service >$(DESTDIR)$(PREFIX)/lib/systemd/system/gatepostd.service
	install -m 644 etc/gatepostd.socket $(DESTDIR)$(PREFIX)/lib/systemd/system/gatepostd.socket
	install -m 644 etc/gatepost.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/gatepost.conf

clean:
	rm -rf build compile_commands.json

-include $(shell find build -name '*.d' 2>/dev/null)
.PHONY: all unit-tests plain-tests run check bench bench-tools chaos faults fuzz fuzzers run-fuzzers
.PHONY: lint lint-format lint-tidy lint-cppcheck lint-docs man docs install clean
.SECONDARY:
