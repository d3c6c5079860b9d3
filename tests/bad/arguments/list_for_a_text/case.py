"""a list, where the policy looks at a text"""


def attempt(issue_refund):
    return issue_refund("ord_1", 1.0, ["a", "secret"])
