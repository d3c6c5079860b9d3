"""a list that contains itself"""


def attempt(issue_refund):
    note = []
    note.append(note)
    return issue_refund("ord_1", 1.0, note)
