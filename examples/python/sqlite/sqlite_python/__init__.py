"""A connector for Plakar that backs up a live SQLite database consistently, and restores it."""
