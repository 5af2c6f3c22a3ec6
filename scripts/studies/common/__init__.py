"""What studies share: training arms, comparing them, cached measurements, marked blocks of documents."""
