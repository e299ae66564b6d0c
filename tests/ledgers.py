"""The keys that ledgers of the tests are salted and signed with."""

from proxy.keys import Keys
from proxy.notary import Notary

KEYS = Keys.ephemeral(bytes(32))
NOTARY = Notary(KEYS)
