"""Open MLflow on this project's runs, on this machine only."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `ui`."""
    parser.add_argument(
        "--port", type=int, default=5000, help="on 127.0.0.1 (default: %(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve MLflow's pages until stopped."""
    from handoff_eval.tracking.ui import serve

    return serve(port=arguments.port)
