EXTRA_DIST += contrib/mkmodels.py contrib/packages contrib/quickstart contrib/real-engines contrib/run-tests
EXTRA_DIST += contrib/examples
