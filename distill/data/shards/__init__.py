"""Shards: a data set of many faces in tar files of the WebDataset layout, with arrays as index."""
