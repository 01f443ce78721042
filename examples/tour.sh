#!/usr/bin/env bash
# A tour of Efflux: builds the program `efflux`, imports 300 events, searches them, consumes them,
# verifies them, changes one byte behind its back, and verifies again.
#
# It needs a Rust toolchain and nothing else, works in a temporary folder and removes it at the end.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [[ -z "${EFFLUX:-}" ]]; then
    echo "Building efflux; the first time this takes a few minutes." >&2
    cargo build --release --package efflux-node --bin efflux
    target=$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
    EFFLUX="$target/release/efflux"
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export EFFLUX_STORE="file:$folder/store"

step() { printf '\n== %s\n' "$1"; }
# Prints a command as it could be typed, then runs it.
run() {
    local argument
    printf '$ efflux'
    for argument in "$@"; do
        case "$argument" in
            *[\ \"{}\$]*) printf " '%s'" "$argument" ;;
            *) printf ' %s' "$argument" ;;
        esac
    done
    printf '\n'
    "$EFFLUX" "$@" 2>&1
}
import=(import orders examples/orders.ndjson --id id --time-from at --type-from type
    --group-from order --prop customer --prop country)

step "1. Import 300 events. Fields of each record become metadata to search by."
run "${import[@]}"

step "2. Import them again. They have ids, so nothing is added twice."
run "${import[@]}"

step "3. Find what customer c-7 paid in March."
run find orders 'type = order.paid and properties.customer = c-7 and timestamp < 2026-04-01'

step "4. Append on the condition that nobody else has written since we looked."
looked=$("$EFFLUX" head orders)
run append orders '{"order":"o-1001","note":"called"}' --type order.noted --expect "head=$looked"
echo
echo "Once more with the same head: somebody, we ourselves, has written meanwhile."
run append orders '{"order":"o-1001","note":"again"}' --type order.noted --expect "head=$looked" ||
    echo "(exit code $?: conflict)"

step "5. Consume as \"billing\". What was printed is committed; the next call goes on after it.
   An order is a message group: of its events, only one at a time is in flight."
run consume orders --consumer billing --max 2
run consume orders --consumer billing --max 2
run consumer list orders

step "6. Verify every byte of the chain, and note its head down."
run verify orders
noted=$("$EFFLUX" head orders)

step "7. Somebody changes one byte of the file behind Efflux's back: a price."
segment="$folder/store/topics/orders/00000000000000000000.seg"
at=$(grep -abo '"price": ' "$segment" | sed -n 2p | cut -d: -f1)
at=$((at + 9))
before=$(dd if="$segment" bs=1 skip="$at" count=1 2>/dev/null)
after=$([[ "$before" == 1 ]] && echo 2 || echo 1)
printf '%s' "$after" | dd of="$segment" bs=1 seek="$at" conv=notrunc 2>/dev/null
echo "(byte $at of ${segment##*/}: $before is $after now)"

step "8. Verify again. The change is noticed, and its place is named."
code=0
run verify orders || code=$?
echo "(exit code $code: integrity violated)"
if [[ "$code" != 5 ]]; then
    echo "The change was not noticed. That must not be." >&2
    exit 1
fi

step "Done"
echo "The head that was noted down in step 6, $noted,"
echo "proves what the topic held then to anyone who has the frames. docs/cli.md has every command."
