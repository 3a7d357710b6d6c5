/*
 * fs-c: a filesystem connector for Plakar in C. The importer reads a folder or a file, the exporter writes a folder, the store
 * keeps a repository in one; which of them a process is, its argument tells (see manifest.yaml).
 */
#include "fs.h"

#include <locale.h>

int main(int argc, char **argv)
{
        kloset_importer importer;
        kloset_exporter exporter;
        kloset_store store;
        kloset_connector connector = KLOSET_CONNECTOR_INIT;

        /* In a user's patterns "?" stands for a character, and not for one byte of it. */
        setlocale(LC_CTYPE, "C.UTF-8");

        fs_importer(&importer);
        fs_exporter(&exporter);
        fs_store(&store);
        connector.name = "fs-c";
        connector.version = "1.0.0";
        connector.importer = &importer;
        connector.exporter = &exporter;
        connector.store = &store;
        return kloset_main(argc, argv, &connector);
}
