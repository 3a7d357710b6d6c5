/*
 * kloset_sdk.h - write connectors for Plakar, the open-source backup program, in C and in every language that can call C.
 *
 * A connector is an importer (a backup reads from it), an exporter (a restore writes to it) or a store (it keeps repositories).
 * Plakar starts it as a child process; this library speaks Plakar's protocol over the child's standard input and output, and
 * calls the functions that you write.
 *
 * Link statically, since a package holds your executable and nothing else:
 *
 *      cc -o notes notes.c $(pkg-config --cflags --libs kloset_sdk-static)
 *
 * The shared library (pkg-config kloset_sdk) has to be found when the program starts: LD_LIBRARY_PATH, -Wl,-rpath.
 *
 *
 * THE ORDER IN WHICH YOU NEED THINGS
 *
 *  1. main fills a table for each role (kloset_importer, kloset_exporter, kloset_store), puts the tables into a
 *     kloset_connector, and returns kloset_main(argc, argv, &connector).
 *  2. init reads the configuration (kloset_config_*), makes your instance, stores it in *self and fails where something is
 *     wrong (kloset_fail, kloset_fail_errno).
 *  3. An importer's scan makes a kloset_record for each entry and hands it to kloset_emit. When the host wants the content of
 *     a record, open_content makes a reader (kloset_reader_from_path and its like).
 *     An exporter's create_directory, store_file and set_permissions are told what to write by a kloset_entry and a kloset_source.
 *     A store's create and open deal with the repository; list, put, get and delete_object with the objects in it.
 *  4. destroy frees your instance.
 *
 * The command line names the role to play: importer, exporter or store; with one role in the connector none is needed. In the
 * manifest: `type: storage` and `args: [store]` for a store. Run your executable with --help.
 *
 * A whole importer:
 *
 *      #include <kloset_sdk.h>
 *
 *      static kloset_status init(kloset_call *call, void *user_data, const kloset_config *config, void **self)
 *      {
 *              (void)user_data, (void)self;
 *              kloset_config_only(config, NULL, 0);
 *              return kloset_set_root(call, "/", KLOSET_NUL);    (paths do not depend on the location here)
 *      }
 *
 *      static kloset_status scan(kloset_call *call, void *self, kloset_emitter *out)
 *      {
 *              (void)call, (void)self;
 *              kloset_record record = KLOSET_RECORD_INIT;
 *              record.path = "/today.txt";
 *              record.content_bytes = "buy milk\n", record.content_bytes_len = 9;
 *              return kloset_emit(out, &record);
 *      }
 *
 *      int main(int argc, char **argv)
 *      {
 *              kloset_importer importer = KLOSET_IMPORTER_INIT;
 *              importer.init = init;
 *              importer.scan = scan;
 *
 *              kloset_connector connector = KLOSET_CONNECTOR_INIT;
 *              connector.name = "notes";
 *              connector.importer = &importer;
 *              return kloset_main(argc, argv, &connector);
 *      }
 *
 *
 * RULES THAT HOLD EVERYWHERE
 *
 *  - Texts are a pointer and a length; KLOSET_NUL as the length says that the text ends with a NUL. They are UTF-8, and what is
 *    not is refused by name; paths of this machine's files may hold any bytes. Texts that the library hands out end with a NUL.
 *  - Structures begin with their size and are started with their KLOSET_*_INIT, or where there are no macros with the function
 *    of the same name (kloset_record_init). What is zero or NULL in a started structure is a default.
 *  - A callback returns KLOSET_OK, or fails: `return kloset_fail(call, KLOSET_NOT_FOUND, "why", KLOSET_NUL)`. The user reads
 *    the text. A failure whose function has set the text already is just returned.
 *  - A call, a configuration, an emitter, a source and the structures that a callback is given are valid until it returns.
 *  - Every callback is called under the table's thread_model. By default none ever executes at the same time as another; but
 *    while one waits in kloset_emit or kloset_source_*, others run. So two puts may be half done at once, each with a temporary
 *    name and a buffer of its own.
 *  - The host usually starts a second process that scans as well, to count: a scan must have no effect (see KLOSET_FLAG_STREAM).
 *  - Signatures never change, and things are only added at the ends of tables: a connector that was built against an older
 *    header works with a newer library. Macros and constants starting with KLOSET_, and the rest starting with kloset_, are
 *    the library's.
 *
 * Each comment says in brackets who owns what, and from where a thing is called:
 *
 *      [takes X]                 X belongs to the one that is called, whatever it returns
 *      [borrows X until WHEN]    X must stay as it is until then, and is not used later
 *      [borrows the result ...]  what is returned stays as it is until then
 *      [thread callback]         the library calls it under the thread_model, from a thread of its own
 *      [thread any]              any thread may call it, also several at once, as long as its arguments are valid
 *
 * Reserved for later, and not there yet: KLOSET_PENDING with kloset_complete, for calls that are kept and completed later;
 * kloset_fd and kloset_dispatch, for those who have an event loop of their own.
 *
 * This file is generated (make header); its texts are those of ffi/src.
 */

#ifndef KLOSET_SDK_H
#define KLOSET_SDK_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif


/* ====================================================================================================
 * STATUS, CONSTANTS
 *
 * What calls return, and the numbers that the rest is written with.
 */

/*
 * What every call returns: 0 for success, a number above 0 for an outcome that is no failure, one below 0 for a
 * failure.
 *
 * A callback that returns a number which is not among these is reported to the user by the callback's name and the
 * number.
 */
typedef int32_t kloset_status;

/* It worked. */
#define KLOSET_OK 0
/* There is nothing more. Only scan_next returns it. */
#define KLOSET_END 1
/* Reserved for calls that are kept and completed later with kloset_complete. Not implemented yet: an unknown status. */
#define KLOSET_PENDING 2
/* It failed, for a reason that only the text of kloset_fail tells. */
#define KLOSET_FAILED (-1)
/* What was asked for is not there. A store's callbacks must tell this from every other failure. */
#define KLOSET_NOT_FOUND (-2)
/* What was to be made is there already. */
#define KLOSET_ALREADY_EXISTS (-3)
/* The connector may not do this. */
#define KLOSET_PERMISSION_DENIED (-4)
/* The configuration, an argument or a record is wrong. */
#define KLOSET_INVALID (-5)
/* The connector does not offer this. */
#define KLOSET_NOT_SUPPORTED (-6)
/* The host no longer wants the answer. */
#define KLOSET_CANCELLED (-7)
/* Data ended before it was complete: the host broke off. */
#define KLOSET_TRUNCATED (-8)
/*
 * An exception was caught in the connector's code, for bindings of languages that have them. The instance gets no more
 * work.
 */
#define KLOSET_PANICKED (-9)
/* As the length of a text: it ends at its first NUL. */
#define KLOSET_NUL SIZE_MAX
/* A size that is not known, a length that goes to the end. */
#define KLOSET_UNKNOWN UINT64_MAX
/* The version of this header. It is raised when something is added; what is there never changes. */
#define KLOSET_ABI_VERSION 1
/* The bits of a mode that hold the type; the values are those of st_mode. */
#define KLOSET_MODE_TYPE 0170000
/* A regular file. */
#define KLOSET_MODE_REGULAR 0100000
/* A directory. */
#define KLOSET_MODE_DIRECTORY 040000
/* A symbolic link. */
#define KLOSET_MODE_SYMLINK 0120000
/* A block device. */
#define KLOSET_MODE_BLOCK_DEVICE 060000
/* A character device. */
#define KLOSET_MODE_CHARACTER_DEVICE 020000
/* A named pipe. */
#define KLOSET_MODE_FIFO 010000
/* A socket. */
#define KLOSET_MODE_SOCKET 0140000

