"""What stores can be, and what the threads are that their calls come on."""

import json

import pytest
import subjects
from kloset_sdk import Resource
from kloset_sdk.testing import HostError, StoreSuite
from kloset_sdk.testing.plugin import Kloset


class TestAStoreInMemory(StoreSuite):
    connector = subjects.Keeps
    accepts_unknown_options = True

    # What these ask of is gone with the process.
    test_another_process_gets_the_configuration_as_it_was_created = None  # type: ignore[assignment]
    test_a_store_that_was_never_created_is_not_found = None  # type: ignore[assignment]
    test_a_store_is_not_created_twice = None  # type: ignore[assignment]


def test_named_calls_may_be_written_in_the_place_of_general_ones_and_may_be_async(kloset: Kloset) -> None:
    store = kloset.store(subjects.AsksOthers, "test://me")
    store.create(b"x")
    assert store.open() == b"later"
    store.put(Resource.STATE, b"m" * 32, b"state" * 100_000)
    assert store.list(Resource.STATE) == [b"m" * 32]
    assert store.get(Resource.STATE, b"m" * 32) == b"state" * 100_000
    with pytest.raises(HostError) as failed:
        store.list(Resource.PACKFILE)
    assert failed.value.text.endswith("list: not supported by this connector")


def test_a_call_waits_for_the_host_without_the_interpreters_lock(kloset: Kloset) -> None:
    """While one call waits for the rest of its object, others are answered."""
    store = kloset.store(subjects.Keeps, "test://me")
    store.put(Resource.STATE, b"s" * 32, b"state")
    answered = []

    def half_way() -> None:
        for _ in range(100):
            answered.append(store.get(Resource.STATE, b"s" * 32))

    store.put(Resource.PACKFILE, b"p" * 32, b"x" * 1_000_000, half_way=half_way)
    assert answered == [b"state"] * 100
    assert store.get(Resource.PACKFILE, b"p" * 32) == b"x" * 1_000_000


def test_what_a_thread_keeps_survives_from_call_to_call(kloset: Kloset) -> None:
    store = kloset.store(subjects.HasThreadLocals, "test://me")
    # Calls come one after the other, on far fewer threads than there are calls.
    assert max(store.size() or 0 for _ in range(500)) > 1


def test_the_call_after_a_source_cannot_use_it(kloset: Kloset) -> None:
    store = kloset.store(subjects.UsesLastSource, "test://me")
    store.put(Resource.STATE, b"s" * 32, b"state")
    with pytest.raises(HostError, match="the source is used after the end of the call that it was given to"):
        store.size()


def test_an_object_that_the_host_breaks_off_is_truncated_and_not_at_its_end(kloset: Kloset) -> None:
    store = kloset.store(subjects.Keeps, "test://me")
    with pytest.raises(HostError):
        store.put(Resource.STATE, b"s" * 32, b"half", breaks_off=True)
    store.put(Resource.STATE, b"t" * 32, b"whole")
    assert store.list(Resource.STATE) == [b"t" * 32]
    store.end()
    assert any(line.startswith("broken off: ") for line in store.log)


def test_after_ten_thousand_calls_there_are_as_many_references_and_threads_as_before(kloset: Kloset) -> None:
    store = kloset.store(subjects.Counts, "test://me")
    mac = b"m" * 32

    def calls(rounds: int) -> None:
        for _ in range(rounds):
            store.put(Resource.PACKFILE, mac, b"x" * 1000)
            assert store.get(Resource.PACKFILE, mac) == b"x" * 1000
            assert store.list(Resource.PACKFILE) == [mac]
            store.delete(Resource.PACKFILE, mac)
            with pytest.raises(HostError):
                store.get(Resource.PACKFILE, mac)

    calls(100)
    before = json.loads(store.open())
    calls(2000)
    grown = {what: after - before[what] for what, after in json.loads(store.open()).items()}
    # A few threads more may have been needed, and are kept. What one of the five kinds of calls left behind would be 2000.
    assert max(grown.values()) < 1000, grown
    assert grown["threads"] < 20 and grown["descriptors"] < 20, grown
