/*
 * The connector that benchmarks measure the C interface with: importer, exporter and store with made-up content, so that no disk
 * is measured. What it has to do is written in ../grpc-go/README.md.
 */
#define _POSIX_C_SOURCE 200809L

#include <kloset_sdk.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BLOCK = 1 << 20 };

/* The content of everything: this block, repeated. Made once, before anything is called. */
static uint8_t block[BLOCK];

static void make_block(void)
{
        for (uint32_t i = 0; i < BLOCK; i++)
                block[i] = (uint8_t)(i ^ i >> 8 ^ i >> 16);
}

/* An instance of each role. */
struct bench {
        uint64_t files, size, records, macs, latency_ms, nothing;
};

static uint64_t number(const kloset_config *config, const char *name)
{
        return (uint64_t)kloset_config_number(config, name, KLOSET_NUL, 0, 0, INT64_MAX);
}

static kloset_status init(kloset_call *call, void *user_data, const kloset_config *config, void **self)
{
        struct bench *bench = calloc(1, sizeof *bench);

        (void)user_data;
        if (!bench)
                return kloset_fail(call, KLOSET_FAILED, "out of memory", KLOSET_NUL);
        *self = bench;
        bench->files = number(config, "files");
        bench->size = number(config, "size");
        bench->records = number(config, "records");
        bench->macs = number(config, "macs");
        bench->latency_ms = number(config, "latency_ms");
        return kloset_set_root(call, "/", KLOSET_NUL);
}

/* What is far away takes time. */
static void take_time(const struct bench *bench)
{
        const struct timespec latency = { (time_t)(bench->latency_ms / 1000), (long)(bench->latency_ms % 1000) * 1000000 };

        if (bench->latency_ms != 0)
                nanosleep(&latency, NULL);
}

/* ---- content: what open_content and get hand out -------------------------------------------------------------------------- */

struct span {
        uint64_t offset, end;
};

static kloset_status read_span(kloset_call *call, void *data, void *buffer, size_t len, size_t *count)
{
        struct span *span = data;
        uint8_t *to = buffer;

        (void)call;
        if (len > span->end - span->offset)
                len = (size_t)(span->end - span->offset);
        *count = len;
        while (len > 0) {
                size_t at = (size_t)(span->offset % BLOCK);
                size_t n = len < BLOCK - at ? len : BLOCK - at;
                memcpy(to, block + at, n);
                to += n;
                span->offset += n;
                len -= n;
        }
        return KLOSET_OK;
}

/* A reader of `length` bytes from `offset` on, or as many as there are in a content of `size` bytes. */
static kloset_status open_span(kloset_call *call, uint64_t size, uint64_t offset, uint64_t length, kloset_reader **reader)
{
        kloset_reader_table table = KLOSET_READER_INIT;
        struct span *span = malloc(sizeof *span);

        if (!span)
                return kloset_fail(call, KLOSET_FAILED, "out of memory", KLOSET_NUL);
        span->offset = offset < size ? offset : size;
        span->end = length < size - span->offset ? span->offset + length : size;
        table.user_data = span;
        table.free_user_data = free;
        table.read = read_span;
        return kloset_reader_new(call, &table, reader);
}

/* ---- importer ------------------------------------------------------------------------------------------------------------- */

static kloset_status emit_folder(kloset_emitter *out, const char *path)
{
        kloset_record record = KLOSET_RECORD_INIT;

        record.path = path;
        record.mode = KLOSET_MODE_DIRECTORY | 0755;
        record.size = 0;
        return kloset_emit(out, &record);
}

/* What opens a content is where its size stands: contents differ in nothing else. */
static kloset_status emit_files(kloset_emitter *out, const char *folder, uint64_t count, uint64_t *size)
{
        kloset_record record = KLOSET_RECORD_INIT;
        char path[64];
        kloset_status status = KLOSET_OK;

        record.path = path;
        record.size = *size;
        record.content = size;
        for (uint64_t i = 0; i < count && status == KLOSET_OK; i++) {
                snprintf(path, sizeof path, "%s/%07llu", folder, (unsigned long long)i);
                status = kloset_emit(out, &record);
        }
        return status;
}