/*
 * Thread model, the default: callbacks never execute at the same time, over the whole connector. One that waits inside
 * a function of this library (kloset_emit, kloset_source_read and its like) gives up its turn meanwhile, so that others
 * may run in between; turns are given in the order in which they were asked for.
 */
#define KLOSET_THREADS_SERIAL 0

/* Thread model: as KLOSET_THREADS_SERIAL, for each instance on its own. */
#define KLOSET_THREADS_INSTANCE 1
/* Thread model: callbacks execute at the same time, from many threads. max_concurrency may limit how many. */
#define KLOSET_THREADS_PARALLEL 2

/*
 * Thread model: every callback executes on the thread that called kloset_main or kloset_run, one after the other. The
 * shapes that wait (scan, store_file, put and the named put_*) are refused by name: write scan_next, create_file,
 * create_object.
 */
#define KLOSET_THREADS_CALLER 3


/* ====================================================================================================
 * HANDLES
 *
 * Each stands for something of the library. None is ever made or freed by the author.
 */

/*
 * A call of one of the author's callbacks, valid until that callback returns: errors are set on it, and it says whether
 * the host has lost interest.
 */
typedef struct kloset_call kloset_call;

/* What init is given: the user's options, and what the host tells about itself. */
typedef struct kloset_config kloset_config;

/* What a scan pushes its records into. */
typedef struct kloset_emitter kloset_emitter;

/* Something that the library will read from: a content, an object of a store. */
typedef struct kloset_reader kloset_reader;

/* What the host sends of a file or an object, for the author to read. */
typedef struct kloset_source kloset_source;

/* Something that the library will write to: a file, an object of a store. */
typedef struct kloset_writer kloset_writer;

/* What takes bytes: the configuration of a repository. */
typedef struct kloset_bytes kloset_bytes;

/* What takes the names of a store's objects. */
typedef struct kloset_list kloset_list;


/* ====================================================================================================
 * THE CALL
 *
 * Every callback that can fail gets a call first. It belongs to that callback until it returns.
 */

/*
 * Says why the call fails, in words that the user of Plakar reads. A callback writes `return kloset_fail(call,
 * KLOSET_NOT_FOUND, "no such table", KLOSET_NUL);`
 *
 * The text is copied; what is not UTF-8 in it is replaced. A later failure of the same call takes the place of an
 * earlier one. Returns code, or KLOSET_FAILED where code is none of the failures.
 *
 * [borrows text until this returns] [thread any]
 */
kloset_status kloset_fail(kloset_call *call,
                          kloset_status code,
                          const char *text,
                          size_t text_len);

/*
 * As kloset_fail, with the text that the system has for an errno: `return kloset_fail_errno(call, errno, path);` makes
 * "PATH: No such file or directory" and returns KLOSET_NOT_FOUND. what ends with a NUL and may be NULL. ENOENT is
 * KLOSET_NOT_FOUND, EEXIST KLOSET_ALREADY_EXISTS, EACCES and EPERM are KLOSET_PERMISSION_DENIED, EINVAL is
 * KLOSET_INVALID, ENOSYS KLOSET_NOT_SUPPORTED, any other KLOSET_FAILED.
 *
 * [borrows what until this returns] [thread any]
 */
kloset_status kloset_fail_errno(kloset_call *call,
                                int32_t error_number,
                                const char *what);

/*
 * 1 where the host no longer wants this call's answer, else 0. A callback that works for long asks now and then, and
 * returns KLOSET_CANCELLED. Known for a scan, and for what reads from a kloset_source.
 *
 * [thread any]
 */
int32_t kloset_cancelled(const kloset_call *call);

/*
 * As kloset_fail, with a text formatted as by printf, of up to 1023 bytes:
 * `return kloset_failf(call, KLOSET_INVALID, "table %s has %d columns", name, n);`
 *
 * [borrows the arguments until this returns] [thread any]
 */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
static inline kloset_status kloset_failf(kloset_call *call, kloset_status code, const char *format, ...)
{
        char text[1024];
        va_list arguments;
        va_start(arguments, format);
        if (vsnprintf(text, sizeof text, format, arguments) < 0)
                text[0] = '\0';
        va_end(arguments);
        return kloset_fail(call, code, text, KLOSET_NUL);
}


/* ====================================================================================================
 * CONFIGURATION
 *
 * What init is given. A mistake of the user that one of these functions notices (kloset_config_require, _path, _number, _flag
 * and _only) makes init fail with a text that says what to do, whatever init returns: nothing has to be checked after them.
 * Texts end with a NUL and hold none (a configuration with one is refused before init).
 */

/*
 * The location as a path of the file system, "/srv" for "fs:///srv". Where the location names none, init fails, and
 * this is "". A relative one ("fs://a/b") is relative to the working directory, which is the user's; the manifest's
 * location flag localfs makes Plakar turn it into an absolute one.
 *
 * [borrows the result until init returns] [thread any]
 */
const char *kloset_config_path(const kloset_config *config);

/*
 * The whole location: "fs:///srv".
 *
 * [borrows the result until init returns] [thread any]
 */
const char *kloset_config_location(const kloset_config *config);

/*
 * The location without "proto://", whatever it is: "me" for "notes://me", "" for "notes://".
 *
 * [borrows the result until init returns] [thread any]
 */
const char *kloset_config_rest(const kloset_config *config);

/*
 * The protocol under which the user knows the connector: "fs" in "fs:///srv".
 *
 * [borrows the result until init returns] [thread any]
 */
const char *kloset_config_protocol(const kloset_config *config);

/*
 * The value of an option, NULL where the user did not give it.
 *
 * [borrows name until this returns] [borrows the result until init returns] [thread any]
 */
const char *kloset_config_get(const kloset_config *config, const char *name, size_t name_len);

/*
 * The value of an option that the connector cannot do without. Where it is missing or empty, init fails, and this is
 * "".
 *
 * [borrows name until this returns] [borrows the result until init returns] [thread any]
 */
const char *kloset_config_require(const kloset_config *config, const char *name, size_t name_len);

/*
 * The value of an option as a whole number, default_value where the user did not give it. Where it is no number, or
 * none from minimum to maximum, init fails, and this is default_value.
 *
 * [borrows name until this returns] [thread any]
 */
int64_t kloset_config_number(const kloset_config *config,
                             const char *name,
                             size_t name_len,
                             int64_t default_value,
                             int64_t minimum,
                             int64_t maximum);

/*
 * The value of an option as 1 (true, yes, on, 1) or 0 (false, no, off, 0), default_value where the user did not give
 * it. Where it is none of these, init fails, and this is default_value.
 *
 * [borrows name until this returns] [thread any]
 */
int32_t kloset_config_flag(const kloset_config *config,
                           const char *name,
                           size_t name_len,
                           int32_t default_value);

/*
 * Refuses every option but these and the host's own, so that a misspelt one is not passed over in silence. names are
 * texts that end with a NUL; count is how many, or KLOSET_NUL where a NULL stands after the last.
 *
 * Returns KLOSET_OK or KLOSET_INVALID; init fails in any case.
 *
 * [borrows names until this returns] [thread any]
 */
kloset_status kloset_config_only(const kloset_config *config,
                                 const char *const *names,
                                 size_t count);

/*
 * How many options there are, "location" among them.
 *
 * [thread any]
 */
size_t kloset_config_count(const kloset_config *config);

/*
 * The name of an option, the first being 0, in alphabetical order; NULL beyond the last.
 *
 * [borrows the result until init returns] [thread any]
 */
const char *kloset_config_name(const kloset_config *config, size_t index);

/*
 * The value of that option; NULL beyond the last.
 *
 * [borrows the result until init returns] [thread any]
 */
const char *kloset_config_value(const kloset_config *config, size_t index);

