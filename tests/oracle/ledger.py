"""Verifies a ledger, from docs/formats.md §§3 to 7 alone, in the standard library alone. Stops at the first problem."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import ed25519
from canonical import keyed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

START = re.compile(
    rb'\{"v":1,"kind":"([a-z]+)","seq":([1-9][0-9]*),'
    rb'"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z","prev":"([0-9a-f]{64})"[,}]'
)
END = re.compile(rb'^,"hash":"([0-9a-f]{64})"\}$')
SIDECAR = re.compile(
    rb'^\{"action_id":"([0-9a-f]{32})","part":"([a-z_]+)","salt":"([0-9a-f]{64})","payload":(.*)\}$', re.DOTALL
)
DASH = "\u2014"


class Broken(Exception):
    """The ledger does not verify: in which file and, where it is about a line, in which, from 1."""

    def __init__(self, file: str, what: str, line: int | None = None) -> None:
        super().__init__(f"{file}:{line}: {what}")
        self.file = file
        self.line = line


@dataclass
class Counts:
    """What a ledger that verifies holds."""

    records: int = 0
    sealed: int = 0
    checkpoints: int = 0
    pruned: int = 0
    payloads: int = 0
    erased: int = 0


@dataclass
class Segment:
    """What the index says of a segment."""

    stream: str
    number: int
    prev: str
    seals: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    closed: bool = False

    @property
    def file(self) -> str:
        return f"streams/{self.stream}/{self.number:06}"


def root(leaves: Sequence[bytes]) -> bytes:
    """The Merkle tree hash of RFC 9162 §2.1.1."""
    if not leaves:
        return hashlib.sha256().digest()
    level = [hashlib.sha256(b"\0" + leaf).digest() for leaf in leaves]
    while len(level) > 1:
        pairs = [hashlib.sha256(b"\1" + a + b).digest() for a, b in zip(level[::2], level[1::2], strict=False)]
        level = pairs + level[len(level) & ~1 :]
    return level[0]


def lines_of(text: bytes) -> tuple[list[bytes], bytes]:
    """The whole lines, and what follows the last newline."""
    *lines, torn = text.split(b"\n")
    return lines, torn


def key_hash(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n\x01" + public).digest()[:4]


def encoded_key(text: str) -> bytes:
    raw = base64.b64decode(text, validate=True)
    if raw[:1] != b"\1" or len(raw) != 33:
        raise ValueError(text)
    return raw[1:]


@dataclass(frozen=True)
class Note:
    """A checkpoint."""

    text: str
    origin: str
    size: int
    root: bytes
    next: bytes
    body: bytes
    key_hash: bytes
    signature: bytes

    def signed_by(self, public: bytes) -> bool:
        right_key = self.key_hash == key_hash(self.origin, public)
        return right_key and ed25519.verify(public, self.body, self.signature)


def notes_of(text: bytes, file: str) -> Iterator[Note]:
    """The notes of a file; a torn one at the end is passed over."""
    blocks = text.decode().split("\n\n")
    for body, line in zip(blocks[:-1:2], blocks[1:-1:2], strict=False):
        try:
            origin, size, tree, following, time = body.split("\n")
            dash, name, signature = line.split(" ")
            raw = base64.b64decode(signature, validate=True)
            if (dash, name) != (DASH, origin) or str(int(size)) != size or not time.startswith("time "):
                raise ValueError(line)
            if not following.startswith("next ") or len(raw) != 68:
                raise ValueError(line)
            yield Note(
                text=f"{body}\n\n{line}\n",
                origin=origin,
                size=int(size),
                root=base64.b64decode(tree, validate=True),
                next=encoded_key(following[5:]),
                body=f"{body}\n".encode(),
                key_hash=raw[:4],
                signature=raw[4:],
            )
        except ValueError as error:
            raise Broken(file, "no signed note") from error


class Ledger:
    """One verification of the home at `path`."""

    def __init__(self, path: Path, outside: Path | None = None) -> None:
        self.path = path
        self.outside = outside
        self.counts = Counts()
        self.said_erased: set[tuple[str, str | None]] = set()
        self.blank: list[tuple[str, str, str, int]] = []
        self.said_pruned: dict[tuple[str, int], dict[str, Any]] = {}
        self.missing: list[Segment] = []

    def read(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise Broken(name, "cannot be read") from error

    def verify(self) -> Counts:
        notes = self.checkpoints()
        index, _ = lines_of(self.read("index"))
        proved = 0
        for note in notes:
            if note.size > len(index) or root(index[: note.size]) != note.root:
                raise Broken("checkpoints", f"the index is not what {note.size} lines were")
            proved = max(proved, note.size)
        for segment, first in self.segments(index):
            self.segment(segment, first, proved)
        self.settle()
        return self.counts

    def checkpoints(self) -> list[Note]:
        try:
            home = json.loads(self.read("home.json"))
            name, hashed, encoded = home["first_key"].split("+", 2)
            key = encoded_key(encoded)
            if name != home["origin"] or name != f"counterseal/{home['home']}" or hashed != key_hash(name, key).hex():
                raise ValueError(name)
        except (ValueError, KeyError) as error:
            raise Broken("home.json", "is no home") from error
        notes = list(notes_of(self.read("checkpoints"), "checkpoints"))
        for note in notes:
            if note.origin != name or not note.signed_by(key):
                raise Broken("checkpoints", "not signed by the key named before")
            key = note.next
            self.counts.checkpoints += 1
        if key not in self.keys_on_disk():
            raise Broken("keys/current", "is not the key the last checkpoint names")
        if self.outside is not None:
            held = {note.text for note in notes}
            for note in notes_of(self.outside.read_bytes(), "outside"):
                if note.text not in held:
                    raise Broken("outside", "a checkpoint is not in the home")
        return notes

    def digest_key_check(self) -> str:
        """The check value of the home's key of digests."""
        return keyed(bytes.fromhex(self.read("digest.key").decode()), b'["counterseal.key.v1"]')

    def keys_on_disk(self) -> list[bytes]:
        """The public keys of the secrets that the home keeps."""
        files = [self.path / "keys" / which for which in ("current", "next")]
        seeds = [file.read_bytes() for file in files if file.exists()]
        return [
            ed25519.public_key(bytes.fromhex(seed.decode())) for seed in seeds if re.fullmatch(rb"[0-9a-f]{64}\n", seed)
        ]

    def segments(self, index: list[bytes]) -> list[tuple[Segment, int]]:
        """The segments of the index, with the number of each one's first record."""
        streams: dict[str, list[Segment]] = {}
        for nth, line in enumerate(index):
            try:
                said = json.loads(line)
                of_stream = streams.setdefault(said["stream"], [])
                last = of_stream[-1] if of_stream else None
                if said["kind"] == "opened":
                    prev = last.seals[-1][1]["last"] if last and last.closed else "0" * 64
                    if said["prev"] != prev or said["segment"] != len(of_stream) + 1 or (last and not last.closed):
                        raise ValueError("opens out of turn")
                    of_stream.append(Segment(said["stream"], said["segment"], said["prev"]))
                    continue
                if last is None or last.closed or said["segment"] != last.number:
                    raise ValueError("seals what is not open")
                last.seals.append((nth, said))
                last.closed = said["kind"] == "closed"
            except (ValueError, KeyError, IndexError) as error:
                raise Broken("index", str(error), nth + 1) from error
        found = []
        for of_stream in streams.values():
            first = 1
            for segment in of_stream:
                found.append((segment, first))
                first += segment.seals[-1][1]["records"] if segment.closed else 0
        known = {f"{segment.file}.jsonl" for segment, _ in found}
        for path in (self.path / "streams").glob("*/*.jsonl"):
            if str(path.relative_to(self.path)) not in known:
                raise Broken(str(path.relative_to(self.path)), "is not in the index")
        return found

    def segment(self, segment: Segment, first: int, proved: int) -> None:
        file = f"{segment.file}.jsonl"
        if segment.closed and not (self.path / file).exists():
            self.missing.append(segment)
            return
        lines, torn = lines_of(self.read(file))
        sidecar, _ = lines_of(self.read(f"{segment.file}.side"))
        prev, hashes, taken = segment.prev, [], 0
        for nth, line in enumerate(lines):
            start, end = START.match(line), END.match(line[-75:])
            if start is None or end is None:
                raise Broken(file, "no record", nth + 1)
            digest = hashlib.sha256(line[:-75])
            if digest.hexdigest().encode() != end[1] or start[3].decode() != prev or int(start[2]) != first + nth:
                raise Broken(file, "hash, chain or number", nth + 1)
            prev = digest.hexdigest()
            hashes.append(digest.digest())
            record = json.loads(line)
            if record.get("digest_key") not in (None, self.digest_key_check()):
                raise Broken("digest.key", "is not the key with which digests were made")
            taken += self.payloads(segment, record, sidecar[taken:], taken)
        if segment.closed and (torn or taken != len(sidecar)):
            raise Broken(file, "more than was closed", len(lines) + 1)
        for nth, seal in segment.seals:
            count = seal["records"]
            if count > len(lines):
                raise Broken(file, "records are missing", len(lines) + 1)
            if sum(map(len, lines[:count])) + count != seal["bytes"] or root(hashes[:count]).hex() != seal["root"]:
                raise Broken(file, "not what was sealed")
            if segment.closed and segment.seals[-1][1]["records"] != len(lines):
                raise Broken(file, "records after the end", count + 1)
            if seal["last"] != hashes[count - 1].hex():
                raise Broken(file, "not what was sealed")
            if nth < proved and seal is [s for n, s in segment.seals if n < proved][-1]:
                self.counts.sealed += count
        self.counts.records += len(lines)

    def payloads(self, segment: Segment, record: dict[str, Any], lines: list[bytes], before: int) -> int:
        """Compares a record with the next lines of the sidecar; gives back how many are its own."""
        if record["kind"] == "erased":
            parts = [None] if record["parts"] is None else record["parts"]
            self.said_erased |= {(action, part) for action in record["action_ids"] for part in parts}
        if record["kind"] == "pruned":
            self.said_pruned[record["stream"], record["segment"]] = record
        kept = {part: digest for part, digest in (record.get("payload") or {}).items() if digest is not None}
        file = f"{segment.file}.side"
        action = record.get("action_id", "0" * 32)
        for nth, (part, digest) in enumerate(kept.items()):
            line = SIDECAR.match(lines[nth]) if nth < len(lines) else None
            if line is None or (line[1].decode(), line[2].decode()) != (action, part):
                raise Broken(file, "a payload is missing", before + nth + 1)
            salt, payload = bytes.fromhex(line[3].decode()), line[4]
            if salt == bytes(32) and payload.rstrip(b" ") == b"0":
                self.blank.append((action, part, file, before + nth + 1))
            elif hashlib.sha256(salt + payload).hexdigest() == digest:
                self.counts.payloads += 1
            else:
                raise Broken(file, "a payload is not what its record says", before + nth + 1)
        return len(kept)

    def settle(self) -> None:
        for action, part, file, line in self.blank:
            if not {(action, None), (action, part)} & self.said_erased:
                raise Broken(file, "erased, and no record says so", line)
            self.counts.erased += 1
        for segment in self.missing:
            said = self.said_pruned.get((segment.stream, segment.number), {})
            seal = segment.seals[-1][1]
            if any(said.get(member) != seal[member] for member in ("records", "root", "last")):
                raise Broken(f"{segment.file}.jsonl", "is missing, and no record says it was pruned")
            self.counts.pruned += 1
