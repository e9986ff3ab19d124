# What both builds of static programs begin with; sourced, with the C library's name for Rust (musl, gnu) and the
# architecture that was asked for, if one was. Sets own, arch, target and foreign (empty, or the architecture's name).

own=$(uname -m)
[ "$own" = arm64 ] && own=aarch64
[ "$(uname -s)" = Linux ] || { echo "static programs are built on Linux; this is $(uname -s)" >&2; exit 1; }
arch=${2:-$own}
case $arch in
  x86_64 | aarch64) ;;
  *) echo "no static programs for '$arch': x86_64 and aarch64 are known" >&2; exit 2 ;;
esac
target=$arch-unknown-linux-$1
foreign=
if [ "$arch" != "$own" ]; then
  foreign=$arch
  command -v "$arch-linux-gnu-gcc" >/dev/null || {
    echo "for $arch: apt-get install gcc-${arch/_/-}-linux-gnu" >&2
    exit 1
  }
  upper=${target^^}
  export "CARGO_TARGET_${upper//-/_}_LINKER=$arch-linux-gnu-gcc"
fi
if [ ! -d "$(rustc --print target-libdir --target "$target")" ]; then
  command -v rustup >/dev/null || { echo "Rust's target $target is missing, and rustup to install it" >&2; exit 1; }
  rustup target add "$target"
fi

# Fails unless a program needs no loader: one that does names it. Without readelf nothing is known, and that fails, too.
is_static() {
  local headers
  headers=$(LC_ALL=C readelf -l "$1") || return 1
  case $headers in *INTERP*) return 1 ;; esac
}

# It starts without anything around it; one for another machine where its processor is emulated.
starts() {
  if [ -z "$foreign" ]; then
    "$1" --version >/dev/null
  elif command -v "qemu-$foreign-static" >/dev/null; then
    "qemu-$foreign-static" "$1" --version >/dev/null
  else
    echo "$1 was not started: that takes qemu-$foreign-static (apt-get install qemu-user-static)" >&2
  fi
}

# A line on the size of a program in a root file system.
report() {
  local bytes packed
  bytes=$(stat -c %s "$1/$2")
  packed=$(gzip -9 -c "$1/$2" | wc -c)
  awk -v arch="$arch" -v name="$2" -v root="$1" -v bytes="$bytes" -v packed="$packed" 'BEGIN {
    printf "%-16s %s, static  %8d bytes (%.2f MiB)  gzip -9: %8d bytes (%.2f MiB)  %s/\n",
      name, arch, bytes, bytes / 1048576, packed, packed / 1048576, root }'
}
