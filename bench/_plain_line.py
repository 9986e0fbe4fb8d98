"""What a line carries in practice: the plainest file server there is, and clients that do nothing but read.

Each is a program of its own: `serve FILE` writes its port and serves until its input ends; `take PORT COUNT SIZE`
brings the file over so many connections at once, and writes the seconds that each took, as JSON.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

PIECE = 65_536
_GO = b"GET\n"


async def serve(file: Path, size: int) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(_GO)
        with file.open("rb") as content:
            await asyncio.get_running_loop().sendfile(writer.transport, content, 0, size)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await asyncio.to_thread(sys.stdin.readline)


async def take(port: int, count: int, size: int) -> list[float]:
    began_s = time.perf_counter()

    async def one() -> float:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=PIECE)
        writer.write(_GO)
        left = size
        while left:
            piece = await reader.read(PIECE)
            assert piece, "the server closed before its time"
            left -= len(piece)
        writer.close()
        return time.perf_counter() - began_s

    return await asyncio.gather(*(one() for _ in range(count)))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        asyncio.run(serve(Path(sys.argv[2]), Path(sys.argv[2]).stat().st_size))
    else:
        port, count, size = map(int, sys.argv[2:])
        print(json.dumps(asyncio.run(take(port, count, size))))
