"""a mapping that raises when it is read"""

from collections.abc import Mapping


class Hostile(Mapping):
    def __getitem__(self, key):
        raise RuntimeError("do not repeat: hunter2")

    def __iter__(self):
        raise RuntimeError("do not repeat: hunter2")

    def __len__(self):
        return 1


def attempt(issue_refund):
    return issue_refund("ord_1", 1.0, Hostile())
