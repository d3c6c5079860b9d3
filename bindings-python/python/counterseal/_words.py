"""The closed sets of words in decisions. Each member is a `str` and equals its text."""

from __future__ import annotations

from enum import Enum


class _Word(str, Enum):
    """A `str` in every respect, also when it is printed or formatted."""

    def __str__(self) -> str:
        return str.__str__(self)

    def __format__(self, format_spec: str) -> str:
        return str.__format__(self, format_spec)


class Verdict(_Word):
    """What the policy says of a call."""

    ALLOW = "allow"
    REQUIRE_APPROVAL = "require_approval"
    DENY = "deny"


class Effect(_Word):
    """What the enforcement mode made of the verdict."""

    RUN = "run"
    REFUSED = "refused"
    ASKED = "asked"


class Enforcement(_Word):
    """How much of a verdict is enforced, from the loosest to the strictest."""

    OBSERVE = "observe"
    STEP_UP = "step_up"
    PROGRESSIVE = "progressive"
    BLOCK = "block"