/*
 * The name of the machine that the backup is made on.
 *
 * [borrows the result until init returns] [thread any]
 */
const char *kloset_config_hostname(const kloset_config *config);

/*
 * Its operating system as Go names it: "linux", "darwin".
 *
 * [borrows the result until init returns] [thread any]
 */
const char *kloset_config_os(const kloset_config *config);

/*
 * Its architecture as Go names it: "amd64", "arm64".
 *
 * [borrows the result until init returns] [thread any]
 */
const char *kloset_config_arch(const kloset_config *config);

/*
 * The working directory of the user's command.
 *
 * [borrows the result until init returns] [thread any]
 */
const char *kloset_config_cwd(const kloset_config *config);

/*
 * How many workers the host has.
 *
 * [thread any]
 */
uint32_t kloset_config_max_concurrency(const kloset_config *config);

/*
 * 1 where the user wants no extended attributes, else 0. The library leaves them out then; not reading them saves time.
 *
 * [thread any]
 */
int32_t kloset_config_no_xattr(const kloset_config *config);

/*
 * How many patterns the user excludes from the backup. The host applies them; a scan may, to save time.
 *
 * [thread any]
 */
size_t kloset_config_exclude_count(const kloset_config *config);

/*
 * A pattern in gitignore's syntax, anchored at "/", the first being 0; NULL beyond the last.
 *
 * [borrows the result until init returns] [thread any]
 */
const char *kloset_config_exclude(const kloset_config *config, size_t index);


/* ====================================================================================================
 * LOCATION
 *
 * What the connector says of the place where the data is. The defaults come from the configuration; init changes what is
 * different. A failure here makes init fail, whatever init returns. Elsewhere than in init these return KLOSET_INVALID.
 */

/* An importer's scan cannot be run twice. Without it the host starts a second process that scans as well, to count. */
#define KLOSET_FLAG_STREAM 4
/* An importer wants to see results: acknowledge is called. Set by itself where the table has acknowledge. */
#define KLOSET_FLAG_NEED_ACK 8
/* Two importers of this type cannot share a snapshot. */
#define KLOSET_FLAG_NO_MERGE 16
/* An exporter wants extended attributes: set_xattr is called. Set by itself where the table has set_xattr. */
#define KLOSET_FLAG_EXPORT_XATTR 32

/*
 * Sets where the data is: a host name, an account. The default is the host's name.
 *
 * [borrows text until this returns] [thread any]
 */
kloset_status kloset_set_origin(kloset_call *call, const char *text, size_t text_len);

/*
 * Sets what kind of place it is. The default is the protocol of the location: "fs".
 *
 * [borrows text until this returns] [thread any]
 */
kloset_status kloset_set_type(kloset_call *call, const char *text, size_t text_len);

/*
 * Sets the path that everything lies below; absolute and clean for an importer. The default is the location without
 * "proto://" where that is an absolute path, else "/".
 *
 * [borrows path until this returns] [thread any]
 */
kloset_status kloset_set_root(kloset_call *call,
                              const char *path,
                              size_t path_len);

/*
 * Sets how the host is to treat the location: the sum of KLOSET_FLAG_*.
 *
 * [thread any]
 */
kloset_status kloset_set_flags(kloset_call *call, uint32_t flags);


/* ====================================================================================================
 * RECORDS
 *
 * A record is an entry that an importer has found. Start it with KLOSET_RECORD_INIT, fill in what is known, hand it to
 * kloset_emit (or fill the one that scan_next is given): everything in it but content is copied there.
 */

/* An extended attribute. */
typedef struct kloset_xattr {
        /* Its name with the namespace, "user.color"; UTF-8. */
        const char *name;
        /* The name's length or KLOSET_NUL. */
        size_t name_len;
        /* Its value. */
        const void *value;
        /* How many bytes that is. */
        size_t value_len;
} kloset_xattr;

/*
 * An entry that an importer has found. KLOSET_RECORD_INIT makes it a regular file of mode 0644 whose size is not known;
 * lengths of texts are KLOSET_NUL.
 *
 * A regular file has exactly one of content, content_path and content_bytes (an empty file too), nothing else has one.
 */
typedef struct kloset_record {
        /* The size of the structure in the author's eyes. */
        size_t struct_size;
        /*
         * Absolute, clean, UTF-8; at or below the location's root, or a directory above it. Directories that are not
         * emitted are made up with mode 0755.
         */
        const char *path;
        /* The path's length or KLOSET_NUL. */
        size_t path_len;
        /* What a symbolic link points to, as it is written in the link; else NULL. */
        const char *target;
        /* The target's length or KLOSET_NUL. */
        size_t target_len;
        /* The owner's name, NULL where it is not known. */
        const char *username;
        /* The name's length or KLOSET_NUL. */
        size_t username_len;
        /* The group's name, NULL where it is not known. */
        const char *groupname;
        /* The name's length or KLOSET_NUL. */
        size_t groupname_len;
        /*
         * Whatever open_content needs to open the content. Taken by kloset_emit, whatever that returns, and given to
         * free_content exactly once.
         */
        void *content;
        /* In place of content: a regular file on this machine, opened by the library when the host asks. Any bytes. */
        const char *content_path;
        /* The path's length or KLOSET_NUL. */
        size_t content_path_len;
        /*
         * In place of content: the content itself. Copied, unless free_content_bytes is set. An empty file has "" here
         * and a length of 0: NULL is no content.
         */
        const void *content_bytes;
        /* How many bytes that is. */
        size_t content_bytes_len;
        /*
         * Where it is set, content_bytes is not copied but taken by kloset_emit, whatever that returns, and given to
         * this function exactly once. [takes content_bytes] [thread callback]
         */
        void (*free_content_bytes)(void *content_bytes);
        /* Extended attributes; an array. */
        const kloset_xattr *xattrs;
        /* How many there are. */
        size_t xattr_count;
        /* How far apart they are: sizeof(kloset_xattr). */
        size_t xattr_size;
        /*
         * In place of everything but path: why this entry could not be read. The host notes it and goes on. path may
         * hold any bytes then.
         */
        const char *error;
        /* The text's length or KLOSET_NUL. */
        size_t error_len;
        /* Type and permissions as in st_mode: KLOSET_MODE_REGULAR | 0644. Without a type it is refused. */
        uint32_t mode;
        /* Attributes of Windows file systems, else 0. */
        uint32_t file_attributes;
        /* Flags of BSD file systems (st_flags), else 0. */
        uint32_t flags;
        /* When the content was last changed: nanoseconds after mtime, below 1000000000. */
        uint32_t mtime_nanos;
        /* When the content was last changed: seconds since 1970 in UTC, negative before. */
        int64_t mtime;
        /*
         * Bytes; KLOSET_UNKNOWN where it is not known before the content is read. With content_bytes the library knows.
         */
        uint64_t size;
        /*
         * The device that the entry lies on. Entries with the same dev and ino and with nlink above 1 are hard links of
         * one file.
         */
        uint64_t dev;
        /* The entry's number on its device. */
        uint64_t ino;
        /* How many names the entry has. */
        uint64_t nlink;
        /* The owner's number. */
        uint64_t uid;
        /* The group's number. */
        uint64_t gid;
} kloset_record;

/* Starts one: kloset_record x = KLOSET_RECORD_INIT; */
#define KLOSET_RECORD_INIT \
        { \
                sizeof(kloset_record), NULL, KLOSET_NUL, NULL, KLOSET_NUL, NULL, KLOSET_NUL, \
                NULL, KLOSET_NUL, NULL, NULL, KLOSET_NUL, NULL, 0, NULL, NULL, 0, \
                sizeof(kloset_xattr), NULL, KLOSET_NUL, KLOSET_MODE_REGULAR | 0644, 0, 0, 0, 0, \
                KLOSET_UNKNOWN, 0, 0, 1, 0, 0 \
        }

