#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A kernel for the guests: vm-kernel.sh debian|iommufd|next. Prints the folder that holds it: vmlinuz, version
# and, where it has any, modules/*.ko with their order.
#
#   debian    Debian's own 6.12, unpacked from its package; VFIO type1 as modules
#   iommufd   built from Debian's source of 6.12 with tests/guest/linux-iommufd.config, about 3 minutes
#   next      the same of the newest kernel of Debian unstable, and tests/guest/linux-next.config; a cached
#             one is not brought up to date
#
# Nothing is installed. Kernels are kept in ${PHYR_CACHE:-${XDG_CACHE_HOME:-~/.cache}/phyr}/kernels, in a
# folder whose name holds the package's version and a hash of what else decides; each is made beside it
# and renamed when whole, and its checksums are compared before use. Exit 77: what it needs is not to be had.
set -eu
cd "$(dirname "$0")/.."

CACHE=${PHYR_CACHE:-${XDG_CACHE_HOME:-${HOME-}/.cache}/phyr}/kernels
MODULES=(vfio-pci vfio_iommu_type1 nvme crc32c_generic ext4) # and what they depend on
CONFIG=tests/guest/linux-iommufd.config
CONFIG_NEXT=tests/guest/linux-next.config

say() { echo "vm-kernel: $*" >&2; }
refuse() {
	say "$*"
	exit 77
}

# The version that apt would fetch now; empty where it knows none.
candidate() {
	apt-cache policy "$1" 2>/dev/null | awk '$1 == "Candidate:" && $2 != "(none)" { print $2 }'
}

update_lists() {
	[ "$(id -u)" = 0 ] || return 1
	apt-get update -q </dev/null >&2
}

# For `next`: apt with unstable's lists, in a folder of their own.
APT=()
use_unstable() {
	local keys=/usr/share/keyrings/debian-archive-keyring.gpg
	mkdir -p "$1/lists" "$1/cache"
	echo "deb [signed-by=$keys] http://deb.debian.org/debian unstable main" >"$1/sources.list"
	APT=(-o "Dir::Etc::SourceList=$1/sources.list" -o Dir::Etc::SourceParts=/dev/null
		-o "Dir::State::Lists=$1/lists" -o "Dir::Cache=$1/cache" -o APT::Sandbox::User=root)
	apt-get "${APT[@]}" update -q </dev/null >&2
}

# download PACKAGE DIR; as root in a folder that the user _apt can't see into.
download() {
	(cd "$2" && apt-get download -q -o APT::Sandbox::User=root "${APT[@]}" "$1" </dev/null >&2)
}

# fetch PACKAGE DIR: its .deb into DIR. Old lists name versions that the mirror has no more.
fetch() {
	download "$@" || { update_lists && download "$@"; } || refuse "could not download $1"
}

# The package that one without contents stands for.
stands_for() {
	apt-cache "${APT[@]}" depends "$1" 2>/dev/null | awk '$1 == "Depends:" { print $2; exit }'
}

# is_whole DIR: a kernel whose files are what they were when it was made.
is_whole() {
	[ -f "$1/SHA256SUMS" ] && (cd "$1" && sha256sum --status -c SHA256SUMS)
}

# Names of the modules that a module depends on, as its own file says.
depends() {
	tr '\0' '\n' <"$1" | LC_ALL=C sed -n 's/^depends=//p' | tr ',' '\n'
}

# take_module NAME FROM TO: the module and all that it depends on, unpacked. One that is not there is
# built into the kernel.
take_module() {
	local file name need
	file=$(find "$2" -name "${1//[-_]/[-_]}.ko*" -print -quit)
	[ -n "$file" ] || return 0
	name=$(basename "${file%.xz}")
	[ ! -e "$3/$name" ] || return 0
	case $file in
	*.xz) xz -dc "$file" >"$3/$name" ;;
	*) cp "$file" "$3/$name" ;;
	esac
	for need in $(depends "$3/$name"); do
		take_module "$need" "$2" "$3"
	done
	echo "$name" >>"$3/order"
}

