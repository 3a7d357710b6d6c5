/* What the files of this connector share. */
#ifndef FS_H
#define FS_H

#include <kloset_sdk.h>

/* The three roles: each fills its table in. */
void fs_importer(kloset_importer *table);
void fs_exporter(kloset_exporter *table);
void fs_store(kloset_store *table);

/* Makes the call fail with the text of an errno behind the whole path that it is about: "/srv/data/x: Permission denied". */
kloset_status fail_path(kloset_call *call, int error, const char *root, const char *path);

/* Puts the whole path before the error that the call has already, whose code this is; returns the code. */
kloset_status add_path(kloset_call *call, kloset_status code, const char *root, const char *path);

#endif
