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
