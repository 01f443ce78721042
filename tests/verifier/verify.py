#!/usr/bin/env python3
"""Checks an export of an Efflux topic, with nothing but docs/format.md and Python's own library.

usage: verify.py [--topic NAME] [--head SEQ:FP] [--after SEQ:FP] [--contents] [FILE]

FILE (or standard input) holds the frames of a topic, one after the other from the root on. One
frame at a time is held in memory.

  --topic NAME     the root must name this topic
  --head SEQ:FP    the particle with this sequence must be there and have this fingerprint
  --after SEQ:FP   the frames begin behind this particle instead of at the root
  --contents       also decompress the payloads that are compressed with gzip

Prints `ok particles=N head=SEQ:FP` and exits with 0, or prints
`broken offset=BYTES sequence=SEQ reason=KIND: what was expected and found` and exits with 1.
Exits with 2 when it cannot be run: unknown options, a file that cannot be read.
"""

import argparse
import hashlib
import re
import sys
import zlib

HEADER_ID = bytes.fromhex("05011429830a")
FOOTER_ID = bytes.fromhex("0611525b")
PREFIX_BYTES = 14
METADATA_AT = 46
METADATA_BYTES_MAX = 64 * 1024
PAYLOAD_BYTES_MAX = 16 * 1024 * 1024
CONTENT_BYTES_MAX = 64 * 1024 * 1024
PROPERTIES_MAX = 64
NESTED_LEVELS_MAX = 8
KNOWN_KEYS = [
    "v",
    "id",
    "sequence",
    "created",
    "timestamp",
    "payload_hash",
    "linked_fingerprint",
    "batch_remaining",
    "data_type",
    "content_type",
    "content_encoding",
    "message_group",
    "properties",
]
NEEDED_KEYS = ["v", "id", "sequence", "created", "payload_hash"]
CONTROL = re.compile("[\u0000-\u001f\u007f-\u009f]")
UUID_TEXT = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
TOPIC_NAME = re.compile(r"(?!.*\.\.)[A-Za-z0-9_]([A-Za-z0-9._-]{0,198}[A-Za-z0-9_-])?")


class Broken(Exception):
    """Why an export does not check; the place is added by whoever knows it."""

    def __init__(self, kind, detail):
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail
        self.offset = None
        self.sequence = None


class MessagePack:
    """Reads MessagePack values one by one, so that order and doubled keys can be seen."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def fail(self, at, expected):
        return Broken("metadata", f"at metadata byte {at}, expected {expected}")

    def take(self, count, expected):
        end = self.at + count
        if end > len(self.data):
            raise self.fail(self.at, expected)
        taken = self.data[self.at : end]
        self.at = end
        return taken

    def number(self, width, expected, signed=False):
        return int.from_bytes(self.take(width, expected), "big", signed=signed)

    def marker(self, expected):
        return self.take(1, expected)[0]

    def integer(self, least, most):
        start = self.at
        expected = f"an integer from {least} to {most}"
        marker = self.marker(expected)
        if marker <= 0x7F:
            value = marker
        elif marker >= 0xE0:
            value = marker - 0x100
        elif 0xCC <= marker <= 0xCF:
            value = self.number(1 << (marker - 0xCC), expected)
        elif 0xD0 <= marker <= 0xD3:
            value = self.number(1 << (marker - 0xD0), expected, signed=True)
        else:
            raise self.fail(start, expected)
        if not least <= value <= most:
            raise self.fail(start, expected)
        return value

    def raw_text(self, expected):
        start = self.at
        marker = self.marker(expected)
        if 0xA0 <= marker <= 0xBF:
            length = marker & 0x1F
        elif 0xD9 <= marker <= 0xDB:
            length = self.number(1 << (marker - 0xD9), expected)
        else:
            raise self.fail(start, expected)
        return self.take(length, expected)

    def text(self, least=0, most=METADATA_BYTES_MAX, controls=True):
        start = self.at
        raw = self.raw_text("text")
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise self.fail(start, "UTF-8 text") from None
        if not least <= len(raw) <= most:
            raise self.fail(start, f"text of {least} to {most} bytes")
        if not controls and CONTROL.search(text):
            raise self.fail(start, "text without control characters")
        return text

    def is_at_bytes(self):
        return self.at < len(self.data) and 0xC4 <= self.data[self.at] <= 0xC6

    def bytes(self, length):
        start = self.at
        expected = f"{length} bytes"
        marker = self.marker(expected)
        if not 0xC4 <= marker <= 0xC6:
            raise self.fail(start, expected)
        value = self.take(self.number(1 << (marker - 0xC4), expected), expected)
        if len(value) != length:
            raise self.fail(start, expected)
        return value

    def map(self):
        start = self.at
        marker = self.marker("a map")
        if 0x80 <= marker <= 0x8F:
            return marker & 0x0F
        if marker in (0xDE, 0xDF):
            return self.number(2 if marker == 0xDE else 4, "a map")
        raise self.fail(start, "a map")

    def skip(self, levels=NESTED_LEVELS_MAX):
        """Passes over one value of any type."""
        start = self.at
        expected = "a whole value"
        marker = self.marker(expected)
        values = None
        length = 0
        if 0x80 <= marker <= 0x8F:
            values = 2 * (marker & 0x0F)
        elif 0x90 <= marker <= 0x9F:
            values = marker & 0x0F
        elif marker in (0xDC, 0xDD):
            values = self.number(2 if marker == 0xDC else 4, expected)
        elif marker in (0xDE, 0xDF):
            values = 2 * self.number(2 if marker == 0xDE else 4, expected)
        elif 0xA0 <= marker <= 0xBF:
            length = marker & 0x1F
        elif marker == 0xC1:
            raise self.fail(start, "a value of a known type")
        elif 0xC4 <= marker <= 0xC6:
            length = self.number(1 << (marker - 0xC4), expected)
        elif 0xC7 <= marker <= 0xC9:
            length = self.number(1 << (marker - 0xC7), expected) + 1
        elif marker in (0xCA, 0xCB):
            length = 4 if marker == 0xCA else 8
        elif 0xCC <= marker <= 0xCF:
            length = 1 << (marker - 0xCC)
        elif 0xD0 <= marker <= 0xD3:
            length = 1 << (marker - 0xD0)
        elif 0xD4 <= marker <= 0xD8:
            length = (1 << (marker - 0xD4)) + 1
        elif 0xD9 <= marker <= 0xDB:
            length = self.number(1 << (marker - 0xD9), expected)
        if values is None:
            self.take(length, expected)
            return
        if levels == 0:
            raise self.fail(start, f"at most {NESTED_LEVELS_MAX} nested levels")
        for _ in range(values):
            self.skip(levels - 1)


def read_id(reader):
    if reader.is_at_bytes():
        return reader.bytes(16)
    start = reader.at
    text = reader.text(1, 255, controls=False)
    if UUID_TEXT.fullmatch(text):
        raise reader.fail(start, "the 16 bytes of this UUID in place of its text")
    return text


def read_encoding(reader):
    start = reader.at
    text = reader.text()
    if text not in ("gzip", "zstd"):
        raise reader.fail(start, "content encoding gzip or zstd")
    return text


def read_properties(reader):
    start = reader.at
    count = reader.map()
    if count > PROPERTIES_MAX:
        raise reader.fail(start, f"at most {PROPERTIES_MAX} properties")
    properties = {}
    last = None
    for _ in range(count):
        start = reader.at
        name = reader.text(1, 128, controls=False)
        if last is not None and name.encode() <= last:
            raise reader.fail(start, "properties in ascending order")
        last = name.encode()
        properties[name] = reader.text(0, 4096)
    return properties


def read_term(reader):
    return reader.text(1, 255, controls=False)


def read_time(reader):
    return reader.integer(-(1 << 63), (1 << 63) - 1)


def read_hash(reader):
    return reader.bytes(32)


READ = {
    "id": read_id,
    "sequence": lambda reader: reader.integer(0, (1 << 64) - 2),
    "created": read_time,
    "timestamp": read_time,
    "payload_hash": read_hash,
    "linked_fingerprint": read_hash,
    "batch_remaining": lambda reader: reader.integer(0, 65535),
    "data_type": read_term,
    "content_type": read_term,
    "content_encoding": read_encoding,
    "message_group": read_term,
    "properties": read_properties,
}


def read_metadata(data):
    """The known fields by key, and the unknown keys under the key None."""
    reader = MessagePack(data)
    fields = {None: []}
    last_rank = -1
    for _ in range(reader.map()):
        start = reader.at
        key = reader.text()
        if key in KNOWN_KEYS:
            rank = KNOWN_KEYS.index(key)
            if rank <= last_rank:
                raise reader.fail(start, "the next key in order")
            last_rank = rank
            if key == "v":
                version = reader.integer(0, (1 << 64) - 1)
                if version != 1:
                    raise Broken("version", f"expected format version 1, found {version}")
                fields[key] = version
            else:
                fields[key] = READ[key](reader)
        else:
            unknown = fields[None]
            if unknown and key.encode() <= unknown[-1].encode():
                raise reader.fail(start, "the next key in order")
            last_rank = len(KNOWN_KEYS)
            unknown.append(key)
            reader.skip()
    if reader.at != len(data):
        raise reader.fail(reader.at, "the end")
    for key in NEEDED_KEYS:
        if key not in fields:
            raise Broken("metadata", f"expected a key {key}, found none")
    return fields


class Particle:
    """One particle as it was read: its frame's parts and its fields."""

    def __init__(self, offset, frame_bytes, fingerprint, metadata, payload, fields):
        self.offset = offset
        self.frame_bytes = frame_bytes
        self.fingerprint = fingerprint
        self.metadata = metadata
        self.payload = payload
        self.fields = fields

    def get(self, key, default=None):
        return self.fields.get(key, default)


def take(stream, count):
    """Reads `count` bytes, fewer only where the stream ends; a pipe may give them in pieces."""
    parts = []
    while count > 0:
        part = stream.read(count)
        if not part:
            break
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def read_frame(stream):
    """The parts of the next frame, None at the end: steps 1 of docs/format.md."""
    prefix = take(stream, PREFIX_BYTES)
    if not prefix:
        return None
    if len(prefix) >= 6 and prefix[:6] != HEADER_ID:
        raise Broken("header", f"expected {HEADER_ID.hex(' ')}, found {prefix[:6].hex(' ')}")
    if len(prefix) < PREFIX_BYTES:
        raise Broken("incomplete", f"expected {PREFIX_BYTES} bytes, found {len(prefix)}")
    message_size = int.from_bytes(prefix[6:10], "little")
    metadata_size = int.from_bytes(prefix[10:14], "little")
    if not 1 <= metadata_size <= METADATA_BYTES_MAX:
        raise Broken("size", f"expected a metadata size in bounds, found {metadata_size}")
    payload_size = message_size - 44 - metadata_size
    if not 0 <= payload_size <= PAYLOAD_BYTES_MAX:
        raise Broken("size", f"expected a message size in bounds, found {message_size}")
    rest_bytes = message_size + 10 - PREFIX_BYTES
    rest = take(stream, rest_bytes)
    if len(rest) < rest_bytes:
        found = PREFIX_BYTES + len(rest)
        raise Broken("incomplete", f"expected {message_size + 10} bytes, found {found}")
    if rest[-4:] != FOOTER_ID:
        raise Broken("footer", f"expected {FOOTER_ID.hex(' ')}, found {rest[-4:].hex(' ')}")
    back = int.from_bytes(rest[-8:-4], "little")
    if back != message_size:
        raise Broken("sizes_differ", f"expected {message_size} at the end too, found {back}")
    return rest[:32], rest[32 : 32 + metadata_size], rest[32 + metadata_size : -8]


def read_particle(stream, offset):
    """The next particle, its own bytes checked, None at the end: steps 1 to 4."""
    parts = read_frame(stream)
    if parts is None:
        return None
    fingerprint, metadata, payload = parts
    found = hashlib.sha256(metadata).digest()
    if found != fingerprint:
        raise Broken("fingerprint", f"expected {fingerprint.hex()}, found {found.hex()}")
    fields = read_metadata(metadata)
    expected, found = fields["payload_hash"], hashlib.sha256(payload).digest()
    if found != expected:
        raise Broken("payload", f"expected {expected.hex()}, found {found.hex()}")
    frame_bytes = 54 + len(metadata) + len(payload)
    return Particle(offset, frame_bytes, fingerprint, metadata, payload, fields)


def check_root(particle, topic):
    name = particle.get("properties", {}).get("efflux.topic")
    is_root = (
        particle.get("sequence") == 0
        and particle.get("linked_fingerprint") is None
        and particle.get("batch_remaining", 0) == 0
        and particle.get("data_type") == "efflux.root"
        and name is not None
        and TOPIC_NAME.fullmatch(name)
    )
    if not is_root:
        found = f"the particle with sequence {particle.get('sequence')}"
        raise Broken("root", f"expected a root, found {found}")
    if topic is not None and name != topic:
        raise Broken("root", f"expected the root of topic {topic}, found that of {name!r}")


def decode_gzip(payload):
    """The content of one or more gzip members, within the bound."""
    content = b""
    while True:
        decoder = zlib.decompressobj(wbits=31)
        try:
            content += decoder.decompress(payload, CONTENT_BYTES_MAX + 1 - len(content))
        except zlib.error as error:
            raise Broken("content", f"expected gzip, found {error}") from None
        if len(content) > CONTENT_BYTES_MAX:
            raise Broken("content", f"expected at most {CONTENT_BYTES_MAX} bytes, found more")
        if not decoder.eof:
            raise Broken("content", "expected a whole gzip member, found its beginning")
        payload = decoder.unused_data
        if not payload:
            return content


class Verifier:
    """The state of a verification: what is kept from one frame to the next."""

    def __init__(self, topic=None, head=None, after=None, contents=False):
        self.topic = topic
        self.wanted = head
        self.contents = contents
        self.offset = 0
        self.particles = 0
        self.head = after
        self.batch_remaining = 0
        self.wanted_seen = head is not None and head == after

    @property
    def next_sequence(self):
        return 0 if self.head is None else self.head[0] + 1

    def run(self, stream):
        """Yields the particles of the stream, each after it was checked."""
        try:
            while (particle := read_particle(stream, self.offset)) is not None:
                self.check(particle)
                yield particle
            self.end()
        except Broken as broken:
            broken.offset = self.offset
            broken.sequence = self.next_sequence
            raise

    def check(self, particle):
        sequence, remaining = particle.get("sequence"), particle.get("batch_remaining", 0)
        if self.head is None:
            check_root(particle, self.topic)
        else:
            if sequence != self.next_sequence:
                raise Broken("sequence", f"expected {self.next_sequence}, found {sequence}")
            link, expected = particle.get("linked_fingerprint"), self.head[1]
            if link != expected:
                found = "none" if link is None else link.hex()
                raise Broken("link", f"expected {expected.hex()}, found {found}")
            if self.batch_remaining > 0 and remaining != self.batch_remaining - 1:
                expected = self.batch_remaining - 1
                raise Broken("batch", f"expected batch_remaining {expected}, found {remaining}")
        if self.wanted is not None and self.wanted[0] == sequence:
            if self.wanted[1] != particle.fingerprint:
                expected, found = self.wanted[1].hex(), particle.fingerprint.hex()
                raise Broken("head", f"expected {sequence}:{expected}, found {sequence}:{found}")
            self.wanted_seen = True
        if self.contents and particle.get("content_encoding") == "gzip":
            decode_gzip(particle.payload)
        self.head = (sequence, particle.fingerprint)
        self.batch_remaining = remaining
        self.offset += particle.frame_bytes
        self.particles += 1

    def end(self):
        if self.head is None:
            raise Broken("root", "expected a root, found no frame")
        if self.batch_remaining > 0:
            raise Broken("batch", f"expected {self.batch_remaining} more particles, found the end")
        if self.wanted is not None and not self.wanted_seen:
            wanted = f"{self.wanted[0]}:{self.wanted[1].hex()}"
            raise Broken("head", f"expected {wanted}, found no particle with that sequence")


def parse_head(text):
    match = re.fullmatch(r"([0-9]{1,20}):([0-9a-fA-F]{64})", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no SEQUENCE:FINGERPRINT")
    return int(match[1]), bytes.fromhex(match[2])


def main(arguments):
    parser = argparse.ArgumentParser(
        description="Checks an export of an Efflux topic: every byte, every link, every batch."
    )
    parser.add_argument("file", nargs="?", default="-", help="the export; - is standard input")
    parser.add_argument("--topic", help="the root must name this topic")
    parser.add_argument("--head", type=parse_head, help="SEQ:FP, which must be in the export")
    parser.add_argument("--after", type=parse_head, help="SEQ:FP, which the frames continue")
    parser.add_argument("--contents", action="store_true", help="also decompress gzip payloads")
    options = parser.parse_args(arguments)
    verifier = Verifier(options.topic, options.head, options.after, options.contents)
    try:
        stream = sys.stdin.buffer if options.file == "-" else open(options.file, "rb")
        with stream:
            for _ in verifier.run(stream):
                pass
    except OSError as error:
        print(f"verify.py: {error}", file=sys.stderr)
        return 2
    except Broken as broken:
        print(f"broken offset={broken.offset} sequence={broken.sequence} reason={broken}")
        return 1
    sequence, fingerprint = verifier.head
    print(f"ok particles={verifier.particles} head={sequence}:{fingerprint.hex()}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
