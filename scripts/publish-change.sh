#!/usr/bin/env bash
# Tells the engine of a deployment: one event rb.change.v1 on a bus of EventBridge.
# Usage: scripts/publish-change.sh --kind KIND --name NAME --who WHO --what TEXT [OPTION...]
#   --kind KIND       kind of what was changed: function, queue, parameter, ...
#   --name NAME       its name, as runbooks name it
#   --place PLACE     its place, if the installation gives places aliases
#   --who WHO         who changed it
#   --what TEXT       what was done
#   --revision REV    commit or version
#   --bus BUS         name of the bus (default: default)
#   --dry-run         print the event, send nothing
set -euo pipefail

complain() {
    printf 'publish-change: %s\n' "$1" >&2
    exit 2
}

kind='' name='' place='' who='' what='' revision='' bus=default dry_run=0
while (($#)); do
    case $1 in
        --kind | --name | --place | --who | --what | --revision | --bus)
            (($# > 1)) || complain "$1 needs a value"
            printf -v "${1#--}" '%s' "$2"
            shift 2
            ;;
        --dry-run) dry_run=1 && shift ;;
        -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0" && exit 0 ;;
        *) complain "what is $1? (--help lists the options)" ;;
    esac
done
for needed in kind name who what bus; do
    [[ -n ${!needed} ]] || complain "--$needed is missing (--help lists the options)"
done
command -v jq >/dev/null || complain 'there is no jq: install it (Debian: apt-get install jq; macOS: brew install jq)'

# Every value goes through jq as a string: nothing that anybody typed becomes part of the JSON's structure.
entries=$(jq --null-input --compact-output \
    --arg at "$(date -u +%Y-%m-%dT%H:%M:%SZ)" --arg who "$who" --arg what "$what" --arg kind "$kind" \
    --arg name "$name" --arg place "$place" --arg revision "$revision" --arg bus "$bus" '
    {schema: "rb.change.v1", $at, $who, $what, target: ({$kind, $name} + if $place == "" then {} else {$place} end)}
    + (if $revision == "" then {} else {$revision} end)
    | [{Source: "runbook-engine.deploys", DetailType: "Deployment", EventBusName: $bus, Detail: tojson}]')

if ((dry_run)); then
    jq . <<<"$entries"
    exit 0
fi
command -v aws >/dev/null || complain 'there is no aws: install the AWS CLI, version 2'

# PutEvents answers 200 and tells in the body what it did not take.
answer=$(aws events put-events --output json --entries "$entries")
if ! jq --exit-status '.FailedEntryCount == 0' <<<"$answer" >/dev/null; then
    jq --raw-output '.Entries[] | select(.ErrorCode) | "publish-change: the bus refused the event: \(.ErrorCode): \(.ErrorMessage)"' \
        <<<"$answer" >&2
    exit 1
fi
jq --raw-output '"told the engine: event \(.Entries[0].EventId)"' <<<"$answer"