/*
 * What KLOSET_RECORD_INIT does, for a record of this many bytes. Also starts a record anew.
 *
 * [borrows record until this returns] [thread any]
 */
kloset_status kloset_record_init(kloset_record *record, size_t struct_size);

/*
 * A new record on the heap, started, for languages that cannot lay out a structure; NULL without memory.
 *
 * [thread any]
 */
kloset_record *kloset_record_new(void);

/*
 * Frees such a record; not what it points to. NULL is allowed.
 *
 * [takes record] [thread any]
 */
void kloset_record_free(kloset_record *record);

/*
 * Looks at a file of this machine and fills in its mode, size, time, owner with names, dev, ino, nlink, and a symbolic
 * link's target. Symbolic links are not followed. path and content stay what they are. The path may hold any bytes.
 *
 * Failing, it has set the call's error: "PATH: Permission denied". To go on with the scan, emit an error record.
 *
 * [borrows path until this returns] [borrows the texts that it fills in until the next use of this record here or the
 * end of the call] [thread any]
 */
kloset_status kloset_record_set_file(kloset_call *call,
                                     kloset_record *record,
                                     const char *path,
                                     size_t path_len);

/*
 * Reads the extended attributes of a file of this machine (of a symbolic link itself) into xattrs. A file system
 * without any has none; that is no failure.
 *
 * [borrows path until this returns] [borrows what it fills in until the next use of this record here or the end of the
 * call] [thread any]
 */
kloset_status kloset_record_read_xattrs(kloset_call *call,
                                        kloset_record *record,
                                        const char *path,
                                        size_t path_len);

/*
 * The text of the call's error, as kloset_fail or a failing function of the library has set it: for an error record. ""
 * where there is none; ends with a NUL.
 *
 * [borrows the result until the next failure of this call or its end] [thread any]
 */
const char *kloset_error_text(kloset_call *call);


/* ====================================================================================================
 * EMITTING
 *
 * A scan pushes its records into an emitter, from any thread, until it returns.
 */

/*
 * Sends a record to the host; waits while the host is slow, and gives up the turn meanwhile (see thread_model).
 *
 * KLOSET_CANCELLED says that the host wants no more: return it. Any other failure is a mistake in that record, which
 * was not sent; its text is the call's error, and a warning in the log. The scan may go on or fail with it.
 *
 * [takes record->content] [borrows the rest of record until this returns] [thread any]
 */
kloset_status kloset_emit(kloset_emitter *out,
                          const kloset_record *record);

/*
 * Sends many records: count of them, each stride bytes after the one before (sizeof(kloset_record), or more where the
 * record begins a larger structure). Every one is tried; returns the first failure.
 *
 * [takes every record's content] [borrows the rest until this returns] [thread any]
 */
kloset_status kloset_emit_batch(kloset_emitter *out,
                                const kloset_record *records,
                                size_t count,
                                size_t stride);

/*
 * Tells the host that an entry could not be read; the host notes the error and goes on. The path may hold any bytes:
 * what is not UTF-8 is shown as \xff.
 *
 * [borrows path, text until this returns] [thread any]
 */
kloset_status kloset_emit_error(kloset_emitter *out,
                                const char *path,
                                size_t path_len,
                                const char *text,
                                size_t text_len);

/*
 * 1 where the host wants no more, else 0.
 *
 * [thread any]
 */
int32_t kloset_emitter_cancelled(const kloset_emitter *out);


/* ====================================================================================================
 * READERS
 *
 * open_content and get hand out a reader: the library then reads from it, once, from front to end, and closes it. For a file,
 * a descriptor or memory the library has readers of its own. Anything else is a table of read and close.
 *
 * Each of these functions makes *reader, valid in the same call only: return KLOSET_OK and it is the library's. Where the
 * callback fails, or leaves it out, it is closed all the same.
 */

/* What reads from something of the author's. Start it with KLOSET_READER_INIT; kloset_reader_new copies it. */
typedef struct kloset_reader_table {
        /* The size of the table in the author's eyes. */
        size_t struct_size;
        /* KLOSET_ABI_VERSION in the author's eyes. */
        uint32_t abi_version;
        /* Zero. */
        uint32_t reserved;
        /* What is read from, handed to every callback. */
        void *user_data;
        /* Optional. Called once, after close. [takes user_data] [thread callback] */
        void (*free_user_data)(void *user_data);
        /*
         * Required. Writes up to len bytes (never 0) into buffer and their number into *count: 0 is the end, fewer than
         * len are fine. More than len is an error, and nothing of it reaches the backup.
         *
         * [borrows buffer until this returns] [thread callback]
         */
        kloset_status (*read)(kloset_call *call, void *user_data, void *buffer, size_t len, size_t *count);
        /*
         * Optional. Called exactly once, after the last read, also where a read failed or the host lost interest.
         * [thread callback]
         */
        void (*close)(void *user_data);
} kloset_reader_table;

/* Starts one: kloset_reader_table x = KLOSET_READER_INIT; */
#define KLOSET_READER_INIT \
        { \
                sizeof(kloset_reader_table), KLOSET_ABI_VERSION, 0, NULL, NULL, NULL, NULL \
        }

/*
 * What KLOSET_READER_INIT does, for a table of this many bytes.
 *
 * [borrows table until this returns] [thread any]
 */
kloset_status kloset_reader_init(kloset_reader_table *table, size_t struct_size);

/*
 * Makes a reader from a table. Where this fails, close and free_user_data have been called.
 *
 * [borrows table until this returns] [takes table->user_data] [thread any]
 */
kloset_status kloset_reader_new(kloset_call *call, const kloset_reader_table *table, kloset_reader **reader);

/*
 * Makes a reader from a regular file, opened now. The path may hold any bytes.
 *
 * [borrows path until this returns] [thread any]
 */
kloset_status kloset_reader_from_path(kloset_call *call, const char *path, size_t path_len, kloset_reader **reader);

/*
 * As kloset_reader_from_path, for a part of the file. It ends early where the file does; a length of KLOSET_UNKNOWN
 * goes to the end. offset and length of a store's get fit as they are.
 *
 * [borrows path until this returns] [thread any]
 */
kloset_status kloset_reader_from_path_range(kloset_call *call,
                                            const char *path,
                                            size_t path_len,
                                            uint64_t offset,
                                            uint64_t length,
                                            kloset_reader **reader);

/*
 * Makes a reader from a descriptor, from where it stands. Closed by the library, also where this fails.
 *
 * [takes descriptor] [thread any]
 */
kloset_status kloset_reader_from_fd(kloset_call *call, int32_t descriptor, kloset_reader **reader);

/*
 * As kloset_reader_from_fd, for a part of a file that can seek. A length of KLOSET_UNKNOWN goes to the end.
 *
 * [takes descriptor] [thread any]
 */
kloset_status kloset_reader_from_fd_range(kloset_call *call,
                                          int32_t descriptor,
                                          uint64_t offset,
                                          uint64_t length,
                                          kloset_reader **reader);

/*
 * Makes a reader from memory. Copied, unless free_data is given: then it is called exactly once, when the bytes have
 * gone or this has failed.
 *
 * [borrows data until this returns, or takes data with free_data] [thread any; free_data: thread callback]
 */
kloset_status kloset_reader_from_memory(kloset_call *call,
                                        const void *data,
                                        size_t len,
                                        void (*free_data)(void *data),
                                        kloset_reader **reader);


/* ====================================================================================================
 * SOURCES
 *
 * store_file and put get a source with what the host sends. They read it to its end: success before that is turned into an
 * error. A failure in the middle says that the host broke off: nothing of the file or object may be kept. The functions wait for
 * the host, and give up the turn meanwhile (see thread_model). A source is used by one thread at a time.
 */

