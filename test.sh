#!/usr/bin/env bash
# All checks and tests. Installs what they can use where it may (ffmpeg; OpenCV's cascades and its
# Python module, for the parity checks) and says loudly what it had to skip.
#
#   ./test.sh            everything
#   ./test.sh --quick    without the comparison against OpenCV
set -euo pipefail
cd "$(dirname "$0")"

quick=false
[ "${1:-}" = "--quick" ] && quick=true

say() { printf '\n== %s\n' "$*"; }
skipped=()
skip() { printf 'SKIPPED: %s\n' "$*" >&2; skipped+=("$*"); }

say "format and lints"
cargo fmt --all --check
cargo clippy --workspace --all-targets --locked -- -D warnings

say "OpenCV's cascades, for the parity tests"
cascades() { ls /usr/share/opencv4/lbpcascades/*.xml /usr/share/opencv/lbpcascades/*.xml 2>/dev/null | head -n 1; }
if [ -z "$(cascades)" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    (apt-get update && apt-get install -y --no-install-recommends opencv-data) >/dev/null 2>&1 || true
fi
[ -n "$(cascades)" ] || skip "tests on OpenCV's own cascades: install them (Debian: apt install opencv-data)"
[ -d ../shared/data ] || skip "tests on real photos and on FER2013: their data is not beside this checkout"

say "ffmpeg, for the tests on videos"
if ! command -v ffmpeg >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    (apt-get update && apt-get install -y --no-install-recommends ffmpeg) >/dev/null 2>&1 || true
fi
command -v ffmpeg >/dev/null || skip "tests on videos: install ffmpeg (Debian: apt install ffmpeg)"

say "tests"
cargo test --workspace --locked

say "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --lib --no-deps --locked --quiet

say "the tables of the benchmarks"
if command -v python3 >/dev/null; then
    python3 -m unittest discover --quiet --start-directory bench
else
    skip "the tables of the benchmarks: python3 is not there"
fi

if ! $quick; then
    say "the same boxes as OpenCV"
    python=target/parity-venv/bin/python
    if [ ! -x "$python" ]; then
        # OpenCV 5 has no CascadeClassifier.
        (python3 -m venv target/parity-venv && "$python" -m pip install --quiet 'opencv-python-headless<5' numpy) ||
            rm -rf target/parity-venv
    fi
    if [ -x "$python" ] && [ -n "$(cascades)" ] && [ -d ../shared/data ]; then
        # The cascade that moue carries, and one of each kind: plain LBP, Haar trees of several nodes, tilted features.
        # Without --only the script compares all of OpenCV's, which takes half an hour.
        for kind in lbp_face lbpcascade_frontalface haarcascade_frontalface_alt2 haarcascade_eye_tree; do
            "$python" scripts/opencv_parity.py --only "$kind"
        done
    else
        skip "comparison with OpenCV: it needs Python with opencv-python-headless, opencv-data and the photos"
    fi
fi

say "done"
for s in "${skipped[@]}"; do printf 'SKIPPED: %s\n' "$s"; done
