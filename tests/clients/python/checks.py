"""What the scripts share: where the server is, and one printed line for each check."""

import asyncio
import inspect
import os
import time
import traceback

HOST = os.environ.get("FANFARE_HOST", "127.0.0.1")
PORT = int(os.environ.get("FANFARE_PORT", "6379"))

# Long enough that only a hang reaches it.
PATIENCE_S = 10.0

_checks = []


class Skipped(Exception):
    """The server is too old for a check."""


def check(function):
    """Registers a check. It runs once for each protocol version, which is its argument."""
    _checks.append(function)
    return function


def run_all():
    """Runs every check in RESP2 and in RESP3; the first failure ends the program."""
    for function in _checks:
        for protocol in (2, 3):
            name = f"{function.__name__} (RESP{protocol})"
            try:
                if inspect.iscoroutinefunction(function):
                    asyncio.run(asyncio.wait_for(function(protocol), 3 * PATIENCE_S))
                else:
                    function(protocol)
            except Skipped as reason:
                print(f"skipped {name}: {reason}", flush=True)
                continue
            except BaseException:
                traceback.print_exc()
                print(f"FAILED {name}", flush=True)
                raise SystemExit(1)
            print(f"ok {name}", flush=True)


def equal(actual, expected):
    assert actual == expected, f"got {actual!r}, expected {expected!r}"


def add_entries(client, key, *ids):
    """Adds entries of one field, which holds the ID."""
    for id in ids:
        equal(client.xadd(key, {"n": id}, id=id), id)


def entries(*ids):
    """What a range of such entries looks like."""
    return [(id, {"n": id}) for id in ids]


def need(client, command):
    """Skips the check if the server does not know the command."""
    if client.execute_command("COMMAND INFO", command) in ([None], {}):
        raise Skipped(f"the server has no {command}")


def eventually(condition, patience_s=PATIENCE_S):
    """Waits until `condition()` is true."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "this did not become true in time"
        time.sleep(0.005)
