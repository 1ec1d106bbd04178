"""What every Embedder must do. Subclass it per adapter, with a fixture `embedder`."""

import asyncio

import numpy as np

from services.memory.embedder import Embedder


class EmbedderConformance:
    TOLERANCE = 1e-5

    async def test_vectors_have_the_stated_shape_and_type(self, embedder: Embedder) -> None:
        vectors = await embedder.embed(["a dog", "a cat", "a tax return"])
        assert vectors.shape == (3, embedder.identity.dimension)
        assert vectors.dtype == np.float32
        assert np.linalg.norm(vectors, axis=1).round(4).tolist() == [1, 1, 1]

    async def test_no_texts_give_no_vectors(self, embedder: Embedder) -> None:
        assert (await embedder.embed([])).shape == (0, embedder.identity.dimension)

    async def test_a_text_has_one_vector_in_any_batch(self, embedder: Embedder) -> None:
        (alone,) = await embedder.embed(["a dog"])
        batch = ["something much longer than that, " * 50, "a dog", "x"] * 30
        vectors = await embedder.embed(batch)
        np.testing.assert_allclose(vectors[1::3], np.tile(alone, (30, 1)), atol=self.TOLERANCE)

    async def test_any_text_gives_finite_vectors(self, embedder: Embedder) -> None:
        hostile = ["", " ", "\x00", "\u200b", "🦇", "'; DROP TABLE", "我喜欢", "x" * 32768]
        assert np.isfinite(await embedder.embed(hostile)).all()

    async def test_it_serves_many_at_once(self, embedder: Embedder) -> None:
        texts = [f"text number {n}" for n in range(20)]
        together = await asyncio.gather(*(embedder.embed([text]) for text in texts))
        alone = await embedder.embed(texts)
        np.testing.assert_allclose(np.concatenate(together), alone, atol=self.TOLERANCE)

    async def test_the_event_loop_stays_free(self, embedder: Embedder) -> None:
        work = asyncio.create_task(embedder.embed(["some words to embed " * 100] * 200))
        gaps = []
        while not work.done():
            start = asyncio.get_running_loop().time()
            await asyncio.sleep(0.001)
            gaps.append(asyncio.get_running_loop().time() - start)
        assert len(gaps) > 3
        assert sorted(gaps)[len(gaps) // 2] < 0.05
