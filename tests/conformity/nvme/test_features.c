/* SPDX-License-Identifier: MIT */
/* Get Features and Set Features. base 4.2, 5.15, 5.27. */
#include "conformity/nvme/host.h"

#define SAVE               (1u << 31) /* SV of Set Features, CDW10 */
#define CAP_SAVEABLE       1u
#define CAP_OF_NAMESPACE   2u
#define CAP_CHANGEABLE     4u
#define OVER(kelvin)       (kelvin)
#define UNDER(kelvin)      (1u << 20 | (kelvin))
#define COALESCING_DISABLE (1u << 16)

static bool select_is_supported(struct host *h)
{
	return le16(identify(h, 1, 0), ID_ONCS) & ONCS_SAVE;
}

static struct cqe set_feature(struct host *h, uint8_t fid, uint32_t cdw11)
{
	return host_admin(h, cmd_set(fid, 0, cdw11));
}

/* base 3.1.2.1.3, figure 26; nvm 2.2: what an I/O controller of PCIe has. */
static void mandatory_features_are_there(void **state)
{
	static const uint8_t fid[] = {F_ARBITRATION, F_POWER,  F_TEMPERATURE, F_QUEUES,
				      F_COALESCING,  F_VECTOR, F_ATOMICITY,   F_EVENTS};
	struct host *h = *state;

	for (unsigned i = 0; i < sizeof(fid); i++)
		get_feature(h, fid[i], CURRENT, 0);
	assert_status(host_admin(h, cmd_get(F_ERROR_RECOVERY, CURRENT, 1, 0)), SUCCESS);
}

/* base 5.15: a Feature Identifier that is reserved or not supported: Invalid Field in Command. */
static void unknown_features_are_refused(void **state)
{
	static const uint8_t fid[] = {0x00, 0x77, 0x86, 0xbf};
	struct host *h = *state;

	for (unsigned i = 0; i < sizeof(fid); i++) {
		assert_status(host_admin(h, cmd_get(fid[i], CURRENT, 0, 0)), INVALID_FIELD);
		assert_status(set_feature(h, fid[i], 0), INVALID_FIELD);
	}
}

/* base 5.15: Select 100b to 111b are reserved. */
static void reserved_select_is_refused(void **state)
{
	struct host *h = *state;

	if (!select_is_supported(h))
		skip();
	for (unsigned select = 4; select < 8; select++)
		assert_status(host_admin(h, cmd_get(F_ARBITRATION, select, 0, 0)), INVALID_FIELD);
}

/* base 5.15, 4.2: the current value follows Set Features, the default one does not. */
static void default_is_not_changed(void **state)
{
	struct host *h = *state;
	uint32_t before;

	if (!select_is_supported(h))
		skip();
	before = get_feature(h, F_ARBITRATION, DEFAULT, 0);
	assert_status(set_feature(h, F_ARBITRATION, before ^ 3), SUCCESS);
	assert_int_equal(get_feature(h, F_ARBITRATION, CURRENT, 0), before ^ 3);
	assert_int_equal(get_feature(h, F_ARBITRATION, DEFAULT, 0), before);
}

/* base 5.15: "saved" of a feature that can't be saved is its default. */
static void saved_without_saving_is_the_default(void **state)
{
	struct host *h = *state;
	uint32_t before;

	if (!select_is_supported(h) ||
	    get_feature(h, F_ARBITRATION, CAPABILITIES, 0) & CAP_SAVEABLE)
		skip();
	before = get_feature(h, F_ARBITRATION, DEFAULT, 0);
	assert_status(set_feature(h, F_ARBITRATION, before ^ 5), SUCCESS);
	assert_int_equal(get_feature(h, F_ARBITRATION, SAVED, 0), before);
}

/* base 5.15.1: capabilities are bits 2:0, the rest is reserved. */
static void capabilities_are_three_bits(void **state)
{
	static const uint8_t fid[] = {F_ARBITRATION, F_POWER,  F_TEMPERATURE, F_QUEUES,
				      F_COALESCING,  F_VECTOR, F_ATOMICITY,   F_EVENTS};
	struct host *h = *state;

	if (!select_is_supported(h))
		skip();
	for (unsigned i = 0; i < sizeof(fid); i++)
		assert_int_equal(get_feature(h, fid[i], CAPABILITIES, 0) & ~7u, 0);
}

