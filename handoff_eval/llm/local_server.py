"""Serve one GGUF file on a free loopback port until standard input closes.

Run as a script, in a process of its own: what llama.cpp prints can't mix with our output, a
crash in it can't take our program along, and it ends whenever the process that started it ends.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def main() -> None:
    """Read one line of JSON with the settings, write the address, serve until end of input."""
    settings: dict[str, Any] = json.loads(sys.stdin.readline())
    answer = os.dup(1)
    os.dup2(2, 1)
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = settings["path"]
    params.model_alias = {settings["name"]}
    params.api_keys = [settings["key"]]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = settings["context"]
    params.n_parallel = 1
    params.cpuparams.n_threads = settings["threads"]
    params.cpuparams_batch.n_threads = settings["threads"]
    params.cache_prompt = True
    # With flash attention or half-precision keys and values a cached prefix moves the score by
    # up to 0.07; so it doesn't move at all, and a reply depends on its prompt alone.
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.cache_type_k = xllamacpp.ggml_type.GGML_TYPE_F32
    params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    # The one slot keeps the growing prefix; a further store would take up to 8 GiB of memory.
    params.cache_ram_mib = 0
    params.ui = False
    params.verbosity = 1
    server = xllamacpp.Server(params)
    os.write(answer, f"{server.listening_address}\n".encode())
    os.close(answer)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
