/*
 * A connector that counts what is done with it, and misbehaves where it is told to.
 *
 *      connector CASE ROLE
 *
 * CASE is a list such as "threads=2,records=1000,stop=7"; what is not in it is 0. When the host is done, the counts are
 * printed on stderr, in one line that begins with "counts".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kloset_sdk.h>

static const char *the_case;

/* The number that CASE has for a name. */
static long told(const char *name)
{
        size_t n = strlen(name);
        for (const char *at = the_case; at != NULL && *at != '\0'; at = strchr(at, ',')) {
                at += *at == ',';
                if (strncmp(at, name, n) == 0 && at[n] == '=')
                        return strtol(at + n + 1, NULL, 10);
        }
        return 0;
}

static struct {
        atomic_long init, destroy, user_data, emitted, opened, read, closed, freed, memory_freed, acknowledged, created, written,
                finished, aborted, put, directories, permissions, refused;
        atomic_long active, most_active, wrong_thread;
} counts;

static pthread_t caller;
static long threads;

/* Every callback's first and last step; also around what waits inside of the library, where others may have the turn. */
static void enter(void)
{
        long active = atomic_fetch_add(&counts.active, 1) + 1;
        long most = atomic_load(&counts.most_active);
        while (active > most && !atomic_compare_exchange_weak(&counts.most_active, &most, active))
                ;
        if (threads == KLOSET_THREADS_CALLER && !pthread_equal(caller, pthread_self()))
                counts.wrong_thread++;
}

static void leave(void)
{
        atomic_fetch_sub(&counts.active, 1);
}

#define LEAVING(status) \
        do { \
                kloset_status leaving_ = (status); \
                leave(); \
                return leaving_; \
        } while (0)

/* ---- what the three roles share ------------------------------------------------------------------------------------------- */

struct instance {
        long next;
        long magic;
};

#define MAGIC 4711

static kloset_status init(kloset_call *call, void *user_data, const kloset_config *config, void **self)
{
        enter();
        counts.init++;
        (void)user_data;
        struct instance *me = calloc(1, sizeof *me);
        me->magic = MAGIC;
        *self = me;
        if (told("require"))
                kloset_config_require(config, "token", KLOSET_NUL);
        if (told("only")) {
                static const char *const known[] = { "token", "depth", NULL };
                kloset_config_only(config, known, KLOSET_NUL);
                kloset_config_number(config, "depth", KLOSET_NUL, 3, 1, 9);
        }
        if (told("path"))
                kloset_config_path(config);
        if (told("latin"))
                kloset_set_origin(call, "caf\xe9", KLOSET_NUL);
        if (told("place")) {
                kloset_set_origin(call, "elsewhere", KLOSET_NUL);
                kloset_set_type(call, "xyz-test", 3);
                kloset_set_root(call, "/deep", KLOSET_NUL);
                kloset_set_flags(call, KLOSET_FLAG_STREAM);
        }
        if (told("init_fails"))
                LEAVING(kloset_fail(call, KLOSET_INVALID, "it failed half-way", KLOSET_NUL));
        if (told("init_errno"))
                LEAVING(kloset_fail_errno(call, ENOENT, "/srv/absent"));
        LEAVING((kloset_status)told("init_status"));
}

static void destroy(void *self)
{
        enter();
        struct instance *me = self;
        if (me->magic != MAGIC)
                abort();
        me->magic = 0;
        free(me);
        counts.destroy++;
        leave();
}

static void free_user_data(void *user_data)
{
        (void)user_data;
        counts.user_data++;
}

static kloset_status ping(kloset_call *call, void *self)
{
        enter();
        (void)call, (void)self;
        if (told("ping_latin"))
                LEAVING(kloset_fail(call, KLOSET_FAILED, "caf\xe9", KLOSET_NUL));
        if (told("ping_formatted"))
                LEAVING(kloset_failf(call, KLOSET_FAILED, "%d of %s", 3, "four"));
        LEAVING((kloset_status)told("ping"));
}

static kloset_status close_(kloset_call *call, void *self)
{
        enter();
        (void)call, (void)self;
        LEAVING(KLOSET_OK);
}

