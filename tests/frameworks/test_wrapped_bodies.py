"""A tool whose own `_run` passes for LangChain's: it is the tool's body, and does not run undecided."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import counterseal.testing
from langchain_core.tools import StructuredTool
from pydantic import BaseModel

RAN: list[str] = []


class Path(BaseModel):
    path: str


class Remote(StructuredTool):
    """Has no function: what it does it does itself, under the name and the module of what it wraps."""

    @functools.wraps(StructuredTool._run)
    def _run(self, *args: Any, **kwargs: Any) -> str:
        RAN.append(kwargs["path"])
        return "wiped"


def test_what_wraps_the_method_of_langchain_is_no_method_of_langchain() -> None:
    one = Remote(name="wipe", description="Wipes.", args_schema=Path)
    rule = {"id": "no", "tools": ["wipe"], "when": 'string(args.path) == "/"', "decision": "deny"}
    with counterseal.testing.engine({"version": 1, "rules": [rule]}) as engine:
        for answer in (one.invoke({"path": "/"}), asyncio.run(one.ainvoke({"path": "/"}))):
            assert "not run" in answer
        assert one.invoke({"path": "/tmp"}) == "wiped"
        assert [decision.effect for decision in engine.decisions] == ["refused", "refused", "run"]
    assert RAN == ["/tmp"]
