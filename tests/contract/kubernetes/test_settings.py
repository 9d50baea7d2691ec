"""Settings on a cluster: the contract on an environment and on a ConfigMap, and templates restored to the byte."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_adapters.kubernetes.entries import EnvironmentKey, find_entry, patch_of
from runbook_adapters.kubernetes.setting_ports import KubernetesSettingReader, KubernetesSettingWriter
from runbook_engine.errors import Conflict, InvalidTarget, Permanent, Unreadable
from runbook_engine.model.target import Target
from tests.contract.kubernetes.bed import NEW, OLD, PLACE, Bed
from tests.contract.settings_contract import SettingsContract
from tests.emulators.kubernetes.patching import json_patch

FROM_POD = {"name": "NODE", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "spec.nodeName"}}}
ENTRIES = [
    {"name": "FIRST", "value": "1"},
    {"name": "DEGRADED", "value": "off"},
    FROM_POD,
    {"name": "LAST", "value": "$(FIRST)"},
]


class SettingsRig:
    """One target on a cluster with what reads and writes its settings."""

    def __init__(self, bed: Bed, kind: str, key: str, absent: str) -> None:
        self.bed = bed
        self.reader = KubernetesSettingReader(bed.transport)
        self.writer = KubernetesSettingWriter(bed.transport)
        self.target = bed.target(kind, "web")
        self.key, self.text, self.absent = key, "off", absent

    def settle(self) -> None:
        if self.target.kind == "deployment":
            self.bed.settle("deployment", "web")

    def template(self) -> dict:
        return self.bed.client.get("deployment", "web")["spec"]["template"]

    def write(self, key: str, text: str | None, expected: str | None):
        receipt = self.writer.write(self.target, key, text, expected=expected)
        self.settle()
        return receipt


def deployment_rig(bed: Bed, env: list[dict] | None = ENTRIES, **more) -> SettingsRig:
    """Return a deployment with an environment, at rest."""
    bed.deployment("web", env=env, **more)
    rig = SettingsRig(bed, "deployment", "env:app/DEGRADED", "env:app/NEVER_SET")
    rig.settle()
    return rig


def configmap_rig(bed: Bed, **more) -> SettingsRig:
    """Return a ConfigMap."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": {"degraded": "off"}, **more}
    bed.client.create("configmap", body)
    return SettingsRig(bed, "configmap", "data:degraded", "data:never.set")


class TestEnvironment(SettingsContract):
    """An environment entry of a deployment."""

    @pytest.fixture
    def rig(self, cluster: Bed) -> SettingsRig:
        return deployment_rig(cluster)


class TestConfigMap(SettingsContract):
    """A key of a ConfigMap."""

    @pytest.fixture
    def rig(self, cluster: Bed) -> SettingsRig:
        return configmap_rig(cluster)


@pytest.mark.parametrize(
    ("name", "env"),
    [("DEGRADED", ENTRIES), ("NODE", ENTRIES), ("NEVER_SET", ENTRIES), ("NEVER_SET", None)],
    ids=["a plain value", "a value from elsewhere", "an absence", "no list at all"],
)
def test_undo_restores_the_template_when_it_was(cluster: Bed, name: str, env: list[dict] | None) -> None:
    """Setting and undoing leaves the very template, so the old ReplicaSet is taken again and no third one is made."""
    rig = deployment_rig(cluster, env)
    before, key = rig.template(), f"env:app/{name}"
    text = rig.reader.setting(rig.target, key).text

    rig.write(key, "on", expected=text)
    changed = rig.template()
    rig.write(key, text, expected="on")

    assert changed != before
    assert rig.template() == before
    assert len(cluster.client.list("replicaset", "app=web")) == 2


def test_entry_stays_where_it_stands_when_replaced(cluster: Bed) -> None:
    """Later variables may be built from earlier ones, so their order is kept."""
    rig = deployment_rig(cluster)

    rig.write("env:app/DEGRADED", "on", expected="off")

    entries = rig.template()["spec"]["containers"][0]["env"]
    assert [ENTRIES[0], {"name": "DEGRADED", "value": "on"}, *ENTRIES[2:]] == entries


