"""Unpacks the archives that a job ships (org.apache.hadoop.fs.FileUtil.unZip and unTar)."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
import zlib
from pathlib import Path

_TARS = (".tgz", ".tar.gz", ".tar")
_ZIPS = (".zip", ".jar")


def unpack(source: Path, place: Path) -> None:
    """Unpacks an archive, by the end of its name, into a folder; other files are copied. Raises `OSError`."""
    name = source.name.lower()
    try:
        if name.endswith(_ZIPS):
            _unzip(source, place)
        elif name.endswith(_TARS):
            with tarfile.open(source) as archive:
                if hasattr(tarfile, "data_filter"):
                    archive.extractall(place, filter="data")
                else:
                    _extract_checked(archive, place)
        else:
            shutil.copyfile(source, place)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, RuntimeError) as error:
        # EOFError: the file is truncated. RuntimeError: a zip needs a password, or has an unknown compression.
        raise OSError(str(error).replace("\n", " ")) from error


def _extract_checked(archive: tarfile.TarFile, place: Path) -> None:
    """Extracts an archive after a check of where its members go, which Python before 3.11.4 lacks."""
    root = place.resolve()
    for member in archive.getmembers():
        if not (root / member.name).resolve().is_relative_to(root) or member.islnk() or member.issym():
            raise tarfile.TarError(f"{member.name} would be outside of the directory")
    archive.extractall(place)  # noqa: S202 - checked above


def _unzip(source: Path, place: Path) -> None:
    with zipfile.ZipFile(source) as archive:
        for member in archive.infolist():
            target = Path(archive.extract(member, place))
            mode = member.external_attr >> 16 & 0o777
            if mode and target.is_file():
                target.chmod(mode | 0o400)
