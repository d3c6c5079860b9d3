"""json text with half of a character"""

import counterseal as cs


def attempt(issue_refund):
    return cs.check(issue_refund, '{"note": "\\ud800"}')
