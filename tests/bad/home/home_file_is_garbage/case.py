"""home.json is no json"""

COMMAND = ["ledger", "tail"]


def prepare(home):
    home.mkdir(mode=0o700)
    (home / "home.json").write_bytes(b"\x00\xff garbage")
