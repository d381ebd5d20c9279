"""The one exception of the local runtime: a sentence for a person, saying what is wrong and what to do."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from shared.errors import WaymarkError

MEGABYTE = 1_000_000


class RuntimeTrouble(WaymarkError):
    """Kafka or PostgreSQL cannot be brought up on this machine.

    `sentence` is written for whoever typed the command: what is wrong, then what to do about it.
    It never holds anything from an incident.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


def require_space(directory: Path, megabytes: int) -> None:
    """Check that the disk under `directory` (which exists) has `megabytes` free.

    Raises RuntimeTrouble when it has less: a broker that meets a full disk in the middle of its work
    stops, so it is better to say so before the start.
    """
    free = shutil.disk_usage(directory).free // MEGABYTE
    if free < megabytes:
        raise RuntimeTrouble(
            f"The disk that holds {directory} is almost full: {free} MB are free and {megabytes} MB are"
            " needed. Free some space, or give a directory on another disk with --data."
        )


def ran_out_of_space(said: str, directory: Path) -> bool:
    """Whether a server that ended and `said` this met a full disk; a log on that disk may say nothing."""
    return "No space left on device" in said or shutil.disk_usage(directory).free < 5 * MEGABYTE


def disk_full(doing: str) -> RuntimeTrouble:
    return RuntimeTrouble(
        f"The disk is full: {doing} failed. Free some space, or give a directory on another disk with --data."
    )


def explain_os_error(error: OSError, doing: str) -> RuntimeTrouble:
    """Turn an error of the operating system, met while `doing` something, into a sentence."""
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full(f"{doing}{where}")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return RuntimeTrouble(
            f"This user may not write there: {doing} failed{where}: {error.strerror}."
            " Give another directory with --data, or change who owns this one."
        )
    return RuntimeTrouble(f"{doing[:1].upper()}{doing[1:]} failed{where}: {error.strerror or error}.")
