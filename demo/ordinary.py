"""Whether a drawn spec looks like one that a person would write."""

from services.model_server.starter_model.corpus.family import Family, resolve
from services.model_server.starter_model.corpus.naming import NOUNS, PARAMETERS, VERBS
from services.model_server.starter_model.corpus.phrase import group_of
from services.model_server.starter_model.corpus.spec import Spec


def is_ordinary(spec: Spec, family: Family) -> bool:
    """Tell whether its names are everyday words; the corpus makes odd ones up on purpose."""
    words = {*VERBS, *NOUNS, *family.key.split("_")}
    groups = (group_of(resolve(kind, family.args)) for kind in family.args.values())
    return words.issuperset(spec.name.split("_")) and all(
        name in PARAMETERS[group] for name, group in zip(spec.parameters, groups, strict=True)
    )