/*
 * Reads up to len bytes into buffer and sets *count; 0 is the end. Fewer than len does not mean that the end is near.
 *
 * [borrows buffer, count until this returns] [thread any]
 */
kloset_status kloset_source_read(kloset_source *source, void *buffer, size_t len, size_t *count);

/*
 * Lends the next piece without copying it; *len is 0 at the end.
 *
 * [borrows *data until the next use of the source or the end of the call] [thread any]
 */
kloset_status kloset_source_next(kloset_source *source, const void **data, size_t *len);

/*
 * Writes everything that is left to a descriptor, and how many bytes that was to *written, which may be NULL. The
 * descriptor stays open.
 *
 * As of every kloset_source_* the failure's text is the call's error: return the status. KLOSET_TRUNCATED and
 * KLOSET_CANCELLED say that the host broke off, anything else is the descriptor's own error.
 *
 * [borrows descriptor, written until this returns] [thread any]
 */
kloset_status kloset_source_to_fd(kloset_source *source,
                                  int32_t descriptor,
                                  uint64_t *written);

/*
 * The size that the host announced, KLOSET_UNKNOWN where it did not. It may prove wrong.
 *
 * [thread any]
 */
uint64_t kloset_source_size(const kloset_source *source);


/* ====================================================================================================
 * WRITERS
 *
 * The mirror of a reader: create_file and create_object hand out a writer, and the library writes to it what the host sends.
 * After any number of writes comes exactly one of finish and abort, then free_user_data. As with readers, *writer is valid in
 * the same call only; where the callback fails or leaves it out, it is aborted.
 */

/* What takes the bytes of a file or an object. Start it with KLOSET_WRITER_INIT; kloset_writer_new copies it. */
typedef struct kloset_writer_table {
        /* The size of the table in the author's eyes. */
        size_t struct_size;
        /* KLOSET_ABI_VERSION in the author's eyes. */
        uint32_t abi_version;
        /* Zero. */
        uint32_t reserved;
        /* What is written to, handed to every callback. */
        void *user_data;
        /* Optional. Called once, after finish or abort. [takes user_data] [thread callback] */
        void (*free_user_data)(void *user_data);
        /*
         * Required. Takes the next bytes, all of them.
         *
         * [borrows data until this returns] [thread callback]
         */
        kloset_status (*write)(kloset_call *call, void *user_data, const void *data, size_t len);
        /* Required. Everything has come: keep it. After a failure nothing may be kept. [thread callback] */
        kloset_status (*finish)(kloset_call *call, void *user_data);
        /*
         * Required. The host broke off or a write failed: keep nothing. The reason ends with a NUL.
         *
         * [borrows reason until this returns] [thread callback]
         */
        void (*abort)(void *user_data, const char *reason, size_t reason_len);
} kloset_writer_table;

/* Starts one: kloset_writer_table x = KLOSET_WRITER_INIT; */
#define KLOSET_WRITER_INIT \
        { \
                sizeof(kloset_writer_table), KLOSET_ABI_VERSION, 0, NULL, NULL, NULL, NULL, NULL \
        }

/*
 * What KLOSET_WRITER_INIT does, for a table of this many bytes.
 *
 * [borrows table until this returns] [thread any]
 */
kloset_status kloset_writer_init(kloset_writer_table *table, size_t struct_size);

/*
 * Makes a writer from a table. Where this fails, abort (if there is one) and free_user_data have been called.
 *
 * [borrows table until this returns] [takes table->user_data] [thread any]
 */
kloset_status kloset_writer_new(kloset_call *call, const kloset_writer_table *table, kloset_writer **writer);


/* ====================================================================================================
 * THE IMPORTER
 *
 * A backup reads from it. init and one of scan and scan_next are required.
 */

/* What the host says of a record that it has dealt with. It is the library's, and may grow at its end. */
typedef struct kloset_acknowledgement {
        /* The size of the structure in the library's eyes. */
        size_t struct_size;
        /* The record's path; ends with a NUL. */
        const char *path;
        /* The path's length. */
        size_t path_len;
        /*
         * The extended attribute's name where it was not the entry but an attribute of it, else NULL; ends with a NUL.
         */
        const char *xattr;
        /* The name's length. */
        size_t xattr_len;
        /* What went wrong in the host, else NULL; ends with a NUL. */
        const char *error;
        /* The text's length. */
        size_t error_len;
} kloset_acknowledgement;

/* An importer. Start it with KLOSET_IMPORTER_INIT; kloset_main and kloset_run copy it. */
typedef struct kloset_importer {
        /* The size of the table in the author's eyes. */
        size_t struct_size;
        /* KLOSET_ABI_VERSION in the author's eyes. */
        uint32_t abi_version;
        /* Zero. */
        uint32_t reserved;
        /* Whatever init needs to know, NULL for nothing. */
        void *user_data;
        /*
         * Optional. Called once, after the last instance was destroyed, also where the table is refused.
         *
         * [takes user_data] [thread callback]
         */
        void (*free_user_data)(void *user_data);
        /* KLOSET_THREADS_*; the default is the safe one, KLOSET_THREADS_SERIAL. */
        int32_t thread_model;
        /*
         * How many callbacks of an instance may execute at the same time, where the thread model allows more; 0 for no
         * limit.
         */
        uint32_t max_concurrency;
        /*
         * Required. Makes an instance and stores it in *self, which may stay NULL. Must fail where the configuration is
         * wrong: the host's check of a configuration is this call and nothing else. What is in *self after a failure is
         * destroyed all the same.
         *
         * [borrows config until this returns] [thread callback]
         */
        kloset_status (*init)(kloset_call *call, void *user_data, const kloset_config *config, void **self);
        /*
         * Sends every entry into out, in any order. The host opens contents while this runs. An entry that cannot be
         * read is no reason to stop: kloset_emit_error. Never returns before threads that it has given out to have
         * stopped using it.
         *
         * [borrows out until this returns] [thread callback]
         */
        kloset_status (*scan)(kloset_call *call, void *self, kloset_emitter *out);
        /*
         * In place of scan: fills in the next entry and returns KLOSET_OK, or KLOSET_END after the last. The record is
         * started anew before each call; its content is taken, the rest is copied after this has returned, but before
         * the next call: it may point into the instance. kloset_scan_begins tells the first call of a scan, which
         * starts from the beginning.
         *
         * [borrows record until this returns] [borrows what is put into it until the next scan_next] [thread callback]
         */
        kloset_status (*scan_next)(kloset_call *call, void *self, kloset_record *record);
        /*
         * Required where records have a content of the author's. Makes *reader from the content of a record: the host
         * opens a content never, once or several times, until the record is acknowledged. Contents of up to 256 KiB
         * whose size the record says are opened and read ahead, up to eight side by side, while the host opens
         * everything that it is sent, in order. With KLOSET_UNKNOWN as its size a content is opened only when the host
         * asks for it.
         *
         * [borrows content until this returns] [thread callback]
         */
        kloset_status (*open_content)(kloset_call *call, void *self, void *content, kloset_reader **reader);
        /*
         * Optional. Called exactly once for each record's content that is not NULL: when the host has dealt with the
         * record, or when it was refused. Contents of small size are let go of by the hundred, one of a mebibyte at
         * once, and what is left when the host closes the importer.
         *
         * [takes content] [thread callback, within kloset_emit as well]
         */
        void (*free_content)(void *self, void *content);
        /*
         * Optional. The host has dealt with a record, or could not. In any order.
         *
         * [borrows acknowledgement until this returns] [thread callback]
         */
        void (*acknowledge)(void *self, const kloset_acknowledgement *acknowledgement);
        /* Optional. Whether the place that it reads from can be reached. [thread callback] */
        kloset_status (*ping)(kloset_call *call, void *self);
        /*
         * Optional. The host is done. It often ends without saying so: then only destroy is called. [thread callback]
         */
        kloset_status (*close)(kloset_call *call, void *self);
        /*
         * Optional. Called exactly once for each *self that is not NULL, after everything else of the instance.
         *
         * [takes self] [thread callback]
         */
        void (*destroy)(void *self);
} kloset_importer;

