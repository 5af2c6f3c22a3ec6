"""Training from packed faces with every crop, its augmentation included, computed on the device."""
