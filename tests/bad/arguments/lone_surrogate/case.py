"""half of a character"""


def attempt(issue_refund):
    return issue_refund("ord_1", 1.0, "\ud800")
