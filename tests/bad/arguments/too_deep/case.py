"""65 lists around each other"""


def attempt(issue_refund):
    note = "x"
    for _ in range(65):
        note = [note]
    return issue_refund("ord_1", 1.0, note)
