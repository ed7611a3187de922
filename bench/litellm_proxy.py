"""LiteLLM's proxy as processes of its own, with or without Redis, in the environment that was made for it."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench.demand import MOST, PRICE
from bench.stage import free_port

HERE = Path(__file__).parent
ENVIRONMENT = HERE / ".envs" / "litellm"
STARTING = 180.0
"""Seconds that a process may take to start on a busy machine: it imports for half a minute."""


@dataclass(frozen=True)
class Way:
    """How the proxy is run."""

    name: str
    replicas: int
    redis: bool = False
    closed: bool = False
    kind: str = "key"


@dataclass(frozen=True)
class Proxy:
    """A running one: its processes, Redis among them, and where its replicas answer."""

    pids: tuple[int, ...]
    urls: tuple[str, ...]


def is_installed() -> bool:
    """Whether its environment is there."""
    return (ENVIRONMENT / "bin" / "litellm").exists()


def redis_server() -> str | None:
    """Redis, if this machine has it: on the path, or in the folder of environments."""
    own = HERE / ".envs" / "redis" / "bin" / "redis-server"
    return shutil.which("redis-server") or (str(own) if own.exists() else None)


def _configuration(provider: str, way: Way, limits: Sequence[int]) -> dict[str, Any]:
    model = {
        "model": "openai/m",
        "api_base": provider,
        "api_key": "sk-none",
        "input_cost_per_token": 0.0,
        "output_cost_per_token": PRICE / 1e6,
    }
    card = {"name": "bench", "description": "bench", "url": "http://127.0.0.1:1", "version": "1"}
    agents = [
        {
            "agent_name": f"limit-{limit}",
            "agent_card_params": {**card, "capabilities": {}, "skills": [], "defaultInputModes": ["text"]}
            | {"defaultOutputModes": ["text"], "protocolVersion": "1.0"},
            "litellm_params": {"max_budget_per_session": limit / 1e6},
        }
        for limit in limits
    ]
    general = {
        "master_key": "sk-master",
        "custom_auth": "litellm_keys.authorized",
        "custom_auth_run_common_checks": True,
        "fail_closed_budget_enforcement": way.closed,
    }
    return {
        "model_list": [
            {"model_name": "m", "litellm_params": model, "model_info": {"max_output_tokens": MOST * 16}},
        ],
        "litellm_settings": {"callbacks": ["litellm_keys.charging"], "num_retries": 0},
        "general_settings": general,
        **({"agents": agents} if way.kind == "session" else {}),
    }


@contextmanager
def opened(provider: str, way: Way, limits: Sequence[int]) -> Iterator[Proxy]:
    """The proxy, and its Redis; gone at the end."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="qd-litellm-")))
        shutil.copy(HERE / "peers" / "litellm_keys.py", folder)
        (folder / "config.yaml").write_text(json.dumps(_configuration(provider, way, limits)))  # JSON is YAML
        environ = {
            "PATH": f"{ENVIRONMENT / 'bin'}:{os.environ['PATH']}",
            "HOME": str(folder),
            "LITELLM_LOG": "ERROR",
            "LITELLM_MODE": "PRODUCTION",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        }
        pids: list[int] = []
        if way.redis:
            port = free_port()
            command = [redis_server() or "", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
            pids.append(stack.enter_context(_running([*command, "--save", ""], folder / "redis.log", environ)))
            environ |= {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(port)}
        urls: list[str] = []
        for number in range(way.replicas):
            port = free_port()
            command = [str(ENVIRONMENT / "bin" / "litellm"), "--config", str(folder / "config.yaml")]
            command += ["--host", "127.0.0.1", "--port", str(port)]
            pids.append(stack.enter_context(_running(command, folder / f"proxy-{number}.log", environ)))
            urls.append(f"http://127.0.0.1:{port}")
            # One after another: together they would be half as fast, and ports are free until they are taken.
            _await(folder / f"proxy-{number}.log", urls[-1])
        yield Proxy(tuple(pids), tuple(urls))


@contextmanager
def _running(command: Sequence[str], log: Path, environ: Mapping[str, str]) -> Iterator[int]:
    """A process in a group of its own, which ends with it."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, env=environ, cwd=log.parent, start_new_session=True
        )
    try:
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _await(log: Path, url: str) -> None:
    until = time.monotonic() + STARTING
    while time.monotonic() < until:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{url}/health/liveliness", timeout=5).status_code == 200:
                return
        time.sleep(0.3)
    raise TimeoutError(f"LiteLLM's proxy did not start: {log.read_text()[-2000:]}")
