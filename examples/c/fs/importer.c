/* The importer: what a backup reads from. */
#include "excludes.h"
#include "fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct importer {
        char *root; /* absolute, no symbolic link in it: a folder or a file */
        struct excludes *excludes;
        int no_xattr;
};

/* A scan under way. What was found and not visited yet waits in a list, the next at its end: a call of its own for each folder would
 * need a stack as deep as the tree. Everything is visited by name, as a restore reads it later: the repository then holds it in
 * that order. */
struct walk {
        const struct importer *importer;
        kloset_call *call;
        kloset_emitter *out;
        kloset_record record;
        char **paths;
        size_t count, room;
};

static kloset_status out_of_memory(kloset_call *call)
{
        return kloset_fail(call, KLOSET_FAILED, "out of memory", KLOSET_NUL);
}

static kloset_status init(kloset_call *call, void *user_data, const kloset_config *config, void **self)
{
        const char *location = kloset_config_path(config);
        struct importer *importer = calloc(1, sizeof *importer);

        (void)user_data;
        if (!importer)
                return out_of_memory(call);
        *self = importer; /* from here on destroy frees it, also when init fails */

        kloset_config_only(config, NULL, 0);
        importer->root = realpath(location, NULL);
        if (!importer->root || access(importer->root, R_OK) != 0)
                return kloset_fail_errno(call, errno, location);
        importer->excludes = excludes_new();
        if (!importer->excludes)
                return out_of_memory(call);
        for (size_t i = 0; i < kloset_config_exclude_count(config); i++)
                if (excludes_add(importer->excludes, kloset_config_exclude(config, i)) != 0)
                        return out_of_memory(call);
        importer->no_xattr = kloset_config_no_xattr(config);
        return kloset_set_root(call, importer->root, KLOSET_NUL);
}

static void destroy(void *self)
{
        struct importer *importer = self;

        excludes_free(importer->excludes);
        free(importer->root);
        free(importer);
}

/* The backup goes on without what cannot be read: the user is told, entry by entry, what the call's error is. */
static kloset_status emit_error(struct walk *walk, const char *path)
{
        const char *text = kloset_error_text(walk->call);
        size_t length = strlen(path);

        /* The host puts the path before it. */
        if (strncmp(text, path, length) == 0 && strncmp(text + length, ": ", 2) == 0)
                text += length + 2;
        return kloset_emit_error(walk->out, path, KLOSET_NUL, text, KLOSET_NUL);
}

static kloset_status emit_errno(struct walk *walk, const char *path)
{
        kloset_fail_errno(walk->call, errno, NULL);
        return emit_error(walk, path);
}

/* Fills in the record of an entry. KLOSET_NOT_FOUND when there is none (any more). */
static kloset_status look(struct walk *walk, const char *path)
{
        kloset_record *record = &walk->record;

        kloset_record_init(record, sizeof *record);
        kloset_status status = kloset_record_set_file(walk->call, record, path, KLOSET_NUL);
        record->path = path;
        if (status == KLOSET_OK && S_ISREG(record->mode))
                record->content_path = path;
        return status;
}

/* Sends the record that look has filled in. */
static kloset_status send(struct walk *walk)
{
        kloset_record *record = &walk->record;
        const char *path = record->path;

        /* What everybody may read needs no question, and is most of a tree. */
        if (S_ISREG(record->mode) && (record->mode & 0444) != 0444 && faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) != 0)
                return emit_errno(walk, path);

        kloset_status status = KLOSET_OK;
        if (!walk->importer->no_xattr && kloset_record_read_xattrs(walk->call, record, path, KLOSET_NUL) != KLOSET_OK)
                status = emit_error(walk, path);
        if (status == KLOSET_OK)
                status = kloset_emit(walk->out, record);

        /* Refused, for example since its name is not UTF-8. */
        if (status != KLOSET_OK && status != KLOSET_CANCELLED)
                status = emit_error(walk, path);
        return status;
}

/* Remembers a path; takes it. */
static kloset_status visit_later(struct walk *walk, char *path)
{
        if (path && walk->count == walk->room) {
                size_t room = walk->room ? 2 * walk->room : 64;
                char **grown = realloc(walk->paths, room * sizeof *grown);
                if (grown) {
                        walk->paths = grown;
                        walk->room = room;
                }
        }
        if (!path || walk->count == walk->room) {
                free(path);
                return out_of_memory(walk->call);
        }
        walk->paths[walk->count++] = path;
        return KLOSET_OK;
}