/* base 5.27: SV for a feature that is not saveable: Feature Identifier Not Saveable. */
static void saving_the_unsaveable_is_refused(void **state)
{
	struct host *h = *state;
	struct sqe cmd = cmd_set(F_ARBITRATION, 0, 0);

	if (select_is_supported(h) && get_feature(h, F_ARBITRATION, CAPABILITIES, 0) & CAP_SAVEABLE)
		skip();
	cmd.cdw10 |= SAVE;
	assert_either(host_admin(h, cmd), NOT_SAVEABLE,
		      select_is_supported(h) ? NOT_SAVEABLE : INVALID_FIELD);
}

/* base 5.27: a feature whose capabilities say so: Feature Not Changeable; its value stays. */
static void changing_the_unchangeable_is_refused(void **state)
{
	static const uint8_t fid[] = {F_POWER,  F_TEMPERATURE, F_COALESCING,
				      F_VECTOR, F_ATOMICITY,   F_EVENTS};
	struct host *h = *state;

	if (!select_is_supported(h))
		skip();
	for (unsigned i = 0; i < sizeof(fid); i++) {
		uint32_t before;

		if (get_feature(h, fid[i], CAPABILITIES, 0) & CAP_CHANGEABLE)
			continue;
		before = get_feature(h, fid[i], CURRENT, 0);
		assert_status(set_feature(h, fid[i], before ^ 1), NOT_CHANGEABLE);
		assert_int_equal(get_feature(h, fid[i], CURRENT, 0), before);
	}
}

/* base 4.2, 5.27: a controller's feature set for one namespace: Feature Not Namespace Specific. */
static void namespace_for_a_controller_feature_is_refused(void **state)
{
	struct host *h = *state;

	assert_either(host_admin(h, cmd_set(F_ARBITRATION, 1, 0)), NOT_NS_SPECIFIC, INVALID_FIELD);
}

/* base 5.15: the data pointer of a feature without a data structure "shall be ignored". */
static void unused_data_pointer_is_ignored(void **state)
{
	struct host *h = *state;
	struct sqe cmd = cmd_get(F_ARBITRATION, CURRENT, 0, 0);

	cmd.prp1 = NO_MEM | 0x123;
	cmd.prp2 = 0x7;
	assert_status(host_admin(h, cmd), SUCCESS);
}

/* base 5.27.1.1: AB, LPW, MPW, HPW read back as they were set. */
static void arbitration_reads_back(void **state)
{
	struct host *h = *state;

	assert_status(set_feature(h, F_ARBITRATION, 0x03020104), SUCCESS);
	assert_int_equal(get_feature(h, F_ARBITRATION, CURRENT, 0), 0x03020104);
}

/* base 5.27.1.2: a power state beyond NPSS: Invalid Field in Command. */
static void unknown_power_state_is_refused(void **state)
{
	struct host *h = *state;
	unsigned npss = identify(h, 1, 0)[ID_NPSS];

	if (npss < 31)
		assert_status(set_feature(h, F_POWER, npss + 1), INVALID_FIELD);
	assert_int_equal(get_feature(h, F_POWER, CURRENT, 0) & 31, 0);
}

/* base 5.27.1.3: over and under thresholds are two values, chosen by THSEL. */
static void temperature_thresholds_read_back(void **state)
{
	struct host *h = *state;

	assert_status(set_feature(h, F_TEMPERATURE, OVER(390)), SUCCESS);
	assert_status(set_feature(h, F_TEMPERATURE, UNDER(5)), SUCCESS);
	assert_int_equal(get_feature(h, F_TEMPERATURE, CURRENT, OVER(0)) & 0xffff, 390);
	assert_int_equal(get_feature(h, F_TEMPERATURE, CURRENT, UNDER(0)) & 0xffff, 5);
}

/* base 5.27.1.3: the under threshold's default is 0h; the over threshold's is WCTEMP, if that is given. */
static void temperature_threshold_defaults(void **state)
{
	struct host *h = *state;
	unsigned wctemp = le16(identify(h, 1, 0), ID_WCTEMP);

	assert_int_equal(get_feature(h, F_TEMPERATURE, CURRENT, UNDER(0)) & 0xffff, 0);
	if (wctemp)
		assert_int_equal(get_feature(h, F_TEMPERATURE, CURRENT, OVER(0)) & 0xffff, wctemp);
}

