EXTRA_DIST += contrib/mkmodels.py contrib/packages contrib/quickstart contrib/real-engines contrib/run-tests \
	contrib/completion/mai.bash contrib/systemd/mai.service
EXTRA_DIST += contrib/examples
