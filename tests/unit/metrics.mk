# Unit tests of src/metrics.
