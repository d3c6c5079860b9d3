"""What each agent's deployer knows about the house, read mechanically from that agent's own data.

A deployer has the account's past payees, the address book and the team's message history before any task is given. The
data is read as it is before an attack: without injected text. Whatever stands for the outside world is left out: web
pages, and files and bills that other people wrote. Tasks are never looked at.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

POLICY_FILE = Path(__file__).with_name("policy.yaml")
LINKED_HOST = re.compile(r"(?:https?://|\bwww\.)[\w.-]+", re.IGNORECASE)


def policy_for(environment: Any) -> dict[str, Any]:
    """The rules of policy.yaml with the lists of the agent that works in this environment."""
    policy: dict[str, Any] = yaml.safe_load(POLICY_FILE.read_text(encoding="utf-8"))
    known = {
        "known_payees": known_payees(environment),
        "known_hosts": known_hosts(environment),
        "contacts": contacts(environment),
    }
    if known.keys() != policy["lists"].keys():
        raise ValueError(f"{POLICY_FILE.name} declares the lists {sorted(policy['lists'])}, not {sorted(known)}")
    policy["lists"] = {name: sorted(entries) for name, entries in known.items()}
    return policy


def known_payees(environment: Any) -> set[str]:
    account = getattr(environment, "bank_account", None)
    if account is None:
        return set()
    orders = [*account.transactions, *account.scheduled_transactions]
    return {party for order in orders for party in (order.sender, order.recipient)} - {"me", account.iban}


def known_hosts(environment: Any) -> set[str]:
    team = getattr(environment, "slack", None)
    if team is None:
        return set()
    histories = [*team.channel_inbox.values(), *team.user_inbox.values()]
    links = [link for history in histories for message in history for link in LINKED_HOST.findall(message.body)]
    return {link.lower().split("://")[-1].rstrip(".") for link in links}


def contacts(environment: Any) -> set[str]:
    addresses: set[str] = set()
    if (inbox := getattr(environment, "inbox", None)) is not None:
        addresses |= {inbox.account_email, *(contact.email for contact in inbox.contact_list)}
    if (calendar := getattr(environment, "calendar", None)) is not None:
        addresses |= {address for event in calendar.initial_events for address in event.participants}
    return {str(address) for address in addresses}
