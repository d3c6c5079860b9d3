"""The cases of tests/vectors/conditions.json as rules of a policy and arguments of a call."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import counterseal as cs
from replaying import Case, vectors
from tagged_json import tagged

VECTORS = vectors("conditions")
SETUP = VECTORS["setup"]
CASES: list[Case] = VECTORS["cases"]

SCHEMAS: dict[str, dict[str, Any]] = {
    "bool": {"type": "boolean"},
    "int": {"type": "integer"},
    "double": {"type": "number"},
    "string": {"type": "string"},
    "list": {"type": "array", "items": {"type": "integer"}},
    "texts": {"type": "array", "items": {"type": "string"}},
    "map": {"type": "object", "properties": {"b": {"type": "integer"}}, "additionalProperties": False},
    "any": {},
    "null": {},
    "opaque": {},
}
"""What a policy says of an argument of that type; it has no word for bytes, decimals and times."""


@dataclass(frozen=True)
class Asked:
    """One condition, the types of the arguments where they are declared, and a call."""

    when: str
    types: dict[str, str] | None
    args: dict[str, Any]

    @property
    def expressible(self) -> bool:
        return self.types is None or all(name in SCHEMAS for name in self.types.values())

    @property
    def written(self) -> str:
        """The condition as the policy has it: in single quotes, in which its own characters stand, where it can be."""
        plain = self.when.isprintable() and "'" not in self.when
        return f"'{self.when}'" if plain else json.dumps(self.when, ensure_ascii=False)

    @property
    def before(self) -> str:
        """The policy up to the condition: one rule that denies where it holds."""
        policy: dict[str, Any] = {"version": 1, "lists": SETUP["lists"]}
        if self.types is not None:
            properties = {name: SCHEMAS[of] for name, of in self.types.items()}
            policy["tools"] = {"t": {"args": {"type": "object", "properties": properties}}}
        return json.dumps(policy)[:-1] + ', "rules": [{"id": "r", "tools": ["t"], "decision": "deny", "when": '

    @property
    def text(self) -> str:
        return self.before + self.written + "}]}"


def of_evaluate(case: Case) -> Asked:
    return Asked(case["when"], case.get("types"), tagged(case.get("args", {})))


def of_table(case: Case) -> list[tuple[str, Asked]]:
    """Every cell of a table: the letter that is expected, and what is asked."""
    types, cells = SETUP["types"], []
    if case["op"] == "types":
        assert len(case["expect"]) == len(types)
        rows = [(letter, {"a": of}) for letter, of in zip(case["expect"], types, strict=True)]
    else:
        assert case["op"] == "pairs", f"unknown operation `{case['op']}`"
        assert case["expect"].keys() == set(types)
        rows = [
            (letter, {"a": left, "b": right})
            for left in types
            for letter, right in zip(case["expect"][left], types, strict=True)
        ]
    for letter, declared in rows:
        args = {name: tagged(SETUP[{"a": "left", "b": "right"}[name]][of]) for name, of in declared.items()}
        cells.append((letter, Asked(case["when"], declared if case["typed"] else None, args)))
    return cells


def outcome(asked: Asked, home: str) -> bool | str | cs.PolicyError:
    """True, false, the part that failed and why, or the refusal of the policy."""
    try:
        cs.configure(policy=cs.Policy.from_text(asked.text), home=home)
    except cs.PolicyError as refused:
        return refused
    decision = cs.check("t", asked.args)
    if decision.reason_code == "condition_failed":
        assert decision.decision == "deny"
        assert decision.detail is not None
        return decision.detail
    assert decision.reason_code == ("rule" if decision.decision == "deny" else "default"), decision.to_dict()
    return decision.decision == "deny"
