"""home.json is a directory"""

COMMAND = ["init"]


def prepare(home):
    home.mkdir(mode=0o700)
    (home / "home.json").mkdir()
