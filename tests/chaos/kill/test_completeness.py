"""No mutation without a kill test."""

import re
from pathlib import Path

from tests.contract.rpc_methods import ALL_METHODS

# `killed_everywhere` holds the name against the request that it is given.
KILLED = re.compile(r'killed_everywhere\(\s*\w+,\s*"(\w+)"')


def test_each_mutation_is_killed_everywhere():
    texts = " ".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    mutations = {m.name for m in ALL_METHODS if "request_id" in m.input_type.fields_by_name}
    assert set(KILLED.findall(texts)) == mutations
