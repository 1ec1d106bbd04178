"""Training the starter model as its command does it: two processes, one network, resumable."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


COMMAND = [sys.executable, "-m", "services.model_server.starter_model.train", "--out"]


def train(out, *flags):
    done = subprocess.run(
        [*COMMAND, out, *flags], check=False, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_two_workers_train_one_model_and_a_finished_run_is_not_done_again(tmp_path):
    flags = ("--rows", "80", "--workers", "2", "--threads", "1", "--batch-tokens", "1500")
    train(tmp_path, *flags)
    steps = [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert len(steps) >= 2
    assert steps == list(range(len(steps)))
    network = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert network.config.vocab_size == len(AutoTokenizer.from_pretrained(tmp_path))

    train(tmp_path, *flags)
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == len(steps)


def test_workers_end_with_the_command_that_was_killed(tmp_path):
    flags = ("--rows", "4000", "--workers", "2", "--threads", "1")
    command = subprocess.Popen([*COMMAND, tmp_path, *flags])
    children = Path(f"/proc/{command.pid}/task/{command.pid}/children")
    log = tmp_path / "log.jsonl"
    wait_until(lambda: log.exists() and log.read_text())
    workers = children.read_text().split()
    assert len(workers) >= 2
    command.kill()
    command.wait()
    wait_until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))


def wait_until(holds, seconds=120):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)
