"""A whole answer that is a medium: a picture is Work, sound and video are failures, what no rule asks for passes."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from proxy import shipped
from proxy.dialects.dialect import MediaKind
from proxy.labelling.errors import Blocked, LabellingError
from proxy.labelling.guard import Guard
from proxy.labelling.mark import Mark
from proxy.labelling.medium import UNASKED, MediumLabeller
from proxy.labelling.order import Studio
from proxy.labelling.outcome import Done
from proxy.labelling.transform import Piece, Work
from proxy.media.formats import find
from proxy.policy.decision import Decision
from tests.labelling.answers import badge, decision, drawn, marked, silent

PICTURE = (Path(__file__).parent.parent / "samples" / "rgb8.png").read_bytes()
BOTH = marked(badge(("xmp", "body", "header")))
LIMIT = 10_000


def labeller(kind: MediaKind, mark: Mark = BOTH, limit: int = LIMIT) -> tuple[MediumLabeller, Done]:
    done = Done(mark, b"{}")
    return MediumLabeller(kind, "body", done, limit), done


@pytest.mark.parametrize("cut", [0, 1, len(PICTURE) // 2, len(PICTURE)])
def test_a_picture_is_one_work_at_the_end(cut: int) -> None:
    one, _ = labeller("image")
    assert () == tuple(one.feed(PICTURE[:cut]))
    assert () == tuple(one.feed(PICTURE[cut:]))
    (work,) = one.end()
    assert isinstance(work, Work)
    assert work.raw == PICTURE == one.retained
    (picture,) = work.pictures
    assert (PICTURE, "raw", "body", 0) == (picture.data, picture.encoding, picture.unit, picture.index)
    after, item = drawn(picture, Studio(shipped.font(), 1_000_000))
    media = find(after)
    assert media is not None
    assert (BOTH.aigc,) == media.read(after)
    assert item.placed == ("badge", "xmp", "header")  # there is no JSON around it
    assert after == work.join([after])


@pytest.mark.parametrize(("kind", "reason"), [("audio", "sound cannot be"), ("video", "video cannot be")])
def test_sound_and_video_fail_where_a_rule_asks_for_them(kind: MediaKind, reason: str) -> None:
    one, _ = labeller(kind, marked(silent(kind)))
    with pytest.raises(LabellingError, match=reason):
        one.feed(b"RIFF")
    assert one.retained == b"RIFF"


def test_what_nobody_wanted_a_badge_on_passes_and_says_why() -> None:
    one, done = labeller("image", marked(decision(), Decision(because=("test/image",), hidden="nobody wants it")))
    one.feed(PICTURE)
    one.end()
    assert ("passed", "nobody wants it") == done.outcome()


@pytest.mark.parametrize("kind", ["image", "audio", "video"])
def test_what_no_rule_asks_for_passes_however_long(kind: MediaKind) -> None:
    one, done = labeller(kind, marked(decision()), limit=3)
    fed: list[Piece] = [*one.feed(b"RIFF"), *one.feed(b"WAVE"), *one.end()]
    assert fed == [b"RIFF", b"WAVE"]
    assert one.retained == b""
    (item,) = done.items()
    assert (kind, (), UNASKED, 8, 8) == (item.kind, item.placed, item.skipped, item.size_before, item.size_after)
    assert ("passed", UNASKED) == done.outcome()


@pytest.mark.parametrize("kind", ["image", "audio", "video"])
def test_an_empty_answer_is_a_failure(kind: MediaKind) -> None:
    for mark in (BOTH, marked(silent("audio"), silent("video"))):
        one, _ = labeller(kind, mark)
        with pytest.raises(LabellingError, match="the answer is empty"):
            one.end()


def test_a_picture_over_the_limit_is_a_failure() -> None:
    one, _ = labeller("image", limit=3)
    with pytest.raises(LabellingError, match="longer than 3 bytes"):
        one.feed(b"\x89PNG")


@pytest.mark.parametrize("chunks", [[b"RIFF", b"WAVE", b"more"], [b"RIFF"]])
def test_policy_decides_about_sound(chunks: Sequence[bytes]) -> None:
    done = Done(marked(silent("audio", "pass")), b"{}")
    guard = Guard(MediumLabeller("audio", "body", done, LIMIT), done)
    out = [piece for chunk in chunks for piece in guard.feed(chunk)] + [*guard.end()]
    assert b"".join(chunks) == b"".join(piece for piece in out if isinstance(piece, bytes))
    assert done.failure == "sound cannot be labelled yet"
    done = Done(marked(silent("audio")), b"{}")
    with pytest.raises(Blocked, match="sound cannot be labelled yet"):
        Guard(MediumLabeller("audio", "body", done, LIMIT), done).feed(chunks[0])
