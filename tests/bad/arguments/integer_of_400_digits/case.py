"""an integer that no rule can compare"""


def attempt(issue_refund):
    return issue_refund("ord_1", 10**400)
