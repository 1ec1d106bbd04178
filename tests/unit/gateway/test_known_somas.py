"""Which Soma a history is."""

import pytest

from services.gateway.known_somas import KnownSomas
from shared.errors import InvalidArgument


def test_a_history_leads_to_its_soma_once():
    known = KnownSomas(10)
    known.learn(b"h", "somas/a")
    assert [known.claim(b"h"), known.claim(b"h")] == ["somas/a", ""]


def test_what_was_used_longest_ago_goes_first():
    known = KnownSomas(2)
    for number in range(3):
        known.learn(bytes([number]), f"somas/{number}")
        known.place(str(number), b"p", f"somas/{number}")
        known.placed("0", b"p")
    assert known.claim(b"\0") == ""
    assert known.claim(b"\2") == "somas/2"
    assert known.placed("0", b"p") == "somas/0"
    assert known.placed("1", b"p") is None


def test_a_request_keeps_its_place_and_its_payload():
    known = KnownSomas(2)
    assert known.placed("r", b"p") is None
    known.place("r", b"p", "")
    assert known.placed("r", b"p") == ""
    with pytest.raises(InvalidArgument) as caught:
        known.placed("r", b"other")
    assert caught.value.reason == "REQUEST_ID_REUSED"
