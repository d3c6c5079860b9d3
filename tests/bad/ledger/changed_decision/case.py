"""a deny was made an allow"""

from damaged import replace, segments

COMMAND = ["ledger", "verify"]


def damage(home):
    first, second = segments(home)
    replace(first, b'"decision":"deny"', b'"decision":"allow"')
