"""A filesystem connector for Plakar: importer, exporter and store in one program."""
