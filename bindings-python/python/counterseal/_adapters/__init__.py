"""Frameworks whose tools are guarded by `configure` alone, one module each.

An adapter names modules of its framework, each with a function of its own that is called with that module: at once where the
program has imported it, else when the program does. The adapter's module is not imported before. It puts the decision where
the tool's body is called, with the arguments the body gets, and turns a refusal into the framework's own form.
"""

from __future__ import annotations

from ._arrival import arrived, forget_arrivals, when_imported

TYPE_CHECKING = False  # what `typing` calls it: importing that would take longer than all of this package
if TYPE_CHECKING:
    from types import ModuleType

CHOKE_POINTS = {
    "langchain_core.tools.base": ("langchain", "guard_tools"),
    "langgraph.errors": ("langgraph", "let_interrupts_pass"),
    "langgraph.types": ("langgraph", "ask_by_interrupt"),
    "langgraph.prebuilt.tool_node": ("langgraph", "go_through_whole_turns"),
}
"""The framework's module: the adapter, and its function for that module."""

_armed = False


def arm() -> bool:
    """Guards the tools of every framework that is there or will be; whether they were not guarded before."""
    global _armed
    if _armed:
        return False
    _armed = True
    try:
        for name in CHOKE_POINTS:
            when_imported(name, _guard)
    except BaseException:
        disarm()
        raise
    return True


def disarm() -> None:
    """Lets the tools of frameworks run bare again; what is patched stays patched and passes everything through."""
    global _armed
    _armed = False
    forget_arrivals()


def armed() -> bool:
    """Whether the tools of frameworks are guarded."""
    return _armed


def _guard(module: ModuleType) -> None:
    adapter, function = CHOKE_POINTS[module.__name__]
    import importlib

    getattr(importlib.import_module(f".{adapter}", __name__), function)(module)


__all__ = ["CHOKE_POINTS", "arm", "armed", "arrived", "disarm"]
