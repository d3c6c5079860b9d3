"""Finds what a case damages in the whole ledger: two streams of one segment each, in the order of their time."""

from __future__ import annotations


def segments(home):
    """The segments' files, the earlier process's first."""
    return sorted(home.glob("streams/*/*.jsonl"), key=lambda path: path.read_bytes().split(b'"time":"', 1)[1][:30])


def lines(path):
    return path.read_bytes().splitlines(keepends=True)


def replace(path, old, new):
    """Replaces the first `old`, which has to be there, by `new`."""
    text = path.read_bytes()
    assert old in text
    path.write_bytes(text.replace(old, new, 1))
