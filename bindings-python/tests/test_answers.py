"""What people may answer."""

from __future__ import annotations

from datetime import datetime, timezone

import counterseal as cs
import pytest
from counterseal.testing import engine
from test_asking import POLICY, called


def test_a_grant_serves_the_user_it_was_given_for_alone() -> None:
    asked: list[str | None] = []

    def approver(call: cs.ApprovalCall) -> cs.Approved:
        asked.append(call.user_id)
        return cs.Approved(by="ann", grant=cs.Grant(when="double(args.amount) < 500.0", count=5))

    with engine(POLICY, approver=approver):
        for user in ("bob", "bob", "mallory"):
            with cs.session("conv", user=user, verified_by="sso"):
                called("function", 400.0)
    assert asked == ["bob", "mallory"]


@pytest.mark.parametrize(
    ("grant", "edit", "said"),
    [
        (cs.Grant(count=5), {"amount": 180.0}, "give the grant a condition"),
        (cs.Grant(when="args.amuont < 200", count=5), None, "names the argument `amuont`"),
        (cs.Grant(when="!session.saw('untrusted')", count=5), None, "asks about the session"),
        (cs.Grant(until=datetime(2001, 1, 1, tzinfo=timezone.utc)), None, "is over already"),
    ],
)
def test_a_grant_that_could_not_do_what_it_says_is_no_answer(
    grant: cs.Grant, edit: dict[str, object] | None, said: str
) -> None:
    with (
        engine(POLICY, approver=lambda call: cs.Approved(grant=grant, edit=edit)),
        pytest.raises(cs.PolicyDenied) as denied,
    ):
        called("function", 4000.0)
    assert said in str(denied.value.decision.detail)