# make_debian DIR WORK
make_debian() {
	local package name
	package=$(stands_for linux-image-6.12-amd64)
	fetch "$package" "$2"
	dpkg-deb -x "$2/$package"_*.deb "$2/x"
	cp "$2"/x/boot/vmlinuz-* "$1/vmlinuz"
	basename "$2"/x/boot/vmlinuz-* | sed 's/^vmlinuz-//' >"$1/version"
	mkdir "$1/modules"
	for name in "${MODULES[@]}"; do
		take_module "$name" "$2/x" "$1/modules"
	done
}

make_iommufd() {
	build "$1" "$2" linux-source-6.12 "$CONFIG"
}

make_next() {
	use_unstable "$2/apt" || refuse "can't have the lists of Debian unstable"
	build "$1" "$2" "$(stands_for linux-source)" "$CONFIG" "$CONFIG_NEXT"
}

# build DIR WORK PACKAGE CONFIG...: from the source that a package holds.
build() {
	local source=$2/source log=$CACHE/build-$kind.log
	fetch "$3" "$2"
	dpkg-deb --fsys-tarfile "$2/$3"_*.deb | tar -xO --wildcards './usr/src/linux-source-*.tar.xz' |
		(mkdir "$source" && tar -xJ -C "$source" --strip-components=1)
	cat "${@:4}" >"$1/config.asked"
	say "building Linux with ${*:4}; its output is in $log"
	{
		KCONFIG_ALLCONFIG=$1/config.asked make -C "$source" allnoconfig &&
			make -C "$source" -j"$(nproc)" bzImage
	} </dev/null >"$log" 2>&1 || {
		tail -20 "$log" >&2
		return 1
	}
	cp "$source/arch/x86/boot/bzImage" "$1/vmlinuz"
	cp "$source/.config" "$1/config"
	make -s -C "$source" kernelrelease >"$1/version"
}

# What decides about a kernel beside its package's version.
fingerprint() {
	case $1 in
	debian) echo "${MODULES[*]}" | sha256sum ;;
	iommufd) sha256sum <$CONFIG ;;
	next) cat $CONFIG $CONFIG_NEXT | sha256sum ;;
	esac | cut -c1-12
}

# newest_whole KIND: for when the mirror is out of reach.
newest_whole() {
	local dir
	for dir in $(ls -td "$CACHE/$1"-*-"$(fingerprint "$1")" 2>/dev/null); do
		! is_whole "$dir" || { echo "$dir" && return 0; }
	done
	return 1
}

# make_kernel KIND TARGET: all or nothing.
make_kernel() {
	work=$CACHE/making-$1 # the caller holds the lock of this kind: what lies there is half made
	rm -rf "$work"
	trap 'rm -rf "$work"' EXIT
	mkdir -p "$work/kernel"
	say "making ${2##*/}"
	"make_$1" "$work/kernel" "$work"
	(cd "$work/kernel" && find . -type f ! -name SHA256SUMS -print0 | sort -z | xargs -0 sha256sum) >"$work/SUMS"
	mv "$work/SUMS" "$work/kernel/SHA256SUMS"
	rm -rf "$2"
	mv -T "$work/kernel" "$2"
}

main() {
	local kind=${1-} package version='' target status
	case $kind in
	debian) package=linux-image-6.12-amd64 ;;
	iommufd) package=linux-source-6.12 ;;
	next) version=unstable ;;
	*)
		echo 'usage: vm-kernel.sh debian|iommufd|next' >&2
		exit 2
		;;
	esac
	mkdir -p "$CACHE" 2>/dev/null && [ -w "$CACHE" ] ||
		refuse "no place for kernels in $CACHE; PHYR_CACHE names another"
	exec 9>"$CACHE/$kind.lock"
	flock 9

	if [ -z "$version" ] && command -v apt-get >/dev/null; then
		version=$(candidate $package)
		[ -n "$version" ] || { update_lists && version=$(candidate $package); } || true
	fi
	if [ -z "$version" ]; then
		newest_whole "$kind" || refuse "apt knows no package $package here; Debian 12 has it"
		exit
	fi
	target=$CACHE/$kind-$version-$(fingerprint "$kind")
	if ! is_whole "$target"; then
		set +e # not by `if` or `||`, which would switch -e off inside, too
		(set -e && make_kernel "$kind" "$target")
		status=$?
		set -e
		if [ $status != 0 ]; then
			say "could not make ${target##*/}"
			newest_whole "$kind" || exit $status
			exit
		fi
	fi
	echo "$target"
	exit
}

main "$@" # to its end in one: the file may change meanwhile
