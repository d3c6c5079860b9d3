"""a number that is none, where the policy compares numbers"""


def attempt(issue_refund):
    return issue_refund("ord_1", float("nan"))
