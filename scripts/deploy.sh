#!/usr/bin/env bash
# What runs in the cluster: the engine's rights, the in-cluster runner, the checkout service.
# Usage: scripts/deploy.sh --region REGION [OPTION...]
#   --region REGION       where the cluster is (default: AWS_REGION)
#   --name NAME           name of the installation (default: runbook-engine)
#   --account ID          the account that is meant; any other is refused
#   --image IMAGE         the runner's image, REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:...; without it no runner
#   --values FILE         values of helm/runbook-engine; may be repeated
#   --checkout-image IMAGE   the image of the checkout service; without it no checkout
#   --checkout-values FILE   values of helm/checkout; may be repeated
#   --runbooks FOLDER     runbooks whose rights the engine gets: those of the zip (default: runbooks)
#   --config FILE         their engine.yaml (default: engine.yaml in that folder, else runbooks/engine.yaml)
#   --mode MODE           rights for observe, propose, approve or auto (default: observe, which writes nothing)
#   --from STEP           begin with this step: context, rights, runner, checkout
#   --dry-run             print every command, run none
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib/steps.sh
source scripts/lib/steps.sh

GROUP=runbook-engine
RUNNER_NAMESPACE=runbooks
TOKENS=runbook-engine-tokens
RUNBOOK=${RUNBOOK:-.venv/bin/runbook}

account='' image='' checkout_image='' checkout_values=() runbooks=runbooks config='' mode=observe values=()
while (($#)); do
    case $1 in
        --region | --name | --account | --image | --values | --checkout-image | --checkout-values | --runbooks | --config | --mode | --from)
            take "$@"
            case $1 in
                --region) REGION=$VALUE ;;
                --name) NAME=$VALUE ;;
                --account) account=$VALUE ;;
                --image) image=$VALUE ;;
                --values) values+=(--values "$VALUE") ;;
                --checkout-image) checkout_image=$VALUE ;;
                --checkout-values) checkout_values+=(--values "$VALUE") ;;
                --runbooks) runbooks=$VALUE ;;
                --config) config=$VALUE ;;
                --mode) mode=$VALUE ;;
                --from) FROM=$VALUE ;;
            esac
            shift 2
            ;;
        --dry-run) DRY_RUN=1 && shift ;;
        -h | --help) usage && exit 0 ;;
        *) complain "what is $1? (--help lists the options)" ;;
    esac
done
if [[ -z $config ]]; then
    config=runbooks/engine.yaml
    [[ ! -e $runbooks/engine.yaml ]] || config=$runbooks/engine.yaml
fi

step context 'the cluster answers'
step rights 'rights of the function that acts: RBAC for its group'
step runner 'the in-cluster runner'
step checkout 'the checkout service'
check_from

need_aws
need_kubectl
need_helm
need "$RUNBOOK" 'run make setup'
need_region
need_account "$account"
[[ $mode =~ ^(observe|propose|approve|auto)$ ]] || want "--mode $mode: it is observe, propose, approve or auto"
for file in "${values[@]}"; do
    [[ $file == --values || -e $file ]] || want "--values $file: there is no such file"
done
for file in "${checkout_values[@]}"; do
    [[ $file == --values || -e $file ]] || want "--checkout-values $file: there is no such file"
done
[[ -z $image || $image == *@sha256:* || ${image##*/} == *:* ]] ||
    want "--image $image has neither a tag nor a digest: what runs must be said exactly"
[[ -z $checkout_image || $checkout_image == *@sha256:* || ${checkout_image##*/} == *:* ]] ||
    want "--checkout-image $checkout_image has neither a tag nor a digest: what runs must be said exactly"
[[ -d $runbooks ]] || want "--runbooks $runbooks: there is no such folder"
[[ -e $config ]] || want "--config $config: there is no such file"
ready

step_context() {
    run aws eks update-kubeconfig --region "$REGION" --name "$NAME" --alias "$NAME"
    run kubectl --context "$NAME" get nodes
}

have_namespace() {
    holds kubectl --context "$NAME" get namespace "$1" || run kubectl --context "$NAME" create namespace "$1"
}

# Execution role -> access entry -> group -> these roles. What the runbooks do not need is not in them.
step_rights() {
    local manifests namespace
    local command=("$RUNBOOK" permissions --runbooks "$runbooks" --config "$config" --mode "$mode" --format rbac
        --subject "group:$GROUP")
    say "+ $(quoted "${command[@]}") | $(quoted kubectl --context "$NAME" apply --filename -)"
    if ((DRY_RUN)); then return 0; fi
    manifests=$("${command[@]}") # whole before anything is applied
    if [[ -z $manifests ]]; then
        say 'left out: these runbooks need nothing in a cluster'
        return 0
    fi
    while read -r namespace; do
        have_namespace "$namespace" </dev/null
    done < <(sed -n 's/^  namespace: //p' <<<"$manifests" | sort -u)
    kubectl --context "$NAME" apply --filename - <<<"$manifests"
}

# refer IMAGE: the chart's settings that mean exactly this image, into REFERENCE
refer() {
    if [[ $1 == *@* ]]; then
        REFERENCE=(--set "image.repository=${1%@*}" --set "image.digest=${1#*@}")
    else
        REFERENCE=(--set "image.repository=${1%:*}" --set-string "image.tag=${1##*:}")
    fi
}

step_runner() {
    if [[ -z $image ]]; then
        say 'left out: without --image there is no runner (the functions of stacks/pipeline do the work)'
        return 0
    fi
    refer "$image"
    have_namespace "$RUNNER_NAMESPACE"
    if ! holds kubectl --context "$NAME" --namespace "$RUNNER_NAMESPACE" get secret "$TOKENS"; then
        {
            printf 'deploy: there is no secret %s in the namespace %s; make it first, and keep the token for Alertmanager:\n' \
                "$TOKENS" "$RUNNER_NAMESPACE"
            # shellcheck disable=SC2016  # to be typed, not to be done here
            printf '  kubectl --context %s --namespace %s create secret generic %s --from-literal=alertmanager="$(openssl rand -hex 32)"\n' \
                "$NAME" "$RUNNER_NAMESPACE" "$TOKENS"
        } >&2
        return 2
    fi
    run helm --kube-context "$NAME" upgrade --install runner helm/runbook-engine --namespace "$RUNNER_NAMESPACE" \
        --atomic --timeout 10m --set serviceAccount.podIdentity=true "${REFERENCE[@]}" "${values[@]}"
}

step_checkout() {
    if [[ -z $checkout_image ]]; then
        say 'left out: without --checkout-image there is no checkout service'
        return 0
    fi
    refer "$checkout_image"
    run helm --kube-context "$NAME" upgrade --install checkout helm/checkout --namespace apps --create-namespace \
        --atomic --timeout 10m "${REFERENCE[@]}" "${checkout_values[@]}"
}

walk
say
say 'Done. Look: kubectl --context '"$NAME"' get pods --all-namespaces'
