"""Jobs of several instances: how they find each other, what each is given, how they end together."""

import importlib.util
import json
from collections.abc import Iterator
from typing import Any

import pytest

from localaws import mounts
from localaws.sagemaker import cluster
from tests.unit.localaws.aws import Aws, alive, running, wait_for
from tests.unit.localaws.test_training import TRAIN, channel, unpack

# What the programs below begin with: their rank, and a connection from every other host to the first one.
BEGIN = """#!/usr/bin/env python3
import json, os, pathlib, signal, socket, subprocess, sys, threading
ml = pathlib.Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
resources = json.loads((ml / "input/config/resourceconfig.json").read_text())
hosts, rank = resources["hosts"], resources["hosts"].index(resources["current_host"])
def say(*words): print(*words, flush=True)
def meet():
    where = hosts[0], int(os.environ["MASTER_PORT"])
    if rank == 0:
        return socket.create_server(where).accept()[0]
    while True:
        try: return socket.create_connection(where)
        except ConnectionRefusedError: threading.Event().wait(0.01)
"""
MEETING = """
other = meet()
other.sendall(os.environ["TRAINING_JOB_NAME"].encode())
say(os.environ["MASTER_PORT"], other.recv(100).decode(), socket.gethostbyname(hosts[1]), socket.gethostname())
threading.Event().wait()
"""
# Host 1 fails; host 0 falls over because of that, with a reason of its own.
FALLING = """
other, failure = meet(), ml / "output/failure"
if rank == 0:
    other.recv(1)
    failure.write_text("a peer is gone")
    os._exit(9)
failure.write_text("no such class")
later = ml / "later"
later.touch()
while later.stat().st_mtime == failure.stat().st_mtime: later.touch()  # the times of files have a grain
other.close()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
threading.Event().wait(0.05)  # on its way out when the other host has gone already
os._exit(7)
"""
# Host 1 is killed; host 0 hears SIGTERM and goes on.
STUBBORN = """
def term(*_): say("term")
signal.signal(signal.SIGTERM, term)
other = meet()
if rank == 1:
    os.kill(os.getpid(), signal.SIGKILL)
while True: threading.Event().wait()
"""
# Every host has a child in a session of its own that does not listen to SIGTERM.
PARENT = """
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
child = subprocess.Popen(["sh", "-c", "trap '' TERM; setsid sleep 600 & echo $!; sleep 600"])
say(child.pid)
threading.Event().wait()
"""
DONE_FIRST = """
(ml / f"model/rank-{rank}").write_text("model")
(ml / f"output/data/rank-{rank}").write_text("plot")
say(os.getpid())
if rank == 1:
    signal.sigwait({signal.SIGTERM})
"""
# Its second attempt deletes rank 0's copy of what rank 1 wrote, and rank 1's own old file.
CHECKPOINTING = """
folder = ml / "checkpoints"
if not (folder / f"rank-{rank}").exists():
    (folder / f"rank-{rank}").write_text("new")
    (folder / f"old-{rank}").write_text("old")
    signal.sigwait({signal.SIGTERM})
say(*sorted(path.name for path in folder.iterdir()))
(folder / "rank-1" if rank == 0 else folder / "old-1").unlink()
"""
GLOO = """
import torch, torch.distributed as dist
os.environ["GLOO_SOCKET_IFNAME"] = resources["network_interface_name"]
os.environ["MASTER_ADDR"] = hosts[0]
dist.init_process_group("gloo", rank=rank, world_size=len(hosts))
total = torch.tensor([rank + 1.0])
dist.all_reduce(total)
say("sum", total.item())
dist.destroy_process_group()
"""
TWO = {"InstanceCount": 2}


@pytest.fixture(scope="module", params=["mounted", "plain"])
def either(request: pytest.FixtureRequest, aws: Aws) -> Iterator[Aws]:
    """With /opt/ml and host names as in AWS, and where mount namespaces are not allowed."""
    if request.param == "mounted":
        yield aws
        return
    with running("--mounts", "off") as (url, _):
        yield Aws(url)


