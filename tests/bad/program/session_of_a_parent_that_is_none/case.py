"""`session(parent=…)` with what is no other session"""

import counterseal as cs


def entered(*arguments, **more):
    with cs.session(*arguments, **more):
        pass


def attempts(home):
    yield "its own parent", lambda: entered("sub", parent="sub")
    for given in ["", 5, "a\ud800"]:
        yield f"parent={given!r}", lambda given=given: entered("sub", parent=given)
