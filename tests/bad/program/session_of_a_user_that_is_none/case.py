"""`session(user=…, verified_by=…, user_text=…)` with what says nothing"""

import counterseal as cs


def entered(*arguments, **more):
    with cs.session(*arguments, **more):
        pass


def attempts(home):
    yield "user=''", lambda: entered("conv", user="")
    yield "user=7", lambda: entered("conv", user=7)
    yield "verified_by without user", lambda: entered("conv", verified_by="sso")
    yield "user_text=['hello']", lambda: entered("conv", user_text=["hello"])
