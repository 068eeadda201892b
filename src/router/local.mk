noinst_LIBRARIES += librouter.a
librouter_a_SOURCES = \
	src/router/router.c src/router/router.h \
	src/router/router_engines.c \
	src/router/router_ops.h src/router/router_priv.h \
	src/router/router_plan.c \
	src/router/router_policy.c src/router/router_policy.h \
	src/router/router_queue.c \
	src/router/router_slot.c \
	src/router/router_ticket.c \
	src/router/router_verbs.c \
	src/router/router_view.c
