"""How the host is to treat a location."""

from enum import IntFlag


class Flags(IntFlag):
    """Flags of a location. In a manifest's ``location_flags`` they are called ``localfs``, ``file``, ``stream``, and so on."""

    LOCAL_FS = 1
    """The location is a path of this machine: the host makes relative ones absolute. Counts in the manifest only."""
    FILE = 2
    """The store is one file. Counts in the manifest only."""
    STREAM = 4
    """An importer's `scan` cannot be run twice. Without it the host starts a second process that scans as well, to count."""
    NEED_ACK = 8
    """An importer wants to see results. Set for every class that has `acknowledge`."""
    NO_MERGE = 16
    """Two importers of this type cannot share a snapshot."""
    EXPORT_XATTR = 32
    """An exporter wants extended attributes. Set for every class that has `set_xattr`."""
