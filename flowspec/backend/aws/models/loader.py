"""Loads botocore's data files, faster than botocore does, for the sessions that flowspec makes.

Before the first client of a session, botocore's loader searches each of its 400 service folders twice, which takes
25 ms, and makes each object of endpoints.json an OrderedDict, which takes 20 ms.
"""

from __future__ import annotations

import gzip
import json
import os
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from botocore.exceptions import DataNotFoundError, UnknownServiceError
from botocore.loaders import JSONFileLoader, Loader

from flowspec.facts.api_model import service_model

MODELS = Path(__file__).parent
"""The folder of the models that replace botocore's of the same API version, and hold a part of the operations."""


class ModelLoader(Loader):
    """Finds what the loader `other` does, in the same order; `MODELS` comes right before botocore's own data."""

    def __init__(self, other: Loader) -> None:
        *users, botocores = other.search_paths
        # Those of AWS_DATA_PATH; api_model looks into the customer's folder only.
        self._has_more_folders = users != [self.CUSTOMER_DATA_PATH]
        super().__init__([*users, str(MODELS), botocores], _Files(), include_default_search_paths=False)

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - botocore's signature
        """Lists the services by their folders, without a look at the files in them."""
        return self._folders

    @cached_property
    def _folders(self) -> list[str]:
        # Path.iterdir takes 3 ms for the 400 of them.
        return sorted({name for path in self.search_paths if os.path.isdir(path) for name in os.listdir(path)})  # noqa: PTH112, PTH208

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        """Loads a model. Raises UnknownServiceError for a service without one of this type, as botocore does."""
        if (service_name, type_name, api_version) == ("emr", "service-2", None) and not self._has_more_folders:
            # It is parsed already, because the request was checked with it; parsing takes 6 ms.
            return service_model()
        try:
            self.list_api_versions(service_name, type_name)
        except DataNotFoundError as error:
            known = ", ".join(self.list_available_services(type_name))
            raise UnknownServiceError(service_name=service_name, known_service_names=known) from error
        return super().load_service_model(service_name, type_name, api_version)


class _Files(JSONFileLoader):
    """Reads JSON files, plain or compressed, with objects as `dict`, which keeps their order since Python 3.7."""

    def load_file(self, file_path: str) -> Any:
        """Returns the content of a file, whose path is given without the ending; None if there is none."""
        for ending in (".json", ".json.gz"):
            path = Path(file_path + ending)
            if path.is_file():
                with _open(path) as file:
                    return json.load(file)
        return None


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]