/* ---- readers and writers -------------------------------------------------------------------------------------------------- */

struct reading {
        char text[64];
        size_t at;
        size_t len;
};

static kloset_status reading_read(kloset_call *call, void *user_data, void *buffer, size_t len, size_t *count)
{
        enter();
        counts.read++;
        struct reading *reading = user_data;
        if (told("read_too_much")) {
                *count = len + 1;
                LEAVING(KLOSET_OK);
        }
        if (told("read_claims")) { /* bytes that it has not written */
                *count = reading->at++ == 0 ? len < 100 ? len : 100 : 0;
                LEAVING(KLOSET_OK);
        }
        if (told("read_fails"))
                LEAVING(kloset_fail_errno(call, EIO, "the disk"));
        if (told("read_status"))
                LEAVING((kloset_status)told("read_status"));
        size_t n = reading->len - reading->at;
        if (n > len)
                n = len;
        if (told("short_reads") && n > 1)
                n = 1;
        memcpy(buffer, reading->text + reading->at, n);
        reading->at += n;
        *count = n;
        LEAVING(KLOSET_OK);
}

static void reading_close(void *user_data)
{
        enter();
        free(user_data);
        counts.closed++;
        leave();
}

static void free_memory(void *memory)
{
        enter();
        free(memory);
        counts.memory_freed++;
        leave();
}

static kloset_status new_reader(kloset_call *call, const char *text, kloset_reader **reader)
{
        size_t len = strlen(text);
        switch (told("reader")) {
        case 1:
                return kloset_reader_from_memory(call, text, len, NULL, reader);
        case 2:
                return kloset_reader_from_memory(call, strdup(text), len, free_memory, reader);
        case 3: {
                int pipes[2];
                if (pipe(pipes) != 0)
                        return kloset_fail_errno(call, errno, "pipe");
                if (write(pipes[1], text, len) < 0)
                        abort();
                close(pipes[1]);
                return kloset_reader_from_fd(call, pipes[0], reader);
        }
        case 4:
                return kloset_reader_from_path(call, "/proc/self/absent", KLOSET_NUL, reader);
        case 5:
                return kloset_reader_from_fd(call, -1, reader);
        default: {
                struct reading *reading = calloc(1, sizeof *reading);
                snprintf(reading->text, sizeof reading->text, "%s", text);
                reading->len = len;
                kloset_reader_table table = KLOSET_READER_INIT;
                table.user_data = reading;
                table.read = told("no_read") ? NULL : reading_read;
                table.close = reading_close;
                if (told("newer_reader")) {
                        struct {
                                kloset_reader_table table;
                                size_t tail;
                        } larger = { table, 1 };
                        larger.table.struct_size = sizeof larger;
                        return kloset_reader_new(call, &larger.table, reader);
                }
                return kloset_reader_new(call, &table, reader);
        }
        }
}

static kloset_status writing_write(kloset_call *call, void *user_data, const void *data, size_t len)
{
        enter();
        (void)call, (void)user_data, (void)data;
        counts.written += (long)len;
        LEAVING((kloset_status)told("write"));
}

static kloset_status writing_finish(kloset_call *call, void *user_data)
{
        enter();
        (void)call, (void)user_data;
        counts.finished++;
        LEAVING((kloset_status)told("finish"));
}

static void writing_abort(void *user_data, const char *reason, size_t reason_len)
{
        enter();
        (void)user_data;
        if (strlen(reason) != reason_len)
                abort();
        counts.aborted++;
        leave();
}

static void writing_free(void *user_data)
{
        enter();
        free(user_data);
        counts.closed++;
        leave();
}

static kloset_status new_writer(kloset_call *call, kloset_writer **writer)
{
        kloset_writer_table table = KLOSET_WRITER_INIT;
        table.user_data = malloc(1);
        table.free_user_data = writing_free;
        table.write = writing_write;
        table.finish = told("no_finish") ? NULL : writing_finish;
        table.abort = writing_abort;
        counts.created++;
        kloset_status status = kloset_writer_new(call, &table, writer);
        if (status == KLOSET_OK && told("writer_fails"))
                return kloset_fail(call, KLOSET_FAILED, "after the writer was made", KLOSET_NUL);
        if (told("no_writer"))
                *writer = NULL;
        return status;
}

