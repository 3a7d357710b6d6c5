/*
 * hello: the smallest importer. Its files are made up in memory, a greeting and the options that it was given:
 *
 *      plakar backup hello://world               greets the world
 *      plakar backup -o name=Ada hello://world   greets Ada
 */
#include <kloset_sdk.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What one backup needs to know. */
struct hello {
        char text[256];
        char options[1024];
};

/* Called first, with what the user has configured. Whatever is wrong with it must make this fail. */
static kloset_status init(kloset_call *call, void *user_data, const kloset_config *config, void **self)
{
        const char *const known[] = {"name", NULL};
        const char *name = kloset_config_get(config, "name", KLOSET_NUL);
        struct hello *hello = calloc(1, sizeof *hello);

        (void)user_data;
        if (!hello)
                return kloset_fail(call, KLOSET_FAILED, "out of memory", KLOSET_NUL);
        *self = hello;

        kloset_config_only(config, known, KLOSET_NUL); /* refuses "nmae" */
        if (!name)
                name = kloset_config_rest(config); /* "world" in hello://world */
        if (*name == '\0')
                return kloset_fail(call, KLOSET_INVALID, "nobody to greet: write hello://NAME", KLOSET_NUL);
        snprintf(hello->text, sizeof hello->text, "Hello, %s!\n", name);
        snprintf(hello->options, sizeof hello->options, "location=%s\nname=%s\n", kloset_config_location(config), name);
        return kloset_set_root(call, "/", KLOSET_NUL);
}

static kloset_status emit_text(kloset_emitter *out, const char *path, const char *text)
{
        kloset_record record = KLOSET_RECORD_INIT; /* a regular file that everybody may read */

        record.path = path;
        record.mtime = time(NULL); /* what has the size and the time of the last backup is not read again */
        record.content_bytes = text;
        record.content_bytes_len = strlen(text);
        return kloset_emit(out, &record);
}

/* Tells the host what there is. The folder "/greetings" need not be sent: the library makes it up. */
static kloset_status scan(kloset_call *call, void *self, kloset_emitter *out)
{
        const struct hello *hello = self;

        (void)call;
        kloset_status status = emit_text(out, "/greetings/hello.txt", hello->text);
        if (status == KLOSET_OK)
                status = emit_text(out, "/options.txt", hello->options);
        return status;
}

static void destroy(void *self)
{
        free(self);
}

int main(int argc, char **argv)
{
        kloset_importer importer = KLOSET_IMPORTER_INIT;
        importer.init = init;
        importer.scan = scan;
        importer.destroy = destroy;

        kloset_connector connector = KLOSET_CONNECTOR_INIT;
        connector.name = "hello";
        connector.importer = &importer;
        return kloset_main(argc, argv, &connector);
}
