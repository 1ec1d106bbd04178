"""An image's bill of materials: the same image gives the same bill, byte by byte."""

import uuid
from collections.abc import Iterator
from typing import Any

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.utils import canonicalize_name

from deploy.sbom import licences
from deploy.sbom.image import Image

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "spiffe://batos/sbom")


def bill(image: Image) -> str:
    """CycloneDX 1.6 as JSON."""
    whole = Component(
        name=image.name,
        type=ComponentType.CONTAINER,
        version=image.identifier,
        bom_ref=image.identifier,
    )
    parts = [*_python(image.inventory), *_debian(image.inventory), *_gvisor(image.inventory)]
    bom = Bom(
        serial_number=uuid.uuid5(_NAMESPACE, image.identifier),
        metadata=BomMetaData(component=whole, timestamp=image.created),
        components=parts,
    )
    bom.register_dependency(whole, parts)
    return JsonV1Dot6(bom).output_as_string(indent=1)


def _python(inventory: dict[str, Any]) -> Iterator[Component]:
    files = {(canonicalize_name(f["name"]), f["version"]): f["sha256"] for f in inventory["files"]}
    for package in inventory["python"]:
        name = canonicalize_name(package["name"])
        purl = PackageURL("pypi", None, name, package["version"])
        digest = files.get((name, package["version"]))
        yield Component(
            name=package["name"],
            version=package["version"],
            bom_ref=f"{package['folder']}/{name}",
            purl=purl,
            hashes=[_sha256(digest)] if digest else [],
            licenses=licences.of_python(package),
            properties=[Property(name="batos:folder", value=package["folder"])],
        )


def _debian(inventory: dict[str, Any]) -> Iterator[Component]:
    for package in inventory["debian"]:
        qualifiers = {"arch": package["architecture"]}
        purl = PackageURL("deb", "debian", package["package"], package["version"], qualifiers)
        yield Component(
            name=package["package"],
            version=package["version"],
            bom_ref=purl.to_string(),
            purl=purl,
            licenses=licences.of_debian(package),
        )


def _gvisor(inventory: dict[str, Any]) -> Iterator[Component]:
    if found := inventory["gvisor"]:
        yield Component(
            name="gvisor",
            type=ComponentType.APPLICATION,
            version=found["version"],
            bom_ref="gvisor",
            purl=PackageURL("generic", None, "gvisor", found["version"]),
            hashes=[_sha256(found["sha256"])],
            licenses=licences.of_debian({"licenses": ["Apache-2.0"]}),
            properties=[Property(name="batos:folder", value=found["path"].rpartition("/")[0])],
        )


def _sha256(digest: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=digest)
