"""Licences, as packages tell them and as CycloneDX wants them."""

from collections.abc import Iterable
from typing import Any

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.license import License, LicenseExpression

# Some packages put a licence's whole text where its name belongs.
_LONGEST = 120
_MAKE = LicenseFactory()


def of_python(package: dict[str, Any]) -> list[License]:
    """The expression where there is one, else what the classifiers or the old field say."""
    if package["expression"]:
        return [_MAKE.make_from_string(package["expression"])]
    if package["classifiers"]:
        return _named(line.rpartition(" :: ")[2] for line in package["classifiers"])
    lines = (package["license"] or "").strip().splitlines()
    return _named(line for line in lines[:1] if line.strip() not in ("", "UNKNOWN"))


def of_debian(package: dict[str, Any]) -> list[License]:
    """Each that its copyright file names, for some of its files."""
    return _named(package["licenses"])


def _named(names: Iterable[str]) -> list[License]:
    """Several are told one by one: CycloneDX allows an expression only alone."""
    short = sorted({name.strip()[:_LONGEST] for name in names})
    made = [_MAKE.make_from_string(name) for name in short]
    if len(made) == 1 or not any(isinstance(each, LicenseExpression) for each in made):
        return made
    return [_MAKE.make_with_name(name) for name in short]
