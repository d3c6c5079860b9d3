"""the home would be below a file"""

COMMAND = ["init"]


def prepare(home):
    home.parent.joinpath("file").write_text("")
    home.symlink_to(home.parent / "file" / "home")
