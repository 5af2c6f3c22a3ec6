"""Class balancing: weights of faces with rare attributes, as in PFLD's loss (arXiv 1902.10859, eq. 2)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from distill.data.records import FaceRecord
from distill.errors import ConfigError


def attribute_weights(records: Sequence[FaceRecord], attributes: Sequence[str]) -> NDArray[np.float64]:
    """Return what each face counts (n,), 1 on average: the sum, over the kinds it is of, of one over their share.

    A kind is an attribute that is true, such as WFLW's `occlusion`. Faces of none of them are a kind of their own, as
    the paper's frontal ones are; in the published code they would weigh nothing. Shares are those of all faces instead
    of a batch's, so that a face weighs the same in every batch.

    Args:
        records: faces of one data set.
        attributes: names in `FaceRecord.attributes`, each true or false.

    Raises:
        ConfigError: an attribute that the faces do not have, or that is not true or false.
    """
    flags = np.zeros((len(records), len(attributes) + 1), bool)
    for column, name in enumerate(attributes):
        values = [record.attributes.get(name) for record in records]
        if not all(isinstance(value, bool) for value in values):
            items = [item for record in records for item in record.attributes.items()]
            known = sorted({key for key, value in items if isinstance(value, bool)})
            valid = f"take some of {', '.join(known)}" if known else "these faces have none; leave it out"
            raise ConfigError(f"--data.balance: not every face says whether it has '{name}': {valid}")
        flags[:, column] = values
    flags[:, -1] = ~flags.any(1)
    shares = flags.mean(0)
    weights = (flags / np.where(shares > 0, shares, 1)).sum(1)
    return weights / weights.mean()
