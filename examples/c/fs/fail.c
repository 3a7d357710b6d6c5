/* The texts of failures. */
#include "fs.h"

#include <stdio.h>

/* Room for a path and the reason behind it. What is longer is cut: no user reads that far. */
enum { TEXT = 8192 };

static void join(char text[TEXT], const char *root, const char *path)
{
        snprintf(text, TEXT, "%s%s%s", root, *path == '/' ? "" : "/", path);
}

kloset_status fail_path(kloset_call *call, int error, const char *root, const char *path)
{
        char whole[TEXT];

        join(whole, root, path);
        return kloset_fail_errno(call, error, whole);
}

kloset_status add_path(kloset_call *call, kloset_status code, const char *root, const char *path)
{
        char whole[TEXT], text[2 * TEXT];

        join(whole, root, path);
        snprintf(text, sizeof text, "%s: %s", whole, kloset_error_text(call));
        return kloset_fail(call, code, text, KLOSET_NUL);
}
