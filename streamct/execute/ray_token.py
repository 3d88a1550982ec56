"""The token by which a Ray cluster knows who may use it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

_MODE, _TOKEN, _PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"


class Token:
    """What the environment says of tokens while Ray is in use; `close` puts back what it said before."""

    def __init__(self) -> None:
        self._before = {name: os.environ.get(name) for name in (_MODE, _TOKEN, _PATH)}
        self._changed = False

    def make(self) -> None:
        """One for an instance of our own, which nobody else needs to know: Ray would write one into the home folder,
        and whatever else is started there would ask for it from then on. Not where tokens are switched off."""
        if os.environ.get(_MODE, "token").lower() == "token":
            os.environ.pop(_PATH, None)
            self._set({_MODE: "token", _TOKEN: secrets.token_hex(32)})

    def take_along(self) -> bool:
        """Show one that lies ready, if there is one that was not shown yet. `ray start` asks for one unless told
        otherwise, and puts it there on its own machine; a cluster that asks for none does not take one."""
        ready = Path(os.environ.get(_PATH) or Path.home() / ".ray" / "auth_token")
        if _MODE in os.environ or not (os.environ.get(_TOKEN) or ready.is_file()):
            return False
        self._set({_MODE: "token"})
        return True

    def close(self) -> None:
        """Nothing of this is left."""
        if self._changed:
            for name in self._before:
                os.environ.pop(name, None)
            self._set({name: value for name, value in self._before.items() if value is not None})
            self._changed = False

    def _set(self, values: dict[str, str]) -> None:
        self._changed = True
        os.environ.update(values)
        try:
            from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined, unused-ignore]

            Config.initialize("")
            AuthenticationTokenLoader.instance().reset_cache()
        except (ImportError, AttributeError):  # what Ray read when it was imported stays
            pass
