/* SPDX-License-Identifier: MIT */
/* A PCI address as text, and as a source id. */
#include <phyr/pci.h>

#include <stdio.h>

#include "core/err.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Take a number of one to max digits, and what ends it. */
static bool take(const char **text, unsigned max, char end, uint32_t *out)
{
	const char *at = *text;
	uint32_t value = 0;
	unsigned n = 0;

	for (int digit; n < max && (digit = hex_digit(*at)) >= 0; at++, n++)
		value = value << 4 | (uint32_t)digit;
	if (!n || *at != end)
		return false;
	*text = end ? at + 1 : at;
	*out = value;
	return true;
}

static bool take_function(const char *text, uint32_t *bus, uint32_t *dev, uint32_t *function)
{
	return take(&text, 2, ':', bus) && take(&text, 2, '.', dev) && *dev < 32 &&
	       take(&text, 1, '\0', function) && *function < 8;
}

int phyr_pci_parse(const char *text, uint32_t *source)
{
	uint32_t segment = 0, bus, dev, function;
	const char *rest = text;

	if (!take_function(text, &bus, &dev, &function) &&
	    !(take(&rest, 4, ':', &segment) && take_function(rest, &bus, &dev, &function)))
		return -EINVAL;
	*source = segment << 16 | bus << 8 | dev << 3 | function;
	return 0;
}

void phyr_pci_format(uint32_t source, char name[PHYR_PCI_NAME])
{
	snprintf(name, PHYR_PCI_NAME, "%04x:%02x:%02x.%u", source >> 16, source >> 8 & 0xff,
		 source >> 3 & 0x1f, source & 7);
}
