"""Ready-made ways to look at a renderer: keyword arguments for `checks.check_renderer`.

``check_renderer(**views.rich_live(Markdown), tape=tape)``. Each needs the library that it is named
after (pyte for terminals, and for pages a `Chromium` that runs), and imports it when it is called.
Whatever should be otherwise can be put over it: ``{**views.textual(App), "visible": 1}``.
"""

from __future__ import annotations

from streamtape.views.chromium import BrowserError, Chromium, Page, PageError
from streamtape.views.partial_json import partial_json
from streamtape.views.rich_live import rich_live
from streamtape.views.terminal import TerminalView, terminal
from streamtape.views.textual import textual
from streamtape.views.web import web

__all__ = [
    "BrowserError",
    "Chromium",
    "Page",
    "PageError",
    "TerminalView",
    "partial_json",
    "rich_live",
    "terminal",
    "textual",
    "web",
]