/* base 5.27.1.3: THSEL 10b and 11b are reserved. */
static void reserved_threshold_is_refused(void **state)
{
	struct host *h = *state;

	assert_status(set_feature(h, F_TEMPERATURE, 2u << 20 | 300), INVALID_FIELD);
	assert_status(set_feature(h, F_TEMPERATURE, 3u << 20 | 300), INVALID_FIELD);
}

/* base 5.27.1.4: without a volatile write cache (VWC bit 0) Get and Set: Invalid Field in Command. */
static void write_cache_is_as_identify_says(void **state)
{
	struct host *h = *state;

	if (identify(h, 1, 0)[ID_VWC] & 1) {
		assert_status(set_feature(h, F_WRITE_CACHE, 0), SUCCESS);
		assert_int_equal(get_feature(h, F_WRITE_CACHE, CURRENT, 0) & 1, 0);
		assert_status(set_feature(h, F_WRITE_CACHE, 1), SUCCESS);
		assert_int_equal(get_feature(h, F_WRITE_CACHE, CURRENT, 0) & 1, 1);
	} else {
		assert_status(host_admin(h, cmd_get(F_WRITE_CACHE, CURRENT, 0, 0)), INVALID_FIELD);
		assert_status(set_feature(h, F_WRITE_CACHE, 1), INVALID_FIELD);
	}
}

/* base 5.27.1.5: DW0 has what is allocated, 0's based; Get Features the same. */
static void queues_are_allocated(void **state)
{
	struct host *h = *state;
	struct cqe c = set_feature(h, F_QUEUES, 1u << 16 | 1);

	assert_status(c, SUCCESS);
	assert_true((c.dw0 & 0xffff) != 0xffff && c.dw0 >> 16 != 0xffff);
	assert_int_equal(get_feature(h, F_QUEUES, CURRENT, 0), c.dw0);
}

/* base 5.27.1.5: FFFFh for either number: Invalid Field in Command. */
static void too_many_queues_are_refused(void **state)
{
	struct host *h = *state;

	assert_status(set_feature(h, F_QUEUES, 0xffff0001), INVALID_FIELD);
	assert_status(set_feature(h, F_QUEUES, 0x0001ffff), INVALID_FIELD);
}

/* base 5.27.1.5: once I/O queues exist: Command Sequence Error. */
static void queues_are_allocated_before_they_are_made(void **state)
{
	struct host *h = *state;
	uint32_t before = get_feature(h, F_QUEUES, CURRENT, 0);

	assert_status(set_feature(h, F_QUEUES, 0), SEQUENCE_ERROR);
	assert_int_equal(get_feature(h, F_QUEUES, CURRENT, 0), before);
}

/* base 5.27.1.5, 5.4: an identifier beyond what was allocated: Invalid Queue Identifier. */
static void queues_beyond_the_allocation_are_refused(void **state)
{
	struct host *h = *state;
	uint32_t got = set_feature(h, F_QUEUES, 1u << 16 | 2).dw0;
	struct cq cq;
	struct sq sq;

	host_cq_init(h, &cq, (uint16_t)((got >> 16) + 2), 16);
	assert_status(host_admin(h, create_cq(h, &cq, false, 0)), INVALID_QID);
	host_add_cq(h, &cq, (uint16_t)((got >> 16) + 1), 16);
	host_sq_init(h, &sq, (uint16_t)((got & 0xffff) + 2), 16);
	assert_status(host_admin(h, create_sq(h, &sq, cq.id)), INVALID_QID);
	host_add_sq(h, &sq, (uint16_t)((got & 0xffff) + 1), 16, cq.id);
}

/* base 5.27.1.6: TIME and THR read back; the default is no coalescing. */
static void coalescing_reads_back(void **state)
{
	struct host *h = *state;

	assert_status(set_feature(h, F_COALESCING, 0x0a07), SUCCESS);
	assert_int_equal(get_feature(h, F_COALESCING, CURRENT, 0), 0x0a07);
}

