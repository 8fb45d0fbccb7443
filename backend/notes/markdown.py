"""From Markdown that anybody may write to HTML that is safe in everybody's page.

Two walls: the renderer passes on no HTML that was typed, and what it made is cleaned down to a short list of tags.
Pictures are left out, because fetching one would tell a stranger's server who reads the notes. Rendering in the browser
was rejected: exports need the same result, and a page has no business to be trusted with it.
"""

from __future__ import annotations

import nh3
from markdown_it import MarkdownIt

_RENDERER = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")
_TAGS = {
    *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "strong", "em", "s", "code", "pre", "blockquote", "a"),
    *("ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td"),
}
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
_SCHEMES = {"http", "https", "mailto"}


def safe_html(markdown: str) -> str:
    """HTML of CommonMark with tables and strikethrough."""
    return nh3.clean(
        _RENDERER.render(markdown),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes=_SCHEMES,
        link_rel="noopener noreferrer nofollow",
    )
