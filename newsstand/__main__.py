"""Run the newsstand as a process: `python -m newsstand --help`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from .server import FAULTS, LAST, SENT, Newsstand, Stand, parse_clock
from .site import HOSTS
from .world import MOVE, build


def main() -> int:
    """Serve until SIGTERM or Ctrl-C; return 0."""
    options = _options()
    clock = options.clock
    if options.state and options.state.exists():
        clock = max(clock, parse_clock(options.state.read_text().strip()))
    stand = Stand(build(options.seed), clock, state=options.state, quiet=options.quiet)
    try:
        for text in options.fault:
            stand.fault(text)
        for text in options.serve:
            url, _, file = text.partition("=")
            stand.given[url.split("://", 1)[-1]] = Path(file).read_bytes()
        server = Newsstand(stand, options.port)
    except (OSError, ValueError) as error:
        print(f"newsstand: {error}", file=sys.stderr)
        return 2
    environment = server.environment(options.folder)
    _print_greeting(server, environment)
    if options.ready:
        _write_ready(options.ready, server, environment)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        threading.Thread(target=server.shutdown).start()  # shutdown waits for serve_forever: not in its own thread

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    print(f"newsstand: closed after {len(stand.log)} requests", flush=True)
    return 0


def _options() -> argparse.Namespace:
    faults = "\n".join(
        f"  {name:20} {text}" for name, text in sorted({**{n: t for n, (t, _) in FAULTS.items()}, **SENT}.items())
    )
    parser = argparse.ArgumentParser(
        prog="python -m newsstand",
        description="A replica of the sites that carry the op-eds, as an HTTP forward proxy on loopback. All text is invented.",
        epilog=f"faults, as NAME, NAME@PATTERN or NAME@PATTERN*COUNT (pattern: a regular expression on the address):\n{faults}\n\n"
        "while it runs: GET /__newsstand__/health, /log, /faults?set=NAME, /advance?to=2026-06-10T06:00",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=0, help="loopback port (default: a free one)")
    parser.add_argument(
        "--clock", type=parse_clock, default=LAST, help="its moment, in Seoul: 2026-06-07T23:30 (default: the end)"
    )
    parser.add_argument("--seed", type=int, default=1, help="another seed, another world (default: 1)")
    parser.add_argument("--fault", action="append", default=[], metavar="NAME", help="serve a fault; may be repeated")
    parser.add_argument(
        "--serve", action="append", default=[], metavar="URL=FILE", help="serve a file at an address; may be repeated"
    )
    parser.add_argument("--state", type=Path, help="file that keeps the clock, so that its time never runs back")
    parser.add_argument("--folder", type=Path, default=Path(), help="where the throw-away authority's certificate goes")
    parser.add_argument("--ready", type=Path, help="file to write address and environment to, as JSON, once it serves")
    parser.add_argument("--quiet", action="store_true", help="do not print each request")
    return parser.parse_args()


def _print_greeting(server: Newsstand, environment: dict[str, str]) -> None:
    world, stand = server.stand.world, server.stand
    print(
        f"newsstand: {len(world.opeds)} op-eds, {sum(bool(o.daum_at) for o in world.opeds)} of them on the portal too, "
        f"{len(world.drawer)} older pages; the paper moves on {MOVE:%d %b %Y}"
    )
    print(
        f"newsstand: the clock stands at {stand.clock:%Y-%m-%d %H:%M} in Seoul; answers for {', '.join(sorted(HOSTS))}"
    )
    for url in stand.given:
        print(f"newsstand: serves a given file at {url}")
    print(
        "newsstand: to use it: export " + " ".join(f"{name}={value}" for name, value in environment.items() if value),
        flush=True,
    )


def _write_ready(path: Path, server: Newsstand, environment: dict[str, str]) -> None:
    aside = path.with_suffix(".new")
    aside.write_text(json.dumps({"pid": os.getpid(), "address": server.address, "environment": environment}))
    aside.replace(path)


if __name__ == "__main__":
    sys.exit(main())
