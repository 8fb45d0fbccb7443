"""An answer that comes late: the server has given it, and the page gets it when the test says so.

It is held inside the page, so that all the page does with it is done when `release` returns. An answer that is held on
its way would still have to travel, for a time that no test knows.
"""

from __future__ import annotations

from playwright.sync_api import Page

HOLD = """([path, method]) => {
    const held = { isTaken: false, isThere: false };
    (window.heldAnswers ??= {})[path] = held;
    const isReleased = new Promise((resolve) => { held.release = resolve; });
    const plain = window.fetch;
    window.fetch = async (address, options) => {
        const { pathname, search } = new URL(address, location.href);
        const isWanted = (pathname + search).endsWith(path) && (options?.method ?? "GET") === method;
        if (held.isTaken || !isWanted) return plain(address, options);
        held.isTaken = true;
        const answer = await plain(address, options);
        const text = await answer.text();
        held.isThere = true;
        await isReleased;
        if (options?.signal?.aborted) throw new DOMException("given up", "AbortError");
        return { ok: answer.ok, status: answer.status, headers: answer.headers, text: async () => text };
    };
}"""
# What the page does with an answer that is there is done before the next task.
RELEASE = "async (path) => { heldAnswers[path].release(); await new Promise((resolve) => setTimeout(resolve)); }"


class HeldAnswer:
    """The next answer from an address that ends with `path`, its query included."""

    def __init__(self, page: Page, path: str, method: str = "GET") -> None:
        self._page = page
        self._path = path
        page.evaluate(HOLD, [path, method])

    def wait(self) -> None:
        """Until the server has given it."""
        self._page.wait_for_function("(path) => heldAnswers[path].isThere", arg=self._path)

    def release(self) -> None:
        """What the page makes of it is to be seen when this returns."""
        self._page.evaluate(RELEASE, self._path)
