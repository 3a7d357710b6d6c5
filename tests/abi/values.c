/*
 * What is true of the interface without a host: macros and functions start the same values, and NULL is refused and harms
 * nobody.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kloset_sdk.h>

#define CHECK(condition) \
        do { \
                if (!(condition)) { \
                        fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
                        exit(1); \
                } \
        } while (0)

/* A structure that the macro has started, compared with what the function makes of rubbish. */
#define SAME(type, macro, function) \
        do { \
                type by_macro = macro; \
                type by_function; \
                memset(&by_function, 0xa5, sizeof by_function); \
                CHECK(function(&by_function, sizeof by_function) == KLOSET_OK); \
                CHECK(memcmp(&by_macro, &by_function, sizeof by_macro) == 0); \
                CHECK(by_macro.struct_size == sizeof(type)); \
                CHECK(function(NULL, sizeof by_function) == KLOSET_INVALID); \
                CHECK(function(&by_function, 1) == KLOSET_INVALID); \
        } while (0)

static int freed;
static pthread_mutex_t freeing = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t was_freed = PTHREAD_COND_INITIALIZER;

static void free_data(void *data)
{
        (void)data;
        pthread_mutex_lock(&freeing);
        freed++;
        pthread_cond_signal(&was_freed);
        pthread_mutex_unlock(&freeing);
}

static void close_(void *user_data)
{
        free_data(user_data);
}

int main(void)
{
        SAME(kloset_record, KLOSET_RECORD_INIT, kloset_record_init);
        SAME(kloset_reader_table, KLOSET_READER_INIT, kloset_reader_init);
        SAME(kloset_writer_table, KLOSET_WRITER_INIT, kloset_writer_init);
        SAME(kloset_importer, KLOSET_IMPORTER_INIT, kloset_importer_init);
        SAME(kloset_exporter, KLOSET_EXPORTER_INIT, kloset_exporter_init);
        SAME(kloset_store, KLOSET_STORE_INIT, kloset_store_init);
        SAME(kloset_connector, KLOSET_CONNECTOR_INIT, kloset_connector_init);

        /* An author with a newer header has a larger structure, all of which is started. */
        struct {
                kloset_record record;
                char more[40];
        } larger;
        memset(&larger, 0xa5, sizeof larger);
        static const char zeros[sizeof larger.more];
        CHECK(kloset_record_init(&larger.record, sizeof larger) == KLOSET_OK);
        CHECK(larger.record.struct_size == sizeof larger && memcmp(larger.more, zeros, sizeof zeros) == 0);

        kloset_record *made = kloset_record_new();
        CHECK(made->struct_size == sizeof *made && made->path_len == KLOSET_NUL && made->size == KLOSET_UNKNOWN);
        kloset_record_free(made);
        kloset_record_free(NULL);

        CHECK(kloset_abi_version() == KLOSET_ABI_VERSION);
        CHECK(strchr(kloset_version(), '.') != NULL);
        CHECK(strcmp(kloset_kind_name(KLOSET_ECC_STATE), "ecc-state") == 0 && kloset_kind_name(9) == NULL);

        uint8_t mac[KLOSET_MAC_LEN], back[KLOSET_MAC_LEN];
        char text[KLOSET_MAC_TEXT];
        for (int i = 0; i < KLOSET_MAC_LEN; i++)
                mac[i] = (uint8_t)(i * 37);
        kloset_mac_format(mac, text);
        CHECK(strlen(text) == KLOSET_MAC_TEXT - 1);
        CHECK(kloset_mac_parse(text, KLOSET_NUL, back) == KLOSET_OK && memcmp(mac, back, sizeof mac) == 0);
        CHECK(kloset_mac_parse(text, 64, back) == KLOSET_OK);
        CHECK(kloset_mac_parse(text, 63, back) == KLOSET_INVALID);
        CHECK(kloset_mac_parse("x", KLOSET_NUL, back) == KLOSET_INVALID);
        CHECK(kloset_mac_parse(NULL, 0, back) == KLOSET_INVALID);
        CHECK(kloset_mac_parse(text, KLOSET_NUL, NULL) == KLOSET_INVALID);
        text[1] = 'A';
        CHECK(kloset_mac_parse(text, KLOSET_NUL, back) == KLOSET_INVALID);

        CHECK(kloset_fail(NULL, KLOSET_NOT_FOUND, "text", KLOSET_NUL) == KLOSET_NOT_FOUND);
        CHECK(kloset_fail(NULL, 77, "text", KLOSET_NUL) < 0);
        CHECK(kloset_fail_errno(NULL, 2, NULL) < 0);
        CHECK(kloset_cancelled(NULL) == 0 && kloset_scan_begins(NULL) == 0 && kloset_emitter_cancelled(NULL) == 0);
        CHECK(strcmp(kloset_error_text(NULL), "") == 0);
        CHECK(kloset_config_get(NULL, "x", 1) == NULL && strcmp(kloset_config_require(NULL, "x", 1), "") == 0);
        CHECK(kloset_config_number(NULL, "x", 1, 5, 0, 9) == 5 && kloset_config_count(NULL) == 0);
        CHECK(kloset_set_root(NULL, "/", 1) == KLOSET_INVALID);
        CHECK(kloset_emit(NULL, NULL) == KLOSET_INVALID);
        CHECK(kloset_emit_error(NULL, "/", 1, "text", 4) == KLOSET_INVALID);
        size_t n = 0;
        CHECK(kloset_source_read(NULL, text, 1, &n) == KLOSET_INVALID && kloset_source_size(NULL) == KLOSET_UNKNOWN);
        CHECK(kloset_list_add(NULL, mac) == KLOSET_INVALID && kloset_bytes_add(NULL, mac, 1) == KLOSET_INVALID);
        kloset_log(KLOSET_LOG_DEBUG, NULL, 0);

        /* What a call takes it takes whatever it returns. */
        kloset_reader *reader = NULL;
        kloset_reader_table table = KLOSET_READER_INIT;
        table.close = close_;
        CHECK(kloset_reader_new(NULL, &table, &reader) == KLOSET_INVALID);
        CHECK(kloset_reader_from_memory(NULL, mac, 1, free_data, &reader) == KLOSET_INVALID);
        int descriptor = open("/dev/null", O_RDONLY);
        CHECK(kloset_reader_from_fd(NULL, descriptor, &reader) == KLOSET_INVALID);
        CHECK(fcntl(descriptor, F_GETFD) == -1);
        pthread_mutex_lock(&freeing);
        while (freed < 2)
                pthread_cond_wait(&was_freed, &freeing);
        pthread_mutex_unlock(&freeing);

        CHECK(kloset_run(NULL, NULL, 0) == 1);
        puts("ok");
        return 0;
}
