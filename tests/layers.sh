#!/bin/sh
# Dependencies run one way: master -> worker -> policy -> shm, and inside the worker
# smtp -> delivery, inspect -> io.  Nothing runs back.
cd "$(dirname "$0")/.." || exit 1
bad=0

# forbid FOLDER PATTERN: no file of FOLDER includes what the pattern names.
forbid() {
	if grep -rnE "#include \"($2)" "$1" --include='*.[ch]' --include='*.def'; then
		echo "$1 may not include that"
		bad=1
	fi
}

forbid shm '(policy|worker|master)/'
forbid shm/base 'shm/[a-z_]+\.h'
forbid policy '(worker|master)/'
forbid policy/message 'policy/[a-z_]+\.h|policy/checks/'
forbid worker 'master/'
forbid worker/io '(policy|worker/(smtp|delivery|inspect)|worker/[a-z_]+\.h)'
forbid worker/delivery 'worker/(smtp|auth)/'
forbid worker/auth 'worker/(smtp|delivery)/'
forbid master/admin 'worker/'
if grep -rnE '#include "[^"/]+"' shm policy worker master --include='*.[ch]'; then
	echo "includes are written from the root"
	bad=1
fi
exit $bad
