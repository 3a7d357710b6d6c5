/* Patterns of what the user does not want in a backup, in the syntax of .gitignore files. */
#ifndef EXCLUDES_H
#define EXCLUDES_H

struct excludes;

/* An empty set of patterns; NULL when there is no memory. */
struct excludes *excludes_new(void);
void excludes_free(struct excludes *excludes);

/* Adds a line. 0, or -1 when there is no memory. */
int excludes_add(struct excludes *excludes, const char *line);

/*
 * Whether the patterns leave out this absolute path: 1 or 0, or -1 when there is no memory. Whoever walks a tree must not
 * enter a directory that is left out, and so never asks for what lies in it.
 */
int excludes_match(const struct excludes *excludes, const char *path, int is_directory);

#endif
