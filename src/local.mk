# Libraries in rank order (src/LAYERS): each unit test links its own module and the lower ones, so that an
# upward call does not link.
EXTRA_DIST += src/LAYERS

include src/base/local.mk
include src/conf/local.mk
include src/bus/local.mk
include src/ring/local.mk
include src/http/local.mk
include src/metrics/local.mk
include src/host/local.mk
include src/engine/local.mk
include src/view/local.mk
include src/router/local.mk
include src/client/local.mk
include src/ui/local.mk
include src/proxy/local.mk
include src/api/local.mk
include src/app/local.mk

# Link lines, highest rank first.
RANK0 = libbase.a $(EVENT_LIBS) $(CJSON_LIBS)
RANK1 = libconf.a libbus.a libring.a libhttp.a libmetrics.a libhost.a $(RANK0) $(YAML_LIBS)
RANK2 = libengine.a libview.a $(RANK1)
RANK3 = librouter.a libclient.a $(RANK2) $(CURL_LIBS)
RANK4 = libproxy.a $(RANK3)
RANK5 = libapi.a $(RANK4)
RANK6 = libapp.a $(UILIB) $(RANK5) $(UI_LIBS)
if UI
UILIB = libui.a
UI_LIBS = $(CURSES_LIBS)
endif

bin_PROGRAMS += mai
mai_SOURCES = src/main.c
mai_LDADD = $(RANK6)
