/* SPDX-License-Identifier: MIT */
/* Devices: adding and removing them, their registers and interrupts. */
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/env.h"
#include "sim/machine.h"

static struct phyr_sim_dev *sdev_of(struct phyr_regs *regs)
{
	return container_of(regs, struct phyr_sim_dev, regs);
}

/* Accesses that no device answers: reads give all ones, writes are lost. */
static bool is_claimed(const struct phyr_regs *regs, uint64_t offset, unsigned width)
{
	return (width == 4 || width == 8) && !(offset & (width - 1)) &&
	       offset <= regs->size - width;
}

/* What is read where no device answers. */
static uint64_t nobody(unsigned width)
{
	return ~(uint64_t)0 >> (width == 4 ? 32 : 0);
}

static uint64_t regs_read(struct phyr_regs *regs, uint64_t offset, unsigned width)
{
	struct phyr_sim_dev *sdev = sdev_of(regs);
	struct sim_turn turn;
	uint64_t value;

	if (!is_claimed(regs, offset, width))
		return nobody(width);
	turn = phyr_sim_turn_begin(sdev->sim);
	if (turn.mine)
		phyr_sim_drain(sdev->sim);
	value = nobody(width);
	if (sdev->ops->mmio_read)
		value = sdev->ops->mmio_read(sdev->priv, offset, width);
	phyr_sim_turn_end(sdev->sim, turn);
	return value;
}

static void regs_write(struct phyr_regs *regs, uint64_t offset, uint64_t value, unsigned width)
{
	struct phyr_sim_dev *sdev = sdev_of(regs);

	if (sdev->ops->mmio_write && is_claimed(regs, offset, width))
		phyr_sim_post(sdev->sim, &(struct sim_posted){sdev, offset, value, width});
}

static bool is_taken(struct phyr_sim *sim, uint32_t source)
{
	for (unsigned i = 0; i < sim->nr_devs; i++)
		if (sim->devs[i]->source == source)
			return true;
	return false;
}

static int grow(struct phyr_sim *sim)
{
	struct phyr_sim_dev **devs = realloc(sim->devs, (sim->nr_devs + 1) * sizeof(void *));

	if (!devs)
		return -ENOMEM;
	sim->devs = devs;
	return 0;
}

/* Enter a device, in a turn. */
static int enter(struct phyr_sim *sim, struct phyr_sim_dev *sdev)
{
	int err;

	pthread_mutex_lock(&sim->iommu.lock);
	err = is_taken(sim, sdev->source) ? -EEXIST : grow(sim);
	if (!err)
		sim->devs[sim->nr_devs++] = sdev;
	pthread_mutex_unlock(&sim->iommu.lock);
	return err;
}

unsigned phyr_sim_nr_devs(struct phyr_sim *sim)
{
	unsigned nr;

	pthread_mutex_lock(&sim->iommu.lock);
	nr = sim->nr_devs;
	pthread_mutex_unlock(&sim->iommu.lock);
	return nr;
}

static void leave(struct phyr_sim *sim, struct phyr_sim_dev *sdev)
{
	unsigned i = 0;

	pthread_mutex_lock(&sim->iommu.lock);
	while (sim->devs[i] != sdev)
		i++;
	memmove(&sim->devs[i], &sim->devs[i + 1], (sim->nr_devs - i - 1) * sizeof(void *));
	sim->nr_devs--;
	pthread_mutex_unlock(&sim->iommu.lock);
}

static struct phyr_sim_dev *make(struct phyr_sim *sim, const struct phyr_sim_dev_ops *ops,
				 void *priv, uint32_t source)
{
	struct phyr_sim_dev *sdev = calloc(1, sizeof(*sdev));

	if (!sdev)
		return NULL;
	sdev->regs = (struct phyr_regs){
		.size = PHYR_SIM_REGS_SIZE, .read = regs_read, .write = regs_write};
	sdev->sim = sim;
	sdev->ops = ops;
	sdev->priv = priv;
	sdev->source = source;
	return sdev;
}

int phyr_sim_dev_add(struct phyr_sim *sim, const struct phyr_sim_dev_ops *ops, void *priv,
		     uint32_t source, struct phyr_sim_dev **out)
{
	struct phyr_sim_dev *sdev =
		phyr_sim_tables_fails(&sim->tables) ? NULL : make(sim, ops, priv, source);
	struct sim_turn turn;
	int err = -ENOMEM;

	if (sdev) {
		turn = phyr_sim_turn_begin(sim);
		err = phyr_sim_turns_start(sim);
		if (!err)
			err = enter(sim, sdev);
		phyr_sim_turn_end(sim, turn);
	}
	if (!err) {
		*out = sdev;
		return 0;
	}
	free(sdev);
	return env_fail(&sim->tables.env, .err = err, .call = "phyr_sim_dev_add", .index = source,
			.index_of = "device",
			.hint = err == -EEXIST ? "another device has this source id"
					       : "no memory for a device");
}

void phyr_sim_dev_remove(struct phyr_sim_dev *sdev)
{
	struct phyr_sim *sim;
	struct sim_turn turn;

	if (!sdev)
		return;
	sim = sdev->sim;
	turn = phyr_sim_turn_begin(sim);
	phyr_sim_drain(sim);
	leave(sim, sdev);
	phyr_sim_turn_end(sim, turn);
	free(sdev);
}

struct phyr_regs *phyr_sim_dev_regs(struct phyr_sim_dev *sdev)
{
	return &sdev->regs;
}

void phyr_sim_dev_set_iommu(struct phyr_sim_dev *sdev, bool behind)
{
	pthread_mutex_lock(&sdev->sim->iommu.lock);
	sdev->context.bypass = !behind;
	pthread_mutex_unlock(&sdev->sim->iommu.lock);
}

void phyr_sim_irq(struct phyr_sim_dev *sdev, unsigned vector)
{
	struct sim_turn turn;

	if (vector >= PHYR_SIM_VECTORS)
		return;
	turn = phyr_sim_turn_begin(sdev->sim);
	if (sdev->irqs[vector].fn)
		sdev->irqs[vector].fn(sdev->irqs[vector].arg, vector);
	phyr_sim_turn_end(sdev->sim, turn);
}

int phyr_sim_set_irq(struct phyr_sim_dev *sdev, unsigned vector,
		     void (*fn)(void *arg, unsigned vector), void *arg)
{
	struct sim_turn turn;

	if (vector >= PHYR_SIM_VECTORS)
		return env_fail(&sdev->sim->tables.env, .err = -EINVAL, .call = "phyr_sim_set_irq",
				.index = vector, .index_of = "vector", .limit = PHYR_SIM_VECTORS,
				.hint = "no such vector");
	turn = phyr_sim_turn_begin(sdev->sim);
	sdev->irqs[vector].fn = fn;
	sdev->irqs[vector].arg = arg;
	phyr_sim_turn_end(sdev->sim, turn);
	return 0;
}
