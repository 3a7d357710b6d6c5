/* The exporter: what a restore writes to. */
#include "beneath.h"
#include "fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* How many calls may be under way at once: enough to keep a disk busy. */
enum { CONCURRENCY = 8 };

struct exporter {
        struct root root;
};

static kloset_status init(kloset_call *call, void *user_data, const kloset_config *config, void **self)
{
        const char *path = kloset_config_path(config);
        struct exporter *exporter = calloc(1, sizeof *exporter);
        struct stat info;

        (void)user_data;
        if (!exporter)
                return kloset_fail(call, KLOSET_FAILED, "out of memory", KLOSET_NUL);
        *self = exporter; /* from here on destroy frees it, also when init fails */

        kloset_config_only(config, NULL, 0);
        if (*path != '/')
                return kloset_failf(call, KLOSET_INVALID, "%s: the destination must be an absolute path", path);
        if (root_init(&exporter->root, path) != 0)
                return kloset_fail_errno(call, errno, path);
        /* It need not be there yet, and a check of the configuration must not make it. But it cannot be a file. */
        if (stat(path, &info) == 0 && !S_ISDIR(info.st_mode))
                return kloset_fail_errno(call, ENOTDIR, path);
        return KLOSET_OK;
}

static void destroy(void *self)
{
        struct exporter *exporter = self;

        root_free(&exporter->root);
        free(exporter);
}

/* Fails with what errno says, and with the whole path that it was about. */
static kloset_status fail_at(kloset_call *call, struct exporter *exporter, const char *path)
{
        if (errno == ELOOP) {
                kloset_fail(call, KLOSET_FAILED, "there is a symbolic link in the way, which is not followed", KLOSET_NUL);
                return add_path(call, KLOSET_FAILED, exporter->root.path, path);
        }
        return fail_path(call, errno, exporter->root.path, path);
}

/* Finds where an entry belongs; makes the folders above it that are missing where `make` is not 0. */
static kloset_status find(kloset_call *call, struct exporter *exporter, const char *path, int make, struct place *place)
{
        return beneath_find(&exporter->root, path, make, place) == 0 ? KLOSET_OK : fail_at(call, exporter, path);
}

/*
 * Everything but a folder is made under a temporary name and gets its own when it is complete, so that nobody ever sees half
 * of it, and what was there before stays if it fails. -1 and errno.
 */
static int give_name(const struct place *place, const char *temporary)
{
        int renamed = renameat(place->folder, temporary, place->folder, place->name);
        int error = errno;

        /* Also after success: two names of one file are left as they are by renameat. */
        unlinkat(place->folder, temporary, 0);
        errno = error;
        return renamed;
}

/* A folder that is there already will do, but not a link to one. -1 and errno. */
static int reuse_folder(const struct place *place)
{
        int folder = beneath_enter(place->folder, place->name);
        struct stat info;

        if (folder < 0)
                return -1;
        close(folder);
        /* One of an earlier restore may be read-only. What cannot be helped here is told when something is written into it. */
        if (fstatat(place->folder, place->name, &info, AT_SYMLINK_NOFOLLOW) == 0 && (info.st_mode & 0700) != 0700)
                fchmodat(place->folder, place->name, (info.st_mode & 07777) | 0700, AT_SYMLINK_NOFOLLOW);
        return 0;
}

static kloset_status create_directory(kloset_call *call, void *self, const kloset_entry *entry)
{
        struct exporter *exporter = self;
        struct place place;

        kloset_status status = find(call, exporter, entry->path, 1, &place);
        if (status != KLOSET_OK)
                return status;
        /* Nobody else looks in before set_permissions has said who may. */
        int made = mkdirat(place.folder, place.name, 0700);
        if (made != 0 && errno == EEXIST)
                made = reuse_folder(&place);
        if (made != 0)
                status = fail_at(call, exporter, entry->path);
        beneath_leave(&place);
        return status;
}

