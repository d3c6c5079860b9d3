"""Calls a function with a module: now where the program has imported it, else right after the program imports it."""

from __future__ import annotations

import sys

from .._errors import ConfigurationError

TYPE_CHECKING = False  # what `typing` calls it: importing that would take longer than all of this package
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

    _Arrived = Callable[[ModuleType], None]

_waiting: dict[str, _Arrived] = {}
"""By module; kept after its arrival, since a module may be loaded anew."""


def when_imported(name: str, arrived: _Arrived) -> None:
    """Calls `arrived` with the module of that name, and imports nothing."""
    _waiting[name] = arrived
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
    module = sys.modules.get(name)
    if module is None:
        return
    if getattr(module.__spec__, "_initializing", False):
        import importlib

        # Another thread imports it at this moment: this waits until that is done.
        module = importlib.import_module(name)
    arrived(module)


def forget_arrivals() -> None:
    """Calls nothing any more."""
    _waiting.clear()
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)


def arrived(name: str) -> bool:
    """Whether the program has imported the module."""
    return sys.modules.get(name) is not None


class _Finder:
    """Finds a module as the other finders do, with a loader that says when the module is there."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in _waiting:
            return None
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = None if find is None else find(name, path, target)
            if spec is None:
                continue
            if not hasattr(spec.loader, "exec_module"):
                raise ConfigurationError(
                    f"`{name}` is loaded in a way that tells nobody when it is there, so its tools cannot be guarded; "
                    "import it before `configure`",
                    code="config_invalid",
                    kind="config",
                )
            spec.loader = _Loader(spec.loader, _waiting[name])  # type: ignore[assignment]
            return spec
        return None


class _Loader:
    """The module's own loader, and a word when it is done. While the module's code runs it is out of sight already."""

    def __init__(self, own: Any, arrived: _Arrived) -> None:
        self._own = own
        self._arrived = arrived

    def create_module(self, spec: ModuleSpec) -> Any:
        return self._own.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._own
        if module.__spec__ is not None:
            module.__spec__.loader = self._own
        self._own.exec_module(module)
        if module.__name__ in _waiting:
            self._arrived(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)


_finder: Any = _Finder()
