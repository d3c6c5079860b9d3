"""json text that ends too early, for a call that would run"""

import counterseal as cs


def attempt(issue_refund):
    with cs.enforce(issue_refund, '{"order_id": "ord_1", "amount": '):
        return issue_refund.__wrapped__("ord_1")
