#!/bin/sh
# A job of a pipeline for an application that asks models: no key, no network, no model.
#
#   scripts/examples/ci.sh            runs it
#   scripts/examples/ci.sh --record   makes the recordings anew, by the real model
set -eu
cd "$(dirname "$0")/ci"
mode=--replay
[ "${1:-}" != --record ] || mode=--record

# Where nothing but this machine can be reached, if we may: else a socket that leads elsewhere would not be noticed.
offline() {
    if unshare --user --map-root-user --net true 2>/dev/null; then
        unshare --user --map-root-user --net -- sh -c 'ip link set lo up; exec "$@"' sh "$@"
    else
        echo "note: this machine lets nobody make a network namespace, so the network is there" >&2
        "$@"
    fi
}

echo "== the run config is valid"
llama stack validate run.yaml

if [ $mode = --record ]; then
    llama stack exec run.yaml --record recordings --wait settled -- sh -euc '
        pytest -q -p no:cacheprovider .
        llama stack eval capitals.yaml --url "$LLAMA_STACK_URL"'
    exit
fi

echo "== what a replay needs is installed"
llama stack build --config run.yaml --for-replay -q

echo "== the tests, on recordings and without a network"
offline llama stack exec run.yaml --replay recordings -- pytest -q -p no:cacheprovider .

echo "== the application tries again where it is refused at first"
offline llama stack exec run.yaml --replay recordings --inject 'meta-reference: 429 first 1' -- \
    pytest -q -p no:cacheprovider -k greeting .

echo "== the model still knows what it has to know"
offline llama stack exec run.yaml --replay recordings -- \
    sh -c 'llama stack eval capitals.yaml --url "$LLAMA_STACK_URL"'