/* Writes what the host sends to a new file. */
static kloset_status fill(kloset_call *call, int folder, const char *temporary, kloset_source *source)
{
        int fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

        if (fd < 0)
                return kloset_fail_errno(call, errno, NULL);
        kloset_status status = kloset_source_to_fd(source, fd, NULL);
        /* Some file systems tell only here that there was no room. */
        if (close(fd) != 0 && status == KLOSET_OK)
                status = kloset_fail_errno(call, errno, NULL);
        if (status != KLOSET_OK)
                unlinkat(folder, temporary, 0);
        return status;
}

static kloset_status store_file(kloset_call *call, void *self, const kloset_entry *entry, kloset_source *source)
{
        struct exporter *exporter = self;
        struct place place;
        char temporary[TEMPORARY_NAME];

        kloset_status status = find(call, exporter, entry->path, 0, &place);
        if (status != KLOSET_OK)
                return status;
        root_temporary(&exporter->root, temporary);
        status = fill(call, place.folder, temporary, source);
        if (status != KLOSET_OK)
                status = add_path(call, status, exporter->root.path, entry->path);
        else if (give_name(&place, temporary) != 0)
                status = fail_at(call, exporter, entry->path);
        beneath_leave(&place);
        return status;
}

/*
 * Sets the owner, and returns which bits of the mode may be set afterwards, or -1 and errno. Who is not root can give nothing
 * away, which is no failure; but what stays his must not run as somebody, and may get a group only if he belongs to it.
 */
static int set_owner(const struct place *place, const char *name, const kloset_entry *entry)
{
        uid_t uid = (uid_t)entry->uid;
        gid_t gid = (gid_t)entry->gid;

        if (fchownat(place->folder, name, uid, gid, AT_SYMLINK_NOFOLLOW) == 0)
                return 07777;
        if (errno != EPERM || geteuid() == 0)
                return -1;
        int group = fchownat(place->folder, name, (uid_t)-1, gid, AT_SYMLINK_NOFOLLOW);
        return group == 0 ? 03777 : 01777;
}

static int set_times(const struct place *place, const char *name, const kloset_entry *entry)
{
        struct timespec times[2] = {
                {.tv_nsec = UTIME_OMIT}, /* when it was last read is in no backup */
                {.tv_sec = (time_t)entry->mtime, .tv_nsec = (long)entry->mtime_nanos},
        };

        return utimensat(place->folder, name, times, AT_SYMLINK_NOFOLLOW);
}

static kloset_status set_permissions(kloset_call *call, void *self, const kloset_entry *entry)
{
        struct exporter *exporter = self;
        struct place place;

        kloset_status status = find(call, exporter, entry->path, 0, &place);
        if (status != KLOSET_OK)
                return status;
        /* In this order: a change of the owner takes the set-user bit away. */
        int bits = set_owner(&place, place.name, entry);
        if (bits < 0 || fchmodat(place.folder, place.name, entry->mode & (mode_t)bits, AT_SYMLINK_NOFOLLOW) != 0 ||
            set_times(&place, place.name, entry) != 0)
                status = fail_at(call, exporter, entry->path);
        beneath_leave(&place);
        return status;
}

/* Makes a symbolic link, which may point anywhere: nothing here ever follows one. It has no mode. */
static int make_symbolic(const struct place *place, const char *temporary, const char *target, const kloset_entry *entry)
{
        if (symlinkat(target, place->folder, temporary) != 0)
                return -1;
        return set_owner(place, temporary, entry) < 0 ? -1 : set_times(place, temporary, entry);
}

/* Makes another name for a file that was stored before. */
static int make_hard(struct exporter *exporter, const struct place *place, const char *temporary, const char *target)
{
        struct place first;

        if (beneath_find(&exporter->root, target, 0, &first) != 0)
                return -1;
        int linked = linkat(first.folder, first.name, place->folder, temporary, 0);
        beneath_leave(&first);
        return linked;
}

/* A FIFO or a socket. The numbers of a device are in no backup. */
static int make_special(const struct place *place, const char *temporary, const kloset_entry *entry)
{
        if (S_ISFIFO(entry->mode))
                return mkfifoat(place->folder, temporary, 0600);
        return mknodat(place->folder, temporary, S_IFSOCK | 0600, 0);
}

