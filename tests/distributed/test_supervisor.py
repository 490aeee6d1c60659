"""What starts processes of one command, and starts them anew: here of a command that only does as it is told."""

import os
import signal
import socket
import threading
import time
from ast import literal_eval
from pathlib import Path

import pytest

from descend.distributed import children, supervisor
from descend.distributed.member import Started
from descend.distributed.supervisor import Supervisor
from descend.errors import InputError

pytestmark = pytest.mark.processes

# In the place of `descend`: each process writes down that it began, and with which arguments; then does what the test
# says of its index and of how often it was started.
PROGRAM = """
import os, pathlib, signal, sys, time
index, count = map(int, os.environ["DESCEND_PROCESS"].split("@")[0].split("/"))
port = int(os.environ["DESCEND_PROCESS"].split("@")[1])
starts = pathlib.Path(f"starts-{index}")
starts.open("a").write(f"{os.getpid()} {sorted(os.sched_getaffinity(0))} {sys.argv[1:]}\\n")
start = len(starts.read_text().splitlines())
def tell(text): os.write(0, text.encode())
def die(number): os.kill(os.getpid(), number)
def forever(): time.sleep(60)
"""


@pytest.fixture
def run(monkeypatch, tmp_path, capfd):
    """`run(program, count)`: the exit code of a supervisor, and what it said."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(supervisor, "PAUSE_SECONDS", 0.01)

    def supervised(program, count=2):
        monkeypatch.setattr(children, "RUN", PROGRAM + program)
        said = []
        code = Supervisor(["fit", "t.csv", "--quiet"], count, said.append).run()
        # How many cores there are is another matter.
        return code, [line for line in said if not line.startswith("warning: ")]

    return supervised


def starts(index):
    """What a process wrote down each time that it was started: its number, cores and arguments."""
    return [line.split(" ", 1) for line in Path(f"starts-{index}").read_text().splitlines()]


def assert_none_is_left(count):
    for index in range(count):
        for number, _ in starts(index):
            with pytest.raises(ProcessLookupError):
                os.kill(int(number), 0)


def test_all_end_well(run):
    assert run("", 3) == (0, [])
    assert {told.split("] ")[1] for index in range(3) for _, told in starts(index)} == {"['fit', 't.csv', '--quiet']"}


def test_each_has_its_share_of_cores(run):
    run("", 2)
    mine = [literal_eval(starts(index)[0][1].split("] ")[0] + "]") for index in range(2)]
    assert mine == [sorted(share) for share in children.shares_of_cores(2)]


@pytest.mark.parametrize(
    ("known", "count", "shares"),
    [(8, 2, [[0, 1, 2, 3], [4, 5, 6, 7]]), (5, 2, [[0, 1], [2, 3]]), (4, 4, [[0, 1], [1, 2], [2, 3], [3, 0]]),
     (2, 2, [[0, 1], [1, 0]]), (2, 3, [[0, 1], [0, 1], [1, 0]]), (1, 2, [[0], [0]]), (0, 2, [[], []])],
)  # fmt: skip
def test_shares_are_of_two_cores_or_more_and_overlap_where_there_are_few(monkeypatch, known, count, shares):
    monkeypatch.setattr(children, "cores", lambda: list(range(known)))
    assert children.shares_of_cores(count) == shares


@pytest.mark.parametrize(("number", "victim"), [(signal.SIGKILL, 0), (signal.SIGABRT, 1)])
def test_one_dies(run, number, victim):
    """All begin anew, with the folder that the first one told; the other was ended, though it would wait for long."""
    code, said = run(f"""
if index == 0: tell("a run")
if start == 1: die({int(number)}) if index == {victim} else forever()
""")
    assert code == 0
    assert said == [f"process {victim} was ended by {number.name}: all begin anew from the last checkpoint in 0.01 s, "
                    "1 of 5 times"]
    for index in range(2):
        assert [told.split("] ")[1] for _, told in starts(index)] == [
            "['fit', 't.csv', '--quiet']", "['fit', '--resume', '--out', 'a run', 't.csv', '--quiet']",
        ]
    assert_none_is_left(2)


def test_who_died_first_is_named(run):
    """Not those that aborted, or ended, because they missed it."""
    _, said = run("if start == 1: die(9) if index == 1 else die(6) if index == 2 else sys.exit(75)", 3)
    assert said[0].startswith("process 1 was ended by SIGKILL")


def test_too_often(run, monkeypatch):
    """It says how to go on, and ends as what may go well the next time."""
    monkeypatch.setattr(supervisor, "GRACE_SECONDS", 0.0)
    code, said = run("""
