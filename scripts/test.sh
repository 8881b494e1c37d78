#!/usr/bin/env bash
# Every check there is, and at the end one line: N passed, N failed. Runs on bash 3.2.
#
#   scripts/test.sh            lint, all tests, GPU tests once more on a second device, doc tests,
#                              the page built, and used in Chromium, SQL here and on a cluster
#   scripts/test.sh gpu        only the GPU tests, on the machine's own default device
#   scripts/test.sh web ARGS   only the page; ARGS go to node --test
#   scripts/test.sh elsewhere  only what other programs make of exported students
#   scripts/test.sh cluster ARGS   only SQL, here and on a cluster of processes on this machine, with
#                              100,000 vectors (LNSP_CLUSTER_ROWS for others); ARGS go to the tests
set -u
cd "$(dirname "$0")/.." || exit 1
. scripts/common.sh
exec </dev/null

log=$(mktemp "${TMPDIR:-/tmp}/lnsp-test.XXXXXX")
trap 'rm -f "$log"' EXIT
passed=0
failed=0

# stage NAME COMMAND... : runs it, adds up the counts that cargo, nextest or node print; a stage
# that fails without a failed test (it did not compile, a lint) counts as one failure. Leaves its
# exit status in $status and what it printed in $log.
stage() {
    local name=$1 counts ok bad started=$SECONDS
    shift
    say "$name"
    "$@" 2>&1 | tee "$log"
    status=${PIPESTATUS[0]}
    counts=$(sed "s/$(printf '\033')\[[0-9;]*m//g" "$log" | awk '
        # nextest: "Summary [ 1.2s] 12 tests run: 11 passed (1 slow), 1 failed, 3 skipped"
        /^ *Summary \[/ {
            for (i = 2; i <= NF; i++) {
                if ($i ~ /^passed/) ok += $(i - 1)
                if ($i ~ /^failed/ || $i ~ /^timed/) bad += $(i - 1)
            }
        }
        # cargo test: "test result: ok. 11 passed; 1 failed; 0 ignored; ..."
        /^test result:/ {
            for (i = 2; i <= NF; i++) {
                if ($i ~ /^passed/) ok += $(i - 1)
                if ($i ~ /^failed/) bad += $(i - 1)
            }
        }
        # unittest: "Ran 11 tests in 1.2s", "FAILED (failures=1, errors=2)"
        /^Ran [0-9]+ tests? in / { ok += $2 }
        /^FAILED \(/ {
            gsub(/[^0-9]+/, " ")
            for (i = 1; i <= NF; i++) { bad += $i; ok -= $i }
        }
        # node --test: "# pass 11", "# fail 1"; with its other reporter another sign in front
        /^[^ ]+ pass [0-9]+$/ { ok += $3 }
        /^[^ ]+ (fail|cancelled) [0-9]+$/ { bad += $3 }
        END { print ok + 0, bad + 0 }')
    ok=${counts% *}
    bad=${counts#* }
    if [ "$status" != 0 ] && [ "$bad" = 0 ]; then
        say "failed: $name"
        bad=1
    fi
    passed=$((passed + ok))
    failed=$((failed + bad))
    say "$name: $ok passed, $bad failed, $((SECONDS - started)) s"
}

# on DRIVER COMMAND... : with this Vulkan driver only; an empty DRIVER means the machine's own.
on() {
    local driver=$1
    shift
    if [ -n "$driver" ]; then
        # The older and the newer name of the same variable.
        VK_ICD_FILENAMES=$driver VK_DRIVER_FILES=$driver "$@"
    else
        "$@"
    fi
}

# All but the engine of SQL, which has a stage of its own: it takes the longest to compile.
core="--workspace --exclude lnsp-cluster"
# shellcheck disable=SC2086 # several words
if cargo nextest --version >/dev/null 2>&1; then
    run_tests() { cargo nextest run $core --release --no-fail-fast "$@"; }
    # One at a time: each starts processes enough.
    run_cluster_tests() {
        cargo nextest run -p lnsp-cluster --cargo-profile cluster --no-fail-fast --test-threads 1 "$@"
    }
else
    run_tests() {
        [ $# -gt 0 ] || set -- --tests
        cargo test $core --release --no-fail-fast "$@"
    }
    run_cluster_tests() {
        cargo test -p lnsp-cluster --profile cluster --no-fail-fast "$@" -- --test-threads 1
    }
fi

gpu_tests=()
for file in tests/gpu_*.rs; do
    [ -e "$file" ] && gpu_tests+=(--test "$(basename "$file" .rs)")
done

# The weights that the tests of the real teacher need, fetched once into the cache.
fetch_teacher() {
    [ -z "${LNSP_TEACHER_DIR:-}" ] || return 0
    stage "the teacher's weights" sh scripts/fetch-teacher.sh
    if [ "$status" = 0 ]; then
        LNSP_TEACHER_DIR=$(tail -n 1 "$log")
        export LNSP_TEACHER_DIR
    else
        # Counted as one failure above; every test of the teacher would be one more.
        export LNSP_ALLOW_NO_TEACHER=1
    fi
}

# page_tests ARGS... : the built page, used as a visitor would.
page_tests() { node --test --test-concurrency=1 --test-reporter=spec "$@" tests/web/*.test.mjs; }

# python_tests KIND FILE... : unittest files of tests/elsewhere with the programs of KIND.
python_tests() {
    local python
    python=$(sh scripts/setup-elsewhere.sh "$1" | tail -n 1)
    [ -n "$python" ] || return 1
    shift
    (cd tests/elsewhere && "$python" -B -m unittest "$@")
}

# elsewhere KIND NAME FILE... : sets up the programs of KIND, then runs tests of exported students.
elsewhere() {
    local kind=$1 name=$2
    shift 2
    stage "set-up: $name" sh scripts/setup-elsewhere.sh "$kind"
    [ "$status" != 0 ] || stage "exported students: $name" python_tests "$kind" "$@"
}

# Exported students in the programs that they were exported for, and the README's snippets.
elsewhere_tests() {
    elsewhere onnx "ONNX Runtime, JavaScript and Rust" test_onnx.py test_snippets.py
    # Without the teacher, which is a failure counted already, there is nothing to load.
    [ -n "${LNSP_ALLOW_NO_TEACHER:-}" ] ||
        elsewhere sentence-transformers "sentence-transformers" test_sentence_transformers.py
}

# cluster_stages ARGS... : SQL with DataFusion, and a cluster with Ballista.
cluster_stages() {
    # It reads all of the engine once more, so only where it is asked for.
    [ -z "${LNSP_CLUSTER_LINT:-}" ] ||
        stage "lint of SQL" cargo clippy -p lnsp-cluster --profile cluster --all-targets -- -D warnings
    stage "the programs of SQL, and the command" cargo build -p lnsp-cluster -p lnsp --profile cluster
    stage "SQL here and on a cluster" run_cluster_tests "$@"
}

if [ "${1:-}" = elsewhere ]; then
    sh scripts/setup-rust.sh
    fetch_teacher
    stage "the command and its examples" cargo build --release --bins --examples
    elsewhere_tests
elif [ "${1:-}" = cluster ]; then
    shift
    stage "set-up" sh scripts/setup-test.sh
    fetch_teacher
    cluster_stages "$@"
elif [ "${1:-}" = web ]; then
    shift
    stage "set-up" sh scripts/setup-web.sh test
    stage "the command, which the page is compared with" cargo build --release
    stage "the page" sh scripts/page.sh
    stage "the page in Chromium" page_tests "$@"
elif [ "${1:-}" = gpu ]; then
    [ "${#gpu_tests[@]}" -gt 0 ] || fail "there are no tests/gpu_*.rs"
    fetch_teacher
    stage "GPU tests on this machine's own device" run_tests "${gpu_tests[@]}"
else
    stage "set-up" sh scripts/setup-test.sh
    stage "set-up for the page" sh scripts/setup-web.sh test
    stage "lint" sh scripts/lint.sh
    fetch_teacher
    first=
    second=
    if [ "$(uname -s)" = Linux ]; then
        for driver in /usr/share/vulkan/icd.d/lvp_icd*.json; do
            [ -e "$driver" ] && first=$driver
        done
        [ -e /usr/lib/chromium/vk_swiftshader_icd.json ] &&
            second=/usr/lib/chromium/vk_swiftshader_icd.json
        if [ -z "$first$second" ] && [ ! -d /usr/share/vulkan/icd.d ]; then
            say "NO VULKAN DRIVER: the GPU tests are skipped; install mesa-vulkan-drivers"
            export LNSP_ALLOW_NO_ADAPTER=1
        fi
    fi
    stage "all tests${first:+, GPU tests on lavapipe}" on "$first" run_tests
    if [ -n "$second" ] && [ "${#gpu_tests[@]}" -gt 0 ]; then
        stage "GPU tests on SwiftShader" on "$second" run_tests "${gpu_tests[@]}"
    fi
    # shellcheck disable=SC2086 # several words
    stage "examples in the documentation" cargo test $core --release --doc
    # shellcheck disable=SC2086
    stage "the examples" cargo build $core --release --examples
    elsewhere_tests
    stage "the page" sh scripts/page.sh
    stage "the page in Chromium" page_tests
    # Compiling the engine takes as long as the rest again. All checks are to end within the hour, so a
    # slow machine is told to run these apart.
    if [ "$SECONDS" -lt "${LNSP_CLUSTER_WITHIN:-2100}" ]; then
        cluster_stages
    else
        say "NOT RUN for want of time: the tests of SQL and the cluster; run make test-cluster"
    fi
fi

echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
