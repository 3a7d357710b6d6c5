#!/usr/bin/env bash
# The main job on real input, with the packaged C filesystem connector: a tree is read by its importer and written by its exporter,
# a file is put into its store and read back, and both are compared. Where there is a plakar, a real backup and restore follow.
set -euo pipefail
package=$PWD/target/packages/fs-c
fs=$package/fs-c
sdk=$PWD/target/release/kloset-sdk
source=${1:-$PWD/examples}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

compare() { # A B: content, modes, times and links of two trees
    diff -r --no-dereference "$1" "$2"
    diff <(listing "$1") <(listing "$2")
    echo identical
}
listing() { (cd "$1" && find . -printf '%P %M %s %T@ %l\n' | sed -E '/^[^ ]* d/s/ [0-9]+ / - /' | sort); }

say "A tree is read by the importer and written by the exporter: $source"
cp -a "$source" "$work/source"
ln "$(find "$work/source" -type f | head -1)" "$work/source/hard-link"
ln -s somewhere "$work/source/symbolic-link"
touch -d '2001-02-03 04:05:06.123456789' "$work/source/hard-link"
"$sdk" copy --from "$fs importer" "fsc://$work/source" --to "$fs exporter" "fsc://$work/copy"
compare "$work/source" "$work/copy"

say "A file is put into the store and read back"
head -c 20000000 /dev/urandom > "$work/file"
"$sdk" store create --connector "$fs store" "fsc://$work/store"
"$sdk" store roundtrip --connector "$fs store" "fsc://$work/store" "$work/file"
echo identical

plakar=${PLAKAR:-plakar}
plakar=${plakar%% *}
if ! command -v "$plakar" >/dev/null 2>&1; then
    say "plakar is not on the path: the real backup and restore are left out"
    exit 0
fi
export HOME=$work/home XDG_CONFIG_HOME=$work/config XDG_CACHE_HOME=$work/cache XDG_DATA_HOME=$work/data
say "The same under $("$plakar" version 2>/dev/null | head -1)"
run() { echo "\$ plakar $*"; "$plakar" "$@" </dev/null; }
"$plakar" -disable-security-check </dev/null >/dev/null 2>&1 || true
run pkg add "$PWD"/target/packages/fs-c_*.ptar
run at "fsc://$work/repository" create -plaintext
run at "fsc://$work/repository" backup -no-progress "fsc://$work/source" 2>&1 | tail -1
run at "fsc://$work/repository" check 2>&1 | tail -1
run at "fsc://$work/repository" restore -to "fsc://$work/restored" 2>&1 | tail -1
pkill -TERM -f -- "-cachedir $XDG_CACHE_HOME/plakar cached" || true
compare "$work/source" "$work/restored"
