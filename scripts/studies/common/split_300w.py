"""Which folders of 300-W are trained on and which tested: the 554 faces of the official common test set."""

TRAIN, TEST = "helen/trainset+lfpw/trainset", "helen/testset+lfpw/testset"
