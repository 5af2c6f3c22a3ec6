"""Training and test folders of 300-W: the 554 faces of the official common test set, and its box sources."""

TRAIN = "helen/trainset+lfpw/trainset"
TEST = "helen/testset+lfpw/testset"

# Box sources as results name them, where the evaluation still has the former name.
_FORMER = {"dataset": "det", "detector": "found"}


def box_source(name: str) -> str:
    """Return what `evaluate` calls a box source of the results."""
    return _FORMER.get(name, name)
