"""Step 1: a persona is told facts in two conversations, and a document is ingested."""

import asyncio
import re
from pathlib import Path

from batos.memory.v1 import memory_pb2 as pb

from demo.claim import Evidence
from demo.facts import draw
from demo.stage import Stage
from demo.talk import ask

PERSONA = "ROBIN"
NAMESPACE = f"personas/{PERSONA}"
DOCUMENT = Path(__file__).resolve().parents[2] / "CONTRIBUTING.md"


async def run(stage: Stage, evidence: Evidence) -> None:
    """Tells facts in two Somas and stores the document's sentences as episodes."""
    stage.story.chapter(
        1, "Remember", f"{PERSONA} is told things in two conversations, and reads a document."
    )
    facts = draw(stage.journey.seed)
    half = (len(facts) + 1) // 2
    for number, told in enumerate((facts[:half], facts[half:]), start=1):
        await _tell(stage, number, [fact["statement"] for fact in told])
    sentences = document_sentences()
    kept = await _ingest(stage, sentences)
    stage.story.note(f"{DOCUMENT.name}: {kept} sentences became memories")
    wanted = len(facts) + len(sentences)
    episodes = await _episodes(stage, wanted)
    stage.story.note(f"{episodes} episodes in {NAMESPACE}")
    evidence.facts |= {"facts": len(facts), "sentences": kept, "episodes": episodes}
    evidence.claim("every fact and every sentence is in memory", episodes >= wanted)


async def _tell(stage: Stage, number: int, statements: list[str]) -> None:
    soma = ""
    for index, statement in enumerate(statements):
        stage.story.say("you", statement)
        answer = await ask(stage, PERSONA, statement, soma=soma, label=f"tell/{number}/{index}")
        stage.story.say(PERSONA, answer.turn.assistant_text)
        soma = answer.soma
    stage.story.note(f"conversation {number} is {soma}")


async def _ingest(stage: Stage, sentences: list[str]) -> int:
    name = f"documents/{DOCUMENT.name}"
    batch = pb.CreateEpisodesRequest(
        request_id=stage.journey.request_id("document"),
        namespace=NAMESPACE,
        episodes=[
            pb.NewEpisode(soma=name, speaker="document", text=sentence) for sentence in sentences
        ],
    )
    async for response in stage.memory.CreateEpisodes(iter([batch])):
        kept = len(response.ids)
    await stage.memory.CreateSummary(
        pb.CreateSummaryRequest(
            request_id=stage.journey.request_id("summary"),
            namespace=NAMESPACE,
            soma=name,
            text=sentences[0],
        )
    )
    return kept


async def _episodes(stage: Stage, wanted: int) -> int:
    """Counts the episodes; a turn reaches Memory a moment after it was answered."""
    count = 0
    for _ in range(50):
        stats = await stage.memory.GetStats(pb.GetStatsRequest(namespace=NAMESPACE))
        count = stats.namespaces[0].episode_count if stats.namespaces else 0
        if count >= wanted:
            break
        await asyncio.sleep(0.1)
    return count


def document_sentences() -> list[str]:
    """The document's sentences, without code blocks, headings and tables."""
    text = re.sub(r"```.*?```", "", DOCUMENT.read_text(), flags=re.DOTALL)
    lines = [line for line in text.splitlines() if not line.lstrip().startswith(("#", "|"))]
    paragraphs = re.split(r"\n\s*\n|\n(?=\s*[-*\d])", "\n".join(lines))
    flat = (re.sub(r"[*`]", "", " ".join(p.split())).lstrip("-0123456789. ") for p in paragraphs)
    sentences = [s.strip() for p in flat for s in re.split(r"(?<=[.!?]) (?=[A-Z])", p)]
    return [sentence for sentence in sentences if len(sentence.split()) >= 5]
