"""The one call that every contender guards, and what a contender has to offer.

A function of 4 arguments, 200 bytes in all, whose body does nothing: what is timed is the guard.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, TypedDict

TOOL: Final = "issue_refund"
# Bytes of all arguments together, as text.
SIZE: Final = 200


class Arguments(TypedDict):
    """The arguments of one call."""

    customer_id: str
    amount: float
    currency: str
    memo: str


def issue_refund(customer_id: str, amount: float, currency: str, memo: str) -> str:
    return customer_id


# Given by name, because that is the only form which every contender looks at.
Tool = Callable[..., str]

SAMPLE: Final[Arguments] = {
    "customer_id": "3f1c9a52-77d0-4c1e-9b35-0d2f6a8e4b17",
    "amount": 42.5,
    "currency": "EUR",
    "memo": "returned one of two lamps, the second one arrived with a cracked shade and the customer "
    "sent three photographs; agreed on the phone to refund half of it, now",
}
# The same call with the one value that every contender's rule has to refuse.
REFUSED: Final[Arguments] = {**SAMPLE, "amount": 5000.0}
MAXIMUM: Final = 100.0

assert sum(len(str(value).encode()) for value in SAMPLE.values()) == SIZE, "the workload has another size than it says"


class Contender(Protocol):
    """One product, set up as its own documentation says, with its record kept as by its defaults."""

    name: str
    version: str
    # Where its record of a call goes by default, for the table.
    record: str
    # True where `n_rules` changes nothing, so that one run of it is enough.
    fixed_policy: bool
    refusal: type[Exception]

    def make_bare(self) -> Tool:
        """The function as it is without a guard."""

    def make_guarded(self, n_rules: int) -> Tool:
        """The function guarded by `n_rules` rules, one of which matches the sample and allows it."""

    def records(self) -> int:
        """How many records of calls it has kept so far."""

    def settle(self) -> None:
        """Let work that goes on in the background end, so that it costs no other contender."""
