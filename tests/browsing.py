"""A page opened in a real Chromium without a network, with everything that it complained about."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class Opened:
    """One page in a context of its own; `options` are those of a browser context."""

    def __init__(self, browser: Any, path: Path, fragment: str = "", **options: Any) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.context = browser.new_context(offline=True, **options)
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri() + fragment)

    @property
    def reached(self) -> set[str]:
        """The schemes of all addresses that were asked for."""
        return {url.split(":")[0] for url in self.requests}