/* base 5.27.1.7: the vector comes back in IV; CD as it was set; a vector of no queue: Invalid Field. */
static void vector_configuration_is_per_vector(void **state)
{
	struct host *h = *state;
	struct cq cq;

	host_cq_init(h, &cq, 2, 16);
	assert_status(host_admin(h, create_cq(h, &cq, true, 3)), SUCCESS);
	assert_status(set_feature(h, F_VECTOR, COALESCING_DISABLE | 3), SUCCESS);
	assert_int_equal(get_feature(h, F_VECTOR, CURRENT, 3), COALESCING_DISABLE | 3);
	assert_int_equal(get_feature(h, F_VECTOR, CURRENT, 0) & 0xffff, 0);
	assert_status(set_feature(h, F_VECTOR, 0xffff), INVALID_FIELD);
}

/* base 5.27.1.8: SMART bits 7:0 read back; notices that OAES does not claim can't be required. */
static void event_configuration_reads_back(void **state)
{
	struct host *h = *state;

	assert_status(set_feature(h, F_EVENTS, 0x1f), SUCCESS);
	assert_int_equal(get_feature(h, F_EVENTS, CURRENT, 0) & 0xff, 0x1f);
	assert_status(set_feature(h, F_EVENTS, 0), SUCCESS);
	assert_int_equal(get_feature(h, F_EVENTS, CURRENT, 0) & 0xff, 0);
}

/* nvm 4.1.3.2: per namespace; DULBE's default is '0'; TLER reads back. */
static void error_recovery_is_of_a_namespace(void **state)
{
	struct host *h = *state;
	struct cqe c = host_admin(h, cmd_get(F_ERROR_RECOVERY, CURRENT, 1, 0));

	assert_status(c, SUCCESS);
	assert_int_equal(c.dw0 & 0x10000, 0);
	assert_status(host_admin(h, cmd_set(F_ERROR_RECOVERY, 1, 25)), SUCCESS);
	assert_int_equal(host_admin(h, cmd_get(F_ERROR_RECOVERY, CURRENT, 1, 0)).dw0, 25);
}

/* base 5.15.1: bit 1 of its capabilities says that it is of a namespace; the controller's have none. */
static void capabilities_tell_the_scope(void **state)
{
	struct host *h = *state;

	if (!select_is_supported(h))
		skip();
	assert_int_equal(host_admin(h, cmd_get(F_ERROR_RECOVERY, CAPABILITIES, 1, 0)).dw0 &
				 CAP_OF_NAMESPACE,
			 CAP_OF_NAMESPACE);
	assert_int_equal(get_feature(h, F_ARBITRATION, CAPABILITIES, 0) & CAP_OF_NAMESPACE, 0);
}

/* nvm 4.1.3.2, base 3.2.1.5: no such namespace: Invalid Namespace or Format. */
static void error_recovery_of_no_namespace_is_refused(void **state)
{
	struct host *h = *state;

	assert_status(host_admin(h, cmd_set(F_ERROR_RECOVERY, 0xfffffff0, 1)), INVALID_NAMESPACE);
	assert_status(host_admin(h, cmd_get(F_ERROR_RECOVERY, CURRENT, 0xfffffff0, 0)),
		      INVALID_NAMESPACE);
}

#define on(test) cmocka_unit_test_setup_teardown(test, host_on, host_down)
#define io(test) cmocka_unit_test_setup_teardown(test, host_io, host_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on(mandatory_features_are_there),
		on(unknown_features_are_refused),
		on(reserved_select_is_refused),
		on(default_is_not_changed),
		on(saved_without_saving_is_the_default),
		on(capabilities_are_three_bits),
		on(saving_the_unsaveable_is_refused),
		on(changing_the_unchangeable_is_refused),
		on(namespace_for_a_controller_feature_is_refused),
		on(unused_data_pointer_is_ignored),
		on(arbitration_reads_back),
		on(unknown_power_state_is_refused),
		on(temperature_thresholds_read_back),
		on(temperature_threshold_defaults),
		on(reserved_threshold_is_refused),
		on(write_cache_is_as_identify_says),
		on(queues_are_allocated),
		on(too_many_queues_are_refused),
		io(queues_are_allocated_before_they_are_made),
		on(queues_beyond_the_allocation_are_refused),
		on(coalescing_reads_back),
		on(vector_configuration_is_per_vector),
		on(event_configuration_reads_back),
		on(error_recovery_is_of_a_namespace),
		on(capabilities_tell_the_scope),
		on(error_recovery_of_no_namespace_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
