import pytest, json, time
from tests.sdk.test_node import *
from tests.sdk.test_node import sdks

@pytest.mark.parametrize("provider", PROVIDERS)
async def test_both_with_calls(sdks, provider, tmp_path):
    async with chain(either(*PROVIDERS[provider]), policies=both_ends(tmp_path)) as it:
        seen = await judged(it, sdks, "ai", "stream", ["deltas","raw","types", *MADE_UP[provider]], provider=provider)
        whole = await judged(it, sdks, "ai", "generate", MADE_UP[provider], provider=provider)
    print(provider, seen["deltas"], seen["types"], whole["text"])

async def test_crash(sdks):
    async with chain(says({"hello": 1})) as it:
        with pytest.raises(AssertionError, match="the script has ended"):
            await sdks.play("openai", "chat", it.here.url)
        with pytest.raises(AssertionError, match="the script has ended"):
            await sdks.play("openai", "nothing", it.here.url)
    async with chain(says(completion("x"))) as it:
        assert await sdks.play("openai", "chat", it.here.url)
