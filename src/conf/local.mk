noinst_LIBRARIES += libconf.a
libconf_a_SOURCES = \
	src/conf/conf.c src/conf/conf.h src/conf/conf_priv.h \
	src/conf/conf_check.c \
	src/conf/conf_env.c \
	src/conf/conf_kind.c src/conf/conf_kind.h \
	src/conf/conf_listen.c \
	src/conf/conf_load.c \
	src/conf/conf_model.c \
	src/conf/conf_path.c \
	src/conf/conf_resolve.c \
	src/conf/conf_split.c \
	src/conf/conf_yaml.c
