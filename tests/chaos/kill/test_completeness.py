"""No mutation without a kill test."""

import re
from pathlib import Path

from tests.contract.rpc_methods import ALL_METHODS

HERE = Path(__file__).parent


def test_each_mutation_is_killed_somewhere():
    texts = " ".join(path.read_text() for path in HERE.glob("test_*.py"))
    mutations = {m.name for m in ALL_METHODS if "request_id" in m.input_type.fields_by_name}
    requested = {
        name for name in mutations if re.search(rf"\b(stub\.{name}\b|{name}Request\()", texts)
    }
    assert requested == mutations
