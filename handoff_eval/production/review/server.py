"""Serve the review until Ctrl-C, on loopback unless told otherwise."""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import ip_address

import uvicorn

from handoff_eval.errors import SettingsError
from handoff_eval.production.review.access import Access
from handoff_eval.production.review.app import ReviewApp
from handoff_eval.production.review.queue import ReviewQueue


def serve_review(
    queue: ReviewQueue,
    *,
    host: str,
    port: int,
    tell: Callable[[str], None],
    token: str | None = None,
) -> None:
    """Serve a queue.

    Parameters
    ----------
    queue : ReviewQueue
    host : str
        Where to listen; anything but loopback is open to the network, by the token alone.
    port : int
        0 takes a free one.
    tell : callable
        Given the address, with its token, once the page answers there.
    token : str, optional
        A random one when None.

    Raises
    ------
    SettingsError
        When nothing can listen there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    with listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except (OSError, OverflowError) as error:
            raise SettingsError(
                f"Expected to listen on {host}, port {port}; {error}. Choose another port, or 0."
            ) from None
        taken = listening.getsockname()[1]
        names = [f"{name}:{taken}" for name in ("127.0.0.1", "localhost", "[::1]")]
        access = Access(token=token, hosts=names if is_loopback(host) else ())
        shown = f"[{host}]" if ":" in host else host
        config = uvicorn.Config(
            ReviewApp(queue, access).build(), log_level="warning", access_log=False, lifespan="off"
        )
        tell(f"http://{shown}:{taken}/?token={access.token}")
        uvicorn.Server(config).run(sockets=[listening])


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
