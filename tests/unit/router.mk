# Unit tests of src/router.