static kloset_status create_link(kloset_call *call, void *self, const kloset_entry *entry, int32_t kind, const char *target,
                                 size_t target_len)
{
        struct exporter *exporter = self;
        struct place place;
        char temporary[TEMPORARY_NAME];
        int made;

        (void)target_len;
        kloset_status status = find(call, exporter, entry->path, 0, &place);
        if (status != KLOSET_OK)
                return status;
        root_temporary(&exporter->root, temporary);
        if (kind == KLOSET_LINK_SYMBOLIC)
                made = make_symbolic(&place, temporary, target, entry);
        else
                made = make_hard(exporter, &place, temporary, target);
        if (made == 0)
                made = give_name(&place, temporary);
        if (made != 0) {
                status = fail_at(call, exporter, entry->path);
                unlinkat(place.folder, temporary, 0); /* a link whose owner could not be set */
        }
        beneath_leave(&place);
        return status;
}

static kloset_status create_special(kloset_call *call, void *self, const kloset_entry *entry)
{
        struct exporter *exporter = self;
        struct place place;
        char temporary[TEMPORARY_NAME];

        if (!S_ISFIFO(entry->mode) && !S_ISSOCK(entry->mode))
                return kloset_fail(call, KLOSET_NOT_SUPPORTED, "a backup does not hold the numbers of a device", KLOSET_NUL);
        kloset_status status = find(call, exporter, entry->path, 0, &place);
        if (status != KLOSET_OK)
                return status;
        root_temporary(&exporter->root, temporary);
        if (make_special(&place, temporary, entry) != 0 || give_name(&place, temporary) != 0)
                status = fail_at(call, exporter, entry->path);
        beneath_leave(&place);
        return status;
}

/*
 * Sets an attribute of whatever has this name, a symbolic link included. There is no call for that which takes an open folder,
 * and not everything can be opened by itself; the name that the system has for the open folder serves.
 */
static int set_attribute(const struct place *place, const char *name, const void *value, size_t size)
{
        char path[64 + 256];
        struct stat info;

        snprintf(path, sizeof path, "/proc/self/fd/%d/%s", place->folder, place->name);
        if (lsetxattr(path, name, value, size, 0) == 0)
                return 0;
        /* A file that its owner may not write to takes no attributes either; its mode was set before. The time stays as it is. */
        if (errno != EACCES || fstatat(place->folder, place->name, &info, AT_SYMLINK_NOFOLLOW) != 0)
                return -1;
        if (fchmodat(place->folder, place->name, (info.st_mode & 07777) | 0200, AT_SYMLINK_NOFOLLOW) != 0)
                return -1;
        int set = lsetxattr(path, name, value, size, 0);
        int error = errno;
        if (fchmodat(place->folder, place->name, info.st_mode & 07777, AT_SYMLINK_NOFOLLOW) != 0)
                return -1;
        errno = error;
        return set;
}

static kloset_status set_xattr(kloset_call *call, void *self, const char *path, size_t path_len, const char *name,
                               size_t name_len, const void *value, size_t value_len)
{
        struct exporter *exporter = self;
        struct place place;

        (void)path_len;
        (void)name_len;
        kloset_status status = find(call, exporter, path, 0, &place);
        if (status != KLOSET_OK)
                return status;
        if (set_attribute(&place, name, value, value_len) != 0)
                status = add_path(call, kloset_fail_errno(call, errno, name), exporter->root.path, path);
        beneath_leave(&place);
        return status;
}

void fs_exporter(kloset_exporter *table)
{
        kloset_exporter_init(table, sizeof *table);
        table->thread_model = KLOSET_THREADS_PARALLEL;
        table->max_concurrency = CONCURRENCY;
        table->init = init;
        table->create_directory = create_directory;
        table->store_file = store_file;
        table->set_permissions = set_permissions;
        table->create_link = create_link;
        table->create_special = create_special;
        table->set_xattr = set_xattr;
        table->destroy = destroy;
}
