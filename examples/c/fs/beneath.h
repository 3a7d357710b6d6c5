/*
 * Paths that begin at a folder and never lead out of it.
 *
 * A restore writes as the user, often as root, into folders that others may write to as well. The system would follow a symbolic
 * link anywhere in a path, also one that the restore itself has just made. So no path is ever handed to the system as a whole:
 * its folders are opened one after the other, each from the one above it, and links are refused.
 */
#ifndef BENEATH_H
#define BENEATH_H

#include <pthread.h>
#include <sys/types.h>

/* The folder that a connector writes to. It may not exist yet, so it is opened when something is to be done in it. */
struct root {
        char *path; /* without a slash at its end: "" for the system's root, so that other paths can be put behind it */
        pthread_mutex_t lock;
        int folder;             /* guarded by the lock, as all that follows; -1 before it is opened */
        unsigned long long start;
        unsigned long temporaries;
};

/* Room for the longest temporary name. */
#define TEMPORARY_NAME 64

/* 0, or -1 and errno; root_free is allowed in both cases, and on a root that is all zero. */
int root_init(struct root *root, const char *path);
void root_free(struct root *root);

/* The open folder, which stays the root's; made with those above it where `make` is not 0. -1 and errno. */
int root_folder(struct root *root, int make);

/* A name for something that is not complete yet, like no other one. */
void root_temporary(struct root *root, char name[TEMPORARY_NAME]);

/* A folder below a root, and the name in it of what a path is about. */
struct place {
        int folder;
        const char *name; /* points into the path; "." for the root itself */
};

/*
 * Opens the folder that `path` lies in: for "/a/b/c" the "a/b" in the root. The root is made if it is missing, the folders
 * below it where `make` is not 0. 0, or -1 and errno; ELOOP when there is a symbolic link in the way.
 */
int beneath_find(struct root *root, const char *path, int make, struct place *place);
void beneath_leave(struct place *place);

/* Opens the folder `name`, which must not be a symbolic link, in another one; -1 and errno. */
int beneath_enter(int folder, const char *name);

#endif
