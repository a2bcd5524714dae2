/* SPDX-License-Identifier: MIT */
/* Controller properties: values, reset values, reserved bits, access. base 3.1.3. */
#include "conformity/nvme/host.h"

static unsigned bits(uint64_t value, unsigned high, unsigned low)
{
	return (unsigned)(value >> low & ((1ull << (high - low + 1)) - 1));
}

/* base 3.1.3.1: MQES 15:0, "the minimum value is 1h". */
static void cap_mqes_is_two_entries_or_more(void **state)
{
	struct host *h = *state;

	assert_true(bits(h->cap, 15, 0) >= 1);
}

/* base 3.1.3.1: bits 23:19 and 63:61 are reserved; base 3.1.3: reserved bits read 0. */
static void cap_reserved_bits_are_clear(void **state)
{
	struct host *h = *state;

	assert_int_equal(bits(h->cap, 23, 19), 0);
	assert_int_equal(bits(h->cap, 63, 61), 0);
}

/* base 3.1.3.1: CSS bit 0 of 44:37 is the NVM Command Set, bits 5:1 of it are reserved. */
static void cap_css_has_the_nvm_command_set(void **state)
{
	struct host *h = *state;

	assert_int_equal(bits(h->cap, 37, 37), 1);
	assert_int_equal(bits(h->cap, 42, 38), 0);
	assert_int_equal(bits(h->cap, 44, 44), 0); /* not "no I/O Command Set" */
}

/* base 3.1.3.1: MPSMAX 55:52, MPSMIN 51:48. */
static void cap_page_sizes_are_a_range(void **state)
{
	struct host *h = *state;

	assert_true(bits(h->cap, 51, 48) <= bits(h->cap, 55, 52));
}

/* base 3.1.3.1: CRMS.CRWMS, bit 59, "shall be set to '1'" by controllers of revision 2.0 and later. */
static void cap_crms_is_ready_with_media(void **state)
{
	struct host *h = *state;

	assert_int_equal(bits(h->cap, 59, 59), 1);
}

/* base 3.1.3.1: TO "shall be set to" CRTO.CRWMT (15:0), or FFh when that is more. */
static void cap_to_is_what_crto_says(void **state)
{
	struct host *h = *state;
	unsigned crwmt = get32(h, CRTO) & 0xffff;

	assert_int_equal(bits(h->cap, 31, 24), crwmt > 0xff ? 0xff : crwmt);
}

/* base 3.1.3: properties are accessed in their width or as aligned 32 bits. */
static void wide_properties_read_in_halves(void **state)
{
	struct host *h = *state;

	assert_int_equal(get32(h, CAP), (uint32_t)h->cap);
	assert_int_equal(get32(h, CAP + 4), h->cap >> 32);
}

/* base 3.1.3.9, 3.1.3.10: RW; either half by itself. */
static void queue_bases_are_written_in_halves(void **state)
{
	struct host *h = *state;

	set32(h, ASQ + 4, 0x12345678);
	set32(h, ASQ, 0x9abcd000);
	assert_int_equal(get64(h, ASQ), 0x123456789abcd000);
	set32(h, ACQ, 0x11111000);
	set32(h, ACQ + 4, 0x22222222);
	assert_int_equal(get64(h, ACQ), 0x2222222211111000);
}

/* base 3.1.3.9, 3.1.3.10: bits 11:00 are reserved. */
static void queue_bases_have_no_offset(void **state)
{
	struct host *h = *state;

	set64(h, ASQ, ~0ull);
	set64(h, ACQ, ~0ull);
	assert_int_equal(get64(h, ASQ) & 0xfff, 0);
	assert_int_equal(get64(h, ACQ) & 0xfff, 0);
}

/* base 3.1.3.2: 2.0 is 00020000h, later revisions more. */
static void vs_is_a_revision(void **state)
{
	struct host *h = *state;
	uint32_t vs = get32(h, VS);

	assert_true(vs >> 16 == 2 && (vs >> 8 & 0xff) <= 2);
	assert_int_equal(vs & 0xff, 0);
}

/* base 3.1.3, column Reset: all of these are 0h. */
static void reset_values(void **state)
{
	static const uint16_t zero[] = {INTMS, INTMC, CC, CSTS, AQA, ASQ, ASQ + 4, ACQ, ACQ + 4};
	struct host *h = *state;

	for (unsigned i = 0; i < sizeof(zero) / sizeof(zero[0]); i++)
		assert_int_equal(get32(h, zero[i]), 0);
}

