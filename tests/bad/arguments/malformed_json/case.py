"""json text that ends too early"""

import counterseal as cs


def attempt(issue_refund):
    return cs.check(issue_refund, '{"order_id": "ord_1", "amount": ')
