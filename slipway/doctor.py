"""`slipway doctor`: whether this machine has what each kind of work needs, and the command that mends what it lacks."""

import importlib.util
import os
import platform
import sys
from dataclasses import dataclass

from slipway import pulumi_cli
from slipway.errors import SlipwayError
from slipway.local import LocalAws, home_of, pulumi_home
from slipway.project import root


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked at. `ok` None: not needed for everything, and absent."""

    what: str
    ok: bool | None
    found: str
    mend: str = ""


def examine() -> list[Finding]:
    """Every finding, in the order in which a newcomer would need them."""
    return [check() for check in (_python, _project, _cli, _provider, _ml, _local_extra, _local_aws, _account)]


def _python() -> Finding:
    ok = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return Finding(what="Python 3.11-3.13", ok=ok, found=platform.python_version(), mend="install Python 3.12")


def _project() -> Finding:
    try:
        return Finding(what="a checkout", ok=True, found=str(root()))
    except SlipwayError as error:
        return Finding(what="a checkout", ok=False, found="none", mend=str(error))


def _cli() -> Finding:
    folder = pulumi_cli.find()
    found = f"{'.'.join(map(str, pulumi_cli.version(folder)))} in {folder}" if folder else "none"
    return Finding(what="Pulumi CLI", ok=folder is not None, found=found, mend="python -m slipway.pulumi_cli")


def _provider() -> Finding:
    plugins = sorted((pulumi_home() / "plugins").glob("resource-aws-*[0-9]"))
    return Finding(
        what="light AWS provider",
        ok=bool(plugins) or None,
        found=plugins[-1].name if plugins else "not installed",
        mend="slipway local start installs it",
    )


def _packages(what: str, names: tuple[str, ...], extra: str) -> Finding:
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    return Finding(
        what=what,
        ok=not missing or None,
        found=f"missing: {', '.join(missing)}" if missing else "installed",
        mend=f"uv pip install -e '.[{extra}]'",
    )


def _ml() -> Finding:
    return _packages("torch and friends", ("torch", "sklearn", "httptools", "orjson", "PIL"), "ml")


def _local_extra() -> Finding:
    return _packages("embedded AWS's packages", ("moto", "werkzeug", "yaml"), "local")


def _local_aws() -> Finding:
    running = LocalAws(home_of(root())).running()
    return Finding(
        what="embedded AWS",
        ok=True if running else None,
        found=f"{running.url}, pid {running.pid}" if running else "not running",
        mend="slipway local start",
    )


def _account() -> Finding:
    url = os.environ.get("AWS_ENDPOINT_URL")
    if url:
        return Finding(what="AWS", ok=True, found=f"clients in this shell go to {url}")
    import boto3

    credentials = boto3.Session().get_credentials()
    return Finding(
        what="AWS",
        ok=True if credentials else None,
        found=f"credentials from {credentials.method}" if credentials else "no credentials",
        mend="aws configure sso, or set AWS_PROFILE (needed for real stacks only)",
    )
