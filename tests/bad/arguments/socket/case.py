"""a socket where a number is expected"""

import socket


def attempt(issue_refund):
    with socket.socket() as opaque:
        return issue_refund("ord_1", opaque)
