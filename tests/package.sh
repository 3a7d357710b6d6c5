#!/usr/bin/env bash
# Lays an example ready to ship under target/packages/NAME: package.sh FOLDER EXECUTABLE VERSION. Makes the .ptar beside it where
# there is a plakar.
set -euo pipefail
folder=$1 executable=$2 version=$3
name=$(sed -n 's/^name: *//p' "$folder/manifest.yaml")
out=target/packages/$name
rm -rf "$out"
mkdir -p "$out"
cp "$folder/manifest.yaml" "$out/"
packed=$out/$(sed -n 's/^ *executable: *//p' "$folder/manifest.yaml" | head -1)
install -m 755 "$executable" "$packed"
strip "$packed" 2>/dev/null || true
echo "packaged $name in $out ($(du -h "$packed" | cut -f1))"
plakar=${PLAKAR:-plakar}
plakar=${plakar%% *}
if command -v "$plakar" >/dev/null 2>&1; then
    state=$(mktemp -d)
    trap 'rm -rf "$state"' EXIT
    export HOME=$state XDG_CONFIG_HOME=$state/config XDG_CACHE_HOME=$state/cache XDG_DATA_HOME=$state/data
    rm -f "target/packages/${name}"_*.ptar
    (cd "$out" && "$plakar" pkg create ./manifest.yaml "$version" </dev/null >/dev/null)
    mv "$out/$name"_*.ptar target/packages/
    echo "made $(ls "target/packages/${name}"_*.ptar)"
fi
