"""json text that is no object"""

import counterseal as cs


def attempt(issue_refund):
    return cs.check(issue_refund, '["ord_1", 10.0]')
