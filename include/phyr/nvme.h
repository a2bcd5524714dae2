/* SPDX-License-Identifier: MIT */
/*
 * An NVMe driver: bring a controller up, identify it, make queues, read, write, flush.
 *
 * Data is given as a cursor over dma addresses, so that the mapping is the caller's choice.
 * Specification: NVM Express Base 2.0 and NVM Command Set 1.0.
 *
 * Threads: a controller's calls, making and destroying queues among them, are for one thread at a
 * time; so are a queue's, and different queues may be used by different threads at once.
 *
 * A device is not trusted: what it says of itself and what it completes is checked before it is used.
 */
#ifndef PHYR_NVME_H
#define PHYR_NVME_H

#include <phyr/desc.h>

#ifdef __cplusplus
extern "C" {
#endif

struct phyr_nvme;
struct phyr_nvme_queue;

/** Choices; zero it and set size. */
struct phyr_nvme_opts {
	size_t size;         /**< sizeof(struct phyr_nvme_opts) */
	unsigned page_lg2;   /**< controller page to use; 0: the smallest it has (usually 12) */
	uint32_t nsid;       /**< namespace; 0: 1 */
	unsigned queues;     /**< I/O queue pairs wanted at most; 0: 1 */
	uint64_t timeout_ns; /**< of a command; 0: 10 s. Enabling waits as long as CAP.TO says. */
	/** Called by whoever polls and finds nothing, to step a simulated device. NULL: calls that wait
	 *  yield the CPU instead. */
	void (*wait)(void *arg);
	void *wait_arg;
};

/** What a controller and its namespace are. */
struct phyr_nvme_info {
	char model[41];
	char serial[21];
	char firmware[9];
	uint64_t max_transfer; /**< bytes of one command */
	uint32_t page_size;    /**< controller page in use, bytes */
	uint32_t block_size;   /**< logical block, bytes */
	uint64_t nr_blocks;    /**< of the namespace */
	unsigned queues;       /**< I/O queue pairs that it granted */
	unsigned max_depth;    /**< most commands at once in a queue */
	bool volatile_cache;   /**< flush means something */
};

/**
 * Reset and enable a controller, identify it and its namespace.
 *
 * @param dev   borrowed until phyr_nvme_close()
 * @param regs  its registers, borrowed likewise
 * @param opts  NULL: defaults
 * @return 0; -EINVAL options, or registers without doorbells; -ENODEV registers read all ones;
 *         -ETIMEDOUT not ready in time; -EIO the controller failed a command or says what can't be
 *         true; -EOPNOTSUPP page size, command set, blocks over 64 KiB or with metadata, a bus offset
 *         that is no multiple of the page; -ENOMEM, also when phyr_dma_alloc() gives nothing for
 *         another reason (its own report comes first). The controller is disabled, or was not
 *         touched, and holds nothing on failure.
 */
PHYR_API int phyr_nvme_open(struct phyr_dev *dev, struct phyr_regs *regs,
			    const struct phyr_nvme_opts *opts, struct phyr_nvme **out);

/** Disable it and free all. Queues are destroyed by then. NULL is fine. */
PHYR_API void phyr_nvme_close(struct phyr_nvme *nvme);

/** What the controller is; valid until phyr_nvme_close(). */
PHYR_API const struct phyr_nvme_info *phyr_nvme_get_info(const struct phyr_nvme *nvme);

/**
 * Make an I/O queue pair.
 *
 * @param depth  most commands in flight, 1 to max_depth
 * @return 0; -EINVAL depth; -EBUSY no more queue pairs; -EIO the controller refused it, or is dead;
 *         -ETIMEDOUT; -ENOMEM
 */
PHYR_API int phyr_nvme_queue_create(struct phyr_nvme *nvme, unsigned depth,
				    struct phyr_nvme_queue **out);

/**
 * Delete it. Commands in flight are waited for; what does not end in time is ended by a reset of the
 * controller. NULL is fine.
 */
PHYR_API void phyr_nvme_queue_destroy(struct phyr_nvme_queue *queue);

/**
 * Called from phyr_nvme_poll() when a command ends, exactly once.
 *
 * A command that fails is reported with its place on the namespace and its length, bytes.
 *
 * @param err     0; the errno of the status; -ETIMEDOUT; -EIO the controller failed
 * @param status  status field of the completion: type << 8 | code; 0 where there was none
 */
typedef void phyr_nvme_fn(void *arg, int err, uint16_t status);

/**
 * Submit a read or a write of all that a cursor has left.
 *
 * @param lba   first logical block
 * @param data  over dma addresses, a multiple of block_size long, at most max_transfer; copied: the
 *              caller's cursor is advanced past it on success, untouched on failure
 * @param fn    called at the end
 *
 * Allocates nothing once a queue is warm. What is mapped must stay so until fn was called.
 * @return 0; -EINVAL length; -ERANGE past the namespace; -E2BIG over max_transfer; -EAGAIN queue full,
 *         which is no failure and not reported; -ENOMEM; -EIO the controller is dead; as
 *         phyr_prp_build(). fn is not called on failure.
 */
PHYR_API int phyr_nvme_read(struct phyr_nvme_queue *queue, uint64_t lba, struct phyr_cursor *data,
			    phyr_nvme_fn *fn, void *arg);
PHYR_API int phyr_nvme_write(struct phyr_nvme_queue *queue, uint64_t lba, struct phyr_cursor *data,
			     phyr_nvme_fn *fn, void *arg);

/** Submit a flush of the namespace. @return 0; -EAGAIN, -EIO as phyr_nvme_read() */
PHYR_API int phyr_nvme_flush(struct phyr_nvme_queue *queue, phyr_nvme_fn *fn, void *arg);

/**
 * Take completions and call their functions; find commands that took too long.
 *
 * A command over its time disables the controller: then every command in flight ends with
 * -ETIMEDOUT, and no device access is left when the first of them is told (unless the controller
 * can't even be disabled, which is reported). A completion of a command that is not in flight, or a
 * controller that says that it failed, does the same with -EIO. Commands of other queues end so at
 * their own next poll; whatever is submitted from then on fails with -EIO.
 * fn may submit and poll again.
 * @return how many commands ended
 */
PHYR_API unsigned phyr_nvme_poll(struct phyr_nvme_queue *queue);

/** Commands in flight. */
PHYR_API unsigned phyr_nvme_in_flight(const struct phyr_nvme_queue *queue);

/**
 * Read or write a mapped list and wait: the whole of it, split at max_transfer.
 *
 * The parts are in flight together. After an error no more are submitted, those in flight are waited
 * for, and how much was moved is not known. Other commands of the queue may end meanwhile.
 *
 * @param map  from phyr_dma_map() for the controller's device
 * @return 0; -EINVAL the map holds nothing; as phyr_nvme_read() and its completion; of several errors
 *         the first
 */
PHYR_API int phyr_nvme_read_sync(struct phyr_nvme_queue *queue, uint64_t lba,
				 const struct phyr_dma_map *map);
PHYR_API int phyr_nvme_write_sync(struct phyr_nvme_queue *queue, uint64_t lba,
				  const struct phyr_dma_map *map);
PHYR_API int phyr_nvme_flush_sync(struct phyr_nvme_queue *queue);

/** The errno that a status stands for: 0 for success. */
PHYR_API int phyr_nvme_status_errno(uint16_t status);

/** What a queue has done. */
struct phyr_nvme_stats {
	uint64_t submitted;
	uint64_t completed;
	uint64_t desc_ns; /**< time spent building descriptors; counted when timing is on */
};

/** Turn the timing of descriptor building on or off (two clock reads a command); off at the start. */
PHYR_API void phyr_nvme_queue_set_timing(struct phyr_nvme_queue *queue, bool on);
PHYR_API void phyr_nvme_queue_get_stats(const struct phyr_nvme_queue *queue,
					struct phyr_nvme_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
