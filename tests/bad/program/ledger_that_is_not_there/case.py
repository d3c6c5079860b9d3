"""`Ledger` of what is no home"""

import counterseal as cs


def attempts(home):
    yield "Ledger()", lambda: cs.Ledger()
    yield "Ledger(5)", lambda: cs.Ledger(5)
    yield "Ledger('~/agent')", lambda: cs.Ledger("~/agent")
