"""Signing secrets at rest: encrypted (Fernet, of the `cryptography` library), because they are needed again
for each signature; what only has to be recognised is hashed instead."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from shared.errors import BadSettings
from shared.privacy import Secret

SHORTEST_SECRET: Final = 24
LONGEST_SECRET: Final = 64
"""Bytes, as the Standard Webhooks specification asks."""


class Sealer:
    """Seals and opens secrets. `keys`: Fernet keys separated by commas; the first seals, all open, so that
    a key can be replaced. Raises BadSettings where one is none."""

    def __init__(self, keys: str | None) -> None:
        try:
            found = [Fernet(key.strip()) for key in (keys or "").split(",") if key.strip()]
        except ValueError:
            raise BadSettings(
                "WAYMARK_SECRETS_KEY is not a Fernet key (32 bytes in URL-safe base64), or several separated"
                " by commas."
            ) from None
        self._fernet = MultiFernet(found) if found else None

    @property
    def able(self) -> bool:
        """Whether there is a key to seal with."""
        return self._fernet is not None

    def seal(self, secret: Secret) -> str:
        """What is stored of a secret."""
        if self._fernet is None:
            raise BadSettings("Secrets cannot be kept: WAYMARK_SECRETS_KEY is not set.")
        return self._fernet.encrypt(secret.reveal().encode()).decode()

    def open(self, sealed: str) -> Secret:
        """The secret. Raises BadSettings where no key opens it."""
        try:
            if self._fernet is not None:
                return Secret(self._fernet.decrypt(sealed.encode()).decode())
        except InvalidToken:
            pass
        raise BadSettings(
            "A stored secret cannot be opened: the key it was sealed with is not in WAYMARK_SECRETS_KEY."
        )


def new_secret() -> Secret:
    """A fresh signing secret."""
    return Secret("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())


def fingerprint(secret: Secret) -> str:
    """What is shown of a secret, to tell it from another."""
    return hashlib.sha256(secret.reveal().encode()).hexdigest()[:12]


def is_secret(text: str) -> bool:
    """Whether `text` is `whsec_` and 24 to 64 bytes in base64."""
    try:
        size = len(base64.b64decode(text.removeprefix("whsec_"), validate=True))
    except (binascii.Error, ValueError):
        return False
    return SHORTEST_SECRET <= size <= LONGEST_SECRET
