"""Which content codings a client takes."""

from __future__ import annotations


def accepts(accept_encoding: str | None, coding: str) -> bool:
    """Whether a client that sent this ``accept-encoding`` header takes a body in *coding*.

    Without the header (None) it takes any. With it, what is listed, and with ``*`` what is not,
    unless its weight is 0; an empty header takes none (RFC 9110, 12.5.3). *coding* is one of
    `CODINGS`; ``x-gzip`` is ``gzip`` (8.4.1.3). A weight that is no number says nothing.
    """
    if accept_encoding is None:
        return True
    weights: dict[str, float] = {}
    for item in accept_encoding.lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        weights["gzip" if name == "x-gzip" else name] = _weight(parameters)
    return weights.get(coding, weights.get("*", 0.0)) > 0


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                break
    return 1.0
