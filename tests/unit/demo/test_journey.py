import json

import pytest

from demo.claim import Evidence
from demo.journey import begin


def test_an_unfinished_journey_of_the_same_seed_goes_on(tmp_path):
    first = begin(tmp_path / "demo", seed=3)
    first.memos["before"] = {"spec": False}
    first.complete(Evidence("remember", claims={"kept": True}))
    again = begin(tmp_path / "demo", seed=3)
    assert again.completed == ["remember"]
    assert again.memos == {"before": {"spec": False}}
    assert again.evidence == first.evidence
    assert (again.run_id, again.starts) == (first.run_id, 2)


def test_each_start_makes_requests_of_its_own(tmp_path):
    first = begin(tmp_path / "demo", seed=3)
    asked = first.request_id("a")
    assert asked == first.request_id("a") != first.request_id("b")
    assert begin(tmp_path / "demo", seed=3).request_id("a") != asked


@pytest.mark.parametrize("change", ["another seed", "finished", "damaged"])
def test_anything_else_begins_afresh(tmp_path, change):
    first = begin(tmp_path / "demo", seed=3)
    (tmp_path / "demo" / "state").mkdir()
    first.finished = change == "finished"
    first.save()
    if change == "damaged":
        (tmp_path / "demo" / "journey.json").write_text("{")
    fresh = begin(tmp_path / "demo", seed=4 if change == "another seed" else 3)
    assert fresh.run_id != first.run_id
    assert not (tmp_path / "demo" / "state").exists()


def test_a_foreign_directory_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(FileExistsError):
        begin(tmp_path, seed=3)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_the_file_is_never_half_written(tmp_path):
    journey = begin(tmp_path / "demo", seed=3)
    for number in range(20):
        journey.memos[str(number)] = "x" * 1000
        journey.save()
        json.loads((tmp_path / "demo" / "journey.json").read_text())
    assert not list((tmp_path / "demo").glob("*.part"))
