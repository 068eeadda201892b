noinst_LIBRARIES += libconf.a
libconf_a_SOURCES = \
	src/conf/conf.c src/conf/conf.h src/conf/conf_priv.h \
	src/conf/conf_check.c \
	src/conf/conf_describe.c src/conf/conf_plan.c src/conf/conf_plan.h \
	src/conf/conf_discover.c \
	src/conf/conf_env.c \
	src/conf/conf_json.c \
	src/conf/conf_keys.c src/conf/conf_keys.def \
	src/conf/conf_kind.c src/conf/conf_kind.h \
	src/conf/conf_listen.c \
	src/conf/conf_load.c \
	src/conf/conf_macro.c \
	src/conf/conf_model.c \
	src/conf/conf_node.c \
	src/conf/conf_path.c \
	src/conf/conf_program.c \
	src/conf/conf_resolve.c \
	src/conf/conf_split.c \
	src/conf/conf_value.c src/conf/conf_value_list.c \
	src/conf/conf_yaml.c src/conf/conf_yaml.h \
	src/conf/conf_yaml_filter.c \
	src/conf/conf_yaml_group.c \
	src/conf/conf_yaml_model.c \
	src/conf/conf_yaml_swap.c