def test_entry_is_shown_whole_when_its_value_comes_from_elsewhere(cluster: Bed) -> None:
    """What takes its value from elsewhere is told apart from every plain text."""
    rig = deployment_rig(cluster)

    text = rig.reader.setting(rig.target, "env:app/NODE").text

    assert text is not None
    assert text.startswith("entry ")
    assert json.loads(text.removeprefix("entry ")) == FROM_POD


def test_plain_text_stays_plain_when_it_looks_like_an_entry(cluster: Bed) -> None:
    """A value that somebody has set to such words is not taken for an entry, and undoing brings the words back."""
    words = 'entry {"name":"DEGRADED","valueFrom":{}}'
    rig = deployment_rig(cluster, [{"name": "DEGRADED", "value": words}])
    before, text = rig.template(), rig.reader.setting(rig.target, "env:app/DEGRADED").text

    rig.write("env:app/DEGRADED", "on", expected=text)
    rig.write("env:app/DEGRADED", text, expected="on")

    assert rig.template() == before


def test_receipt_names_the_generation_when_the_environment_changed(cluster: Bed) -> None:
    """What observing waits for is the generation of our write."""
    rig = deployment_rig(cluster)

    receipt = rig.writer.write(rig.target, rig.key, "on", expected="off")

    assert receipt["generation"] == cluster.client.get("deployment", "web")["metadata"]["generation"]


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("env:proxy/DEGRADED", "has no container proxy (name one of app, sidecar)"),
        ("env:/DEGRADED", "has 2 containers (name one of app, sidecar)"),
    ],
    ids=["an unknown container", "no container among two"],
)
def test_setting_is_refused_when_the_container_is(cluster: Bed, key: str, says: str) -> None:
    """A sidecar is never taken by accident."""
    rig = deployment_rig(cluster, sidecars=[{"name": "sidecar", "image": NEW}])

    with pytest.raises(InvalidTarget) as refused:
        rig.reader.setting(rig.target, key)

    assert f"{rig.target} {says}" == str(refused.value)


def test_only_container_is_meant_when_none_is_named(cluster: Bed) -> None:
    """With one container there is nothing to choose."""
    rig = deployment_rig(cluster)

    assert "off" == rig.reader.setting(rig.target, "env:/DEGRADED").text


def test_setting_is_unreadable_when_it_stands_there_twice(cluster: Bed) -> None:
    """Which of two holds, nobody should have to know."""
    rig = deployment_rig(cluster, [{"name": "DEGRADED", "value": "off"}, {"name": "DEGRADED", "value": "on"}])

    with pytest.raises(Unreadable) as unread:
        rig.reader.setting(rig.target, rig.key)

    assert f"container app of {rig.target} sets DEGRADED 2 times (keep the last of them)" == str(unread.value)


def test_write_is_refused_when_rollouts_are_paused(cluster: Bed) -> None:
    """A paused deployment would keep the value for later, and nobody would know when."""
    rig = deployment_rig(cluster)
    cluster.client.patch("deployment", "web", {"spec": {"paused": True}})

    with pytest.raises(Permanent) as refused:
        rig.writer.write(rig.target, rig.key, "on", expected="off")

    assert f"cannot set DEGRADED of {rig.target}: its rollouts are paused (resume them first)" == str(refused.value)


def test_write_is_refused_when_updates_are_manual(cluster: Bed) -> None:
    """With OnDelete a new template changes nothing that runs."""
    cluster.statefulset("web", env=ENTRIES, spec={"updateStrategy": {"type": "OnDelete"}}, image=OLD)
    rig = SettingsRig(cluster, "statefulset", "env:app/DEGRADED", "env:app/NEVER_SET")

    with pytest.raises(Permanent) as refused:
        rig.writer.write(rig.target, rig.key, "on", expected="off")

    assert str(refused.value) == (
        f"cannot set DEGRADED of {rig.target}: its update strategy is OnDelete, so nothing would roll "
        "(set RollingUpdate, or delete its pods one by one)"
    )


