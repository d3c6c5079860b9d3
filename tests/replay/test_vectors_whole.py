"""Every file of vectors is replayed here, and every member that a file has beside its cases is known."""

from __future__ import annotations

from pathlib import Path

from replaying import VECTORS, vectors

KNOWN = {"name", "since", "cases"}
MORE = {"values": {"key", "tool", "python"}, "conditions": {"setup"}, "replay": {"policy"}}


def test_every_file_has_its_replay() -> None:
    files = {path.stem for path in VECTORS.glob("*.json")}
    replays = {path.stem.removeprefix("test_vectors_") for path in Path(__file__).parent.glob("test_vectors_*.py")}
    assert replays - files == {"python", "whole"}
    assert files <= replays


def test_no_section_is_passed_over() -> None:
    for path in VECTORS.glob("*.json"):
        assert set(vectors(path.stem)) == KNOWN | MORE.get(path.stem, set()), path.stem
