# Unit tests of src/conf.
CONF_TEST_CPPFLAGS = $(UNIT_CPPFLAGS) -DCONF_TESTS='"$(top_srcdir)/tests/conf"' -DCONF_MAN='"$(top_srcdir)/doc/mai.yaml.5"' \
	-DCONF_EXAMPLES='"$(top_srcdir)/contrib/examples"'
CONF_TEST_LIBS = libconf.a $(RANK0) $(YAML_LIBS) $(CMOCKA_LIBS)
EXTRA_DIST += tests/conf

check_PROGRAMS += tests/unit/test_conf tests/unit/test_conf_bad tests/unit/test_conf_env tests/unit/test_conf_good tests/unit/test_conf_yaml
TESTS += tests/unit/test_conf tests/unit/test_conf_bad tests/unit/test_conf_env tests/unit/test_conf_good tests/unit/test_conf_yaml
tests_unit_test_conf_SOURCES = tests/unit/test_conf.c tests/unit/unit.h
tests_unit_test_conf_CPPFLAGS = $(CONF_TEST_CPPFLAGS)
tests_unit_test_conf_LDADD = $(CONF_TEST_LIBS)
tests_unit_test_conf_bad_SOURCES = tests/unit/test_conf_bad.c tests/unit/unit.h
tests_unit_test_conf_bad_CPPFLAGS = $(CONF_TEST_CPPFLAGS)
tests_unit_test_conf_bad_LDADD = $(CONF_TEST_LIBS)
tests_unit_test_conf_env_SOURCES = tests/unit/test_conf_env.c tests/unit/unit.h
tests_unit_test_conf_env_CPPFLAGS = $(CONF_TEST_CPPFLAGS)
tests_unit_test_conf_env_LDADD = $(CONF_TEST_LIBS)
tests_unit_test_conf_good_SOURCES = tests/unit/test_conf_good.c tests/unit/unit.h
tests_unit_test_conf_good_CPPFLAGS = $(CONF_TEST_CPPFLAGS)
tests_unit_test_conf_good_LDADD = $(CONF_TEST_LIBS)
tests_unit_test_conf_yaml_SOURCES = tests/unit/test_conf_yaml.c tests/unit/unit.h
tests_unit_test_conf_yaml_CPPFLAGS = $(CONF_TEST_CPPFLAGS)
tests_unit_test_conf_yaml_LDADD = $(CONF_TEST_LIBS)
