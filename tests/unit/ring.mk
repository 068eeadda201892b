# Unit tests of src/ring.