def ended(aws: Aws, name: str) -> dict[str, Any]:
    final = ("Completed", "Failed", "Stopped")
    return wait_for(lambda: (it := aws.job(name))["TrainingJobStatus"] in final and it, f"the end of {name}")


def lines(aws: Aws, name: str, count: int) -> list[str]:
    return wait_for(lambda: len(found := aws.job_log(name)) >= count and found, f"{count} lines of {name}")


def test_jobs_at_the_same_time_meet_at_ports_of_their_own(either: Aws) -> None:
    """Guide, "Distributed Training Configuration": containers reach each other by the names in `hosts`.

    MASTER_PORT is localaws' own: in AWS the machines of two jobs differ, here they are one.
    """
    image = either.image({"train": BEGIN + MEETING})
    names = [either.train(image, resources=TWO) for _ in range(2)]
    said = {name: [line.split() for line in lines(either, name, 2)] for name in names}
    for name in names:
        assert {job for _, job, _, _ in said[name]} == {name}
        assert {address.split(".")[0] for _, _, address, _ in said[name]} == {"127"}
        assert len({port for port, _, _, _ in said[name]}) == 1
        either.client("sagemaker").stop_training_job(TrainingJobName=name)
    assert said[names[0]][0][0] != said[names[1]][0][0]


def test_resourceconfig_names_all_hosts_sorted_and_an_interface_that_exists() -> None:
    """Guide, "Distributed Training Configuration": `hosts` is sorted lexicographically, so algo-10 precedes algo-2."""
    names = [host.name for host in cluster.hosts(11, resolvable=True)]
    assert sorted(names)[:3] == ["algo-1", "algo-10", "algo-11"]
    assert [host.address for host in cluster.hosts(3, resolvable=False)] == ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    assert [host.name for host in cluster.hosts(2, resolvable=False)] == ["127.0.0.1", "127.0.0.2"]
    assert cluster.interface() in ("lo", "lo0")


def test_a_port_is_free_again_after_its_job() -> None:
    first = cluster.Port()
    assert first.number in cluster.PORTS
    with pytest.raises(OSError, match=f"no free port from {first.number} to {first.number} for a training job"):
        cluster.Port([first.number])
    first.release()
    cluster.Port([first.number]).release()


def test_sharded_data_is_a_part_for_each_host_and_replicated_data_everything(aws: Aws) -> None:
    """API reference, S3DataSource: ShardedByS3Key gives each of n instances about 1/n of the objects."""
    for number in range(7):
        aws.put(f"shards/{number}", str(number))
    where = f"s3://{aws.bucket}/shards/"
    channels = [channel("part", where, S3DataDistributionType="ShardedByS3Key"), channel("all", where)]
    name = aws.train(aws.image({"train": TRAIN}), resources={"InstanceCount": 3}, InputDataConfig=channels)
    model = unpack(aws.read(ended(aws, name)["ModelArtifacts"]["S3ModelArtifacts"]))
    seen = [json.loads(model[file]) for file in sorted(model)]
    assert [item["resources"]["current_host"] for item in seen] == seen[0]["resources"]["hosts"]
    assert seen[0]["resources"]["instance_groups"][0]["hosts"] == seen[0]["resources"]["hosts"]
    parts = [{key for key in item["data"] if key.startswith("part/")} for item in seen]
    assert parts == [{"part/0", "part/3", "part/6"}, {"part/1", "part/4"}, {"part/2", "part/5"}]
    assert all(sum(key.startswith("all/") for key in item["data"]) == 7 for item in seen)
    assert seen[0]["resources"]["hosts"] == ["algo-1", "algo-2", "algo-3"] or mounts.unshare() is None


def test_the_reason_is_that_of_the_host_that_failed_first(aws: Aws) -> None:
    """Guide, "How Amazon SageMaker Processes Training Output": the failure file is the FailureReason."""
    name = aws.train(aws.image({"train": BEGIN + FALLING}), resources=TWO)
    job = ended(aws, name)
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"] == "AlgorithmError: no such class, exit code: 7"


