/* SPDX-License-Identifier: MIT */
/*
 * An NVMe driver: bring a controller up, identify it, make queues, submit commands, outlive its
 * failures.
 *
 * Data is given as a cursor over dma addresses, or as a map, so that the mapping is the caller's
 * choice. Specification: NVM Express Base 2.0 and NVM Command Set 1.0; its layouts, for commands that
 * are passed through, are in nvme_spec.h and nvme_data.h.
 *
 * Every command that was taken ends exactly once, in its function, with an errno: whatever the device
 * does, and whatever becomes of it.
 *
 * A controller that fails is reset: one that says so (CSTS.CFS), that somebody else has disabled (by a
 * reset of its PCI function), that completes what was never asked, that leaves a command without an end
 * for a second timeout after an abort, or phyr_nvme_reset() says so. Before anybody is told of a command's
 * end, the device is disabled and reaches no memory. Then it is brought up again and compared with what it
 * was; each queue is made again by the next poll of its own thread, which ends what was in flight:
 * -ETIMEDOUT the late command, -ECANCELED the others. Of those it is not known whether they were carried
 * out: submit them again. A controller that can't be brought up in some tries, or fails again and again,
 * is given up: all that was in flight and all later calls end with the errno of its death, one of
 *   -ENODEV     the registers read all ones: the device is gone
 *   -EIO        it came back as another one, or opts.max_resets is reached
 *   -ETIMEDOUT  it can't be disabled: only an IOMMU keeps it from memory
 *
 * Threads: a queue's calls are for one thread at a time, and different queues may be used by different
 * threads at once. The admin queue, phyr_nvme_queue_create() and _destroy(), phyr_nvme_reset() are for
 * any thread. phyr_nvme_rescan() and _close() are alone.
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
	uint64_t timeout_ns; /**< of a command, before it is aborted, and once more before a reset;
				  0: 10 s. Enabling waits as long as CAP.TO says. */
	/** Called by whoever polls and finds nothing, to step a simulated device; must not call the
	 *  driver. NULL: calls that wait yield the CPU instead, or sleep when there are interrupts. */
	void (*wait)(void *arg);
	void *wait_arg;
	/** Resets in a row that the driver makes without a command that ended well in between, before it
	 *  gives the controller up; 0: 3. Also those after which it could not be brought up (not ready in
	 *  time, a command lost or failed), which are tried again. Those of phyr_nvme_reset() do not
	 *  count, but when they fail the tries that follow do. phyr_nvme_open() has one try. */
	unsigned max_resets;
	bool interrupts; /**< completion queues interrupt: phyr_nvme_queue_fd() */
	/** Connect an interrupt vector to an eventfd, which is written when the device raises it; fd -1:
	 *  disconnect. Needed for interrupts. From any thread that makes or destroys queues.
	 *  @return 0 or a negative errno */
	int (*set_vector_fd)(void *arg, unsigned vector, int fd);
	void *vector_arg;
	/** How many vectors there are, at least 2 for interrupts: 0 is the admin queue's, each I/O queue
	 *  has the one of its number, so there are fewer of them than vectors. */
	unsigned nr_vectors;
	/** Send nothing that changes what is stored, nor what a reset does not undo: phyr_nvme_write(),
	 *  _write_zeroes() and _deallocate() are refused with -EROFS, and of what is passed through all
	 *  but flush, read, compare, verify, reservation report; identify, logs (but no
	 *  telemetry is made for one), get features, LBA status, keep alive, events; features of
	 *  arbitration, temperature, interrupts, events and keep alive, not saved. It is a guard against
	 *  mistakes: who writes the registers himself is not held. */
	bool read_only;
};

/** What a controller and its namespace are. */
struct phyr_nvme_info {
	char model[41];
	char serial[21];
	char firmware[9];
	uint16_t vendor;         /**< PCI vendor id */
	uint32_t nr_namespaces;  /**< highest namespace id that it can have (NN) */
	uint32_t nsid;           /**< the namespace that what follows is about */
	uint64_t max_transfer;   /**< bytes of one command */
	uint32_t page_size;      /**< controller page in use, bytes */
	uint32_t block_size;     /**< logical block, bytes */
	uint64_t nr_blocks;      /**< of the namespace */
	unsigned queues;         /**< I/O queue pairs that it granted */
	unsigned max_depth;      /**< most commands at once in a queue, 4096 at most */
	bool volatile_cache;     /**< flush means something */
	bool compare;            /**< has phyr_nvme_compare() */
	bool write_zeroes;       /**< has phyr_nvme_write_zeroes() */
	bool deallocate;         /**< has phyr_nvme_deallocate() */
	bool zeroes_deallocated; /**< deallocated blocks read as zeroes, by its word (DLFEAT) */
};

