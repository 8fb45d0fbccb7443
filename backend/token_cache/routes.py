"""/api/v1/datasets/-/cache: the tokenised data sets that this host keeps. No data set can have the name "-".

Every token of the service may list and remove them: an entry holds nothing that a job could not make again, and an
engine that has it open goes on. Workers of other hosts keep their own, which cannot be seen from here.
"""

from __future__ import annotations

from fastapi import APIRouter

from backend.http.error_body import documented
from backend.http.services import ServicesDep
from tunedeck.errors import NotFound
from tunedeck.tokens.cache import TokenCache
from tunedeck.views.datasets import CachedTokensView
from tunedeck.views.page import Page

router = APIRouter(prefix="/datasets/-/cache", tags=["datasets"])


@router.get("")
def list_cached_tokens(services: ServicesDep) -> Page[CachedTokensView]:
    return Page[CachedTokensView](items=tuple(_cache(services).entries()), next_cursor="")


@router.delete("/{key}", responses=documented(NotFound))
def remove_cached_tokens(key: str, services: ServicesDep) -> CachedTokensView:
    """Answers what was removed."""
    return _cache(services).remove(key)


def _cache(services: ServicesDep) -> TokenCache:
    return TokenCache(services.settings.token_cache_dir)
