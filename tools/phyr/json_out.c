/* SPDX-License-Identifier: MIT */
/* What the subcommands' JSON is made of. */
#include "json_out.h"

#include <stdio.h>

void json_add_number(struct json_object *to, const char *name, uint64_t v)
{
	json_object_object_add(to, name, json_object_new_uint64(v));
}

void json_add_number_if(struct json_object *to, const char *name, bool any, uint64_t v)
{
	json_object_object_add(to, name, any ? json_object_new_uint64(v) : NULL);
}

void json_add_double(struct json_object *to, const char *name, int decimals, double v)
{
	char text[352]; /* as long as any double is in full */

	snprintf(text, sizeof(text), "%.*f", decimals, v);
	json_object_object_add(to, name, json_object_new_double_s(v, text));
}

void json_add_flag(struct json_object *to, const char *name, bool v)
{
	json_object_object_add(to, name, json_object_new_boolean(v));
}

void json_add_text(struct json_object *to, const char *name, const char *text)
{
	json_object_object_add(to, name, text ? json_object_new_string(text) : NULL);
}

struct json_object *json_add_object(struct json_object *to, const char *name)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(to, name, object);
	return object;
}

struct json_object *json_add_array(struct json_object *to, const char *name)
{
	struct json_object *array = json_object_new_array();

	json_object_object_add(to, name, array);
	return array;
}

void json_end(struct json_object *top)
{
	puts(json_object_to_json_string_ext(top, JSON_C_TO_STRING_PRETTY |
							 JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(top);
}
