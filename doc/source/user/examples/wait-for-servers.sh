#!/bin/bash
# Wait until servers are active and idle: wait-for-servers.sh ID...
# COMPUTE is Nova's endpoint, TOKEN a token of the project.
set -eu -o pipefail

# Print the id, the VM state and the task state of every server, from all pages.
list() {
    local url="$COMPUTE/servers" page
    while [ -n "$url" ]; do
        page=$(curl -sS --fail -H "X-Auth-Token: $TOKEN" "$url")
        jq -r '.servers[] | [
            .id,
            ."OS-EXT-STS:vm_state" // "unknown",
            if has("OS-EXT-STS:task_state")
                then ."OS-EXT-STS:task_state" // "idle"
                else "unknown" end
        ] | @tsv' <<< "$page"
        url=$(jq -r '[.servers_links[]? | select(.rel == "next") | .href][0] // ""' <<< "$page")
    done
}

delay=1
deadline=$((SECONDS + ${TIMEOUT:-600}))
while :; do
    servers=$(list)
    waiting=
    for id in "$@"; do
        states=$(awk -v id="$id" '$1 == id { print $2, $3 }' <<< "$servers")
        case $states in
            "active idle") ;;
            "error idle" | "deleted idle" | "")
                echo "$id: ${states:-not in the list}" >&2
                exit 1 ;;
            # A task is pending, or the states are missing from this response.
            *) waiting="$waiting $id" ;;
        esac
    done
    [ -n "$waiting" ] || exit 0
    if [ "$SECONDS" -ge "$deadline" ]; then
        echo "timed out:$waiting" >&2
        exit 1
    fi
    sleep "$delay"
    delay=$((delay < 8 ? delay * 2 : 15))
done
