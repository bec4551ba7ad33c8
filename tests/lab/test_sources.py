import hashlib
import os
import re

import pytest

from lib.lab import downloads, paths, sources
from lib.lab.sources import SourceError

REAL = paths.root() / "data" / "sources.toml"
KINDS = {"npm", "pypi", "installed", "hub"}
ENTRY = """
[{name}]
kind = "pypi"
package = "package-of-{name}"
version = "1.2.3"
sha256 = "{sha256}"
size = {size}
licence = "MIT"
url = "https://example.org"
holds.fr = "des données"
holds.en = "data"
attribution.fr = "Par quelqu'un."
attribution.en = "By someone."
"""
CONTENTS = {
    "tiny": b"le contenu",
    "other": b"un autre contenu",
    "whole": b"0",
    "whole-part1": b"1",
    "whole-part2": b"2",
}


def entry(name, content):
    return ENTRY.format(name=name, size=len(content), sha256=hashlib.sha256(content).hexdigest())


@pytest.fixture
def fetched(project, monkeypatch):
    """A project with five sources and a client that writes them; the names it was asked for."""
    text = "".join(entry(name, content) for name, content in CONTENTS.items())
    text = text.replace("[whole-part1]", 'parts = ["whole-part1", "whole-part2"]\n[whole-part1]\npart_of = "whole"')
    paths.sources_file().write_text(text.replace("[whole-part2]", '[whole-part2]\npart_of = "whole"'), encoding="utf-8")
    asked = []

    def client(package, version, folder):
        assert version == "1.2.3"
        name = package.removeprefix("package-of-")
        asked.append(name)
        folder.mkdir(parents=True)
        (folder / "any.whl").write_bytes(CONTENTS[name])
        return folder / "any.whl"

    monkeypatch.setattr(downloads, "pip_download", client)
    return asked


def every_source():
    return sorted(sources._parse(REAL, REAL.stat().st_mtime_ns).values(), key=lambda source: source.name)


def test_the_real_list_loads():
    assert [source.name for source in every_source()] == sorted(sources.load())
    assert {source.kind for source in every_source()} == KINDS
    assert len(every_source()) == 33


@pytest.mark.parametrize("source", every_source(), ids=lambda source: source.name)
def test_every_source_is_pinned_and_credited_in_both_languages(source):
    if source.kind == "hub":  # a commit; the hub hashes what it sends
        assert re.fullmatch("[0-9a-f]{40}", source.version)
        assert source.hash == source.version or re.fullmatch("sha256-[0-9a-f]{64}", source.hash)
        assert source.package.count("/") == 1
    else:
        assert re.fullmatch(r"\d+\.\d+\.\d+", source.version)
        digits = {"npm": "sha512-[A-Za-z0-9+/]{86}=="}.get(source.kind, "sha256-[0-9a-f]{64}")
        assert re.fullmatch(digits, source.hash)
        assert source.size > 0
    assert source.licence
    assert source.url.startswith("https://")
    for said in (source.attribution, source.holds):
        assert set(said) == {"fr", "en"}
        assert all(said.values())
    assert source.attribution["fr"] != source.attribution["en"]
    for text in source.attribution.values():
        assert text.endswith(".")
        assert source.licence.removesuffix(" Terms of Use").replace("-", " ") in text.replace("-", " ")
    assert "\xa0" not in source.attribution["en"]


def test_every_part_belongs_to_a_whole_that_lists_it():
    known = sources.load()
    belongs = {part: source.name for source in known.values() for part in source.parts}
    assert belongs == {name: source.part_of for name, source in known.items() if source.part_of}
    gemma = {f"gemma-part{number}": "gemma" for number in range(1, 5)}
    lists = {name: "litellm" for name, source in known.items() if source.package == "litellm" and name != "litellm"}
    assert len(lists) == 14
    assert belongs == gemma | lists
    assert {source.name for source in known.values() if source.joined} == {"gemma"}  # a file in pieces, not several
    assert all(known[part].licence == known[whole].licence for part, whole in belongs.items())


def test_an_incomplete_source_is_named(project):
    paths.sources_file().write_text(entry("tiny", b"").replace('licence = "MIT"', ""), encoding="utf-8")
    with pytest.raises(SourceError, match=r"tiny is not complete .*licence"):
        sources.load()
    paths.sources_file().write_text(entry("tiny", b"") + 'colour = "red"', encoding="utf-8")
    with pytest.raises(SourceError, match=r"tiny is not complete .*colour"):
        sources.load()


def test_an_unknown_name_is_answered_with_the_names_there_are(fetched):
    for ask in (sources.get, sources.path, sources.content_hash, sources.fetch, sources.verify):
        with pytest.raises(SourceError, match=r"tinny is not in data/sources\.toml, which has tiny, other, whole"):
            ask("tinny")
    assert fetched == []