/* Reads a source to its end in the way that CASE tells. */
static kloset_status take(kloset_source *source, long *taken)
{
        static char buffers[1][64 << 10];
        kloset_status status = KLOSET_OK;
        *taken = 0;
        if (told("take") == 2) {
                int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
                uint64_t written = 0;
                leave();
                status = kloset_source_to_fd(source, null, &written);
                enter();
                close(null);
                *taken = (long)written;
                return status;
        }
        for (;;) {
                size_t n = 0;
                const void *piece = NULL;
                char *own = NULL;
                leave();
                if (told("take") == 1) {
                        status = kloset_source_next(source, &piece, &n);
                } else {
                        own = threads == KLOSET_THREADS_PARALLEL ? malloc(sizeof buffers[0]) : NULL;
                        status = kloset_source_read(source, own != NULL ? own : buffers[0], sizeof buffers[0], &n);
                }
                enter();
                free(own);
                if (status != KLOSET_OK || n == 0)
                        return status;
                *taken += (long)n;
                if (told("stop_after") && *taken >= told("stop_after"))
                        return KLOSET_OK;
        }
}

/* ---- the importer --------------------------------------------------------------------------------------------------------- */

/* What the record of that number has as its path and in its content. */
static void name_of(long number, char *name, size_t size)
{
        snprintf(name, size, "/%06ld", number);
}

static void fill(kloset_record *record, long number, char *path, size_t size)
{
        name_of(number, path, size);
        record->path = path;
        record->mtime = 1700000000 + number;
        if (told("content") == 1) {
                record->content_bytes = strdup(path);
                record->content_bytes_len = strlen(path);
                record->free_content_bytes = free_memory;
                return;
        }
        if (told("content") == 2) {
                record->content_bytes = path;
                record->content_bytes_len = strlen(path);
                return;
        }
        if (told("content") == 3) {
                record->content_path = "/proc/self/absent";
                return;
        }
        long *content = malloc(sizeof *content);
        *content = number;
        record->content = content;
        record->size = strlen(path);
        if (told("bad_path") && number == told("bad_path"))
                record->path = "relative";
        if (told("latin_path") && number == told("latin_path"))
                record->path = "/caf\xe9";
        if (told("two_contents") && number == told("two_contents"))
                record->content_path = "/etc/hostname";
        if (told("newer_record") && number == told("newer_record"))
                record->struct_size = 3;
}

