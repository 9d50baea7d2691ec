# shellcheck shell=bash
# Steps: what the scripts of an installation share. Sourced, never run.
#
# A script is a list of named steps, each safe to repeat. With --dry-run every command is printed and none is run, not
# even one that only reads. When a step fails the script says which, and how to go on from there.

if ((BASH_VERSINFO[0] < 5)); then
    printf '%s: this is bash %s: 5 or newer is needed (macOS: brew install bash)\n' "${0##*/}" "$BASH_VERSION" >&2
    exit 2
fi

DRY_RUN=0
VALUE=''
FROM=''
REGION=${AWS_REGION:-${AWS_DEFAULT_REGION:-}}
NAME=runbook-engine
STEPS=()
declare -A TITLES=()

_step='' _started=0
_self=${0##*/}
_arguments=("$@")

# say WORD...: a line for people
say() { printf '%s\n' "$*"; }

# complain SENTENCE: what is wrong and the remedy; ends the script before anything was touched
complain() {
    printf '%s: %s\n' "${_self%.sh}" "$1" >&2
    exit 2
}

# quoted WORD...: a command as one could type it; a word that stands for a later answer is printed as it is
quoted() {
    local word line=''
    for word in "$@"; do
        if [[ $word =~ ^[A-Za-z0-9_@%+=:,./~^-]+$ ]]; then line+=" $word"; else line+=" '${word//\'/\'\\\'\'}'"; fi
    done
    printf '%s' "${line# }"
}

# run COMMAND...: print a command and run it; with --dry-run print it only
run() {
    printf '+ %s\n' "$(quoted "$@")"
    ((DRY_RUN)) || "$@"
}

# ask PLACEHOLDER COMMAND...: what a reading command answers; with --dry-run the placeholder
ask() {
    local placeholder=$1
    shift
    if ((DRY_RUN)); then printf '<%s>' "$placeholder"; else "$@"; fi
}

# holds COMMAND...: whether a question is answered with yes; with --dry-run it is, since nothing is asked
holds() {
    if ((DRY_RUN)); then
        printf '? %s\n' "$(quoted "$@")"
    else
        "$@" >/dev/null 2>&1
    fi
}

# need PROGRAM REMEDY: a program that must be there; all that is missing is told at once by `ready`
_missing=()
need() { command -v "$1" >/dev/null || _missing+=("there is no $1: $2"); }
want() { _missing+=("$1"); }

# ready: end here if something is missing. A dry run touches nothing, so it only notes it.
ready() {
    local sentence
    ((${#_missing[@]})) || return 0
    for sentence in "${_missing[@]}"; do printf '%s: %s\n' "${_self%.sh}" "$sentence" >&2; done
    ((DRY_RUN)) || exit 2
    _missing=()
}

need_aws() { need aws 'install the AWS CLI, version 2 (docs/deploying.md)'; }
need_terraform() { need terraform 'install Terraform 1.11 or newer (docs/deploying.md)'; }
need_kubectl() { need kubectl 'install kubectl, or run make tools and put .tools first on PATH'; }
need_helm() { need helm 'install Helm 3.17 or newer, or run make tools and put .tools first on PATH'; }

# need_version NAME FOUND LEAST: FOUND must not be older than LEAST
need_version() {
    [[ $(printf '%s\n%s\n' "$3" "$2" | sort -V | head -n 1) == "$3" ]] || want "$1 is $2: $3 or newer is needed"
}

need_terraform_version() {
    if ((DRY_RUN)) || ! command -v terraform >/dev/null; then return 0; fi
    need_version terraform "$(terraform version 2>/dev/null | sed -n '1s/^Terraform v//p')" 1.11.0
}

need_region() {
    [[ -n $REGION ]] || want 'which region? name it with --region REGION, or set AWS_REGION'
    [[ -z $REGION || $REGION =~ ^[a-z]{2}(-[a-z]+)+-[0-9]$ ]] || want "$REGION is no region of AWS, as eu-central-1 is"
}

# need_account: the credentials work, and are those of the account that is meant; sets ACCOUNT and CALLER
need_account() {
    local wanted=$1 found
    ACCOUNT='<account>' CALLER='<caller>'
    if ((DRY_RUN)) || ! command -v aws >/dev/null; then return 0; fi
    if ! found=$(aws sts get-caller-identity --query '[Account,Arn]' --output text 2>/dev/null); then
        want 'AWS knows no credentials: sign in (aws sso login, or set AWS_PROFILE), then try again'
        return 0
    fi
    # shellcheck disable=SC2034  # bootstrap.sh reads CALLER
    read -r ACCOUNT CALLER <<<"$found"
    if [[ -n $wanted && $wanted != "$ACCOUNT" ]]; then
        want "the credentials are those of account $ACCOUNT, not of $wanted: sign in to the right one"
    fi
}

# step NAME TITLE: declares a step, in order; the function step_NAME does it
step() {
    STEPS+=("$1")
    TITLES[$1]=$2
}

# walk: the steps in order, beginning with --from
walk() {
    local name number=0 reached=0
    [[ -n $FROM ]] || reached=1
    for name in "${STEPS[@]}"; do
        number=$((number + 1))
        [[ $name == "$FROM" ]] && reached=1
        ((reached)) || continue
        _step=$name _started=1
        printf '\n== %s/%s %s: %s\n' "$number" "${#STEPS[@]}" "$name" "${TITLES[$name]}"
        "step_${name//-/_}"
    done
    _step=''
}

check_from() {
    [[ -z $FROM || " ${STEPS[*]} " == *" $FROM "* ]] || complain "there is no step $FROM: the steps are ${STEPS[*]}"
}

_how_to_go_on() {
    local code=$? word words=() skip=0
    ((code && _started)) || return 0
    for word in "${_arguments[@]}"; do
        if ((skip)); then skip=0; elif [[ $word == --from ]]; then skip=1; else words+=("$word"); fi
    done
    {
        printf '\n%s: the step %s failed (exit %s, see above); the steps before it are done, those after it not begun.\n' \
            "${_self%.sh}" "$_step" "$code"
        printf 'Mend the cause, then go on with:\n  scripts/%s\n' "$(quoted "$_self" "${words[@]}" --from "$_step")"
    } >&2
}
trap _how_to_go_on EXIT

# usage: the script's own head, without its comment signs
usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; }

# take OPTION ARGUMENT...: the value of an option, in VALUE
take() {
    (($# > 1)) || complain "$1 needs a value"
    [[ $2 != *[\"\\]* ]] || complain "$1: $2 has a quote or a backslash in it"
    # shellcheck disable=SC2034  # the scripts read it
    VALUE=$2
}

# ---- Terraform

STACKS=terraform/stacks

# stack NAME: initialise a stack against its own key in the state bucket, which encrypts by itself
stack() {
    local bucket=${2:-$(state_bucket)}
    run terraform "-chdir=$STACKS/$1" init -input=false -reconfigure "-backend-config=bucket=$bucket" \
        "-backend-config=key=$1/terraform.tfstate" "-backend-config=region=$REGION" -backend-config=encrypt=false
}

state_bucket() { printf '%s-tfstate-%s-%s' "$NAME" "$ACCOUNT" "$REGION"; }

# answer STACK OUTPUT: what a stack answers, as text
answer() { ask "$1.$2" terraform "-chdir=$STACKS/$1" output -raw "$2"; }

# answer_json STACK OUTPUT: the same as JSON, which Terraform reads as a value
answer_json() { ask "$1.$2" terraform "-chdir=$STACKS/$1" output -json "$2"; }

# kept STACK OUTPUT: what a stack was told the last time, as JSON; nothing when it was never applied
kept() { ((DRY_RUN)) || terraform "-chdir=$STACKS/$1" output -json "$2" 2>/dev/null || true; }

# json WORD...: a list of strings that Terraform reads
json() {
    local word list=''
    for word in "$@"; do list+=",\"$word\""; done
    printf '[%s]' "${list#,}"
}
