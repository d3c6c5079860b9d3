"""What the contract asks of an adapter's framework: to make tools of functions, and to run an agent whose model is scripted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Call:
    """One tool call as the model emits it."""

    tool: str
    arguments: dict[str, Any]
    id: str = "call-1"


@dataclass(frozen=True)
class Answer:
    """What the model is given for one of its calls."""

    id: str
    text: str
    error: bool


@dataclass
class Ended:
    """How a run of the agent ended."""

    answers: list[Answer]
    # the model's last word; `None` where the run waits for a person
    said: str | None
    # what is asked, where the run waits, each with the framework's own name for its place
    asked: list[tuple[Any, Any]] = field(default_factory=list)


FINAL = "that is all"
"""The model's last word in every script."""


class Driver(Protocol):
    """One framework. Every run is made with the framework's own agent, not with parts of it."""

    name: str

    def tool(self, function: Callable[..., Any]) -> Any:
        """The framework's tool for a function, sync or async, which is its body."""

    def run(
        self,
        tools: list[Any],
        *turns: list[Call],
        asynchronous: bool,
        tamper: Callable[[dict[str, Any]], None] | None = None,
        retries: int = 0,
        thread: str | None = None,
    ) -> Ended:
        """Runs an agent whose model emits the calls of each turn and then says `FINAL`.

        `tamper` changes the arguments of each call between the model and the tool, in the framework's own way, and
        `retries` is how often the framework calls a tool again that failed. `thread` names the conversation.
        """

    def resume(self, answer: Any, place: Any) -> Ended:
        """Goes on with the run that waits, with an answer to what is asked in that place."""

    def ask(self, question: Any) -> Any:
        """Called in a body: leaves it to ask a person, and returns the answer in the run that goes on."""

    def call_id(self, thread: str, call: Call) -> str:
        """What the record of a call says of it, in the framework's own words."""
