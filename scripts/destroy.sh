#!/usr/bin/env bash
# Takes an installation down, in the reverse order of its making. The state bucket and the roles of workflows stay.
# Usage: scripts/destroy.sh --region REGION [OPTION...]
#   --region REGION    where (default: AWS_REGION)
#   --name NAME        name of the installation (default: runbook-engine)
#   --account ID       the account that is meant; any other is refused
#   --confirm TEXT     instead of typing it: "destroy NAME in ACCOUNT REGION"
#   --from STEP        begin with this step: services, load-balancers, addons, pipeline, cluster
#   --dry-run          print every command, run none
# What is lost: incidents, executions and the audit trail of the pipeline, and what runs in the cluster.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib/steps.sh
source scripts/lib/steps.sh

account='' confirm=''
while (($#)); do
    case $1 in
        --region | --name | --account | --confirm | --from)
            take "$@"
            case $1 in
                --region) REGION=$VALUE ;;
                --name) NAME=$VALUE ;;
                --account) account=$VALUE ;;
                --confirm) confirm=$VALUE ;;
                --from) FROM=$VALUE ;;
            esac
            shift 2
            ;;
        --dry-run) DRY_RUN=1 && shift ;;
        -h | --help) usage && exit 0 ;;
        *) complain "what is $1? (--help lists the options)" ;;
    esac
done

step services 'the checkout service and the runner'
step load-balancers 'load balancers that Kubernetes made, which would keep the network'
step addons 'add-ons'
step pipeline 'the pipeline'
step cluster 'the cluster and the network'
check_from

need_aws
need_terraform
need_kubectl
need_helm
need_region
need_account "$account"
ready

sentence="destroy $NAME in $ACCOUNT $REGION"
if ! ((DRY_RUN)) && [[ -z $confirm ]]; then
    [[ -t 0 ]] || complain "there is no terminal to confirm on: add --confirm '$sentence'"
    printf 'This destroys the installation %s with its audit trail. Type: %s\n> ' "$NAME" "$sentence"
    read -r confirm
fi
((DRY_RUN)) || [[ $confirm == "$sentence" ]] || complain "nothing is destroyed: the confirmation must read: $sentence"

# A cluster that is gone already has nothing in it; one that does not answer is another matter, and ends the script.
cluster_exists() {
    local said
    if ((DRY_RUN)); then
        say "? $(quoted aws eks describe-cluster --region "$REGION" --name "$NAME")"
        return 0
    fi
    if said=$(aws eks describe-cluster --region "$REGION" --name "$NAME" --query cluster.status --output text 2>&1); then return 0; fi
    if [[ $said == *ResourceNotFoundException* ]]; then
        say 'there is no cluster any more: nothing to do'
        return 1
    fi
    printf 'destroy: whether the cluster %s exists cannot be told: %s\n' "$NAME" "$said" >&2
    exit 1
}

remove() { run helm --kube-context "$NAME" uninstall "$1" --namespace "$2" --ignore-not-found --wait --timeout 10m; }

step_services() {
    cluster_exists || return 0
    run aws eks update-kubeconfig --region "$REGION" --name "$NAME" --alias "$NAME"
    remove checkout apps
    remove runner runbooks
    say 'note: the claim of the runner stays until the cluster goes (persistence.retain), and its volume after that'
}

step_load_balancers() {
    cluster_exists || return 0
    run kubectl --context "$NAME" delete ingress --all --all-namespaces --wait --timeout=10m
    run kubectl --context "$NAME" delete service --all-namespaces --field-selector spec.type=LoadBalancer --wait --timeout=10m
}

step_addons() {
    cluster_exists || return 0
    remove observability monitoring
    remove mon monitoring
    remove external-dns external-dns
    remove cert-manager cert-manager
    remove metrics-server kube-system
    remove aws-load-balancer-controller kube-system
}

take_down() {
    local name=$1
    shift
    run terraform "-chdir=$STACKS/$name" destroy -input=false -auto-approve "-var=region=$REGION" "-var=name=$NAME" "$@"
}

# The journal is protected from exactly this; the confirmation is what lifts it.
step_pipeline() {
    stack pipeline
    run terraform "-chdir=$STACKS/pipeline" apply -input=false -auto-approve -target=module.incident_store \
        "-var=region=$REGION" "-var=name=$NAME" -var=deletion_protection=false
    take_down pipeline -var=deletion_protection=false
}

# Destroying asks for the values of all variables, though it uses none of these.
step_cluster() {
    stack cluster
    take_down cluster "-var=administrators=$(json "arn:aws:iam::$ACCOUNT:role/nobody")"
}

walk
say
say "Done. What stays: the state bucket $(state_bucket), its key, and the roles of workflows (docs/deploying.md says how to remove them)."