static kloset_status scan(kloset_call *call, void *self, kloset_emitter *out)
{
        enter();
        (void)self;
        long records = told("records"), stop = told("stop"), batch = told("batch");
        for (long i = 1; i <= records; i++) {
                char path[32];
                if (stop != 0 && i == stop) {
                        if (told("text"))
                                kloset_fail(call, KLOSET_FAILED, "the text", KLOSET_NUL);
                        LEAVING((kloset_status)told("status"));
                }
                kloset_status status;
                if (batch > 0) {
                        struct {
                                kloset_record record;
                                char path[32];
                        } many[64];
                        long n = batch < 64 ? batch : 64;
                        if (n > records - i + 1)
                                n = records - i + 1;
                        for (long k = 0; k < n; k++) {
                                many[k].record = (kloset_record)KLOSET_RECORD_INIT;
                                fill(&many[k].record, i + k, many[k].path, sizeof many[k].path);
                        }
                        counts.emitted += n;
                        leave();
                        status = kloset_emit_batch(out, &many[0].record, (size_t)n, sizeof many[0]);
                        enter();
                        i += n - 1;
                } else {
                        kloset_record record = KLOSET_RECORD_INIT;
                        fill(&record, i, path, sizeof path);
                        struct {
                                kloset_record record;
                                unsigned char tail[64];
                        } larger;
                        memset(&larger, 0, sizeof larger);
                        larger.record = record;
                        larger.record.struct_size = sizeof larger;
                        larger.tail[9] = (unsigned char)told("record_tail");
                        counts.emitted++;
                        leave();
                        status = kloset_emit(out, told("larger_record") ? &larger.record : &record);
                        enter();
                }
                if (status == KLOSET_CANCELLED) {
                        if (!kloset_emitter_cancelled(out) || !kloset_cancelled(call))
                                abort();
                        fprintf(stderr, "scan cancelled\n");
                        LEAVING(status);
                }
                if (status != KLOSET_OK) {
                        counts.refused++;
                        if (told("refused_is_cancelled"))
                                LEAVING(KLOSET_CANCELLED);
                        if (told("refused_is_error")) {
                                leave();
                                kloset_emit_error(out, "/caf\xe9", KLOSET_NUL, kloset_error_text(call), KLOSET_NUL);
                                enter();
                        }
                }
        }
        if (told("file")) {
                kloset_record record = KLOSET_RECORD_INIT;
                if (kloset_record_set_file(call, &record, "/proc/self/absent", KLOSET_NUL) != KLOSET_NOT_FOUND)
                        abort();
                if (kloset_record_set_file(call, &record, "/etc/hostname", KLOSET_NUL) != KLOSET_OK)
                        LEAVING(KLOSET_FAILED);
                if (kloset_record_read_xattrs(call, &record, "/etc/hostname", KLOSET_NUL) != KLOSET_OK)
                        LEAVING(KLOSET_FAILED);
                static const kloset_xattr xattrs[] = { { "user.color", KLOSET_NUL, "blue", 4 }, { "user.empty", 10, NULL, 0 } };
                record.path = "/hostname";
                record.content_path = "/etc/hostname";
                record.xattrs = xattrs;
                record.xattr_count = 2;
                leave();
                kloset_status status = kloset_emit(out, &record);
                enter();
                LEAVING(status);
        }
        LEAVING(KLOSET_OK);
}

static kloset_status scan_next(kloset_call *call, void *self, kloset_record *record)
{
        enter();
        struct instance *me = self;
        static char path[32];
        if (kloset_scan_begins(call))
                me->next = 0;
        long i = ++me->next;
        if (told("stop") != 0 && i == told("stop"))
                LEAVING((kloset_status)told("status"));
        if (told("error_at") != 0 && i == told("error_at")) {
                record->path = "/locked";
                record->error = "permission denied";
                LEAVING(KLOSET_OK);
        }
        if (i > told("records"))
                LEAVING(KLOSET_END);
        counts.emitted++;
        fill(record, i, path, sizeof path);
        if (told("next_fails") != 0 && i == told("next_fails"))
                LEAVING(kloset_fail(call, KLOSET_FAILED, "after the record was filled", KLOSET_NUL));
        if (told("beyond"))
                ((char *)record)[sizeof *record + 8] = 1;
        LEAVING(KLOSET_OK);
}

static kloset_status open_content(kloset_call *call, void *self, void *content, kloset_reader **reader)
{
        enter();
        (void)self;
        counts.opened++;
        char text[32];
        name_of(*(long *)content, text, sizeof text);
        kloset_status status = new_reader(call, text, reader);
        if (told("open_fails"))
                LEAVING(kloset_fail(call, KLOSET_FAILED, "after the reader was made", KLOSET_NUL));
        if (told("no_reader"))
                *reader = NULL;
        if (told("two_readers")) {
                kloset_reader *second = NULL;
                new_reader(call, text, &second);
        }
        LEAVING(status);
}

static void free_content(void *self, void *content)
{
        enter();
        if (((struct instance *)self)->magic != MAGIC)
                abort();
        free(content);
        counts.freed++;
        leave();
}

static void acknowledge(void *self, const kloset_acknowledgement *acknowledgement)
{
        enter();
        (void)self;
        if (strlen(acknowledgement->path) != acknowledgement->path_len)
                abort();
        /* What the library makes up, the root, is acknowledged as well. */
        counts.acknowledged += strlen(acknowledgement->path) == 7;
        leave();
}

/* ---- the exporter --------------------------------------------------------------------------------------------------------- */

static kloset_status create_directory(kloset_call *call, void *self, const kloset_entry *entry)
{
        enter();
        (void)call, (void)self;
        if (strlen(entry->path) != entry->path_len || entry->struct_size < sizeof *entry)
                abort();
        counts.directories++;
        LEAVING(KLOSET_OK);
}

