#!/usr/bin/env bash
# Lays an example ready to ship under target/packages/NAME: package.sh FOLDER EXECUTABLE VERSION. Makes the .ptar beside it where
# there is a plakar.
#
# GENERATION=1.0 does so for plakar 1.0.x, under target/packages-1.0: its manifest holds the version, and the executable is there
# under one name for each connector, since the same one twice breaks the package.
set -euo pipefail
folder=$1 executable=$2 version=$3
generation=${GENERATION:-1.1}
case $generation in
1.1) packages=target/packages ;;
1.0) packages=target/packages-1.0 ;;
*)
    echo "GENERATION=$generation: 1.0 and 1.1 are known" >&2
    exit 2
    ;;
esac
name=$(sed -n 's/^name: *//p' "$folder/manifest.yaml")
out=$packages/$name
rm -rf "$out"
mkdir -p "$out"

if [ "$generation" = 1.0 ]; then
    awk -v version="$version" '
        /^api_version:/ { print "version: " version; $0 = "api_version: 1.0.0" }
        /^ *- type:/ { type = $3 }
        /^ *executable:/ { $0 = $0 "-" type }
        { print }' "$folder/manifest.yaml" >"$out/manifest.yaml"
else
    cp "$folder/manifest.yaml" "$out/"
fi
first=
for packed in $(sed -n 's/^ *executable: *//p' "$out/manifest.yaml" | sort -u); do
    if [ -z "$first" ]; then
        first=$out/$packed
        install -m 755 "$executable" "$first"
        strip "$first" 2>/dev/null || true
    else
        ln "$first" "$out/$packed"
    fi
done
echo "packaged $name in $out ($(du -h "$first" | cut -f1))"

# The first plakar of this generation among those that PLAKAR names, or that usually have these names.
for plakar in ${PLAKAR:-plakar plakar10}; do
    command -v "$plakar" >/dev/null 2>&1 || continue
    state=$(mktemp -d)
    trap 'rm -rf "$state"' EXIT
    export HOME=$state XDG_CONFIG_HOME=$state/config XDG_CACHE_HOME=$state/cache XDG_DATA_HOME=$state/data
    "$plakar" version </dev/null 2>/dev/null | grep "^plakar/v$generation\." >/dev/null || continue
    rm -f "$packages/${name}"_*.ptar
    if [ "$generation" = 1.0 ]; then
        (cd "$out" && PLAKAR_AGENTLESS=1 "$plakar" pkg create ./manifest.yaml </dev/null >/dev/null)
    else
        (cd "$out" && "$plakar" pkg create ./manifest.yaml "$version" </dev/null >/dev/null)
    fi
    mv "$out/$name"_*.ptar "$packages/"
    echo "made $(ls "$packages/${name}"_*.ptar)"
    break
done
