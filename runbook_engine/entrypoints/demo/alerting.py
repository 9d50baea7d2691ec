"""Alerting: a real Prometheus and a real Alertmanager, with rules that fire within seconds."""

from __future__ import annotations

import json
from pathlib import Path

from runbook_engine.entrypoints.demo.children import Children
from runbook_engine.entrypoints.demo.stage import ALERT_ABOVE, WINDOW, Stage
from runbook_engine.entrypoints.demo.wire import answers

PROGRAMS = ("prometheus", "prometheus-alertmanager")
RULES = {
    "groups": [
        {
            "name": "checkout",
            "rules": [
                {
                    "record": "checkout:error_ratio",
                    "expr": (
                        f"sum(rate(checkout_errors_total[{WINDOW}])) / sum(rate(checkout_requests_total[{WINDOW}]))"
                    ),
                },
                {
                    "record": "checkout:latency_p99",
                    "expr": (
                        "histogram_quantile(0.99, sum by (le) "
                        f"(rate(checkout_request_duration_seconds_bucket[{WINDOW}])))"
                    ),
                },
                {
                    "alert": "CheckoutHighErrorRate",
                    "expr": f"checkout:error_ratio > {ALERT_ABOVE}",
                    "for": "1s",
                    "labels": {
                        "severity": "critical",
                        "cluster": "local",
                        "namespace": "apps",
                        "service": "checkout",
                    },
                    "annotations": {"summary": "checkout answers too many requests with an error"},
                },
            ],
        }
    ]
}


def start_alerting(stage: Stage, children: Children) -> None:
    """Start both and wait until both are ready."""
    _write(stage)
    folder = stage.folder
    children.start(
        "alertmanager",
        [
            PROGRAMS[1],
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{stage.alertmanager_port}",
            "--cluster.listen-address=",
            f"--web.external-url=http://127.0.0.1:{stage.alertmanager_port}",
        ],
    )
    children.start(
        "prometheus",
        [
            PROGRAMS[0],
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'prometheus'}",
            f"--web.listen-address=127.0.0.1:{stage.prometheus_port}",
            "--rules.alert.resend-delay=1s",
            f"--web.external-url=http://127.0.0.1:{stage.prometheus_port}",
        ],
    )
    for name, port in (("alertmanager", stage.alertmanager_port), ("prometheus", stage.prometheus_port)):
        children.wait_until(f"{name} ready", lambda port=port: answers(port, "/-/ready"), 20, needs=name)  # type: ignore[misc]


def _write(stage: Stage) -> None:
    """Write the three files; JSON is YAML."""
    rules = stage.folder / "rules.yml"
    _dump(rules, RULES)
    _dump(
        stage.folder / "prometheus.yml",
        {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(rules)],
            "scrape_configs": [
                {"job_name": "checkout", "static_configs": [{"targets": [f"127.0.0.1:{stage.shop_port}"]}]}
            ],
            "alerting": {
                "alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{stage.alertmanager_port}"]}]}]
            },
        },
    )
    _dump(
        stage.folder / "alertmanager.yml",
        {
            "route": {
                "receiver": "engine",
                "group_by": ["alertname", "service"],
                "group_wait": "0s",
                "group_interval": "1s",
                "repeat_interval": "1m",
            },
            "receivers": [
                {
                    "name": "engine",
                    "webhook_configs": [
                        {
                            "url": stage.webhook,
                            "http_config": {"authorization": {"credentials_file": str(stage.folder / "ingest-token")}},
                        }
                    ],
                }
            ],
        },
    )


def _dump(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=1))
