"""Training and test folders of 300-W: the 554 faces of the official common test set."""

TRAIN = "helen/trainset+lfpw/trainset"
TEST = "helen/testset+lfpw/testset"
