"""How a script's end becomes the job's: exit codes, the reason in output/failure, signals, nothing left behind."""

import os
import signal
from pathlib import Path

import pytest

from tests.unit.training.script_jobs import failure, job, run, start
from training import script_mode
from training.errors import ConfigError
from training.script_mode.output import Output
from training.signals import StopFlag


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        ("try:\n    {}['a']\nexcept KeyError as e:\n    raise ValueError('no a\\nat all') from e", "ValueError: no a"),
        ("import sys; print('working'); sys.exit('no data in ' + 'train')", "no data in train"),
        ("def (", "SyntaxError: invalid syntax"),
        ("import os; os.kill(os.getpid(), 9)", "train.py was ended by SIGKILL; usually the machine ran out of memory"),
        ("import os; os._exit(3)", "train.py ended with exit code 3 and printed nothing"),
    ],
)
def test_a_script_that_fails_is_a_failed_job_whose_reason_is_its_own_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], script: str, cause: str
) -> None:
    paths = job(tmp_path, {"train.py": script}, sagemaker_program="train.py", lr="0.1")
    assert run(paths) == 1
    first, _, ending, *_ = failure(paths)
    assert first.startswith(cause)
    assert ending.startswith("train.py: exit code ") and ending.endswith("train.py --lr 0.1")
    assert first in capfd.readouterr().err
    assert not (paths.base / "output" / "success").exists()


def test_a_failure_that_the_script_wrote_itself_is_kept(tmp_path: Path) -> None:
    script = "import os\nopen(os.environ['SM_OUTPUT_DIR'] + '/failure', 'w').write('my own words')\nraise OSError"
    paths = job(tmp_path, {"train.py": script}, sagemaker_program="train.py")
    assert run(paths) == 1
    assert paths.failure.read_text() == "my own words"


def test_of_several_ranks_the_first_to_fail_tells_the_cause() -> None:
    output = Output()
    for text in (
        "[rank1]: Traceback (most recent call last):\n[rank1]:   File x\n[rank1]: mine.Strange: no batch\n",
        "[rank0]: Traceback (most recent call last):\n[rank0]:   File x\n[rank0]: RuntimeError: connection closed\n",
        "Traceback (most recent call last):\n  File y\ntorch.distributed.elastic.multiprocessing.errors.Child",
        "FailedError: \n train.py FAILED\n",
    ):
        output.write(text.encode())
    output.close()
    assert output.cause("train.py", 1) == "mine.Strange: no batch"


STOPPED_WELL = """
import os, signal, subprocess, sys, time
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print("child", child.pid, flush=True)
signal.sigwait({signal.SIGTERM})
time.sleep(0.2)  # it has 120 s
open(os.environ["SM_MODEL_DIR"] + "/saved", "w").write(str(signal.sigpending()))
sys.exit(int(sys.argv[2]))
"""


@pytest.mark.parametrize(("exit_code", "code"), [("0", 0), ("5", 143)])
def test_sigterm_reaches_the_script_which_ends_in_its_own_time_and_leaves_nothing(
    tmp_path: Path, exit_code: str, code: int
) -> None:
    paths = job(tmp_path, {"train.py": STOPPED_WELL}, sagemaker_program="train.py", exit=exit_code)
    process = start(paths)
    assert process.stdout is not None
    with process.stdout:
        line = next(line for line in process.stdout if line.startswith("child"))
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()  # to the end: nobody holds the pipe any more
    assert process.wait() == code, rest
    assert (paths.model / "saved").read_text() == "set()", "one signal, once"
    with pytest.raises(ProcessLookupError):
        os.kill(int(line.split()[1]), 0)
    assert not paths.failure.exists()


def test_a_job_that_was_stopped_before_it_began_runs_nothing(tmp_path: Path) -> None:
    paths = job(tmp_path, {"train.py": "open('started', 'w')"}, sagemaker_program="train.py")
    stop = StopFlag()
    stop.signal_name = "SIGTERM"
    assert script_mode.run(paths, {"sagemaker_program": "train.py"}, stop) == 143
    assert not (paths.base / "code" / "started").exists()


def test_the_signals_are_given_back(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ConfigError):
        script_mode.run(job(tmp_path, {}), {"sagemaker_program": "../train.py"})
    assert signal.getsignal(signal.SIGTERM) is before