/**
 * Reset and enable a controller, identify it and its namespace.
 *
 * @param dev   borrowed until phyr_nvme_close()
 * @param regs  its registers, borrowed likewise
 * @param opts  copied; NULL: defaults
 *
 * Takes all the memory that a controller needs in its life; a reset takes none.
 * @return 0; -EINVAL options, no such namespace, or registers without doorbells; -ENODEV registers
 *         read all ones; -ETIMEDOUT not ready in time; -EIO the controller failed a command or says
 *         what can't be true; -EOPNOTSUPP page size, command set, blocks over 64 KiB or with metadata,
 *         a bus offset that is no multiple of the page; -ENOMEM, also when phyr_dma_alloc() gives
 *         nothing for another reason (its own report comes first); with interrupts also what
 *         set_vector_fd or eventfd(2) says. The controller is disabled, or was not touched, and holds
 *         nothing on failure.
 */
PHYR_API int phyr_nvme_open(struct phyr_dev *dev, struct phyr_regs *regs,
			    const struct phyr_nvme_opts *opts, struct phyr_nvme **out);

/**
 * Shut it down (Base 3.6.1), disable it and free all. NULL is fine.
 *
 * I/O queues are destroyed by then. Commands of the admin queue that still wait, for events, end here
 * with -ECANCELED. A shutdown that takes longer than the controller said (RTD3E; at least a second, at
 * most a minute) is reported, and the controller is disabled all the same.
 */
PHYR_API void phyr_nvme_close(struct phyr_nvme *nvme);

/** What the controller is; valid until phyr_nvme_close(), changed by phyr_nvme_rescan() alone. */
PHYR_API const struct phyr_nvme_info *phyr_nvme_get_info(const struct phyr_nvme *nvme);

/**
 * Identify controller and namespace again, and take over what has changed: after a format.
 *
 * max_transfer does not grow, since queues were made for what it was. Alone: no other call on the
 * controller or its queues at the same time.
 * @return 0; -EBUSY commands of I/O queues are in flight; -EINVAL the namespace is not there any more;
 *         -EIO, -EOPNOTSUPP as phyr_nvme_open(); -ETIMEDOUT; or the errno of its death. The info is as
 *         it was on failure.
 */
PHYR_API int phyr_nvme_rescan(struct phyr_nvme *nvme);

/**
 * Reset the controller and bring it up again, now: as the driver does by itself when it fails.
 *
 * Commands in flight end at the next poll of their queue. When another thread is at it, its reset is
 * waited for instead. Queues that an earlier reset kept from being made, or made again, come first, for
 * opts.timeout_ns at most. Any thread, also from a completion function.
 *
 * Takes as long as the controller takes to be disabled, to be enabled (each at most what CAP.TO says
 * and half a second, together 256 s at worst) and to end three admin commands (each at most
 * opts.timeout_ns); and so long again for each try to bring it up that fails, opts.max_resets at most.
 * @return 0; the errno of its death, also when this was tried and failed
 */
PHYR_API int phyr_nvme_reset(struct phyr_nvme *nvme);

/** What a controller has been through. */
struct phyr_nvme_ctrl_stats {
	uint64_t resets; /**< those asked for and those that were needed, failed ones too */
	uint64_t aborts; /**< late commands that the controller was asked to end */
	/** Why the driver last reset it or gave it up, a static text; NULL: it had no need. A reset that
	 *  is asked for leaves it as it is. */
	const char *why;
	int dead; /**< the errno of its death; 0: it is alive, or being reset */
};

/** Any thread. */
PHYR_API void phyr_nvme_get_stats(const struct phyr_nvme *nvme, struct phyr_nvme_ctrl_stats *stats);

/**
 * Make an I/O queue pair.
 *
 * Two admin commands, each of which ends within twice opts.timeout_ns. A reset that is under way, or
 * comes in between, is waited for, as long as that takes (phyr_nvme_reset()); then the queue is tried
 * again, eight times in all. Waiting sleeps where it takes long. Of the driver's own commands seven are
 * in flight at once, whichever threads need them: more wait their turn, which comes, since a controller
 * that does not answer is reset.
 *
 * Whatever the controller has, a queue ends at a depth of 4096: ids of commands have 4 bits then that
 * count, so that a completion that comes twice is not taken for that of a later command.
 *
 * @param depth  most commands in flight, 1 to max_depth
 * @return 0; -EINVAL depth; -EBUSY no more queue pairs; -EIO the controller refused it; -ETIMEDOUT it
 *         did not answer, and was reset; -EAGAIN resets came into every try: try again; -ENOMEM;
 *         with interrupts what set_vector_fd or eventfd(2) says; or the errno of the controller's death
 */
PHYR_API int phyr_nvme_queue_create(struct phyr_nvme *nvme, unsigned depth,
				    struct phyr_nvme_queue **out);

