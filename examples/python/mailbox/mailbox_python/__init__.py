"""A connector for Plakar that backs up an mbox or a Maildir as a tree of messages."""
