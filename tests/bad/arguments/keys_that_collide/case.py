"""two keys that are the same as text"""


def attempt(issue_refund):
    return issue_refund("ord_1", 1.0, {1: "a", "1": "b"})