static int last_first(const void *a, const void *b)
{
        return strcmp(*(char *const *)b, *(char *const *)a);
}

/* Remembers everything in an open folder, so that the first by name is visited next. */
static kloset_status visit_entries_later(struct walk *walk, const char *path, DIR *folder)
{
        size_t length = strcmp(path, "/") == 0 ? 0 : strlen(path), before = walk->count;
        kloset_status status = KLOSET_OK;
        struct dirent *entry;

        while (status == KLOSET_OK && (errno = 0, entry = readdir(folder))) {
                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                        continue;
                char *child = malloc(length + strlen(entry->d_name) + 2);
                if (child) {
                        memcpy(child, path, length);
                        child[length] = '/';
                        strcpy(child + length + 1, entry->d_name);
                }
                status = visit_later(walk, child);
        }
        if (status == KLOSET_OK && errno != 0)
                status = emit_errno(walk, path);
        if (walk->count > before)
                qsort(walk->paths + before, walk->count - before, sizeof *walk->paths, last_first);
        return status;
}

static kloset_status read_folder(struct walk *walk, const char *path)
{
        /* In its place there may be a symbolic link by now, which would lead elsewhere. */
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        DIR *folder = fd < 0 ? NULL : fdopendir(fd);

        if (!folder) {
                kloset_status status = emit_errno(walk, path);
                if (fd >= 0)
                        close(fd);
                return status;
        }
        kloset_status status = visit_entries_later(walk, path, folder);
        closedir(folder);
        return status;
}

/* Deals with an entry below the root. */
static kloset_status visit(struct walk *walk, const char *path)
{
        kloset_status status = look(walk, path);

        if (status == KLOSET_NOT_FOUND)
                return KLOSET_OK; /* it has vanished since its folder was read */
        if (status != KLOSET_OK)
                return emit_error(walk, path);
        int is_folder = S_ISDIR(walk->record.mode);
        int excluded = excludes_match(walk->importer->excludes, path, is_folder);
        if (excluded != 0)
                return excluded > 0 ? KLOSET_OK : out_of_memory(walk->call);
        status = send(walk);
        return status == KLOSET_OK && is_folder ? read_folder(walk, path) : status;
}

/* Sends the folders above the root: a restore gives them back their owners and modes too. */
static kloset_status send_parents(struct walk *walk, const char *root)
{
        kloset_status status = KLOSET_OK;
        const char *slash = root[1] == '\0' ? NULL : root;

        for (; status == KLOSET_OK && slash; slash = strchr(slash + 1, '/')) {
                char *path = strndup(root, slash == root ? 1 : (size_t)(slash - root));
                if (!path)
                        return out_of_memory(walk->call);
                status = look(walk, path);
                status = status == KLOSET_OK ? send(walk) : emit_error(walk, path);
                free(path);
        }
        return status;
}

static kloset_status scan(kloset_call *call, void *self, kloset_emitter *out)
{
        const struct importer *importer = self;
        struct walk walk = {.importer = importer, .call = call, .out = out};

        kloset_status status = send_parents(&walk, importer->root);
        if (status == KLOSET_OK)
                status = look(&walk, importer->root); /* without the root there is no backup */
        if (status == KLOSET_OK) {
                int is_folder = S_ISDIR(walk.record.mode);
                status = send(&walk);
                if (status == KLOSET_OK && is_folder)
                        status = read_folder(&walk, importer->root);
        }
        while (status == KLOSET_OK && walk.count > 0) {
                char *path = walk.paths[--walk.count];
                status = visit(&walk, path);
                free(path);
        }
        while (walk.count > 0)
                free(walk.paths[--walk.count]);
        free(walk.paths);
        return status;
}

static kloset_status ping(kloset_call *call, void *self)
{
        const struct importer *importer = self;

        return access(importer->root, R_OK) == 0 ? KLOSET_OK : kloset_fail_errno(call, errno, importer->root);
}

void fs_importer(kloset_importer *table)
{
        kloset_importer_init(table, sizeof *table);
        table->thread_model = KLOSET_THREADS_PARALLEL;
        table->init = init;
        table->scan = scan;
        table->ping = ping;
        table->destroy = destroy;
}
