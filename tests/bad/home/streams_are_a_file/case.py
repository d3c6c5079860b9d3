"""the streams are a file"""

COMMAND = ["init"]


def prepare(home):
    home.mkdir(mode=0o700)
    (home / "streams").write_text("")
