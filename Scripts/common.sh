# Shared by the set-up scripts: where things go, how they speak, how a file is fetched and checked.
# Sourced, not run. Everything lands in .deps, which git ignores.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
deps=$PWD/.deps
downloads=$deps/downloads
# Debian's own Python: the Debian packages numpy and onnx belong to it, whatever python3 is first on PATH.
python=/usr/bin/python3
architecture=$(uname -m)
# Where 'swift build' finds OpenVINO.
export PKG_CONFIG_PATH=$deps/openvino/lib/pkgconfig
# What is installed for systemd.
units=(imgrec-agent.service imgrec-agent@.service imgrec-agent-published@.path imgrec-agent-published@.service)

say() { printf '==> %s\n' "$*"; }
fail() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

case $architecture in
x86_64 | aarch64) ;;
*) fail "OpenVINO has no build for $architecture; use an x86_64 or aarch64 machine." ;;
esac

# has_sha256 FILE SHA256: whether the file is there with exactly these bytes.
has_sha256() {
    [ -f "$1" ] && [ "$(sha256sum "$1" | cut -d' ' -f1)" = "$2" ]
}

# fetch_wheel PACKAGE==VERSION FILE SHA256 [PLATFORM]: a wheel from PyPI into .deps/downloads, checked.
fetch_wheel() {
    local requirement=$1 file=$downloads/$2 sha256=$3 platform=${4:-any}
    if has_sha256 "$file" "$sha256"; then
        say "$2: already downloaded"
        return
    fi
    mkdir -p "$downloads"
    rm -f "$file"
    say "$2: downloading from PyPI"
    "$python" -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.11 \
        --platform "$platform" --dest "$downloads" "$requirement" ||
        fail "could not download $requirement from PyPI. Check the network (or pip's proxy and index settings), then run the same command again."
    [ -f "$file" ] ||
        fail "PyPI served $requirement under another file name than $2. Please report it."
    has_sha256 "$file" "$sha256" ||
        fail "checksum mismatch: $file is not the file this project was built with (expected SHA-256 $sha256). Run again to download it anew; if it happens twice, do not use it and please report it."
}

# choose_photos: sets `photos` to the folder that IMAGES names, or to the catalogue of the tests.
choose_photos() {
    photos=${IMAGES:-}
    if [ -z "$photos" ]; then
        Scripts/fetch-model
        Scripts/make-test-fixtures
        photos=$deps/test-catalogue
    fi
    [ -d "$photos" ] || fail "IMAGES=$photos is not a folder. Name the folder with your photos."
}
