"""Photos with face boxes: records, readers, augmentation and the data set that trains a detector."""
