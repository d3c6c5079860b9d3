"""a ledger without its home.json"""

COMMAND = ["init"]


def prepare(home):
    home.mkdir(mode=0o700)
    (home / "index").write_text("{}\n")
