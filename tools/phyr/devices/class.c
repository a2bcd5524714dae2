/* SPDX-License-Identifier: MIT */
/* phyr devices: class codes in words (PCI Code and ID Assignment, 1). */
#include <stdio.h>

#include "devices/devices.h"

/* The first that fits; more of the code before less of it. */
static const struct {
	uint32_t code, mask;
	const char *word;
} classes[] = {
	{0x010802, 0xffffff, "nvme"},        {0x010000, 0xffff00, "scsi"},
	{0x010100, 0xffff00, "ide"},         {0x010400, 0xffff00, "raid"},
	{0x010600, 0xffff00, "sata"},        {0x010700, 0xffff00, "sas"},
	{0x010000, 0xff0000, "storage"},     {0x020700, 0xffff00, "infiniband"},
	{0x020000, 0xff0000, "network"},     {0x030000, 0xff0000, "display"},
	{0x040300, 0xffff00, "audio"},       {0x040000, 0xff0000, "multimedia"},
	{0x050000, 0xff0000, "memory"},      {0x060000, 0xff0000, "bridge"},
	{0x070000, 0xffff00, "serial"},      {0x070000, 0xff0000, "communication"},
	{0x080500, 0xffff00, "sd-card"},     {0x080000, 0xff0000, "system"},
	{0x090000, 0xff0000, "input"},       {0x0b0000, 0xff0000, "processor"},
	{0x0c0300, 0xffff00, "usb"},         {0x0c0400, 0xffff00, "fibre-channel"},
	{0x0c0500, 0xffff00, "smbus"},       {0x0d0000, 0xff0000, "wireless"},
	{0x100000, 0xff0000, "crypto"},      {0x110000, 0xff0000, "signal"},
	{0x120000, 0xff0000, "accelerator"},
};

const char *class_word(uint32_t class_code, char buf[16])
{
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if ((class_code & classes[i].mask) == classes[i].code)
			return classes[i].word;
	snprintf(buf, 16, "0x%06x", class_code);
	return buf;
}
