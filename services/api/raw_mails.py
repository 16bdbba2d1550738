"""Raw mails as downloads: a stranger's bytes, which no browser may show or run."""

from fastapi import Response
from fastapi.responses import StreamingResponse

from services.api.context import Api

RAW = "message/rfc822"

# Even a browser that is sent here shows and runs nothing of what a stranger wrote.
_HARMLESS = {"Content-Security-Policy": "sandbox; default-src 'none'"}


async def raw_mail(api: Api, digest: str, name: str) -> Response:
    """The bytes under this digest as a file to be saved, `name`.eml. Raises `NotFound`."""
    found = {
        "Content-Length": str(await api.platform.blobs.size(digest)),
        "Content-Disposition": f'attachment; filename="{name}.eml"',
        **_HARMLESS,
    }
    return StreamingResponse(api.platform.blobs.stream(digest), headers=found, media_type=RAW)
