"""the home is a link that leads nowhere"""

COMMAND = ["init"]


def prepare(home):
    home.symlink_to(home.parent / "nowhere")
