"""What counts as text: a `str` that can be written as UTF-8. One with half of a surrogate pair cannot be recorded."""

from __future__ import annotations

TYPE_CHECKING = False  # what `typing` calls it: importing that would take longer than all of this package
if TYPE_CHECKING:
    from typing import TypeGuard


def is_text(value: object) -> TypeGuard[str]:
    """Whether `value` is a text that the engine can take."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
