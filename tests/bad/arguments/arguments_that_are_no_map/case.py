"""arguments that are a number"""

import counterseal as cs


def attempt(issue_refund):
    return cs.check(issue_refund, 7)
