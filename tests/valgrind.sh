#!/bin/sh
# Whole sessions of the plain build under valgrind, which knows the stacks of tasks by what worker/io/sanitize.h tells it:
# nothing is read that nobody wrote, nothing beyond what was given.  (AddressSanitizer doesn't look for the former.)
cd "$(dirname "$0")/.." || exit 1
test=build/release/tests/unit/test_session
if [ ! -x "$test" ]; then
	echo "$test is not built: make MODE=release plain-tests"
	exit 1
fi
CK_FORK=no CK_DEFAULT_TIMEOUT=0 exec valgrind -q --error-exitcode=9 "$test"
