"""The peer's end of the line: answer questions from standard input until it closes. Imports only the standard library."""

import contextlib
import json
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any


def answer_to(request: dict[str, Any], functions: Mapping[str, Callable[..., Any]]) -> dict[str, Any]:
    """Call the asked function and return its result with its seconds, or the error in words."""
    try:
        start = time.perf_counter()
        result = functions[request["ask"]](**request["values"])
        return {"result": result, "seconds": time.perf_counter() - start}
    except Exception:  # whatever a peer raises is the answer; the questions after it still have to be heard
        return {"error": traceback.format_exc(limit=4)}


def serve(functions: Mapping[str, Callable[..., Any]]) -> None:
    """Answer every line; what the functions print goes to standard error, so that answers stay alone on standard output."""
    for line in sys.stdin:
        with contextlib.redirect_stdout(sys.stderr):
            answer = answer_to(json.loads(line), functions)
        print(json.dumps(answer), flush=True)
