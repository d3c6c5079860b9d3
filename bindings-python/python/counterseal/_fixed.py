"""Maps and lists in which nothing can be changed, for showing them to others: they compare, print and serialize as ordinary ones do,
and `copy.deepcopy` makes ordinary ones of them."""

from __future__ import annotations

TYPE_CHECKING = False  # what `typing` calls it: importing that would take longer than all of this package
if TYPE_CHECKING:
    from typing import Any, NoReturn


def fixed(value: Any) -> Any:
    """The value, of dicts, lists and what cannot be changed anyway, so that nothing in it can be changed."""
    if type(value) is dict:
        return _Map((name, fixed(inside)) for name, inside in value.items())
    if type(value) is list:
        return _List(fixed(inside) for inside in value)
    return value


def _refused(*_: Any, **__: Any) -> NoReturn:
    raise TypeError("what people are asked is fixed: answer `Approved(edit=...)`, or change a `copy.deepcopy` of it")


class _Map(dict):  # type: ignore[type-arg]
    __slots__ = ()
    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refused

    def __reduce__(self) -> tuple[object, ...]:
        return dict, (dict(self),)


class _List(list):  # type: ignore[type-arg]
    __slots__ = ()
    __setitem__ = __delitem__ = __iadd__ = __imul__ = append = clear = extend = insert = _refused
    pop = remove = reverse = sort = _refused

    def __reduce__(self) -> tuple[object, ...]:
        return list, (list(self),)
