"""ECR on top of moto's: takes pushes, and finds the folder behind an image name.

moto keeps repositories, tags and digests; the image folders lie in `<state>/images/<digest>`.
"""

import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moto.ecr.exceptions import ImageAlreadyExistsException, ImageNotFoundException

from localaws import images
from localaws.cloud import ACCOUNT, Cloud, backend
from localaws.errors import AwsError

_REFERENCE = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/(?P<repository>[^:@]+)"
    r"(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_lock = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Reference:
    """An image name in an ECR repository of this account."""

    region: str
    repository: str
    tag: str
    digest: str


def own(name: str) -> Reference | None:
    """The parts of an image name, or None when it is not from an ECR repository of this account."""
    match = _REFERENCE.fullmatch(name)
    if match is None or match["account"] != ACCOUNT:
        return None
    tag = match["tag"] or ("" if match["digest"] else "latest")
    return Reference(region=match["region"], repository=match["repository"], tag=tag, digest=match["digest"] or "")


def repository(reference: Reference) -> Any:
    """moto's repository, or None."""
    return backend("ecr", reference.region).repositories.get(reference.repository)


def push(cloud: Cloud, name: str, folder: Path) -> str:
    """Register an image folder under its name. Returns the digest; pushing the same image again changes nothing.

    Raises AwsError with the text that `docker push` shows for a wrong registry, repository or an immutable tag.
    """
    reference = own(name)
    if reference is None:
        registry = f"{ACCOUNT}.dkr.ecr.<region>.amazonaws.com"
        raise AwsError("DENIED", f"denied: {name} is not in a registry of this account; names begin with {registry}/")
    with _lock:
        found = repository(reference)
        if found is None:
            raise AwsError(
                "RepositoryNotFoundException",
                f"name unknown: The repository with name '{reference.repository}' does not exist "
                f"in the registry with id '{ACCOUNT}'",
            )
        digest = images.keep(folder, image_store(cloud))
        if any(reference.tag in image.image_tags and image.image_digest == digest for image in found.images):
            return digest
        manifest = images.manifest(folder)
        try:
            backend("ecr", reference.region).put_image(
                reference.repository, manifest, reference.tag, images.MANIFEST_TYPE, digest
            )
        except ImageAlreadyExistsException as error:
            raise AwsError(
                "ImageTagAlreadyExistsException",
                f"tag invalid: The image tag '{reference.tag}' already exists in the '{reference.repository}' "
                "repository and cannot be overwritten because the tag is immutable.",
            ) from error
        return digest


def image_store(cloud: Cloud) -> Path:
    folder = cloud.state / "images"
    folder.mkdir(exist_ok=True)
    return folder


def digest(name: str) -> str | None:
    """The digest behind an image name, or None where the image is not this account's or does not exist."""
    reference = own(name)
    found = None if reference is None else repository(reference)
    if reference is None or found is None:
        return None
    try:
        return str(found._get_image(reference.tag or None, reference.digest or None).image_digest)
    except ImageNotFoundException:
        return None


def resolve(cloud: Cloud, name: str) -> images.Image | None:
    """The image behind a name: a pushed one, or a bare environment for a name that is not this account's.

    None when the repository, tag or digest does not exist.
    """
    reference = own(name)
    if reference is None:
        return images.BARE
    found = repository(reference)
    if found is None:
        return None
    try:
        image = found._get_image(reference.tag or None, reference.digest or None)
    except ImageNotFoundException:
        return None
    folder = image_store(cloud) / image.image_digest.removeprefix("sha256:")
    return images.load(folder) if folder.is_dir() else None
