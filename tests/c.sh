#!/usr/bin/env bash
# The C examples as their users build them, against the installed library: shared and static through pkg-config, then under
# AddressSanitizer and UndefinedBehaviorSanitizer through everything that the Go host asks of a connector, then under valgrind.
set -euo pipefail
out=$PWD/target/c
sdk=$PWD/target/release/kloset-sdk
rm -rf "$out"
mkdir -p "$out"
make --no-print-directory -s install PREFIX="$out/prefix" >/dev/null
export PKG_CONFIG_PATH=$out/prefix/lib/pkgconfig

build() { # NAME CFLAGS LIBS: examples/c/fs built in a folder of its own
    cp -r examples/c/fs "$out/$1"
    make --no-print-directory -s -C "$out/$1" clean
    make --no-print-directory -s -C "$out/$1" fs-c CFLAGS="$2" KLOSET_LIBS="$3"
}
conformance() { # EXECUTABLE
    (cd tests/grpc-go && KLOSET_CONNECTORS="fsc=$1" go test -count=1 ./conformance)
}

echo "-- the shared library, found by pkg-config"
build shared -O2 "$(pkg-config --libs kloset_sdk) -Wl,-rpath,$out/prefix/lib"
readelf -d "$out/shared/fs-c" | grep -q 'NEEDED.*libkloset_sdk.so.0'
conformance "$out/shared/fs-c"

echo "-- the static library, of which a program holds only what it calls, and nothing beside kloset_ in the shared one's names"
static=$(pkg-config --libs kloset_sdk-static)
build static -O2 "$static"
"$out/static/fs-c" --version >/dev/null
unused=$(nm "$out/static/fs-c" | grep -c kloset_sdk4host7command || true)
[ "$unused" = 0 ] || { echo "the command kloset-sdk is in a connector: $unused of its functions" >&2; exit 1; }
others=$(nm -D --defined-only "$out/prefix/lib/libkloset_sdk.so" | awk '{print $3}' | grep -v '^kloset_' || true)
[ -z "$others" ] || { echo "exported beside kloset_: $others" >&2; exit 1; }

echo "-- AddressSanitizer and UndefinedBehaviorSanitizer"
sanitize='-g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer'
export ASAN_OPTIONS=detect_leaks=1:exitcode=23 UBSAN_OPTIONS=print_stacktrace=1
printf 'int main(int c, char **v) { char b[4]; (void)v; return b[c + 7]; }' > "$out/overflow.c"
cc $sanitize -w -o "$out/overflow" "$out/overflow.c"
if "$out/overflow" >/dev/null 2>&1; then
    echo "the sanitizers are not on: a read beyond an array went unnoticed" >&2
    exit 1
fi
build sanitized "$sanitize" "$static"
conformance "$out/sanitized/fs-c"

echo "-- valgrind"
build plain '-g -O1' "$static"
cat > "$out/under-valgrind" <<'W'
#!/bin/sh
exec valgrind -q --leak-check=full --errors-for-leak-kinds=definite --show-leak-kinds=definite --error-exitcode=9 \
    "$(dirname "$0")/plain/fs-c" "$@"
W
chmod +x "$out/under-valgrind"
cp -a examples "$out/source"
ln "$out/source/c/fs/main.c" "$out/source/hard-link"
mkfifo "$out/source/fifo"
patience='--timeout 300 --exit-timeout 120'
"$sdk" copy $patience --from "$out/under-valgrind importer" "fsc://$out/source" --to "$out/under-valgrind exporter" "fsc://$out/copy"
diff -r --no-dereference "$out/source/c" "$out/copy/c"
head -c 3000000 /dev/urandom > "$out/file"
"$sdk" store roundtrip --create $patience -c "$out/under-valgrind store" "fsc://$out/store" "$out/file"
