"""Model cards: publication, exact cost and published results of every network, and the file of our own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from distill.errors import ConfigError

_FOLDER = Path(__file__).parent / "cards"


@dataclass(frozen=True)
class Counts:
    """The exact cost of one variant.

    Attributes:
        arch: name in the zoo.
        scheme: landmark scheme it is counted with.
        size: side of the crop in pixels.
        parameters: number of weights.
        macs: multiply-accumulates for one crop; FLOPs are twice as many.
        options: keyword arguments of the variant.
    """

    arch: str
    scheme: str
    size: int
    parameters: int
    macs: int
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Card:
    """One paper's network, in as many variants as are counted.

    Attributes:
        title, paper, url: of the publication.
        input: of the network.
        loss: of the paper.
        counts: each variant's cost.
        published: the paper's numbers, a row each, with the protocol in the row.
        notes: what differs here from the paper.
        ours: where our numbers are written by the command that measures them.
    """

    title: str
    paper: str
    url: str
    input: str
    loss: str
    counts: tuple[Counts, ...]
    published: tuple[Mapping[str, Any], ...]
    notes: str
    ours: str


@cache
def load_cards() -> Mapping[str, Card]:
    """Return the card of every network that has one, by its name in the zoo.

    Raises:
        ConfigError: a card that lacks a field or has one too many.
    """
    cards: dict[str, Card] = {}
    for path in sorted(_FOLDER.glob("*.yaml")):
        raw = yaml.safe_load(path.read_text())
        try:
            counts = tuple(Counts(**row) for row in raw.pop("counts"))
            card = Card(counts=counts, published=tuple(raw.pop("published")), **raw)
        except (TypeError, KeyError, AttributeError) as error:
            raise ConfigError(f"{path}: not a model card ({error}); compare with {_FOLDER / 'efld.yaml'}") from error
        cards |= {row.arch: card for row in counts}
    return cards
