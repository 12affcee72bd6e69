# `just ci` is what CI runs, step by step. `.ci/run` installs what the steps need, and calls it.

set positional-arguments

# Lists the recipes
default:
    @just --list --unsorted

# Every step that a change must pass
ci: format lint document dependencies console test smoke

# The sources are formatted
format:
    cargo fmt --check

# Clippy and the compiler have no warning
lint:
    cargo clippy --locked --all-targets --quiet -- -D warnings

# The documentation has no warning
document:
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --quiet

# Licences, sources and versions of the dependencies are those allowed in deny.toml, and each is used
dependencies:
    cargo deny --locked --log-level error check bans licenses sources
    cargo machete --skip-target-dir

# The console has its format and the types of the calls that the program serves, and its vendored file is what its packages make
console:
    cargo test --locked --quiet --no-run --test it
    export ROLLCALL_PROGRAM="$(realpath "${CARGO_TARGET_DIR:-target}")/debug/rollcall" && \
    cd web/console && npm run --silent types && npm run --silent style && npm run --silent vendor | cmp - vendor/preact.js

# All tests, or those whose names contain a word: `just test feed::`
test *words:
    cargo test --locked "$@"

# A benchmark: `just bench --reads`
bench *options:
    cargo bench --bench ingest -- "$@"

# How fast the console is beside a million app users, and what it costs the others: `just console-speed --minutes 2`
console-speed *options:
    cargo build --locked --profile dist
    npm ci --prefix tests/browser --ignore-scripts --no-audit --no-fund --silent
    ROLLCALL_PROGRAM="$(realpath "${CARGO_TARGET_DIR:-target}")/dist/rollcall" node tests/browser/speed.mjs "$@"

# The benchmarks run, as little as possible of each: nothing is measured
smoke:
    for which in "" --reads --lists --long-reads --feed --retention; do \
        cargo bench --locked --profile dev --bench ingest -- $which --rounds 1 --seconds 0.2 --connections 4 --users 2000 \
            --workload many >/dev/null || exit 1; \
    done

# The program as it is published, in target/dist
dist:
    cargo build --locked --profile dist