static kloset_status scan(kloset_call *call, void *self, kloset_emitter *out)
{
        struct bench *bench = self;
        kloset_status status = emit_folder(out, "/");

        (void)call;
        if (status == KLOSET_OK)
                status = emit_folder(out, "/f");
        if (status == KLOSET_OK)
                status = emit_files(out, "/f", bench->files, &bench->size);
        if (status == KLOSET_OK && bench->records > 0)
                status = emit_folder(out, "/r");
        if (status == KLOSET_OK)
                status = emit_files(out, "/r", bench->records, &bench->nothing);
        return status;
}

static kloset_status open_content(kloset_call *call, void *self, void *content, kloset_reader **reader)
{
        const uint64_t *size = content;

        take_time(self);
        return open_span(call, *size, 0, KLOSET_UNKNOWN, reader);
}

/* ---- exporter ------------------------------------------------------------------------------------------------------------- */

static kloset_status take_all(kloset_source *source)
{
        const void *data;
        size_t len;
        kloset_status status;

        do {
                status = kloset_source_next(source, &data, &len);
        } while (status == KLOSET_OK && len > 0);
        return status;
}

static kloset_status take_entry(kloset_call *call, void *self, const kloset_entry *entry)
{
        (void)call;
        (void)self;
        (void)entry;
        return KLOSET_OK;
}

static kloset_status store_file(kloset_call *call, void *self, const kloset_entry *entry, kloset_source *source)
{
        kloset_status status = take_all(source);

        (void)call;
        (void)entry;
        take_time(self);
        return status;
}

static kloset_status take_link(kloset_call *call, void *self, const kloset_entry *entry, int32_t kind, const char *target,
                               size_t target_len)
{
        (void)kind;
        (void)target;
        (void)target_len;
        return take_entry(call, self, entry);
}

/* ---- store ---------------------------------------------------------------------------------------------------------------- */

static kloset_status create(kloset_call *call, void *self, const void *config, size_t config_len)
{
        (void)call;
        (void)self;
        (void)config;
        (void)config_len;
        return KLOSET_OK;
}

static kloset_status open_store(kloset_call *call, void *self, kloset_bytes *config)
{
        (void)call;
        (void)self;
        (void)config;
        return KLOSET_OK;
}

static kloset_status list(kloset_call *call, void *self, int32_t kind, kloset_list *out)
{
        const struct bench *bench = self;
        uint8_t mac[KLOSET_MAC_LEN] = {0};
        kloset_status status = KLOSET_OK;

        (void)call;
        (void)kind;
        for (uint64_t i = 0; i < bench->macs && status == KLOSET_OK; i++) {
                memcpy(mac, &i, sizeof i);
                status = kloset_list_add(out, mac);
        }
        return status;
}

static kloset_status put(kloset_call *call, void *self, const kloset_object *object, kloset_source *source)
{
        (void)call;
        (void)self;
        (void)object;
        return take_all(source);
}

static kloset_status get(kloset_call *call, void *self, const kloset_object *object, uint64_t offset, uint64_t length,
                         kloset_reader **reader)
{
        const struct bench *bench = self;

        (void)object;
        take_time(bench);
        return open_span(call, bench->size, offset, length, reader);
}

static kloset_status delete_object(kloset_call *call, void *self, const kloset_object *object)
{
        (void)call;
        (void)self;
        (void)object;
        return KLOSET_OK;
}

/* ---- */

int main(int argc, char **argv)
{
        kloset_importer importer = KLOSET_IMPORTER_INIT;
        kloset_exporter exporter = KLOSET_EXPORTER_INIT;
        kloset_store store = KLOSET_STORE_INIT;
        kloset_connector connector = KLOSET_CONNECTOR_INIT;

        make_block();

        importer.thread_model = KLOSET_THREADS_PARALLEL;
        importer.init = init;
        importer.scan = scan;
        importer.open_content = open_content;
        importer.destroy = free;

        exporter.thread_model = KLOSET_THREADS_PARALLEL;
        exporter.init = init;
        exporter.create_directory = take_entry;
        exporter.store_file = store_file;
        exporter.set_permissions = take_entry;
        exporter.create_link = take_link;
        exporter.create_special = take_entry;
        exporter.destroy = free;

        store.thread_model = KLOSET_THREADS_PARALLEL;
        store.init = init;
        store.create = create;
        store.open = open_store;
        store.list = list;
        store.put = put;
        store.get = get;
        store.delete_object = delete_object;
        store.destroy = free;

        connector.name = "bench-c";
        connector.importer = &importer;
        connector.exporter = &exporter;
        connector.store = &store;
        return kloset_main(argc, argv, &connector);
}
