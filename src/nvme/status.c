/* SPDX-License-Identifier: MIT */
/* What a status of a completion means: Base 3.3.3.2.1, figures 94 to 98; NVM 4.1.1. */
#include "nvme/ctrl.h"

#include "core/bits.h"

enum { GENERIC, SPECIFIC, MEDIA };

static const struct meaning {
	uint16_t status;
	int16_t err;
	const char *hint;
} meanings[] = {
	{PHYR_NVME_STATUS(GENERIC, 0x01), -EOPNOTSUPP, "the controller does not know the command"},
	{PHYR_NVME_STATUS(GENERIC, 0x02), -EINVAL,
	 "the controller found an invalid field in the command"},
	{PHYR_NVME_STATUS(GENERIC, 0x04), -EIO,
	 "the controller could not move the data: was it mapped?"},
	{PHYR_NVME_STATUS(GENERIC, 0x05), -EIO, "aborted: power loss"},
	{PHYR_NVME_STATUS(GENERIC, 0x06), -EIO, "internal error of the controller"},
	{PHYR_NVME_STATUS(GENERIC, 0x07), -ECANCELED, "aborted on request"},
	{PHYR_NVME_STATUS(GENERIC, 0x08), -ECANCELED, "aborted: the queue was deleted"},
	{PHYR_NVME_STATUS(GENERIC, 0x0b), -ENODEV, "the namespace or its format is not valid"},
	{PHYR_NVME_STATUS(GENERIC, 0x13), -EINVAL, "the controller refused a PRP entry's offset"},
	{PHYR_NVME_STATUS(GENERIC, 0x15), -EACCES, "the controller denied the command"},
	{PHYR_NVME_STATUS(GENERIC, 0x1d), -EBUSY, "a sanitize operation is in progress"},
	{PHYR_NVME_STATUS(GENERIC, 0x20), -EROFS, "the namespace is write protected"},
	{PHYR_NVME_STATUS(GENERIC, 0x21), -EBUSY, "the command was interrupted: submit it again"},
	{PHYR_NVME_STATUS(GENERIC, 0x80), -ERANGE, "blocks out of the namespace's range"},
	{PHYR_NVME_STATUS(GENERIC, 0x81), -ENOSPC, "the namespace's capacity is exceeded"},
	{PHYR_NVME_STATUS(GENERIC, 0x82), -EBUSY, "the namespace is not ready"},
	{PHYR_NVME_STATUS(GENERIC, 0x83), -EBUSY, "another host has the namespace reserved"},
	{PHYR_NVME_STATUS(GENERIC, 0x84), -EBUSY, "the namespace is being formatted"},
	{PHYR_NVME_STATUS(SPECIFIC, 0x80), -EINVAL, "conflicting attributes"},
	{PHYR_NVME_STATUS(SPECIFIC, 0x81), -EINVAL, "invalid protection information"},
	{PHYR_NVME_STATUS(SPECIFIC, 0x82), -EROFS, "a write to read-only blocks"},
	{PHYR_NVME_STATUS(MEDIA, 0x80), -EIO, "write fault: the data could not be stored"},
	{PHYR_NVME_STATUS(MEDIA, 0x81), -EIO, "unrecovered read error: the data is lost"},
	{PHYR_NVME_STATUS(MEDIA, 0x85), -EILSEQ, "the data on the device is another"},
	{PHYR_NVME_STATUS(MEDIA, 0x86), -EACCES, "access to the data is denied"},
	{PHYR_NVME_STATUS(MEDIA, 0x87), -ENODATA, "the blocks were deallocated or never written"},
};

static const struct meaning *find(uint16_t status)
{
	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++)
		if (meanings[i].status == status)
			return &meanings[i];
	return NULL;
}

int phyr_nvme_status_errno(uint16_t status)
{
	const struct meaning *m = find(PHYR_NVME_STATUS_CODE(status));

	if (!PHYR_NVME_STATUS_CODE(status))
		return 0;
	return m ? m->err : -EIO;
}

const char *phyr_nvme_status_hint(uint16_t status)
{
	const struct meaning *m = find(PHYR_NVME_STATUS_CODE(status));

	return m ? m->hint : "the controller failed the command";
}
