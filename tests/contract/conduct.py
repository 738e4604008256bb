"""What a conduct is: a scene, what must come of it, and the book its server answers by."""

from __future__ import annotations

from dataclasses import dataclass

from tests.contract.http_scenes import Scene, Story
from tests.contract.scripted_server import Act

__all__ = ["BOOK", "Conduct"]

H200 = b"HTTP/1.1 200 OK\r\n"
OK = H200 + b"content-length: 2\r\n\r\nok"
BOOK: dict[str, tuple[Act, ...]] = {
    "ok": (OK,),
    "closed": (H200 + b"connection: close\r\ncontent-length: 2\r\n\r\nok", "close"),
    "stall": ("stall",),
    "half": (H200 + b"content-length: 10\r\n\r\nhello", "stall"),
    "long": (H200 + b"content-length: 10\r\n\r\nhello", b"world"),
    "early": (b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n",),
    "cut": (H200 + b"content-length: 10\r\n\r\nhello", "close"),
    "reset": (H200 + b"content-length: 10\r\n\r\nhello", "reset"),
    "upgrade": (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\nhello",),
    "declined": (OK,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """A scene, the error or status of each of its exchanges, and the connections it takes."""

    scene: Scene
    outcomes: tuple[str | int | None, ...]
    connections: int

    @property
    def name(self) -> str:
        """The scene's name."""
        return self.scene.__name__

    def comes_to(self, story: Story) -> bool:
        """Whether it ended as it must."""
        return (self.outcomes, self.connections) == (story.outcomes, story.connections)