static kloset_status store_file(kloset_call *call, void *self, const kloset_entry *entry, kloset_source *source)
{
        enter();
        (void)call, (void)self, (void)entry;
        long taken = 0;
        kloset_status status = take(source, &taken);
        counts.written += taken;
        if (status == KLOSET_OK)
                counts.finished++;
        else
                counts.aborted++;
        LEAVING(status);
}

static kloset_status create_file(kloset_call *call, void *self, const kloset_entry *entry, kloset_writer **writer)
{
        enter();
        (void)self, (void)entry;
        LEAVING(new_writer(call, writer));
}

static kloset_status set_permissions(kloset_call *call, void *self, const kloset_entry *entry)
{
        enter();
        (void)call, (void)self, (void)entry;
        counts.permissions++;
        LEAVING(KLOSET_OK);
}

/* ---- the store ------------------------------------------------------------------------------------------------------------ */

static kloset_status create(kloset_call *call, void *self, const void *config, size_t config_len)
{
        enter();
        (void)call, (void)self, (void)config, (void)config_len;
        LEAVING(KLOSET_OK);
}

static kloset_status open_(kloset_call *call, void *self, kloset_bytes *config)
{
        enter();
        (void)call, (void)self;
        kloset_bytes_add(config, "the ", 4);
        LEAVING(kloset_bytes_add(config, "configuration", 13));
}

static kloset_status put(kloset_call *call, void *self, const kloset_object *object, kloset_source *source)
{
        enter();
        (void)call, (void)self;
        char text[KLOSET_MAC_TEXT];
        kloset_mac_format(object->mac, text);
        uint8_t mac[KLOSET_MAC_LEN];
        if (strcmp(text, object->name) != 0 || kloset_mac_parse(text, KLOSET_NUL, mac) != KLOSET_OK ||
            memcmp(mac, object->mac, sizeof mac) != 0 || kloset_mac_parse("x", KLOSET_NUL, mac) != KLOSET_INVALID ||
            strcmp(kloset_kind_name(object->kind), object->kind_name) != 0)
                abort();
        long taken = 0;
        counts.put++;
        kloset_status status = take(source, &taken);
        counts.written += taken;
        if (status == KLOSET_OK)
                counts.finished++;
        else
                counts.aborted++;
        LEAVING(status);
}

static kloset_status create_object(kloset_call *call, void *self, const kloset_object *object, kloset_writer **writer)
{
        enter();
        (void)self, (void)object;
        counts.put++;
        LEAVING(new_writer(call, writer));
}

static kloset_status list(kloset_call *call, void *self, int32_t kind, kloset_list *out)
{
        enter();
        (void)call, (void)self;
        uint8_t mac[KLOSET_MAC_LEN];
        memset(mac, kind, sizeof mac);
        LEAVING(kloset_list_add(out, mac));
}

static kloset_status get(kloset_call *call, void *self, const kloset_object *object, uint64_t offset, uint64_t length,
                         kloset_reader **reader)
{
        enter();
        (void)self, (void)object;
        if (object->mac[0] == 255)
                LEAVING(kloset_fail(call, KLOSET_NOT_FOUND, object->name, KLOSET_NUL));
        if (told("from_path"))
                LEAVING(kloset_reader_from_path_range(call, "/etc/hostname", KLOSET_NUL, offset, length, reader));
        char text[64];
        if (length == KLOSET_UNKNOWN)
                snprintf(text, sizeof text, "all of %s", object->kind_name);
        else
                snprintf(text, sizeof text, "%lu+%lu", (unsigned long)offset, (unsigned long)length);
        LEAVING(new_reader(call, text, reader));
}

static kloset_status get_state(kloset_call *call, void *self, const uint8_t *mac, kloset_reader **reader)
{
        enter();
        (void)self, (void)mac;
        LEAVING(new_reader(call, "the named one", reader));
}

static kloset_status size_(kloset_call *call, void *self, uint64_t *size)
{
        enter();
        (void)call, (void)self;
        *size = 12345;
        LEAVING(KLOSET_OK);
}

