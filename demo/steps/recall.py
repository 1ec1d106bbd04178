"""Step 2: a new conversation asks about what was said in the others."""

import random
import re

from batos.memory.v1 import memory_pb2
from batos.supervisor.v1 import supervisor_pb2 as pb

from demo.claim import Evidence
from demo.facts import draw
from demo.stage import Stage
from demo.steps.remember import NAMESPACE, PERSONA, document_sentences
from demo.talk import ask

_DOCUMENT_QUESTIONS = 3
# Recall is the memory's part and must not miss; the answer is the small model's part.
_ANSWERS_NEEDED = 0.75


async def run(stage: Stage, evidence: Evidence) -> None:
    """Asks for each fact in one new Soma each, then for parts of the document."""
    stage.story.chapter(
        2, "Recall", "New conversations, in which nothing of this was said. What comes back?"
    )
    facts = draw(stage.journey.seed)
    recalled = answered = 0
    for number, fact in enumerate(facts):
        answer = await ask(stage, PERSONA, fact["question"], label=f"recall/{number}")
        found = any(fact["statement"] == r.text for r in answer.turn.recollections)
        right = holds(answer.turn.assistant_text, fact["value"])
        recalled, answered = recalled + found, answered + right
        _tell(stage, fact["question"], answer.turn, right)
    evidence.facts |= {"asked": len(facts), "recalled": recalled, "answered": answered}
    evidence.claim(f"{recalled} of {len(facts)} facts were recalled", recalled == len(facts))
    evidence.claim(
        f"{answered} of {len(facts)} answers hold the fact",
        answered >= _ANSWERS_NEEDED * len(facts),
    )
    await _search_document(stage, evidence)


def holds(text: str, value: str) -> bool:
    """Whether a text holds the value as words of its own: 230 does not hold 23."""
    return bool(re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text, re.IGNORECASE))


def _tell(stage: Stage, question: str, turn: pb.Turn, right: bool) -> None:
    stage.story.say("you", question)
    for recollection in turn.recollections[:2]:
        stage.story.note(
            f"recalled {recollection.score:.2f}  {recollection.speaker}: {recollection.text}"
        )
    waited = turn.wall.ToTimedelta().total_seconds() * 1000
    stage.story.say(PERSONA, turn.assistant_text, f"{'✓' if right else '✗'} {waited:.0f} ms")


async def _search_document(stage: Stage, evidence: Evidence) -> None:
    """Finds a sentence of the document by some of its words, in another order."""
    generator = random.Random(stage.journey.seed)
    sentences = [s for s in document_sentences() if len(s.split()) >= 9]
    rows, found = [], 0
    for sentence in generator.sample(sentences, _DOCUMENT_QUESTIONS):
        words = [w.strip(".,;:()") for w in sentence.split() if len(w) > 4]
        query = " ".join(generator.sample(words, min(4, len(words))))
        response = await stage.memory.Search(
            memory_pb2.SearchRequest(namespace=NAMESPACE, query=query, limit=3)
        )
        hit = any(h.record.text == sentence for h in response.hits)
        found += hit
        best = response.hits[0]
        parts = f"{best.parts.vector:.2f} / {best.parts.text:.2f} / {best.parts.parent:.2f}"
        rows.append((query, best.record.text[:60], f"{best.score:.2f}", parts, "✓" if hit else "✗"))
    columns = ("words", "best hit", "score", "vector / text / parent", "in top 3")
    stage.story.table("the document", columns, rows)
    evidence.claim("the document's sentences are found", found == _DOCUMENT_QUESTIONS)
