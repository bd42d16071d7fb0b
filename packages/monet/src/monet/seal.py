"""Checksums over whole files, which find every flipped bit, and reads that never block.

A file that says a version must carry a checksum. Files without either are of version 0.1.0 or of
the trials before it, and are read as they are.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scenes.command_line import CommandError
from scenes.regular_files import open_regular
from scenes.serialise import parse_json

VERSION = "2"
"""Version of files of weights and states."""
BLANK = "0" * 64
"""Takes the checksum's place in a file of weights while the checksum is computed."""
DAMAGED = "damaged: its checksum is wrong; take another copy"
ZIP_MARK = b"sha256 "
"""A state's checksum is the comment of its zip archive, after this."""


class SealError(ValueError):
    """A file's bytes are not those that were written, or are of a newer version."""


def read_regular(path: Path) -> bytes:
    """Returns a file's bytes.

    Raises:
        CommandError: it is missing, or a folder, pipe or device, which might never end.
    """
    try:
        with open_regular(path) as file:
            return file.read()
    except FileNotFoundError:
        raise CommandError(f"{path}: no such file") from None
    except ValueError as error:
        raise CommandError(str(error)) from None


def digest(content: bytes) -> str:
    """Returns the checksum of some bytes."""
    return hashlib.sha256(content).hexdigest()


def seal_weights(content: bytes, facts: Mapping[str, str]) -> bytes:
    """Returns a safetensors file with facts, version and checksum, its keys in one order.

    Args:
        content: a safetensors file.
        facts: texts to store about its tensors, by name.
    """
    header, tensors = _split(content)
    header["__metadata__"] = {**facts, "version": VERSION, "checksum": BLANK}
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # as safetensors aligns tensors
    blank = len(text).to_bytes(8, "little") + text + tensors
    return _with_checksum(blank, BLANK, digest(blank))


def facts_of_weights(content: bytes) -> dict[str, str]:
    """Checks a safetensors file's checksum; returns the facts that it stores about its tensors.

    Raises:
        ValueError: it is no safetensors file.
        SealError: the checksum is wrong or missing, or the version is newer.
    """
    facts = _split(content)[0].get("__metadata__", {})
    if not isinstance(facts, dict) or not all(isinstance(fact, str) for fact in facts.values()):
        raise ValueError("its metadata are no texts")
    version, checksum = facts.pop("version", None), facts.pop("checksum", None)
    if version is None and checksum is None:
        return facts
    if checksum is None or digest(_with_checksum(content, checksum, BLANK)) != checksum:
        raise SealError(DAMAGED)
    if version != VERSION:
        raise SealError(f"version {version}, this one reads {VERSION}")
    return facts


def _split(content: bytes) -> tuple[dict[str, Any], bytes]:
    """Splits a safetensors file into its header and the tensors' bytes.

    Raises:
        ValueError: the header is no JSON object, or longer than the file.
    """
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > len(content) - 8:
        raise ValueError("its header is longer than the file")
    header = parse_json(content[8 : 8 + length])
    if not isinstance(header, dict):
        raise ValueError("its header is no JSON object")
    return header, content[8 + length :]


def _with_checksum(content: bytes, before: str, after: str) -> bytes:
    """Returns a safetensors file with another checksum in the same place."""
    # Quotes inside a text are escaped, so that nothing else in the header looks like this.
    old, new = (f'"checksum":"{checksum}"'.encode() for checksum in (before, after))
    return content.replace(old, new, 1)


def seal_zip(content: bytes) -> bytes:
    """Returns a zip archive with a checksum as its comment."""
    length = len(ZIP_MARK) + len(BLANK)
    # An archive ends with the length of its comment; this one had none.
    archive = content[:-2] + length.to_bytes(2, "little")
    return archive + ZIP_MARK + digest(archive).encode()


def check_zip(content: bytes) -> bool:
    """Checks a zip archive's checksums, and that its parts are together no larger than the file.

    Returns:
        Whether it has a checksum over all its bytes; those of its parts are checked in any case.

    Raises:
        SealError: a checksum is wrong.
        zipfile.BadZipFile: it is no archive, or larger inside than outside.
    """
    end = len(content) - len(BLANK)
    sealed = content[end - len(ZIP_MARK) : end] == ZIP_MARK
    if sealed and digest(content[: end - len(ZIP_MARK)]).encode() != content[end:]:
        raise SealError(DAMAGED)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise zipfile.BadZipFile("compressed")
        if sum(entry.file_size for entry in entries) > len(content):
            raise zipfile.BadZipFile("larger inside than outside")
        if archive.testzip() is not None:
            raise SealError(DAMAGED)
    return sealed