/* ---- main ----------------------------------------------------------------------------------------------------------------- */

/* Moves a table into a larger one, as an author with a newer header would have it. */
static void *newer(const void *table, size_t size, int last)
{
        unsigned char *larger = calloc(1, size + 64);
        memcpy(larger, table, size);
        *(size_t *)(void *)larger = size + 64;
        larger[size + 63] = (unsigned char)last;
        return larger;
}

int main(int argc, char **argv)
{
        the_case = argc > 1 ? argv[1] : "";
        threads = told("threads");
        caller = pthread_self();
        bool steps = threads == KLOSET_THREADS_CALLER || told("steps");

        kloset_importer importer = KLOSET_IMPORTER_INIT;
        importer.user_data = &counts;
        importer.free_user_data = free_user_data;
        importer.thread_model = (int32_t)threads;
        importer.max_concurrency = (uint32_t)told("max");
        importer.init = init;
        importer.scan = steps && !told("both") ? NULL : scan;
        importer.scan_next = steps ? scan_next : NULL;
        importer.open_content = told("no_open") ? NULL : open_content;
        importer.free_content = free_content;
        importer.acknowledge = told("acknowledge") ? acknowledge : NULL;
        importer.ping = ping;
        importer.close = close_;
        importer.destroy = destroy;
        if (told("no_init"))
                importer.init = NULL;
        if (told("no_scan"))
                importer.scan = NULL, importer.scan_next = NULL;
        if (told("reserved"))
                importer.reserved = 9;
        if (told("no_version"))
                importer.abi_version = 0;
        if (told("size"))
                importer.struct_size = (size_t)told("size");
        if (told("older"))
                importer.struct_size = offsetof(kloset_importer, acknowledge);

        kloset_exporter exporter = KLOSET_EXPORTER_INIT;
        exporter.user_data = &counts;
        exporter.free_user_data = free_user_data;
        exporter.thread_model = (int32_t)threads;
        exporter.max_concurrency = (uint32_t)told("max");
        exporter.init = init;
        exporter.create_directory = create_directory;
        exporter.store_file = steps && !told("both") ? NULL : store_file;
        exporter.create_file = steps ? create_file : NULL;
        exporter.set_permissions = told("no_permissions") ? NULL : set_permissions;
        exporter.destroy = destroy;

        kloset_store store = KLOSET_STORE_INIT;
        store.user_data = &counts;
        store.free_user_data = free_user_data;
        store.thread_model = (int32_t)threads;
        store.max_concurrency = (uint32_t)told("max");
        store.init = init;
        store.create = create;
        store.open = told("no_store_open") ? NULL : open_;
        store.size = size_;
        store.list = list;
        store.put = steps && !told("both") ? NULL : put;
        store.create_object = steps ? create_object : NULL;
        store.get = get;
        store.get_state = get_state;
        store.destroy = destroy;

        kloset_connector connector = KLOSET_CONNECTOR_INIT;
        connector.name = told("latin_name") ? "caf\xe9" : "abi";
        connector.version = "1.2.3";
        void *larger = newer(&importer, sizeof importer, (int)told("newer"));
        connector.importer = told("newer") || told("larger") ? larger : &importer;
        connector.exporter = &exporter;
        connector.store = &store;
        if (told("no_role"))
                connector.importer = NULL, connector.exporter = NULL, connector.store = NULL;

        int code = kloset_main(argc - 1, argv + 1, &connector);
        free(larger);
#define COUNT(name) fprintf(stderr, " %s=%ld", #name, (long)counts.name)
        fprintf(stderr, "counts");
        COUNT(init), COUNT(destroy), COUNT(user_data), COUNT(emitted), COUNT(refused), COUNT(opened), COUNT(read), COUNT(closed);
        COUNT(freed), COUNT(memory_freed), COUNT(acknowledged), COUNT(created), COUNT(written), COUNT(finished), COUNT(aborted);
        COUNT(put), COUNT(directories), COUNT(permissions), COUNT(active), COUNT(most_active), COUNT(wrong_thread);
        fprintf(stderr, " code=%d\n", code);
        return code;
}
