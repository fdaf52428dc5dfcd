"""`flowspec emulator`: serves the embedded EMR to any client; `prune` removes old state."""

from __future__ import annotations

import os
import re
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from flowspec.cli.exits import Exit
from flowspec.cli.options import NonEmptyPath, WholeNumber, output_format
from flowspec.cli.output import ewarn, print_json, print_result
from flowspec.cli.times import parse_span
from flowspec.errors import FlowspecError, number_of

if TYPE_CHECKING:
    from flowspec.emulator.api.service import Service
    from flowspec.emulator.http import Endpoint
    from flowspec.emulator.in_process import Response

_HOME = click.option(
    "--home",
    type=NonEmptyPath(path_type=Path, file_okay=False, readable=False),
    metavar="DIR",
    help="Where all state is kept, instead of FLOWSPEC_HOME.",
)
# Services kept, one per region: AWS has some 35, and a client may name any; beyond that they are made anew.
_REGIONS_KEPT = 64
# Between two looks for Ctrl-C and SIGTERM while it serves.
_POLL_SECONDS = 0.5


def _s3_url(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"https?://([\w.-]+|\[[0-9a-fA-F:]+\])(:\d{1,5})?/?", value):
        raise click.BadParameter(f"{value!r} is not an S3 endpoint: write http://HOST:PORT")
    return value


def _check_fault(_: click.Context, __: click.Parameter, value: str) -> str:
    from flowspec.emulator import faults
    from flowspec.emulator.api.service import OPERATIONS

    with _as_usage_error():
        faults.parse(value, OPERATIONS)
    return value


def _time_scale(_: click.Context, __: click.Parameter, value: float) -> float:
    from flowspec.emulator.state import clock

    with _as_usage_error():
        return clock.checked_scale(value)


@contextmanager
def _as_usage_error() -> Iterator[None]:
    """Turns the embedded EMR's error about an option's value into a usage error."""
    try:
        yield
    except FlowspecError as error:
        raise click.BadParameter(f"{error.message}; {error.remedy}") from error


@click.group("emulator", invoke_without_command=True, epilog="Example: flowspec emulator --port 8998")
@click.option(
    "--port", type=WholeNumber(0, 65535), default=0, metavar="PORT", help="Port on 127.0.0.1; default: a free one."
)
@click.option(
    "--region",
    default="us-east-1",
    show_default=True,
    metavar="REGION",
    help="The region of requests that don't name one.",
)
@_HOME
@click.option(
    "--s3",
    "s3_url",
    callback=_s3_url,
    metavar="URL",
    help="S3 endpoint for s3:// paths; default: folder s3 in the home.",
)
@click.option(
    "--inject",
    callback=_check_fault,
    default="",
    metavar="FAULTS",
    help="Faults to inject, e.g. throttle=0.3,step-failure@3.",
)
@click.option(
    "--time-scale",
    type=float,
    callback=_time_scale,
    default=1.0,
    metavar="N",
    help="Let EMR's own delays pass N times as fast; default: 1.",
)
@click.option("--allow-other-users", is_flag=True, help="Serve all users of this machine: they can run code as you.")
@click.option("--instant", is_flag=True, help="Run nothing: clusters are WAITING and steps COMPLETED at once.")
@click.option("--run-bootstrap", is_flag=True, help="Run bootstrap actions on this machine, too.")
@click.pass_context
def command(
    context: click.Context, /, home: Path | None, port: int, region: str, allow_other_users: bool, **options: Any
) -> int:
    """Serve an EMR endpoint on this machine for any client; the steps really run.

    The first line of its output says where it listens; in a browser, that shows clusters, steps and live logs.
    Ctrl-C and SIGTERM stop it; its clusters keep running.
    """
    if context.invoked_subcommand:
        _refuse_other_options(context)
        context.obj = home
        return Exit.OK
    return _serve(_home(home), port, region, allow_other_users, options)


def _refuse_other_options(context: click.Context) -> None:
    given = [
        name
        for name in context.params
        if name != "home" and context.get_parameter_source(name) is not ParameterSource.DEFAULT
    ]
    if given:
        option = next(param.opts[0] for param in context.command.params if param.name == given[0])
        raise click.UsageError(f"{option} has no effect on '{context.invoked_subcommand}': leave it out")


