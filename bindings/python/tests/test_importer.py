"""What importers can be."""

from datetime import UTC, datetime

import pytest
import subjects
from kloset_sdk import Importer
from kloset_sdk.testing import HostError
from kloset_sdk.testing.plugin import Kloset


@pytest.mark.parametrize(
    "connector", [subjects.Generates, subjects.Lists, subjects.GeneratesLater, subjects.ListsLater], ids=lambda c: c.__name__
)
@pytest.mark.parametrize("generation", ["1.1", "1.0"])
def test_a_scan_is_whatever_can_be_iterated_over(kloset: Kloset, connector: type[Importer], generation: str) -> None:
    importer = kloset.importer(connector, "test://me", generation=generation)
    found = {entry.path: entry for entry in importer.scan()}
    assert set(found) - {"/"} == {"/one", "/two", "/three"}
    assert found["/three"].content == b"333"
    assert found["/three"].info is not None and found["/three"].info.size == 3
    assert found["/two"].error is not None and found["/two"].error.endswith("Permission denied")
    assert found["/two"].error.count("/two") <= 1


def test_a_content_is_whatever_can_be_read(kloset: Kloset) -> None:
    found = kloset.importer(subjects.Contents, "test://me").tree()
    wrong = [path for path, entry in found.items() if entry.content != subjects.TEXT]
    assert sorted(wrong) == ["/", "/part"]
    assert found["/part"].content == subjects.TEXT[5:12]


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("nonsense", "TypeError: scan yielded 7: it has to yield Record or Unreadable"),
        ("size", "TypeError: record '/x': FileInfo.size is 'large': it has to be a whole number from 0 to 2**64 - 1, or None"),
        ("path", 'path "relative" is relative; paths in a snapshot begin with /'),
        ("twice", 'record "/good" was emitted before in this scan'),
    ],
)
def test_a_record_that_is_wrong_ends_the_scan_and_closes_the_generator(kloset: Kloset, what: str, text: str) -> None:
    importer = kloset.importer(subjects.Yields, "test://me", what=what)
    with pytest.raises(HostError) as failed:
        importer.scan()
    assert failed.value.text.replace('"/x"', "'/x'") == text
    importer.end()
    assert "closed the generator" in importer.log


def test_every_content_is_opened_while_the_scan_runs_which_waits_without_the_lock(kloset: Kloset) -> None:
    """The host opens each before it takes the next record: a scan that kept the interpreter's lock would wait for ever."""
    found = kloset.importer(subjects.Many, "test://me", count="5000").tree()
    assert len(found) == 5001
    assert found[f"/{4999:01000}"].content == b"4999"


def test_the_configuration_is_a_mapping_that_says_what_is_wrong_with_it(kloset: Kloset) -> None:
    def refused(**options: str) -> str:
        with pytest.raises(HostError) as failed:
            kloset.importer(subjects.Asks, "test://me", **options)
        return failed.value.text

    number = "invalid literal for int() with base 10: 'fast'"
    assert refused(speed="fast") == f'option "speed" has the value "fast": {number}'
    assert refused(deep="perhaps") == 'option "deep" has the value "perhaps": write true or false'
    assert refused(needs="token") == 'option "token" is missing; set it with: plakar source add NAME test://me token=...'
    assert refused(colour="red") == 'unknown option "colour"; this connector knows: speed, deep, token, needs'
    importer = kloset.importer(subjects.Asks, "test://me", speed="7", deep="yes")
    location = importer.location
    assert (location.origin, location.type, location.root) == ("there", "asked", "/srv")
    told = importer.tree()["/srv/told"].content
    assert told == repr(({"deep": "yes", "location": "test://me", "speed": "7"}, 7, True, "linux")).encode()


def test_results_come_to_those_who_have_a_method_for_them(kloset: Kloset) -> None:
    importer = kloset.importer(subjects.Acknowledges, "test://me")
    found = importer.tree()
    importer.end()
    assert found["/a"].xattrs == {"user.color": b"red"}
    assert found["/l"].target == "a"
    assert found["/l"].info is not None and found["/l"].info.mtime == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert found["/d"].info is not None and found["/d"].info.permissions == 0o700
    for line in ("/a None None", "/a user.color None", "/l None None", "/d None None"):
        assert f"acknowledged {line}" in importer.log
