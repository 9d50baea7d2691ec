"""GitOps: what keeps an object as it is written in git, and would take a change of ours back.

Told from the marks that such tools leave. The label `app.kubernetes.io/instance` is Argo CD's older mark and every
Helm chart's as well; it counts unless the Helm command line has signed the object.
"""

from __future__ import annotations

from runbook_adapters.kubernetes.objects import annotations_of, labels_of, managers_of
from runbook_adapters.kubernetes.transport import Json
from runbook_adapters.kubernetes.wording import SHORT, one_line

TRACKING = "argocd.argoproj.io/tracking-id"
ARGO_LABELS = ("argocd.argoproj.io/instance", "app.kubernetes.io/instance")
HELM_RELEASE = "meta.helm.sh/release-name"
# These apply once, when somebody calls them, and never by themselves.
PEOPLE = ("kubectl", "helm", "runbook-engine")


def gitops_owner(obj: Json, field: str = "spec") -> str:
    """Return what owns an object in git, as in Argo CD application web; empty when nobody is known to."""
    labels, annotations = labels_of(obj), annotations_of(obj)
    if TRACKING in annotations:
        return f"Argo CD application {one_line(annotations[TRACKING].partition(':')[0], SHORT)}"
    if "kustomize.toolkit.fluxcd.io/name" in labels:
        return f"Flux kustomization {labels['kustomize.toolkit.fluxcd.io/name']}"
    if "helm.toolkit.fluxcd.io/name" in labels:
        return f"Helm release {labels['helm.toolkit.fluxcd.io/name']} of Flux"
    argo = next((labels[name] for name in ARGO_LABELS if name in labels), "")
    if argo and HELM_RELEASE not in annotations:
        return f"Argo CD application {argo}"
    appliers = [manager.name for manager in managers_of(obj, (field,)) if manager.operation == "Apply"]
    reconciler = next((name for name in appliers if name not in PEOPLE), "")
    return f"{reconciler} by server-side apply" if reconciler else ""