def test_configmap_is_refused_when_immutable(cluster: Bed) -> None:
    """An immutable ConfigMap says so when read, and is not written."""
    rig = configmap_rig(cluster, immutable=True)

    assert rig.reader.setting(rig.target, rig.key).immutable
    with pytest.raises(Permanent) as refused:
        rig.writer.write(rig.target, rig.key, "on", expected="off")

    assert str(refused.value) == (
        f"cannot set degraded of {rig.target}: it is immutable (create another one and let the workload use that)"
    )


def test_configmap_gets_its_first_key_when_it_has_none(cluster: Bed) -> None:
    """A ConfigMap without any data takes a key, and loses it again."""
    rig = configmap_rig(cluster, data={})

    rig.write("data:first", "on", expected=None)
    assert {"first": "on"} == cluster.client.get("configmap", "web")["data"]

    rig.write("data:first", None, expected="on")
    assert not cluster.client.get("configmap", "web").get("data")


def test_setting_tells_who_owns_it_when_git_does(cluster: Bed) -> None:
    """What a tool keeps as it is in git is named, so that a guard can refuse."""
    rig = configmap_rig(cluster)
    labels = {"metadata": {"labels": {"kustomize.toolkit.fluxcd.io/name": "shop"}}}
    cluster.client.patch("configmap", "web", labels)

    assert "Flux kustomization shop" == rig.reader.setting(rig.target, rig.key).gitops


def test_setting_is_out_of_bounds_when_its_namespace_is_marked(cluster: Bed) -> None:
    """A mark on the namespace covers what is in it, with the reason that somebody gave."""
    rig = configmap_rig(cluster)
    mark = {"metadata": {"annotations": {"runbook-engine/ignore": "payroll runs until Friday"}}}
    cluster.client.patch("namespace", cluster.namespace, mark)

    ignored = rig.reader.setting(rig.target, rig.key).ignored

    assert str(ignored) == (
        f"is in namespace {cluster.namespace}, which is marked runbook-engine/ignore: payroll runs until Friday"
    )


def test_write_conflicts_when_somebody_writes_the_key_first(cluster: Bed) -> None:
    """Two who add the same key: the second finds the first one's."""
    rig = configmap_rig(cluster)
    cluster.client.patch("configmap", "web", {"data": {"never.set": "theirs"}})

    with pytest.raises(Conflict):
        rig.writer.write(rig.target, rig.absent, "ours", expected=None)


WEB = Target("deployment", PLACE, "apps", "web")
NAMES = st.sampled_from(["A", "B", "C", "D"])
TEXTS = st.one_of(st.sampled_from(["", "on", "entry x", 'entry {"name":"A"}']), st.text(max_size=8))
PLAIN = st.builds(lambda name, value: {"name": name, "value": value}, NAMES, TEXTS)
ELSEWHERE = st.builds(lambda name: FROM_POD | {"name": name}, NAMES)
LISTS = st.one_of(st.none(), st.lists(PLAIN | ELSEWHERE, min_size=1, max_size=4, unique_by=lambda entry: entry["name"]))


@given(env=LISTS, name=NAMES, value=st.text(max_size=8).filter(lambda text: not text.startswith("entry ")))
def test_template_is_the_same_when_any_value_was_set_and_undone(env: list | None, name: str, value: str) -> None:
    """Whatever stood there, and wherever: what undoing leaves is what was there, and nothing else ever moves."""
    container = {"name": "app", "image": OLD} | ({"env": env} if env is not None else {})
    before = {"spec": {"template": {"spec": {"containers": [{"name": "other"}, container]}}}}
    key = EnvironmentKey("app", name)
    text = find_entry(WEB, before, key).text

    after = json_patch(before, patch_of(find_entry(WEB, before, key), value))
    undone = json_patch(after, patch_of(find_entry(WEB, after, key), text))

    assert value == find_entry(WEB, after, key).text
    assert before == undone
