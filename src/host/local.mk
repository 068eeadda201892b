noinst_LIBRARIES += libhost.a
libhost_a_SOURCES = src/host/host.h src/host/host.c
if HOST_LINUX
libhost_a_SOURCES += src/host/host_linux.c src/host/host_linux_port.c src/host/host_linux_priv.h
else
if HOST_DARWIN
libhost_a_SOURCES += src/host/host_darwin.c
else
libhost_a_SOURCES += src/host/host_other.c
endif
endif
EXTRA_DIST += src/host/host_linux.c src/host/host_linux_port.c src/host/host_linux_priv.h \
	src/host/host_darwin.c src/host/host_other.c