/* Starts one: kloset_importer x = KLOSET_IMPORTER_INIT; */
#define KLOSET_IMPORTER_INIT \
        { \
                sizeof(kloset_importer), KLOSET_ABI_VERSION, 0, NULL, NULL, 0, 0, NULL, NULL, \
                NULL, NULL, NULL, NULL, NULL, NULL, NULL \
        }

/*
 * What KLOSET_IMPORTER_INIT does, for a table of this many bytes.
 *
 * [borrows table until this returns] [thread any]
 */
kloset_status kloset_importer_init(kloset_importer *table, size_t struct_size);

/*
 * 1 in the first scan_next of a scan, else 0.
 *
 * [thread any]
 */
int32_t kloset_scan_begins(const kloset_call *call);


/* ====================================================================================================
 * THE EXPORTER
 *
 * A restore writes to it. init, create_directory, one of store_file and create_file, and set_permissions are required.
 *
 * Paths begin at the exporter's root: "/" is the root itself. A directory's call has ended before anything in it begins. A call
 * that fails is reported to the user with its path, and the restore goes on.
 */

/* An entry that is to be restored. It is the library's, and may grow at its end; texts end with a NUL. */
typedef struct kloset_entry {
        /* The size of the structure in the library's eyes. */
        size_t struct_size;
        /* Absolute, clean, UTF-8. */
        const char *path;
        /* The path's length. */
        size_t path_len;
        /* The last part of the path; "/" for the root. */
        const char *name;
        /* The owner's name, "" where it is not known. */
        const char *username;
        /* The name's length. */
        size_t username_len;
        /* The group's name, "" where it is not known. */
        const char *groupname;
        /* The name's length. */
        size_t groupname_len;
        /* Type and permissions as in st_mode. */
        uint32_t mode;
        /* Flags of BSD file systems (st_flags), else 0. */
        uint32_t flags;
        /* When the content was last changed: nanoseconds after mtime. */
        uint32_t mtime_nanos;
        /* Zero. */
        uint32_t reserved;
        /* When the content was last changed: seconds since 1970 in UTC, negative before. */
        int64_t mtime;
        /* Bytes, KLOSET_UNKNOWN where the host does not know. */
        uint64_t size;
        /* The device that the entry lay on. */
        uint64_t dev;
        /* The entry's number on its device. */
        uint64_t ino;
        /* How many names the entry had. */
        uint64_t nlink;
        /* The owner's number. */
        uint64_t uid;
        /* The group's number. */
        uint64_t gid;
} kloset_entry;

/*
 * Another name of an entry that was stored before. The target is that entry's path, which begins at the exporter's
 * root.
 */
#define KLOSET_LINK_HARD 1
/* A symbolic link. The target is its text, which may lead anywhere or nowhere. */
#define KLOSET_LINK_SYMBOLIC 2

/* An exporter. Start it with KLOSET_EXPORTER_INIT; kloset_main and kloset_run copy it. */
typedef struct kloset_exporter {
        /* The size of the table in the author's eyes. */
        size_t struct_size;
        /* KLOSET_ABI_VERSION in the author's eyes. */
        uint32_t abi_version;
        /* Zero. */
        uint32_t reserved;
        /* Whatever init needs to know, NULL for nothing. */
        void *user_data;
        /*
         * Optional. Called once, after the last instance was destroyed, also where the table is refused.
         *
         * [takes user_data] [thread callback]
         */
        void (*free_user_data)(void *user_data);
        /* KLOSET_THREADS_*; the default is the safe one, KLOSET_THREADS_SERIAL. */
        int32_t thread_model;
        /*
         * How many calls may be under way at once, where the thread model is KLOSET_THREADS_PARALLEL; 0 for 8. With
         * every other model it is one.
         */
        uint32_t max_concurrency;
        /*
         * Required. Makes an instance and stores it in *self, which may stay NULL. Must fail where the configuration is
         * wrong: the host's check of a configuration is this call and nothing else. The destination may not exist yet.
         * What is in *self after a failure is destroyed all the same.
         *
         * [borrows config until this returns] [thread callback]
         */
        kloset_status (*init)(kloset_call *call, void *user_data, const kloset_config *config, void **self);
        /*
         * Required. Makes a directory, and those above it that are missing. One that exists already is no error.
         *
         * [borrows entry until this returns] [thread callback]
         */
        kloset_status (*create_directory)(kloset_call *call, void *self, const kloset_entry *entry);
        /*
         * Stores a file: reads source to its end and keeps everything, or fails and keeps nothing.
         *
         * [borrows entry, source until this returns] [thread callback]
         */
        kloset_status (*store_file)(kloset_call *call,
                                    void *self,
                                    const kloset_entry *entry,
                                    kloset_source *source);
        /*
         * In place of store_file: begins a file and makes *writer, which takes its bytes.
         *
         * [borrows entry until this returns] [thread callback]
         */
        kloset_status (*create_file)(kloset_call *call,
                                     void *self,
                                     const kloset_entry *entry,
                                     kloset_writer **writer);
        /*
         * Required. Sets owner, mode and times: of a file after it was stored, of directories after everything, the
         * deepest first. Never called for symbolic links.
         *
         * [borrows entry until this returns] [thread callback]
         */
        kloset_status (*set_permissions)(kloset_call *call, void *self, const kloset_entry *entry);
        /*
         * Optional. Makes a link; kind is KLOSET_LINK_*, target ends with a NUL. For symbolic links entry has the owner
         * and times. Where hard links are not offered or fail, the library stores a full copy.
         *
         * [borrows entry, target until this returns] [thread callback]
         */
        kloset_status (*create_link)(kloset_call *call,
                                     void *self,
                                     const kloset_entry *entry,
                                     int32_t kind,
                                     const char *target,
                                     size_t target_len);
        /*
         * Optional. Makes a FIFO, a device or a socket, as entry->mode says.
         *
         * [borrows entry until this returns] [thread callback]
         */
        kloset_status (*create_special)(kloset_call *call, void *self, const kloset_entry *entry);
        /*
         * Optional. Sets an extended attribute, after the entry was stored. path and name end with a NUL.
         *
         * [borrows path, name, value until this returns] [thread callback]
         */
        kloset_status (*set_xattr)(kloset_call *call,
                                   void *self,
                                   const char *path,
                                   size_t path_len,
                                   const char *name,
                                   size_t name_len,
                                   const void *value,
                                   size_t value_len);
        /* Optional. Whether the place that it writes to can be reached. [thread callback] */
        kloset_status (*ping)(kloset_call *call, void *self);
        /*
         * Optional. The host is done. It often ends without saying so: then only destroy is called. [thread callback]
         */
        kloset_status (*close)(kloset_call *call, void *self);
        /*
         * Optional. Called exactly once for each *self that is not NULL, after everything else of the instance.
         *
         * [takes self] [thread callback]
         */
        void (*destroy)(void *self);
} kloset_exporter;

/* Starts one: kloset_exporter x = KLOSET_EXPORTER_INIT; */
#define KLOSET_EXPORTER_INIT \
        { \
                sizeof(kloset_exporter), KLOSET_ABI_VERSION, 0, NULL, NULL, 0, 0, NULL, NULL, \
                NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL \
        }