/**
 * Delete it. Commands in flight are waited for, and end each once; what does not end in time is
 * aborted, then ended by a reset of the controller. NULL is fine. Not from a function of its own
 * commands.
 */
PHYR_API void phyr_nvme_queue_destroy(struct phyr_nvme_queue *queue);

/**
 * The admin queue, for phyr_nvme_submit() and phyr_nvme_poll(). It lives as long as the controller.
 *
 * Any thread may use it, under a lock; functions are called without the lock by whichever thread polls
 * this queue. It takes 24 commands of callers at once, 16 of which may wait for events.
 */
PHYR_API struct phyr_nvme_queue *phyr_nvme_admin_queue(struct phyr_nvme *nvme);

/**
 * An eventfd that is readable when something may have ended, for poll(2) and event loops; then call
 * phyr_nvme_poll(), which empties it. A reset makes it readable when what was in flight has ended, and
 * when the controller is up again, or given up: submit again what was refused with -EAGAIN.
 *
 * Late commands are found by polling alone: with commands in flight, sleep no longer than
 * opts.timeout_ns.
 * @return the descriptor, the queue's own, valid as long as it; -EOPNOTSUPP without interrupts
 */
PHYR_API int phyr_nvme_queue_fd(const struct phyr_nvme_queue *queue);

/** How a command ended. */
struct phyr_nvme_done {
	/** 0; the errno of the status; -ETIMEDOUT it was late, aborted, and ended by a reset; -ECANCELED
	 *  the controller was reset, whether it was carried out is not known: submit it again (also with
	 *  a status: it was late and aborted); or the errno of the controller's death. */
	int err;
	uint16_t status; /**< of the completion: type << 8 | code; 0 where there was none */
	bool dnr;        /**< the controller says that it would fail again (Do Not Retry) */
	uint64_t result; /**< of the completion: DW0 | DW1 << 32; 0 where there was none */
};

/**
 * Called from phyr_nvme_poll() when a command ends, exactly once. It may submit and poll again.
 *
 * A command that fails is reported with its id, its queue (each has the lowest number that is free
 * when it is made, from 1), its place on the namespace and its length, bytes.
 *
 * @param done  valid during the call
 */
typedef void phyr_nvme_fn(void *arg, const struct phyr_nvme_done *done);

/**
 * Submit a read, a write or a compare of all that a cursor has left.
 *
 * @param lba   first logical block
 * @param data  over dma addresses, a multiple of block_size long, at most max_transfer; copied: the
 *              caller's cursor is advanced past it on success, untouched on failure
 * @param fn    called at the end; a compare of data that differs ends with -EILSEQ
 *
 * Which direction a cursor's memory was mapped in is not known here: what a read fills is mapped
 * PHYR_DMA_FROM_DEVICE or both ways, what a write or a compare takes PHYR_DMA_TO_DEVICE or both ways. Else
 * the command ends with -EIO behind an IOMMU whose format tells the two apart, and as if nothing were wrong
 * elsewhere.
 *
 * Allocates nothing once a queue is warm. What is mapped must stay so until fn was called. Where a
 * reset is under way and nothing is in flight in the queue, it is waited for.
 * @return 0; -EINVAL length, or the admin queue; -ERANGE past the namespace; -E2BIG over max_transfer;
 *         -EAGAIN the queue is full, or was caught by a reset: poll and submit again; no failure, and
 *         not reported; -EROFS a write, and opts.read_only; -EOPNOTSUPP the controller has no compare;
 *         -ENOMEM; as phyr_prp_build(); or the errno of the controller's death. fn is not called on
 *         failure.
 */
PHYR_API int phyr_nvme_read(struct phyr_nvme_queue *queue, uint64_t lba, struct phyr_cursor *data,
			    phyr_nvme_fn *fn, void *arg);
PHYR_API int phyr_nvme_write(struct phyr_nvme_queue *queue, uint64_t lba, struct phyr_cursor *data,
			     phyr_nvme_fn *fn, void *arg);
PHYR_API int phyr_nvme_compare(struct phyr_nvme_queue *queue, uint64_t lba,
			       struct phyr_cursor *data, phyr_nvme_fn *fn, void *arg);

/** Submit a flush of the namespace. @return as phyr_nvme_read(): 0, -EINVAL, -EAGAIN, its death */
PHYR_API int phyr_nvme_flush(struct phyr_nvme_queue *queue, phyr_nvme_fn *fn, void *arg);

/**
 * Submit a command that makes blocks read as zeroes, without data.
 *
 * @param nr_blocks  1 to 65536
 * @return as phyr_nvme_read(): 0; -EINVAL; -ERANGE; -E2BIG more blocks; -EAGAIN; -EROFS opts.read_only;
 *         -EOPNOTSUPP the controller has no such command; or the errno of its death
 */
