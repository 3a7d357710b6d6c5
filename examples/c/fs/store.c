/*
 * The store: where repositories are kept.
 *
 *      CONFIG                  what the host needs to open the repository; written last, so without it there is none
 *      packfile/3f/3fa9...     an object: its kind, the first byte of its name (or the folders would grow too large), its name
 *      state/, lock/, ...      the other kinds
 *      tmp/                    what is being written. A put that was killed leaves its file here, where nobody looks
 *
 * An object is written in tmp, brought to the disk, and then gets its name in one step: it is there as a whole or not at all.
 */
#include "beneath.h"
#include "fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
        KINDS = KLOSET_ECC_STATE + 1,
        FOLDERS = 256,         /* of each kind: one for each first byte */
        RELATIVE = 128,        /* room for the longest path below the root */
        STALE = 24 * 60 * 60,  /* seconds after which nobody is writing a temporary file any more */
};

struct store {
        struct root root;
        char *location;
        pthread_mutex_t lock;
        unsigned char ready[KINDS][FOLDERS]; /* guarded by the lock: which folders are known to be on the disk */
};

static kloset_status init(kloset_call *call, void *user_data, const kloset_config *config, void **self)
{
        const char *path = kloset_config_path(config);
        struct store *store = calloc(1, sizeof *store);
        struct stat st;

        (void)user_data;
        if (!store)
                return kloset_fail(call, KLOSET_FAILED, "out of memory", KLOSET_NUL);
        *self = store; /* from here on destroy frees it, also when init fails */

        pthread_mutex_init(&store->lock, NULL);
        kloset_config_only(config, NULL, 0);
        if (*path != '/')
                return kloset_failf(call, KLOSET_INVALID, "%s: the repository's place must be an absolute path", path);
        if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
                return kloset_fail_errno(call, ENOTDIR, path); /* whether there is a repository, open tells */
        store->location = strdup(kloset_config_location(config));
        if (!store->location || root_init(&store->root, path) != 0)
                return kloset_fail_errno(call, errno, path);
        return KLOSET_OK;
}

static void destroy(void *self)
{
        struct store *store = self;

        root_free(&store->root);
        pthread_mutex_destroy(&store->lock);
        free(store->location);
        free(store);
}

/* Fails with what errno says, and with the whole path of a file. */
static kloset_status fail_at(kloset_call *call, struct store *store, const char *file)
{
        return fail_path(call, errno, store->root.path, file);
}

