"""`session(id)` with what is no name"""

import counterseal as cs


def entered(*arguments, **more):
    with cs.session(*arguments, **more):
        pass


def attempts(home):
    for given in ["", None, 5, b"conv", "a\ud800"]:
        yield f"session({given!r})", lambda given=given: entered(given)
