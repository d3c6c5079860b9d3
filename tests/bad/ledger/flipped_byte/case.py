"""one byte of a record was changed"""

from damaged import replace, segments

COMMAND = ["ledger", "verify"]


def damage(home):
    first, second = segments(home)
    replace(first, b'"u-1"', b'"u-9"')
