"""json text with a key given twice"""

import counterseal as cs


def attempt(issue_refund):
    return cs.check(issue_refund, '{"amount": 1.0, "amount": 4000.0}')
