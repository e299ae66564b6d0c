"""A policy that forces the upstream's own marks, and asks for a header of ours.

async with countermark(upstream.url, **forcing(tmp_path, "vllm")) as here: ...
"""

from pathlib import Path
from typing import Any

_POLICY = """\
policy: force
title: The upstream's own marks
as_of: 2026-11-21
sources: ["https://example.com/law"]
on_failure: {}
rules:
  - id: marks
    when: {{kind: [text, image, video]}}
    clause: Article 1.
    metadata: [header]
    upstream_watermark: force
"""


def forcing(folder: Path, server: str, on_failure: str = "block") -> dict[str, Any]:
    """What configures it for an upstream of this kind; the policy is made in ``folder``."""
    (folder / "force.yaml").write_text(_POLICY.format(on_failure), encoding="utf-8")
    return {"policies": str(folder), "route": {"policies": ["force"]}, "upstream": {"server": server}}
