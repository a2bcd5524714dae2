#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Real files through the device: run.sh PHYR WORK_FOLDER [SEED]
#
# 1. An ext4 image of files of this machine is made in WORK_FOLDER (no mount, no root).
# 2. All of it is read through a simulated NVMe controller in every mapping mode, with an IOMMU and
#    without, and its SHA-256 compared with sha256sum's.
# 3. A random mix of reads and writes on a second image, every block verified, in the same modes.
# 4. The demo.
# Exit 0 only when every checksum is equal and nothing was wrong, blocked or left over.
# RUN_MIB (160) is how much of this machine's files is taken; RUN_IO (1g) how much each mix moves.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin # mkfs.ext4 lives there

phyr=$1
work=$2
seed=${3:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
run_mib=${RUN_MIB:-160}
run_io=${RUN_IO:-1g}
modes=perpage,oneshot,twostep,registered
nr_modes=4
image=$work/files.ext4
mix=$work/mix.img
failed=0

# Names of readable files of a folder, so many MiB of them at most, no odd names.
pick_files() {
	# A folder that may not be entered is passed over.
	{ find "$1" -xdev -type f -readable -size -4096k ! -path '*[[:cntrl:]]*' -printf '%s %p\n' \
		2>/dev/null || true; } | LC_ALL=C sort -k2 | awk -v left=$(($2 << 20)) '
		{ size = $1 + 4096; sub(/^[0-9]+ /, ""); if (size < left) { left -= size; print } }'
}

# Copies files of this machine and makes an ext4 image of them.
make_image() {
	local list=$work/list files=$work/files
	rm -rf "$files" "$image"
	mkdir -p "$files"
	for folder in /usr/bin /usr/lib /usr/share; do
		pick_files "$folder" $((run_mib / 3))
	done >"$list"
	tar -cf - --no-recursion -P -T "$list" |
		tar -xf - -C "$files" --no-same-owner --transform 's,^/,,'
	truncate -s $((run_mib + run_mib / 4 + 32))M "$image"
	mkfs.ext4 -q -F -E root_owner=0:0 -d "$files" "$image"
	rm -rf "$files"
	printf 'an ext4 image of %d files, %d MiB\n' "$(wc -l <"$list")" \
		$(($(stat -c %s "$image") >> 20))
}

# The rows of a JSON answer, one a line: the named fields, "-" where there is none. leaked's and
# lat_us's members go by their own names.
rows() {
	tr -d ' \t\n' | sed 's/[][{},]/\n/g' | awk -F: -v wanted="$1" '
		function emit(  i, n, names, line) {
			n = split(wanted, names, " ")
			for (i = 1; i <= n; i++)
				line = line (i > 1 ? " " : "") (names[i] in v ? v[names[i]] : "-")
			print line
		}
		{ gsub(/"/, "") }
		$1 == "map" { if (started) emit(); delete v; started = 1 }
		$2 != "" { v[$1] = $2 }
		END { if (started) emit() }'
}

wrong() {
	echo "WRONG: $*" >&2
	failed=1
}

# Looks at every row of a JSON file: nothing wrong, blocked or left, and the checksum if there is one.
check() {
	local what=$1 json=$2 sha=$3 found=0
	while read -r map verify faults iova tables pages got; do
		found=$((found + 1))
		[ "$verify" = 0 ] || wrong "$what $map: $verify blocks are wrong"
		[ "$faults" = 0 ] || wrong "$what $map: $faults faults"
		[ "$iova $tables $pages" = '0 0 0' ] ||
			wrong "$what $map: left over: $iova bytes of iova, $tables tables, $pages pages"
		[ -z "$sha" ] || [ "$got" = "$sha" ] || wrong "$what $map: SHA-256 is $got, not $sha"
	done < <(rows 'map verify_errors faults iova tables pages sha256' <"$json")
	[ $found = $nr_modes ] || wrong "$what: $found rows, not $nr_modes"
}

heading() {
	printf '\n%-24s %9s %8s %9s %9s %9s %9s %7s %7s %6s %6s %6s\n' "$1" IOPS MiB/s 'p50 us' 'p99 us' \
		'map ns' 'unmap ns' walks inval. wrong faults leaked
}

table() {
	rows 'map iommu iops mib_s p50 p99 map_ns_per_io unmap_ns_per_io walks invalidations ios verify_errors faults iova tables pages' <"$1" |
		awk '{ printf "  %-10s iommu %-5s %9.0f %8.0f %9.1f %9.1f %9.0f %9.0f %7.2f %7.2f %6d %6d %6d\n",
			$1, $2, $3, $4, $5, $6, $7, $8, $9 / ($11 ? $11 : 1), $10 / ($11 ? $11 : 1), $12, $13,
			$14 + $15 + $16 }'
}

# phyr_io NAME SHA ARGUMENTS... : one run of all modes, checked, in the table.
phyr_io() {
	local name=$1 sha=$2 json=$work/$1.json
	shift 2
	"$phyr" io "$@" --map $modes --json >"$json" || wrong "$name: phyr io exits $?: phyr io $*"
	check "$name" "$json" "$sha"
	table "$json"
}

mkdir -p "$work"
make_image
sha=$(sha256sum <"$image")
sha=${sha%% *}
echo "sha256 by sha256sum: $sha"

heading 'read all, 1m'
for iommu in soft none; do
	phyr_io "read-$iommu" "$sha" "sim:$image" --rw read --bs 1m --checksum --iommu $iommu
done

heading "mix 512-1m, depth 64"
for iommu in soft none; do
	rm -f "$mix"
	phyr_io "mix-$iommu" '' "sim:$mix" --create 256m --destroy-data --rw randrw --bs 512-1m \
		--iodepth 64 --io-size "$run_io" --verify --iommu $iommu --seed "$seed"
done
rm -f "$mix"
printf 'walks, inval.: page-table walks and IOTLB invalidations an I/O; seed %s\n' "$seed"
[ $failed = 0 ] && echo 'every checksum is equal; nothing was wrong, blocked or left over'

printf '\n'
"$phyr" demo || wrong "phyr demo exits $?"
exit $failed
