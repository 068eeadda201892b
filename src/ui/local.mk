if UI
noinst_LIBRARIES += libui.a
endif
libui_a_CPPFLAGS = $(AM_CPPFLAGS) $(CURSES_CFLAGS)
libui_a_SOURCES = \
	src/ui/ui.c src/ui/ui.h \
	src/ui/ui_act.h src/ui/ui_act_log.c src/ui/ui_act_model.c src/ui/ui_act_move.c \
	src/ui/ui_edit.c \
	src/ui/ui_glyph.c src/ui/ui_glyph.h \
	src/ui/ui_grid.c src/ui/ui_grid.h \
	src/ui/ui_handle.c \
	src/ui/ui_head.h src/ui/ui_head_detail.c src/ui/ui_head_narrow.c \
	src/ui/ui_keys.c src/ui/ui_keys.def src/ui/ui_keys.h \
	src/ui/ui_layout.c src/ui/ui_layout.h \
	src/ui/ui_list.c src/ui/ui_list.h \
	src/ui/ui_log.c src/ui/ui_log.h src/ui/ui_log_jump.c src/ui/ui_log_scan.c \
	src/ui/ui_log_line.c src/ui/ui_log_line.h \
	src/ui/ui_mouse.c src/ui/ui_mouse.h \
	src/ui/ui_pane_bar.c \
	src/ui/ui_pane_head.c \
	src/ui/ui_pane_log.c \
	src/ui/ui_pane_models.c \
	src/ui/ui_pane_requests.c \
	src/ui/ui_pattern.c src/ui/ui_pattern.h \
	src/ui/ui_popup.c \
	src/ui/ui_popup_confirm.c \
	src/ui/ui_popup_help.c \
	src/ui/ui_popup_palette.c \
	src/ui/ui_popup_picker.c \
	src/ui/ui_popup_text.c \
	src/ui/ui_prompt.c src/ui/ui_prompt.h \
	src/ui/ui_state.c src/ui/ui_state.h \
	src/ui/ui_term.c src/ui/ui_term.h src/ui/ui_term_keys.c src/ui/ui_term_priv.h \
	src/ui/ui_theme.c src/ui/ui_theme.h
