# Unit tests of src/client.