PHYR_API int phyr_nvme_write_zeroes(struct phyr_nvme_queue *queue, uint64_t lba, uint64_t nr_blocks,
				    phyr_nvme_fn *fn, void *arg);

/**
 * Submit a command that says that blocks hold nothing of worth (Dataset Management, AD).
 *
 * What they read as is the device's choice: see zeroes_deallocated. It may leave them as they are.
 * @param nr_blocks  1 to 256 * (2^32 - 1)
 * @return as phyr_nvme_write_zeroes(); -ENOMEM
 */
PHYR_API int phyr_nvme_deallocate(struct phyr_nvme_queue *queue, uint64_t lba, uint64_t nr_blocks,
				  phyr_nvme_fn *fn, void *arg);

/**
 * Pass a command through.
 *
 * @param sqe64  a submission entry, 64 bytes as struct phyr_nvme_sqe has them, copied. The command id
 *               and the data pointer are the driver's, whatever is there; flags (FUSE, PSDT) and mptr
 *               are 0; all else is the caller's, the namespace id among it.
 * @param map    the data, all of it, from phyr_dma_map() for the controller's device; stays mapped
 *               until fn was called. NULL: the command moves none. Whether the command agrees about
 *               length and direction is not looked at: without an IOMMU a device that is told wrong
 *               reaches what it likes.
 *
 * On the admin queue an Asynchronous Event Request has no time limit; it ends with an event as result,
 * or with -ECANCELED when the controller is reset or closed. Other commands that take long (a format)
 * need an opts.timeout_ns to match. What a reset forgets (features) is not set again.
 * @return 0; -EINVAL flags or mptr, a map that holds nothing; -EPERM on the admin queue: what would
 *         change the driver's queues behind its back (queues created or deleted, their number, aborts,
 *         doorbell buffers); -EROFS opts.read_only, and the command may change what is stored; -E2BIG
 *         over max_transfer; -EAGAIN, -ENOMEM, phyr_prp_build()'s errors and the errno of its death as
 *         phyr_nvme_read(). fn is not called on failure.
 */
PHYR_API int phyr_nvme_submit(struct phyr_nvme_queue *queue, const void *sqe64,
			      const struct phyr_dma_map *map, phyr_nvme_fn *fn, void *arg);

/**
 * Take completions and call their functions; find commands that took too long, and a controller that
 * failed, and see to it; after a reset, end what was in flight and make the queue again.
 *
 * Finding a failure may take as long as the controller takes to be disabled and enabled (CAP.TO) and
 * some admin commands to end.
 * @return how many commands ended
 */
PHYR_API unsigned phyr_nvme_poll(struct phyr_nvme_queue *queue);

/** Commands in flight: those whose function was not called yet; the admin queue: of all callers. */
PHYR_API unsigned phyr_nvme_in_flight(const struct phyr_nvme_queue *queue);

/**
 * Read or write a mapped list and wait: the whole of it, split at max_transfer.
 *
 * The parts are in flight together. After an error no more are submitted, those in flight are waited
 * for, and how much was moved is not known. Other commands of the queue may end meanwhile. With
 * interrupts and without opts.wait, waiting sleeps.
 *
 * @param queue  NULL, as phyr_get_queue() gives of a device that is no controller, is -EINVAL; nobody is
 *               told
 * @param map    from phyr_dma_map() for the controller's device, in a direction that goes with the
 *               command: to read, PHYR_DMA_FROM_DEVICE; to write, PHYR_DMA_TO_DEVICE; or both
 * @return 0; -EINVAL no queue, a map that holds nothing or is for the other direction; as
 *         phyr_nvme_read() and its completion; of several errors the first
 */
PHYR_API int phyr_nvme_read_sync(struct phyr_nvme_queue *queue, uint64_t lba,
				 const struct phyr_dma_map *map);
PHYR_API int phyr_nvme_write_sync(struct phyr_nvme_queue *queue, uint64_t lba,
				  const struct phyr_dma_map *map);
PHYR_API int phyr_nvme_flush_sync(struct phyr_nvme_queue *queue);

/**
 * Pass a command through and wait, as phyr_nvme_submit().
 *
 * @param queue  NULL is -EINVAL, as in phyr_nvme_read_sync()
 * @param done   how it ended; NULL is fine; written when it was submitted
 * @return as phyr_nvme_submit() but for -EAGAIN, which is waited out; else done->err
 */
PHYR_API int phyr_nvme_submit_sync(struct phyr_nvme_queue *queue, const void *sqe64,
				   const struct phyr_dma_map *map, struct phyr_nvme_done *done);

/** The errno that a status stands for: 0 for success. */
PHYR_API int phyr_nvme_status_errno(uint16_t status);

/** What a queue has done; the admin queue, what callers had it do. */
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
