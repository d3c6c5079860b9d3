"""Replays tests/vectors/conditions.json: every operator on every pair of types, and the functions' edges."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import counterseal as cs
import pytest
from condition_cases import CASES, SETUP, Asked, of_evaluate, of_table, outcome
from replaying import REPLAYED, Case, expect, replay_all
from typed_tree import NoSuchObject

UNSAID = "a policy does not declare bytes, decimals and times"


@pytest.fixture
def home(tmp_path: Path) -> str:
    return str(tmp_path / "home")


def replay_evaluate(case: Case, home: str) -> str:
    try:
        asked = of_evaluate(case)
    except NoSuchObject as none:
        return str(none)
    if not asked.expressible:
        return UNSAID
    came_out = outcome(asked, home)
    if isinstance(came_out, cs.PolicyError):
        compare_refusal(case, asked, came_out)
    elif isinstance(came_out, str):
        expect("failed", came_out, f"rule `local/r`: {case['expect']['failed']}")
    else:
        expect("truth", came_out, case["expect"])
    return REPLAYED


def compare_refusal(case: Case, asked: Asked, refused: cs.PolicyError) -> None:
    assert "error" in case, f"it is refused: {refused}"
    expected = case["error"]
    assert set(expected) <= {"code", "message", "at", "suggestion"}, expected
    expect("code", refused.code, expected["code"])
    expect("suggestion", refused.details.get("suggestion"), expected.get("suggestion"))
    advice = f"; {expected['suggestion']}" if "suggestion" in expected else ""
    where = f"policy:1:{refused.details['column']}: `when` of rule `r`"
    told = [f"{where}{tool}: {expected['message']}{advice}" for tool in ("", " on the tool `t`")]
    assert refused.message in told, f"{refused.message}, expected {told}"
    compare_place(asked, int(refused.details["column"]), expected.get("at"))


def compare_place(asked: Asked, column: int, at: str | None) -> None:
    """The column, from 1, is where the part begins; where the condition has escapes or no part is named, where it begins itself."""
    begin = len(asked.before) + 1
    if at is None or "\\" in asked.written and asked.written[0] == '"':
        expect("column", column, begin)
        return
    assert begin < column <= begin + len(asked.written), f"column {column} is outside the condition"
    expect("place", asked.text[column - 1 :][: len(at)], at)


def test_conditions(home: str) -> None:
    evaluated = [case for case in CASES if case["op"] == "evaluate"]
    answers = replay_all(evaluated, lambda case: replay_evaluate(case, home))
    cs.close()
    assert answers == {REPLAYED: 279, UNSAID: 7, "python's times have microseconds": 1}
    assert answers.total() == len(evaluated)


def test_tables(home: str) -> None:
    cells: Counter[str] = Counter()

    def replay(case: Case) -> str:
        wrong = []
        for letter, asked in of_table(case):
            came_out = letter_of(asked, home)
            cells[UNSAID if came_out is None else REPLAYED] += 1
            if came_out not in (letter, None):
                wrong.append((asked.types, asked.args, came_out, letter))
        expect("cells", wrong, [])
        return REPLAYED

    tables = [case for case in CASES if case["op"] != "evaluate"]
    assert replay_all(tables, replay) == {REPLAYED: len(tables)}
    cs.close()
    assert cells == {REPLAYED: 4104, UNSAID: 1176}
    kinds = len(SETUP["types"])
    assert cells.total() == sum(kinds * kinds if case["op"] == "pairs" else kinds for case in tables)


def letter_of(asked: Asked, home: str) -> str | None:
    """`T`rue, `F`alse, failed (`X`), refused (`E`); `None` where a policy cannot say it."""
    if not asked.expressible:
        return None
    came_out = outcome(asked, home)
    if isinstance(came_out, cs.PolicyError):
        expect("code", came_out.code, "policy_condition")
        return "E"
    return "X" if isinstance(came_out, str) else "FT"[came_out]
