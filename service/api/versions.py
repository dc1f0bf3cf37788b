"""ETags: the version of what is edited, told with every answer and asked for with every change."""

from typing import Annotated

from fastapi import Depends, Header, HTTPException, Response

MUST_SAY = "Say which version you have read: If-Match with the ETag of your last GET."


def read_version(if_match: str | None) -> int:
    """Return the version that an If-Match header names; 428 where it says nothing."""
    if if_match is None:
        raise HTTPException(428, MUST_SAY)
    text = if_match.strip().removeprefix("W/").strip('"')
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise HTTPException(422, f"{if_match[:40]!r} is no ETag of ours. {MUST_SAY}")
    return int(text)


async def _wanted(
    if_match: Annotated[str | None, Header(description="ETag of the version that was read")] = None,
) -> int:
    return read_version(if_match)


Read = Annotated[int, Depends(_wanted)]
"""The version that the sender has read."""


def require(version: int, read: int) -> None:
    """Refuse a change to something that somebody else has changed since it was read."""
    if version != read:
        raise HTTPException(
            412, f"Somebody changed it meanwhile: it is version {version} now. Read it again, then decide."
        )


def tagged(response: Response, version: int) -> None:
    """Tell the version with the answer."""
    response.headers["ETag"] = f'"{version}"'
