"""`python -m streamtape.demo`: serve until Ctrl-C."""

from __future__ import annotations

import argparse
import threading
from contextlib import suppress

from streamtape.demo.server import demo_server


def main(arguments: list[str] | None = None) -> None:
    """Serve and say where, until the user interrupts."""
    parser = argparse.ArgumentParser(
        prog="python -m streamtape.demo",
        description="A server on loopback that streams like OpenAI and Anthropic, with any key.",
    )
    parser.add_argument("--port", type=int, default=0, help="default: one that is free")
    parser.add_argument("--speed", type=float, default=1.0, help="2 is twice as fast, 0 at once")
    options = parser.parse_args(arguments)
    with suppress(KeyboardInterrupt), demo_server(port=options.port, speed=options.speed) as server:
        print(_where(server.url, server.openai_url, server.anthropic_url), flush=True)  # noqa: T201
        threading.Event().wait()


def _where(url: str, openai_url: str, anthropic_url: str) -> str:
    return f"""\
Serving until Ctrl-C.

OpenAI's SDK:     OPENAI_BASE_URL={openai_url} OPENAI_API_KEY=demo
Anthropic's SDK:  ANTHROPIC_BASE_URL={anthropic_url} ANTHROPIC_API_KEY=demo

curl -N {url}/events
curl -N {openai_url}/chat/completions \\
  -d '{{"stream": true, "messages": [{{"role": "user", "content": "Hello"}}]}}'
"""


if __name__ == "__main__":
    main()
