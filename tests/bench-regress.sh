#!/bin/sh
# Compares the Rust benchmark connector of a revision, BASE (the last commit), with that of the work tree, interleaved. What follows is
# handed to bench-table: tests/bench-regress.sh -works get,put
set -eu

cd "$(dirname "$0")/.."
base=${BASE:-HEAD}
revision=$(git rev-parse --short "$base^{commit}") || { echo "bench-regress: there is no revision '$base'" >&2; exit 1; }
old=target/regress/$revision

if [ ! -x "$old/bench-rust" ]; then
    tree=$(mktemp -d)
    trap 'git worktree remove --force "$tree"' EXIT
    git worktree add -q --detach "$tree" "$revision"
    # A target folder of its own, kept, so that the two revisions do not build over each other.
    CARGO_TARGET_DIR=$PWD/target/regress/build cargo build --release -q --manifest-path "$tree/Cargo.toml" -p bench-rust
    mkdir -p "$old"
    cp target/regress/build/release/bench-rust "$old/"
    git worktree remove --force "$tree"
    trap - EXIT
fi
cargo build --release -q -p bench-rust
(cd tests/grpc-go && go build -o ../../target/release/ ./cmd/grpc-go-host)
exec target/release/grpc-go-host bench-table --connector "$revision=$old/bench-rust" --connector "now=target/release/bench-rust" "$@"
