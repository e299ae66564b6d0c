"""A link that was made under a grant: whoever follows it gets what is theirs, its holder or anybody else."""

from tests.downstream import ask
from tests.test_grants import GRANT, OWN, SOON, follow, given
from tests.test_linked_media import chain, labels, stored

KEY = [(b"authorization", b"Bearer key")]  # as it asks for pictures


async def test_a_grant_does_not_go_along_with_a_link() -> None:
    async with chain(stored(), own=OWN, grants="grants.jsonl", watched=SOON) as it:
        await follow(it.here, given(it.here, tenant="Bearer key"))
        path = await it.path()
        made = it.last
        mine = await ask(it.here.address, "GET", path, headers=KEY)
        granted = it.last
        others = await ask(it.here.address, "GET", path)
        badged = it.last
    assert "" == made.grant  # a link is no content
    assert (b"granted", b"private, no-store") == tuple(
        mine.value(name) for name in (b"countermark-status", b"cache-control")
    )
    assert (GRANT, ("xmp", "header")) == (granted.grant, granted.items[0].placed)
    assert labels(mine.body)
    assert others.value(b"countermark-status") is None
    assert ("", "badge") == (badged.grant, badged.items[0].placed[0])
    assert mine.body != others.body
