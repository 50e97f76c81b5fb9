//! The component's memory: given out from the front to the back, and all of it again when nothing is held.
//!
//! Not an allocator for everybody. An event comes in, its answer goes out, and then nothing of either is held; so there
//! is no list of free places to keep and to search, and memory that is there already is used before more is asked for:
//! growing costs a call into the kernel for each batch, and another to take it back. What `configure` leaves is kept.
//! Invariant: a place is given out once until it is given back; what is given back out of turn is only lost until the
//! next event.

use std::alloc::{GlobalAlloc, Layout};
use std::arch::wasm32::{memory_grow, memory_size};
use std::cell::Cell;

/// The memory behind what the linker has placed.
pub(crate) struct Arena {
    /// The place behind what is given out; 0 before the first time.
    top: Cell<usize>,
    /// How many places are held.
    held: Cell<usize>,
    /// Top and count of what is kept.
    kept: Cell<(usize, usize)>,
}

impl Arena {
    pub(crate) const fn new() -> Self {
        Self { top: Cell::new(0), held: Cell::new(0), kept: Cell::new((0, 0)) }
    }

    /// Keeps what is held now, as long as the instance lives.
    pub(crate) fn keep(&self) {
        self.kept.set((self.top.get(), self.held.get()));
    }

    /// Moves the top, and asks for pages where it leaves the memory. False: there are none.
    #[inline]
    fn move_top(&self, top: usize) -> bool {
        let there = memory_size(0) * PAGE_BYTES;
        let is_there = top <= there || memory_grow(0, (top - there).div_ceil(PAGE_BYTES)) != usize::MAX;
        if is_there {
            self.top.set(top);
        }
        is_there
    }
}

#[expect(unsafe_code, reason = "an instance has one thread: nobody else looks at the cells")]
// SAFETY: the module is compiled without threads, and its memory is not shared.
unsafe impl Sync for Arena {}

#[expect(unsafe_code, reason = "the trait is what an allocator is")]
// SAFETY: a place is given out once until it is given back: `top` lies behind all that are held, and goes back only
// over the one in front of it, or to what is kept when no other is held.
unsafe impl GlobalAlloc for Arena {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let top = if self.top.get() == 0 { (&raw const __heap_base).addr() } else { self.top.get() };
        let start = top.next_multiple_of(layout.align());
        match start.checked_add(layout.size()) {
            Some(end) if self.move_top(end) => {
                self.held.set(self.held.get() + 1);
                std::ptr::with_exposed_provenance_mut(start)
            }
            Some(_) | None => std::ptr::null_mut(),
        }
    }

    #[inline]
    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        self.held.set(self.held.get() - 1);
        let (top, held) = self.kept.get();
        if held > 0 && self.held.get() == held {
            self.top.set(top);
        } else if place.addr() + layout.size() == self.top.get() {
            self.top.set(place.addr());
        }
    }

    #[inline]
    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if place.addr() + layout.size() == self.top.get() {
            let moves = place.addr().checked_add(size).is_some_and(|end| self.move_top(end));
            return if moves { place } else { std::ptr::null_mut() };
        }
        // SAFETY: the caller's promises hold for both, and the new place is another one.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                std::ptr::copy_nonoverlapping(place, moved, layout.size().min(size));
                self.dealloc(place, layout);
            }
            moved
        }
    }
}

#[expect(unsafe_code, reason = "the linker knows the place")]
unsafe extern "C" {
    /// Where the linker's own ends; only its address means anything.
    static __heap_base: u8;
}

const PAGE_BYTES: usize = 65_536;
