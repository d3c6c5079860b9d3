"""the arguments of a call were changed"""

from damaged import replace, segments

COMMAND = ["ledger", "verify", "--deep"]


def damage(home):
    first, second = segments(home)
    replace(first.with_suffix(".side"), b'"amount":40', b'"amount":41')
