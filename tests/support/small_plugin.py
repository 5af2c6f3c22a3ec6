"""`--plugin` that registers the network of `small_network` in a process that trains it."""

from distill.models.zoo import register
from tests.support.small_network import LOSS, NAME, small_cnn

register(NAME, size=64, loss=LOSS)(small_cnn)
