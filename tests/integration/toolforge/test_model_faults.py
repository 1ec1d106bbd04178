"""Whatever the model backend does, a forge ends typed and readable, and nothing is registered."""

import asyncio

import pytest
from batos.toolforge.v1 import toolforge_pb2 as pb

from tests.integration.toolforge import ollama_peer as peer
from tests.integration.toolforge.workshop import ADD, Workshop, spec

pytestmark = pytest.mark.asyncio(loop_scope="session")

CHUNK = b'{"model":"starter","message":{"role":"assistant","content":"def add("},"done":false}\n'


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [
        (
            peer.refuses("404 Not Found", "model 'starter' not found"),
            "MODEL_ABSENT",
            "has no model 'starter'",
        ),
        (peer.refuses("500 Oops", "out of memory"), "MODEL_FAILED", "out of memory"),
        (peer.streams(CHUNK, b'{"error":"llama runner died"}\n'), "MODEL_FAILED", "runner died"),
        (peer.streams(CHUNK, b'{"error":"half a pair: \\ud800"}\n'), "MODEL_FAILED", "half a pair"),
        (peer.breaks_off(ADD), "MODEL_ANSWER_CUT_OFF", "broke off"),
        (peer.ends_early(ADD), "MODEL_ANSWER_CUT_OFF", "broke off"),
        (peer.streams(CHUNK[:40]), "MODEL_ANSWER_MALFORMED", "does not speak Ollama's API"),
        (peer.streams(b"<html>\n"), "MODEL_ANSWER_MALFORMED", "does not speak Ollama's API"),
        (peer.streams(b"[1, 2]\n"), "MODEL_ANSWER_MALFORMED", "does not speak Ollama's API"),
        (peer.streams(b'{"done": true}\n'), "MODEL_ANSWER_MALFORMED", "does not speak"),
        (peer.says_after(30, ADD), "MODEL_TIMED_OUT", "no whole answer within 4 s"),
    ],
)
async def test_a_broken_backend_ends_the_forge_typed(
    shop: Workshop, answer: peer.Answer, reason: str, words: str
) -> None:
    shop.model.script(answer)
    forge = await shop.forge(spec("broken"))
    assert (forge.state, forge.failure_reason) == (pb.FORGE_STATE_FAILED, reason)
    assert words in forge.failure
    assert list(forge.attempts) == []
    assert "tools/broken" not in await shop.tools()


@pytest.mark.parametrize("piece", ["# and on\n" * 100, "".join(map(chr, range(32, 9000)))])
async def test_an_answer_without_end_is_cut_and_judged(shop: Workshop, piece: str) -> None:
    before = shop.model.answering
    shop.model.script(peer.never_ends(piece))
    forge = await shop.forge(spec("endless"), attempt_limit=1)
    assert (forge.state, forge.failure_reason) == (pb.FORGE_STATE_FAILED, "ATTEMPTS_USED_UP")
    assert forge.attempts[0].finding == "line 1: no function found"
    async with asyncio.timeout(5):  # ToolForge has hung up, so that the model stops
        while shop.model.answering > before:
            await asyncio.sleep(0.02)