def test_a_failure_stops_the_other_hosts_as_a_stop_would(stepped: Aws) -> None:
    """Guide, "How Amazon SageMaker Signals Algorithm Success and Failure"; API, StopTrainingJob: SIGTERM, 120 s."""
    aws = stepped
    name = aws.train(aws.image({"train": BEGIN + STUBBORN}), resources=TWO)
    assert lines(aws, name, 1) == ["term"]
    aws.post("/_localaws/clock", {"advance_seconds": 110})
    assert aws.job(name)["TrainingJobStatus"] == "InProgress"
    aws.post("/_localaws/clock", {"advance_seconds": 20})
    job = ended(aws, name)
    assert job["FailureReason"] == "AlgorithmError: , exit code: 137"
    assert 130 <= job["TrainingTimeInSeconds"] < 140  # wall-clock seconds: the bill multiplies them by InstanceCount
    assert job["BillableTimeInSeconds"] == job["TrainingTimeInSeconds"]


def test_a_stop_leaves_nothing_of_any_host_behind(aws: Aws) -> None:
    name = aws.train(aws.image({"train": BEGIN + PARENT}), resources=TWO)
    pids = [int(line) for line in lines(aws, name, 4)]
    aws.client("sagemaker").stop_training_job(TrainingJobName=name)
    assert ended(aws, name)["TrainingJobStatus"] == "Stopped"
    assert len(pids) == 4
    wait_for(lambda: not any(alive(pid) for pid in pids), "the end of all children")


def test_a_job_ends_with_its_last_host_and_has_the_files_of_all(aws: Aws) -> None:
    """Guide, "How Amazon SageMaker Processes Training Output": the containers' files become one archive."""
    name = aws.train(aws.image({"train": BEGIN + DONE_FIRST}), resources=TWO)
    pids = [int(line) for line in lines(aws, name, 2)]
    wait_for(lambda: [alive(pid) for pid in pids].count(True) == 1, "the end of the first host")
    assert aws.job(name)["TrainingJobStatus"] == "InProgress"
    aws.client("sagemaker").stop_training_job(TrainingJobName=name)
    model = unpack(aws.read(ended(aws, name)["ModelArtifacts"]["S3ModelArtifacts"]))
    assert sorted(model) == ["rank-0", "rank-1"]
    assert sorted(unpack(aws.read(f"s3://{aws.bucket}/out/{name}/output/output.tar.gz"))) == ["rank-0", "rank-1"]


def test_hosts_share_a_checkpoint_prefix(aws: Aws) -> None:
    """Guide, "Use Checkpoints in Amazon SageMaker": all are restored in each instance, deletions are mirrored.

    A deletion counts where the file was written: the other hosts' copies are only what a restart gave them.
    """
    where = f"s3://{aws.bucket}/several"
    name = aws.train(
        aws.image({"train": BEGIN + CHECKPOINTING}),
        resources=TWO,
        CheckpointConfig={"S3Uri": where},
        EnableManagedSpotTraining=True,
        StoppingCondition={"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 3600},
    )
    files = ["old-0", "old-1", "rank-0", "rank-1"]
    wait_for(lambda: [key.rpartition("/")[2] for key in keys(aws, "several/")] == files, "the first checkpoints")
    aws.post("/_localaws/interrupt", {"job": name})
    assert ended(aws, name)["TrainingJobStatus"] == "Completed", aws.job_log(name)
    assert aws.job_log(name) == [" ".join(files)] * 2
    assert keys(aws, "several/") == ["several/old-0", "several/rank-0", "several/rank-1"]


def keys(aws: Aws, prefix: str) -> list[str]:
    listed = aws.client("s3").list_objects_v2(Bucket=aws.bucket, Prefix=prefix)
    return [item["Key"] for item in listed.get("Contents", [])]


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
def test_two_hosts_reduce_a_tensor_over_gloo(aws: Aws) -> None:
    """PyTorch's own rendezvous with what a job is given: the names, the interface, the port."""
    name = aws.train(aws.image({"train": BEGIN + GLOO}), resources=TWO)
    job = ended(aws, name)
    assert job["TrainingJobStatus"] == "Completed", (job["FailureReason"], aws.job_log(name))
    assert [line for line in aws.job_log(name) if line.startswith("sum")] == ["sum 3.0"] * 2