/* base 3.1.3: CAP, VS, CSTS are RO (CSTS.NSSRO is RWC). */
static void read_only_properties_stay(void **state)
{
	struct host *h = *state;
	uint32_t vs = get32(h, VS);

	set64(h, CAP, ~h->cap);
	set32(h, VS, ~vs);
	set32(h, CSTS, 0xffffffff);
	assert_int_equal(get64(h, CAP), h->cap);
	assert_int_equal(get32(h, VS), vs);
	assert_int_equal(get32(h, CSTS), 0);
}

/* base 3.1.3.8: bits 31:28 and 15:12 are reserved. */
static void aqa_reserved_bits_are_clear(void **state)
{
	struct host *h = *state;

	set32(h, AQA, 0xffffffff);
	assert_int_equal(get32(h, AQA), 0x0fff0fff);
}

/* base 3.1.3.5: bits 31:25 and 03:01 are reserved, CRIME (24) is RO unless CRMS is 11b. */
static void cc_reserved_bits_are_clear(void **state)
{
	struct host *h = *state;
	uint32_t crime = bits(h->cap, 60, 59) == 3 ? 0x01000000 : 0;

	set32(h, CC, 0xff00000e);
	assert_int_equal(get32(h, CC) & 0xff00000e, crime & get32(h, CC));
}

/* base 3.1.3.5: MPS, IOSQES, IOCQES are RW. */
static void cc_fields_read_back(void **state)
{
	struct host *h = *state;

	set32(h, CC, CC_IOSQES | CC_IOCQES | CC_MPS(bits(h->cap, 51, 48)));
	assert_int_equal(get32(h, CC), CC_IOSQES | CC_IOCQES | CC_MPS(bits(h->cap, 51, 48)));
}

/* base 3.1.3.3: RWS, "writing a '0' to a bit has no effect"; read gives the mask. */
static void intms_sets_bits(void **state)
{
	struct host *h = *state;

	set32(h, INTMS, 0x00000005);
	set32(h, INTMS, 0x80000000);
	assert_int_equal(get32(h, INTMS), 0x80000005);
}

/* base 3.1.3.4: RWC, and both properties read as the same mask. */
static void intmc_clears_bits(void **state)
{
	struct host *h = *state;

	set32(h, INTMS, 0x000000ff);
	set32(h, INTMC, 0x0000000f);
	assert_int_equal(get32(h, INTMC), 0x000000f0);
	assert_int_equal(get32(h, INTMS), 0x000000f0);
}

/* base 3.1.3.7: NSSR reads 0h; without CAP.NSSRS it is reserved and a write does nothing. */
static void nssr_reads_zero(void **state)
{
	struct host *h = *state;

	assert_int_equal(get32(h, NSSR), 0);
	if (bits(h->cap, 36, 36))
		return;
	set32(h, NSSR, 0x4e564d65);
	assert_int_equal(get32(h, NSSR), 0);
	assert_int_equal(get64(h, CAP), h->cap);
}

/* base 3.1.3.11 to 3.1.3.13, 3.1.3.21: what CAP does not claim is reserved, and reads 0h. */
static void unclaimed_properties_read_zero(void **state)
{
	struct host *h = *state;

	if (!bits(h->cap, 57, 57)) {
		assert_int_equal(get32(h, CMBLOC), 0);
		assert_int_equal(get32(h, CMBSZ), 0);
	}
	if (!bits(h->cap, 45, 45))
		assert_int_equal(get32(h, BPINFO), 0);
	if (!bits(h->cap, 56, 56))
		assert_int_equal(get32(h, PMRCAP), 0);
}

/* base 3.1.3: 18h and 70h up to DFFh are reserved. */
static void reserved_properties_read_zero(void **state)
{
	struct host *h = *state;

	assert_int_equal(get32(h, 0x18), 0);
	for (uint64_t at = 0x70; at < 0xe00; at += 4)
		assert_int_equal(get32(h, at), 0);
}

#define off(test) cmocka_unit_test_setup_teardown(test, host_off, host_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		off(cap_mqes_is_two_entries_or_more),
		off(cap_reserved_bits_are_clear),
		off(cap_css_has_the_nvm_command_set),
		off(cap_page_sizes_are_a_range),
		off(cap_crms_is_ready_with_media),
		off(cap_to_is_what_crto_says),
		off(wide_properties_read_in_halves),
		off(queue_bases_are_written_in_halves),
		off(queue_bases_have_no_offset),
		off(vs_is_a_revision),
		off(reset_values),
		off(read_only_properties_stay),
		off(aqa_reserved_bits_are_clear),
		off(cc_reserved_bits_are_clear),
		off(cc_fields_read_back),
		off(intms_sets_bits),
		off(intmc_clears_bits),
		off(nssr_reads_zero),
		off(unclaimed_properties_read_zero),
		off(reserved_properties_read_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
