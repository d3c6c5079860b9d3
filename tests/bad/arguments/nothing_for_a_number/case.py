"""nothing, where the policy compares numbers"""


def attempt(issue_refund):
    return issue_refund("ord_1", None)
