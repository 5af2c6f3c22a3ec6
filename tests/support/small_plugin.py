"""`--plugin` that registers the network of `small_network` in a process that trains it."""

from distill.models.zoo import register
from tests.support.small_network import ENTRY, NAME

register(NAME, size=ENTRY.size, loss=ENTRY.loss)(ENTRY.factory)