/* Brings the names in a folder to the disk. -1 and errno. */
static int sync_folder(int root, const char *folder)
{
        int fd = openat(root, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int synced = fd < 0 ? -1 : fsync(fd);
        int error = errno;

        if (fd >= 0)
                close(fd);
        errno = error;
        return synced;
}

/* opendir(3) below a folder; NULL and errno. */
static DIR *open_folder(int root, const char *path)
{
        int fd = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *folder = fd < 0 ? NULL : fdopendir(fd);

        if (!folder && fd >= 0) {
                close(fd);
                errno = ENOMEM;
        }
        return folder;
}

/* ---- writing -------------------------------------------------------------------------------------------------------------- */

/* What is to be written: an object that the host sends, or else bytes in memory. */
struct content {
        kloset_source *source;
        const char *bytes;
        size_t length;
};

static kloset_status write_content(kloset_call *call, int fd, struct content content)
{
        if (content.source)
                return kloset_source_to_fd(content.source, fd, NULL);
        while (content.length > 0) {
                ssize_t n = write(fd, content.bytes, content.length);
                if (n < 0 && errno != EINTR)
                        return kloset_fail_errno(call, errno, NULL);
                if (n > 0) {
                        content.bytes += n;
                        content.length -= (size_t)n;
                }
        }
        return KLOSET_OK;
}

/* Writes a new file and brings it to the disk; where that fails nothing of it is left. */
static kloset_status write_temporary(kloset_call *call, int root, const char *temporary, struct content content)
{
        int fd = openat(root, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

        if (fd < 0)
                return kloset_fail_errno(call, errno, NULL);
        kloset_status status = write_content(call, fd, content);
        if (status == KLOSET_OK && fsync(fd) != 0)
                status = kloset_fail_errno(call, errno, NULL);
        if (close(fd) != 0 && status == KLOSET_OK)
                status = kloset_fail_errno(call, errno, NULL);
        if (status != KLOSET_OK)
                unlinkat(root, temporary, 0);
        return status;
}

static void name_temporary(struct store *store, char path[RELATIVE])
{
        char name[TEMPORARY_NAME];

        root_temporary(&store->root, name);
        snprintf(path, RELATIVE, "tmp/%s", name);
}

static void name_object(const kloset_object *object, char path[RELATIVE])
{
        snprintf(path, RELATIVE, "%s/%.2s/%s", object->kind_name, object->name, object->name);
}

static void name_folder(const kloset_object *object, char path[RELATIVE])
{
        snprintf(path, RELATIVE, "%s/%.2s", object->kind_name, object->name);
}

static int make_folder(int root, const char *path)
{
        return mkdirat(root, path, 0700) == 0 || errno == EEXIST ? 0 : -1;
}

/*
 * Makes the folder of an object, if need be, and brings it to the disk, once in the life of this process. Whoever made it may
 * not have done so yet: that is why even one that is there already is synced. -1 and errno.
 */
static int ready_folder(struct store *store, int root, const kloset_object *object)
{
        unsigned char *ready = &store->ready[object->kind][object->mac[0]];
        char folder[RELATIVE];
        int made = 0;

        name_folder(object, folder);
        pthread_mutex_lock(&store->lock);
        if (!*ready) {
                if (make_folder(root, object->kind_name) != 0 || make_folder(root, folder) != 0 ||
                    sync_folder(root, object->kind_name) != 0 || sync_folder(root, ".") != 0)
                        made = -1;
                *ready = made == 0;
        }
        int error = errno;
        pthread_mutex_unlock(&store->lock);
        errno = error;
        return made;
}

static kloset_status put(kloset_call *call, void *self, const kloset_object *object, kloset_source *source)
{
        struct store *store = self;
        int root = root_folder(&store->root, 0);
        char temporary[RELATIVE], path[RELATIVE], folder[RELATIVE];

        name_temporary(store, temporary);
        name_object(object, path);
        name_folder(object, folder);
        if (root < 0 || ready_folder(store, root, object) != 0)
                return fail_at(call, store, path);

        kloset_status status = write_temporary(call, root, temporary, (struct content){.source = source});
        if (status != KLOSET_OK)
                return add_path(call, status, store->root.path, path);
        if (renameat(root, temporary, root, path) != 0) {
                status = fail_at(call, store, path);
                unlinkat(root, temporary, 0);
                return status;
        }
        return sync_folder(root, folder) == 0 ? KLOSET_OK : fail_at(call, store, path);
}

static kloset_status delete_object(kloset_call *call, void *self, const kloset_object *object)
{
        struct store *store = self;
        int root = root_folder(&store->root, 0);
        char path[RELATIVE], folder[RELATIVE];

        name_object(object, path);
        name_folder(object, folder);
        /* Synced too: a state that came back after a crash would speak of packfiles that are gone. */
        if (root < 0 || unlinkat(root, path, 0) != 0 || sync_folder(root, folder) != 0)
                return fail_at(call, store, path);
        return KLOSET_OK;
}

/* ---- reading -------------------------------------------------------------------------------------------------------------- */

static kloset_status get(kloset_call *call, void *self, const kloset_object *object, uint64_t offset, uint64_t length,
                         kloset_reader **reader)
{
        struct store *store = self;
        int root = root_folder(&store->root, 0);
        char path[RELATIVE];

        name_object(object, path);
        int fd = root < 0 ? -1 : openat(root, path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return fail_at(call, store, path);
        return kloset_reader_from_fd_range(call, fd, offset, length, reader);
}

/* What is done with each object of a kind: its folder and its name in it, which has been found to be an object's. */
typedef kloset_status visitor(kloset_call *call, void *data, int folder, const char *name, const uint8_t *mac);

/* Visits the objects in one of the folders of a kind. */
static kloset_status visit_folder(kloset_call *call, struct store *store, int root, const char *path, visitor *visit, void *data)
{
        DIR *folder = open_folder(root, path);
        kloset_status status = KLOSET_OK;
        uint8_t mac[KLOSET_MAC_LEN];
        struct dirent *entry;

        if (!folder)
                return errno == ENOENT ? KLOSET_OK : fail_at(call, store, path); /* nothing was put there yet */
        while (status == KLOSET_OK && (errno = 0, entry = readdir(folder)))
                if (kloset_mac_parse(entry->d_name, KLOSET_NUL, mac) == KLOSET_OK)
                        status = visit(call, data, dirfd(folder), entry->d_name, mac);
        if (status == KLOSET_OK && errno != 0)
                status = fail_at(call, store, path);
        closedir(folder);
        return status;
}

static kloset_status visit_kind(kloset_call *call, struct store *store, int32_t kind, visitor *visit, void *data)
{
        int root = root_folder(&store->root, 0);
        kloset_status status = root < 0 ? fail_at(call, store, kloset_kind_name(kind)) : KLOSET_OK;
        char path[RELATIVE];

        for (unsigned byte = 0; byte < FOLDERS && status == KLOSET_OK; byte++) {
                snprintf(path, sizeof path, "%s/%02x", kloset_kind_name(kind), byte);
                status = visit_folder(call, store, root, path, visit, data);
        }
        return status;
}

static kloset_status add_name(kloset_call *call, void *data, int folder, const char *name, const uint8_t *mac)
{
        (void)call;
        (void)folder;
        (void)name;
        return kloset_list_add(data, mac);
}

static kloset_status list(kloset_call *call, void *self, int32_t kind, kloset_list *out)
{
        return visit_kind(call, self, kind, add_name, out);
}

static kloset_status add_size(kloset_call *call, void *data, int folder, const char *name, const uint8_t *mac)
{
        uint64_t *total = data;
        struct stat info;

        (void)mac;
        if (fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) == 0)
                *total += (uint64_t)info.st_size;
        else if (errno != ENOENT) /* it may have been deleted meanwhile */
                return kloset_fail_errno(call, errno, name);
        return KLOSET_OK;
}

static kloset_status size(kloset_call *call, void *self, uint64_t *bytes)
{
        uint64_t total = 0;
        kloset_status status = KLOSET_OK;

        for (int32_t kind = KLOSET_PACKFILE; kind < KINDS && status == KLOSET_OK; kind++)
                status = visit_kind(call, self, kind, add_size, &total);
        if (status == KLOSET_OK)
                *bytes = total;
        return status;
}

/* ---- the repository ------------------------------------------------------------------------------------------------------- */

/* Whether nothing is in the root but what a create that failed may have left there; -1 and errno. */
static int is_empty(int root)
{
        DIR *folder = open_folder(root, ".");
        struct dirent *entry;
        int empty = 1;

        if (!folder)
                return -1;
        while (empty && (entry = readdir(folder)))
                empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 || strcmp(entry->d_name, "tmp") == 0;
        closedir(folder);
        return empty;
}

static kloset_status create(kloset_call *call, void *self, const void *config, size_t config_len)
{
        struct store *store = self;
        int root = root_folder(&store->root, 1);
        int empty = root < 0 ? -1 : is_empty(root);
        char temporary[RELATIVE];

        if (empty < 0)
                return kloset_fail_errno(call, errno, store->root.path);
        if (faccessat(root, "CONFIG", F_OK, 0) == 0)
                return kloset_failf(call, KLOSET_ALREADY_EXISTS, "%s: there is a repository already", store->root.path);
        if (!empty)
                return kloset_failf(call, KLOSET_ALREADY_EXISTS, "%s: the folder is not empty", store->root.path);
        if (make_folder(root, "tmp") != 0)
                return fail_at(call, store, "tmp");

        name_temporary(store, temporary);
        kloset_status status = write_temporary(call, root, temporary, (struct content){.bytes = config, .length = config_len});
        if (status != KLOSET_OK)
                return add_path(call, status, store->root.path, "CONFIG");
        /* Of two that create at the same time one fails here, where a rename would let the later one win. */
        if (linkat(root, temporary, root, "CONFIG", 0) != 0)
                status = fail_at(call, store, "CONFIG");
        unlinkat(root, temporary, 0);
        if (status == KLOSET_OK && sync_folder(root, ".") != 0)
                status = fail_at(call, store, "CONFIG");
        return status;
}

/* Removes what killed processes have left in tmp, which others may be using at the same time: old files only. */
static void remove_stale(int root)
{
        DIR *folder = open_folder(root, "tmp");
        time_t now = time(NULL);
        struct dirent *entry;
        struct stat info;

        while (folder && (entry = readdir(folder)))
                if (fstatat(dirfd(folder), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode) &&
                    now - info.st_mtime > STALE)
                        unlinkat(dirfd(folder), entry->d_name, 0);
        if (folder)
                closedir(folder);
}

/* Hands the configuration out. -1 and errno. */
static int read_config(int root, kloset_bytes *config)
{
        int fd = openat(root, "CONFIG", O_RDONLY | O_CLOEXEC);
        char bytes[4096];
        ssize_t n = -1;

        while (fd >= 0 && (n = read(fd, bytes, sizeof bytes)) > 0)
                kloset_bytes_add(config, bytes, (size_t)n);
        int error = errno;
        if (fd >= 0)
                close(fd);
        errno = error;
        return n < 0 ? -1 : 0;
}

static kloset_status open_repository(kloset_call *call, void *self, kloset_bytes *config)
{
        struct store *store = self;
        int root = root_folder(&store->root, 0);

        if (root >= 0 && read_config(root, config) == 0) {
                remove_stale(root);
                return KLOSET_OK;
        }
        if (errno == ENOENT)
                return kloset_failf(call, KLOSET_NOT_FOUND, "there is no repository in %s; make one with: plakar at %s create",
                                    store->root.path, store->location);
        return fail_at(call, store, "CONFIG");
}

static kloset_status ping(kloset_call *call, void *self)
{
        struct store *store = self;

        return root_folder(&store->root, 0) < 0 ? kloset_fail_errno(call, errno, store->root.path) : KLOSET_OK;
}

void fs_store(kloset_store *table)
{
        kloset_store_init(table, sizeof *table);
        table->thread_model = KLOSET_THREADS_PARALLEL;
        table->init = init;
        table->create = create;
        table->open = open_repository;
        table->size = size;
        table->list = list;
        table->put = put;
        table->get = get;
        table->delete_object = delete_object;
        table->ping = ping;
        table->destroy = destroy;
}
