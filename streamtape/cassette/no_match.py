"""What is raised for a request that nothing answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vcr.errors import CannotOverwriteExistingCassetteException

if TYPE_CHECKING:
    from vcr.request import Request as VcrRequest

    from streamtape.cassette.stream_cassette import StreamCassette


class NoMatchError(CannotOverwriteExistingCassetteException):  # type: ignore[misc]  # vcrpy has no types
    """A request that nothing in the cassette answers, while the record mode lets nothing be added.

    vcrpy's exception, with the interactions that come nearest.
    """

    def __init__(self, *, cassette: StreamCassette, failed_request: VcrRequest) -> None:
        super().__init__(cassette=cassette, failed_request=failed_request)
        message = str(self).replace("record_mode='once' (the default)", "record_mode='once'")
        hint = "With pytest, --streamtape-record=MODE sets it: once, new_episodes, all or rewrite."
        self.args = (f"{message}\n\n{hint}",)
