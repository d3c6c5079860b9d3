"""the home is a file"""

COMMAND = ["init"]


def prepare(home):
    home.write_text("not a directory")
