#include "beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Opened only to lead on to what lies in it, a folder need not be readable, where the system knows the difference. */
#ifdef O_PATH
#define ONLY_TO_LEAD_ON O_PATH
#else
#define ONLY_TO_LEAD_ON O_RDONLY
#endif

/* close(2) for the way out of a failure, whose errno is still to be told. */
static void close_quietly(int fd)
{
        int error = errno;

        if (fd >= 0)
                close(fd);
        errno = error;
}

int root_init(struct root *root, const char *path)
{
        struct timespec now;
        size_t length = strlen(path);

        while (length > 0 && path[length - 1] == '/')
                length--;
        root->path = strndup(path, length);
        root->folder = -1;
        pthread_mutex_init(&root->lock, NULL);
        /* What a killed process has left must not get in the way of this one, so the number of the process would not do:
         * in a container it is the same every time. */
        clock_gettime(CLOCK_REALTIME, &now);
        root->start = (unsigned long long)now.tv_sec * 1000000000u + (unsigned long long)now.tv_nsec;
        return root->path ? 0 : -1;
}

void root_free(struct root *root)
{
        if (!root->path)
                return;
        close_quietly(root->folder);
        pthread_mutex_destroy(&root->lock);
        free(root->path);
        root->path = NULL;
}

/* Makes a folder and those above it, by a path that the user gave: links are followed. 0, or -1 and errno. */
static int make_folders(const char *path)
{
        char *part = strdup(path);
        int made = part ? 0 : -1;

        for (char *end = part; made == 0 && end;) {
                end = strchr(end + 1, '/');
                if (end)
                        *end = '\0';
                if (mkdir(part, 0777) != 0 && errno != EEXIST)
                        made = -1;
                if (end)
                        *end = '/';
        }
        int error = errno;
        free(part);
        errno = error;
        return made;
}

int root_folder(struct root *root, int make)
{
        const char *path = *root->path ? root->path : "/";

        pthread_mutex_lock(&root->lock);
        if (root->folder < 0)
                root->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (root->folder < 0 && errno == ENOENT && make && make_folders(path) == 0)
                root->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int folder = root->folder;
        pthread_mutex_unlock(&root->lock);
        return folder;
}

void root_temporary(struct root *root, char name[TEMPORARY_NAME])
{
        pthread_mutex_lock(&root->lock);
        snprintf(name, TEMPORARY_NAME, ".fs-c.%llx.%lx", root->start, ++root->temporaries);
        pthread_mutex_unlock(&root->lock);
}

int beneath_enter(int folder, const char *name)
{
        int fd = openat(folder, name, ONLY_TO_LEAD_ON | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct stat info;

        /* Of a link the system says the same as of a file; the user should read what it is. */
        if (fd < 0 && errno == ENOTDIR) {
                int link = fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode);
                errno = link ? ELOOP : ENOTDIR;
        }
        return fd;
}

/* Enters the folder `name`, and closes the one that it is in. */
static int step(int folder, const char *name, int make)
{
        int next = beneath_enter(folder, name);

        if (next < 0 && errno == ENOENT && make && (mkdirat(folder, name, 0777) == 0 || errno == EEXIST))
                next = beneath_enter(folder, name);
        close_quietly(folder);
        return next;
}

int beneath_find(struct root *root, const char *path, int make, struct place *place)
{
        int folder = root_folder(root, 1);
        const char *slash;

        if (folder >= 0)
                folder = beneath_enter(folder, ".");
        while (*path == '/')
                path++;
        while (folder >= 0 && (slash = strchr(path, '/'))) {
                char name[NAME_MAX + 1];
                size_t length = (size_t)(slash - path);
                if (length > NAME_MAX) {
                        close(folder);
                        errno = ENAMETOOLONG;
                        return -1;
                }
                memcpy(name, path, length);
                name[length] = '\0';
                folder = step(folder, name, make);
                path = slash + 1;
        }
        place->folder = folder;
        place->name = *path ? path : ".";
        return folder < 0 ? -1 : 0;
}

void beneath_leave(struct place *place)
{
        close_quietly(place->folder);
        place->folder = -1;
}
