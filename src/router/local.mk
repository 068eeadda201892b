noinst_LIBRARIES += librouter.a
librouter_a_SOURCES = src/router/router.h 