def test_the_list_is_read_again_when_it_changes(fetched):
    assert "new" not in sources.load()
    with paths.sources_file().open("a", encoding="utf-8") as file:
        file.write(entry("new", b"new"))
    os.utime(paths.sources_file(), ns=(1, 1))
    assert "new" in sources.load()


def test_what_is_here_is_not_fetched_again(fetched):
    first = sources.fetch("tiny", quiet=True)
    assert fetched == ["tiny"]
    assert sources.fetch("tiny", quiet=True) == first == {"tiny": paths.raw_dir() / "tiny-1.2.3.whl"}
    assert sources.path("tiny").read_bytes() == CONTENTS["tiny"]
    assert sources.verify("tiny") == {"tiny": None}
    assert fetched == ["tiny"]


def test_a_file_brought_by_hand_is_hashed_and_used(fetched):
    paths.raw_dir().mkdir(parents=True)
    (paths.raw_dir() / "tiny-1.2.3.whl").write_bytes(CONTENTS["tiny"])
    (paths.raw_dir() / "other-1.2.3.whl").write_bytes(CONTENTS["other"].upper())
    assert sources.fetch("tiny", "other", quiet=True)["other"].read_bytes() == CONTENTS["other"]
    assert fetched == ["other"]


def test_parts_come_with_their_whole_and_count_in_its_hash(fetched):
    found = sources.fetch("whole", quiet=True)
    assert {name: path.read_bytes() for name, path in found.items()} == {
        name: content for name, content in CONTENTS.items() if name.startswith("whole")
    }
    assert sorted(fetched) == ["whole", "whole-part1", "whole-part2"]
    before = sources.content_hash("whole"), sources.content_hash("tiny")
    assert before[1] == sources.get("tiny").hash
    said = paths.sources_file().read_text(encoding="utf-8")
    pinned = sources.get("whole-part2").hash.removeprefix("sha256-")
    paths.sources_file().write_text(said.replace(pinned, "0" * 64), encoding="utf-8")
    os.utime(paths.sources_file(), ns=(1, 1))
    assert sources.content_hash("whole") != before[0]
    assert sources.content_hash("tiny") == before[1]


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"le CONTENU", "altered, its sha256"), (b"le", "truncated, 2 bytes instead of 10"), (b"le contenu!", "too long")],
)
def test_an_altered_file_is_named_removed_and_fetched_again(fetched, content, said):
    sources.fetch("tiny", "other", quiet=True)
    file = paths.raw_dir() / "tiny-1.2.3.whl"
    before = file.stat()
    file.write_bytes(content)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))  # even with the date it had
    problems = sources.verify("tiny", "other")
    assert problems["other"] is None
    assert problems["tiny"].startswith(f"tiny (package-of-tiny 1.2.3) is {said}")
    assert not file.exists()
    assert sources.verify("tiny") == {"tiny": "not fetched; `guidon data fetch tiny` gets it"}
    assert sources.path("tiny").read_bytes() == CONTENTS["tiny"]
    assert sources.verify("tiny") == {"tiny": None}


def test_bytes_that_are_not_the_pinned_ones_are_never_kept(fetched, monkeypatch):
    good = CONTENTS["tiny"]
    for wrong in (good[:-1], good + b".", good.upper()):
        monkeypatch.setitem(CONTENTS, "tiny", wrong)
        with pytest.raises(SourceError, match=r"^tiny \(package-of-tiny 1\.2\.3\) is .* still work$"):
            sources.path("tiny")
        assert not list(paths.raw_dir().glob("*.whl"))
    monkeypatch.setitem(CONTENTS, "tiny", good)
    assert sources.path("tiny").read_bytes() == good


def test_an_error_of_ours_is_not_dressed_as_one_of_the_network(fetched, monkeypatch):
    monkeypatch.delitem(CONTENTS, "tiny")
    with pytest.raises(KeyError):
        sources.path("tiny")


def test_rows_say_what_is_here(fetched):
    sources.fetch("other", quiet=True)
    rows = {row["name"]: row for row in sources.rows()}
    assert {name: row["cached"] for name, row in rows.items()} == {name: name == "other" for name in CONTENTS}
    assert rows["other"]["attribution"] == {"fr": "Par quelqu'un.", "en": "By someone."}


@pytest.mark.network
def test_the_smallest_real_source_is_fetched_and_verified(project):
    paths.sources_file().write_text(REAL.read_text(encoding="utf-8"), encoding="utf-8")
    alone = [source for source in sources.load().values() if source.kind == "npm" and not source.parts]
    smallest = min(alone, key=lambda source: source.size)
    assert smallest.name == "labour-answers"
    assert sources.path(smallest.name).stat().st_size == smallest.size
    assert sources.verify(smallest.name) == {smallest.name: None}
    assert b'"name": "@socialgouv/contributions-data"' in sources.read_member(smallest.name, "package/package.json")
