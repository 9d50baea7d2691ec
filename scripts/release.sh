#!/usr/bin/env bash
# Releases one service: its image is built, scanned and pushed, and its chart rolled out; a rollout that does not become
# ready is rolled back by helm. The pipelines call it step by step, and so can a person.
# Usage: scripts/release.sh --service SERVICE --registry REGISTRY --tag TAG [OPTION...]
#   --service SERVICE     checkout or runner
#   --registry REGISTRY   where images are kept: ACCOUNT.dkr.ecr.REGION.amazonaws.com
#   --tag TAG             of the image, once and for all: a commit, never a name that moves
#   --context CONTEXT     of kubectl, for the rollout (default: runbook-engine)
#   --namespace NAME      of the release (default: apps for checkout, runbooks for the runner)
#   --values FILE         values of the installation; may be repeated. Without any, those of the release are kept, and
#                         there must be one: the chart's defaults would take away what the installation has
#   --cause TEXT          why, as people read it later: build 412, commit 3f2a9c1
#   --from STEP           begin with this step: build, scan, push, rollout
#   --to STEP             end with this one (default: rollout)
#   --dry-run             print every command, run none
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib/steps.sh
source scripts/lib/steps.sh

service='' registry='' tag='' context=runbook-engine namespace='' cause='' to=rollout values=()
while (($#)); do
    case $1 in
        --service | --registry | --tag | --context | --namespace | --values | --cause | --from | --to)
            take "$@"
            case $1 in
                --service) service=$VALUE ;;
                --registry) registry=$VALUE ;;
                --tag) tag=$VALUE ;;
                --context) context=$VALUE ;;
                --namespace) namespace=$VALUE ;;
                --values) values+=(--values "$VALUE") ;;
                --cause) cause=$VALUE ;;
                --from) FROM=$VALUE ;;
                --to) to=$VALUE ;;
            esac
            shift 2
            ;;
        --dry-run) DRY_RUN=1 && shift ;;
        -h | --help) usage && exit 0 ;;
        *) complain "what is $1? (--help lists the options)" ;;
    esac
done

case $service in
    checkout) repository=checkout dockerfile=apps/checkout/Dockerfile folder=apps/checkout chart=helm/checkout ;;
    runner) repository=runbook-engine dockerfile=apps/runner/Dockerfile folder=. chart=helm/runbook-engine ;;
    '') complain 'which service? name it with --service: checkout or runner' ;;
    *) complain "there is no service $service: checkout or runner" ;;
esac
[[ -n $namespace ]] || { [[ $service == checkout ]] && namespace=apps || namespace=runbooks; }
[[ $registry =~ ^[0-9]{12}\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com$ ]] ||
    complain "which registry? name it with --registry: ACCOUNT.dkr.ecr.REGION.amazonaws.com, not ${registry:-nothing}"
REGION=${BASH_REMATCH[1]}
[[ $tag =~ ^[A-Za-z0-9_][A-Za-z0-9_.-]{6,127}$ && $tag != latest ]] ||
    complain "which tag? name it with --tag: at least seven characters that stay what they are, as a commit; not ${tag:-nothing}"
image=$registry/$repository:$tag

step build "the image of $service"
step scan 'what is known to be broken in it'
step push 'to the registry'
step rollout "the chart of $service, rolled back if it does not become ready"
check_from
[[ " ${STEPS[*]} " == *" $to "* ]] || complain "there is no step $to: the steps are ${STEPS[*]}"

# wants STEP: whether this call comes to a step
wants() {
    local each reached=0
    [[ -n $FROM ]] || reached=1
    for each in "${STEPS[@]}"; do
        [[ $each == "$FROM" ]] && reached=1
        [[ $each == "$1" ]] && { ((reached)); return; }
        [[ $each == "$to" ]] && return 1
    done
}
if wants build || wants push; then need docker 'install Docker, or a program that answers to its name'; fi
if wants scan; then need trivy 'install Trivy (docs/deploying.md)'; fi
if wants push || wants rollout; then need_aws; fi
if wants rollout; then need_helm; fi
ready

step_build() {
    run docker build --file "$dockerfile" --tag "$image" --label "org.opencontainers.image.revision=$tag" "$folder"
}

# What has no fix yet would stop every release, and nobody could do anything about it here.
step_scan() {
    run trivy image --exit-code 1 --severity HIGH,CRITICAL --ignore-unfixed --no-progress "$image"
}

step_push() {
    printf '+ aws ecr get-login-password --region %s | docker login --username AWS --password-stdin %s\n' "$REGION" "$registry"
    ((DRY_RUN)) || aws ecr get-login-password --region "$REGION" |
        docker login --username AWS --password-stdin "$registry"
    run docker push "$image"
}

# A digest names one image for ever; a tag could be moved between the scan and the pull.
step_rollout() {
    local digest major
    digest=$(ask "digest of $repository:$tag" aws ecr describe-images --region "$REGION" --repository-name "$repository" \
        --image-ids "imageTag=$tag" --query 'imageDetails[0].imageDigest' --output text)
    if ((!DRY_RUN)) && [[ ! $digest =~ ^sha256:[0-9a-f]{64}$ ]]; then
        printf 'release: the registry knows no image %s (push it first)\n' "$image" >&2
        return 1
    fi
    major=$(ask 4 helm version --template '{{.Version}}')
    local rolls_back=--rollback-on-failure
    [[ $major != v3.* ]] || rolls_back=--atomic
    if ((!${#values[@]})); then
        if ! holds helm --kube-context "$context" status "$service" --namespace "$namespace"; then
            printf 'release: there is no release %s in %s yet, so its values must be named (--values FILE)\n' \
                "$service" "$namespace" >&2
            return 1
        fi
        values=(--reset-then-reuse-values)
    fi
    local settings=(--set "image.repository=$registry/$repository" --set "image.digest=$digest" --set-string "image.tag=$tag")
    if [[ $service == checkout && -n $cause ]]; then settings+=(--set-literal "release.cause=$cause"); fi
    run helm --kube-context "$context" upgrade --install "$service" "$chart" --namespace "$namespace" --create-namespace \
        "${values[@]}" "${settings[@]}" "$rolls_back" --wait --timeout 10m
}

for last in "${!STEPS[@]}"; do
    if [[ ${STEPS[last]} == "$to" ]]; then STEPS=("${STEPS[@]:0:last+1}"); break; fi
done
walk
say
say "Done: $image"