/*
 * What KLOSET_EXPORTER_INIT does, for a table of this many bytes.
 *
 * [borrows table until this returns] [thread any]
 */
kloset_status kloset_exporter_init(kloset_exporter *table, size_t struct_size);


/* ====================================================================================================
 * THE STORE
 *
 * It keeps repositories. init, create and open are required, and for each kind of object what lists, puts, gets and deletes:
 * write the general entries (list, put or create_object, get, delete_object), or the named ones of Plakar's guide, or some of
 * each. A named entry that is absent falls back to its general one; where that is absent too, the call answers "not supported"
 * by name. Objects are never changed once they are written.
 */

/* How many bytes the name of an object has. */
#define KLOSET_MAC_LEN 32
/* How many bytes its hexadecimal form takes, with the NUL. */
#define KLOSET_MAC_TEXT 65
/* A kind of object, with a space of names of its own: the data of backups; large, written once, read by range. */
#define KLOSET_PACKFILE 1
/* A kind of object: what is in which packfile; written once. */
#define KLOSET_STATE 2
/* A kind of object: who is at work; small, listed often, deleted. */
#define KLOSET_LOCK 3
/* A kind of object: error-correcting data of a packfile. */
#define KLOSET_ECC_PACKFILE 4
/* A kind of object: error-correcting data of a state. */
#define KLOSET_ECC_STATE 5
/* What may be done with a store: objects can be written. */
#define KLOSET_STORE_WRITE 2
/* What may be done with a store: objects can be read. */
#define KLOSET_STORE_READ 4

/* An object of a store. It is the library's, and may grow at its end. */
typedef struct kloset_object {
        /* The size of the structure in the library's eyes. */
        size_t struct_size;
        /* The name of its kind, fit for a folder: "packfile", "state", "lock", "ecc-packfile", "ecc-state". */
        const char *kind_name;
        /* The object's name in 64 hexadecimal digits, fit for a file; ends with a NUL. */
        const char *name;
        /* The object's name, KLOSET_MAC_LEN bytes. */
        const uint8_t *mac;
        /* KLOSET_PACKFILE or another kind. */
        int32_t kind;
        /* 1 where it is likely to be read soon: where there is fast storage, it belongs there. */
        int32_t hot;
} kloset_object;

/*
 * A store. Start it with KLOSET_STORE_INIT; kloset_main and kloset_run copy it. After init the host calls create or
 * open, once, and then whatever it needs, from several threads at once where the thread model allows.
 */
typedef struct kloset_store {
        /* The size of the table in the author's eyes. */
        size_t struct_size;
        /* KLOSET_ABI_VERSION in the author's eyes. */
        uint32_t abi_version;
        /* Zero. */
        uint32_t reserved;
        /* Whatever init needs to know, NULL for nothing. */
        void *user_data;
        /*
         * Optional. Called once, after the last instance was destroyed, also where the table is refused.
         *
         * [takes user_data] [thread callback]
         */
        void (*free_user_data)(void *user_data);
        /* KLOSET_THREADS_*; the default is the safe one, KLOSET_THREADS_SERIAL. */
        int32_t thread_model;
        /*
         * How many callbacks of an instance may execute at the same time, where the thread model allows more; 0 for no
         * limit.
         */
        uint32_t max_concurrency;
        /*
         * Required. Makes an instance and stores it in *self, which may stay NULL. Must fail where the configuration is
         * wrong: the host's check of a configuration is this call and nothing else. Nothing is created yet. What is in
         * *self after a failure is destroyed all the same.
         *
         * [borrows config until this returns] [thread callback]
         */
        kloset_status (*init)(kloset_call *call, void *user_data, const kloset_config *config, void **self);
        /*
         * Required. Makes a new repository with these bytes as its configuration. KLOSET_ALREADY_EXISTS where there is
         * one.
         *
         * [borrows config until this returns] [thread callback]
         */
        kloset_status (*create)(kloset_call *call, void *self, const void *config, size_t config_len);
        /*
         * Required. Opens the repository and gives its configuration back with kloset_bytes_add, byte by byte as it was
         * created. KLOSET_NOT_FOUND where there is none.
         *
         * [borrows config until this returns] [thread callback]
         */
        kloset_status (*open)(kloset_call *call, void *self, kloset_bytes *config);
        /*
         * Optional. Sets *mode to what may be done: KLOSET_STORE_READ, KLOSET_STORE_WRITE or their sum, which it is
         * before.
         *
         * [borrows mode until this returns] [thread callback]
         */
        kloset_status (*mode)(kloset_call *call, void *self, int32_t *mode);
        /*
         * Optional. Sets *size to how many bytes everything takes; it is KLOSET_UNKNOWN before.
         *
         * [borrows size until this returns] [thread callback]
         */
        kloset_status (*size)(kloset_call *call, void *self, uint64_t *size);
        /*
         * Optional. Adds the names of all objects of a kind with kloset_list_add, in any order; only of those that were
         * put as a whole.
         *
         * [borrows out until this returns] [thread callback]
         */
        kloset_status (*list)(kloset_call *call, void *self, int32_t kind, kloset_list *out);
        /*
         * Optional. Reads source to its end and keeps all of the object, durably; or fails and keeps and lists nothing
         * of it. Where an object of this name is there already, its content is the same: keep either. The library puts
         * kind and name of the object before the text of a failure of put, get and delete_object.
         *
         * [borrows object, source until this returns] [thread callback]
         */
        kloset_status (*put)(kloset_call *call, void *self, const kloset_object *object, kloset_source *source);
        /*
         * Optional. In place of put: begins an object and makes *writer, which takes its bytes.
         *
         * [borrows object until this returns] [thread callback]
         */
        kloset_status (*create_object)(kloset_call *call,
                                       void *self,
                                       const kloset_object *object,
                                       kloset_writer **writer);
        /*
         * Optional. Makes *reader from an object: length bytes from offset on, fewer where the object ends, none where
         * it ends before offset. The whole object is offset 0 and length KLOSET_UNKNOWN. KLOSET_NOT_FOUND where there
         * is none.
         *
         * While the host asks for small parts of a packfile in order, this is called for a larger one, of up to 1 MiB,
         * and the host's next calls are answered out of it. In all, at most four times as much is read as the host asks
         * for. Where a larger part fails, each is asked for by itself.
         *
         * [borrows object until this returns] [thread callback]
         */
        kloset_status (*get)(kloset_call *call,
                             void *self,
                             const kloset_object *object,
                             uint64_t offset,
                             uint64_t length,
                             kloset_reader **reader);
        /*
         * Optional. Removes an object; KLOSET_NOT_FOUND where there is none.
         *
         * [borrows object until this returns] [thread callback]
         */
        kloset_status (*delete_object)(kloset_call *call, void *self, const kloset_object *object);
        /* Optional. As list, for states. [borrows out until this returns] [thread callback] */
        kloset_status (*get_states)(kloset_call *call, void *self, kloset_list *out);
        /*
         * Optional. As put, for a state; mac has KLOSET_MAC_LEN bytes. [borrows mac, source until this returns] [thread
         * callback]
         */
        kloset_status (*put_state)(kloset_call *call, void *self, const uint8_t *mac, kloset_source *source);
        /* Optional. As get, for a whole state. [borrows mac until this returns] [thread callback] */
        kloset_status (*get_state)(kloset_call *call, void *self, const uint8_t *mac, kloset_reader **reader);
        /* Optional. As delete_object, for a state. [borrows mac until this returns] [thread callback] */
        kloset_status (*delete_state)(kloset_call *call, void *self, const uint8_t *mac);
        /* Optional. As list, for packfiles. [borrows out until this returns] [thread callback] */
        kloset_status (*get_packfiles)(kloset_call *call, void *self, kloset_list *out);
        /*
         * Optional. As put, for a packfile; mac has KLOSET_MAC_LEN bytes. [borrows mac, source until this returns]
         * [thread callback]
         */
        kloset_status (*put_packfile)(kloset_call *call, void *self, const uint8_t *mac, kloset_source *source);
        /* Optional. As get, for a whole packfile. [borrows mac until this returns] [thread callback] */
        kloset_status (*get_packfile)(kloset_call *call, void *self, const uint8_t *mac, kloset_reader **reader);
        /* Optional. As get, for a part of a packfile. [borrows mac until this returns] [thread callback] */
        kloset_status (*get_packfile_blob)(kloset_call *call,
                                           void *self,
                                           const uint8_t *mac,
                                           uint64_t offset,
                                           uint64_t length,
                                           kloset_reader **reader);
        /* Optional. As delete_object, for a packfile. [borrows mac until this returns] [thread callback] */
        kloset_status (*delete_packfile)(kloset_call *call, void *self, const uint8_t *mac);
        /* Optional. As list, for locks. [borrows out until this returns] [thread callback] */
        kloset_status (*get_locks)(kloset_call *call, void *self, kloset_list *out);
        /*
         * Optional. As put, for a lock; mac has KLOSET_MAC_LEN bytes. [borrows mac, source until this returns] [thread
         * callback]
         */
        kloset_status (*put_lock)(kloset_call *call, void *self, const uint8_t *mac, kloset_source *source);
        /* Optional. As get, for a whole lock. [borrows mac until this returns] [thread callback] */
        kloset_status (*get_lock)(kloset_call *call, void *self, const uint8_t *mac, kloset_reader **reader);
        /* Optional. As delete_object, for a lock. [borrows mac until this returns] [thread callback] */
        kloset_status (*delete_lock)(kloset_call *call, void *self, const uint8_t *mac);
        /* Optional. Whether the place where it keeps things can be reached. [thread callback] */
        kloset_status (*ping)(kloset_call *call, void *self);
        /*
         * Optional. The host is done. It often ends without saying so: then only destroy is called. [thread callback]
         */
        kloset_status (*close)(kloset_call *call, void *self);
        /*
         * Optional. Called exactly once for each *self that is not NULL, after everything else of the instance.
         *
         * [takes self] [thread callback]
         */
        void (*destroy)(void *self);
} kloset_store;

