"""How soon a switch is seen by every worker: eight real worker processes, and what each writes into its log."""

import contextlib
import json
import time
from collections import defaultdict
from typing import Any

from bench.stage import Stage, percentile, staged

WORKERS = 8
PATIENCE = 5.0


def propagation(count: int) -> dict[str, Any]:
    """Throw so many switches, one after another; for each the time until the last worker had it in memory.

    The time is the workers' own: from the moment that the database wrote the switch, by the database's clock, to the
    look that found it. What a switch waits for before that is the API's answer, which is given beside it.
    """
    with staged(workers=WORKERS, log_level="info") as stage:
        time.sleep(2.0)
        answers: list[float] = []
        thrown: list[str] = []
        for at in range(count):
            began = time.perf_counter()
            body = {"scope": "tool", "target": f"tool{at}", "action": "disable", "why": "bench", "for_s": 3600}
            answer = stage.client.post("/v1/switches", json=body)
            answers.append((time.perf_counter() - began) * 1000)
            assert answer.status_code == 201, answer.text
            thrown.append(answer.json()["switch_id"])
            time.sleep(0.13)  # no multiple of any period
        seen = _wait_for(stage, thrown)
    last = [max(seen[one].values()) for one in thrown]
    return {
        "switches": count,
        "workers": WORKERS,
        "p50_ms": round(percentile(last, 0.5), 1),
        "p99_ms": round(percentile(last, 0.99), 1),
        "most_ms": round(max(last), 1),
        "answer_p50_ms": round(percentile(answers, 0.5), 1),
    }


def _wait_for(stage: Stage, thrown: list[str]) -> dict[str, dict[str, float]]:
    """By switch and worker: milliseconds until it was seen. Every worker has seen every switch, or this fails."""
    until = time.monotonic() + PATIENCE
    while True:
        found = _read(stage)
        missing = [one for one in thrown if len(found[one]) < WORKERS]
        if not missing:
            return found
        assert time.monotonic() < until, f"{len(missing)} switches were not seen by all workers: {found[missing[0]]}"
        time.sleep(0.2)


def _read(stage: Stage) -> defaultdict[str, dict[str, float]]:
    found: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for log in sorted((stage.fleet.folder / "logs").glob("worker*.log")):
        for line in log.read_text("utf-8", "replace").splitlines():
            if "switch.seen" not in line:
                continue
            with contextlib.suppress(ValueError, KeyError):
                fields = json.loads(line)
                if fields["event"] == "switch.seen":
                    found[fields["switch"]].setdefault(log.stem, float(fields["ms"]))
    return found
