/* SPDX-License-Identifier: MIT */
/* What the subcommands' JSON is made of. */
#ifndef JSON_OUT_H
#define JSON_OUT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

void json_add_number(struct json_object *to, const char *name, uint64_t v);
/* null where there is none. */
void json_add_number_if(struct json_object *to, const char *name, bool any, uint64_t v);
void json_add_double(struct json_object *to, const char *name, int decimals, double v);
void json_add_flag(struct json_object *to, const char *name, bool v);
/* NULL gives null. */
void json_add_text(struct json_object *to, const char *name, const char *text);
/* The new object is to's. */
struct json_object *json_add_object(struct json_object *to, const char *name);
struct json_object *json_add_array(struct json_object *to, const char *name);
/* Print it on stdout, and free it. */
void json_end(struct json_object *top);

#endif
