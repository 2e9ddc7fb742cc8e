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

PKGS     := libconfuse lmdb libidn2 libseccomp libcap libsystemd libpcre2-8
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla \
            -Wno-override-init -Wno-missing-field-initializers
WERROR   ?= -Werror
STD      := -std=gnu17 -D_GNU_SOURCE -I. -I$(BUILD) -DGATEPOST_SYSCONF='"$(SYSCONF)"'
HARDEN   := -fPIE -fstack-protector-strong -fstack-clash-protection -D_FORTIFY_SOURCE=2 \
            $(shell $(CC) -fcf-protection -E -x c /dev/null >/dev/null 2>&1 && echo -fcf-protection)
LDHARDEN := -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed

ifeq ($(MODE),asan)
OPT      := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -DGATEPOST_SANITIZED
HARDEN   := -fPIE
LDOPT    := -fsanitize=address,undefined
else
OPT      := -O2 -g
endif

CFLAGS   += $(STD) $(WARN) $(WERROR) $(OPT) $(HARDEN) -pthread -MMD -MP $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LDFLAGS  += $(LDHARDEN) $(LDOPT) -pthread
LDLIBS   += $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lm

SRCS     := $(sort $(shell find shm policy worker master -name '*.c'))
MAINS    := master/main.c master/admin/main.c
LIBOBJS  := $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(MAINS),$(SRCS)))
LIB      := $(BUILD)/libgatepost.a
UNIT     := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/unit/test_*.c)))

all: $(BUILD)/gatepostd $(BUILD)/gatepost

$(BUILD)/gatepostd: $(BUILD)/master/main.o $(LIB)
	$(CC) $(LDFLAGS) -o $@ $< $(LIB) $(LDLIBS)

$(BUILD)/gatepost: $(BUILD)/master/admin/main.o $(LIB)
	$(CC) $(LDFLAGS) -o $@ $< $(LIB) $(LDLIBS)

$(LIB): $(LIBOBJS)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c -o $@ $<

# The file that switches stacks by longjmp: glibc's fortified longjmp aborts on a stack that is not its own.
$(BUILD)/worker/io/task.o: CFLAGS += -U_FORTIFY_SOURCE

unit-tests: $(UNIT)
$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(LIB)
	$(CC) $(LDFLAGS) -o $@ $< $(LIB) $(LDLIBS) $(shell pkg-config --libs check)

clean:
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)
.PHONY: all clean unit-tests
.SECONDARY:
