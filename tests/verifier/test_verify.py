"""Holds the verifier against the golden vectors: `python3 tests/verifier/test_verify.py`."""

import contextlib
import io
import json
import pathlib
import sys
import unittest
import uuid

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import verify  # noqa: E402

FOLDER = pathlib.Path(__file__).parents[2] / "docs" / "vectors"
GOLDEN = json.loads((FOLDER / "vectors.json").read_text(encoding="utf-8"))


def described(particle):
    """A particle in the words of vectors.json."""

    def hexed(value):
        return None if value is None else value.hex()

    found = particle.get("id")
    encoding = particle.get("content_encoding")
    described = {
        "offset": particle.offset,
        "frame_bytes": particle.frame_bytes,
        "fingerprint": particle.fingerprint.hex(),
        "id": {"text": found} if isinstance(found, str) else {"uuid": str(uuid.UUID(bytes=found))},
        "sequence": str(particle.get("sequence")),
        "created": str(particle.get("created")),
        "timestamp": str(particle.get("timestamp", particle.get("created"))),
        "payload_hash": hexed(particle.get("payload_hash")),
        "linked_fingerprint": hexed(particle.get("linked_fingerprint")),
        "batch_remaining": particle.get("batch_remaining", 0),
        "data_type": particle.get("data_type"),
        "content_type": particle.get("content_type"),
        "content_encoding": encoding,
        "message_group": particle.get("message_group"),
        "properties": particle.get("properties", {}),
        "unknown_keys": particle.get(None),
        "metadata": particle.metadata.hex(),
        "payload": particle.payload.hex(),
    }
    if encoding == "gzip":
        described["content"] = verify.decode_gzip(particle.payload).decode()
    elif encoding is None:
        described["content"] = None
    return described


class Dripping(io.RawIOBase):
    """A stream that gives one byte at a time, as a slow pipe may."""

    def __init__(self, data):
        self.inner = io.BytesIO(data)

    def read(self, count=-1):
        return self.inner.read(min(count, 1))


def run(*arguments):
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = verify.main([str(argument) for argument in arguments])
    return code, said.getvalue().strip()


class Vectors(unittest.TestCase):
    def test_every_vector_reads_as_it_is_described(self):
        self.assertGreater(len(GOLDEN["vectors"]), 30)
        for vector in GOLDEN["vectors"]:
            data = (FOLDER / vector["file"]).read_bytes()
            for stream in (io.BytesIO(data), Dripping(data)):
                with self.subTest(vector["file"]):
                    self.check(vector, stream)
                    self.assertEqual(len(data), vector["bytes"])

    def check(self, vector, stream):
        verifier = verify.Verifier(topic=GOLDEN["topic"], contents=True)
        particles, error, head = [], None, None
        try:
            for particle in verifier.run(stream):
                particles.append(particle)
            head = f"{verifier.head[0]}:{verifier.head[1].hex()}"
        except verify.Broken as broken:
            error = {
                "kind": broken.kind,
                "offset": broken.offset,
                "sequence": str(broken.sequence),
            }
        self.assertEqual((error, head), (vector.get("error"), vector.get("head")))
        self.assertEqual(len(particles), len(vector["particles"]))
        for particle, expected in zip(particles, vector["particles"]):
            found = described(particle)
            found.setdefault("content", expected["content"])
            self.assertEqual(found, expected)

    def test_every_flipped_bit_is_noticed(self):
        for name in ("root", "batches", "foreign"):
            data = bytearray((FOLDER / f"{name}.frames").read_bytes())
            last = next(v for v in GOLDEN["vectors"] if v["file"] == f"{name}.frames")["head"]
            for bit in range(len(data) * 8):
                data[bit // 8] ^= 1 << (bit % 8)
                verifier = verify.Verifier(head=verify.parse_head(last))
                with self.assertRaises(verify.Broken, msg=f"{name} bit {bit}"):
                    for _ in verifier.run(io.BytesIO(data)):
                        pass
                data[bit // 8] ^= 1 << (bit % 8)


class Command(unittest.TestCase):
    def test_it_says_ok_and_the_head(self):
        head = GOLDEN["vectors"][0]["head"]
        said = run("--topic", "golden", "--head", head, FOLDER / "root.frames")
        self.assertEqual(said, (0, f"ok particles=1 head={head}"))

    def test_an_older_head_is_found_within_a_longer_export(self):
        head = GOLDEN["vectors"][0]["head"]
        code, said = run("--head", head, FOLDER / "singles.frames")
        self.assertEqual((code, said.split(" ")[:2]), (0, ["ok", "particles=7"]))

    def test_it_says_where_and_why_it_is_broken(self):
        code, said = run(FOLDER / "broken-payload.frames")
        self.assertEqual(code, 1)
        self.assertRegex(said, "^broken offset=429 sequence=2 reason=payload: expected [0-9a-f]{64}")

    def test_another_topic_head_or_beginning_is_refused(self):
        root = GOLDEN["vectors"][0]["head"]
        other = "0:" + "00" * 32
        for arguments, kind in [
            (["--topic", "other"], "root"),
            (["--head", other], "head"),
            (["--head", root.replace("0:", "9:", 1)], "head"),
            (["--after", root], "sequence"),
        ]:
            code, said = run(*arguments, FOLDER / "root.frames")
            self.assertEqual((code, said.split("reason=")[1].split(":")[0]), (1, kind))

    def test_an_empty_input_is_no_export(self):
        self.assertEqual(run("/dev/null")[0], 1)

    def test_a_file_that_cannot_be_read_is_no_verdict(self):
        with contextlib.redirect_stderr(io.StringIO()):
            self.assertEqual(run(FOLDER / "absent.frames")[0], 2)


if __name__ == "__main__":
    unittest.main()