if index == 0: tell("a run"); pathlib.Path("told").touch(); forever()
while not pathlib.Path("told").exists(): time.sleep(0.01)
die(9)
""")
    assert code == 75
    assert len(said) == 6
    go_on = "descend fit --resume --out 'a run' t.csv --quiet"
    assert said[-1] == f"process 1 was ended by SIGKILL, after 5 restarts: go on with {go_on}"


def test_died_before_it_began(run):
    """Then there is no run to go on with."""
    code, said = run("if start == 1: die(9)")
    assert code == 0
    assert "checkpoint" not in said[0]
    assert "--resume" not in starts(0)[1][1]


@pytest.mark.parametrize("code", [1, 2])
def test_refused_is_not_tried_again(run, code):
    """What the first has told is not told twice."""
    assert run(f"sys.exit({code})") == (code, [])
    assert len(starts(0)) == 1


def test_refused_by_another_alone(run):
    """Then its own words are shown."""
    code, said = run("if index == 1: sys.stderr.write('descend: no memory\\n'); sys.exit(2)\nforever()")
    assert (code, said) == (2, ["process 1 ended with exit code 2: descend: no memory"])
    assert_none_is_left(2)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_asked_for_the_end(run, number, code):
    """The signal comes to each process, once; the first one's exit code is that of the command."""
    threading.Thread(target=ask_when_begun, args=(number,)).start()
    assert run(f"""
def saved(number, frame): starts.open("a").write("0 [] asked\\n"); sys.exit({code} if index == 0 else 0)
signal.signal({int(number)}, saved)
pathlib.Path(f"ready-{{index}}").touch()
forever()
""") == (code, [])
    for index in range(2):
        assert [told for _, told in starts(index)][1:] == ["[] asked"]


def test_asked_between_two_starts(run, monkeypatch):
    monkeypatch.setattr(supervisor, "PAUSE_SECONDS", 30)
    threading.Thread(target=ask_when_begun, args=(signal.SIGTERM, 1.5)).start()
    code, said = run('if index == 0: tell("a run")\npathlib.Path(f"ready-{index}").touch()\ndie(9)')
    assert code == 143
    assert said[-1] == "interrupted: go on with descend fit --resume --out 'a run' t.csv --quiet"


def ask_when_begun(number, after=0.0):
    while not (Path("ready-0").exists() and Path("ready-1").exists()):
        time.sleep(0.01)
    time.sleep(after)
    os.kill(os.getpid(), number)


def test_stopped_is_ended(run):
    """One that a debugger or SIGSTOP holds cannot save, and is ended with the others, too."""
    code, _ = run("if start == 1: die(signal.SIGSTOP) if index == 1 else (time.sleep(0.5), sys.exit(75))")
    assert code == 0
    assert_none_is_left(2)


def test_port_is_taken(run, monkeypatch):
    """Another is chosen for the next start."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = iter([taken.getsockname()[1]])
        choose = children.free_port
        monkeypatch.setattr(children, "free_port", lambda: next(ports, None) or choose())
        code, said = run("""
import socket
try: socket.socket().bind(("127.0.0.1", port))
except OSError: sys.exit(75)
""")
    assert code == 0
    assert len(said) == 1


def test_ends_with_its_starter(run):
    """The line to it is then at its end."""
    run("if index == 1: sys.exit()\npathlib.Path('got').write_text(repr(os.read(0, 1)) if os.fork() == 0 else '')")
    deadline = time.monotonic() + 10
    while (got := Path("got").read_text()) != "b''" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert got == "b''"


class TestNumbers:
    @pytest.mark.parametrize("count", [0, -3])
    def test_less_than_one(self, count):
        with pytest.raises(InputError, match=f"--processes must be at least 1, but is {count}"):
            Supervisor(["fit"], count, print)

    @pytest.mark.skipif(not children.cores(), reason="the system does not say")
    def test_more_than_cores(self):
        """Somebody may want the bits of a larger machine: it is said, and done."""
        said, cores = [], len(children.cores())
        Supervisor(["fit"], cores + 1, said.append)
        assert said[0].startswith(f"warning: {cores + 1} processes share {cores} cores")


class TestEnvironment:
    def test_is_told(self, monkeypatch):
        monkeypatch.setenv("DESCEND_PROCESS", str(Started(1, 2, 40000)))
        assert Started.here() == Started(1, 2, 40000)

    @pytest.mark.parametrize(
        "told", ["", "1", "2/2@40000", "0/0@1", "0/2@0", "0/2@65536", "-1/2@4", "0/2@40000 ", "a/b@c", "0/2@\u0664"]
    )
    def test_refused(self, monkeypatch, told):
        monkeypatch.setenv("DESCEND_PROCESS", told)
        with pytest.raises(InputError, match="names no process"):
            Started.here()

    def test_alone(self, monkeypatch):
        monkeypatch.delenv("DESCEND_PROCESS", raising=False)
        assert Started.here() is None
