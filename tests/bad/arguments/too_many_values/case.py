"""70,000 values"""


def attempt(issue_refund):
    return issue_refund("ord_1", 1.0, list(range(70_000)))
