"""A built board as one static page: no server, no network, opened from a file.

::

    payload   Board -> the data of the page, small enough for it
    page      payload, template, style, scripts, bundled libraries -> index.html

The page's scripts, in the order in which they are loaded: ``site`` (data, numbers in words),
``address`` (the state and its permanent link), ``columns`` and ``table`` (the standings),
``scatter``, ``charts`` (the dialogs' plots), ``solutions`` (the sample viewer), ``details``,
``compare``, ``start``. Sorting, filtering and searching are TanStack Table's, plots are Observable
Plot's (on D3); ``vendor`` holds them unchanged, each beside its licence.
"""

from harness.boards.site.page import NAME, page_html, write

__all__ = ["NAME", "page_html", "write"]
