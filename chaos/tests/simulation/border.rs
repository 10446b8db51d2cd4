//! Where a process meets time and chance: the C library. On the thread of a simulation both come from the seed, whoever
//! asks: our code, openraft, tokio, rustls, hash maps. Every other thread gets the real ones.
//!
//! The symbols here take the place of the C library's in this one test binary.
#![allow(unsafe_code, reason = "the C library's functions can be replaced by nothing else")]

use std::cell::Cell;
use std::ffi::{c_int, c_uint, c_void};

use nix::libc;

/// What the clocks of the host say whose turn it is, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// Since some moment, without the time that the host was suspended.
    pub monotonic: u64,
    /// Since that moment, with it.
    pub boottime: u64,
    /// Since 1970.
    pub wall: u64,
}

thread_local! {
    // Without destructors, so that they can be asked at any time of a thread's life.
    static CLOCKS: Cell<Option<Clocks>> = const { Cell::new(None) };
    static CHANCE: Cell<Option<u64>> = const { Cell::new(None) };
}

/// From now on this thread is simulated.
pub fn enter(seed: u64, clocks: Clocks) {
    CHANCE.set(Some(seed));
    CLOCKS.set(Some(clocks));
}

/// It is another host's turn, or later.
pub fn set(clocks: Clocks) {
    CLOCKS.set(Some(clocks));
}

fn is_simulated() -> bool {
    CHANCE.get().is_some()
}

/// SplitMix64.
fn next(state: u64) -> (u64, u64) {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (state, mixed ^ (mixed >> 31))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut c_void, length: usize, flags: c_uint) -> isize {
    let Some(mut state) = CHANCE.get() else {
        // SAFETY: the caller's own arguments, as the C library would pass them on.
        return unsafe { libc::syscall(libc::SYS_getrandom, buffer, length, flags) } as isize;
    };
    // SAFETY: the caller says that there is room for so many bytes.
    let bytes = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), length) };
    for chunk in bytes.chunks_mut(8) {
        let (after, value) = next(state);
        state = after;
        chunk.copy_from_slice(&value.to_le_bytes()[..chunk.len()]);
    }
    CHANCE.set(Some(state));
    length.cast_signed()
}

#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, to: *mut libc::timespec) -> c_int {
    let Some(clocks) = CLOCKS.get() else {
        // SAFETY: the caller's own arguments, as the C library would pass them on.
        return unsafe { libc::syscall(libc::SYS_clock_gettime, clock, to) } as c_int;
    };
    let nanos = match clock {
        libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE => clocks.wall,
        libc::CLOCK_BOOTTIME => clocks.boottime,
        _ => clocks.monotonic,
    };
    let time = libc::timespec {
        tv_sec: (nanos / 1_000_000_000).cast_signed(),
        tv_nsec: (nanos % 1_000_000_000).cast_signed(),
    };
    // SAFETY: the caller says that there is room for it.
    unsafe { to.write(time) };
    0
}

/// Files of a simulated host (keys, certificates, snapshots) lie on the real disk, where nothing is ever cut off.
#[unsafe(no_mangle)]
extern "C" fn fsync(file: c_int) -> c_int {
    if is_simulated() {
        return 0;
    }
    // SAFETY: the caller's own argument, as the C library would pass it on.
    unsafe { libc::syscall(libc::SYS_fsync, file) as c_int }
}

/// See [`fsync`].
#[unsafe(no_mangle)]
extern "C" fn fdatasync(file: c_int) -> c_int {
    if is_simulated() {
        return 0;
    }
    // SAFETY: the caller's own argument, as the C library would pass it on.
    unsafe { libc::syscall(libc::SYS_fdatasync, file) as c_int }
}
