/* SPDX-License-Identifier: MIT */
/* What was moved and what went wrong: the logs of health and of errors (Base 5.16.1.2, .3). */
#include "sim/nvme/nvme.h"

#include "core/env.h"

#define NS_PER_HOUR     UINT64_C(3600000000000)
#define HEALTH_UNIT     1000 /* of 512 bytes, rounded up */
#define ERROR_BYTES     64
#define SPARE_PERCENT   100
#define SPARE_THRESHOLD 10
#define NO_PARAMETER    0xffff

/* Compare reads, too; Write Zeroes moves no data (NVM 4.1.4.2). */
void phyr_sim_nvme_count_io(struct sim_nvme *n, unsigned opcode, uint64_t bytes)
{
	if (opcode == NVME_WRITE) {
		n->health.written += bytes / 512;
		n->health.write_commands++;
	} else {
		n->health.read += bytes / 512;
		n->health.read_commands++;
	}
}

/* A command that was ended because the host asked for it did not fail. */
bool phyr_sim_nvme_is_logged(unsigned status)
{
	status &= ~NVME_DNR;
	return status != NVME_SUCCESS && status != NVME_ABORT_REQUESTED &&
	       status != NVME_ABORTED_SQ_DELETION;
}

void phyr_sim_nvme_note_error(struct sim_nvme *n, const struct sim_nvme_held *done)
{
	unsigned status = done->status & ~(NVME_DNR | NVME_MORE);
	uint64_t number = ++n->health.errors;

	n->health.media_errors += status == NVME_WRITE_FAULT || status == NVME_UNRECOVERED_READ;
	n->errors[number % SIM_NVME_ERRORS] = (struct sim_nvme_error){.number = number,
								      .lba = done->lba,
								      .nsid = done->nsid,
								      .sqid = done->sqid,
								      .cid = done->cid,
								      .status = done->status};
}

/* The newest comes first. */
void phyr_sim_nvme_fill_errors(const struct sim_nvme *n, uint8_t *data)
{
	for (uint64_t i = 0; i < SIM_NVME_ERRORS && i < n->health.errors;
	     i++, data += ERROR_BYTES) {
		const struct sim_nvme_error *e =
			&n->errors[(n->health.errors - i) % SIM_NVME_ERRORS];

		sim_nvme_put64(data, 0, e->number);
		sim_nvme_put16(data, 8, e->sqid);
		sim_nvme_put16(data, 10, e->cid);
		sim_nvme_put16(data, 12, (uint16_t)(e->status << 1));
		sim_nvme_put16(data, 14, NO_PARAMETER);
		sim_nvme_put64(data, 16, e->lba);
		sim_nvme_put32(data, 24, e->nsid);
	}
}

/* Counters are 128 bits wide, and less is needed. */
void phyr_sim_nvme_fill_health(const struct sim_nvme *n, uint8_t *data)
{
	const struct sim_nvme_health *h = &n->health;

	data[0] = h->hot ? NVME_WARNING_TEMPERATURE : 0;
	sim_nvme_put16(data, 1, h->kelvin);
	data[3] = SPARE_PERCENT;
	data[4] = SPARE_THRESHOLD;
	sim_nvme_put64(data, 32, (h->read + HEALTH_UNIT - 1) / HEALTH_UNIT);
	sim_nvme_put64(data, 48, (h->written + HEALTH_UNIT - 1) / HEALTH_UNIT);
	sim_nvme_put64(data, 64, h->read_commands);
	sim_nvme_put64(data, 80, h->write_commands);
	sim_nvme_put64(data, 112, 1); /* power cycles: it was switched on once */
	sim_nvme_put64(data, 128, (env_now_ns(n->env) - h->started_ns) / NS_PER_HOUR);
	sim_nvme_put64(data, 160, h->media_errors);
	sim_nvme_put64(data, 176, h->errors);
}
