"""What is guarded in this process, how, and what is not."""

from __future__ import annotations

import sys

from . import _adapters, _native

TYPE_CHECKING = False  # what `typing` calls it: importing that would take longer than all of this package
if TYPE_CHECKING:
    from typing import Any

_FRAMEWORKS = {"langchain": ("langchain_core.tools.base", "langchain-core")}
"""By adapter: the module whose arrival means that tools can be made, and the distribution it comes from."""

_WITHOUT_ADAPTER = {
    "ag2": "ag2",
    "agent_framework": "agent-framework",
    "agents": "openai-agents",
    "autogen": "ag2",
    "autogen_core": "autogen",
    "claude_agent_sdk": "claude-agent-sdk",
    "crewai": "crewai",
    "google.adk": "google-adk",
    "llama_index.core": "llama-index",
    "mcp": "mcp",
    "pydantic_ai": "pydantic-ai",
    "semantic_kernel": "semantic-kernel",
    "smolagents": "smolagents",
    "strands": "strands-agents",
}
"""Modules of frameworks that call tools by themselves, and that nothing here guards yet."""


class Coverage:
    """What `coverage` returns."""

    __slots__ = ("findings", "frameworks", "tools")

    def __init__(self, tools: list[str], frameworks: list[CoveredFramework], findings: list[str]) -> None:
        self.tools = tools
        """Names of the guarded tools that the program holds; a framework's tools are among them from their first call on."""
        self.frameworks = frameworks
        """Every framework that the program has imported and that calls tools by itself."""
        self.findings = findings
        """What a rule over several tools asks for with `has` and none of the guarded ones has: a slip, or a tool yet to come."""

    def to_dict(self) -> dict[str, Any]:
        """All of it by name, ready for JSON."""
        return {
            "tools": list(self.tools),
            "frameworks": [one.to_dict() for one in self.frameworks],
            "findings": list(self.findings),
        }

    def __repr__(self) -> str:
        return f"Coverage(tools={self.tools!r}, frameworks={self.frameworks!r}, findings={self.findings!r})"


class CoveredFramework:
    """A framework in this process."""

    __slots__ = ("guarded", "how", "name", "not_guarded", "version")

    def __init__(
        self, name: str, *, guarded: bool, version: str | None, how: str | None, not_guarded: list[str]
    ) -> None:
        self.name = name
        self.guarded = guarded
        """Whether a decision stands before its tools."""
        self.version = version
        """The installed version; `None` where it does not say."""
        self.how = how
        """Where the decision stands; `None` where there is none."""
        self.not_guarded = not_guarded
        """What gets past it."""

    def to_dict(self) -> dict[str, Any]:
        """All of it by name, ready for JSON."""
        return {name: getattr(self, name) for name in ("name", "guarded", "version", "how", "not_guarded")}

    def __repr__(self) -> str:
        return f"CoveredFramework({self.name!r}, guarded={self.guarded!r}, how={self.how!r})"


def coverage() -> Coverage:
    """What is guarded in this process, how, and what is not. Imports nothing that the program has not imported."""
    found = [_with_adapter(name) for name, (module, _) in _FRAMEWORKS.items() if _adapters.arrived(module)]
    found += [
        CoveredFramework(
            name,
            guarded=False,
            version=_version(name),
            how=None,
            not_guarded=["its tools: guard their functions with `guard_tool`"],
        )
        for module, name in sorted(_WITHOUT_ADAPTER.items())
        if module in sys.modules
    ]
    return Coverage(_native.guarded_tools(), found, _native.unanswered())


def _with_adapter(name: str) -> CoveredFramework:
    _, distribution = _FRAMEWORKS[name]
    version = _version(distribution)
    if not _adapters.armed():
        return CoveredFramework(
            name, guarded=False, version=version, how=None, not_guarded=["its tools: call `configure` to guard them"]
        )
    import importlib

    adapter = importlib.import_module(f"._adapters.{name}", __package__)
    return CoveredFramework(name, guarded=True, version=version, how=adapter.HOW, not_guarded=adapter.not_guarded())


def _version(distribution: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