def _home(given: Path | None) -> Path:
    from flowspec.facts.folders import state_folder

    return given.expanduser().absolute() if given else state_folder()


def _serve(home: Path, port: int, region: str, other_users: bool, options: dict[str, Any]) -> int:
    from flowspec.emulator.api.service import Service
    from flowspec.emulator.state.store import StorePool
    from flowspec.emulator.worker.fork_server import start_by_fork

    options["start_worker"] = start_by_fork()
    stores = StorePool(home)
    options["open_store"] = stores.connection
    service_for = lru_cache(_REGIONS_KEPT)(lambda name: Service(home, region=name, **options))
    # Errors in the options or the home are raised here, not at the first request. And an open connection to the
    # store keeps SQLite from checkpointing whenever another one closes, which takes as long as a call.
    service_for(region)
    with stores.connection():
        endpoint = _listen(service_for, port, region, other_users)
        _warn_of_risks(other_users)
        serving = threading.Thread(target=endpoint.serve_forever)
        serving.start()
        try:
            print_result(f"listening on {endpoint.url}")
            if endpoint.access_key:
                print_result(f"clients need AWS_ACCESS_KEY_ID={endpoint.access_key}")
            # Looked at again and again: a signal that another thread takes, or that comes between Python's last look
            # for one and the wait, ends no wait.
            while serving.is_alive():
                serving.join(_POLL_SECONDS)
        except KeyboardInterrupt:
            # Ctrl-C or SIGTERM: to be stopped is how this command ends.
            pass
        finally:
            endpoint.stop()
    stores.close()
    return Exit.OK


def _page(service: Service, path: str) -> Response | None:
    # Imported for the first page: programs that use the API need none.
    from flowspec.site import respond_with_page

    return respond_with_page(service, path)


def _warn_of_risks(other_users: bool) -> None:
    if os.geteuid() == 0:
        ewarn("warning: the emulator runs as root, and so does every step; start it as an ordinary user")
    if other_users:
        ewarn("warning: every user of this machine can run programs as the user of the emulator")


def _listen(service_for: Callable[[str], Service], port: int, region: str, other_users: bool) -> Endpoint:
    from flowspec.emulator.http import HOST, Endpoint
    from flowspec.emulator.peers import can_identify_peers

    # Outside of Linux the owner of a client's socket is not known: a secret takes its place.
    key = "" if other_users or can_identify_peers() else f"AKIA{secrets.token_hex(8).upper()}"
    try:
        return Endpoint(service_for, region=region, port=port, other_users=other_users, access_key=key, pages=_page)
    except OSError as error:
        raise FlowspecError(
            f"can't listen on {HOST}:{port}: {error.strerror}", remedy="choose another --port; 0 takes a free one"
        ) from error


@command.command(
    "prune",
    short_help="Remove records and logs of clusters that ended long ago.",
    epilog="Example: flowspec emulator prune --older-than 12h",
)
@click.option(
    "--older-than",
    callback=parse_span,
    default="7d",
    show_default=True,
    metavar="SPAN",
    help="Remove what ended at least this long ago.",
)
@_HOME
@output_format("text", "json")
@click.pass_obj
def prune_command(group_home: Path | None, older_than: timedelta, home: Path | None, format_: str) -> int:
    """Remove the records, logs and working folders of clusters that ended long ago.

    Living clusters, and whatever was written to s3://, stay. Archives of Python packages that were not used for as
    long are removed, too.
    """
    from flowspec.backend.packing import prune_packages
    from flowspec.emulator.prune import prune

    folder, least = _home(home or group_home), older_than.total_seconds()
    done = prune(folder, least)
    archives, freed = prune_packages(folder, least)
    freed += done.bytes
    if format_ == "json":
        print_json({"clusters": done.clusters, "archives": archives, "bytes": freed})
    else:
        removed_archives = f" and {number_of(archives, 'archive')} of Python packages" if archives else ""
        print_result(f"removed {number_of(done.clusters, 'cluster')}{removed_archives}, freed {freed / 1e6:.1f} MB")
    return Exit.OK
