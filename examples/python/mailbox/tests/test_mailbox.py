"""Mailboxes of the standard library, backed up."""

import mailbox
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
from kloset_sdk import Config, Record
from kloset_sdk.testing import HostError, ImporterSuite
from kloset_sdk.testing.plugin import Kloset

from mailbox_python.importer import Importer


def message(number: int) -> EmailMessage:
    made = EmailMessage()
    made["Subject"] = f"Message {number}"
    made["Date"] = "Fri, 02 Jan 2015 03:04:05 +0000"
    made.set_content(f"From here on: {number}\n" * 1000)
    return made


@pytest.fixture
def mbox(tmp_path: Path) -> Path:
    box = mailbox.mbox(tmp_path / "inbox.mbox")
    for number in (1, 2, 3, 3):
        box.add(message(number))
    box.close()
    return tmp_path / "inbox.mbox"


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    box = mailbox.Maildir(tmp_path / "mail")
    for number in (1, 2):
        box.add(message(number))
    box.add_folder("Sent").add(message(3))
    return tmp_path / "mail"


class TestMbox(ImporterSuite):
    connector = Importer

    @pytest.fixture
    def location(self, mbox: Path) -> str:
        return f"mailbox://{mbox}"


class TestMaildir(ImporterSuite):
    connector = Importer

    @pytest.fixture
    def location(self, maildir: Path) -> str:
        return f"mailbox://{maildir}"


def test_each_message_of_an_mbox_is_a_file_that_is_named_by_what_it_holds(kloset: Kloset, mbox: Path) -> None:
    found = kloset.importer(Importer, f"mailbox://{mbox}").tree()
    messages = {path: entry for path, entry in found.items() if path.endswith(".eml")}
    box = mailbox.mbox(mbox)
    expected = [box.get_bytes(key) for key in box.iterkeys()]
    box.close()
    assert sorted(entry.content or b"" for entry in messages.values()) == sorted(expected)
    # The same message twice is there twice.
    assert len({path.split("-")[0].removesuffix(".eml") for path in messages}) == 3
    for entry in messages.values():
        assert entry.info is not None and entry.info.mtime == datetime(2015, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_message_keeps_its_name_when_it_is_read(kloset: Kloset, maildir: Path) -> None:
    before = sorted(kloset.importer(Importer, f"mailbox://{maildir}").tree())
    box = mailbox.Maildir(maildir)
    for key in list(box.iterkeys()):
        read = box[key]
        read.add_flag("S")
        read.set_subdir("cur")
        box[key] = read
    assert sorted(kloset.importer(Importer, f"mailbox://{maildir}").tree()) == before
    assert len([path for path in before if path.startswith("/INBOX/")]) == 2
    assert len([path for path in before if path.startswith("/Sent/")]) == 1


def test_a_message_that_is_read_during_the_backup_is_in_it(maildir: Path) -> None:
    scan = Importer(Config("mailbox", {"location": f"mailbox://{maildir}"})).scan()
    found = [record for record in scan if isinstance(record, Record) and record.path.startswith("/INBOX/")]
    for path in list((maildir / "new").iterdir()):
        path.rename(maildir / "cur" / f"{path.name}:2,S")
    contents = [record.content for record in found]
    assert len(contents) == 2
    for content in contents:
        assert callable(content)
        moved = content()
        assert isinstance(moved, Path) and moved.parent == maildir / "cur" and moved.exists()


def test_what_is_no_mailbox_is_named_in_init(kloset: Kloset, tmp_path: Path) -> None:
    for name, text in (("absent", "No such file or directory"), ("", "it is neither an mbox")):
        with pytest.raises(HostError) as failed:
            kloset.importer(Importer, f"mailbox://{tmp_path}/{name}")
        assert failed.value.text.startswith(f"{tmp_path / name}: {text}")
