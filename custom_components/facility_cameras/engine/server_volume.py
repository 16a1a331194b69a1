"""API calls about a facility's volume: what a person decides of it."""

from aiohttp import web

from .archive.archive import Archive
from .supervisor import Supervisor


def routes(supervisor: Supervisor) -> list[web.RouteDef]:
    """The calls; each answers at once, what it asks for is done behind."""

    def archive(request: web.Request) -> Archive:
        found = supervisor.archive_of_facility(request.match_info["facility"])
        if found is None:
            raise web.HTTPNotFound(text="no such facility")
        return found

    async def use_copy(request: web.Request) -> web.Response:
        archive(request).use_copy()
        return web.json_response({})

    async def bring_back(request: web.Request) -> web.Response:
        archive(request).bring_back()
        return web.json_response({})

    facility = "/v1/facilities/{facility}"
    return [web.post(f"{facility}/use_copy", use_copy), web.post(f"{facility}/bring_back", bring_back)]
