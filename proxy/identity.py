"""Who asks: as records, policies and grants know it, and never otherwise.

The law: callers are told apart by the fields that ``identity`` names and by nothing else. A credential speaks for
itself, since somebody checks it; any other field is believed from trusted peers alone, for anybody can write one. What
is kept of either is a keyed hash.
"""

from typing import Final

from proxy.client import Client
from proxy.keys import Keys
from proxy.record.grant import Grant
from proxy.settings import Settings
from proxy.settings_parts import UpstreamSettings
from proxy.signing import is_checked, whose

__all__ = ["CREDENTIALS", "Identity"]

CREDENTIALS: Final = frozenset({"authorization", "api-key", "x-api-key"})

_MOST_TENANTS: Final = 1024
_LONGEST: Final = 512  # bytes of a credential that is remembered: a head may have 64 KiB of it


class Identity:
    """Tells callers apart, as these settings say."""

    __slots__ = ("_keys", "_settings", "_tenants")

    def __init__(self, settings: Settings, keys: Keys) -> None:
        self._settings = settings
        self._keys = keys
        self._tenants: dict[bytes, str] = {}

    def tenant(self, asker: Client) -> str:
        """The keyed hash of what tells the caller apart; empty where nothing does, or nothing that can be believed."""
        credential = self._tenant(asker)
        if not credential or len(credential) > _LONGEST:
            return self._keys.hash("tenant", credential) if credential else ""
        known = self._tenants.get(credential)
        if known is None:
            if len(self._tenants) >= _MOST_TENANTS:
                self._tenants.clear()
            known = self._tenants[credential] = self._keys.hash("tenant", credential)
        return known

    def tenant_as_asked(self, asker: Client) -> str:
        """Who asks, as policies know it: what records say of a credential, and any other field's value, believed."""
        if self._settings.tenant is None or self._settings.tenant in CREDENTIALS:
            return self.tenant(asker)
        said = self._believed(asker, self._settings.tenant)
        return said.decode("latin-1") if len(said) <= _LONGEST else ""

    def subject(self, asker: Client) -> str:
        """The keyed hash of whom the tenant names as its user; empty where nobody is named that can be believed."""
        said = self._believed(asker, self._settings.subject)
        return self._keys.hash("subject", said) if said else ""

    def grant(self, asker: Client, upstream: UpstreamSettings) -> Grant | None:
        """The grant that was in force for the caller when its request came; the same however often it is asked."""
        grants, settings = self._settings.granted, self._settings
        if not grants.every:
            return None
        tenants: tuple[str, ...] = ("",)  # they are not told apart
        if settings.tenant is not None:
            credential = self._tenant(asker)
            # The id of a key that signs is no secret: it counts where the upstream gets the signature, and checks it.
            said = asker.head.value(settings.tenant.encode())
            unchecked = credential != said and (upstream.sign is not None or not is_checked(said, upstream.url))
            several = sum(name == settings.tenant.encode() for name, _ in asker.head.headers) > 1
            tenants = () if unchecked or several or not credential else self._keys.hashes("tenant", credential)
        said = self._believed(asker, settings.subject)
        subjects = self._keys.hashes("subject", said) if said else ()
        return grants.of(tenants, subjects, asker.arrived)

    def _tenant(self, asker: Client) -> bytes:
        """What tells the caller apart, itself; empty as in ``tenant``."""
        name = self._settings.tenant
        if name is not None and name in CREDENTIALS:
            return whose(asker.head.value(name.encode()))
        return self._believed(asker, name)

    def _believed(self, asker: Client, name: str | None) -> bytes:
        """The value of a field that only trusted peers are believed; empty where there are several, or none."""
        if name is None or not asker.peer(self._settings.trusts).trusted:
            return b""
        said = [value for field, value in asker.head.headers if field == name.encode()]
        return said[0] if len(said) == 1 else b""
