"""What happens when labelling fails: blocked, or out as it came; decided in one place, noted before anything else."""

from collections.abc import Sequence

import pytest

from proxy.framing.errors import FramingError
from proxy.labelling.errors import Blocked, LabellingError, NothingFound
from proxy.labelling.guard import Guard
from proxy.labelling.outcome import Done
from proxy.labelling.transform import Piece
from proxy.policy.decision import OnFailure
from proxy.record.exchange import Item
from tests.labelling.answers import decision, marked


class Script:
    """A labeller that keeps what it is given and fails when it is told."""

    def __init__(self, error: Exception, fails_at: bytes) -> None:
        self.error, self.fails_at = error, fails_at
        self.retained = b""

    def feed(self, data: bytes) -> Sequence[Piece]:
        self.retained += data
        if data == self.fails_at:
            raise self.error
        return ()

    def end(self) -> Sequence[Piece]:
        if self.fails_at == b"":
            raise self.error
        return (self.retained,)


def guarded(on_failure: OnFailure, error: Exception, fails_at: bytes) -> tuple[Guard, Done]:
    done = Done(marked(decision(on_failure=on_failure)), b"{}", parts=[Item("1", "text", "choices[0]", ("prefix",))])
    return Guard(Script(error, fails_at), done), done


ERRORS = [LabellingError("it broke"), NothingFound("it broke"), FramingError("it broke")]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("fails_at", [b"2", b""])
def test_blocked(error: Exception, fails_at: bytes) -> None:
    guard, done = guarded("block", error, fails_at)
    guard.feed(b"1")
    with pytest.raises(Blocked, match="it broke"):
        guard.end() if fails_at == b"" else guard.feed(b"2")
    assert (done.failure, done.items()) == ("it broke", ())


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("fails_at", [b"1", b"2", b""])
def test_passed_as_it_came(error: Exception, fails_at: bytes) -> None:
    guard, done = guarded("pass", error, fails_at)
    assert [*guard.feed(b"1"), *guard.feed(b"2"), *guard.feed(b"3"), *guard.end()] in (
        [b"123"],
        [b"1", b"2", b"3"],
        [b"12", b"3"],
    )
    assert (done.failure, done.items()) == ("it broke", ())


def test_work_that_failed_elsewhere() -> None:
    guard, done = guarded("pass", ERRORS[0], b"x")
    guard.feed(b"12")
    assert list(guard.fail("no picture")) == [b"12"]
    assert done.failure == "no picture"
    guard, done = guarded("block", ERRORS[0], b"x")
    with pytest.raises(Blocked, match="no picture"):
        guard.fail("no picture")


def test_other_errors_are_not_the_guards() -> None:
    guard, done = guarded("pass", KeyError("a bug"), b"1")
    with pytest.raises(KeyError):
        guard.feed(b"1")
    assert done.failure == ""
