#!/usr/bin/env bash
# What the platform needs in the cluster: load balancers, metrics, certificates, DNS records, Prometheus, our rules.
# Usage: scripts/install-addons.sh --region REGION [OPTION...]
#   --region REGION   where the cluster is (default: AWS_REGION)
#   --name NAME       name of the installation (default: runbook-engine)
#   --account ID      the account that is meant; any other is refused
#   --without ADDON   leave one out; may be repeated: cert-manager, external-dns, monitoring, ...
#   --from STEP       begin with this step: context, load-balancers, metrics, certificates, dns, monitoring
#   --dry-run         print every command, run none
# Charts are pinned here. A release that fails to become ready is rolled back by Helm before the script ends.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib/steps.sh
source scripts/lib/steps.sh

LOAD_BALANCER_CONTROLLER=3.5.0
METRICS_SERVER=3.14.0
CERT_MANAGER=v1.20.2
EXTERNAL_DNS=1.22.0
PROMETHEUS_STACK=88.6.3
VALUES=helm/observability

account='' without=' '
while (($#)); do
    case $1 in
        --region | --name | --account | --without | --from)
            take "$@"
            case $1 in
                --region) REGION=$VALUE ;;
                --name) NAME=$VALUE ;;
                --account) account=$VALUE ;;
                --without) without+="$VALUE " ;;
                --from) FROM=$VALUE ;;
            esac
            shift 2
            ;;
        --dry-run) DRY_RUN=1 && shift ;;
        -h | --help) usage && exit 0 ;;
        *) complain "what is $1? (--help lists the options)" ;;
    esac
done

step context 'the cluster answers'
step load-balancers 'AWS Load Balancer Controller'
step metrics 'metrics-server'
step certificates 'cert-manager'
step dns 'external-dns'
step monitoring 'kube-prometheus-stack: Prometheus, Alertmanager, Grafana; then our rules and dashboards'
check_from
for addon in $without; do
    [[ " aws-load-balancer-controller metrics-server cert-manager external-dns monitoring " == *" $addon "* ]] ||
        complain "--without $addon: the add-ons are aws-load-balancer-controller, metrics-server, cert-manager, external-dns and monitoring"
done

need_aws
need_terraform
need_kubectl
need_helm
need_region
need_account "$account"
ready

wanted() {
    [[ $without != *" $1 "* ]] && return 0
    say "left out (--without $1)"
    return 1
}

# chart RELEASE CHART VERSION REPOSITORY NAMESPACE OPTION...
chart() {
    local release=$1 chart=$2 version=$3 repository=$4 namespace=$5
    shift 5
    run helm --kube-context "$NAME" upgrade --install "$release" "$chart" --version "$version" --repo "$repository" \
        --namespace "$namespace" --create-namespace --atomic --timeout 10m "$@"
}

# The context is named each time: whatever kubectl points to at this moment may be somebody's production.
step_context() {
    run aws eks update-kubeconfig --region "$REGION" --name "$NAME" --alias "$NAME"
    run kubectl --context "$NAME" get nodes
    stack cluster
}

step_load_balancers() {
    wanted aws-load-balancer-controller || return 0
    local network
    network=$(answer cluster vpc_id)
    chart aws-load-balancer-controller aws-load-balancer-controller "$LOAD_BALANCER_CONTROLLER" \
        https://aws.github.io/eks-charts kube-system \
        --set "clusterName=$NAME" --set "region=$REGION" --set "vpcId=$network" \
        --set serviceAccount.name=aws-load-balancer-controller \
        --set enableShield=false --set enableWaf=false --set enableWafv2=false
}

step_metrics() {
    wanted metrics-server || return 0
    chart metrics-server metrics-server "$METRICS_SERVER" https://kubernetes-sigs.github.io/metrics-server kube-system
}

step_certificates() {
    wanted cert-manager || return 0
    chart cert-manager cert-manager "$CERT_MANAGER" https://charts.jetstack.io cert-manager --set crds.enabled=true
}

step_dns() {
    wanted external-dns || return 0
    if [[ $(answer cluster external_dns_enabled) == false ]]; then
        say 'left out: external-dns has no zone (dns_zone_ids of terraform/stacks/cluster)'
        return 0
    fi
    chart external-dns external-dns "$EXTERNAL_DNS" https://kubernetes-sigs.github.io/external-dns external-dns \
        --set provider.name=aws --set serviceAccount.name=external-dns --set "txtOwnerId=$NAME" --set policy=upsert-only
}

# Pods that mount a Secret which is not there would wait for it until Helm gives up.
have_secret() {
    if holds kubectl --context "$NAME" --namespace monitoring get secret "$1"; then return 0; fi
    printf 'install-addons: there is no secret %s in the namespace monitoring; make it first, and the namespace too:\n' "$1" >&2
    printf '  kubectl --context %s --namespace monitoring create secret generic %s %s\n' "$NAME" "$1" "$2" >&2
    return 2
}

step_monitoring() {
    wanted monitoring || return 0
    # shellcheck disable=SC2016  # to be typed, not to be done here
    {
        have_secret runbook-engine-tokens '--from-literal=alertmanager="$TOKEN"  # as in the namespace of the runner' || return
        have_secret oncall '--from-literal=pager="$ROUTING_KEY" --from-literal=chat="$WEBHOOK"' || return
        have_secret grafana-admin '--from-literal=user=admin --from-literal=password="$(openssl rand -hex 24)"' || return
    }
    chart mon kube-prometheus-stack "$PROMETHEUS_STACK" https://prometheus-community.github.io/helm-charts monitoring \
        --values "$VALUES/kube-prometheus-stack-values.yaml" --values "$VALUES/alertmanager-values.yaml"
    run helm --kube-context "$NAME" upgrade --install observability "$VALUES" --namespace monitoring --atomic --timeout 10m
}

walk
say
say "Done. Next: scripts/deploy.sh --region $REGION --image REGISTRY/runbook-engine:TAG"
