/*
 * Patterns in the syntax of .gitignore files, anchored at / since that is where the user's patterns begin.
 *
 * Patterns and paths are both cut at their slashes. What is left to compare are names, which fnmatch(3) does, and the part "**",
 * which stands for any number of directories.
 */
#include "excludes.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

struct pattern {
        char *text;            /* cut into its parts: each '/' has become a '\0' */
        char **parts;          /* ends with NULL */
        int negated;           /* "!keep.o": what it matches is wanted after all */
        int directories_only;  /* "cache/" */
};

struct excludes {
        struct pattern *patterns;
        size_t count;
};

struct excludes *excludes_new(void)
{
        return calloc(1, sizeof(struct excludes));
}

void excludes_free(struct excludes *excludes)
{
        if (!excludes)
                return;
        for (size_t i = 0; i < excludes->count; i++) {
                free(excludes->patterns[i].text);
                free(excludes->patterns[i].parts);
        }
        free(excludes->patterns);
        free(excludes);
}

/* Cuts `text` at its slashes, in place, and returns its parts behind `reserved` free places; NULL when there is no memory. */
static char **cut(char *text, size_t reserved)
{
        size_t count = 0, most = reserved + 2;

        for (const char *c = text; *c; c++)
                most += *c == '/';
        char **parts = calloc(most, sizeof *parts);
        if (!parts)
                return NULL;
        for (char *part = text; part;) {
                char *slash = strchr(part, '/');
                if (slash)
                        *slash = '\0';
                if (*part)
                        parts[reserved + count++] = part;
                part = slash ? slash + 1 : NULL;
        }
        return parts;
}

/* Blanks at the end do not count, except for one behind a backslash. */
static void strip_blanks(char *text)
{
        size_t length = strlen(text);

        while (length > 0 && text[length - 1] == ' ' && !(length > 1 && text[length - 2] == '\\'))
                text[--length] = '\0';
}

int excludes_add(struct excludes *excludes, const char *line)
{
        struct pattern pattern = {0};

        if (*line == '!') {
                pattern.negated = 1;
                line++;
        }
        if (*line == '#' && !pattern.negated)
                return 0;

        pattern.text = strdup(line);
        if (!pattern.text)
                return -1;
        strip_blanks(pattern.text);
        size_t length = strlen(pattern.text);
        if (length > 0 && pattern.text[length - 1] == '/') {
                pattern.directories_only = 1;
                pattern.text[--length] = '\0';
        }
        if (length == 0) {
                free(pattern.text);
                return 0;
        }

        /* A pattern without a slash is for names, wherever they are: "*.o" is the same as "**" and "*.o" below it. */
        int anywhere = strchr(pattern.text, '/') == NULL;
        pattern.parts = cut(pattern.text, anywhere ? 1 : 0);
        struct pattern *grown = realloc(excludes->patterns, (excludes->count + 1) * sizeof *grown);
        if (grown)
                excludes->patterns = grown;
        if (!pattern.parts || !grown) {
                free(pattern.text);
                free(pattern.parts);
                return -1;
        }
        if (anywhere)
                pattern.parts[0] = "**";
        excludes->patterns[excludes->count++] = pattern;
        return 0;
}

static int match(char *const *pattern, char *const *path)
{
        if (!*pattern)
                return !*path;
        if (strcmp(*pattern, "**") == 0) {
                if (!pattern[1])
                        return *path != NULL; /* "build/" and "**" below it: all that is inside, not the directory itself */
                for (;; path++) {
                        if (match(pattern + 1, path))
                                return 1;
                        if (!*path)
                                return 0;
                }
        }
        return *path && fnmatch(*pattern, *path, 0) == 0 && match(pattern + 1, path + 1);
}

int excludes_match(const struct excludes *excludes, const char *path, int is_directory)
{
        if (excludes->count == 0)
                return 0;
        char *text = strdup(path);
        char **parts = text ? cut(text, 0) : NULL;
        int excluded = parts ? 0 : -1;

        /* The last pattern that matches decides, so the first one found from the end does. */
        for (size_t i = excludes->count; parts && i-- > 0;) {
                const struct pattern *pattern = &excludes->patterns[i];
                if (pattern->directories_only && !is_directory)
                        continue;
                if (match(pattern->parts, parts)) {
                        excluded = !pattern->negated;
                        break;
                }
        }
        free(parts);
        free(text);
        return excluded;
}
