"""reading meets a line that is no record"""

from damaged import replace, segments

COMMAND = ["ledger", "tail"]


def damage(home):
    first, second = segments(home)
    replace(second, b'"kind":"decided"', b'"kind":"decided')
