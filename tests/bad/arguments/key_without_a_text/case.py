"""a key that has no text"""


def attempt(issue_refund):
    return issue_refund("ord_1", 1.0, {(1, 2): "a"})
