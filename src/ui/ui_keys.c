/* SPDX-License-Identifier: ISC
 * The key table as data. */
#include "ui/ui_keys.h"

#include "base/compat.h"

const struct ui_binding ui_bindings[] = {
#define KEY(act, shown_, keys_, group_, help_, command_, ...) \
	{act, shown_, keys_, group_, help_, command_, {__VA_ARGS__}},
#include "ui/ui_keys.def"
};
const size_t ui_nbindings = ARRAY_LEN(ui_bindings);

const struct ui_bar_item ui_bar_items[] = {
#define BAR(screen, action, label) {screen, action, label},
#include "ui/ui_keys.def"
};
const size_t ui_nbar_items = ARRAY_LEN(ui_bar_items);

enum ui_action
ui_key_action(int key)
{
	for (size_t i = 0; key != 0 && i < ui_nbindings; i++)
		for (size_t k = 0; k < ARRAY_LEN(ui_bindings[i].codes); k++)
			if (ui_bindings[i].codes[k] == key)
				return ui_bindings[i].action;
	return ACT_NONE;
}

const struct ui_binding *
ui_binding_of(enum ui_action a)
{
	for (size_t i = 0; i < ui_nbindings; i++)
		if (ui_bindings[i].action == a)
			return &ui_bindings[i];
	return NULL;
}

const char *
ui_group_name(enum ui_group g)
{
	static const char *const names[] = {"MODEL", "VIEW", "LOG", "REQUESTS"};

	return (size_t)g < ARRAY_LEN(names) ? names[g] : "?";
}
