"""json text nested 100,000 deep"""

import counterseal as cs


def attempt(issue_refund):
    return cs.check(issue_refund, '{"note": ' + "[" * 100_000)
