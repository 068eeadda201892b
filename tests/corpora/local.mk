# The codec against the request fixtures of gunicorn and the request and response fixtures of llhttp (as aiohttp's source
# package carries them). They are fetched by name and never copied into the tree; without network the test is skipped,
# with CI=true it fails. See README.md.
check_PROGRAMS += tests/corpora/http_corpus
tests_corpora_http_corpus_SOURCES = tests/corpora/http_corpus.c
tests_corpora_http_corpus_LDADD = libhttp.a $(RANK0)
TESTS += tests/corpora/corpus.sh
EXTRA_DIST += tests/corpora/README.md tests/corpora/convert.py tests/corpora/corpus.sh tests/corpora/fetch \
	tests/corpora/limits tests/corpora/requirements.txt
