"""a text of 2 MiB"""


def attempt(issue_refund):
    return issue_refund("ord_1", 1.0, "x" * (2 << 20))
