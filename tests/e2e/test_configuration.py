"""gatepostd -t, -T, -o: what is printed where, and with which exit status."""
import os
import signal
import subprocess

import pytest

from daemon import BUILD, wait_for

GOOD = 'listener "mx" { address = { "127.0.0.1:2525" } }\n'


@pytest.fixture
def gatepostd(tmp_path):
    """gatepostd(text, args...): the finished process; the file is conf in its working directory."""

    def run(text, *args):
        (tmp_path / "conf").write_text(text)
        program = os.path.abspath(f"{BUILD}/gatepostd")
        return subprocess.run([program, "-c", "conf", *args], cwd=tmp_path, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)

    return run


def test_a_good_file_is_said_to_be_good(gatepostd):
    done = gatepostd(GOOD, "-t")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("args", [["-t"], ["-T"], []])
def test_each_mistake_is_a_line_and_the_status_2(gatepostd, args):
    done = gatepostd(GOOD + "max-sesions = 5\nworkers = 65\n", *args)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == ('conf:2: unknown option "max-sesions"; nearest: max-sessions\n'
                           'conf:3: workers: "65" is out of range, 0 to 64\n')


def test_a_missing_file_is_said(gatepostd):
    done = gatepostd(GOOD, "-t", "-c", "missing")
    assert (done.returncode, done.stderr) == (2, "missing: cannot read: No such file or directory\n")


def test_what_is_printed_reads_back_and_names_its_origin(gatepostd):
    first = gatepostd(GOOD + "workers = 3\n", "-T", "-o", "max-hops=7")
    assert first.returncode == 0
    assert "workers = 3  # conf:2\n" in first.stdout
    assert "max-hops = 7  # command line\n" in first.stdout
    assert "max-errors = 20  # default\n" in first.stdout
    again = gatepostd(first.stdout, "-T")
    assert again.returncode == 0

    def values(text):
        return [line.split("  # ")[0] for line in text.splitlines()]

    assert values(again.stdout) == values(first.stdout)


def test_a_mistake_of_the_command_line_is_said(gatepostd):
    done = gatepostd(GOOD, "-t", "-o", "worker=7")
    assert done.returncode == 2
    assert done.stderr == 'command line: unknown option "worker"; nearest: workers\n'


def wait_for_log(daemon, text):
    def seen():
        with open(daemon.log_path, encoding="utf-8") as f:
            content = f.read()
        return text in content

    wait_for(seen, what=f"the line {text!r}")


def test_a_broken_reload_leaves_the_running_one_in_force(start):
    daemon = start()
    with open(daemon.path, encoding="utf-8") as f:
        good = f.read()
    with open(daemon.path, "w", encoding="utf-8") as f:
        f.write(good + "\nnonsense = 1\n")
    line = good.count("\n") + 2
    daemon.process.send_signal(signal.SIGHUP)
    wait_for_log(daemon, f'{daemon.path}:{line}: unknown option "nonsense"')
    assert daemon.process.poll() is None
