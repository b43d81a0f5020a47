"""The replica: the same for the same seed, on loopback only, and stopping cleanly."""

import json
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from newsstand.server import FAULTS, SENT, Stand, parse_clock
from newsstand.site import answer, asked
from newsstand.world import SEOUL, _opeds, build, phrases
from pipelines.copies.compare import overlap_of, prepared
from tests.conftest import ROOT

WORLD = build()


def test_it_holds_what_it_promises() -> None:
    words = [sum(len(p.split()) for p in oped.paragraphs) for oped in WORLD.opeds]
    assert len(WORLD.opeds) >= 120
    assert len({oped.published.astimezone(SEOUL).date() for oped in WORLD.opeds}) == 60
    assert len({oped.writer for oped in WORLD.opeds if oped.writer}) >= 12
    assert (min(words) >= 300, max(words) <= 1100) == (True, True)
    assert 0.25 < sum(bool(o.daum_at) for o in WORLD.opeds) / len(WORLD.opeds) < 0.5
    assert sum(bool(o.corrected_at) for o in WORLD.opeds) > 5
    assert any(o.korean for o in WORLD.opeds)
    assert {o.correction for o in WORLD.opeds} == {"", "sentence", "headline", "note"}


def test_the_same_seed_gives_the_same_world() -> None:
    from random import Random

    assert list(_opeds(Random("x"))) == list(_opeds(Random("x")))
    assert build(2).opeds[0].paragraphs != WORLD.opeds[0].paragraphs


def test_its_opeds_are_no_copies_of_each_other() -> None:
    texts = [prepared("\n".join(oped.paragraphs)) for oped in WORLD.opeds]
    pairs = ((a, b) for a in range(len(texts)) for b in range(a))
    assert max(overlap_of("a", texts[a], "b", texts[b]).c_small for a, b in pairs) < 0.3


def test_an_oped_is_not_there_before_its_time() -> None:
    oped = WORLD.opeds[40]
    from newsstand.pages import JOINS, c_path

    request = asked(f"https://{JOINS}{c_path(oped)}")
    assert answer(request, WORLD, oped.published, {}).status == 200
    assert answer(request, WORLD, oped.published.replace(year=2025), {}).status == 404


def test_unknown_faults_are_refused_and_known_ones_explained() -> None:
    stand = Stand(WORLD, parse_clock("2026-06-01"))
    with pytest.raises(ValueError, match="there are: "):
        stand.fault("nonsense")
    assert {"feed-404", "moved-301", "euc-kr", "redesign"} <= {*FAULTS, *SENT}
    assert len(phrases()["topic"]) >= 20


def test_as_a_process_it_greets_serves_and_closes(tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    page = tmp_path / "given.html"
    page.write_text("<p>given</p>")
    command = [sys.executable, "-m", "newsstand", "--folder", str(tmp_path), "--ready", str(ready)]
    command += [
        "--clock",
        "2026-06-01",
        "--serve",
        f"https://v.daum.net/v/1={page}",
        "--state",
        str(tmp_path / "clock"),
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        for _ in range(200):
            if ready.exists():
                break
            time.sleep(0.05)
        told = json.loads(ready.read_text())
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": told["address"]}))
        with opener.open("http://v.daum.net/v/1", timeout=5) as answer_:
            assert answer_.read() == b"<p>given</p>"
        with opener.open("http://v.daum.net/__newsstand__/advance?to=2026-06-05T10:00", timeout=5) as moved:
            assert json.load(moved)["clock"].startswith("2026-06-05T10:00")
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        said = process.stdout.read()
        assert process.wait(10) == 0
    assert "127 op-eds" in said
    assert "200 GET http://v.daum.net/v/1" in said
    assert "closed after" in said
    assert (tmp_path / "clock").read_text().startswith("2026-06-05T10:00"), "its time does not run back"