/* Starts one: kloset_store x = KLOSET_STORE_INIT; */
#define KLOSET_STORE_INIT \
        { \
                sizeof(kloset_store), KLOSET_ABI_VERSION, 0, NULL, NULL, 0, 0, NULL, NULL, NULL, \
                NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, \
                NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL \
        }

/*
 * What KLOSET_STORE_INIT does, for a table of this many bytes.
 *
 * [borrows table until this returns] [thread any]
 */
kloset_status kloset_store_init(kloset_store *table, size_t struct_size);

/*
 * Adds a name of KLOSET_MAC_LEN bytes to a list.
 *
 * [borrows mac until this returns] [thread any]
 */
kloset_status kloset_list_add(kloset_list *out, const uint8_t *mac);

/*
 * Adds bytes behind those that were added before.
 *
 * [borrows data until this returns] [thread any]
 */
kloset_status kloset_bytes_add(kloset_bytes *out, const void *data, size_t len);

/*
 * Writes a name as 64 hexadecimal digits and a NUL into text, which has room for KLOSET_MAC_TEXT bytes.
 *
 * [borrows mac, text until this returns] [thread any]
 */
void kloset_mac_format(const uint8_t *mac, char *text);

/*
 * Reads a name from 64 hexadecimal digits into mac, which has room for KLOSET_MAC_LEN bytes. KLOSET_INVALID where the
 * text is none: so a folder's other files are told from objects.
 *
 * [borrows text, mac until this returns] [thread any]
 */
kloset_status kloset_mac_parse(const char *text,
                               size_t text_len,
                               uint8_t *mac);

/*
 * The name of a kind of object, fit for a folder: "packfile"; NULL for a number that is no kind.
 *
 * [borrows the result for ever] [thread any]
 */
const char *kloset_kind_name(int32_t kind);


/* ====================================================================================================
 * THE CONNECTOR
 *
 * The roles that one executable holds, and the whole of its main.
 */

/* A connector. Start it with KLOSET_CONNECTOR_INIT, set its name and at least one role. */
typedef struct kloset_connector {
        /* The size of the table in the author's eyes. */
        size_t struct_size;
        /* KLOSET_ABI_VERSION in the author's eyes. */
        uint32_t abi_version;
        /* Zero. */
        uint32_t reserved;
        /* The connector's name: it stands before its log lines and in its help. */
        const char *name;
        /* The name's length or KLOSET_NUL. */
        size_t name_len;
        /* What --version prints, NULL for nothing. */
        const char *version;
        /* The version's length or KLOSET_NUL. */
        size_t version_len;
        /* The importer, NULL for none. */
        const kloset_importer *importer;
        /* The exporter, NULL for none. */
        const kloset_exporter *exporter;
        /* The store, NULL for none. */
        const kloset_store *store;
} kloset_connector;

/* Starts one: kloset_connector x = KLOSET_CONNECTOR_INIT; */
#define KLOSET_CONNECTOR_INIT \
        { \
                sizeof(kloset_connector), KLOSET_ABI_VERSION, 0, NULL, KLOSET_NUL, NULL, \
                KLOSET_NUL, NULL, NULL, NULL \
        }

/*
 * What KLOSET_CONNECTOR_INIT does, for a table of this many bytes.
 *
 * [borrows table until this returns] [thread any]
 */
kloset_status kloset_connector_init(kloset_connector *table, size_t struct_size);

/*
 * The whole of a connector's main, to be called first in it: serves the role that the command line names until the host
 * is done, and returns the process's exit code. argv is as main has it.
 *
 * Standard input and output belong to the protocol from here on: what the connector prints goes to stderr. A table that
 * is refused (built against a newer SDK, a required entry missing) is reported to the user by the name of what is
 * wrong.
 *
 * [borrows argv, connector and its tables until this returns] [takes the tables' user_data] [thread any, once in a
 * process; with KLOSET_THREADS_CALLER every callback runs on it]
 */
int kloset_main(int argc,
                char **argv,
                const kloset_connector *connector);

/*
 * As kloset_main, with the arguments that follow the program's name; each ends with a NUL.
 *
 * [borrows arguments, connector and its tables until this returns] [takes the tables' user_data] [thread any, once in a
 * process; with KLOSET_THREADS_CALLER every callback runs on it]
 */
int kloset_run(const kloset_connector *connector,
               const char *const *arguments,
               size_t count);

/* How much a log line matters: something failed. */
#define KLOSET_LOG_ERROR 1
/* How much a log line matters: something that the user should know. */
#define KLOSET_LOG_WARN 2
/* How much a log line matters: what is being done. Shown with KLOSET_SDK_LOG=info. */
#define KLOSET_LOG_INFO 3
/* How much a log line matters: what only the connector's author wants to see. Shown with KLOSET_SDK_LOG=debug. */
#define KLOSET_LOG_DEBUG 4

/*
 * Writes one line to stderr, which the user of Plakar sees. Values of secret options are masked.
 *
 * [borrows text until this returns] [thread any]
 */
void kloset_log(int32_t level, const char *text, size_t text_len);

/*
 * The version of the library: "0.1.0".
 *
 * [borrows the result for ever] [thread any]
 */
const char *kloset_version(void);

/*
 * KLOSET_ABI_VERSION in the library's eyes.
 *
 * [thread any]
 */
uint32_t kloset_abi_version(void);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* KLOSET_SDK_H */
